//! `[translation]`: what translates transcripts, and what it may use.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::speech::service;

/// `[translation]`: how transcripts are translated. Mailboxes say whether they are, and into what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What translates.
    pub engine: Engine,
    /// The address of `libretranslate`, and of `deepl` where it is not the usual one.
    pub url: Option<String>,
    /// A file with nothing but the service's key in it.
    pub key_file: Option<PathBuf>,
    /// Send texts unencrypted to an address outside private networks.
    pub plain_http: bool,
    /// Workers, or requests or commands, at a time.
    pub workers: usize,
    /// Texts that may wait; beyond it the answer is "busy, come back".
    pub queue: usize,
    /// Address space of a worker, in MiB.
    pub memory: u64,
    /// A text that takes longer is given up, and tried again later.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub longest_job: Duration,
    /// A worker is replaced after so many texts.
    pub jobs_per_worker: u32,
    /// For `command`: program and arguments by languages (`en-es`), or under `any`, where `{from}`
    /// and `{to}` stand for them. The text comes on standard input; no shell is asked.
    pub commands: BTreeMap<String, Vec<String>>,
}

/// What translates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Models on this machine, in the folder `[speech] models`.
    #[default]
    Local,
    /// LibreTranslate, of one's own or elsewhere.
    LibreTranslate,
    /// DeepL.
    DeepL,
    /// A program on this machine, such as Apertium.
    Command,
}

/// The key of `commands` that is for all languages.
pub(super) const ANY: &str = "any";

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: Engine::Local,
            url: None,
            key_file: None,
            plain_http: false,
            workers: 1,
            queue: 64,
            memory: 1024,
            longest_job: Duration::from_secs(60),
            jobs_per_worker: 1_000,
            commands: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// What is wrong with these settings, as a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if let Some(url) = &self.url {
            service::check_url(url, self.plain_http)?;
        }
        match self.engine {
            Engine::LibreTranslate if self.url.is_none() => {
                Err("url: say where LibreTranslate is".to_owned())
            }
            Engine::DeepL if self.key_file.is_none() => {
                Err("key_file: DeepL wants a key".to_owned())
            }
            Engine::Command if self.commands.is_empty() => {
                Err("commands: name a command for each pair of languages".to_owned())
            }
            _ => self.check_commands(),
        }
    }

    fn check_commands(&self) -> Result<(), String> {
        for (pair, words) in &self.commands {
            if pair != ANY && pair.split_once('-').is_none() {
                return Err(format!("commands: {pair:?} is no pair of languages like \"en-es\""));
            }
            if words.first().is_none_or(String::is_empty) {
                return Err(format!("commands: there is no program for {pair}"));
            }
        }
        Ok(())
    }
}
