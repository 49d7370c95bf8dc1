//! Tenants: who has mailboxes, and the settings their mailboxes share.

use serde::Serialize;
use sqlx::FromRow;

use super::{Db, StoreError};
use crate::mailbox::{Settings, TenantId, Timestamp};

/// A tenant with the settings its mailboxes start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// What names it everywhere.
    pub id: TenantId,
    /// What operators call it; given once.
    pub name: String,
    /// Calls to this host reach its mailboxes.
    pub sip_domain: Option<String>,
    /// What its mailboxes start from.
    pub settings: Settings,
}

/// Adds a tenant. [`StoreError::Taken`] if its name or domain is another's.
pub async fn add(db: &Db, tenant: &Tenant, now: Timestamp) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "insert into tenant (id, name, sip_domain, settings, created) values ($1, $2, $3, $4, $5)",
    )
    .bind(&tenant.id.0)
    .bind(&tenant.name)
    .bind(tenant.sip_domain.as_deref().map(str::to_ascii_lowercase))
    .bind(super::written(&tenant.settings))
    .bind(now.0)
    .execute(pool)
    .await
    .map_err(|error| refusal(error, tenant))?
    .rows_affected());
    Ok(())
}

/// The tenant of this name.
pub async fn named(db: &Db, name: &str) -> Result<Option<Tenant>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, name, sip_domain, settings from tenant where name = $1",
    )
    .bind(name)
    .fetch_optional(pool)
    .await?);
    row.map(Tenant::try_from).transpose()
}

/// The tenant of this id.
pub async fn get(db: &Db, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, name, sip_domain, settings from tenant where id = $1",
    )
    .bind(&id.0)
    .fetch_optional(pool)
    .await?);
    row.map(Tenant::try_from).transpose()
}

/// The tenant whose calls come to `host`: as [`mailboxes::reached`](super::mailboxes::reached) finds it.
pub async fn reached(db: &Db, host: &str) -> Result<Option<Tenant>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, name, sip_domain, settings from tenant
          where id = coalesce(
                (select id from tenant where sip_domain = $1),
                (select id from tenant where name = 'default'),
                (select min(id) from tenant having count(*) = 1))",
    )
    .bind(host.to_ascii_lowercase())
    .fetch_optional(pool)
    .await?);
    row.map(Tenant::try_from).transpose()
}

/// Those whose names come after `after`, by name, `most` at most.
pub async fn page(db: &Db, after: &str, most: u32) -> Result<Vec<Tenant>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, name, sip_domain, settings from tenant
          where name > $1 order by name limit $2",
    )
    .bind(after)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Tenant::try_from).collect()
}

/// All of them, by name.
pub async fn list(db: &Db) -> Result<Vec<Tenant>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, name, sip_domain, settings from tenant order by name",
    )
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Tenant::try_from).collect()
}

/// When the first of them was added: nothing of this database is older.
pub async fn first(db: &Db) -> Result<Option<Timestamp>, StoreError> {
    let first: Option<i64> = on!(&db.reader, pool =>
        sqlx::query_scalar("select min(created) from tenant").fetch_one(pool).await?);
    Ok(first.map(Timestamp))
}

/// Changes everything but the id; `false` if there is no such tenant.
pub async fn set(db: &Db, tenant: &Tenant) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update tenant set name = $2, sip_domain = $3, settings = $4 where id = $1",
    )
    .bind(&tenant.id.0)
    .bind(&tenant.name)
    .bind(tenant.sip_domain.as_deref().map(str::to_ascii_lowercase))
    .bind(super::written(&tenant.settings))
    .execute(pool)
    .await
    .map_err(|error| refusal(error, tenant))?
    .rows_affected());
    Ok(changed == 1)
}

/// Removes a tenant and its people; `false` if there is none. [`StoreError::InUse`] while it has
/// mailboxes or music: sound is never removed in passing.
pub async fn remove(db: &Db, tenant: &TenantId) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let gone = on!(&mut tx, tx => {
        sqlx::query("delete from person where tenant = $1")
            .bind(&tenant.0)
            .execute(&mut **tx)
            .await?;
        let mailboxes: i64 = sqlx::query_scalar("select count(*) from mailbox where tenant = $1")
            .bind(&tenant.0)
            .fetch_one(&mut **tx)
            .await?;
        if mailboxes > 0 {
            return Err(StoreError::InUse { what: "the tenant", count: mailboxes, of: "mailboxes" });
        }
        let sounds: i64 = sqlx::query_scalar(
            "select (select count(*) from music_class where tenant = $1)
                  + (select count(*) from announcement where tenant = $1)",
        )
        .bind(&tenant.0)
        .fetch_one(&mut **tx)
        .await?;
        if sounds > 0 {
            let of = "classes of hold music and announcements";
            return Err(StoreError::InUse { what: "the tenant", count: sounds, of });
        }
        sqlx::query("delete from tenant where id = $1")
            .bind(&tenant.0)
            .execute(&mut **tx)
            .await?
            .rows_affected()
    });
    tx.commit().await?;
    Ok(gone == 1)
}

/// Which of the two things given once was taken.
fn refusal(error: sqlx::Error, tenant: &Tenant) -> StoreError {
    let domain = error.as_database_error().is_some_and(|it| it.message().contains("sip_domain"));
    match &tenant.sip_domain {
        Some(name) if domain => StoreError::taken(error, "SIP domain", name),
        _ => StoreError::taken(error, "tenant", &tenant.name),
    }
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    sip_domain: Option<String>,
    settings: String,
}

impl TryFrom<Row> for Tenant {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Tenant {
            id: TenantId(row.id),
            name: row.name,
            sip_domain: row.sip_domain,
            settings: super::settings(row.settings)?,
        })
    }
}
