//! What owners are called, in their own voice. The sound is a blob; here is its key.

use std::time::Duration;

use super::{Db, StoreError};
use crate::mailbox::{MailboxId, TenantId, Timestamp};

/// A recorded name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Where the sound is.
    pub blob: String,
    /// How long it is.
    pub length: Duration,
}

/// Makes a blob that is already written the name of a mailbox. Answers with the blob it replaces, to
/// be deleted now.
pub async fn set(
    db: &Db,
    mailbox: &MailboxId,
    name: &Name,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let mut tx = db.begin().await?;
    let old: Option<String> = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        let old = sqlx::query_scalar("select blob from spoken_name where mailbox = $1")
            .bind(&mailbox.0)
            .fetch_optional(&mut **tx)
            .await?;
        sqlx::query(
            "insert into spoken_name (mailbox, blob, length_ms, created) values ($1, $2, $3, $4)
             on conflict (mailbox) do update
                set blob = excluded.blob, length_ms = excluded.length_ms,
                    created = excluded.created",
        )
        .bind(&mailbox.0)
        .bind(&name.blob)
        .bind(super::ms(name.length))
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        old
    });
    tx.commit().await?;
    Ok(old.filter(|it| *it != name.blob))
}

/// The name of a mailbox, if it has one.
pub async fn of(db: &Db, mailbox: &MailboxId) -> Result<Option<Name>, StoreError> {
    let row: Option<(String, i64)> = on!(&db.reader, pool => sqlx::query_as(
        "select blob, length_ms from spoken_name where mailbox = $1",
    )
    .bind(&mailbox.0)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(|(blob, ms)| Name { blob, length: super::length(ms) }))
}

/// The numbers of a tenant's mailboxes that have one, with it.
pub async fn all(db: &Db, tenant: &TenantId) -> Result<Vec<(String, Name)>, StoreError> {
    let rows: Vec<(String, String, i64)> = on!(&db.reader, pool => sqlx::query_as(
        "select mailbox.number, blob, length_ms
           from spoken_name join mailbox on mailbox.id = spoken_name.mailbox
          where mailbox.tenant = $1
          order by mailbox.number",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    let read = |(number, blob, ms)| (number, Name { blob, length: super::length(ms) });
    Ok(rows.into_iter().map(read).collect())
}

/// Takes the name of a mailbox away. Answers with its blob, to be deleted now.
pub async fn remove(db: &Db, mailbox: &MailboxId) -> Result<Option<String>, StoreError> {
    let mut tx = db.begin().await?;
    let gone: Vec<String> = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query_scalar("delete from spoken_name where mailbox = $1 returning blob")
            .bind(&mailbox.0)
            .fetch_all(&mut **tx)
            .await?
    });
    tx.commit().await?;
    Ok(gone.into_iter().next())
}
