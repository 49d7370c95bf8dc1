//! Addresses that an operator has told.

use crate::{
    mailbox::{MailboxId, Timestamp, lamp::Kind},
    store::{Db, StoreError},
};

/// Has this address told of a mailbox from now on. [`StoreError::Taken`] if it is already.
pub async fn add_target(
    db: &Db,
    id: &str,
    mailbox: &MailboxId,
    address: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "insert into lamp (id, mailbox, kind, name, place, due, created)
         values ($1, $2, $3, $4, $4, $5, $5)",
    )
    .bind(id)
    .bind(&mailbox.0)
    .bind(Kind::Target.as_str())
    .bind(address)
    .bind(now.0)
    .execute(pool)
    .await
    .map_err(|error| StoreError::taken(error, "lamp", address))?
    .rows_affected());
    Ok(())
}

/// Has an address not told any more; `false` if it was not.
pub async fn remove_target(
    db: &Db,
    mailbox: &MailboxId,
    address: &str,
) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query(
        "delete from lamp where mailbox = $1 and name = $2 and kind = $3",
    )
    .bind(&mailbox.0)
    .bind(address)
    .bind(Kind::Target.as_str())
    .execute(pool)
    .await?
    .rows_affected());
    Ok(gone == 1)
}
