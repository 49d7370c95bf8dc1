//! A sound file of any kind to samples that callers can hear: MP3, AAC, Ogg Vorbis, Opus, FLAC,
//! ALAC, AIFF and WAV.
//!
//! Files come from strangers, so each is decoded in a worker process of its own ([`worker`]), with
//! limits on memory, processor time and time. What comes back has one channel at [`RATE`], is as
//! loud as the prompts, and no longer than [`LONGEST`]: counted, whatever its header says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod kinds;
mod opus;
mod sound;
pub mod worker;

use crate::worker::{self as workers, Call, Desk, Limits, WorkerError};

/// Samples a second of what comes out: twice as fine as most telephones speak.
pub const RATE: u32 = 16_000;
/// Longest sound that is taken.
pub const LONGEST: Duration = Duration::from_secs(300);
/// Largest file that is taken, in bytes.
pub const LARGEST: usize = 32 << 20;

/// Processes at a time.
const WORKERS: usize = 2;
/// Files that may wait for one.
const QUEUE: usize = 16;
/// A file is given up after this long, even on a machine that is busy with calls.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads sound files, a few at a time; the clones share one queue.
#[derive(Debug, Clone)]
pub struct Reader(Arc<Desk>);

/// Why a file became no sound. It goes on where the name of the file ends.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is something wrong with it; the sentence says what, and what helps.
    #[error("{0}")]
    Unfit(String),
    /// More than [`LARGEST`].
    #[error("is larger than {} MiB; send a shorter one, or an MP3", LARGEST >> 20)]
    TooLarge,
    /// The decoder used up what it may use, or fell.
    #[error("is too much for the decoder ({0}); convert it to a plain WAV file")]
    TooMuch(String),
    /// Too many files are waiting.
    #[error("cannot be read now, for {waiting} files are waiting already; try again in a minute")]
    Busy {
        /// How many.
        waiting: usize,
    },
}

impl DecodeError {
    /// Whether the same file may be read when tried again later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

impl Reader {
    /// `program` is run as `PROGRAM worker decode`; nothing is started before it is needed.
    pub fn new(program: PathBuf) -> Self {
        let limits = Limits {
            workers: WORKERS,
            queue: QUEUE,
            longest_job: PATIENCE,
            // Nothing of one stranger's file is left when the next one comes.
            jobs_per_worker: 1,
        };
        Self(Arc::new(Desk::new(limits, program)))
    }

    /// The sound in a file, at [`RATE`]. Dropping the future ends the work.
    pub async fn read(&self, file: &[u8]) -> Result<Vec<i16>, DecodeError> {
        if file.len() > LARGEST {
            return Err(DecodeError::TooLarge);
        }
        let _place = self.0.place().map_err(DecodeError::from)?;
        let call = Call(vec!["decode".into()]);
        let ((), body) = self.0.serve(&call, &(), file).await?;
        Ok(workers::samples(&body))
    }
}

impl From<WorkerError> for DecodeError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Busy { waiting } => Self::Busy { waiting },
            WorkerError::Failed(why) => Self::Unfit(why),
            WorkerError::Refused(_) | WorkerError::TimedOut(_) => Self::TooMuch(error.to_string()),
            WorkerError::Lost { ending, .. } => Self::TooMuch(ending),
        }
    }
}
