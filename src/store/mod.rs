//! The database: who has mailboxes, what lies in them, and the work still to be done about it.
//!
//! One file per table; every function is one statement or one transaction and is named for what it
//! does to a mailbox, not to a row. The statements are written for SQLite and PostgreSQL alike;
//! today there is SQLite. Sound is not kept here, only the key of its blob.
//!
//! A transaction writes before it reads: one that starts reading fails on SQLite when another
//! process writes in between.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::mailbox::Settings;

/// Runs one body on whichever engine is behind a pool or a transaction.
macro_rules! on {
    ($engine:expr, $it:ident => $body:expr) => {
        match $engine {
            $crate::store::Engine::Sqlite($it) => $body,
        }
    };
}

pub mod deliveries;
pub mod greetings;
pub mod jobs;
pub mod mailboxes;
pub mod messages;
mod open;
pub mod people;
pub mod tenants;
pub mod transcripts;
pub mod translations;

/// The open database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Db {
    writer: Pool,
    reader: Pool,
}

/// Which database speaks; one variant per kind.
#[derive(Debug, Clone)]
enum Engine<S> {
    Sqlite(S),
}

type Pool = Engine<SqlitePool>;
type Tx = Engine<Transaction<'static, Sqlite>>;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be opened or made.
    #[error("the database {path} cannot be opened")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tables could not be brought up to this version.
    #[error("the database cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// It would lose committed messages when the power fails, so it is not used.
    #[error("the database is not safe to use: {setting} is {found}, but must be {wanted}")]
    Unsafe {
        /// What was looked at.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// Names and numbers are given once.
    #[error("there is already a {what} called {name:?}")]
    Taken {
        /// A tenant, user or mailbox.
        what: &'static str,
        /// The name asked for.
        name: String,
    },
    /// Something still hangs on what was to be removed.
    #[error("{what} still has {count} {of}")]
    InUse {
        /// What was to be removed.
        what: &'static str,
        /// How many things it has.
        count: i64,
        /// What they are.
        of: &'static str,
    },
    /// A row holds what this version cannot read; a newer one may have written it.
    #[error("the database holds {found:?} where a {wanted} belongs")]
    Unreadable {
        /// What was expected.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// Everything else the database refuses.
    #[error("the database refused a statement")]
    Sql(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's doing.
    pub fn is_temporary(&self) -> bool {
        /// Primary result codes of SQLite: busy, locked, i/o error, full, cannot open.
        const MAY_PASS: [u32; 5] = [5, 6, 10, 13, 14];
        match self {
            Self::Sql(sqlx::Error::Database(error)) => {
                let code = error.code().and_then(|it| it.parse::<u32>().ok());
                code.is_some_and(|it| MAY_PASS.contains(&(it & 0xff)))
            }
            Self::Sql(error) => matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed
            ),
            _ => false,
        }
    }

    /// Tells a name that exists from other refusals.
    fn taken(error: sqlx::Error, what: &'static str, name: &str) -> Self {
        match &error {
            sqlx::Error::Database(it) if it.is_unique_violation() => {
                Self::Taken { what, name: name.to_owned() }
            }
            _ => Self::Sql(error),
        }
    }
}

impl Db {
    /// Opens the database file, makes it if there is none, and brings its tables up to date.
    /// What is committed from then on survives a loss of power.
    pub async fn open(path: &Path) -> Result<Db, StoreError> {
        let (writer, reader) = open::sqlite(path).await?;
        Ok(Db { writer: Engine::Sqlite(writer), reader: Engine::Sqlite(reader) })
    }

    /// Whether the database answers and can be written to, for the readiness check.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        tx.write_lock().await
    }

    /// Ends all connections after what runs on them.
    pub async fn close(&self) {
        on!(&self.reader, pool => pool.close().await);
        on!(&self.writer, pool => pool.close().await);
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(on!(&self.writer, pool => Engine::Sqlite(pool.begin().await?)))
    }
}

impl Tx {
    async fn commit(self) -> Result<(), StoreError> {
        on!(self, tx => tx.commit().await?);
        Ok(())
    }

    /// Takes the lock every writer needs and gives it back, changing nothing.
    async fn write_lock(mut self) -> Result<(), StoreError> {
        on!(&mut self, tx => {
            sqlx::query("update tenant set name = name where id = ''").execute(&mut **tx).await?
        });
        on!(self, tx => tx.rollback().await?);
        Ok(())
    }
}

/// Settings as stored.
fn written(settings: &Settings) -> String {
    serde_json::json!(settings).to_string()
}

/// Stored settings.
fn settings(text: String) -> Result<Settings, StoreError> {
    serde_json::from_str(&text)
        .map_err(|_| StoreError::Unreadable { wanted: "set of settings", found: text })
}

/// A length as stored.
fn ms(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// A stored length.
fn length(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
