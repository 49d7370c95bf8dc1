//! Work after the call, one kind of worker for each kind of job.
//!
//! A worker claims the next due job, does it, and says how it went; between jobs it waits for the
//! bell or for the next due time. What a worker holds when the server dies comes back when its
//! lease ends, so everything here may happen twice.

mod notify;
mod transcribe;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::speech::Readiness;
use crate::store::StoreError;
use crate::store::jobs::{self, Job, Kind};

/// How many mails are on their way at once.
const MAILERS: usize = 4;
/// Longest wait between two looks at the table, should a bell ever be missed.
const LOOK: Duration = Duration::from_secs(30);
/// How long a worker holds a job before somebody else may take it.
const LEASE: Duration = Duration::from_secs(300);

/// A job that failed this often for reasons of our own (a missing file, say) is left to an operator.
const ATTEMPTS: u32 = 50;

/// How a job went.
enum Outcome {
    Done,
    /// Try again after this long.
    Later(Duration, String),
    /// Nobody can do it; an operator may look.
    Hopeless(String),
}

/// Runs all workers until `stop` says so. A job under way is finished first; a transcription is
/// not waited for, it comes back with its lease.
pub async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let mut workers = JoinSet::new();
    for _ in 0..MAILERS {
        workers.spawn(work(app.clone(), Kind::Notify, stop.clone()));
    }
    for _ in 0..app.config.speech.workers.max(1) {
        let (app, mut stop) = (app.clone(), stop.clone());
        workers.spawn(async move {
            let stopped = stop.clone();
            tokio::select! {
                () = work(app, Kind::Transcribe, stopped) => {}
                _ = stop.wait_for(|it| *it) => {}
            }
        });
    }
    stop.wait_for(|it| *it).await.ok();
    workers.join_all().await;
}

async fn work(app: App, kind: Kind, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let bell = app.bell.notified();
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
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|it| *it) => {}
        }
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
    let outcome = match kind {
        Kind::Transcribe => transcribe::run(app, &job).await,
        Kind::Notify => notify::run(app, &job).await,
    };
    let outcome = outcome.unwrap_or_else(|error| match job.attempts {
        ..ATTEMPTS => Outcome::Later(backoff(&job), format!("{error:#}")),
        _ => Outcome::Hopeless(format!("{error:#}")),
    });
    settle(app, &job, outcome).await?;
    Ok(true)
}

async fn settle(app: &App, job: &Job, outcome: Outcome) -> Result<(), StoreError> {
    let kind = job.kind.as_str();
    let held = match outcome {
        Outcome::Done => jobs::finish(&app.db, job).await?,
        Outcome::Later(wait, error) => {
            tracing::warn!(message = %job.subject, attempt = job.attempts, "{kind}: {error}; \
                trying again in {} s", wait.as_secs());
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

fn backoff(job: &Job) -> Duration {
    jobs::backoff(job.attempts, rand::random())
}

async fn until_due(app: &App, kind: Kind) -> Option<Duration> {
    let due = jobs::next_due(&app.db, kind).await.ok().flatten()?;
    let wait = due.0.saturating_sub(app.clock.now().0).max(10);
    // A due job that nobody may claim (no model yet) must not make this a busy loop.
    let wait = if wait == 10 && kind == Kind::Transcribe { 1_000 } else { wait };
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(LOOK))
}
