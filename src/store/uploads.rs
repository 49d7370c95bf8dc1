//! Files of hold music that arrive in pieces. Here is what each is to be and how much of it is on disk;
//! the pieces lie in a folder. Its row is written before the file and goes before it.

use std::{collections::HashSet, time::Duration};

use sqlx::FromRow;

use super::{Db, StoreError, tracks::New};
use crate::{
    mailbox::{TenantId, Timestamp},
    music::{ClassId, TrackId},
};

/// An upload is given up so long after it was begun.
pub const LASTS: Duration = Duration::from_secs(24 * 3_600);
/// Uploads of a tenant at a time.
pub const MOST: i64 = 20;

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The track that it is to be, which has its id.
    pub track: New,
    /// How many bytes it will have, where that was said.
    pub length: Option<u64>,
    /// How many of them are on disk.
    pub arrived: u64,
    /// When it was begun.
    pub begun: Timestamp,
}

/// Begins an upload of which nothing has come. [`StoreError::TooMany`] beyond [`MOST`].
pub async fn begin(
    db: &Db,
    tenant: &TenantId,
    class: &ClassId,
    upload: &Upload,
) -> Result<(), StoreError> {
    let Upload { track, length, begun, .. } = upload;
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query(
            "insert into upload
                    (id, class, name, description, licence, kind, original, length, created)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&track.id.0)
        .bind(&class.0)
        .bind(&track.name)
        .bind(&track.description)
        .bind(&track.licence)
        .bind(&track.kind)
        .bind(&track.original)
        .bind(length.map(signed))
        .bind(begun.0)
        .execute(&mut **tx)
        .await?;
        let count: i64 = sqlx::query_scalar(
            "select count(*) from upload join music_class on music_class.id = upload.class
              where music_class.tenant = $1",
        )
        .bind(&tenant.0)
        .fetch_one(&mut **tx)
        .await?;
        if count > MOST {
            let what = "uploads that are not whole yet";
            return Err(StoreError::TooMany { whose: "a tenant", what, most: MOST });
        }
    });
    tx.commit().await
}

/// The upload of this id into a class, unless it has become a track or is given up.
pub async fn get(
    db: &Db,
    class: &ClassId,
    id: &TrackId,
    now: Timestamp,
) -> Result<Option<Upload>, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, name, description, licence, kind, original, length, arrived, created
           from upload where class = $1 and id = $2 and created > $3",
    )
    .bind(&class.0)
    .bind(&id.0)
    .bind((now - LASTS).0)
    .fetch_optional(pool)
    .await?);
    Ok(row.map(Upload::from))
}

/// Notes that so many bytes are on disk; `false` if the upload is gone.
pub async fn note(db: &Db, id: &TrackId, arrived: u64) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query("update upload set arrived = $2 where id = $1")
        .bind(&id.0)
        .bind(signed(arrived))
        .execute(pool)
        .await?
        .rows_affected());
    Ok(changed == 1)
}

/// Gives an upload up; `false` if it is gone already.
pub async fn end(db: &Db, class: &ClassId, id: &TrackId) -> Result<bool, StoreError> {
    let gone = on!(&db.writer, pool => sqlx::query("delete from upload where class = $1 and id = $2")
        .bind(&class.0)
        .bind(&id.0)
        .execute(pool)
        .await?
        .rows_affected());
    Ok(gone == 1)
}

/// Gives up what was begun too long ago.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    Ok(on!(&db.writer, pool => sqlx::query("delete from upload where created <= $1")
        .bind((now - LASTS).0)
        .execute(pool)
        .await?
        .rows_affected()))
}

/// The ids of all uploads of the house.
pub async fn ids(db: &Db) -> Result<HashSet<String>, StoreError> {
    let all: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar("select id from upload")
        .fetch_all(pool)
        .await?);
    Ok(all.into_iter().collect())
}

/// A number of bytes as stored.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    description: String,
    licence: String,
    kind: Option<String>,
    original: String,
    length: Option<i64>,
    arrived: i64,
    created: i64,
}

impl From<Row> for Upload {
    fn from(row: Row) -> Self {
        let Row { id, name, description, licence, kind, original, length, arrived, created } = row;
        let track = New { id: TrackId(id), name, description, licence, kind, original };
        Self {
            track,
            length: length.map(i64::unsigned_abs),
            arrived: arrived.unsigned_abs(),
            begun: Timestamp(created),
        }
    }
}
