//! Work in processes of our own: native code and strangers' bytes, at arm's length.
//!
//! A worker is this same program, started as `afterbeep worker ...`. It gives up all it does not
//! need (`serve`), is asked over its pipes (`frame`), a few at a time (`Desk`), and may die:
//! that costs a retry or a refusal, never a call. What it is asked is the business of the edge that
//! starts it.

mod desk;
mod frame;
mod hand;
mod serve;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use desk::{Call, Desk, Limits};
pub(crate) use serve::serve;

/// What a worker says. A body may follow what is done, and nothing else. While it works it may say
/// how far it is, as often as it likes.
#[derive(Debug, Serialize, Deserialize)]
enum Answer<T> {
    /// It has what it needs, jobs may come.
    Ready,
    /// There will be no jobs; the worker ends.
    Refused(String),
    /// So many per cent of the job are done.
    Underway(u8),
    /// The job is done.
    Done(T),
    /// Nothing came of this job.
    Failed(String),
}

/// Why nothing came of a job.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Too many jobs are waiting already.
    #[error("{waiting} jobs wait for a worker already")]
    Busy {
        /// How many may wait.
        waiting: usize,
    },
    /// The worker lacks something, and said what.
    #[error("the worker refused to start: {0}")]
    Refused(String),
    /// The worker could make nothing of this job.
    #[error("the worker failed: {0}")]
    Failed(String),
    /// It took longer than it may, and was ended.
    #[error("the work took longer than {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The worker could not be started, or ended in the middle of its work.
    #[error("the worker was lost ({ending})")]
    Lost {
        /// How it ended, as far as known.
        ending: String,
        /// That is nothing the job did: it could not be started, or was told to end from outside, as a
        /// system that stops tells all of a service.
        from_outside: bool,
        /// What was noticed.
        #[source]
        cause: std::io::Error,
    },
}

/// Samples as they go over the pipe: 16 bits, little-endian.
pub(crate) fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|it| it.to_le_bytes()).collect()
}

/// Samples as they come over the pipe.
pub(crate) fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}
