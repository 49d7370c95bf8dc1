//! Forgetting what was told, so that it is told anew.

use crate::{
    mailbox::{MailboxId, Timestamp},
    store::{Db, StoreError},
};

/// Takes up where an earlier run of the server ended: what it was telling at that moment may be told
/// again, everybody is told anew, and those whose time is over are forgotten.
pub async fn resume(db: &Db, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query("delete from lamp where expires <= $1").bind(now.0).execute(&mut **tx).await?;
        sqlx::query("update lamp set version = -1, due = $1, under_way = false, failures = 0")
            .bind(now.0)
            .execute(&mut **tx)
            .await?;
    });
    tx.commit().await
}

/// Forgets what the lamps of a mailbox were told, so that they are told anew; how many those are.
pub async fn resync(db: &Db, mailbox: &MailboxId) -> Result<u64, StoreError> {
    Ok(on!(&db.writer, pool => sqlx::query("update lamp set version = -1 where mailbox = $1")
        .bind(&mailbox.0)
        .execute(pool)
        .await?
        .rows_affected()))
}

/// Finds those that were told something else than what lies in their mailbox, though nothing is said
/// to have changed since, and has them told anew; how many those are.
pub async fn mend(db: &Db) -> Result<u64, StoreError> {
    let wrong: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select lamp.id
           from lamp
           join mailbox on mailbox.id = lamp.mailbox and mailbox.version = lamp.version
           left join (select mailbox,
                             count(case when folder = 'new' then 1 end) as new,
                             count(case when folder = 'saved' then 1 end) as saved,
                             count(case when folder = 'new' and urgent then 1 end) as new_urgent,
                             count(case when folder = 'saved' and urgent then 1 end) as saved_urgent
                        from message where folder in ('new', 'saved') group by mailbox) lying
             on lying.mailbox = lamp.mailbox
          where told_new <> coalesce(lying.new, 0)
             or told_saved <> coalesce(lying.saved, 0)
             or told_new_urgent <> coalesce(lying.new_urgent, 0)
             or told_saved_urgent <> coalesce(lying.saved_urgent, 0)",
    )
    .fetch_all(pool)
    .await?);
    for id in &wrong {
        on!(&db.writer, pool => sqlx::query("update lamp set version = -1 where id = $1")
            .bind(id)
            .execute(pool)
            .await?
            .rows_affected());
    }
    Ok(wrong.len() as u64)
}
