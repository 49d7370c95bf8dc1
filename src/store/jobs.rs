//! Jobs: work that must happen but not now, kept beside what it is about.
//!
//! A job is leased, not locked: a worker that dies loses it, and what a worker says after it lost
//! its lease is refused by the attempt number. So a job may run twice, and its work must bear that.
//! How often to try, and when to give up, is the worker's to decide.

use std::time::Duration;

use sqlx::FromRow;

use super::{Db, StoreError, Tx};
use crate::mailbox::{MessageId, TenantId, Timestamp};

/// What is to be done. Each kind has workers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Make the transcript of a message.
    Transcribe,
    /// Translate the transcript of a message.
    Translate,
    /// Mail a message to its recipients.
    Notify,
    /// Give copies of a message to other mailboxes.
    Copy,
}

/// Work somebody holds, or that waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Names it; a job revived or added anew has another.
    pub id: String,
    /// What is to be done.
    pub kind: Kind,
    /// The message it is about.
    pub subject: MessageId,
    /// How often it was claimed, this time included.
    pub attempts: u32,
}

/// A job as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The job.
    pub job: Job,
    /// When it is wanted.
    pub due: Timestamp,
    /// Until when a worker holds it; long past if none does.
    pub leased_until: Timestamp,
    /// Given up; waits for [`revive`].
    pub buried: bool,
    /// What went wrong last.
    pub error: Option<String>,
}

impl Job {
    /// When it was first wanted, or revived: the time its name ends in.
    pub fn since(&self) -> Option<Timestamp> {
        self.id.rsplit(':').next()?.parse().ok().map(Timestamp)
    }
}

/// Longest error kept, in characters.
const LONGEST_ERROR: usize = 500;

/// Most jobs one list shows.
const LONGEST_LIST: i64 = 1_000;

/// How long to wait after this failed attempt at sending mail (1 is the first): `first`, and ever
/// longer, to an hour. `chance`, from 0 to 1, spreads those that failed together over a fifth more.
pub fn backoff(first: Duration, attempt: u32, chance: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(3_600);
    const GROWTH: [u32; 7] = [1, 2, 4, 10, 30, 60, 120];
    let place = (attempt.saturating_sub(1) as usize).min(GROWTH.len() - 1);
    let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 0.0 };
    first.saturating_mul(GROWTH[place]).min(LONGEST).mul_f64(1.0 + chance / 5.0)
}

/// Adds a job inside the caller's transaction, so that it exists only if the change does. There is
/// one of a kind for a message: a second changes nothing.
pub(super) async fn enqueue(
    tx: &mut Tx,
    kind: Kind,
    subject: &MessageId,
    due: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, tx => sqlx::query(
        "insert into job (id, kind, subject, due) values ($1, $2, $3, $4) on conflict do nothing",
    )
    // The time is in the name so that a worker of an earlier job cannot speak for this one.
    .bind(format!("{}:{subject}:{}", kind.as_str(), due.0))
    .bind(kind.as_str())
    .bind(subject.to_string())
    .bind(due.0)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(())
}

/// What a message's mail waited for is settled: makes it due now, unless it was tried already and
/// waits for its next turn.
pub(super) async fn hasten_mail(
    tx: &mut Tx,
    message: &MessageId,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, tx => sqlx::query(
        "update job set due = $2
          where kind = 'notify' and subject = $1 and attempts = 0 and due > $2",
    )
    .bind(message.to_string())
    .bind(now.0)
    .execute(&mut **tx)
    .await?
    .rows_affected());
    Ok(())
}

/// Takes the next due job of a kind for as long as `lease`.
pub async fn claim(
    db: &Db,
    kind: Kind,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<Job>, StoreError> {
    // The lease is asked for twice so that two workers who choose the same row cannot both have
    // it. All rows are fetched, though there is one: only then is a failed commit reported.
    let rows: Vec<Row> = on!(&db.writer, pool => sqlx::query_as(
        "update job set leased_until = $2, attempts = attempts + 1
          where leased_until <= $1 and state = 'queued'
            and id = (select id from job
                       where kind = $3 and state = 'queued' and due <= $1 and leased_until <= $1
                       order by due, id limit 1)
         returning id, kind, subject, attempts",
    )
    .bind(now.0)
    .bind((now + lease).0)
    .bind(kind.as_str())
    .fetch_all(pool)
    .await?);
    rows.into_iter().next().map(Job::try_from).transpose()
}

/// Holds a job longer; `false` if it was lost, and the worker should stop.
pub async fn renew(db: &Db, job: &Job, until: Timestamp) -> Result<bool, StoreError> {
    let held = on!(&db.writer, pool => sqlx::query(
        "update job set leased_until = $3 where id = $1 and attempts = $2 and state = 'queued'",
    )
    .bind(&job.id)
    .bind(i64::from(job.attempts))
    .bind(until.0)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(held == 1)
}

/// The work is done; `false` if the job was lost to another worker.
pub async fn finish(db: &Db, job: &Job) -> Result<bool, StoreError> {
    let held = on!(&db.writer, pool => sqlx::query(
        "delete from job where id = $1 and attempts = $2 and state = 'queued'",
    )
    .bind(&job.id)
    .bind(i64::from(job.attempts))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(held == 1)
}

/// It did not work; somebody tries again at `due`. `false` if the job was lost.
pub async fn retry(db: &Db, job: &Job, error: &str, due: Timestamp) -> Result<bool, StoreError> {
    let held = on!(&db.writer, pool => sqlx::query(
        "update job set due = $3, leased_until = 0, error = $4
          where id = $1 and attempts = $2 and state = 'queued'",
    )
    .bind(&job.id)
    .bind(i64::from(job.attempts))
    .bind(due.0)
    .bind(shortened(error))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(held == 1)
}

/// Nobody tries again until an operator says so. `false` if the job was lost.
pub async fn bury(db: &Db, job: &Job, error: &str) -> Result<bool, StoreError> {
    let held = on!(&db.writer, pool => sqlx::query(
        "update job set state = 'buried', leased_until = 0, error = $3
          where id = $1 and attempts = $2 and state = 'queued'",
    )
    .bind(&job.id)
    .bind(i64::from(job.attempts))
    .bind(shortened(error))
    .execute(pool)
    .await?
    .rows_affected());
    Ok(held == 1)
}

/// Makes a buried job due again as if it were new; `false` if there is no such job.
pub async fn revive(db: &Db, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let found = on!(&db.writer, pool => sqlx::query(
        "update job set id = $2, state = 'queued', due = $3, leased_until = 0, attempts = 0
          where id = $1 and state = 'buried'",
    )
    .bind(id)
    .bind(format!("{}:{}", id.rsplit_once(':').map_or(id, |it| it.0), now.0))
    .bind(now.0)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(found == 1)
}

/// Makes a job that waits due now; `false` if there is none of that id, somebody has it, or it was
/// given up.
pub async fn hasten(db: &Db, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let found = on!(&db.writer, pool => sqlx::query(
        "update job set due = case when due < $2 then due else $2 end
          where id = $1 and state = 'queued' and leased_until <= $2",
    )
    .bind(id)
    .bind(now.0)
    .execute(pool)
    .await?
    .rows_affected());
    Ok(found == 1)
}

/// Has a job done now, whether it was given up or waits for its next try; `false` if there is none
/// of that id, or somebody has it.
pub async fn try_now(db: &Db, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    Ok(revive(db, id, now).await? || hasten(db, id, now).await?)
}

/// Takes every job from whoever held it: said once at start, when the workers of the last run are
/// gone for sure, so that nobody waits for their leases to end. Answers how many were held.
pub async fn reclaim(db: &Db, now: Timestamp) -> Result<u64, StoreError> {
    Ok(on!(&db.writer, pool => sqlx::query(
        "update job set leased_until = 0 where leased_until > $1",
    )
    .bind(now.0)
    .execute(pool)
    .await?
    .rows_affected()))
}

/// When the next job of a kind can be claimed, or `None` if there is nothing to wait for.
pub async fn next_due(db: &Db, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = on!(&db.reader, pool => sqlx::query_scalar(
        "select min(case when leased_until > due then leased_until else due end)
           from job where kind = $1 and state = 'queued'",
    )
    .bind(kind.as_str())
    .fetch_one(pool)
    .await?);
    Ok(next.map(Timestamp))
}

/// How many jobs of a kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Waiting to be done, or being done.
    pub queued: u64,
    /// Given up.
    pub buried: u64,
}

/// How many jobs there are, kind by kind.
pub async fn count(db: &Db) -> Result<[(Kind, Count); 4], StoreError> {
    let rows: Vec<(String, String, i64)> = on!(&db.reader, pool => sqlx::query_as(
        "select kind, state, count(*) from job group by kind, state",
    )
    .fetch_all(pool)
    .await?);
    let of = |kind: Kind, state: &str| {
        let row = rows.iter().find(|it| it.0 == kind.as_str() && it.1 == state);
        row.map_or(0, |it| u64::try_from(it.2).unwrap_or(0))
    };
    Ok(Kind::ALL
        .map(|kind| (kind, Count { queued: of(kind, "queued"), buried: of(kind, "buried") })))
}

/// Whether work about a message with this recording is still to be done; `heard` says whether
/// transcribing counts, for without a model it may wait for ever.
pub async fn waits(db: &Db, blob: &str, heard: bool) -> Result<bool, StoreError> {
    let queued: i64 = on!(&db.reader, pool => sqlx::query_scalar(
        "select count(*) from job join message on message.id = job.subject
          where message.blob = $1 and state = 'queued' and (kind <> 'transcribe' or $2)",
    )
    .bind(blob)
    .bind(heard)
    .fetch_one(pool)
    .await?);
    Ok(queued > 0)
}

/// Jobs in the order they are due, the first thousand.
pub async fn list(db: &Db) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<ListedRow> = on!(&db.reader, pool => sqlx::query_as(
        "select id, kind, subject, attempts, due, leased_until, state, error
           from job order by due, id limit $1",
    )
    .bind(LONGEST_LIST)
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Listed::try_from).collect()
}

/// Jobs in the order they are due, from behind the one that is due then and has that id, `most` at
/// most; of one tenant's messages, or of all.
pub async fn page(
    db: &Db,
    tenant: Option<&TenantId>,
    after: (Timestamp, &str),
    most: u32,
) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<ListedRow> = on!(&db.reader, pool => sqlx::query_as(
        "select job.id, kind, subject, attempts, due, leased_until, state, error from job
          where (due, job.id) > ($1, $2)
            and ($3 = '' or exists (select 1 from message
                                      join mailbox on mailbox.id = message.mailbox
                                     where message.id = job.subject and mailbox.tenant = $3))
          order by due, job.id limit $4",
    )
    .bind(after.0.0)
    .bind(after.1)
    .bind(tenant.map_or("", |it| &it.0))
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?);
    rows.into_iter().map(Listed::try_from).collect()
}

/// The job of this id, if it is about a message of this tenant; whoever acts for the house names none.
pub async fn get(
    db: &Db,
    tenant: Option<&TenantId>,
    id: &str,
) -> Result<Option<Listed>, StoreError> {
    let row: Option<ListedRow> = on!(&db.reader, pool => sqlx::query_as(
        "select job.id, kind, subject, attempts, due, leased_until, state, error from job
          where job.id = $1
            and ($2 = '' or exists (select 1 from message
                                      join mailbox on mailbox.id = message.mailbox
                                     where message.id = job.subject and mailbox.tenant = $2))",
    )
    .bind(id)
    .bind(tenant.map_or("", |it| &it.0))
    .fetch_optional(pool)
    .await?);
    row.map(Listed::try_from).transpose()
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Transcribe, Self::Translate, Self::Notify, Self::Copy];

    /// The word used in SQL and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Transcribe => "transcribe",
            Kind::Translate => "translate",
            Kind::Notify => "notify",
            Kind::Copy => "copy",
        }
    }
}

fn shortened(error: &str) -> String {
    super::clipped(error, LONGEST_ERROR)
}

#[derive(FromRow)]
struct Row {
    id: String,
    kind: String,
    subject: String,
    attempts: i64,
}

#[derive(FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    job: Row,
    due: i64,
    leased_until: i64,
    state: String,
    error: Option<String>,
}

impl TryFrom<Row> for Job {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let kind = Kind::ALL.into_iter().find(|it| it.as_str() == row.kind);
        let unreadable = StoreError::Unreadable { wanted: "kind of job", found: row.kind };
        Ok(Job {
            id: row.id,
            kind: kind.ok_or(unreadable)?,
            subject: super::messages::id(row.subject)?,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        })
    }
}

impl TryFrom<ListedRow> for Listed {
    type Error = StoreError;

    fn try_from(row: ListedRow) -> Result<Self, StoreError> {
        Ok(Listed {
            job: row.job.try_into()?,
            due: Timestamp(row.due),
            leased_until: Timestamp(row.leased_until),
            buried: row.state == "buried",
            error: row.error,
        })
    }
}
