//! `[synthesis]`: what speaks texts, and what it may use.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::speech::service;

/// `[synthesis]`: how greetings and names are made of text, and sentences that lack a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What speaks.
    pub engine: Engine,
    /// Voices by language (`fr`, `pt-BR`), for those who name none. Pico has its own.
    pub voices: BTreeMap<String, String>,
    /// For `command`: program and arguments, where `{voice}` and `{language}` stand for them. The
    /// text comes on standard input, a sound file is expected on standard output; no shell is asked.
    pub command: Vec<String>,
    /// For `http`: its address, to which `/v1/audio/speech` is added. Texts are sent there.
    pub url: Option<String>,
    /// For `http`: the model to ask for.
    pub model: String,
    /// For `http`: a file with nothing but the key in it.
    pub key_file: Option<PathBuf>,
    /// Send texts unencrypted to an address outside private networks.
    pub plain_http: bool,
    /// Worker processes, requests or commands at a time.
    pub workers: usize,
    /// Texts that may wait; beyond it the answer is "busy, come back".
    pub queue: usize,
    /// A text that takes longer is given up.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub longest_job: Duration,
    /// What was spoken is kept in the data folder, so that no text is spoken twice; beyond so many
    /// MiB the oldest goes.
    pub cache_mib: u64,
}

/// What speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// SVOX Pico, inside this program: English, French, German, Spanish and Italian.
    #[default]
    Pico,
    /// A program on this machine.
    Command,
    /// A service with OpenAI's contract, of one's own or elsewhere.
    Http,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: Engine::Pico,
            voices: BTreeMap::new(),
            command: Vec::new(),
            url: None,
            model: "tts-1".to_owned(),
            key_file: None,
            plain_http: false,
            workers: 1,
            queue: 64,
            longest_job: Duration::from_secs(30),
            cache_mib: 64,
        }
    }
}

impl Settings {
    /// What is wrong with these settings, as a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if let Some(url) = &self.url {
            service::check_url(url, self.plain_http)?;
        }
        if let Some((language, voice)) = self.voices.iter().find(|it| !super::is_voice(it.1)) {
            return Err(format!("voices: {voice:?} cannot be the name of a voice for {language}"));
        }
        match self.engine {
            Engine::Command if self.command.first().is_none_or(String::is_empty) => {
                Err("command: name the program that speaks".to_owned())
            }
            Engine::Http if self.url.is_none() => Err("url: say where the service is".to_owned()),
            Engine::Http if self.model.is_empty() || self.model.contains(char::is_control) => {
                Err("model: name the model to ask for".to_owned())
            }
            _ => Ok(()),
        }
    }
}
