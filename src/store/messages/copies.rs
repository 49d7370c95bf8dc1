//! Copies: a message given to another mailbox of its tenant, as a message of that mailbox's own.
//!
//! A copy shares nothing with its original but the recording, which stays until the last message that
//! has it is purged. It makes room, is transcribed, mailed and deleted like what a caller left there.

use std::time::Duration;

use super::{
    Message, Row,
    filing::{self, Filed, Filing, Origin},
    room,
};
use crate::{
    mailbox::{Mailbox, MailboxId, MessageId, Timestamp, room::Door},
    store::{Db, StoreError, Tx},
};

/// A message on its way into another mailbox.
#[derive(Debug, Clone)]
pub struct Copy<'a> {
    /// What names the copy. [`MessageId::copy`] gives the same one however often it is asked, so that
    /// a copy made twice is made once.
    pub id: MessageId,
    /// The message.
    pub message: MessageId,
    /// Where it lies.
    pub from: &'a MailboxId,
    /// Where its copy goes, as its settings are now.
    pub to: &'a Mailbox,
    /// The mailbox whose owner passes it on; `None` if a setting does.
    pub by: Option<&'a MailboxId>,
    /// What is heard in place of the original's sound, such as the same with an introduction.
    pub sound: Option<Recording>,
    /// Whether a full mailbox takes it all the same, as it takes what a caller left who had heard the
    /// beep.
    pub past_limit: bool,
    /// When the mail about it goes at the latest.
    pub notify_due: Timestamp,
}

/// A sound that is written already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Where it is.
    pub blob: String,
    /// How long it is.
    pub length: Duration,
}

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// It was filed, or was before, or its mailbox is gone.
    Settled(Filed),
    /// There is no such message in that mailbox, or the other one is another tenant's.
    NoMessage,
    /// It is private, and somebody wanted to pass it on.
    Private,
    /// There is no room for it.
    Full,
}

/// Gives a mailbox its copy of a message: with its own place, limit, version, jobs and mails.
pub async fn copy(db: &Db, copy: &Copy<'_>, now: Timestamp) -> Result<Copied, StoreError> {
    let mut tx = db.begin().await?;
    // The original cannot be purged meanwhile, and with it the sound. In the order of their ids, so
    // that two that copy to each other do not wait for each other.
    let mut both = [copy.from, &copy.to.id];
    both.sort_by(|a, b| a.0.cmp(&b.0));
    for mailbox in both {
        on!(&mut tx, tx => sqlx::query(
            "update mailbox set version = version + 1 where id = $1 and tenant = $2",
        )
        .bind(&mailbox.0)
        .bind(&copy.to.tenant.0)
        .execute(&mut **tx)
        .await?
        .rows_affected());
    }
    let Some(original) = original(&mut tx, copy).await? else { return Ok(Copied::NoMessage) };
    if original.marks.private && copy.by.is_some() {
        return Ok(Copied::Private);
    }
    let fits = copy.past_limit
        || is_there(&mut tx, &copy.id).await?
        || room::door_within(&mut tx, copy.to).await? == Door::Open;
    if !fits {
        return Ok(Copied::Full);
    }
    let filed = filing::file_one(&mut tx, &copy.filing(original), now).await?;
    tx.commit().await?;
    Ok(Copied::Settled(filed))
}

impl Copy<'_> {
    fn filing(&self, original: Message) -> Filing {
        let Mailbox { id, settings, .. } = self.to;
        let (mut envelope, mut blob) = (original.envelope, original.blob);
        if let Some(sound) = &self.sound {
            (envelope.length, blob) = (sound.length, sound.blob.clone());
        }
        Filing {
            id: self.id,
            mailbox: id.clone(),
            envelope,
            blob,
            limit: self.to.limit(),
            rotates: !settings.disable_rotate,
            transcribe: settings.transcribe,
            notify_due: self.notify_due,
            recipients: self.to.recipients(),
            // Whoever keeps the original decides nothing for the owner of the copy.
            marks: super::Marks { pinned: false, held: false, ..original.marks },
            // Who gets copies is decided where the message was left, so they never go in circles.
            copies: false,
            origin: Some(Origin { message: self.message, by: self.by.cloned() }),
        }
    }
}

async fn original(tx: &mut Tx, copy: &Copy<'_>) -> Result<Option<Message>, StoreError> {
    let row: Option<Row> = on!(tx, tx => sqlx::query_as(
        "select message.id, mailbox, coalesce(shelf, folder) as folder, caller_name, caller_number, received, length_ms,
                interrupted, reason, urgent, pinned, held, private, blob, transcription,
                transcription_error, made_room, deleted_by, copied_from, forwarded_by, message.created
           from message join mailbox on mailbox.id = message.mailbox
          where message.id = $1 and mailbox = $2 and tenant = $3",
    )
    .bind(copy.message.to_string())
    .bind(&copy.from.0)
    .bind(&copy.to.tenant.0)
    .fetch_optional(&mut **tx)
    .await?);
    row.map(Message::try_from).transpose()
}

async fn is_there(tx: &mut Tx, id: &MessageId) -> Result<bool, StoreError> {
    let count: i64 = on!(tx, tx => sqlx::query_scalar(
        "select count(*) from message where id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut **tx)
    .await?);
    Ok(count > 0)
}
