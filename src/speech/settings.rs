//! `[speech]`: what writes messages down, and what it may use.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{model, remote};

/// `[speech]`: how messages are transcribed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The model's name, e.g. `tiny.en` (fast, English), `base`, `small` (better, slower); `auto`
    /// takes `base` or else whatever lies in `models`.
    pub model: String,
    /// The folder of the models, each a file `ggml-NAME.bin`.
    pub models: PathBuf,
    /// Where `afterbeep model fetch` gets them: a mirror of one's own, as an address to which
    /// `/ggml-NAME.bin` is added. Without one, where they are published.
    pub source: Option<String>,
    /// Threads of one worker. More than one busy-waits on a loaded machine: use `workers` instead.
    pub threads: usize,
    /// Worker processes at most, each with the model in memory (250 MiB with `base`).
    pub workers: usize,
    /// Messages that may wait for a worker; beyond it the answer is "busy, come back".
    pub queue: usize,
    /// Address space of a worker, in MiB; `base` takes 900 for a short message. A worker that runs
    /// into it dies, and the message is tried again later.
    pub memory: u64,
    /// A job that takes longer is given up and its worker replaced.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub longest_job: Duration,
    /// A worker is replaced after so many jobs, so that nothing native code leaks stays.
    pub jobs_per_worker: u32,
    /// Languages (ISO 639-1) that may be detected where a mailbox names none; empty for any. One
    /// language is taken for granted, which saves the detection.
    pub languages: Vec<String>,
    /// A service that writes messages down instead; voices are sent there then.
    pub remote: Option<remote::Settings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: "auto".to_owned(),
            models: PathBuf::from("models"),
            source: None,
            threads: 1,
            workers: 1,
            queue: 64,
            memory: 2048,
            longest_job: Duration::from_secs(15 * 60),
            jobs_per_worker: 200,
            languages: Vec::new(),
            remote: None,
        }
    }
}

impl Settings {
    /// What is wrong with these settings, as a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        let remote = self.remote.as_ref().map_or(Ok(()), remote::Settings::check);
        remote.map_err(|wrong| format!("remote: {wrong}"))
    }

    /// The model that is to be used: its name, and where its file lies or should lie.
    pub fn wanted(&self) -> (String, PathBuf) {
        let name = match self.model.as_str() {
            "auto" => self.any_model(),
            name => name.to_owned(),
        };
        let path = self.models.join(model::file_name(&name));
        (name, path)
    }

    fn any_model(&self) -> String {
        let mut names = model::names(&self.models);
        if names.is_empty() || names.iter().any(|it| it == "base") {
            return "base".to_owned();
        }
        names.swap_remove(0)
    }
}
