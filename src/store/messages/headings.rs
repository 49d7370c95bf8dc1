//! What an owner hears of each message before it is played.

use std::time::Duration;

use sqlx::FromRow;

use crate::{
    mailbox::{Folder, Mailbox, MailboxId, MessageId, Timestamp},
    store::{Db, StoreError},
};

/// A message without what only letters and pages tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// What names it everywhere.
    pub id: MessageId,
    /// Where it lies.
    pub folder: Folder,
    /// Its caller called it urgent.
    pub urgent: bool,
    /// When it was left.
    pub received: Timestamp,
    /// Who left it, if they said.
    pub caller_number: Option<String>,
    /// That number is a mailbox of the same tenant.
    pub internal: bool,
    /// Its caller wanted nobody else to hear it.
    pub private: bool,
    /// The number of the mailbox whose owner passed it on.
    pub sent_by: Option<String>,
    /// The mailbox of that number, if its owner's name was recorded.
    pub named: Option<MailboxId>,
    /// How long it is.
    pub length: Duration,
}

/// All that lies in a mailbox, the trash too, the oldest first.
pub async fn headings(db: &Db, mailbox: &Mailbox) -> Result<Vec<Heading>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select message.id, coalesce(shelf, folder) as folder, urgent, received, caller_number,
                message.length_ms, private, other.id is not null as internal,
                sender.number as sent_by, spoken_name.mailbox as named
           from message
           left join mailbox other on other.tenant = $2 and other.number = caller_number
           left join mailbox sender on sender.id = forwarded_by
           left join spoken_name on spoken_name.mailbox = other.id
          where message.mailbox = $1
          order by received, message.id",
    )
    .bind(&mailbox.id.0)
    .bind(&mailbox.tenant.0)
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Heading::try_from).collect()
}

#[derive(FromRow)]
struct Row {
    id: String,
    folder: String,
    urgent: bool,
    received: i64,
    caller_number: Option<String>,
    internal: bool,
    private: bool,
    sent_by: Option<String>,
    named: Option<String>,
    length_ms: i64,
}

impl TryFrom<Row> for Heading {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: super::id(row.id)?,
            folder: super::folder(row.folder)?,
            urgent: row.urgent,
            received: Timestamp(row.received),
            caller_number: row.caller_number,
            internal: row.internal,
            private: row.private,
            sent_by: row.sent_by,
            named: row.named.map(MailboxId),
            length: crate::store::length(row.length_ms),
        })
    }
}
