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

/// A mailbox as it was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What names it everywhere.
    pub id: MailboxId,
    /// What is dialled.
    pub number: String,
    /// What was told.
    pub entry: Entry,
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

/// Mailboxes of all tenants that keep messages for a time of their own.
pub async fn keeping(db: &Db) -> Result<Vec<Mailbox>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select * from mailbox_in_effect
          where own_settings like '%_days%' or tenant_settings like '%_days%' order by id",
    )
    .fetch_all(pool)
    .await?);
    let all: Result<Vec<Mailbox>, _> = rows.into_iter().map(Mailbox::try_from).collect();
    Ok(all?.into_iter().filter(|it| !it.settings.retention().is_empty()).collect())
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

/// A tenant's mailbox with its number and what was told of it.
pub async fn told(db: &Db, tenant: &TenantId, id: &MailboxId) -> Result<Option<Told>, StoreError> {
    let row: Option<ToldRow> = on!(&db.reader, pool => sqlx::query_as(
        "select id, number, name, owner, settings from mailbox where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&id.0)
    .fetch_optional(pool)
    .await?);
    row.map(Told::try_from).transpose()
}

/// Those of a tenant whose numbers come after `after`, by number, `most` at most.
pub async fn page(
    db: &Db,
    tenant: &TenantId,
    after: &str,
    most: u32,
) -> Result<Vec<Told>, StoreError> {
    let rows: Vec<ToldRow> = on!(&db.reader, pool => sqlx::query_as(
        "select id, number, name, owner, settings from mailbox
          where tenant = $1 and number > $2 order by number limit $3",
    )
    .bind(&tenant.0)
    .bind(after)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Told::try_from).collect()
}

/// Changes what was told of a mailbox if it still is `old`; `false` if it is not, or the tenant has
/// no such mailbox.
pub async fn replace(
    db: &Db,
    tenant: &TenantId,
    mailbox: &MailboxId,
    old: &Entry,
    new: &Entry,
) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update mailbox set name = $3, owner = $4, settings = $5
          where tenant = $1 and id = $2
            and name = $6 and coalesce(owner, '') = $7 and settings = $8",
    )
    .bind(&tenant.0)
    .bind(&mailbox.0)
    .bind(&new.name)
    .bind(new.owner.as_ref().map(|it| &it.0))
    .bind(super::written(&new.settings))
    .bind(&old.name)
    .bind(old.owner.as_ref().map_or("", |it| &it.0))
    .bind(super::written(&old.settings))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(changed == 1)
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
        let blobs: Vec<String> = sqlx::query_scalar(
            "select blob from greeting where mailbox = $1
             union all select blob from spoken_name where mailbox = $1",
        )
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

#[derive(FromRow)]
struct ToldRow {
    id: String,
    number: String,
    #[sqlx(flatten)]
    entry: OwnRow,
}

impl TryFrom<ToldRow> for Told {
    type Error = StoreError;

    fn try_from(row: ToldRow) -> Result<Self, StoreError> {
        Ok(Told { id: MailboxId(row.id), number: row.number, entry: row.entry.try_into()? })
    }
}
