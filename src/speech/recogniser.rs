//! Messages in, transcripts out: the gate, the queue, and the workers behind them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::frame::{Heard, Job};
use super::scribe::Scribe;
use super::{LONGEST, RATE, Readiness, Settings, SpeechError, tags};
use crate::audio::{gate, resample::resample};
use crate::mailbox::Transcript;

/// Transcribes messages, a few at a time; the clones share one queue.
#[derive(Debug, Clone)]
pub struct Recogniser(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    settings: Settings,
    /// Our own executable, which also is the worker.
    program: PathBuf,
    /// Places for those who wait and those who are served.
    places: Semaphore,
    /// Workers that may run at a time.
    seats: Semaphore,
    /// Workers with nothing to do.
    idle: Mutex<Vec<Scribe>>,
}

/// Less speech than this is a cough, a click or a mistake of the gate.
const LEAST: Duration = Duration::from_millis(100);

/// BCP 47's word for a language nobody knows.
const UNDETERMINED: &str = "und";

impl Recogniser {
    /// `program` is run as `PROGRAM worker speech ...`; nothing is started before it is needed.
    pub fn new(settings: Settings, program: PathBuf) -> Self {
        let workers = settings.workers.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = settings.queue.min(Semaphore::MAX_PERMITS / 2);
        Self(Arc::new(Desk {
            settings,
            program,
            places: Semaphore::new(waiting + workers),
            seats: Semaphore::new(workers),
            idle: Mutex::default(),
        }))
    }

    /// Whether a model is there to work with. Looks at the disk: a model fetched later counts.
    pub fn readiness(&self) -> Readiness {
        if cfg!(not(feature = "whisper")) {
            return Readiness::Disabled;
        }
        let (name, path) = self.0.settings.wanted();
        if path.is_file() {
            return Readiness::Ready { model: name };
        }
        let command = format!("afterbeep model fetch {name}");
        Readiness::NoModel { name, path, command }
    }

    /// Writes a message down: `rate` is 8,000 or 16,000 samples a second, `language` ISO 639-1 or
    /// `None` to detect it. Where nobody speaks there are no segments and the engine is not asked.
    ///
    /// Dropping the future ends the work.
    pub async fn transcribe(
        &self,
        samples: &[i16],
        rate: u32,
        language: Option<&str>,
    ) -> Result<Transcript, SpeechError> {
        let desk = &*self.0;
        let busy = |_| SpeechError::Busy { waiting: desk.settings.queue };
        let _place = desk.places.try_acquire().map_err(busy)?;
        let Some(body) = heed(samples, rate).await? else {
            let language = language.unwrap_or(UNDETERMINED).to_owned();
            return Ok(Transcript { language, segments: Vec::new(), engine: "gate".to_owned() });
        };
        let (model, path) = self.model()?;
        let heard = desk.serve(&path, &desk.job(language), &body).await?;
        let segments = tags::clean(heard.segments);
        Ok(Transcript { language: heard.language, segments, engine: format!("whisper {model}") })
    }

    fn model(&self) -> Result<(String, PathBuf), SpeechError> {
        match self.readiness() {
            Readiness::Ready { .. } => Ok(self.0.settings.wanted()),
            Readiness::Disabled => Err(SpeechError::Disabled),
            Readiness::NoModel { name, path, command } => {
                Err(SpeechError::NoModel { name, path, command })
            }
        }
    }
}

impl Desk {
    fn job(&self, language: Option<&str>) -> Job {
        Job { language: language.map(str::to_owned), among: self.settings.languages.clone() }
    }

    /// Waits for a seat and has the job done there; a worker that failed is not seen again.
    async fn serve(&self, model: &Path, job: &Job, body: &[u8]) -> Result<Heard, SpeechError> {
        let longest = self.settings.longest_job;
        let _seat = self.seats.acquire().await.map_err(|closed| SpeechError::Lost {
            ending: "nobody works here any more".to_owned(),
            cause: std::io::Error::other(closed),
        })?;
        let (scribe, heard) = tokio::time::timeout(longest, async {
            let mut scribe = match self.fetch(model) {
                Some(idle) => idle,
                None => Scribe::hire(&self.program, model, &self.settings).await?,
            };
            let heard = scribe.write_down(job, body).await?;
            Ok((scribe, heard))
        })
        .await
        .unwrap_or(Err(SpeechError::TimedOut(longest)))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(scribe);
        Ok(heard)
    }

    /// A worker that waits, if it may do another job.
    fn fetch(&self, model: &Path) -> Option<Scribe> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let fit = |it: &mut Scribe| it.fit(model, self.settings.jobs_per_worker);
        std::iter::from_fn(|| idle.pop()).find_map(|mut it| fit(&mut it).then_some(it))
    }
}

/// The samples as the worker wants them, or `None` where nobody speaks.
async fn heed(samples: &[i16], rate: u32) -> Result<Option<Vec<u8>>, SpeechError> {
    let unfit = || SpeechError::Unfit { samples: samples.len(), rate };
    let length = Duration::from_secs(samples.len() as u64) / rate.max(1);
    if length > LONGEST || !matches!(rate, 8_000 | RATE) {
        return Err(unfit());
    }
    let samples = samples.to_vec();
    let listening = tokio::task::spawn_blocking(move || {
        let wide = resample(&samples, rate, RATE);
        let voiced = gate::speech(&wide);
        (voiced >= LEAST).then(|| wide.iter().flat_map(|it| it.to_le_bytes()).collect())
    });
    listening.await.map_err(|cause| SpeechError::Lost {
        ending: "the gate fell".to_owned(),
        cause: std::io::Error::other(cause),
    })
}
