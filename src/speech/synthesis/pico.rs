//! SVOX Pico: plain and clear, small and fast, in five languages. Its voices are in the program.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::{Order, SynthesisError};
use crate::worker::{self as workers, Call, Desk, Limits, WorkerError};

#[cfg(not(feature = "pico"))]
#[path = "pico/without.rs"]
mod engine;
#[cfg(feature = "pico")]
mod engine;
pub mod worker;

/// The desk of the speakers.
#[derive(Debug)]
pub(super) struct Pico {
    desk: Desk,
    /// Where voices are unpacked.
    folder: PathBuf,
}

/// What a worker is to say.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    text: String,
}

/// A worker is replaced after so many texts.
const JOBS_PER_WORKER: u32 = 200;

/// The voices there are, named for their language; the first of a language is its usual one.
const VOICES: [&str; 6] = ["en-US", "en-GB", "fr-FR", "de-DE", "es-ES", "it-IT"];

/// The voice of this name, or else the one for a language.
pub(super) fn voice(language: &str, voice: Option<&str>) -> Result<&'static str, SynthesisError> {
    let there = || VOICES.join(", ");
    if let Some(voice) = voice {
        let found = VOICES.into_iter().find(|it| it.eq_ignore_ascii_case(voice));
        let wrong = || SynthesisError::NoSuchVoice { voice: voice.to_owned(), there: there() };
        return found.ok_or_else(wrong);
    }
    let exact = VOICES.into_iter().find(|it| it.eq_ignore_ascii_case(language));
    let base = language.split(['-', '_']).next().unwrap_or_default();
    let near = || VOICES.into_iter().find(|it| it[..2].eq_ignore_ascii_case(base));
    let none = || SynthesisError::NoVoice { language: language.to_owned(), there: there() };
    exact.or_else(near).ok_or_else(none)
}

impl Pico {
    pub(super) fn new(settings: &Settings, folder: PathBuf, program: PathBuf) -> Self {
        let limits = Limits {
            workers: settings.workers,
            queue: settings.queue,
            longest_job: settings.longest_job,
            jobs_per_worker: JOBS_PER_WORKER,
        };
        Self { desk: Desk::new(limits, program), folder }
    }

    /// Samples at [`RATE`](crate::speech::RATE).
    pub(super) async fn speak(&self, order: &Order) -> Result<Vec<i16>, SynthesisError> {
        if cfg!(not(feature = "pico")) {
            return Err(SynthesisError::Disabled);
        }
        let _place = self.desk.place()?;
        let folder = std::path::absolute(&self.folder).map_err(|cause| WorkerError::Lost {
            ending: "it could not be started".to_owned(),
            from_outside: true,
            cause,
        })?;
        let voice = ["--voice".into(), order.voice.clone().into()];
        let folder = ["--folder".into(), folder.into_os_string()];
        let call = Call(["speak".into()].into_iter().chain(voice).chain(folder).collect());
        let line = Line { text: order.text.clone() };
        let served = self.desk.serve(&call, &line, &[]).await;
        let ((), body) = served.map_err(|error| match error {
            WorkerError::Failed(why) => SynthesisError::Unspeakable(why),
            error => error.into(),
        })?;
        Ok(workers::samples(&body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_its_voice_and_a_voice_may_be_named() {
        for (language, named, found) in [
            ("en", None, Some("en-US")),
            ("en-GB", None, Some("en-GB")),
            ("fr-CA", None, Some("fr-FR")),
            ("de", Some("en-gb"), Some("en-GB")),
            ("pt-BR", None, None),
            ("", None, None),
            ("en", Some("klingon"), None),
        ] {
            assert_eq!(voice(language, named).ok(), found, "{language} {named:?}");
        }
    }
}
