//! Messages that have lain in a folder for a long time.

use super::trash;
use crate::{
    mailbox::{Folder, MailboxId, MessageId, Timestamp},
    store::{Db, StoreError},
};

/// Messages that lie in this folder of a mailbox since before `before`, the longest first, `most` at
/// most; neither pinned nor held ones, nor those whose mail somebody still waits for.
pub async fn aged(
    db: &Db,
    mailbox: &MailboxId,
    folder: Folder,
    before: Timestamp,
    most: u32,
) -> Result<Vec<MessageId>, StoreError> {
    let ids: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select id from message
          where mailbox = $1 and folder = $2 and coalesce(deleted, moved, created) < $3
            and not pinned and not held
            and not exists (select 1 from delivery where delivery.message = message.id
                               and state in ('queued', 'deferred'))
          order by coalesce(deleted, moved, created), id limit $4",
    )
    .bind(&mailbox.0)
    .bind(folder.as_str())
    .bind(before.0)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    ids.into_iter().map(super::id).collect()
}

/// Moves a message that a rule found, unless it was moved, pinned or held meanwhile; `false` then.
pub async fn grow_old(
    db: &Db,
    mailbox: &MailboxId,
    id: &MessageId,
    (from, to): (Folder, Folder),
    rule: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let free: i64 = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query_scalar(
            "select count(*) from message
              where mailbox = $1 and id = $2 and folder = $3 and not pinned and not held",
        )
        .bind(&mailbox.0)
        .bind(id.to_string())
        .bind(from.as_str())
        .fetch_one(&mut **tx)
        .await?
    });
    if free == 0 {
        return Ok(false);
    }
    let moved = trash::within(&mut tx, mailbox, id, to, rule, now).await?;
    tx.commit().await?;
    Ok(moved)
}
