//! What several checks look at, opened once.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::finding::Finding;
use crate::{
    cli::ask::{self, Answer},
    clock::Clock,
    config::Config,
    mailbox::Mailbox,
    store::{
        Db, StoreError,
        health::{self, Health, Schema},
        mailboxes, tenants,
    },
};

/// The settings, and what was found at first sight.
pub(super) struct Scene {
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    pub(super) database: Database,
    /// What answers on `[http] listen`.
    pub(super) web: Answer,
}

/// How far the database let us in.
pub(super) enum Database {
    /// There is none yet: the first start makes it.
    None,
    /// It is open.
    Open { db: Db, health: Health, mailboxes: Vec<Mailbox> },
    /// Its tables are not those of this version, so nothing more is asked of it.
    Other(Health),
    /// It could not be opened.
    Shut(Finding),
}

/// How long opening the database may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl Scene {
    pub(super) async fn open(config: Arc<Config>) -> Self {
        let opening = timeout(PATIENCE, open(&config));
        let (database, web) = tokio::join!(opening, ask::readyz(config.http.listen));
        let remedy = match config.store.url {
            Some(_) => "See [store] in the settings, and whether PostgreSQL runs there.",
            None => "See who may use the data folder; a backup may have to be restored.",
        };
        let database = match database {
            Ok(Ok(database)) => database,
            Ok(Err(error)) => Database::Shut(Finding::error(error, remedy)),
            Err(_) => {
                let found = format!("The database has not answered for {PATIENCE:?}.");
                Database::Shut(Finding::fail(found, remedy))
            }
        };
        Self { config, clock: Clock::default(), database, web }
    }

    /// The mailboxes of everybody; none where the database could not be opened.
    pub(super) fn mailboxes(&self) -> &[Mailbox] {
        match &self.database {
            Database::Open { mailboxes, .. } => mailboxes,
            _ => &[],
        }
    }

    /// Whether a server runs on these settings.
    pub(super) fn is_served(&self) -> bool {
        matches!(self.web, Answer::Ready | Answer::NotReady(_))
    }

    /// The data folder, if it has been made.
    pub(super) fn data(&self) -> Option<&Path> {
        Some(self.config.data.as_path()).filter(|it| it.is_dir())
    }
}

async fn open(config: &Config) -> Result<Database, StoreError> {
    let Some(health) = health::examine(&config.store, &config.database()).await? else {
        return Ok(Database::None);
    };
    if health.schema != Schema::Current {
        return Ok(Database::Other(health));
    }
    let db = Db::connect(&config.store, &config.database()).await?;
    let mut all = Vec::new();
    for tenant in tenants::list(&db).await? {
        all.extend(mailboxes::list(&db, &tenant.id).await?);
    }
    Ok(Database::Open { db, health, mailboxes: all })
}
