//! The right to be the one server on a database.
//!
//! On SQLite it is a lock on a file beside the database. On PostgreSQL it is an advisory lock, and so
//! ends with its connection: when that is lost the right is asked for again, and given up for good
//! only to another server.

use std::{
    fs::{File, TryLockError},
    future::pending,
    path::Path,
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{Db, Engine, StoreError, postgres, within};

/// What the lock is called: any number that is ours.
const LOCK: i64 = 0x4166_7465_7262_6565;
/// How often the connection that holds it is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// A look that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked for before somebody else is believed to have it.
const ATTEMPTS: u32 = 10;
/// Pause between two such attempts; what we ended ourselves needs a moment to be gone.
const PAUSE: Duration = Duration::from_millis(100);

/// Being the one server on a database, until this is dropped.
#[derive(Debug)]
pub struct Tenure(Held);

#[derive(Debug)]
enum Held {
    File { _lock: File },
    Session { keeper: JoinHandle<()>, lost: watch::Receiver<bool> },
}

impl Db {
    /// Becomes the one server on this database. [`StoreError::Occupied`] if there is one already.
    pub async fn occupy(&self) -> Result<Tenure, StoreError> {
        match &*self.home {
            Engine::Sqlite(path) => {
                let _lock = lock(path, || self.occupied())?;
                Ok(Tenure(Held::File { _lock }))
            }
            Engine::Postgres(options) => {
                // The name tells a connection of ours that died unnoticed from another server's.
                let name = format!("afterbeep {:016x}", rand::random::<u64>());
                let options = options.as_ref().clone().application_name(&name);
                let held = take(&options, &name).await?.ok_or_else(|| self.occupied())?;
                let (losing, lost) = watch::channel(false);
                let keeper = tokio::spawn(keep(options, name, held, losing));
                Ok(Tenure(Held::Session { keeper, lost }))
            }
        }
    }

    fn occupied(&self) -> StoreError {
        StoreError::Occupied { place: self.place() }
    }
}

impl Tenure {
    /// Waits until another server has the database; as a rule, for ever.
    pub async fn lost(&self) {
        if let Held::Session { lost, .. } = &self.0
            && lost.clone().wait_for(|it| *it).await.is_ok()
        {
            return;
        }
        pending().await
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        if let Held::Session { keeper, .. } = &self.0 {
            keeper.abort();
        }
    }
}

fn lock(database: &Path, occupied: impl Fn() -> StoreError) -> Result<File, StoreError> {
    let path = database.with_extension("lock");
    let failed = |source| StoreError::Open { path: path.clone(), source };
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(occupied()),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Looks after the connection that holds the lock.
async fn keep(
    options: PgConnectOptions,
    name: String,
    mut held: PgConnection,
    lost: watch::Sender<bool>,
) {
    loop {
        sleep(EVERY).await;
        if matches!(timeout(PATIENCE, held.ping()).await, Ok(Ok(()))) {
            continue;
        }
        match within(postgres::ANSWERED, take(&options, &name)).await {
            Ok(Some(again)) => held = again,
            Ok(None) => {
                lost.send_replace(true);
                return;
            }
            // Nobody else gets it either as long as the database is away.
            Err(error) => tracing::debug!("the database's lock cannot be held: {error}"),
        }
    }
}

/// The lock, on a connection of its own; `None` if another server has it.
async fn take(options: &PgConnectOptions, name: &str) -> Result<Option<PgConnection>, StoreError> {
    let mut connection = postgres::connect(options).await?;
    for _ in 0..ATTEMPTS {
        let got: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut connection)
            .await?;
        if got {
            return Ok(Some(connection));
        }
        let ours: Vec<bool> = sqlx::query_scalar(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where application_name = $1 and datname = current_database()
                and pid <> pg_backend_pid()",
        )
        .bind(name)
        .fetch_all(&mut connection)
        .await?;
        if ours.is_empty() {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(None)
}
