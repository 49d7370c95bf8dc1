//! Work after the call, one kind of worker for each kind of job.
//!
//! A worker claims the next due job, does it, and says how it went; between jobs it waits for the
//! bell or for the next due time. It renews its lease while it works, and stops when the job is no
//! longer its own. What it holds when the server dies comes back when the lease ends, so everything
//! here may happen twice.

mod copy;
mod locks;
mod music;
mod notify;
pub mod remains;
mod sweep;
mod transcribe;
mod translate;
mod upload;
pub mod words;

pub use sweep::{MOST as MOST_AT_ONCE, SweepError, sweep, tidy};

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::bell::Matter;
use crate::clock::Clock;
use crate::mailbox::Timestamp;
use crate::speech::Readiness;
use crate::store::jobs::{self, Job, Kind};
use crate::store::{Db, StoreError};

/// How many mails are on their way at once.
const MAILERS: usize = 4;
/// Longest wait between two looks at the table, should a bell ever be missed.
const LOOK: Duration = Duration::from_secs(30);
/// How long a job stays with a worker that no longer renews its lease.
const LEASE: Duration = Duration::from_secs(300);

/// A job that failed this often for reasons of our own (a missing file, say) is left to an operator.
const ATTEMPTS: u32 = 50;
/// How much longer than a mail server's delays our own faults are borne with.
const SPARE: Duration = Duration::from_secs(24 * 3_600);

/// Work without a job row: a round whenever its bell rings, and every [`LOOK`] besides, until `stop` says
/// so. A round is told how many before it failed; after a failure the next waits, from `pause` on.
async fn rounds<E, Round: Future<Output = Result<(), E>>>(
    app: App,
    matter: Matter,
    mut stop: watch::Receiver<bool>,
    pause: Duration,
    round: impl Fn(App, u32) -> Round,
    complain: impl Fn(&E, Duration),
) {
    let work = async {
        let mut failed = 0;
        loop {
            let bell = app.bell.rung(matter);
            match round(app.clone(), failed).await {
                Ok(()) => {
                    failed = 0;
                    tokio::select! {
                        () = bell => {}
                        // Bells do not ring for what another process does.
                        () = tokio::time::sleep(LOOK) => {}
                    }
                }
                Err(error) => {
                    failed += 1;
                    let wait = jobs::backoff(pause, failed, rand::random());
                    complain(&error, wait);
                    // Whatever failed is given time, whoever rings.
                    tokio::time::sleep(wait).await;
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|it| *it) => {}
    }
}

/// How a job went.
enum Outcome {
    Done,
    /// Try again after this long.
    Later(Duration, String),
    /// Nobody can do it; an operator may look.
    Hopeless(String),
}

/// Runs all workers until `stop` says so. A job under way is finished first; a transcription or a
/// translation is not waited for, it comes back with its lease.
pub async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let mut workers = JoinSet::new();
    workers.spawn(work(app.clone(), Kind::Copy, stop.clone()));
    for _ in 0..MAILERS {
        workers.spawn(work(app.clone(), Kind::Notify, stop.clone()));
    }
    let (ears, pens) = (app.config.speech.workers, app.config.translation.workers);
    for (kind, count) in [(Kind::Transcribe, ears), (Kind::Translate, pens)] {
        for _ in 0..count.max(1) {
            let (app, mut stop) = (app.clone(), stop.clone());
            workers.spawn(async move {
                let stopped = stop.clone();
                tokio::select! {
                    () = work(app, kind, stopped) => {}
                    _ = stop.wait_for(|it| *it) => {}
                }
            });
        }
    }
    workers.spawn(locks::run(app.clone(), stop.clone()));
    workers.spawn(music::run(app.clone(), stop.clone()));
    workers.spawn(upload::run(app.clone(), stop.clone()));
    workers.spawn(sweep::run(app, stop.clone()));
    stop.wait_for(|it| *it).await.ok();
    workers.join_all().await;
}

async fn work(app: App, kind: Kind, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let bell = app.bell.rung(matter(kind));
        let wait = match turn(&app, kind).await {
            Ok(true) => continue,
            Ok(false) => until_due(&app, kind).await.unwrap_or(LOOK),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the job table failed");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = bell => {}
            // Until the next is due.
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|it| *it) => {}
        }
    }
}

/// What there is to do when there is a job of that kind.
pub fn matter(kind: Kind) -> Matter {
    match kind {
        Kind::Transcribe => Matter::Transcripts,
        Kind::Translate => Matter::Translations,
        Kind::Notify => Matter::Letters,
        Kind::Copy => Matter::Copies,
    }
}

/// Does one job; `false` if none is due.
async fn turn(app: &App, kind: Kind) -> Result<bool, StoreError> {
    // Jobs wait in the table until there is a model; nothing is lost by not claiming them.
    if kind == Kind::Transcribe && !matches!(app.speech.readiness(), Readiness::Ready { .. }) {
        return Ok(false);
    }
    let Some(job) = jobs::claim(&app.db, kind, app.clock.now(), LEASE).await? else {
        return Ok(false);
    };
    let work = async {
        match kind {
            Kind::Transcribe => transcribe::run(app, &job).await,
            Kind::Translate => translate::run(app, &job).await,
            Kind::Notify => notify::run(app, &job).await,
            Kind::Copy => copy::run(app, &job).await,
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = hold(&app.db, &app.clock, &job, LEASE) => {
            tracing::debug!(message = %job.subject, "{} is no longer ours", kind.as_str());
            return Ok(true);
        }
    };
    let outcome = outcome.unwrap_or_else(|error| match is_hopeless(&job, app.clock.now()) {
        false => Outcome::Later(backoff(app, &job), format!("{error:#}")),
        true => Outcome::Hopeless(format!("{error:#}")),
    });
    settle(app, &job, outcome).await?;
    Ok(true)
}

/// Whether a job that failed for a reason of our own is left to an operator. What a mail server put
/// off counts among the attempts at a mail too, so there its age must say the same.
fn is_hopeless(job: &Job, now: Timestamp) -> bool {
    let is_old = || job.since().is_none_or(|it| it + notify::PATIENCE + SPARE < now);
    job.attempts >= ATTEMPTS && (job.kind != Kind::Notify || is_old())
}

/// Keeps a claimed job for as long as this is waited for, renewing its lease in good time; ends
/// only when the job was lost, to another worker or with its message.
pub async fn hold(db: &Db, clock: &Clock, job: &Job, lease: Duration) {
    loop {
        // Two renewals may fail before the lease ends.
        tokio::time::sleep(lease / 3).await;
        match jobs::renew(db, job, clock.now() + lease).await {
            Ok(true) => {}
            Ok(false) => return,
            // There is time for another try before the lease ends.
            Err(error) => tracing::warn!(
                message = %job.subject,
                error = &error as &dyn std::error::Error,
                "a lease could not be renewed"
            ),
        }
    }
}

async fn settle(app: &App, job: &Job, outcome: Outcome) -> Result<(), StoreError> {
    let kind = job.kind.as_str();
    let held = match outcome {
        Outcome::Done => jobs::finish(&app.db, job).await?,
        Outcome::Later(wait, error) => {
            tracing::warn!(message = %job.subject, attempt = job.attempts, "{kind}: {error}; \
                trying again in {:.1} s", wait.as_secs_f64());
            jobs::retry(&app.db, job, &error, app.clock.now() + wait).await?
        }
        Outcome::Hopeless(error) => {
            tracing::error!(message = %job.subject, "{kind}: {error}; given up");
            jobs::bury(&app.db, job, &error).await?
        }
    };
    metrics::counter!("afterbeep_jobs_total", "kind" => kind).increment(1);
    if !held {
        tracing::debug!(message = %job.subject, "{kind}: somebody else has taken this job over");
    }
    Ok(())
}

fn backoff(app: &App, job: &Job) -> Duration {
    jobs::backoff(app.config.mail.retry_first, job.attempts, rand::random())
}

async fn until_due(app: &App, kind: Kind) -> Option<Duration> {
    let due = jobs::next_due(&app.db, kind).await.ok().flatten()?;
    let wait = due.0.saturating_sub(app.clock.now().0).max(10);
    // A due job that nobody may claim (no model yet) must not make this a busy loop.
    let wait = if wait == 10 && kind == Kind::Transcribe { 1_000 } else { wait };
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(LOOK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::MessageId;

    #[test]
    fn what_mail_servers_put_off_for_days_uses_up_no_patience_with_our_own_faults() {
        let hours = |it: u64| Timestamp(1_795_440_727_000) + Duration::from_secs(it * 3_600);
        let lost = |kind: Kind, attempts: u32, at: Timestamp| {
            let subject = MessageId(uuid::Uuid::nil());
            let id = format!("{}:{subject}:{}", kind.as_str(), hours(0).0);
            is_hopeless(&Job { id, kind, subject, attempts }, at)
        };
        for (kind, attempts, at, is) in [
            (Kind::Copy, 49, hours(1_000), false),
            (Kind::Copy, 50, hours(1), true),
            (Kind::Notify, 50, hours(1), false),
            (Kind::Notify, 100, hours(4 * 24 + 23), false),
            (Kind::Notify, 100, hours(5 * 24 + 1), true),
            // The server was switched off all the time.
            (Kind::Notify, 1, hours(1_000), false),
        ] {
            assert_eq!(lost(kind, attempts, at), is, "{kind:?}, {attempts} attempts");
        }
    }
}
