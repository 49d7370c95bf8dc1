//! Messages in, transcripts out: the gate, the queue, and the workers behind them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::remote::Remote;
use super::worker::{Heard, Job};
use super::{LONGEST, RATE, Readiness, Settings, SpeechError, tags};
use crate::audio::{gate, resample::resample};
use crate::mailbox::Transcript;
use crate::worker::{self, Call, Desk, Limits};

/// Transcribes messages, a few at a time; the clones share one queue.
#[derive(Debug, Clone)]
pub struct Recogniser(Arc<Office>);

#[derive(Debug)]
struct Office {
    settings: Settings,
    desk: Desk,
    /// Who writes them down instead of our own workers.
    remote: Option<Remote>,
}

/// Less speech than this is a cough, a click or a mistake of the gate.
const LEAST: Duration = Duration::from_millis(100);

/// BCP 47's word for a language nobody knows.
pub(super) const UNDETERMINED: &str = "und";

impl Recogniser {
    /// `program` is run as `PROGRAM worker speech ...`; nothing is started before it is needed.
    pub fn new(settings: Settings, program: PathBuf) -> Self {
        let limits = Limits {
            workers: settings.workers,
            queue: settings.queue,
            longest_job: settings.longest_job,
            jobs_per_worker: settings.jobs_per_worker,
        };
        let remote = settings.remote.clone().map(|it| Remote::new(it, settings.longest_job));
        Self(Arc::new(Office { settings, desk: Desk::new(limits, program), remote }))
    }

    /// Whether messages can be written down. Looks at the disk: a model fetched later counts. A
    /// service is not asked, and taken to be there.
    pub fn readiness(&self) -> Readiness {
        if let Some(remote) = &self.0.remote {
            return Readiness::Ready { model: remote.engine() };
        }
        if cfg!(not(feature = "whisper")) {
            return Readiness::Disabled;
        }
        let (name, path) = self.0.settings.wanted();
        if path.is_file() {
            return Readiness::Ready { model: format!("whisper {name}") };
        }
        let command = format!("afterbeep model fetch {name}");
        Readiness::NoModel { name, path, command }
    }

    /// Writes a message down: `rate` is 8,000 or 16,000 samples a second, `language` ISO 639-1 or
    /// `None` to detect it. Where nobody speaks there are no segments and no engine is asked.
    ///
    /// Dropping the future ends the work.
    pub async fn transcribe(
        &self,
        samples: &[i16],
        rate: u32,
        language: Option<&str>,
    ) -> Result<Transcript, SpeechError> {
        let office = &*self.0;
        let _place = office.desk.place()?;
        let Some(voice) = heed(samples, rate).await? else {
            let language = language.unwrap_or(UNDETERMINED).to_owned();
            return Ok(Transcript { language, segments: Vec::new(), engine: "gate".to_owned() });
        };
        if let Some(remote) = &office.remote {
            let Heard { language, segments } = remote.transcribe(&voice, language).await?;
            let segments = tags::clean(segments);
            return Ok(Transcript { language, segments, engine: remote.engine() });
        }
        let (heard, engine) = office.transcribe(&voice, language).await?;
        // Where nobody spoke after all, no language was spoken either.
        let language = language.unwrap_or(UNDETERMINED);
        let segments = tags::believed(tags::clean(heard.segments));
        let language = if segments.is_empty() { language.to_owned() } else { heard.language };
        Ok(Transcript { language, segments, engine })
    }
}

impl Office {
    /// Has one of our own workers write it down; and by what.
    async fn transcribe(
        &self,
        voice: &[i16],
        language: Option<&str>,
    ) -> Result<(Heard, String), SpeechError> {
        if cfg!(not(feature = "whisper")) {
            return Err(SpeechError::Disabled);
        }
        let (name, path) = self.settings.wanted();
        if !path.is_file() {
            let command = format!("afterbeep model fetch {name}");
            return Err(SpeechError::NoModel { name, path, command });
        }
        let among = self.settings.languages.clone();
        let job = Job { language: language.map(str::to_owned), among };
        let body = worker::bytes(voice);
        let (heard, _) = self.desk.serve(&self.call(&path)?, &job, &body).await?;
        Ok((heard, format!("whisper {name}")))
    }

    fn call(&self, model: &Path) -> Result<Call, SpeechError> {
        let model = std::path::absolute(model).map_err(|cause| SpeechError::Lost {
            ending: "it could not be started".to_owned(),
            cause,
        })?;
        let words = ["speech".into(), "--model".into(), model.into_os_string()];
        let threads = ["--threads".into(), self.settings.threads.to_string().into()];
        let memory = ["--memory".into(), self.settings.memory.to_string().into()];
        Ok(Call(words.into_iter().chain(threads).chain(memory).collect::<Vec<OsString>>()))
    }
}

/// The samples at [`RATE`], or `None` where nobody speaks.
async fn heed(samples: &[i16], rate: u32) -> Result<Option<Vec<i16>>, SpeechError> {
    let unfit = || SpeechError::Unfit { samples: samples.len(), rate };
    let length = Duration::from_secs(samples.len() as u64) / rate.max(1);
    if length > LONGEST || !matches!(rate, 8_000 | RATE) {
        return Err(unfit());
    }
    let samples = samples.to_vec();
    let listening = tokio::task::spawn_blocking(move || {
        let wide = resample(&samples, rate, RATE);
        let voiced = gate::speech(&wide);
        (voiced >= LEAST).then_some(wide)
    });
    listening.await.map_err(|cause| SpeechError::Lost {
        ending: "the gate fell".to_owned(),
        cause: std::io::Error::other(cause),
    })
}
