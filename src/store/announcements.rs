//! Announcements: what is said to many. The sound is a blob; here is its key.

use std::time::Duration;

use sqlx::FromRow;

use super::{Db, StoreError};
use crate::mailbox::{TenantId, Timestamp};

/// What a tenant has said to many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What it is called in addresses: `closed` in `sip:announce-closed@…`.
    pub name: String,
    /// What it says, where a voice says it.
    pub script: Option<String>,
    /// Where the sound is.
    pub blob: String,
    /// How long it is.
    pub length: Duration,
}

/// Announcements a tenant may have.
pub const MOST: i64 = 500;

/// Makes a blob that is already written the announcement of this name. Answers with the blob it
/// replaces, to be deleted now.
pub async fn set(
    db: &Db,
    tenant: &TenantId,
    id: &str,
    announcement: &Announcement,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Announcement { name, script, blob, length } = announcement;
    let mut tx = db.begin().await?;
    let old: Option<String> = on!(&mut tx, tx => {
        let old: Option<String> = sqlx::query_scalar(
            "update announcement set created = $3 where tenant = $1 and name = $2 returning blob",
        )
        .bind(&tenant.0)
        .bind(name)
        .bind(now.0)
        .fetch_optional(&mut **tx)
        .await?;
        sqlx::query(
            "insert into announcement (id, tenant, name, script, blob, length_ms, created)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (tenant, name) do update
                set script = excluded.script, blob = excluded.blob,
                    length_ms = excluded.length_ms, created = excluded.created",
        )
        .bind(id)
        .bind(&tenant.0)
        .bind(name)
        .bind(script)
        .bind(blob)
        .bind(super::ms(*length))
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        let count: i64 = sqlx::query_scalar("select count(*) from announcement where tenant = $1")
            .bind(&tenant.0)
            .fetch_one(&mut **tx)
            .await?;
        if count > MOST {
            let what = "announcements";
            return Err(StoreError::TooMany { whose: "a tenant", what, most: MOST });
        }
        old
    });
    tx.commit().await?;
    Ok(old.filter(|it| it != blob))
}

/// The tenant's announcement of this name.
pub async fn named(
    db: &Db,
    tenant: &TenantId,
    name: &str,
) -> Result<Option<Announcement>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select name, script, blob, length_ms from announcement where tenant = $1 and name = $2",
    )
    .bind(&tenant.0)
    .bind(name)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(Announcement::from))
}

/// All of a tenant's, by name.
pub async fn list(db: &Db, tenant: &TenantId) -> Result<Vec<Announcement>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select name, script, blob, length_ms from announcement where tenant = $1 order by name",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    Ok(rows.into_iter().map(Announcement::from).collect())
}

/// Takes an announcement away. Answers with its blob, to be deleted now.
pub async fn remove(db: &Db, tenant: &TenantId, name: &str) -> Result<Option<String>, StoreError> {
    Ok(on!(&db.writer, pool => sqlx::query_scalar(
        "delete from announcement where tenant = $1 and name = $2 returning blob",
    )
    .bind(&tenant.0)
    .bind(name)
    .fetch_optional(pool)
    .await?))
}

#[derive(FromRow)]
struct Row {
    name: String,
    script: Option<String>,
    blob: String,
    length_ms: i64,
}

impl From<Row> for Announcement {
    fn from(row: Row) -> Self {
        let length = super::length(row.length_ms);
        Self { name: row.name, script: row.script, blob: row.blob, length }
    }
}
