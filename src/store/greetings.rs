//! Greetings: what callers hear before the tone. The sound is a blob; here is its key. Several may be
//! kept for the same occasion, by their labels; callers hear the one that is chosen.

use std::time::Duration;

use sqlx::FromRow;

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

/// A greeting as it is kept among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What names it. It stays when the sound is replaced.
    pub id: String,
    /// What its owner calls it; empty for the one of its kind that has no label.
    pub label: String,
    /// Callers hear it when its kind is called for.
    pub chosen: bool,
    /// What there is to hear.
    pub greeting: Greeting,
}

/// The most greetings a mailbox keeps.
pub const MOST: i64 = 20;

/// Makes a blob that is already written the greeting of its kind: the chosen one, without a label.
/// Answers with the blob it replaces, to be deleted now.
pub async fn set(
    db: &Db,
    mailbox: &MailboxId,
    greeting: &Greeting,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    keep(db, mailbox, greeting, "", now).await
}

/// Keeps it by a label, chosen from now on, in place of the one of its kind that has the same label.
/// Answers with the blob it replaces. [`StoreError::TooMany`] beyond [`MOST`].
pub async fn keep(
    db: &Db,
    mailbox: &MailboxId,
    greeting: &Greeting,
    label: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Greeting { recorded: Recorded { kind, until }, blob, length } = greeting;
    let mut tx = db.begin().await?;
    let old: Option<String> = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        let old: Option<String> = sqlx::query_scalar(
            "select blob from greeting where mailbox = $1 and kind = $2 and label = $3",
        )
        .bind(&mailbox.0)
        .bind(kind.as_str())
        .bind(label)
        .fetch_optional(&mut **tx)
        .await?;
        let count: i64 = sqlx::query_scalar("select count(*) from greeting where mailbox = $1")
            .bind(&mailbox.0)
            .fetch_one(&mut **tx)
            .await?;
        if old.is_none() && count >= MOST {
            return Err(StoreError::TooMany { whose: "a mailbox", what: "greetings", most: MOST });
        }
        sqlx::query("update greeting set chosen = false where mailbox = $1 and kind = $2")
            .bind(&mailbox.0)
            .bind(kind.as_str())
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "insert into greeting (id, mailbox, kind, label, chosen, blob, length_ms, until, created)
             values ($1, $2, $3, $4, true, $5, $6, $7, $8)
             on conflict (mailbox, kind, label) do update
                set chosen = true, blob = excluded.blob, length_ms = excluded.length_ms,
                    until = excluded.until, created = excluded.created",
        )
        .bind(id(blob))
        .bind(&mailbox.0)
        .bind(kind.as_str())
        .bind(label)
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

/// What callers of a mailbox may hear: the chosen ones, one of a kind at most.
pub async fn of(db: &Db, mailbox: &MailboxId) -> Result<Vec<Greeting>, StoreError> {
    let all = all(db, mailbox).await?;
    Ok(all.into_iter().filter(|it| it.chosen).map(|it| it.greeting).collect())
}

/// All that a mailbox keeps, by kind and label.
pub async fn all(db: &Db, mailbox: &MailboxId) -> Result<Vec<Kept>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, kind, label, chosen, blob, length_ms, until from greeting
          where mailbox = $1 order by kind, label",
    )
    .bind(&mailbox.0)
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Kept::try_from).collect()
}

/// Has callers hear this one when its kind is called for; `false` if the mailbox does not keep it.
pub async fn choose(db: &Db, mailbox: &MailboxId, id: &str) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let chosen = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        let kind: Option<String> =
            sqlx::query_scalar("select kind from greeting where mailbox = $1 and id = $2")
                .bind(&mailbox.0)
                .bind(id)
                .fetch_optional(&mut **tx)
                .await?;
        // First none and then one: at no moment two.
        sqlx::query("update greeting set chosen = false where mailbox = $1 and kind = $2")
            .bind(&mailbox.0)
            .bind(kind.as_deref())
            .execute(&mut **tx)
            .await?;
        sqlx::query("update greeting set chosen = true where mailbox = $1 and id = $2")
            .bind(&mailbox.0)
            .bind(id)
            .execute(&mut **tx)
            .await?
            .rows_affected()
    });
    tx.commit().await?;
    Ok(chosen == 1)
}

/// Takes the chosen greeting of a kind away. Answers with its blob, to be deleted now; `None` if
/// there is none. Others of its kind stay, and callers hear none of them until one is chosen.
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
        sqlx::query_scalar(
            "delete from greeting where mailbox = $1 and kind = $2 and chosen returning blob",
        )
        .bind(&mailbox.0)
        .bind(kind.as_str())
        .fetch_all(&mut **tx)
        .await?
    });
    tx.commit().await?;
    Ok(gone.into_iter().next())
}

/// Takes this one away, chosen or not. Answers with its blob, to be deleted now.
pub async fn discard(db: &Db, mailbox: &MailboxId, id: &str) -> Result<Option<String>, StoreError> {
    let mut tx = db.begin().await?;
    let gone: Vec<String> = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query_scalar("delete from greeting where mailbox = $1 and id = $2 returning blob")
            .bind(&mailbox.0)
            .bind(id)
            .fetch_all(&mut **tx)
            .await?
    });
    tx.commit().await?;
    Ok(gone.into_iter().next())
}

/// A greeting is named for its first recording.
fn id(blob: &str) -> &str {
    let name = blob.rsplit('/').next().unwrap_or(blob);
    name.strip_suffix(".wav").unwrap_or(name)
}

#[derive(FromRow)]
struct Row {
    id: String,
    kind: String,
    label: String,
    chosen: bool,
    blob: String,
    length_ms: i64,
    until: Option<i64>,
}

impl TryFrom<Row> for Kept {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let kind = row.kind.parse().map_err(|_| StoreError::Unreadable {
            wanted: "kind of greeting",
            found: row.kind.clone(),
        })?;
        let recorded = Recorded { kind, until: row.until.map(Timestamp) };
        let length = super::length(row.length_ms);
        let greeting = Greeting { recorded, blob: row.blob, length };
        Ok(Self { id: row.id, label: row.label, chosen: row.chosen, greeting })
    }
}
