//! Messages: filed once, listed, moved between folders, purged at last.

use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Db, StoreError, mailboxes};
use crate::mailbox::{
    Caller, Envelope, Folder, Mailbox, MailboxId, MessageId, Reason, TenantId, Timestamp,
    room::MadeRoom,
};

mod aging;
mod copies;
mod filing;
mod headings;
mod notified;
mod room;
mod trash;

pub use aging::{aged, grow_old};
pub use copies::{Copied, Copy, Recording, copy};
pub use filing::{Filed, Filing, Origin, file};
pub use headings::{Heading, headings};
pub(super) use notified::NOTIFIED;
pub use notified::let_go;
pub use room::door;
pub use trash::{expired, move_to};

/// A message as filed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// What names it everywhere.
    pub id: MessageId,
    /// Where it lies.
    pub mailbox: MailboxId,
    /// In which folder.
    pub folder: Folder,
    /// Everything known about it except its sound.
    pub envelope: Envelope,
    /// What was said about it besides.
    pub marks: Marks,
    /// Where its sound is.
    pub blob: String,
    /// How far its transcript is.
    pub transcription: Transcription,
    /// What its owner is told about the room in the mailbox.
    pub made_room: Option<MadeRoom>,
    /// The rule or person that put it into the trash.
    pub deleted_by: Option<String>,
    /// The message it is a copy of.
    pub copied_from: Option<MessageId>,
    /// The mailbox whose owner passed it on.
    pub forwarded_by: Option<MailboxId>,
    /// When it came into its mailbox: a copy later than it was left.
    pub created: Timestamp,
}

/// What sets a message apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Marks {
    /// Its caller called it urgent.
    pub urgent: bool,
    /// Its owner wants to keep it: it never gives way.
    pub pinned: bool,
    /// An administrator wants it kept: it never gives way.
    pub held: bool,
    /// Its caller meant it for its owner alone: it is not passed on, nor its sound mailed.
    pub private: bool,
}

/// How far the transcript of a message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transcription {
    /// Nobody asked for one.
    Off,
    /// A job is making it.
    Waiting,
    /// It is there.
    Done,
    /// There will be none, and why.
    Failed(String),
}

/// A stretch of a list, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Where the stretch before ended; `None` begins at the newest.
    pub before: Option<(Timestamp, MessageId)>,
    /// At most so many, and never more than [`Page::LONGEST`].
    pub most: u32,
}

/// What is left to do after a purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// The blob, if no other message or greeting has it: to be deleted now.
    pub orphan: Option<String>,
}

impl Page {
    /// Most messages in one stretch.
    pub const LONGEST: u32 = 500;

    /// The newest of them.
    pub fn first(most: u32) -> Self {
        Self { before: None, most }
    }
}

/// The messages of a mailbox, newest first; of one folder or of all.
pub async fn list(
    db: &Db,
    mailbox: &MailboxId,
    folder: Option<Folder>,
    page: Page,
) -> Result<Vec<Message>, StoreError> {
    let (time, last) = page.before.unwrap_or((Timestamp(i64::MAX), MessageId(Uuid::max())));
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, mailbox, coalesce(shelf, folder) as folder, caller_name, caller_number, received,
                length_ms, interrupted, reason, urgent, pinned, held, private, blob, transcription,
                transcription_error, made_room, deleted_by, copied_from, forwarded_by, created
           from message
          where mailbox = $1
            and ($2 = 'all' or (folder = $3 and coalesce(shelf, folder) = $2))
            and (received, id) < ($4, $5)
          order by received desc, id desc limit $6",
    )
    // PostgreSQL plans one that it keeps for a mailbox of average size, and sorts the whole of a large one.
    .persistent(false)
    .bind(&mailbox.0)
    .bind(folder.map_or("all", Folder::as_str))
    .bind(folder.map_or("all", |it| it.kind().as_str()))
    .bind(time.0)
    .bind(last.to_string())
    .bind(i64::from(page.most.min(Page::LONGEST)))
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Message::try_from).collect()
}

/// How many messages lie in a folder.
pub async fn count(db: &Db, mailbox: &MailboxId, folder: Folder) -> Result<u64, StoreError> {
    let count: i64 = on!(&db.reader, pool => sqlx::query_scalar(
        "select count(*) from message
          where mailbox = $1 and folder = $2 and coalesce(shelf, folder) = $3",
    )
    .bind(&mailbox.0)
    .bind(folder.kind().as_str())
    .bind(folder.as_str())
    .fetch_one(pool)
    .await?);
    Ok(u64::try_from(count).unwrap_or(0))
}

/// A tenant's message and the mailbox it lies in. Another tenant's is not there.
pub async fn get(
    db: &Db,
    tenant: &TenantId,
    id: &MessageId,
) -> Result<Option<(Message, Mailbox)>, StoreError> {
    let found = for_job(db, id).await?;
    Ok(found.filter(|(_, mailbox)| mailbox.tenant == *tenant))
}

/// What a worker needs of the message its job is about; `None` once it was purged. Jobs belong to
/// the house; whoever acts for a tenant asks [`get`].
pub async fn for_job(db: &Db, id: &MessageId) -> Result<Option<(Message, Mailbox)>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, mailbox, coalesce(shelf, folder) as folder, caller_name, caller_number, received,
                length_ms, interrupted, reason, urgent, pinned, held, private, blob, transcription,
                transcription_error, made_room, deleted_by, copied_from, forwarded_by, created
           from message where id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(pool)
    .await?);
    let Some(row) = row else { return Ok(None) };
    let mailbox: Option<mailboxes::Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where id = $1",
    )
    .bind(&row.mailbox)
    .fetch_optional(pool)
    .await?);
    mailbox.map(|it| Ok((row.try_into()?, it.try_into()?))).transpose()
}

/// Says what sets a message apart; `false` if the mailbox holds no such message.
pub async fn mark(
    db: &Db,
    mailbox: &MailboxId,
    id: &MessageId,
    marks: Marks,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let marked = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "update message set urgent = $3, pinned = $4, held = $5, private = $6
              where mailbox = $1 and id = $2",
        )
        .bind(&mailbox.0)
        .bind(id.to_string())
        .bind(marks.urgent)
        .bind(marks.pinned)
        .bind(marks.held)
        .bind(marks.private)
        .execute(&mut **tx)
        .await?
        .rows_affected()
    });
    tx.commit().await?;
    Ok(marked == 1)
}

/// Removes a message for good, with its transcript, deliveries and jobs, and leaves its id behind
/// so that it cannot be filed again; `None` if the mailbox holds no such message.
pub async fn purge(
    db: &Db,
    mailbox: &MailboxId,
    id: &MessageId,
    now: Timestamp,
) -> Result<Option<Purged>, StoreError> {
    let mut tx = db.begin().await?;
    let gone: Vec<String> = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query_scalar("delete from message where mailbox = $1 and id = $2 returning blob")
            .bind(&mailbox.0)
            .bind(id.to_string())
            .fetch_all(&mut **tx)
            .await?
    });
    let Some(blob) = gone.into_iter().next() else { return Ok(None) };
    let others: i64 = on!(&mut tx, tx => {
        sqlx::query("insert into tombstone (message, purged) values ($1, $2) on conflict do nothing")
            .bind(id.to_string())
            .bind(now.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query("delete from job where subject = $1")
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        sqlx::query_scalar("select count(*) from message where blob = $1")
            .bind(&blob)
            .fetch_one(&mut **tx)
            .await?
    });
    tx.commit().await?;
    Ok(Some(Purged { orphan: (others == 0).then_some(blob) }))
}

/// Whether anything still has a blob; one that nothing has was left by a crash and may go.
pub async fn has_blob(db: &Db, blob: &str) -> Result<bool, StoreError> {
    let uses: i64 = on!(&db.reader, pool => sqlx::query_scalar(
        "select (select count(*) from message where blob = $1)
              + (select count(*) from greeting where blob = $1)
              + (select count(*) from spoken_name where blob = $1)
              + (select count(*) from announcement where blob = $1)
              + (select count(*) from music_track where blob = $1 or original = $1)",
    )
    .bind(blob)
    .fetch_one(pool)
    .await?);
    Ok(uses > 0)
}

/// Whether a blob was the sound of a message that was purged, and nothing has it any more. What no
/// row names for another reason, in a bucket shared with another house or newer than the backup
/// that was restored, is not ours to remove.
pub async fn is_left_behind(db: &Db, id: &MessageId, blob: &str) -> Result<bool, StoreError> {
    let purged: i64 = on!(&db.reader, pool => sqlx::query_scalar(
        "select count(*) from tombstone
          where message = $1 and not exists (select 1 from message where blob = $2)",
    )
    .bind(id.to_string())
    .bind(blob)
    .fetch_one(pool)
    .await?);
    Ok(purged > 0)
}

/// A stored id.
pub(super) fn id(text: String) -> Result<MessageId, StoreError> {
    match Uuid::parse_str(&text) {
        Ok(id) => Ok(MessageId(id)),
        Err(_) => Err(StoreError::Unreadable { wanted: "message id", found: text }),
    }
}

/// A stored folder.
fn folder(word: String) -> Result<Folder, StoreError> {
    word.parse().map_err(|_| StoreError::Unreadable { wanted: "folder", found: word })
}

#[derive(FromRow)]
struct Row {
    id: String,
    mailbox: String,
    folder: String,
    caller_name: Option<String>,
    caller_number: Option<String>,
    received: i64,
    length_ms: i64,
    interrupted: bool,
    urgent: bool,
    pinned: bool,
    held: bool,
    private: bool,
    blob: String,
    transcription: String,
    transcription_error: Option<String>,
    made_room: Option<String>,
    deleted_by: Option<String>,
    copied_from: Option<String>,
    forwarded_by: Option<String>,
    created: i64,
    reason: Option<String>,
}

impl TryFrom<Row> for Message {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let transcription = match row.transcription.as_str() {
            "off" => Transcription::Off,
            "waiting" => Transcription::Waiting,
            "done" => Transcription::Done,
            "failed" => Transcription::Failed(row.transcription_error.unwrap_or_default()),
            _ => {
                let wanted = "state of a transcript";
                return Err(StoreError::Unreadable { wanted, found: row.transcription });
            }
        };
        let reason = row.reason.as_deref().unwrap_or(Reason::Unknown.as_str());
        let reason = reason
            .parse()
            .map_err(|_| StoreError::Unreadable { wanted: "reason", found: reason.into() })?;
        Ok(Message {
            id: id(row.id)?,
            mailbox: MailboxId(row.mailbox),
            folder: folder(row.folder)?,
            envelope: Envelope {
                caller: Caller { name: row.caller_name, number: row.caller_number },
                received: Timestamp(row.received),
                length: super::length(row.length_ms),
                interrupted: row.interrupted,
                reason,
            },
            marks: Marks {
                urgent: row.urgent,
                pinned: row.pinned,
                held: row.held,
                private: row.private,
            },
            blob: row.blob,
            transcription,
            made_room: row.made_room.map(room::read).transpose()?,
            deleted_by: row.deleted_by,
            copied_from: row.copied_from.map(id).transpose()?,
            forwarded_by: row.forwarded_by.map(MailboxId),
            created: Timestamp(row.created),
        })
    }
}
