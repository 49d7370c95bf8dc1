//! A sound file of any kind to what callers can hear: samples of a greeting, or a track of music.
//! Read are MP3, AAC, Ogg Vorbis, Opus, FLAC, ALAC, AIFF, WAV and what telephones write ([`RawKind`]).
//!
//! Files come from strangers, so each is decoded in a worker process of its own ([`worker`]), with
//! limits on memory, processor time and time. What comes back has one channel, is as loud as the
//! prompts, and no longer than [`LONGEST`] or [`LONGEST_MUSIC`]: counted, whatever its header says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod container;
mod intake;
mod kinds;
pub mod live;
mod opus;
mod plain;
mod raw;
mod sound;
pub mod worker;

pub use raw::RawKind;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;

use crate::audio::music::Music;
use crate::worker::{self as workers, Call, Desk, Limits, WorkerError};

/// Samples a second of what comes out: twice as fine as most telephones speak.
pub const RATE: u32 = 16_000;
/// Longest sound that is taken.
pub const LONGEST: Duration = Duration::from_secs(300);
/// Largest file that is taken, in bytes.
pub const LARGEST: usize = 32 << 20;
/// Longest track of music that is taken.
pub const LONGEST_MUSIC: Duration = Duration::from_secs(30 * 60);
/// Largest file of music that is taken, in bytes.
pub const LARGEST_MUSIC: usize = 64 << 20;

/// Processes at a time.
const WORKERS: usize = 2;
/// Files that may wait for one.
const QUEUE: usize = 16;
/// A file is given up after this long, even on a machine that is busy with calls.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for music, of which there is more and which is encoded, too.
const PATIENCE_MUSIC: Duration = Duration::from_secs(15 * 60);

/// Reads sound files, a few at a time; the clones share one queue for greetings and one for music.
#[derive(Debug, Clone)]
pub struct Reader {
    greetings: Arc<Desk>,
    music: Arc<Desk>,
}

/// Why a file became no sound. It goes on where the name of the file ends.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is something wrong with it; the sentence says what, and what helps.
    #[error("{0}")]
    Unfit(String),
    /// More than [`LARGEST`] or [`LARGEST_MUSIC`], in bytes.
    #[error("is larger than {} MiB; send a shorter one, or an MP3", .0 >> 20)]
    TooLarge(usize),
    /// The decoder used up what it may use, or fell.
    #[error("is too much for the decoder ({0}); convert it to a plain WAV file")]
    TooMuch(String),
    /// The decoder was stopped, or not started, by something else than the file.
    #[error("could not be read to its end ({0}); try again in a minute")]
    Stopped(String),
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
        matches!(self, Self::Busy { .. } | Self::Stopped(_))
    }
}

impl Reader {
    /// `program` is run as `PROGRAM worker decode` and `PROGRAM worker music`; nothing is started
    /// before it is needed.
    pub fn new(program: PathBuf) -> Self {
        let limits = Limits {
            workers: WORKERS,
            queue: QUEUE,
            longest_job: PATIENCE,
            // Nothing of one stranger's file is left when the next one comes.
            jobs_per_worker: 1,
        };
        // One at a time: each takes a processor for a minute, and nobody waits on the telephone.
        let music = Limits { workers: 1, longest_job: PATIENCE_MUSIC, ..limits };
        Self {
            greetings: Arc::new(Desk::new(limits, program.clone())),
            music: Arc::new(Desk::new(music, program)),
        }
    }

    /// The sound in a file, at [`RATE`]. Dropping the future ends the work.
    pub async fn read(&self, file: &[u8]) -> Result<Vec<i16>, DecodeError> {
        if file.len() > LARGEST {
            return Err(DecodeError::TooLarge(LARGEST));
        }
        let _place = self.greetings.place().map_err(DecodeError::from)?;
        let call = Call(vec!["decode".into()]);
        let ((), body) = self.greetings.serve(&call, &(), file).await?;
        Ok(workers::samples(&body))
    }

    /// The music in a file: as loud as all other, and encoded for every codec. `kind` is what the
    /// file's name says of one that has no mark of its own; a file that has one is believed more.
    /// `progress` hears how far it is, in per cent, and never less than before. Dropping the future
    /// ends the work.
    pub async fn music(
        &self,
        file: &[u8],
        kind: Option<RawKind>,
        progress: impl Fn(u8) + Send + Sync,
    ) -> Result<Music, DecodeError> {
        if file.len() > LARGEST_MUSIC {
            return Err(DecodeError::TooLarge(LARGEST_MUSIC));
        }
        let _place = self.music.place().map_err(DecodeError::from)?;
        let call = Call(vec!["music".into()]);
        let ((), body) = self.music.serve_telling(&call, &kind, file, &progress).await?;
        // What it sent is its own doing, so this is no fault of the file's.
        Music::read(&body).map_err(|error| DecodeError::TooMuch(error.to_string()))
    }
}

impl Reader {
    /// Decodes live sound as it comes: see [`live::PIECE`].
    ///
    /// # Errors
    /// Why it can be decoded no further; that it ended is one, too.
    pub async fn relay<E>(
        &self,
        sound: impl Stream<Item = Result<Bytes, E>>,
        pieces: &mpsc::Sender<Vec<i16>>,
    ) -> Result<(), DecodeError> {
        live::relay(self.greetings.program(), sound, pieces).await
    }
}

impl From<WorkerError> for DecodeError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Busy { waiting } => Self::Busy { waiting },
            WorkerError::Failed(why) => Self::Unfit(why),
            // Its processor time is limited as well: it waited for others.
            WorkerError::Refused(_) | WorkerError::TimedOut(_) => Self::Stopped(error.to_string()),
            WorkerError::Lost { ending, from_outside: true, .. } => Self::Stopped(ending),
            WorkerError::Lost { ending, .. } => Self::TooMuch(ending),
        }
    }
}
