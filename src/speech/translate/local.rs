//! Models on this machine, in worker processes: directly, or by way of English.

use std::path::{Path, PathBuf};

use super::TranslateError;
use super::settings::Settings;
use crate::speech::SpeechError;
use crate::speech::model::pair;
use crate::speech::worker::Passage;
use crate::worker::{Call, Desk, Limits};

/// The desk of the translators.
#[derive(Debug)]
pub(super) struct Local {
    models: PathBuf,
    memory: u64,
    desk: Desk,
}

/// Most models lead to this language or from it.
const HUB: &str = "en";

impl Local {
    pub(super) fn new(settings: &Settings, models: PathBuf, program: PathBuf) -> Self {
        let limits = Limits {
            workers: settings.workers,
            queue: settings.queue,
            longest_job: settings.longest_job,
            jobs_per_worker: settings.jobs_per_worker,
        };
        Self { models, memory: settings.memory, desk: Desk::new(limits, program) }
    }

    /// The text in the other language, and by which models.
    pub(super) async fn translate(
        &self,
        text: &str,
        from: &str,
        to: &str,
    ) -> Result<(String, String), TranslateError> {
        if cfg!(not(feature = "translation")) {
            return Err(TranslateError::Disabled);
        }
        let way = self.way(from, to)?;
        let _place = self.desk.place().map_err(SpeechError::from)?;
        let mut text = text.to_owned();
        for leg in &way {
            let call = self.call(&self.models.join(leg))?;
            let asked = Passage { text };
            let (translated, _) =
                self.desk.serve(&call, &asked, &[]).await.map_err(SpeechError::from)?;
            text = translated;
        }
        Ok((text, format!("fxtranslate {}", way.join(" "))))
    }

    /// The models that lead from one language to the other.
    fn way(&self, from: &str, to: &str) -> Result<Vec<String>, TranslateError> {
        let there = |it: &String| pair::is_there(&self.models.join(it));
        let direct = vec![format!("{from}-{to}")];
        let detour = vec![format!("{from}-{HUB}"), format!("{HUB}-{to}")];
        if direct.iter().all(there) {
            return Ok(direct);
        }
        if ![from, to].contains(&HUB) && detour.iter().all(there) {
            return Ok(detour);
        }
        Err(TranslateError::NoModel { pair: direct.concat() })
    }

    fn call(&self, model: &Path) -> Result<Call, SpeechError> {
        let model = std::path::absolute(model).map_err(|cause| SpeechError::Lost {
            ending: "it could not be started".to_owned(),
            cause,
        })?;
        let memory = self.memory.to_string();
        Ok(Call(vec![
            "translate".into(),
            "--model".into(),
            model.into_os_string(),
            "--memory".into(),
            memory.into(),
        ]))
    }
}
