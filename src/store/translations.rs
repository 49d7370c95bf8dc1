//! Translations: what a machine made of a transcript, or why there is none. Either way the mail
//! need not wait any longer.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, jobs};
use crate::mailbox::{MessageId, Timestamp, Translation};

/// How far the translation of a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Translated {
    /// Nobody asked for one, or it was left in the language that is wanted.
    Off,
    /// A job is making it.
    Waiting,
    /// It is there.
    Done(Translation),
    /// There will be none, and why, as a sentence for the owner.
    Failed(String),
}

/// Longest reason kept, in characters.
const LONGEST_REASON: usize = 500;

/// How far the translation of a message is, with the translation itself.
pub async fn of(db: &Db, message: &MessageId) -> Result<Translated, StoreError> {
    let row: Option<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select message.translation as state, message.translation_error as error,
                translation.language, translation.text, translation.numbers, translation.engine
           from message
           left join translation on translation.message = message.id
          where message.id = $1",
    )
    .bind(message.to_string())
    .fetch_optional(pool)
    .await?);
    row.map_or(Ok(Translated::Off), Translated::try_from)
}

/// Keeps a translation, in place of an older one, and makes the mail due now; `false` if the
/// message was purged meanwhile.
pub async fn save(
    db: &Db,
    message: &MessageId,
    translation: &Translation,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    if !settle(&mut tx, message, "done", None, now).await? {
        return Ok(false);
    }
    on!(&mut tx, tx => sqlx::query(
        "insert into translation (message, language, text, numbers, engine, created)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (message) do update
            set language = excluded.language, text = excluded.text,
                numbers = excluded.numbers, engine = excluded.engine, created = excluded.created",
    )
    .bind(message.to_string())
    .bind(&translation.language)
    .bind(&translation.text)
    .bind(serde_json::json!(translation.difference).to_string())
    .bind(&translation.engine)
    .bind(now.0)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    tx.commit().await?;
    Ok(true)
}

/// There will be no translation: notes why and makes the mail due now; `false` if the message was
/// purged meanwhile. A translation saved before stays.
pub async fn give_up(
    db: &Db,
    message: &MessageId,
    why: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let why: String = why.chars().take(LONGEST_REASON).collect();
    let mut tx = db.begin().await?;
    let known = settle(&mut tx, message, "failed", Some(&why), now).await?;
    tx.commit().await?;
    Ok(known)
}

/// None is wanted any more: the mail is due now.
pub async fn call_off(db: &Db, message: &MessageId, now: Timestamp) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let known = settle(&mut tx, message, "off", None, now).await?;
    tx.commit().await?;
    Ok(known)
}

/// A translation is wanted: adds the job inside the caller's transaction.
pub(super) async fn begin(
    tx: &mut Tx,
    message: &MessageId,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(&mut *tx, tx => sqlx::query(
        "update message set translation = 'waiting', translation_error = null
          where id = $1 and translation <> 'done'",
    )
    .bind(message.to_string())
    .execute(&mut **tx)
    .await?
    .rows_affected());
    jobs::enqueue(tx, jobs::Kind::Translate, message, now).await
}

async fn settle(
    tx: &mut Tx,
    message: &MessageId,
    outcome: &str,
    why: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let known = on!(&mut *tx, tx => sqlx::query(
        "update message
            set translation_error = case when translation = 'done' then null else $3 end,
                translation = case when translation = 'done' then 'done' else $2 end
          where id = $1",
    )
    .bind(message.to_string())
    .bind(outcome)
    .bind(why)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    jobs::hasten_mail(tx, message, now).await?;
    Ok(known == 1)
}

#[derive(FromRow)]
struct Row {
    state: String,
    error: Option<String>,
    language: Option<String>,
    text: Option<String>,
    numbers: Option<String>,
    engine: Option<String>,
}

impl TryFrom<Row> for Translated {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let translation = match (row.language, row.text, row.engine) {
            (Some(language), Some(text), Some(engine)) => {
                let numbers = row.numbers.unwrap_or_default();
                let difference = serde_json::from_str(&numbers).map_err(|_| {
                    StoreError::Unreadable { wanted: "difference of numbers", found: numbers }
                })?;
                Some(Translation { language, text, engine, difference })
            }
            _ => None,
        };
        Ok(match (row.state.as_str(), translation) {
            ("off", _) => Self::Off,
            ("waiting", _) => Self::Waiting,
            ("done", Some(translation)) => Self::Done(translation),
            ("failed", _) => Self::Failed(row.error.unwrap_or_default()),
            _ => {
                let wanted = "state of a translation";
                return Err(StoreError::Unreadable { wanted, found: row.state });
            }
        })
    }
}
