//! Greetings: what owners recorded for their callers. The sound is a blob; here is its key.

use std::time::Duration;

use super::{Db, StoreError};
use crate::mailbox::{MailboxId, Timestamp};

/// When a greeting is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whatever the reason the call came here.
    Unavailable,
}

/// A recorded greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Where the sound is.
    pub blob: String,
    /// How long it is.
    pub length: Duration,
}

impl Kind {
    /// The word used in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Unavailable => "unavailable",
        }
    }
}

/// Makes a blob that is already written the mailbox's greeting. Answers with the blob it replaces,
/// to be deleted now.
pub async fn set(
    db: &Db,
    mailbox: &MailboxId,
    kind: Kind,
    greeting: &Greeting,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
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
            "insert into greeting (mailbox, kind, blob, length_ms, created)
             values ($1, $2, $3, $4, $5)
             on conflict (mailbox, kind) do update
                set blob = excluded.blob, length_ms = excluded.length_ms,
                    created = excluded.created",
        )
        .bind(&mailbox.0)
        .bind(kind.as_str())
        .bind(&greeting.blob)
        .bind(super::ms(greeting.length))
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        old
    });
    tx.commit().await?;
    Ok(old.filter(|it| *it != greeting.blob))
}

/// What callers of a mailbox hear, if its owner recorded something.
pub async fn of(db: &Db, mailbox: &MailboxId, kind: Kind) -> Result<Option<Greeting>, StoreError> {
    let row: Option<(String, i64)> = on!(&db.reader, pool => sqlx::query_as(
        "select blob, length_ms from greeting where mailbox = $1 and kind = $2",
    )
    .bind(&mailbox.0)
    .bind(kind.as_str())
    .fetch_optional(pool)
    .await?);
    Ok(row.map(|(blob, ms)| Greeting { blob, length: super::length(ms) }))
}
