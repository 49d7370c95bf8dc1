//! The queue, and the workers behind it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::SpeechError;
use super::frame::Answer;
use super::scribe::Scribe;

/// Has work done by worker processes of one kind, a few at a time.
#[derive(Debug)]
pub(super) struct Desk {
    limits: Limits,
    /// Our own executable, which also is the worker.
    program: PathBuf,
    /// Places for those who wait and those who are served.
    places: Semaphore,
    /// Workers that may run at a time.
    seats: Semaphore,
    /// Workers with nothing to do.
    idle: Mutex<Vec<Scribe>>,
}

/// What a desk allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Worker processes at most.
    pub(super) workers: usize,
    /// How many may wait for one.
    pub(super) queue: usize,
    /// A job that takes longer is given up.
    pub(super) longest_job: Duration,
    /// A worker is replaced after so many.
    pub(super) jobs_per_worker: u32,
}

/// How a worker is started: two with the same call do the same work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call(pub(super) Vec<OsString>);

impl Desk {
    /// `program` is run as `PROGRAM worker ...`; nothing is started before it is needed.
    pub(super) fn new(limits: Limits, program: PathBuf) -> Self {
        let workers = limits.workers.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = limits.queue.min(Semaphore::MAX_PERMITS / 2);
        Self {
            limits,
            program,
            places: Semaphore::new(waiting + workers),
            seats: Semaphore::new(workers),
            idle: Mutex::default(),
        }
    }

    /// A place among those who wait or are served, if there is one.
    pub(super) fn place(&self) -> Result<SemaphorePermit<'_>, SpeechError> {
        let busy = |_| SpeechError::Busy { waiting: self.limits.queue };
        self.places.try_acquire().map_err(busy)
    }

    /// Waits for a seat and has the job done there; a worker that failed is not seen again.
    pub(super) async fn serve(
        &self,
        call: &Call,
        job: &impl Serialize,
        body: &[u8],
    ) -> Result<Answer, SpeechError> {
        let longest = self.limits.longest_job;
        let _seat = self.seats.acquire().await.map_err(|closed| SpeechError::Lost {
            ending: "nobody works here any more".to_owned(),
            cause: std::io::Error::other(closed),
        })?;
        let (scribe, answer) = tokio::time::timeout(longest, async {
            let mut scribe = match self.fetch(call) {
                Some(idle) => idle,
                None => Scribe::hire(&self.program, call).await?,
            };
            let answer = scribe.ask(job, body).await?;
            Ok((scribe, answer))
        })
        .await
        .unwrap_or(Err(SpeechError::TimedOut(longest)))?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(scribe);
        // Whoever works with another model now makes room.
        let surplus = idle.len().saturating_sub(self.limits.workers.max(1));
        idle.drain(..surplus);
        Ok(answer)
    }

    /// A worker that waits, if it may do another job of this kind.
    fn fetch(&self, call: &Call) -> Option<Scribe> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().rposition(|it| it.answers(call))?;
        let mut scribe = idle.remove(at);
        scribe.fit(self.limits.jobs_per_worker).then_some(scribe)
    }
}
