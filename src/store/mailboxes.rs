//! Mailboxes: found through their tenant only, and read with the settings that apply to them.

use serde::Serialize;
use sqlx::FromRow;

use super::{Db, StoreError};
use crate::mailbox::{Mailbox, MailboxId, Preferences, Settings, TenantId, Timestamp, UserId};

/// What is told of a mailbox when it is added or changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The owner's name, as mails address it.
    pub name: String,
    /// Whose it is.
    pub owner: Option<UserId>,
    /// What it sets itself.
    pub settings: Settings,
}

/// Adds a mailbox. [`StoreError::Taken`] if the tenant has the number already.
pub async fn add(
    db: &Db,
    tenant: &TenantId,
    id: &MailboxId,
    number: &str,
    entry: &Entry,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "insert into mailbox (id, tenant, number, name, owner, settings, created)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id.0)
    .bind(&tenant.0)
    .bind(number)
    .bind(&entry.name)
    .bind(entry.owner.as_ref().map(|it| &it.0))
    .bind(super::written(&entry.settings))
    .bind(now.0)
    .execute(pool)
    .await
    .map_err(|error| StoreError::taken(error, "mailbox", number))?
    .rows_affected());
    Ok(())
}

/// The mailbox behind a number at a tenant.
pub async fn at(db: &Db, tenant: &TenantId, number: &str) -> Result<Option<Mailbox>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where tenant = $1 and number = $2",
    )
    .bind(&tenant.0)
    .bind(number)
    .fetch_optional(pool)
    .await?);
    row.map(Mailbox::try_from).transpose()
}

/// A tenant's mailbox by what names it everywhere.
pub async fn held(
    db: &Db,
    tenant: &TenantId,
    id: &MailboxId,
) -> Result<Option<Mailbox>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&id.0)
    .fetch_optional(pool)
    .await?);
    row.map(Mailbox::try_from).transpose()
}

/// The mailbox a signed link leads to. The signature is the right to it; whoever acts for a tenant
/// asks [`held`].
pub async fn linked(db: &Db, id: &MailboxId) -> Result<Option<Mailbox>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where id = $1",
    )
    .bind(&id.0)
    .fetch_optional(pool)
    .await?);
    row.map(Mailbox::try_from).transpose()
}

/// The mailbox a call to `number@host` is for: at the tenant with that SIP domain; if nobody has
/// it, at the tenant called `default`, else at the only one there is.
pub async fn reached(db: &Db, host: &str, number: &str) -> Result<Option<Mailbox>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect
          where number = $2
            and tenant = coalesce(
                (select id from tenant where sip_domain = $1),
                (select id from tenant where name = 'default'),
                (select min(id) from tenant having count(*) = 1))",
    )
    .bind(host.to_ascii_lowercase())
    .bind(number)
    .fetch_optional(pool)
    .await?);
    row.map(Mailbox::try_from).transpose()
}

/// All mailboxes of a tenant, by number.
pub async fn list(db: &Db, tenant: &TenantId) -> Result<Vec<Mailbox>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect where tenant = $1 order by number",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Mailbox::try_from).collect()
}

/// What was told of a mailbox.
pub async fn entry(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
) -> Result<Option<Entry>, StoreError> {
    let row: Option<OwnRow> = on!(&db.reader, pool => sqlx::query_as(
        "select name, owner, settings from mailbox where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&mailbox.0)
    .fetch_optional(pool)
    .await?);
    row.map(Entry::try_from).transpose()
}

/// Changes what was told of a mailbox; `false` if the tenant has no such mailbox.
pub async fn set(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
    entry: &Entry,
) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update mailbox set name = $3, owner = $4, settings = $5 where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&mailbox.0)
    .bind(&entry.name)
    .bind(entry.owner.as_ref().map(|it| &it.0))
    .bind(super::written(&entry.settings))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(changed == 1)
}

/// Removes an empty mailbox and answers with the blobs of its greetings, to be deleted now; `None`
/// if the tenant has no such mailbox. [`StoreError::InUse`] while messages lie in it: those are
/// purged first, each by its own id, so that none comes back.
pub async fn remove(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut tx = db.begin().await?;
    let (gone, blobs) = on!(&mut tx, tx => {
        sqlx::query("update mailbox set version = version + 1 where id = $1")
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?;
        let messages: i64 = sqlx::query_scalar("select count(*) from message where mailbox = $1")
            .bind(&mailbox.0)
            .fetch_one(&mut **tx)
            .await?;
        if messages > 0 {
            return Err(StoreError::InUse { what: "the mailbox", count: messages, of: "messages" });
        }
        let blobs: Vec<String> = sqlx::query_scalar("select blob from greeting where mailbox = $1")
            .bind(&mailbox.0)
            .fetch_all(&mut **tx)
            .await?;
        let gone = sqlx::query("delete from mailbox where tenant = $1 and id = $2")
            .bind(&tenant.0)
            .bind(&mailbox.0)
            .execute(&mut **tx)
            .await?
            .rows_affected();
        (gone == 1, blobs)
    });
    tx.commit().await?;
    Ok(gone.then_some(blobs))
}

#[derive(FromRow)]
pub(super) struct Row {
    id: String,
    tenant: String,
    number: String,
    name: String,
    own_settings: String,
    tenant_settings: String,
    owner_email: Option<String>,
}

impl TryFrom<Row> for Mailbox {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let (own, shared) =
            (super::settings(row.own_settings)?, super::settings(row.tenant_settings)?);
        Ok(Mailbox {
            id: MailboxId(row.id),
            tenant: TenantId(row.tenant),
            number: row.number,
            name: row.name,
            owner_email: row.owner_email,
            settings: Preferences::of(own, shared),
        })
    }
}

#[derive(FromRow)]
struct OwnRow {
    name: String,
    owner: Option<String>,
    settings: String,
}

impl TryFrom<OwnRow> for Entry {
    type Error = StoreError;

    fn try_from(row: OwnRow) -> Result<Self, StoreError> {
        Ok(Entry {
            name: row.name,
            owner: row.owner.map(UserId),
            settings: super::settings(row.settings)?,
        })
    }
}
