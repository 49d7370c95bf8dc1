//! Classes of hold music.

use sqlx::FromRow;

use super::{Db, StoreError};
use crate::{
    mailbox::{TenantId, Timestamp},
    music::{Class, ClassId, DEFAULT, MOST_CLASSES, Manner},
};

/// Adds a class. [`StoreError::Taken`] if the tenant has one of that name.
pub async fn add(db: &Db, class: &Class, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query(
            "insert into music_class (id, tenant, name, manner, created) values ($1, $2, $3, $4, $5)",
        )
        .bind(&class.id.0)
        .bind(&class.tenant.0)
        .bind(&class.name)
        .bind(written(&class.manner))
        .bind(now.0)
        .execute(&mut **tx)
        .await
        .map_err(|error| StoreError::taken(error, "class of hold music", &class.name))?;
        let count: i64 = sqlx::query_scalar("select count(*) from music_class where tenant = $1")
            .bind(&class.tenant.0)
            .fetch_one(&mut **tx)
            .await?;
        if count > MOST_CLASSES {
            let what = "classes of hold music";
            return Err(StoreError::TooMany { whose: "a tenant", what, most: MOST_CLASSES });
        }
    });
    tx.commit().await
}

/// A tenant's classes, by name.
pub async fn list(db: &Db, tenant: &TenantId) -> Result<Vec<Class>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, manner from music_class where tenant = $1 order by name",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Class::try_from).collect()
}

/// The tenant's class of this name.
pub async fn named(db: &Db, tenant: &TenantId, name: &str) -> Result<Option<Class>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, manner from music_class where tenant = $1 and name = $2",
    )
    .bind(&tenant.0)
    .bind(name)
    .fetch_optional(pool)
    .await?);
    row.map(Class::try_from).transpose()
}

/// The tenant's class of this id.
pub async fn get(db: &Db, tenant: &TenantId, id: &ClassId) -> Result<Option<Class>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, tenant, name, manner from music_class where tenant = $1 and id = $2",
    )
    .bind(&tenant.0)
    .bind(&id.0)
    .fetch_optional(pool)
    .await?);
    row.map(Class::try_from).transpose()
}

/// What a caller hears who is put on hold for `name`: the class of that name, or the one that a queue
/// of that name has, or the one that the mailbox of that number has, or else the tenant's usual one.
/// `None` if the tenant has no music of its own.
pub async fn meant(
    db: &Db,
    tenant: &TenantId,
    name: Option<&str>,
    usual: &str,
) -> Result<Option<Class>, StoreError> {
    let all = list(db, tenant).await?;
    let named = |name: &str| all.iter().find(|it| it.name.eq_ignore_ascii_case(name));
    let of_queue = |name: &str| {
        let has = |it: &&Class| it.manner.queues.iter().any(|it| it.eq_ignore_ascii_case(name));
        all.iter().find(has)
    };
    let mut found = name.and_then(|it| named(it).or_else(|| of_queue(it)));
    if found.is_none()
        && let Some(number) = name
        && let Some(mailbox) = super::mailboxes::at(db, tenant, number).await?
    {
        found = named(&mailbox.settings.hold_music);
    }
    Ok(found.or_else(|| named(usual)).or_else(|| named(DEFAULT)).cloned())
}

/// Gives a class another name or manner; `false` if the tenant has none of this id.
pub async fn set(db: &Db, class: &Class) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update music_class set name = $3, manner = $4, version = version + 1
          where tenant = $1 and id = $2",
    )
    .bind(&class.tenant.0)
    .bind(&class.id.0)
    .bind(&class.name)
    .bind(written(&class.manner))
    .execute(pool)
    .await
    .map_err(|error| StoreError::taken(error, "class of hold music", &class.name))?
    .rows_affected());
    Ok(changed == 1)
}

/// Removes a class and its tracks. Answers with their blobs, to be deleted now; `None` if the tenant
/// has none of this id.
pub async fn remove(
    db: &Db,
    tenant: &TenantId,
    id: &ClassId,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut tx = db.begin().await?;
    let gone = on!(&mut tx, tx => {
        let tracks: Vec<(String, Option<String>)> = sqlx::query_as(
            "delete from music_track
              where class = (select id from music_class where tenant = $1 and id = $2)
             returning original, blob",
        )
        .bind(&tenant.0)
        .bind(&id.0)
        .fetch_all(&mut **tx)
        .await?;
        let gone = sqlx::query("delete from music_class where tenant = $1 and id = $2")
            .bind(&tenant.0)
            .bind(&id.0)
            .execute(&mut **tx)
            .await?
            .rows_affected();
        (gone == 1).then(|| {
            tracks.into_iter().flat_map(|(one, other)| [Some(one), other]).flatten().collect()
        })
    });
    tx.commit().await?;
    Ok(gone)
}

fn written(manner: &Manner) -> String {
    serde_json::json!(manner).to_string()
}

#[derive(FromRow)]
struct Row {
    id: String,
    tenant: String,
    name: String,
    manner: String,
}

impl TryFrom<Row> for Class {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Ok(manner) = serde_json::from_str(&row.manner) else {
            let wanted = "manner of hold music";
            return Err(StoreError::Unreadable { wanted, found: row.manner });
        };
        let (id, tenant) = (ClassId(row.id), TenantId(row.tenant));
        Ok(Self { id, tenant, name: row.name, manner })
    }
}
