//! Who asked not to get any more mail from a mailbox. Addresses differ by more than their case.

use std::collections::HashSet;

use super::{Db, StoreError};
use crate::mailbox::{MailboxId, Timestamp};

/// Notes that this address wants no more mail; said again it changes nothing. `false` if there is
/// no such mailbox (any more).
pub async fn add(
    db: &Db,
    mailbox: &MailboxId,
    address: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let there: i64 = on!(&mut tx, tx => {
        sqlx::query(
            "insert into unsubscribed (mailbox, recipient, created)
             select id, $2, $3 from mailbox where id = $1
             on conflict do nothing",
        )
        .bind(&mailbox.0)
        .bind(address.to_lowercase())
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        sqlx::query_scalar("select count(*) from mailbox where id = $1")
            .bind(&mailbox.0)
            .fetch_one(&mut **tx)
            .await?
    });
    tx.commit().await?;
    Ok(there == 1)
}

/// Lets mail go there again; `false` if nobody had asked for the contrary.
pub async fn remove(db: &Db, mailbox: &MailboxId, address: &str) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query(
        "delete from unsubscribed where mailbox = $1 and recipient = $2",
    )
    .bind(&mailbox.0)
    .bind(address.to_lowercase())
    .execute(pool)
    .await?
    .rows_affected());
    Ok(gone == 1)
}

/// Those who get no mail from a mailbox, as [`Gone::has`] compares them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone(HashSet<String>);

impl Gone {
    /// Whether this address is among them.
    pub fn has(&self, address: &str) -> bool {
        self.0.contains(&address.to_lowercase())
    }
}

/// All who asked.
pub async fn of(db: &Db, mailbox: &MailboxId) -> Result<Gone, StoreError> {
    let all: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select recipient from unsubscribed where mailbox = $1",
    )
    .bind(&mailbox.0)
    .fetch_all(pool)
    .await?);
    Ok(Gone(all.into_iter().collect()))
}
