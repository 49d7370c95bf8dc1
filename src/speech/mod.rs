//! Transcription, translation and synthesis: samples in, words out, words in another language, and
//! words spoken.
//!
//! A [`Recogniser`] listens first whether anybody speaks at all, then hands the message to a worker
//! process ([`worker`]) that keeps the model loaded; a [`Translator`] hands on what was understood, and a
//! [`Synthesiser`] speaks what was written.
//! Nothing leaves the machine unless the settings name a service elsewhere. [`model::fetch`]
//! reaches for the network too, but only an operator calls it.

use std::path::PathBuf;
use std::time::Duration;

pub mod model;
mod program;
mod recogniser;
pub mod remote;
mod service;
mod settings;
pub mod synthesis;
pub mod tags;
pub mod translate;
#[cfg(feature = "whisper")]
mod whisper;
#[cfg(not(feature = "whisper"))]
mod without;
pub mod worker;

pub use recogniser::Recogniser;
pub use service::ServiceError;
pub use settings::Settings;
pub use synthesis::Synthesiser;
pub use translate::Translator;

use crate::worker::WorkerError;

/// Samples a second the engine listens at.
pub const RATE: u32 = 16_000;

/// The longest message that is transcribed.
pub const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Whether messages can be transcribed, and what is missing if not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They can.
    Ready {
        /// What writes them down, e.g. `whisper base`.
        model: String,
    },
    /// The model is not where it should be.
    NoModel {
        /// Its name.
        name: String,
        /// Where its file is looked for.
        path: PathBuf,
        /// What an operator types to get it.
        command: String,
    },
    /// The program was built without the feature `whisper`.
    Disabled,
}

/// Why a message was not transcribed.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// Too many messages are waiting already.
    #[error("{waiting} messages wait for a worker already")]
    Busy {
        /// How many may wait.
        waiting: usize,
    },
    /// See [`Readiness::NoModel`].
    #[error("the speech model {name} is missing: {path} does not exist; fetch it with `{command}`")]
    NoModel {
        /// Its name.
        name: String,
        /// Where its file is looked for.
        path: PathBuf,
        /// What an operator types to get it.
        command: String,
    },
    /// See [`Readiness::Disabled`].
    #[error("this program was built without speech recognition")]
    Disabled,
    /// Longer than [`LONGEST`], or at a rate nobody speaks at.
    #[error("a message of {samples} samples at {rate} a second cannot be transcribed")]
    Unfit {
        /// How many there are.
        samples: usize,
        /// How many of them make a second.
        rate: u32,
    },
    /// The worker could not load the model.
    #[error("the speech worker refused to start: {0}")]
    Refused(String),
    /// The engine could make nothing of this message.
    #[error("the speech engine failed: {0}")]
    Failed(String),
    /// The worker took longer than `longest_job` allows, and was ended.
    #[error("the work took longer than {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The service that is set could not do it.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The worker could not be started, or ended in the middle of its work.
    #[error("the speech worker was lost ({ending})")]
    Lost {
        /// How it ended, as far as known.
        ending: String,
        /// What was noticed.
        #[source]
        cause: std::io::Error,
    },
}

impl From<WorkerError> for SpeechError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Busy { waiting } => Self::Busy { waiting },
            WorkerError::Refused(why) => Self::Refused(why),
            WorkerError::Failed(why) => Self::Failed(why),
            WorkerError::TimedOut(longest) => Self::TimedOut(longest),
            WorkerError::Lost { ending, cause, .. } => Self::Lost { ending, cause },
        }
    }
}

impl SpeechError {
    /// Whether the same message may be transcribed when tried again later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::TimedOut(_) | Self::Lost { .. } => true,
            Self::Service(error) => error.is_temporary(),
            _ => false,
        }
    }

    /// Whether it is the house that fails, not this message: every other would fare the same until
    /// an operator has helped.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::NoModel { .. } | Self::Disabled | Self::Refused(_) => true,
            Self::Service(error) => error.is_ours(),
            _ => false,
        }
    }
}
