//! Synthesis: a text in, a voice out, for greetings and names, and for sentences that lack a clip.
//!
//! The engine is Pico in a worker process of ours, a program of the operator's, or a service over
//! HTTP. What the latter two answer is a sound file of a stranger's, and handed on as one. What was
//! spoken is kept (`cache`), so that a text is spoken once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod cache;
mod pico;
mod settings;
mod web;

pub use pico::worker;
pub use settings::{Engine, Settings};

use super::program::{self, ProgramError};
use super::service::ServiceError;
use crate::worker::WorkerError;
use cache::Cache;
use web::Web;

/// Speaks texts, a few at a time; the clones share one queue.
#[derive(Debug, Clone)]
pub struct Synthesiser(Arc<Office>);

#[derive(Debug)]
struct Office {
    settings: Settings,
    cache: Cache,
    means: Means,
}

#[derive(Debug)]
enum Means {
    Pico(pico::Pico),
    Command(tokio::sync::Semaphore),
    Web(Web),
}

/// Longest text that is spoken, in characters: about two minutes.
pub const LONGEST: usize = 2_000;
/// Largest sound file that is taken from a program or a service, in bytes.
const LARGEST: usize = 32 << 20;
/// Longest name of a voice, in bytes.
const LONGEST_VOICE: usize = 64;

/// A text that can be spoken, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    text: String,
    language: String,
    voice: String,
}

/// What an engine made of a text.
#[derive(Debug)]
pub enum Spoken {
    /// Samples at [`RATE`](super::RATE).
    Samples(Vec<i16>),
    /// A sound file of some kind, that nobody has looked at yet.
    File(Vec<u8>),
}

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub enum SynthesisError {
    /// There is nothing in it to say.
    #[error("there is nothing to say in this text")]
    Empty,
    /// More than [`LONGEST`].
    #[error("a text of {0} characters is too long to be spoken; take {LONGEST} at most")]
    TooLong(usize),
    /// Nobody speaks it.
    #[error("{}", no_voice(language, there))]
    NoVoice {
        /// The language asked for.
        language: String,
        /// The voices there are, where they are known.
        there: String,
    },
    /// There is no voice of this name.
    #[error("there is no voice {voice:?}{}", among(there))]
    NoSuchVoice {
        /// What was asked for.
        voice: String,
        /// The voices there are, where they are known.
        there: String,
    },
    /// The engine failed on this text, such as a word without an end.
    #[error("the voice can make nothing of this text ({0}); say it in other words")]
    Unspeakable(String),
    /// The program was built without the feature `pico`.
    #[error(
        "this program was built without a voice (feature `pico`); set [synthesis] engine to command or http"
    )]
    Disabled,
    /// The worker.
    #[error("the voice failed")]
    Worker(#[from] WorkerError),
    /// The service.
    #[error("[synthesis] url: {0}")]
    Service(#[from] ServiceError),
    /// The command could not be run, or failed.
    #[error("the command in [synthesis] failed ({0})")]
    Command(String),
    /// It took longer than it may.
    #[error("speaking took longer than {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
}

impl SynthesisError {
    /// Whether it is the text, language or voice that cannot be, so that asking again helps nobody.
    pub fn is_askers(&self) -> bool {
        matches!(
            self,
            Self::Empty
                | Self::TooLong(_)
                | Self::NoVoice { .. }
                | Self::NoSuchVoice { .. }
                | Self::Unspeakable(_)
        )
    }
}

fn no_voice(language: &str, there: &str) -> String {
    match there {
        "" => format!("no voice is set for {language}; name one, or set it in [synthesis] voices"),
        there => format!(
            "there is no voice for {language}, only {there}; for another language set [synthesis] \
             engine to command or http"
        ),
    }
}

fn among(there: &str) -> String {
    if there.is_empty() { String::new() } else { format!("; there are {there}") }
}

impl Synthesiser {
    /// `kept` is the folder for what was spoken and for unpacked voices, and `program` our own executable, which also is the
    /// worker. Nothing is started, asked or made before it is needed.
    pub fn new(settings: Settings, kept: PathBuf, program: PathBuf) -> Self {
        let means = match settings.engine {
            Engine::Pico => Means::Pico(pico::Pico::new(&settings, kept.clone(), program)),
            Engine::Command => Means::Command(tokio::sync::Semaphore::new(settings.workers.max(1))),
            Engine::Http => Means::Web(Web::new(&settings)),
        };
        let cache = Cache::new(kept, settings.cache_mib.saturating_mul(1 << 20));
        Self(Arc::new(Office { settings, cache, means }))
    }

    /// Looks whether a text can be spoken, and chooses the voice where none is named.
    pub fn order(
        &self,
        text: &str,
        language: &str,
        voice: Option<&str>,
    ) -> Result<Order, SynthesisError> {
        let text = plain(text);
        if !text.chars().any(char::is_alphanumeric) {
            return Err(SynthesisError::Empty);
        }
        let length = text.chars().count();
        if length > LONGEST {
            return Err(SynthesisError::TooLong(length));
        }
        let Office { settings, means, .. } = &*self.0;
        let base = language.split(['-', '_']).next().unwrap_or_default();
        let usual = settings.voices.get(language).or_else(|| settings.voices.get(base));
        let voice = match (means, voice.or(usual.map(String::as_str))) {
            (Means::Pico(_), voice) => pico::voice(language, voice)?.to_owned(),
            (_, Some(voice)) if is_voice(voice) => voice.to_owned(),
            (_, Some(voice)) => {
                let there = String::new();
                return Err(SynthesisError::NoSuchVoice { voice: voice.to_owned(), there });
            }
            (Means::Command(_), None) => base.to_owned(),
            (Means::Web(_), None) => {
                let there = String::new();
                return Err(SynthesisError::NoVoice { language: language.to_owned(), there });
            }
        };
        Ok(Order { text, language: base.to_owned(), voice })
    }

    /// Speaks it. Dropping the future ends the work.
    pub async fn speak(&self, order: &Order) -> Result<Spoken, SynthesisError> {
        let Office { settings, means, .. } = &*self.0;
        match means {
            Means::Pico(pico) => pico.speak(order).await.map(Spoken::Samples),
            Means::Command(places) => {
                let _place = places.acquire().await;
                command(settings, order).await.map(Spoken::File)
            }
            Means::Web(web) => web.speak(order).await.map(Spoken::File),
        }
    }

    /// What was kept of this order.
    pub async fn kept(&self, order: &Order) -> Option<Vec<i16>> {
        self.0.cache.get(self.key(order)).await
    }

    /// Keeps what became of it, samples at [`RATE`](super::RATE). Where that fails it is spoken
    /// again next time.
    pub async fn keep(&self, order: &Order, samples: &[i16]) {
        if let Err(error) = self.0.cache.put(self.key(order), samples).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "what was spoken cannot be kept; it will be spoken again");
        }
    }

    fn key(&self, order: &Order) -> String {
        let Settings { engine, url, model, command, .. } = &self.0.settings;
        let engine = match engine {
            Engine::Pico => "pico".to_owned(),
            Engine::Command => format!("command {command:?}"),
            Engine::Http => format!("http {url:?} {model}"),
        };
        cache::key(&[&engine, &order.language, &order.voice, &order.text])
    }
}

async fn command(settings: &Settings, order: &Order) -> Result<Vec<u8>, SynthesisError> {
    let Some((program, arguments)) = settings.command.split_first() else {
        return Err(SynthesisError::Command("no command is set".to_owned()));
    };
    let filled =
        |it: &String| it.replace("{language}", &order.language).replace("{voice}", &order.voice);
    let arguments = arguments.iter().map(filled);
    let answer = program::ask(program, arguments, &order.text, LARGEST, settings.longest_job).await;
    answer.map_err(|error| match error {
        ProgramError::Failed(said) => SynthesisError::Command(said),
        ProgramError::TimedOut => SynthesisError::TimedOut(settings.longest_job),
    })
}

/// Names of voices become arguments and fields of requests, and never options.
fn is_voice(voice: &str) -> bool {
    let fine = |it: u8| it.is_ascii_alphanumeric() || b"_.+-/".contains(&it);
    (1..=LONGEST_VOICE).contains(&voice.len()) && voice.bytes().all(fine) && !voice.starts_with('-')
}

/// Without control characters and what engines take for markup, with single spaces.
fn plain(text: &str) -> String {
    let sign = |it: char| if it.is_control() || "<>\\".contains(it) { ' ' } else { it };
    let plain: String = text.chars().map(sign).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
