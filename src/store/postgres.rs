//! Reaching a PostgreSQL database so that what is committed stays committed.

use std::time::Duration;

use sqlx::{
    Connection, Executor, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use super::{MIGRATIONS, StoreError, health::Step};

/// Connections of one server. PostgreSQL takes a hundred unless told otherwise.
const CONNECTIONS: u32 = 12;

/// How long anybody waits for a connection; a caller who is not answered yet may be among them.
const WAIT: Duration = Duration::from_secs(3);

/// How long an answer is waited for: longer than any statement may take, so that whoever has not
/// answered by then is gone. The sockets are not ours to set a limit of the system's on, and by
/// itself one that is cut off can stay silent for ever.
pub(super) const ANSWERED: Duration = Duration::from_secs(35);

/// What every connection asks for. No statement may wait for ever, and the server notices within
/// a minute when this machine is gone, and lets another one take over.
const SESSION: &str =
    "set client_min_messages = warning; set statement_timeout = '30s'; set lock_timeout = '10s';
     set idle_in_transaction_session_timeout = '60s'; set tcp_keepalives_idle = 30;
     set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3";

/// Settings a promise rests on, and what they may be.
const SAFE: [(&str, &[&str], &str); 4] = [
    ("fsync", &["on"], "on"),
    ("synchronous_commit", &["on", "remote_apply"], "on or remote_apply"),
    ("transaction_read_only", &["off"], "off (is this a standby?)"),
    ("server_encoding", &["UTF8"], "UTF8"),
];

/// The oldest version that is still looked after.
const OLDEST: i64 = 140_000;

/// The connections, once the tables are up to date.
pub(super) async fn open(options: &PgConnectOptions) -> Result<PgPool, StoreError> {
    // The first one is made by hand: a pool would try again and again, and not say why.
    let mut first = connect(options).await?;
    // Two servers that start at once take turns: an advisory lock is held meanwhile.
    MIGRATIONS.run_direct(None, &mut first, false).await?;
    first.close().await?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(WAIT);
    // One that was given up in the middle of a statement must not hold its place until it answers.
    let pool = pool.after_release(|connection, _| {
        Box::pin(async move {
            let answered = timeout(WAIT, connection.ping()).await;
            answered.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
        })
    });
    let pool = pool.after_connect(|connection, _| {
        Box::pin(async move {
            let checked = prepare(connection).await;
            checked.map_err(|error| match error {
                StoreError::Sql(error) => error,
                other => sqlx::Error::Configuration(Box::new(other)),
            })
        })
    });
    Ok(pool.connect_lazy_with(options.clone()))
}

/// One connection that belongs to no pool.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let failed = |source| StoreError::Connect { place: place(options), source };
    let connecting = PgConnection::connect_with(options);
    let connection = timeout(WAIT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let mut connection = connection.map_err(failed)?;
    super::within(ANSWERED, prepare(&mut connection)).await?;
    Ok(connection)
}

/// Milliseconds since 1970, as the server has it.
pub(super) async fn time(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let now = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
    sqlx::query_scalar(now).fetch_one(pool).await
}

/// What it is, and the steps that made its tables; none where it has none.
pub(super) async fn examine(options: &PgConnectOptions) -> Result<(String, Vec<Step>), StoreError> {
    let mut connection = connect(options).await?;
    let version: String = sqlx::query_scalar("select current_setting('server_version')")
        .fetch_one(&mut connection)
        .await?;
    let found = "select to_regclass('_sqlx_migrations') is not null";
    let steps = match sqlx::query_scalar(found).fetch_one(&mut connection).await? {
        false => Vec::new(),
        true => {
            let steps = "select version, checksum from _sqlx_migrations order by version";
            sqlx::query_as(steps).fetch_all(&mut connection).await?
        }
    };
    connection.close().await?;
    Ok((format!("PostgreSQL {version}"), steps))
}

/// Where it is, without a password.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{name} at {}", socket.display()),
        None => format!("{name} at {}:{}", options.get_host(), options.get_port()),
    }
}

/// Whether what PostgreSQL refused with this code may work later: the connection is lost or there
/// are too many, the disk is full or fails, it is shutting down or starting, two transactions
/// stood in each other's way, a statement waited too long, or the server became a standby.
pub(super) fn may_pass(code: &str) -> bool {
    const CLASSES: [&str; 3] = ["08", "53", "58"];
    const CODES: [&str; 9] =
        ["40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "25006", "25P03"];
    code.get(..2).is_some_and(|class| CLASSES.contains(&class)) || CODES.contains(&code)
}

/// Asks each connection itself: roles and databases may have settings of their own, and a wrong
/// one costs messages.
async fn prepare(connection: &mut PgConnection) -> Result<(), StoreError> {
    connection.execute(SESSION).await?;
    let unsafe_ = |setting, found, wanted| Err(StoreError::Unsafe { setting, found, wanted });
    let version: i64 = sqlx::query_scalar("select current_setting('server_version_num')::bigint")
        .fetch_one(&mut *connection)
        .await?;
    if version < OLDEST {
        let found = format!("{}", version / 10_000);
        return unsafe_("the PostgreSQL version", found, "14 or later");
    }
    for (setting, fine, wanted) in SAFE {
        let found: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *connection)
            .await?;
        if !fine.contains(&found.as_str()) {
            return unsafe_(setting, found, wanted);
        }
    }
    Ok(())
}

/// The columns of a table: name, type, and place in the key from 1, or 0.
pub(super) async fn columns(
    connection: &mut PgConnection,
    table: &str,
) -> Result<Vec<(String, String, i64)>, StoreError> {
    let columns = sqlx::query_as(
        "select a.attname::text, format_type(a.atttypid, a.atttypmod),
                coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint
           from pg_attribute a
           left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
          where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped",
    );
    Ok(columns.bind(table).fetch_all(connection).await?)
}
