//! Filing: a take becomes a message, together with the work that follows from it, or nothing does.

use crate::{
    mailbox::{Envelope, Folder, MailboxId, MessageId, Reason, Recipient, Timestamp},
    store::{
        Db, StoreError, Tx, jobs,
        messages::{Marks, room},
        ms,
    },
};

/// A take on its way into a mailbox. Its blob is already written.
#[derive(Debug, Clone)]
pub struct Filing {
    /// Given at the beep.
    pub id: MessageId,
    /// Where it goes.
    pub mailbox: MailboxId,
    /// Everything known about it except its sound.
    pub envelope: Envelope,
    /// Where its sound is.
    pub blob: String,
    /// Messages the mailbox may hold; 0 for one that takes none.
    pub limit: usize,
    /// Whether others give way at the limit.
    pub rotates: bool,
    /// Whether a transcript is wanted.
    pub transcribe: bool,
    /// When the mail goes at the latest, transcript or not.
    pub notify_due: Timestamp,
    /// Who gets the mail; nobody, no mail.
    pub recipients: Vec<Recipient>,
    /// What its caller said of it.
    pub marks: Marks,
    /// Whether other mailboxes get copies of it.
    pub copies: bool,
    /// Whose copy it is, if it is one.
    pub origin: Option<Origin>,
}

/// Where a copy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The message it is a copy of.
    pub message: MessageId,
    /// The mailbox whose owner passed it on; `None` for one that a setting made.
    pub by: Option<MailboxId>,
}

/// What became of a filing. In each case it is settled, and the take may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filed {
    /// It is there now.
    New,
    /// It was there before; nothing changed.
    Already,
    /// It was there, and was purged since; it stays away.
    Purged,
    /// There is no such mailbox (any more).
    NoMailbox,
}

/// Files takes, all in one transaction, and answers for each in order. An error means that none
/// was filed; all of it may be said again, as often as it takes.
pub async fn file(db: &Db, filings: &[Filing], now: Timestamp) -> Result<Vec<Filed>, StoreError> {
    let mut tx = db.begin().await?;
    let mut filed = Vec::with_capacity(filings.len());
    for filing in filings {
        filed.push(file_one(&mut tx, filing, now).await?);
    }
    tx.commit().await?;
    Ok(filed)
}

/// Files within the caller's transaction.
pub(super) async fn file_one(
    tx: &mut Tx,
    filing: &Filing,
    now: Timestamp,
) -> Result<Filed, StoreError> {
    // Writing the mailbox first is the lock: filings and purges of it come one after the other.
    let mailboxes = on!(tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&filing.mailbox.0)
            .execute(&mut **tx)
            .await?
            .rows_affected()
    });
    if mailboxes == 0 {
        return Ok(Filed::NoMailbox);
    }
    // A statement of its own: on PostgreSQL one that waits for a lock sees what was there before it waited.
    let (purged, new, saved): (i64, i64, i64) = on!(tx, tx => {
        sqlx::query_as(
            "select (select count(*) from tombstone where message = $1),
                    (select count(*) from message where mailbox = $2 and folder = 'new'),
                    (select count(*) from message where mailbox = $2 and folder = 'saved')",
        )
        .bind(filing.id.to_string())
        .bind(&filing.mailbox.0)
        .fetch_one(&mut **tx)
        .await?
    });
    if purged > 0 {
        return Ok(Filed::Purged);
    }
    if !insert(tx, filing, now).await? {
        return Ok(Filed::Already);
    }
    room::make(tx, filing, room::Others { new, saved }, now).await?;
    if filing.transcribe {
        jobs::enqueue(tx, jobs::Kind::Transcribe, &filing.id, now).await?;
    }
    if !filing.recipients.is_empty() {
        jobs::enqueue(tx, jobs::Kind::Notify, &filing.id, filing.notify_due).await?;
    }
    if filing.copies {
        jobs::enqueue(tx, jobs::Kind::Copy, &filing.id, now).await?;
    }
    for recipient in &filing.recipients {
        on!(tx, tx => sqlx::query(
            "insert into delivery (message, recipient, kind, state) values ($1, $2, $3, 'queued')
             on conflict do nothing",
        )
        .bind(filing.id.to_string())
        .bind(&recipient.address)
        .bind(recipient.kind.as_str())
        .execute(&mut **tx)
        .await?
        .rows_affected());
    }
    Ok(Filed::New)
}

/// The row itself; `false` if it is there already.
async fn insert(tx: &mut Tx, filing: &Filing, now: Timestamp) -> Result<bool, StoreError> {
    let Envelope { caller, received, length, interrupted, reason } = &filing.envelope;
    let Marks { urgent, pinned, held, private } = filing.marks;
    let origin = filing.origin.as_ref();
    let inserted = on!(tx, tx => sqlx::query(
        "insert into message (id, mailbox, folder, caller_name, caller_number, received, length_ms,
                interrupted, blob, transcription, created, reason, urgent, pinned, held, private,
                copied_from, forwarded_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         on conflict do nothing",
    )
    .bind(filing.id.to_string())
    .bind(&filing.mailbox.0)
    .bind(Folder::New.as_str())
    .bind(&caller.name)
    .bind(&caller.number)
    .bind(received.0)
    .bind(ms(*length))
    .bind(*interrupted)
    .bind(&filing.blob)
    .bind(if filing.transcribe { "waiting" } else { "off" })
    .bind(now.0)
    .bind((*reason != Reason::Unknown).then_some(reason.as_str()))
    .bind(urgent)
    .bind(pinned)
    .bind(held)
    .bind(private)
    .bind(origin.map(|it| it.message.to_string()))
    .bind(origin.and_then(|it| it.by.as_ref()).map(|it| &it.0))
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(inserted == 1)
}
