//! Greetings: what owners recorded for their callers. The sound is a blob; here is its key.

use std::time::Duration;

use super::{Db, StoreError};
use crate::mailbox::{
    MailboxId, Timestamp,
    greeting::{Kind, Recorded},
};

/// A recorded greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// When it is played.
    pub recorded: Recorded,
    /// Where the sound is.
    pub blob: String,
    /// How long it is.
    pub length: Duration,
}

/// Makes a blob that is already written the mailbox's greeting of its kind. Answers with the blob
/// it replaces, to be deleted now.
pub async fn set(
    db: &Db,
    mailbox: &MailboxId,
    greeting: &Greeting,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Greeting { recorded: Recorded { kind, until }, blob, length } = greeting;
    let mut tx = db.begin().await?;
    let old: Option<String> = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        let old = sqlx::query_scalar("select blob from greeting where mailbox = $1 and kind = $2")
            .bind(&mailbox.0)
            .bind(kind.as_str())
            .fetch_optional(&mut **tx)
            .await?;
        sqlx::query(
            "insert into greeting (mailbox, kind, blob, length_ms, until, created)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (mailbox, kind) do update
                set blob = excluded.blob, length_ms = excluded.length_ms,
                    until = excluded.until, created = excluded.created",
        )
        .bind(&mailbox.0)
        .bind(kind.as_str())
        .bind(blob)
        .bind(super::ms(*length))
        .bind(until.map(|it| it.0))
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        old
    });
    tx.commit().await?;
    Ok(old.filter(|it| it != blob))
}

/// What the owner of a mailbox recorded, one of a kind.
pub async fn of(db: &Db, mailbox: &MailboxId) -> Result<Vec<Greeting>, StoreError> {
    let rows: Vec<(String, String, i64, Option<i64>)> = on!(&db.reader, pool => sqlx::query_as(
        "select kind, blob, length_ms, until from greeting where mailbox = $1 order by kind",
    )
    .bind(&mailbox.0)
    .fetch_all(pool)
    .await?);
    let read = |(kind, blob, ms, until): (String, _, _, Option<_>)| {
        let kind = kind
            .parse()
            .map_err(|_| StoreError::Unreadable { wanted: "kind of greeting", found: kind })?;
        let recorded = Recorded { kind, until: until.map(Timestamp) };
        Ok(Greeting { recorded, blob, length: super::length(ms) })
    };
    rows.into_iter().map(read).collect()
}

/// Takes a greeting away. Answers with its blob, to be deleted now; `None` if there is none.
pub async fn remove(
    db: &Db,
    mailbox: &MailboxId,
    kind: Kind,
) -> Result<Option<String>, StoreError> {
    let mut tx = db.begin().await?;
    let gone: Vec<String> = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query_scalar("delete from greeting where mailbox = $1 and kind = $2 returning blob")
            .bind(&mailbox.0)
            .bind(kind.as_str())
            .fetch_all(&mut **tx)
            .await?
    });
    tx.commit().await?;
    Ok(gone.into_iter().next())
}
