//! Browsers in which somebody has logged in. Only the SHA-256 of what proves it is kept, as with tokens.

use std::time::Duration;

use super::{Db, StoreError, people::Person, tokens::PRECISION};
use crate::mailbox::{TenantId, Timestamp, UserId};

/// A browser in which nothing is done for this long is logged out.
pub const IDLE: Duration = Duration::from_secs(12 * 3_600);
/// Whatever is done in it, a browser is logged out after this long.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Browsers that one person is logged in with; the one used least recently makes room.
pub const MOST: u32 = 20;

/// A browser that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who uses it.
    pub person: Person,
    /// When they did so last, give or take [`PRECISION`].
    pub used: Timestamp,
}

/// Logs a browser in by the fingerprint of what it will show.
pub async fn begin(
    db: &Db,
    person: &UserId,
    fingerprint: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query(
            "insert into session (sha256, person, created, used) values ($1, $2, $3, $3)",
        )
        .bind(fingerprint)
        .bind(&person.0)
        .bind(now.0)
        .execute(&mut **tx)
        .await?
        .rows_affected();
        sqlx::query(
            "delete from session where person = $1 and sha256 not in
                    (select sha256 from session where person = $1
                      order by used desc, sha256 = $2 desc, sha256 limit $3)",
        )
        .bind(&person.0)
        .bind(fingerprint)
        .bind(i64::from(MOST))
        .execute(&mut **tx)
        .await?
        .rows_affected()
    });
    tx.commit().await
}

/// The browser of this fingerprint, if it is logged in at this moment.
pub async fn good(
    db: &Db,
    fingerprint: &str,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    type Row = (String, String, String, String, i64);
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select person.id, person.tenant, person.name, person.email, session.used
           from session join person on person.id = session.person
          where session.sha256 = $1 and session.created > $2 and session.used > $3",
    )
    .bind(fingerprint)
    .bind((now - LONGEST).0)
    .bind((now - IDLE).0)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(|(id, tenant, name, email, used)| Session {
        person: Person { id: UserId(id), tenant: TenantId(tenant), name, email },
        used: Timestamp(used),
    }))
}

/// Notes that a browser was used, unless that was done within [`PRECISION`].
pub async fn note_use(
    db: &Db,
    session: &Session,
    fingerprint: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    if now < session.used + PRECISION {
        return Ok(());
    }
    on!(&db.writer, pool => sqlx::query("update session set used = $2 where sha256 = $1")
        .bind(fingerprint)
        .bind(now.0)
        .execute(pool)
        .await?
        .rows_affected());
    Ok(())
}

/// Logs a browser out.
pub async fn end(db: &Db, fingerprint: &str) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query("delete from session where sha256 = $1")
        .bind(fingerprint)
        .execute(pool)
        .await?
        .rows_affected());
    Ok(())
}

/// Forgets browsers that are logged out by now.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    Ok(on!(&db.writer, pool => sqlx::query(
        "delete from session where created <= $1 or used <= $2",
    )
    .bind((now - LONGEST).0)
    .bind((now - IDLE).0)
    .execute(pool)
    .await?
    .rows_affected()))
}
