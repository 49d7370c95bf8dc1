//! Translation: a transcript in, the same in another language out, with its numbers compared.
//!
//! The engine is a model in a worker process of ours, a service over HTTP, or a program of the
//! operator's. Whichever it is: it is a machine, its answer has bounds, and the original stands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod command;
#[cfg(feature = "translation")]
pub(super) mod engine;
#[cfg(not(feature = "translation"))]
#[path = "without.rs"]
pub(super) mod engine;
mod local;
mod settings;
mod web;

pub use settings::{Engine, Settings};

use super::service::ServiceError;
use super::{SpeechError, recogniser::UNDETERMINED};
use crate::mailbox::{Transcript, Translation, numbers};
use local::Local;
use web::Web;

/// Translates transcripts, a few at a time; the clones share one queue.
#[derive(Debug, Clone)]
pub struct Translator(Arc<Means>);

#[derive(Debug)]
enum Means {
    Local(Local),
    Web(Web),
    Command(Settings),
}

/// Longest text that is translated, in bytes: more than an hour of speech has.
pub const LONGEST: usize = 100_000;

/// Why a transcript was not translated.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// There is no way from this language to that.
    #[error(
        "the translation model {pair} is missing; fetch it with `afterbeep model fetch {pair}`"
    )]
    NoModel {
        /// Both languages, e.g. `en-fr`.
        pair: String,
    },
    /// No command is set for these languages.
    #[error("no translation command is set for {pair}")]
    NoCommand {
        /// Both languages, e.g. `en-fr`.
        pair: String,
    },
    /// The program was built without the feature `translation`.
    #[error("this program was built without translation")]
    Disabled,
    /// Longer than [`LONGEST`].
    #[error("a text of {0} bytes is not translated")]
    TooLong(usize),
    /// The worker.
    #[error(transparent)]
    Worker(#[from] SpeechError),
    /// The service.
    #[error("translation: {0}")]
    Service(#[from] ServiceError),
    /// The command could not be run, or failed.
    #[error("the translation command failed ({0})")]
    Command(String),
    /// It took longer than it may.
    #[error("translating took longer than {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// What came back cannot be a translation: nothing, or far too much.
    #[error("what the translation engine answered is no translation ({0} bytes)")]
    Odd(usize),
}

impl TranslateError {
    /// Whether the same text may be translated when tried again later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Worker(error) => error.is_temporary(),
            Self::Service(error) => error.is_temporary(),
            Self::TimedOut(_) | Self::Command(_) => true,
            Self::NoModel { .. }
            | Self::NoCommand { .. }
            | Self::Disabled
            | Self::TooLong(_)
            | Self::Odd(_) => false,
        }
    }
}

impl Translator {
    /// `models` is the folder of the models and `program` our own executable, which also is the
    /// worker. Nothing is started or asked before it is needed.
    pub fn new(settings: Settings, models: PathBuf, program: PathBuf) -> Self {
        Self(Arc::new(match settings.engine {
            Engine::Local => Means::Local(Local::new(&settings, models, program)),
            Engine::LibreTranslate | Engine::DeepL => Means::Web(Web::new(&settings)),
            Engine::Command => Means::Command(settings),
        }))
    }

    /// Whether a transcript is to be translated at all: something was said, and not in the wanted
    /// language already.
    pub fn is_needed(transcript: &Transcript, to: &str) -> bool {
        let spoken = base(&transcript.language);
        !transcript.segments.is_empty() && spoken != UNDETERMINED && spoken != base(to)
    }

    /// Translates all that was said into a language (ISO 639-1, with a region or without).
    ///
    /// Dropping the future ends the work.
    pub async fn translate(
        &self,
        transcript: &Transcript,
        to: &str,
    ) -> Result<Translation, TranslateError> {
        let original = transcript.text();
        if original.len() > LONGEST {
            return Err(TranslateError::TooLong(original.len()));
        }
        let from = base(&transcript.language);
        let (answer, engine) = match &*self.0 {
            Means::Local(local) => local.translate(&original, &from, &base(to)).await?,
            Means::Web(web) => web.translate(&original, &from, to).await?,
            Means::Command(settings) => {
                command::translate(settings, &original, &from, &base(to)).await?
            }
        };
        let text = one_line(&answer);
        if text.is_empty() || text.len() > bound(&original) {
            return Err(TranslateError::Odd(answer.len()));
        }
        let language = to.to_owned();
        let said = numbers::Said { text: &original, language: &transcript.language };
        let difference = numbers::differ(said, numbers::Said { text: &text, language: to });
        Ok(Translation { language, text, engine, difference })
    }
}

/// The longest a translation of this may be: languages differ, and short texts most.
fn bound(original: &str) -> usize {
    1_000 + 6 * original.len()
}

/// A language without its region, in lower case.
fn base(language: &str) -> String {
    language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// Without control characters, with single spaces.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
