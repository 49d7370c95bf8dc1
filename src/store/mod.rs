//! The database: who has mailboxes, what lies in them, and the work still to be done about it.
//!
//! One file per table; every function is one statement or one transaction and is named for what it
//! does to a mailbox, not to a row. The statements are one text for SQLite and PostgreSQL; what only
//! one of them understands stands in the file of its name. Sound is not kept here, only the key of
//! its blob.
//!
//! A transaction writes before it reads: one that starts reading fails on SQLite when another
//! process writes in between. On PostgreSQL that first write, to the mailbox, is the lock.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgDatabaseError},
};

use crate::mailbox;

/// Runs one body on whichever engine is behind a pool or a transaction; a body returns early with an
/// error only. PostgreSQL is waited for as long as a statement may take: the way there may have been
/// cut without a word.
macro_rules! on {
    ($engine:expr, $it:ident => $body:expr) => {
        match $engine {
            $crate::store::Engine::Sqlite($it) => $body,
            $crate::store::Engine::Postgres($it) => {
                let work = async { Ok::<_, $crate::store::StoreError>($body) };
                $crate::store::within($crate::store::postgres::ANSWERED, work).await?
            }
        }
    };
}

/// The same for what takes as long as it takes, such as reading whole tables.
macro_rules! at_leisure {
    ($engine:expr, $it:ident => $body:expr) => {
        match $engine {
            $crate::store::Engine::Sqlite($it) => $body,
            $crate::store::Engine::Postgres($it) => $body,
        }
    };
}

pub mod announcements;
pub mod call_backs;
pub mod deliveries;
pub mod dial_in;
pub mod greetings;
pub mod health;
pub mod jobs;
pub mod lamps;
pub mod logins;
pub mod mailboxes;
pub mod messages;
pub mod music;
pub mod names;
pub mod people;
pub mod pins;
mod postgres;
pub mod rows;
pub mod secrets;
pub mod sessions;
mod settings;
mod sqlite;
pub mod tenants;
mod tenure;
pub mod tokens;
pub mod tracks;
pub mod transcripts;
pub mod translations;
pub mod unsubscribed;
pub mod uploads;

pub use settings::Settings;
pub use tenure::Tenure;

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// The open database. Clones share its connections.
#[derive(Clone)]
pub struct Db {
    writer: Pool,
    reader: Pool,
    home: Arc<Home>,
}

/// Which database speaks; one variant per kind.
#[derive(Debug, Clone)]
enum Engine<S, P> {
    Sqlite(S),
    Postgres(P),
}

type Pool = Engine<SqlitePool, PgPool>;
type Tx = Engine<Transaction<'static, Sqlite>, Transaction<'static, Postgres>>;
/// Where the database is.
type Home = Engine<PathBuf, Box<PgConnectOptions>>;

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
    /// The server that has it could not be reached, or let us not in.
    #[error("the database {place} cannot be reached")]
    Connect {
        /// Which database, without a password.
        place: String,
        /// What the system or the database said.
        source: sqlx::Error,
    },
    /// The setting makes no sense.
    #[error("[store] {0}")]
    Settings(String),
    /// The file with the password could not be read.
    #[error("[store] password_file: {path} cannot be read")]
    Password {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Only one server works on a database.
    #[error("the database {place} is in use by another server")]
    Occupied {
        /// Which database.
        place: String,
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
    /// No more of them are kept.
    #[error("{whose} has {most} {what} at most; take one away first")]
    TooMany {
        /// Who would have them.
        whose: &'static str,
        /// What they are.
        what: &'static str,
        /// How many there may be.
        most: i64,
    },
    /// A row holds what this version cannot read; a newer one may have written it.
    #[error("the database holds {found:?} where a {wanted} belongs")]
    Unreadable {
        /// What was expected.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// A row that comes from elsewhere is not one of this version's.
    #[error("a row for the table {table} is not as this version writes it")]
    Strange {
        /// Where it was to go.
        table: &'static str,
    },
    /// It said nothing: the machine it is on may have been cut off.
    #[error("the database has not answered for {0:?}")]
    Silent(Duration),
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
            Self::Connect { source: sqlx::Error::Database(_), .. } => false,
            Self::Connect { .. } | Self::Silent(_) => true,
            Self::Sql(sqlx::Error::Database(error)) => {
                match error.try_downcast_ref::<PgDatabaseError>() {
                    Some(error) => postgres::may_pass(error.code()),
                    None => {
                        let code = error.code().and_then(|it| it.parse::<u32>().ok());
                        code.is_some_and(|it| MAY_PASS.contains(&(it & 0xff)))
                    }
                }
            }
            // What a server says while it goes down may end in the middle of a word.
            Self::Sql(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::WorkerCrashed
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
    /// Opens the database that the settings name, or else the SQLite file.
    pub async fn connect(settings: &Settings, file: &Path) -> Result<Db, StoreError> {
        match settings.options()? {
            None => Db::open(file).await,
            Some(options) => {
                let pool = Engine::Postgres(postgres::open(&options).await?);
                let home = Arc::new(Engine::Postgres(Box::new(options)));
                Ok(Db { writer: pool.clone(), reader: pool, home })
            }
        }
    }

    /// Opens the database file, makes it if there is none, and brings its tables up to date.
    /// What is committed from then on survives a loss of power.
    pub async fn open(path: &Path) -> Result<Db, StoreError> {
        let (writer, reader) = sqlite::open(path).await?;
        let home = Arc::new(Engine::Sqlite(path.to_owned()));
        Ok(Db { writer: Engine::Sqlite(writer), reader: Engine::Sqlite(reader), home })
    }

    /// Where it is, for people: a path, or an address without a password.
    pub fn place(&self) -> String {
        match &*self.home {
            Engine::Sqlite(path) => path.display().to_string(),
            Engine::Postgres(options) => postgres::place(options),
        }
    }

    /// Whether the database answers and can be written to, for the readiness check.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        tx.write_lock().await
    }

    /// Ends all connections after what runs on them.
    pub async fn close(&self) {
        at_leisure!(&self.reader, pool => pool.close().await);
        at_leisure!(&self.writer, pool => pool.close().await);
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match &self.writer {
            Engine::Sqlite(pool) => Engine::Sqlite(pool.begin().await?),
            Engine::Postgres(pool) => {
                let begun = async { Ok(pool.begin().await?) };
                Engine::Postgres(within(postgres::ANSWERED, begun).await?)
            }
        })
    }
}

/// What it is reached with has a password in it.
impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Db({})", self.place())
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
            sqlx::query("update tenant set name = name where id = ''").execute(&mut **tx).await?;
        });
        on!(self, tx => tx.rollback().await?);
        Ok(())
    }
}

/// Waits for work on the database, but not longer than this. What was not committed by then may
/// be committed all the same, so only what can be said again is said like this.
pub async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(time, work).await.unwrap_or(Err(StoreError::Silent(time)))
}

/// What somebody else said, cut to `most` characters, without the one that PostgreSQL does not keep.
fn clipped(text: &str, most: usize) -> String {
    text.chars().filter(|it| *it != '\0').take(most).collect()
}

/// Settings as stored.
fn written(settings: &mailbox::Settings) -> String {
    serde_json::json!(settings).to_string()
}

/// Stored settings.
fn settings(text: String) -> Result<mailbox::Settings, StoreError> {
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
