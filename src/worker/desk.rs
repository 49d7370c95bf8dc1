//! The queue, and the workers behind it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::WorkerError;
use super::hand::Hand;

/// Has work done by worker processes of one kind, a few at a time.
#[derive(Debug)]
pub(crate) struct Desk {
    limits: Limits,
    /// Our own executable, which also is the worker.
    program: PathBuf,
    /// Places for those who wait and those who are served.
    places: Semaphore,
    /// Workers that may run at a time.
    seats: Semaphore,
    /// Workers with nothing to do.
    idle: Mutex<Vec<Hand>>,
}

/// What a desk allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Worker processes at most.
    pub(crate) workers: usize,
    /// How many may wait for one.
    pub(crate) queue: usize,
    /// A job that takes longer is given up.
    pub(crate) longest_job: Duration,
    /// A worker is replaced after so many.
    pub(crate) jobs_per_worker: u32,
}

/// How a worker is started: two with the same call do the same work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call(pub(crate) Vec<OsString>);

impl Desk {
    /// What is run.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// `program` is run as `PROGRAM worker ...`; nothing is started before it is needed.
    pub(crate) fn new(limits: Limits, program: PathBuf) -> Self {
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
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>, WorkerError> {
        let busy = |_| WorkerError::Busy { waiting: self.limits.queue };
        self.places.try_acquire().map_err(busy)
    }

    /// Waits for a seat and has the job done there; a worker that failed is not seen again.
    pub(crate) async fn serve<T: DeserializeOwned>(
        &self,
        call: &Call,
        job: &impl Serialize,
        body: &[u8],
    ) -> Result<(T, Vec<u8>), WorkerError> {
        self.serve_telling(call, job, body, &|_| ()).await
    }

    /// The same; `told` hears how far the job is, in per cent.
    pub(crate) async fn serve_telling<T: DeserializeOwned>(
        &self,
        call: &Call,
        job: &impl Serialize,
        body: &[u8],
        told: &(dyn Fn(u8) + Send + Sync),
    ) -> Result<(T, Vec<u8>), WorkerError> {
        let longest = self.limits.longest_job;
        let _seat = self.seats.acquire().await.map_err(|closed| WorkerError::Lost {
            ending: "nobody works here any more".to_owned(),
            from_outside: true,
            cause: std::io::Error::other(closed),
        })?;
        let (hand, answer) = tokio::time::timeout(longest, async {
            let mut hand = match self.fetch(call) {
                Some(idle) => idle,
                None => Hand::hire(&self.program, call).await?,
            };
            let answer = hand.ask(job, body, told).await?;
            Ok((hand, answer))
        })
        .await
        .unwrap_or(Err(WorkerError::TimedOut(longest)))?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(hand);
        // Whoever works with another model now makes room.
        let surplus = idle.len().saturating_sub(self.limits.workers.max(1));
        idle.drain(..surplus);
        Ok(answer)
    }

    /// A worker that waits, if it may do another job of this kind.
    fn fetch(&self, call: &Call) -> Option<Hand> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().rposition(|it| it.answers(call))?;
        let mut hand = idle.remove(at);
        hand.fit(self.limits.jobs_per_worker).then_some(hand)
    }
}
