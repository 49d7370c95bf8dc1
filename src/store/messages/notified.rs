//! "Delete voicemail after notification", carried out.

use super::trash;
use crate::{
    mailbox::{MailboxId, MessageId, Timestamp, Told, in_good_hands},
    store::{Db, StoreError, deliveries::State},
};

/// The rule that puts messages into the trash once everybody has them.
pub(in crate::store) const NOTIFIED: &str = "notified";

/// Puts a message into the trash if what is known of its mails at this moment allows it, and if it
/// still lies in its mailbox, neither pinned nor held. `true` if it went now.
pub async fn let_go(
    db: &Db,
    mailbox: &MailboxId,
    id: &MessageId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let (free, mails): (i64, Vec<(String, String, bool)>) = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        let free = sqlx::query_scalar(
            "select count(*) from message
              where mailbox = $1 and id = $2 and folder in ('new', 'saved')
                and not pinned and not held",
        )
        .bind(&mailbox.0)
        .bind(id.to_string())
        .fetch_one(&mut **tx)
        .await?;
        let mails = sqlx::query_as(
            "select kind, state, with_audio from delivery
              where message = $1 and state <> 'unsubscribed'",
        )
        .bind(id.to_string())
        .fetch_all(&mut **tx)
        .await?;
        (free, mails)
    });
    let told: Vec<Told> = mails.into_iter().map(told).collect::<Result<_, _>>()?;
    if free == 0 || !in_good_hands(&told) {
        return Ok(false);
    }
    let gone = trash::put(&mut tx, mailbox, id, NOTIFIED, now).await?;
    tx.commit().await?;
    Ok(gone)
}

fn told((kind, state, with_audio): (String, String, bool)) -> Result<Told, StoreError> {
    let accepted = state == State::Accepted.as_str();
    match kind.parse() {
        Ok(kind) => Ok(Told { kind, accepted, with_audio }),
        Err(()) => Err(StoreError::Unreadable { wanted: "kind of notice", found: kind }),
    }
}
