//! Opening a SQLite file so that what is committed stays committed.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use sqlx::{
    SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{MIGRATIONS, StoreError, health::Step};

/// Older versions can corrupt a write-ahead log that two connections share.
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// How long a statement waits for another process (an admin verb, a backup) to let go.
const BUSY: Duration = Duration::from_secs(5);

/// Connections that only read; writers have one between them and queue for it.
const READERS: u32 = 4;

/// The log file is cut back to this many bytes after a checkpoint.
const LOG_KEPT: &str = "67108864";

/// The writing connection and the reading ones.
pub(super) async fn open(path: &Path) -> Result<(SqlitePool, SqlitePool), StoreError> {
    let failed = |source| StoreError::Open { path: path.to_owned(), source };
    // Two processes that start at once would both try to make the tables.
    let mine = path.to_owned();
    let turn = tokio::task::spawn_blocking(move || private(&mine));
    let turn = turn.await.unwrap_or_else(|error| Err(error.into())).map_err(failed)?;

    let options = options(path);
    let pool = SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None);
    // A connection to a file does not go away, and to ask it first costs as much as most questions.
    let pool = pool.test_before_acquire(false);

    let writer = pool.clone().max_connections(1).connect_with(options.clone()).await?;
    assert_durable(&writer).await?;
    MIGRATIONS.run(&writer).await?;
    let reader = pool.max_connections(READERS).connect_with(options.read_only(true)).await?;

    drop(turn);
    Ok((writer, reader))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("journal_size_limit", LOG_KEPT)
}

/// What it is, and the steps that made its tables; none where it has none.
pub(super) async fn examine(path: &Path) -> Result<(String, Vec<Step>), StoreError> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options(path)).await?;
    assert_durable(&pool).await?;
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&pool).await?;
    let found = "select count(*) from sqlite_master where name = '_sqlx_migrations'";
    let steps = match sqlx::query_scalar::<_, i64>(found).fetch_one(&pool).await? {
        0 => Vec::new(),
        _ => {
            let steps = "select version, checksum from _sqlx_migrations order by version";
            sqlx::query_as(steps).fetch_all(&pool).await?
        }
    };
    pool.close().await;
    Ok((format!("SQLite {version}"), steps))
}

/// What is wrong with the pages of the file, if anything.
pub(super) async fn damage(pool: &SqlitePool) -> Result<Option<String>, sqlx::Error> {
    let told: String = sqlx::query_scalar("pragma quick_check(1)").fetch_one(pool).await?;
    Ok((told != "ok").then_some(told))
}

/// Milliseconds since 1970.
pub(super) async fn time(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let now = "select cast(unixepoch('subsec') * 1000 as integer)";
    sqlx::query_scalar(now).fetch_one(pool).await
}

/// Makes the file, readable by nobody else (its log takes over the mode), and waits until no other
/// process is opening it; the answer is the folder, locked until it is dropped.
fn private(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = !folder.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if let Some(above) = folder.canonicalize()?.parent().filter(|_| new) {
        File::open(above)?.sync_all()?;
    }
    let turn = File::open(folder)?;
    turn.lock()?;
    // A file that is there is not opened here: closing it again would drop the locks SQLite has on
    // it if this process uses it already.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(path, Permissions::from_mode(0o600))?;
            }
        }
        other => drop(other?),
    }
    Ok(turn)
}

/// Asks the connection itself: libraries differ in what they set, and a wrong answer costs messages.
async fn assert_durable(writer: &SqlitePool) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(writer).await?;
    let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(writer).await?;
    let journal: String = sqlx::query_scalar("pragma journal_mode").fetch_one(writer).await?;

    let unsafe_ = |setting, found, wanted| Err(StoreError::Unsafe { setting, found, wanted });
    if parts(&version) < OLDEST {
        return unsafe_("the SQLite version", version, "3.51.3 or later");
    }
    if synchronous != 2 {
        return unsafe_("synchronous", synchronous.to_string(), "2 (full)");
    }
    if journal != "wal" {
        return unsafe_("journal_mode", journal, "wal (is the folder on a network drive?)");
    }
    Ok(())
}

fn parts(version: &str) -> (u32, u32, u32) {
    let mut numbers = version.split('.').map(|it| it.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// The columns of a table: name, type, and place in the key from 1, or 0.
pub(super) async fn columns(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<(String, String, i64)>, StoreError> {
    let columns = sqlx::query_as("select name, lower(type), pk from pragma_table_info($1)");
    Ok(columns.bind(table).fetch_all(connection).await?)
}
