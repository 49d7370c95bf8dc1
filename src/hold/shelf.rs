//! What is to be played, loaded once however many listen.

use std::sync::Arc;
use tokio::sync::OnceCell;

use super::memory::{Memory, PATIENCE, Silence};
use crate::{
    app::App,
    audio::{Clip, music::Music},
    call::Clips,
    mailbox::{Settings, TenantId},
    music::{Class, ClassId, State, TrackId},
    store::{
        StoreError, announcements,
        announcements::Announcement,
        music,
        tenants::{self, Tenant},
        tracks,
    },
};

pub(super) struct Shelf {
    pub(super) app: App,
    /// By blob, for as long as somebody plays it.
    clips: Clips,
    house: OnceCell<Vec<Arc<Clip>>>,
    silence: Silence,
    tenants: Memory<String, Option<Tenant>>,
    meant: Memory<(TenantId, Option<String>), Option<Class>>,
    classes: Memory<ClassId, (Option<Class>, Vec<Ready>)>,
    announcements: Memory<(TenantId, String), Option<Announcement>>,
}

/// A track that can be heard.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) id: TrackId,
    pub(super) blob: String,
    pub(super) ticks: u64,
}

impl Shelf {
    pub(super) fn new(app: App) -> Self {
        Self {
            app,
            clips: Clips::default(),
            house: OnceCell::new(),
            silence: Silence::default(),
            tenants: Memory::default(),
            meant: Memory::default(),
            classes: Memory::default(),
            announcements: Memory::default(),
        }
    }

    /// The tenant whose calls come to this host.
    pub(super) async fn tenant(&self, host: &str) -> Result<Option<Tenant>, StoreError> {
        let asking = tenants::reached(&self.app.db, host);
        self.tenants.ask(&self.silence, host.to_owned(), asking).await
    }

    /// The class that is meant by a name at a tenant.
    pub(super) async fn meant(
        &self,
        tenant: &Tenant,
        name: Option<&str>,
    ) -> Result<Option<Class>, StoreError> {
        let usual = usual(&tenant.settings);
        let asking = music::meant(&self.app.db, &tenant.id, name, &usual);
        let what = (tenant.id.clone(), name.map(str::to_owned));
        self.meant.ask(&self.silence, what, asking).await
    }

    /// What a class has become, and what of it can be heard.
    pub(super) async fn class(
        &self,
        tenant: &TenantId,
        id: &ClassId,
    ) -> Result<(Option<Class>, Vec<Ready>), StoreError> {
        let asking = async {
            let class = music::get(&self.app.db, tenant, id).await?;
            let tracks = tracks::of(&self.app.db, id).await?.into_iter();
            let ready = tracks.filter_map(|it| match it.state {
                State::Ready { blob, length, .. } => {
                    Some(Ready { id: it.id, blob, ticks: length.as_millis() as u64 * 8 })
                }
                State::Waiting | State::Failed { .. } => None,
            });
            Ok((class, ready.collect()))
        };
        self.classes.ask(&self.silence, id.clone(), asking).await
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
        let asking = announcements::named(&self.app.db, tenant, name);
        let what = (tenant.clone(), name.to_owned());
        match self.announcements.ask(&self.silence, what, asking).await? {
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

/// What a tenant calls the class that is meant where nobody names one.
fn usual(settings: &Settings) -> String {
    settings.hold_music.clone().unwrap_or_else(|| crate::music::DEFAULT.to_owned())
}
