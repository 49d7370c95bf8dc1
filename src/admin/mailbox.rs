//! Emptying and removing mailboxes, with the sound that lay in them.

use crate::{
    blobs::Blobs,
    clock::Clock,
    mailbox::{MailboxId, TenantId},
    store::{Db, mailboxes, messages},
};

/// Purges everything in a mailbox.
pub async fn empty(
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    mailbox: &MailboxId,
) -> anyhow::Result<()> {
    loop {
        let page = messages::Page::first(messages::Page::LONGEST);
        let some = messages::list(db, mailbox, None, page).await?;
        if some.is_empty() {
            return Ok(());
        }
        for message in some {
            let purged = messages::purge(db, mailbox, &message.id, clock.now()).await?;
            if let Some(blob) = purged.and_then(|it| it.orphan) {
                blobs.delete(&blob).await?;
            }
        }
    }
}

/// Removes a mailbox and its greetings; `false` if the tenant has none of this id. Fails with
/// [`StoreError::InUse`](crate::store::StoreError::InUse) while messages lie in it.
pub async fn remove(
    db: &Db,
    blobs: &Blobs,
    tenant: &TenantId,
    mailbox: &MailboxId,
) -> anyhow::Result<bool> {
    let Some(greetings) = mailboxes::remove(db, tenant, mailbox).await? else { return Ok(false) };
    for blob in greetings {
        blobs.delete(&blob).await?;
    }
    Ok(true)
}
