//! People: who owns mailboxes, and where their mail goes.

use serde::Serialize;
use sqlx::FromRow;

use super::{Db, StoreError};
use crate::mailbox::{TenantId, Timestamp, UserId};

/// Somebody at a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// What names them everywhere.
    pub id: UserId,
    /// Where they belong.
    pub tenant: TenantId,
    /// As mails address them.
    pub name: String,
    /// Unique within the tenant.
    pub email: String,
}

/// Adds somebody. [`StoreError::Taken`] if the tenant has the address already.
pub async fn add(db: &Db, person: &Person, now: Timestamp) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "insert into person (id, tenant, name, email, created) values ($1, $2, $3, $4, $5)",
    )
    .bind(&person.id.0)
    .bind(&person.tenant.0)
    .bind(&person.name)
    .bind(&person.email)
    .bind(now.0)
    .execute(pool)
    .await
    .map_err(|error| StoreError::taken(error, "user", &person.email))?
    .rows_affected());
    Ok(())
}

/// The person with this address at this tenant.
pub async fn at(db: &Db, tenant: &TenantId, email: &str) -> Result<Option<Person>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, email from person where tenant = $1 and email = $2",
    )
    .bind(&tenant.0)
    .bind(email)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(Person::from))
}

/// The tenant's person of this id.
pub async fn get(db: &Db, tenant: &TenantId, id: &UserId) -> Result<Option<Person>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, email from person where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&id.0)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(Person::from))
}

/// Those at a tenant whose addresses come after `after`, by address, `most` at most.
pub async fn page(
    db: &Db,
    tenant: &TenantId,
    after: &str,
    most: u32,
) -> Result<Vec<Person>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, email from person
          where tenant = $1 and email > $2 order by email limit $3",
    )
    .bind(&tenant.0)
    .bind(after)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    Ok(rows.into_iter().map(Person::from).collect())
}

/// Everybody at a tenant, by address.
pub async fn list(db: &Db, tenant: &TenantId) -> Result<Vec<Person>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, email from person where tenant = $1 order by email",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    Ok(rows.into_iter().map(Person::from).collect())
}

/// Changes name and address; `false` if there is nobody of this id at the tenant.
pub async fn set(db: &Db, person: &Person) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update person set name = $3, email = $4 where tenant = $1 and id = $2",
    )
    .bind(&person.tenant.0)
    .bind(&person.id.0)
    .bind(&person.name)
    .bind(&person.email)
    .execute(pool)
    .await
    .map_err(|error| StoreError::taken(error, "user", &person.email))?
    .rows_affected());
    Ok(changed == 1)
}

/// Removes somebody; their mailboxes stay and belong to nobody.
pub async fn remove(db: &Db, tenant: &TenantId, id: &UserId) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query(
        "delete from person where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&id.0)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(gone == 1)
}

#[derive(FromRow)]
struct Row {
    id: String,
    tenant: String,
    name: String,
    email: String,
}

impl From<Row> for Person {
    fn from(row: Row) -> Self {
        Person {
            id: UserId(row.id),
            tenant: TenantId(row.tenant),
            name: row.name,
            email: row.email,
        }
    }
}
