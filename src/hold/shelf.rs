//! What is to be played, loaded once however many listen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::{
    app::App,
    audio::{Clip, music::Music},
    call::Clips,
    mailbox::TenantId,
    store::{self, announcements},
};

/// How long a caller waits for the database, or for music that is elsewhere.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

pub(super) struct Shelf {
    pub(super) app: App,
    /// By blob, for as long as somebody plays it.
    clips: Clips,
    house: OnceCell<Vec<Arc<Clip>>>,
}

impl Shelf {
    pub(super) fn new(app: App) -> Self {
        Self { app, clips: Clips::default(), house: OnceCell::new() }
    }

    /// The sound of a blob.
    pub(super) async fn clip(&self, blob: &str) -> anyhow::Result<Arc<Clip>> {
        let read = async {
            let file = tokio::time::timeout(PATIENCE, self.app.blobs.get(blob)).await??;
            let name = blob.to_owned();
            let read = tokio::task::spawn_blocking(move || Ok(Music::read(&file)?.clip(&name)));
            read.await?
        };
        self.clips.get(blob, read).await
    }

    pub(super) async fn announcement(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> anyhow::Result<Option<Arc<Clip>>> {
        let looking = announcements::named(&self.app.db, tenant, name);
        match store::within(PATIENCE, looking).await? {
            Some(it) => self.clip(&it.blob).await.map(Some),
            None => Ok(None),
        }
    }

    /// The music that comes with the program.
    pub(super) async fn house(&self) -> anyhow::Result<&[Arc<Clip>]> {
        let made = self.house.get_or_try_init(|| super::house::load(&self.app)).await?;
        Ok(made)
    }
}
