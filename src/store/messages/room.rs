//! Room in a mailbox: who may leave a message, and what gives way when one is filed.

use sqlx::FromRow;

use super::{filing::Filing, trash};
use crate::{
    mailbox::{
        Caller, Mailbox, Timestamp,
        room::{self, Door, Lying, MadeRoom},
    },
    store::{Db, StoreError, Tx},
};

/// The rule that puts messages into the trash at the limit.
const ROTATION: &str = "rotation";

/// Whether a caller may leave a message.
pub async fn door(db: &Db, mailbox: &Mailbox) -> Result<Door, StoreError> {
    let (count, fixed): (i64, i64) = on!(&db.reader, pool => sqlx::query_as(
        "select count(*), count(case when pinned or held then 1 end)
           from message where mailbox = $1 and folder in ('new', 'saved')",
    )
    .bind(&mailbox.id.0)
    .fetch_one(pool)
    .await?);
    let rotates = !mailbox.settings.disable_rotate;
    Ok(room::door(size(count), size(fixed), mailbox.limit(), rotates))
}

/// Lets others give way for a message that has just been written, and notes at it what its owner
/// is to be told.
pub(super) async fn make(tx: &mut Tx, filing: &Filing, now: Timestamp) -> Result<(), StoreError> {
    let id = filing.id.to_string();
    let others: i64 = on!(&mut *tx, tx => {
        sqlx::query_scalar(
            "select count(*) from message
              where mailbox = $1 and folder in ('new', 'saved') and id <> $2",
        )
        .bind(&filing.mailbox.0)
        .bind(&id)
        .fetch_one(&mut **tx)
        .await?
    });
    let rotated = if filing.rotates && size(others) >= filing.limit {
        room::giving_way(lying(tx, filing).await?, filing.limit, true)
    } else {
        Vec::new()
    };
    for it in &rotated {
        trash::put(tx, &filing.mailbox, &it.id, ROTATION, now).await?;
    }
    let Some(told) = MadeRoom::told(size(others), filing.limit, &rotated) else { return Ok(()) };
    on!(tx, tx => sqlx::query("update message set made_room = $2 where id = $1")
        .bind(&id)
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

/// Everything that lies in the mailbox beside the message that is being filed.
async fn lying(tx: &mut Tx, filing: &Filing) -> Result<Vec<Lying>, StoreError> {
    let rows: Vec<Row> = on!(tx, tx => sqlx::query_as(
        "select id, caller_name, caller_number, received, folder, urgent, pinned, held,
                exists (select 1 from delivery where delivery.message = message.id
                           and state in ('queued', 'deferred')) as owed
           from message
          where mailbox = $1 and folder in ('new', 'saved') and id <> $2",
    )
    .bind(&filing.mailbox.0)
    .bind(filing.id.to_string())
    .fetch_all(&mut **tx)
    .await?);
    rows.into_iter().map(Lying::try_from).collect()
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
    folder: String,
    urgent: bool,
    pinned: bool,
    held: bool,
    owed: bool,
}

impl TryFrom<Row> for Lying {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Lying {
            id: super::id(row.id)?,
            caller: Caller { name: row.caller_name, number: row.caller_number },
            received: Timestamp(row.received),
            folder: super::folder(row.folder)?,
            urgent: row.urgent,
            owed: row.owed,
            fixed: row.pinned || row.held,
        })
    }
}
