//! Transcripts: what was said, or why nobody knows. Either way the mail need not wait any longer.

use super::{Db, StoreError, Tx, jobs, translations};
use crate::mailbox::{MessageId, Segment, Timestamp, Transcript};

/// Longest reason kept, in characters.
const LONGEST_REASON: usize = 500;

/// Keeps a transcript, in place of an older one, and makes the mail due now; `false` if the
/// message was purged meanwhile.
pub async fn save(
    db: &Db,
    message: &MessageId,
    transcript: &Transcript,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let known = keep(&mut tx, message, transcript, now).await?;
    jobs::hasten_mail(&mut tx, message, now).await?;
    tx.commit().await?;
    Ok(known)
}

/// The same for a transcript that is to be translated: the mail goes on waiting, for that.
pub async fn save_to_translate(
    db: &Db,
    message: &MessageId,
    transcript: &Transcript,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let known = keep(&mut tx, message, transcript, now).await?;
    if known {
        translations::begin(&mut tx, message, now).await?;
    }
    tx.commit().await?;
    Ok(known)
}

/// There will be no transcript: notes why and makes the mail due now; `false` if the message was
/// purged meanwhile. A transcript saved before stays.
pub async fn give_up(
    db: &Db,
    message: &MessageId,
    why: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let why = super::clipped(why, LONGEST_REASON);
    let mut tx = db.begin().await?;
    let known = settle(&mut tx, message, "failed", Some(&why)).await?;
    jobs::hasten_mail(&mut tx, message, now).await?;
    tx.commit().await?;
    Ok(known)
}

/// The transcript of a message, if there is one.
pub async fn of(db: &Db, message: &MessageId) -> Result<Option<Transcript>, StoreError> {
    let row: Option<(String, String, String)> = on!(&db.reader, pool => sqlx::query_as(
        "select language, segments, engine from transcript where message = $1",
    )
    .bind(message.to_string())
    .fetch_optional(pool)
    .await?);
    row.map(read).transpose()
}

/// The transcript of another message with the same recording, if there is one.
pub async fn of_copy(
    db: &Db,
    message: &MessageId,
    blob: &str,
) -> Result<Option<Transcript>, StoreError> {
    let row: Option<(String, String, String)> = on!(&db.reader, pool => sqlx::query_as(
        "select language, segments, engine from transcript
          where message in (select id from message where blob = $1 and id <> $2)
          order by created, message limit 1",
    )
    .bind(blob)
    .bind(message.to_string())
    .fetch_optional(pool)
    .await?);
    row.map(read).transpose()
}

fn read(row: (String, String, String)) -> Result<Transcript, StoreError> {
    let (language, segments, engine) = row;
    Ok(Transcript { language, segments: spoken(segments)?, engine })
}

/// Writes it down; `false` if there is no such message.
async fn keep(
    tx: &mut Tx,
    message: &MessageId,
    transcript: &Transcript,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !settle(tx, message, "done", None).await? {
        return Ok(false);
    }
    on!(tx, tx => sqlx::query(
        "insert into transcript (message, language, segments, engine, created)
         values ($1, $2, $3, $4, $5)
         on conflict (message) do update
            set language = excluded.language, segments = excluded.segments,
                engine = excluded.engine, created = excluded.created",
    )
    .bind(message.to_string())
    .bind(&transcript.language)
    .bind(written(&transcript.segments))
    .bind(&transcript.engine)
    .bind(now.0)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(true)
}

/// Notes the outcome at the message; `false` if there is no such message.
async fn settle(
    tx: &mut Tx,
    message: &MessageId,
    outcome: &str,
    why: Option<&str>,
) -> Result<bool, StoreError> {
    let known = on!(tx, tx => sqlx::query(
        "update message
            set transcription_error = case when transcription = 'done' then null else $3 end,
                transcription = case when transcription = 'done' then 'done' else $2 end
          where id = $1",
    )
    .bind(message.to_string())
    .bind(outcome)
    .bind(why)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(known == 1)
}

/// A confidence that is no number has no JSON; it counts as none.
fn written(segments: &[Segment]) -> String {
    let mut segments = segments.to_vec();
    for it in segments.iter_mut().filter(|it| !it.confidence.is_finite()) {
        it.confidence = 0.0;
    }
    serde_json::json!(segments).to_string()
}

fn spoken(segments: String) -> Result<Vec<Segment>, StoreError> {
    serde_json::from_str(&segments)
        .map_err(|_| StoreError::Unreadable { wanted: "list of segments", found: segments })
}
