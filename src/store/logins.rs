//! Who may log in to the pages: people with a password. Only its hash is kept.

use sqlx::FromRow;

use super::{
    Db, StoreError,
    people::Person,
    pins::{self, Subject},
};
use crate::mailbox::{TenantId, Timestamp, UserId};

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who it is.
    pub person: Person,
    /// What is kept of their password.
    pub hash: String,
}

/// Gives somebody a password. What wrong ones came before is forgotten, and no browser is logged in any
/// more. `false` if there is no such person at the tenant.
pub async fn set(db: &Db, person: &Person, hash: &str, now: Timestamp) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let set = on!(&mut tx, tx => {
        let set = sqlx::query(
            "insert into login (person, hash, changed)
             select id, $3, $4 from person where tenant = $1 and id = $2
             on conflict (person) do update
                set hash = excluded.hash, changed = excluded.changed",
        )
        .bind(&person.tenant.0)
        .bind(&person.id.0)
        .bind(hash)
        .bind(now.0)
        .execute(&mut **tx)
        .await?
        .rows_affected();
        sqlx::query("delete from session where person = $1")
            .bind(&person.id.0)
            .execute(&mut **tx)
            .await?
            .rows_affected();
        set
    });
    pins::forget(&mut tx, Subject::Login(&person.tenant, &person.email)).await?;
    tx.commit().await?;
    Ok(set == 1)
}

/// Takes somebody's password away, and with it every browser that is logged in; `false` if they had
/// none.
pub async fn remove(db: &Db, person: &UserId) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query("delete from login where person = $1")
        .bind(&person.0)
        .execute(pool)
        .await?
        .rows_affected());
    Ok(gone == 1)
}

/// Whoever may log in at a tenant with this email address, in large or small letters.
pub async fn at(db: &Db, tenant: &TenantId, email: &str) -> Result<Option<Login>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select person.id, person.tenant, person.name, person.email, login.hash
           from person join login on login.person = person.id
          where person.tenant = $1 and lower(person.email) = lower($2)
          order by person.email = $2 desc, person.id limit 1",
    )
    .bind(&tenant.0)
    .bind(email)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(Login::from))
}

/// Who of a tenant may log in.
pub async fn of(db: &Db, tenant: &TenantId) -> Result<Vec<UserId>, StoreError> {
    let ids: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select person.id from person join login on login.person = person.id
          where person.tenant = $1 order by person.id",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    Ok(ids.into_iter().map(UserId).collect())
}

/// Whether anybody may.
pub async fn any(db: &Db) -> Result<bool, StoreError> {
    let one: Option<String> = on!(&db.reader, pool => {
        sqlx::query_scalar("select person from login limit 1").fetch_optional(pool).await?
    });
    Ok(one.is_some())
}

#[derive(FromRow)]
struct Row {
    id: String,
    tenant: String,
    name: String,
    email: String,
    hash: String,
}

impl From<Row> for Login {
    fn from(row: Row) -> Self {
        let Row { id, tenant, name, email, hash } = row;
        let person = Person { id: UserId(id), tenant: TenantId(tenant), name, email };
        Self { person, hash }
    }
}
