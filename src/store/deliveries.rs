//! Deliveries: what became of a message's mail, recipient by recipient, so that one who cannot be
//! reached does not make the others get it again.

use sqlx::FromRow;

use super::{Db, StoreError, messages::NOTIFIED};
use crate::mailbox::{MessageId, Notice, Timestamp};

/// How far the mail to one recipient got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not tried yet.
    Queued,
    /// The mail server has taken it over; final.
    Accepted,
    /// Refused for now.
    Deferred,
    /// Refused for good.
    Failed,
    /// Accepted, and returned by a server further on.
    Bounced,
    /// Wants no more mail, and nothing was sent; final, and counts as no recipient at all.
    Unsubscribed,
}

/// The mail to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The address.
    pub recipient: String,
    /// What they get.
    pub kind: Notice,
    /// How far it got.
    pub state: State,
    /// The recording was in what was accepted.
    pub with_audio: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// What the mail server said last.
    pub reply: Option<String>,
    /// When a deferred one is tried again.
    pub next_try: Option<Timestamp>,
}

impl State {
    /// The word used in SQL and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Accepted => "accepted",
            State::Deferred => "deferred",
            State::Failed => "failed",
            State::Bounced => "bounced",
            State::Unsubscribed => "unsubscribed",
        }
    }
}

impl Delivery {
    /// Longest reply kept, in characters.
    pub const LONGEST_REPLY: usize = 500;

    /// Whether the recipient is still waiting for it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Queued | State::Deferred)
    }
}

/// A message's deliveries, by address.
pub async fn of(db: &Db, message: &MessageId) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<Row> = on!(&db.reader, pool => sqlx::query_as(
        "select recipient, kind, state, with_audio, attempts, reply, next_try
           from delivery where message = $1 order by recipient",
    )
    .bind(message.to_string())
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Delivery::try_from).collect()
}

/// The mail server took the letter over, with the recording in it or without. This is a fact
/// whatever was noted before; `false` if there is no such delivery (any more).
pub async fn accepted(
    db: &Db,
    message: &MessageId,
    recipient: &str,
    reply: &str,
    with_audio: bool,
) -> Result<bool, StoreError> {
    note(db, message, recipient, (State::Accepted, with_audio), reply, None).await
}

/// The mail server refused it for now; `false` if it was accepted or given up meanwhile.
pub async fn deferred(
    db: &Db,
    message: &MessageId,
    recipient: &str,
    reply: &str,
    next_try: Timestamp,
) -> Result<bool, StoreError> {
    note(db, message, recipient, (State::Deferred, false), reply, Some(next_try)).await
}

/// It will never arrive; `false` if it was accepted meanwhile.
pub async fn failed(
    db: &Db,
    message: &MessageId,
    recipient: &str,
    reply: &str,
) -> Result<bool, StoreError> {
    note(db, message, recipient, (State::Failed, false), reply, None).await
}

/// Nothing was sent, for the recipient wants no more mail; `false` if it was accepted or given up
/// meanwhile.
pub async fn unsubscribed(
    db: &Db,
    message: &MessageId,
    recipient: &str,
) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update delivery set state = 'unsubscribed', reply = null, next_try = null
          where message = $1 and recipient = $2 and state in ('queued', 'deferred')",
    )
    .bind(message.to_string())
    .bind(recipient)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(changed == 1)
}

/// A server further on returned what had been accepted. If the message had gone into the trash
/// because everybody seemed to have it, it is a new one again. `false` if nothing was accepted.
pub async fn bounced(
    db: &Db,
    message: &MessageId,
    recipient: &str,
    reply: &str,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let changed = on!(&mut tx, tx => {
        sqlx::query(
            "update mailbox set version = version + 1
              where id = (select mailbox from message where id = $1)",
        )
        .bind(message.to_string())
        .execute(&mut **tx)
        .await?;
        let changed = sqlx::query(
            "update delivery set state = $3, reply = $4, next_try = null
              where message = $1 and recipient = $2 and state = 'accepted'",
        )
        .bind(message.to_string())
        .bind(recipient)
        .bind(State::Bounced.as_str())
        .bind(shortened(reply))
        .execute(&mut **tx)
        .await?
        .rows_affected();
        sqlx::query(
            "update message set folder = 'new', deleted = null, deleted_by = null
              where id = $1 and folder = 'deleted' and deleted_by = $2
                and exists (select 1 from delivery
                             where message = $1 and kind = 'full' and state = 'bounced')",
        )
        .bind(message.to_string())
        .bind(NOTIFIED)
        .execute(&mut **tx)
        .await?;
        changed
    });
    tx.commit().await?;
    Ok(changed == 1)
}

async fn note(
    db: &Db,
    message: &MessageId,
    recipient: &str,
    (state, with_audio): (State, bool),
    reply: &str,
    next_try: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let changed = on!(&db.writer, pool => sqlx::query(
        "update delivery
            set state = $3, reply = $4, next_try = $5, with_audio = $6, attempts = attempts + 1
          where message = $1 and recipient = $2
            and ($3 = 'accepted' or state in ('queued', 'deferred'))",
    )
    .bind(message.to_string())
    .bind(recipient)
    .bind(state.as_str())
    .bind(shortened(reply))
    .bind(next_try.map(|it| it.0))
    .bind(with_audio)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(changed == 1)
}

fn shortened(reply: &str) -> String {
    super::clipped(reply, Delivery::LONGEST_REPLY)
}

#[derive(FromRow)]
struct Row {
    recipient: String,
    kind: String,
    state: String,
    with_audio: bool,
    attempts: i64,
    reply: Option<String>,
    next_try: Option<i64>,
}

impl TryFrom<Row> for Delivery {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let state = match row.state.as_str() {
            "queued" => State::Queued,
            "accepted" => State::Accepted,
            "deferred" => State::Deferred,
            "failed" => State::Failed,
            "bounced" => State::Bounced,
            "unsubscribed" => State::Unsubscribed,
            _ => {
                let wanted = "state of a delivery";
                return Err(StoreError::Unreadable { wanted, found: row.state });
            }
        };
        let kind = row
            .kind
            .parse()
            .map_err(|()| StoreError::Unreadable { wanted: "kind of notice", found: row.kind })?;
        Ok(Delivery {
            recipient: row.recipient,
            kind,
            state,
            with_audio: row.with_audio,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            reply: row.reply,
            next_try: row.next_try.map(Timestamp),
        })
    }
}
