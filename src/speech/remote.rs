//! Transcription by a service with OpenAI's contract, `POST /v1/audio/transcriptions`.
//!
//! Voices leave this machine then. The gate listens here first: where nobody speaks nothing is
//! sent.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::service::{self, Service, ServiceError};
use super::worker::Heard;
use super::{RATE, SpeechError};
use crate::audio::wav;
use crate::mailbox::Segment;

/// `[speech.remote]`: a service that writes messages down. What callers say is sent there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its address, to which `/v1/audio/transcriptions` is added.
    pub url: String,
    /// The model to ask for.
    pub model: String,
    /// A file with nothing but the key in it.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Send voices unencrypted to an address outside private networks.
    #[serde(default)]
    pub plain_http: bool,
}

impl Settings {
    /// What is wrong with them, as a sentence for the operator.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.model.is_empty() || self.model.contains(char::is_control) {
            return Err("model: name the model to ask for".to_owned());
        }
        service::check_url(&self.url, self.plain_http)
    }
}

/// The service.
#[derive(Debug)]
pub(super) struct Remote {
    service: Service,
    model: String,
}

/// What comes back (`verbose_json`).
#[derive(Debug, Deserialize)]
struct Answer {
    /// A code (`fr`) or its English name (`french`).
    #[serde(default)]
    language: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    segments: Vec<Spoken>,
}

#[derive(Debug, Deserialize)]
struct Spoken {
    /// Seconds.
    start: f64,
    /// Seconds.
    end: f64,
    text: String,
    /// Mean logarithm of the probabilities of its tokens.
    #[serde(default)]
    avg_logprob: Option<f64>,
}

/// Most segments of one message.
const SEGMENTS: usize = 10_000;

impl Remote {
    pub(super) fn new(settings: Settings, longest: Duration) -> Self {
        let service = Service::new(&settings.url, settings.key_file, longest);
        Self { service, model: settings.model }
    }

    /// What transcripts say they were made by.
    pub(super) fn engine(&self) -> String {
        format!("remote {}", self.model)
    }

    /// Samples at [`RATE`].
    pub(super) async fn transcribe(
        &self,
        voice: &[i16],
        language: Option<&str>,
    ) -> Result<Heard, SpeechError> {
        let key = self.service.key()?.map(|it| service::secret_header(&format!("Bearer {it}")));
        let key = key.transpose()?;
        let base = language.and_then(|it| it.split(['-', '_']).next());
        let mut fields = vec![("model", self.model.as_str()), ("response_format", "verbose_json")];
        fields.extend(base.map(|it| ("language", it)));
        let sound = wav::to_wav(voice, RATE);
        let boundary = boundary(&sound);
        let body = form(&boundary, &fields, &sound);
        let kind = format!("multipart/form-data; boundary={boundary}");
        let path = "/v1/audio/transcriptions";
        let dress = |request: reqwest::RequestBuilder| match key {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        };
        let answer: Answer = self.service.post(path, &kind, body, dress).await?;
        if answer.segments.len() > SEGMENTS {
            return Err(ServiceError::Junk.into());
        }
        let length = u32::try_from(voice.len() / (RATE as usize / 1_000)).unwrap_or(u32::MAX);
        Ok(heard(answer, base, length))
    }
}

/// `length` in milliseconds.
fn heard(answer: Answer, asked: Option<&str>, length: u32) -> Heard {
    let language = match (code(&answer.language), asked) {
        (Some(told), _) => told,
        (None, asked) => asked.unwrap_or(super::recogniser::UNDETERMINED).to_owned(),
    };
    let segment = |it: Spoken| Segment {
        start_ms: millis(it.start, length),
        end_ms: millis(it.end, length),
        text: it.text,
        confidence: it.avg_logprob.map_or(0.0, |it| it.exp().clamp(0.0, 1.0) as f32),
    };
    let mut segments: Vec<Segment> = answer.segments.into_iter().map(segment).collect();
    if segments.is_empty() && !answer.text.trim().is_empty() {
        let text = answer.text;
        segments.push(Segment { start_ms: 0, end_ms: length, text, confidence: 0.0 });
    }
    Heard { language, segments }
}

fn millis(seconds: f64, most: u32) -> u32 {
    // `as` clamps, and makes nothing of what is no number.
    ((seconds * 1_000.0).round() as u32).min(most)
}

/// ISO 639-1 of a language told by code or by its English name.
fn code(language: &str) -> Option<String> {
    let told = language.trim().to_ascii_lowercase();
    let base = told.split(['-', '_']).next().unwrap_or_default();
    if base.len() == 2 && base.bytes().all(|it| it.is_ascii_lowercase()) {
        return Some(base.to_owned());
    }
    let known = NAMES.iter().find(|(name, _)| *name == told);
    known.map(|(_, code)| (*code).to_owned())
}

const NAMES: [(&str, &str); 32] = [
    ("arabic", "ar"),
    ("bulgarian", "bg"),
    ("catalan", "ca"),
    ("chinese", "zh"),
    ("croatian", "hr"),
    ("czech", "cs"),
    ("danish", "da"),
    ("dutch", "nl"),
    ("english", "en"),
    ("estonian", "et"),
    ("finnish", "fi"),
    ("french", "fr"),
    ("german", "de"),
    ("greek", "el"),
    ("hebrew", "he"),
    ("hindi", "hi"),
    ("hungarian", "hu"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("korean", "ko"),
    ("latvian", "lv"),
    ("lithuanian", "lt"),
    ("norwegian", "no"),
    ("polish", "pl"),
    ("portuguese", "pt"),
    ("romanian", "ro"),
    ("russian", "ru"),
    ("slovak", "sk"),
    ("spanish", "es"),
    ("swedish", "sv"),
    ("turkish", "tr"),
    ("ukrainian", "uk"),
];

/// A form (RFC 7578) with some fields and the sound as its file.
fn form(boundary: &str, fields: &[(&str, &str)], sound: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(sound.len() + 1_024);
    for (name, value) in fields {
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"message.wav\"\r\nContent-Type: audio/wav\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(sound);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

/// A line that is not in the sound.
fn boundary(sound: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let sum = Sha256::digest(sound);
    sum.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_known_by_code_and_by_name() {
        let told = ["en", "EN-us", "english", "French", "klingon", "", "x1"].map(code);
        let told = told.each_ref().map(|it| it.as_deref());
        assert_eq!(told, [Some("en"), Some("en"), Some("en"), Some("fr"), None, None, None]);
    }

    #[test]
    fn an_answer_without_segments_is_one_and_nonsense_in_them_does_no_harm() {
        let answer = |json: &str| heard(serde_json::from_str(json).unwrap(), Some("fr"), 5_000);
        let plain = answer(r#"{"text": "Bonjour."}"#);
        assert_eq!((plain.language.as_str(), plain.segments[0].end_ms), ("fr", 5_000));
        let odd = answer(
            r#"{"language": "english", "segments":
                [{"start": -3, "end": 1e300, "text": "Hi", "avg_logprob": 7.0}]}"#,
        );
        let segment = &odd.segments[0];
        assert_eq!((odd.language.as_str(), segment.start_ms, segment.end_ms), ("en", 0, 5_000));
        assert_eq!(segment.confidence, 1.0);
        assert!(answer("{}").segments.is_empty());
    }
}
