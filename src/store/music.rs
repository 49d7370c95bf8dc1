//! Classes of hold music.

use sqlx::FromRow;

use super::{Db, StoreError, Tx};
use crate::{
    mailbox::{TenantId, Timestamp},
    music::{Class, ClassId, DEFAULT, MOST_CLASSES, Manner, own_intro},
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

/// Gives a class another name or manner if it still is `old`; `false` if it is not, or is gone. With
/// another name its own greeting is called by that, and all that names either of them says so.
/// [`StoreError::Taken`] if the tenant has a class or such a greeting of the new name.
pub async fn replace(db: &Db, old: &Class, new: &Class) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let found: Option<Row> = on!(&mut tx, tx => sqlx::query_as(
        "update music_class set version = version + 1 where tenant = $1 and id = $2
         returning id, tenant, name, manner",
    )
    .bind(&old.tenant.0)
    .bind(&old.id.0)
    .fetch_optional(&mut **tx)
    .await?);
    if found.map(Class::try_from).transpose()?.as_ref() != Some(old) {
        return Ok(false);
    }
    on!(&mut tx, tx => sqlx::query(
        "update music_class set name = $3, manner = $4 where tenant = $1 and id = $2",
    )
    .bind(&old.tenant.0)
    .bind(&old.id.0)
    .bind(&new.name)
    .bind(written(&new.manner))
    .execute(&mut **tx)
    .await
    .map_err(|error| StoreError::taken(error, "class of hold music", &new.name))?
    .rows_affected());
    if new.name != old.name {
        rename_greeting(&mut tx, old, new).await?;
        rename_wishes(&mut tx, old, new).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// The own greeting of a class goes with its name, and whichever class says it goes on saying it.
async fn rename_greeting(tx: &mut Tx, old: &Class, new: &Class) -> Result<(), StoreError> {
    let (was, is) = (own_intro(&old.name), own_intro(&new.name));
    let ([intro, announcement], [new_intro, new_announcement]) = (said(&was), said(&is));
    on!(tx, tx => {
        sqlx::query("update announcement set name = $3 where tenant = $1 and name = $2")
            .bind(&old.tenant.0)
            .bind(&was)
            .bind(&is)
            .execute(&mut **tx)
            .await
            .map_err(|error| StoreError::taken(error, "greeting of hold music", &is))?;
        sqlx::query(
            "update music_class
                set manner = replace(replace(manner, $2, $3), $4, $5), version = version + 1
              where tenant = $1 and manner <> replace(replace(manner, $2, $3), $4, $5)",
        )
        .bind(&old.tenant.0)
        .bind(&intro)
        .bind(&new_intro)
        .bind(&announcement)
        .bind(&new_announcement)
        .execute(&mut **tx)
        .await?
        .rows_affected()
    });
    Ok(())
}

/// A mailbox or a tenant that has the class as its music goes on having it.
async fn rename_wishes(tx: &mut Tx, old: &Class, new: &Class) -> Result<(), StoreError> {
    let (was, is) = (field("hold_music", &old.name), field("hold_music", &new.name));
    on!(tx, tx => {
        sqlx::query(
            "update mailbox set settings = replace(settings, $2, $3)
              where tenant = $1 and settings <> replace(settings, $2, $3)",
        )
        .bind(&old.tenant.0)
        .bind(&was)
        .bind(&is)
        .execute(&mut **tx)
        .await?;
        sqlx::query(
            "update tenant set settings = replace(settings, $2, $3)
              where id = $1 and settings <> replace(settings, $2, $3)",
        )
        .bind(&old.tenant.0)
        .bind(&was)
        .bind(&is)
        .execute(&mut **tx)
        .await?
        .rows_affected()
    });
    Ok(())
}

/// Removes a class, its tracks and, unless another class says it, its own greeting. Answers with their
/// blobs, to be deleted now; `None` if the tenant has none of this id.
pub async fn remove(
    db: &Db,
    tenant: &TenantId,
    id: &ClassId,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut tx = db.begin().await?;
    let (tracks, name) = on!(&mut tx, tx => {
        let tracks: Vec<(String, Option<String>)> = sqlx::query_as(
            "delete from music_track
              where class = (select id from music_class where tenant = $1 and id = $2)
             returning original, blob",
        )
        .bind(&tenant.0)
        .bind(&id.0)
        .fetch_all(&mut **tx)
        .await?;
        let name: Option<String> = sqlx::query_scalar(
            "delete from music_class where tenant = $1 and id = $2 returning name",
        )
        .bind(&tenant.0)
        .bind(&id.0)
        .fetch_optional(&mut **tx)
        .await?;
        (tracks, name)
    });
    let Some(name) = name else { return Ok(None) };
    let greeting = remove_greeting(&mut tx, tenant, &own_intro(&name)).await?;
    tx.commit().await?;
    let tracks = tracks.into_iter().flat_map(|(one, other)| [Some(one), other]).flatten();
    Ok(Some(tracks.chain(greeting).collect()))
}

/// Takes an announcement away that no class says (any more). Answers with its blob.
async fn remove_greeting(
    tx: &mut Tx,
    tenant: &TenantId,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let [intro, announcement] = said(name);
    Ok(on!(tx, tx => sqlx::query_scalar(
        "delete from announcement
          where tenant = $1 and name = $2
            and not exists (select 1 from music_class
                             where tenant = $1
                               and (manner <> replace(manner, $3, '')
                                    or manner <> replace(manner, $4, '')))
         returning blob",
    )
    .bind(&tenant.0)
    .bind(name)
    .bind(&intro)
    .bind(&announcement)
    .fetch_optional(&mut **tx)
    .await?))
}

/// How a class says an announcement, as stored.
fn said(announcement: &str) -> [String; 2] {
    ["intro", "announcement"].map(|it| field(it, announcement))
}

/// A field of JSON as stored. It is found nowhere else: within a text its quotes would be escaped.
fn field(name: &str, value: &str) -> String {
    format!("{}:{}", serde_json::json!(name), serde_json::json!(value))
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
