//! The tracks of hold music. One that has no sound yet is a job at the same time: whoever makes its
//! sound leases it, and is fenced by its number of attempts.

use std::{collections::HashSet, time::Duration};

use sqlx::FromRow;

use super::{Db, StoreError};
use crate::{
    mailbox::{TenantId, Timestamp},
    music::{ClassId, MOST_TRACKS, State, Track, TrackId},
};

/// A track that somebody sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// What names it from now on.
    pub id: TrackId,
    /// What people call it.
    pub name: String,
    /// What else there is to say about it.
    pub description: String,
    /// The terms it is under.
    pub licence: String,
    /// The end of the file's name (`.sln`), where nothing in the file tells what it is.
    pub kind: Option<String>,
    /// The blob it was sent as, written already.
    pub original: String,
}

/// A track whose sound is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Which one.
    pub id: TrackId,
    /// What people call it.
    pub name: String,
    /// See [`New::kind`].
    pub kind: Option<String>,
    /// The blob it was sent as.
    pub original: String,
    /// How often it was tried, with this time: what proves whose it is.
    pub attempts: i64,
}

/// What was made of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What is played, written already.
    pub blob: String,
    /// How long it is.
    pub length: Duration,
    /// How loud it was, in hundredths of a LUFS.
    pub loudness: i64,
    /// The loudest sample of each of many equal parts; 255 is full scale.
    pub peaks: Vec<u8>,
}

/// What people change of a track; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// What people call it.
    pub name: Option<String>,
    /// What else there is to say about it.
    pub description: Option<String>,
    /// The terms it is under.
    pub licence: Option<String>,
}

/// Adds a track behind the others of a class, to be made; the upload that it was, if it was one, ends with
/// that. [`StoreError::TooMany`] beyond [`MOST_TRACKS`].
pub async fn add(db: &Db, class: &ClassId, new: &New, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query("update music_class set version = version + 1 where id = $1")
            .bind(&class.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "insert into music_track
                    (id, class, place, name, description, licence, kind, original, created)
             select $1, $2, coalesce(max(place), 0) + 1, $3, $4, $5, $6, $7, $8
               from music_track where class = $2",
        )
        .bind(&new.id.0)
        .bind(&class.0)
        .bind(&new.name)
        .bind(&new.description)
        .bind(&new.licence)
        .bind(&new.kind)
        .bind(&new.original)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
        sqlx::query("delete from upload where id = $1").bind(&new.id.0).execute(&mut **tx).await?;
        let count: i64 = sqlx::query_scalar("select count(*) from music_track where class = $1")
            .bind(&class.0)
            .fetch_one(&mut **tx)
            .await?;
        if count > MOST_TRACKS {
            let whose = "a class of hold music";
            return Err(StoreError::TooMany { whose, what: "tracks", most: MOST_TRACKS });
        }
    });
    tx.commit().await
}

/// The tracks of a class, in their order.
pub async fn of(db: &Db, class: &ClassId) -> Result<Vec<Track>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select id, name, description, licence, blob, length_ms, loudness, peaks,
                problem
           from music_track where class = $1 order by place, id",
    )
    .bind(&class.0)
    .fetch_all(pool)
    .await?);
    Ok(rows.into_iter().map(Track::from).collect())
}

/// The key of what a track was sent as.
pub async fn original(
    db: &Db,
    class: &ClassId,
    id: &TrackId,
) -> Result<Option<String>, StoreError> {
    Ok(on!(&db.reader, pool => sqlx::query_scalar(
        "select original from music_track where class = $1 and id = $2",
    )
    .bind(&class.0)
    .bind(&id.0)
    .fetch_optional(pool)
    .await?))
}

/// The keys of all blobs that tracks, announcements and uploads have or will have.
pub async fn blobs(db: &Db) -> Result<HashSet<String>, StoreError> {
    let all: Vec<String> = on!(&db.reader, pool => sqlx::query_scalar(
        "select original from music_track
          union select blob from music_track where blob is not null
          union select blob from announcement
          union select original from upload",
    )
    .fetch_all(pool)
    .await?);
    Ok(all.into_iter().collect())
}

/// Changes what is told of a track; `false` if the class has none of this id.
pub async fn set(
    db: &Db,
    class: &ClassId,
    id: &TrackId,
    change: &Change,
) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update music_track
            set name = coalesce($3, name), description = coalesce($4, description),
                licence = coalesce($5, licence)
          where class = $1 and id = $2",
    )
    .bind(&class.0)
    .bind(&id.0)
    .bind(&change.name)
    .bind(&change.description)
    .bind(&change.licence)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(changed == 1)
}

/// Puts the tracks of a class into this order. Those that are not named, because they came meanwhile,
/// stay behind; names that are none are passed over.
pub async fn order(db: &Db, class: &ClassId, ids: &[TrackId]) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    on!(&mut tx, tx => {
        sqlx::query("update music_class set version = version + 1 where id = $1")
            .bind(&class.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query("update music_track set place = place + $2 where class = $1")
            .bind(&class.0)
            .bind(MOST_TRACKS)
            .execute(&mut **tx)
            .await?;
        for (place, id) in (1_i64..).zip(ids) {
            sqlx::query("update music_track set place = $3 where class = $1 and id = $2")
                .bind(&class.0)
                .bind(&id.0)
                .bind(place)
                .execute(&mut **tx)
                .await?;
        }
    });
    tx.commit().await
}

/// Takes a track away. Answers with its blobs, to be deleted now; `None` if the class has none of
/// this id.
pub async fn remove(
    db: &Db,
    class: &ClassId,
    id: &TrackId,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut tx = db.begin().await?;
    let gone: Option<(String, Option<String>)> = on!(&mut tx, tx => {
        sqlx::query("update music_class set version = version + 1 where id = $1")
            .bind(&class.0)
            .execute(&mut **tx)
            .await?;
        sqlx::query_as(
            "delete from music_track where class = $1 and id = $2 returning original, blob",
        )
        .bind(&class.0)
        .bind(&id.0)
        .fetch_optional(&mut **tx)
        .await?
    });
    tx.commit().await?;
    Ok(gone.map(|(original, blob)| [Some(original), blob].into_iter().flatten().collect()))
}

/// Takes a track whose sound is still to be made, for as long as `lease`; the oldest first.
pub async fn claim(
    db: &Db,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<Claimed>, StoreError> {
    let row: Option<(String, String, Option<String>, String, i64)> = on!(&db.writer, pool =>
        sqlx::query_as(
            "update music_track set leased_until = $2, attempts = attempts + 1
              where leased_until <= $1 and blob is null and problem is null
                and id = (select id from music_track
                           where leased_until <= $1 and blob is null and problem is null
                           order by created, id limit 1)
             returning id, name, kind, original, attempts",
        )
        .bind(now.0)
        .bind((now + lease).0)
        .fetch_optional(pool)
        .await?
    );
    Ok(row.map(|(id, name, kind, original, attempts)| Claimed {
        id: TrackId(id),
        name,
        kind,
        original,
        attempts,
    }))
}

/// Takes every track from whoever made sound of it: said once at start, as
/// [`jobs::reclaim`](super::jobs::reclaim) is. Answers how many were held.
pub async fn reclaim(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    Ok(on!(&db.writer, pool => sqlx::query(
        "update music_track set leased_until = 0
          where leased_until > $1 and blob is null and problem is null",
    )
    .bind(now.0)
    .execute(pool)
    .await?
    .rows_affected()))
}

/// Gives a track its sound; `false` if it is gone, or somebody else's by now: then what was made is to
/// be deleted.
pub async fn made(db: &Db, claimed: &Claimed, made: &Made) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update music_track set blob = $3, length_ms = $4, loudness = $5, peaks = $6
          where id = $1 and attempts = $2 and blob is null",
    )
    .bind(&claimed.id.0)
    .bind(claimed.attempts)
    .bind(&made.blob)
    .bind(super::ms(made.length))
    .bind(made.loudness)
    .bind(made.peaks.iter().map(|it| format!("{it:02x}")).collect::<String>())
    .execute(pool)
    .await?
    .rows_affected());
    Ok(changed == 1)
}

/// Says that a track will never be played, and why.
pub async fn failed(db: &Db, claimed: &Claimed, problem: &str) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "update music_track set problem = $3 where id = $1 and attempts = $2 and blob is null",
    )
    .bind(&claimed.id.0)
    .bind(claimed.attempts)
    .bind(super::clipped(problem, LONGEST_PROBLEM))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(())
}

/// Leaves a track for later.
pub async fn put_off(db: &Db, claimed: &Claimed, until: Timestamp) -> Result<(), StoreError> {
    on!(&db.writer, pool => sqlx::query(
        "update music_track set leased_until = $3 where id = $1 and attempts = $2 and blob is null",
    )
    .bind(&claimed.id.0)
    .bind(claimed.attempts)
    .bind(until.0)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(())
}

/// Names of the tenant's classes with the number of their tracks.
pub async fn counts(db: &Db, tenant: &TenantId) -> Result<Vec<(ClassId, i64)>, StoreError> {
    let rows: Vec<(String, i64)> = on!(&db.reader, pool => sqlx::query_as(
        "select music_class.id, count(music_track.id)
           from music_class left join music_track on music_track.class = music_class.id
          where music_class.tenant = $1
          group by music_class.id",
    )
    .bind(&tenant.0)
    .fetch_all(pool)
    .await?);
    Ok(rows.into_iter().map(|(id, count)| (ClassId(id), count)).collect())
}

/// Longest reason that is kept, in characters.
const LONGEST_PROBLEM: usize = 500;

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    description: String,
    licence: String,
    blob: Option<String>,
    length_ms: Option<i64>,
    loudness: Option<i64>,
    peaks: Option<String>,
    problem: Option<String>,
}

impl From<Row> for Track {
    fn from(row: Row) -> Self {
        let state = match (row.blob, row.problem) {
            (Some(blob), _) => State::Ready {
                length: super::length(row.length_ms.unwrap_or(0)),
                loudness: row.loudness.unwrap_or(0),
                peaks: peaks(row.peaks.as_deref().unwrap_or_default()),
                blob,
            },
            (None, Some(problem)) => State::Failed { problem },
            (None, None) => State::Waiting,
        };
        let Row { id, name, description, licence, .. } = row;
        Self { id: TrackId(id), name, description, licence, state }
    }
}

/// Peaks as they are stored; what is not one is silence.
fn peaks(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let peak = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok();
    digits.map(|it| peak(it).unwrap_or(0)).collect()
}
