//! Folders and the trash: what lies there can be fetched back until it is purged.

use crate::{
    mailbox::{Folder, MailboxId, MessageId, Timestamp},
    store::{Db, StoreError, Tx},
};

/// Moves a message to another folder; `by` is told of it while it lies in the trash. `false` if
/// the mailbox holds no such message.
pub async fn move_to(
    db: &Db,
    mailbox: &MailboxId,
    id: &MessageId,
    folder: Folder,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => sqlx::query("update mailbox set version = version + 1 where id = $1")
        .bind(&mailbox.0)
        .execute(&mut **tx)
        .await?
        .rows_affected());
    let moved = within(&mut tx, mailbox, id, folder, by, now).await?;
    tx.commit().await?;
    Ok(moved)
}

/// The same within the caller's transaction, which has written the mailbox.
pub(super) async fn within(
    tx: &mut Tx,
    mailbox: &MailboxId,
    id: &MessageId,
    folder: Folder,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if folder == Folder::Deleted {
        return put(tx, mailbox, id, by, now).await;
    }
    let shelf = Some(folder.as_str()).filter(|_| folder.kind() != folder);
    let moved = on!(tx, tx => sqlx::query(
        "update message
            set moved = case when folder = $3 then moved else $4 end,
                folder = $3, shelf = $5, deleted = null, deleted_by = null
          where mailbox = $1 and id = $2",
    )
    .bind(&mailbox.0)
    .bind(id.to_string())
    .bind(folder.kind().as_str())
    .bind(now.0)
    .bind(shelf)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(moved == 1)
}

/// Puts a message into the trash within the caller's transaction, which has written its mailbox;
/// one that lies there already stays as it is. `false` if there is no such message.
pub(super) async fn put(
    tx: &mut Tx,
    mailbox: &MailboxId,
    id: &MessageId,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let put = on!(tx, tx => sqlx::query(
        "update message
            set deleted = case when folder = 'deleted' then deleted else $3 end,
                deleted_by = case when folder = 'deleted' then deleted_by else $4 end,
                folder = 'deleted', shelf = null
          where mailbox = $1 and id = $2",
    )
    .bind(&mailbox.0)
    .bind(id.to_string())
    .bind(now.0)
    .bind(by)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(put == 1)
}

/// Messages that have lain in the trash since before `before`, the longest first, `most` at most. One
/// whose mail somebody still waits for is not among them, nor one that is pinned or held.
pub async fn expired(
    db: &Db,
    before: Timestamp,
    most: u32,
) -> Result<Vec<(MailboxId, MessageId)>, StoreError> {
    let rows: Vec<(String, String)> = on!(&db.reader, pool => sqlx::query_as(
        "select mailbox, id from message
          where folder = 'deleted' and deleted < $1 and not pinned and not held
            and not exists (select 1 from delivery where delivery.message = message.id
                               and state in ('queued', 'deferred'))
          order by deleted, id limit $2",
    )
    .bind(before.0)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(|(mailbox, id)| Ok((MailboxId(mailbox), super::id(id)?))).collect()
}
