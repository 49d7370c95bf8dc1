//! Room in a mailbox: who may leave a message, and what gives way when one is filed.

use sqlx::FromRow;

use super::{filing::Filing, trash};
use crate::{
    mailbox::{
        Caller, Folder, Mailbox, Timestamp,
        room::{self, Door, Kind, Lying, MadeRoom},
    },
    store::{Db, StoreError, Tx},
};

/// The rule that puts messages into the trash at the limit.
const ROTATION: &str = "rotation";

/// How many messages lie in a mailbox, and how many of them stay whatever comes.
const HELD: &str = "select count(*), count(case when pinned or held then 1 end)
                      from message where mailbox = $1 and folder in ('new', 'saved')";

/// Whether a caller may leave a message.
pub async fn door(db: &Db, mailbox: &Mailbox) -> Result<Door, StoreError> {
    let (count, fixed): (i64, i64) = on!(&db.reader, pool => sqlx::query_as(HELD)
        .bind(&mailbox.id.0)
        .fetch_one(pool)
        .await?);
    Ok(opened(mailbox, count, fixed))
}

/// The same for a copy, within the transaction that makes it.
pub(super) async fn door_within(tx: &mut Tx, mailbox: &Mailbox) -> Result<Door, StoreError> {
    let (count, fixed): (i64, i64) = on!(tx, tx => sqlx::query_as(HELD)
        .bind(&mailbox.id.0)
        .fetch_one(&mut **tx)
        .await?);
    Ok(opened(mailbox, count, fixed))
}

fn opened(mailbox: &Mailbox, count: i64, fixed: i64) -> Door {
    let rotates = !mailbox.settings.disable_rotate;
    room::door(size(count), size(fixed), mailbox.limit(), rotates)
}

/// How many messages lay in a mailbox before the one that is being filed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Others {
    pub(super) new: i64,
    pub(super) saved: i64,
}

impl Others {
    fn all(self) -> usize {
        size(self.new) + size(self.saved)
    }

    fn in_folder(self, folder: Folder) -> i64 {
        match folder {
            Folder::Saved => self.saved,
            _ => self.new,
        }
    }
}

/// Lets others give way for a message that has just been written, and notes at it what its owner
/// is to be told.
pub(super) async fn make(
    tx: &mut Tx,
    filing: &Filing,
    others: Others,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rotated = match room::excess(others.all(), filing.limit, filing.rotates) {
        0 => Vec::new(),
        excess => room::giving_way(lying(tx, filing, others, excess).await?, excess),
    };
    for it in &rotated {
        trash::put(tx, &filing.mailbox, &it.id, ROTATION, now).await?;
    }
    let Some(told) = MadeRoom::told(others.all(), filing.limit, &rotated) else { return Ok(()) };
    on!(tx, tx => sqlx::query("update message set made_room = $2 where id = $1")
        .bind(filing.id.to_string())
        .bind(serde_json::json!(told).to_string())
        .execute(&mut **tx)
        .await?
        .rows_affected());
    Ok(())
}

/// A stored note about room.
pub(super) fn read(text: String) -> Result<MadeRoom, StoreError> {
    serde_json::from_str(&text)
        .map_err(|_| StoreError::Unreadable { wanted: "note about room", found: text })
}

/// What lies in the mailbox beside the message that is being filed, as far as it may go: a large
/// mailbox is not read for one message's sake.
async fn lying(
    tx: &mut Tx,
    filing: &Filing,
    others: Others,
    excess: usize,
) -> Result<Vec<Lying>, StoreError> {
    let mut lying = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|it| others.in_folder(it.folder) > 0) {
        if lying.len() >= excess {
            break;
        }
        let rows: Vec<Row> = on!(&mut *tx, tx => sqlx::query_as(
            "select id, caller_name, caller_number, received
               from message
              where mailbox = $1 and folder = $2 and urgent = $3 and pinned = false and held = false
                and id <> $4
                and exists (select 1 from delivery where delivery.message = message.id
                               and state in ('queued', 'deferred')) = $5
              order by received, id limit $6",
        )
        .bind(&filing.mailbox.0)
        .bind(kind.folder.as_str())
        .bind(kind.urgent)
        .bind(filing.id.to_string())
        .bind(kind.owed)
        .bind(i64::try_from(excess).unwrap_or(i64::MAX))
        .fetch_all(&mut **tx)
        .await?);
        for row in rows {
            lying.push(row.of(kind)?);
        }
    }
    Ok(lying)
}

fn size(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

#[derive(FromRow)]
struct Row {
    id: String,
    caller_name: Option<String>,
    caller_number: Option<String>,
    received: i64,
}

impl Row {
    fn of(self, kind: Kind) -> Result<Lying, StoreError> {
        Ok(Lying {
            id: super::id(self.id)?,
            caller: Caller { name: self.caller_name, number: self.caller_number },
            received: Timestamp(self.received),
            folder: kind.folder,
            urgent: kind.urgent,
            owed: kind.owed,
            fixed: false,
        })
    }
}
