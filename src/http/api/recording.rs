//! Recordings as they are sent: a sound file of any kind, or a text that a voice is to say.

use std::time::Duration;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::header,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    Api,
    description::object,
    fields::Fields,
    problem::{Code, Fault, Problem},
};
use crate::{
    admin::{self, check},
    app::Script,
    decode::{DecodeError, LARGEST, LARGEST_MUSIC},
    mailbox::Mailbox,
    speech::synthesis::{self, SynthesisError},
};

/// A file has to be here within this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for music, of which there is more.
const PATIENCE_FOR_MUSIC: Duration = Duration::from_secs(600);
/// Files that are taken in at once; who comes next waits.
static DESKS: Semaphore = Semaphore::const_new(2);

/// Types of sound files that are described; every other sound is looked at too.
pub(super) const KINDS: [&str; 5] =
    ["audio/wav", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/flac"];

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let longest = synthesis::LONGEST;
    let text = json!({
        "type": "string", "minLength": 1, "maxLength": longest, "examples": ["I am on holiday."],
    });
    let language = json!({
        "type": "string", "examples": ["en"],
        "description": "Otherwise the mailbox's own; its code, as in `pt-BR`.",
    });
    let voice = json!({
        "type": "string", "examples": ["en-US"],
        "description": "Otherwise the usual one for the language.",
    });
    let told = json!({ "text": text, "language": language, "voice": voice });
    vec![("Script", object(&["text"], told))]
}

/// What is sent to be a recording.
pub(super) enum Sent {
    File(Bytes),
    Text { text: String, language: Option<String>, voice: Option<String> },
}

impl FromRequest<Api> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        match kind(&request) {
            Some(Kind::Json) => {
                let mut fields = Fields::from_request(request, api).await?;
                let text = fields.needed("text", |_| Ok(()));
                let language = fields.text("language", check::language);
                let voice = fields.text("voice", |_| Ok(()));
                fields.done()?;
                Ok(Self::Text { text, language, voice })
            }
            Some(Kind::Sound) => {
                let _desk = DESKS.acquire().await;
                Ok(Self::File(arrived(request, LARGEST, PATIENCE).await?))
            }
            None => {
                let wanted = "the body has to be a sound file, such as audio/wav or audio/mpeg, \
                              or application/json";
                Err(Problem::new(Code::MediaType, wanted))
            }
        }
    }
}

impl Sent {
    /// Why no recording became of it.
    pub(super) fn refused(&self, error: anyhow::Error) -> Problem {
        match self {
            Self::File(_) => unread(error, "the file"),
            Self::Text { .. } => unspoken(error),
        }
    }
}

/// The samples of what is sent for a mailbox, at [`RATE`](crate::app::RATE).
pub(super) async fn received(
    api: &Api,
    mailbox: &Mailbox,
    request: Request,
) -> Result<Vec<i16>, Problem> {
    let sent = Sent::from_request(request, api).await?;
    let made = match &sent {
        Sent::Text { text, language, voice } => {
            let language = admin::greeting::language(language.as_deref(), mailbox)?;
            api.studio.speak(Script { text, language, voice: voice.as_deref() }).await
        }
        Sent::File(file) => api.studio.read(file).await,
    };
    made.map_err(|error| sent.refused(error))
}

/// A file that is sent to be music; what it is, is found out later.
pub(super) async fn music(request: Request) -> Result<Bytes, Problem> {
    let Some(Kind::Sound) = kind(&request) else {
        let wanted = "the body has to be a sound file, such as audio/mpeg or audio/flac";
        return Err(Problem::new(Code::MediaType, wanted));
    };
    let _desk = DESKS.acquire().await;
    arrived(request, LARGEST_MUSIC, PATIENCE_FOR_MUSIC).await
}

enum Kind {
    Json,
    Sound,
}

/// What the body says it is; what a sound file is, is found out by looking at it.
fn kind(request: &Request) -> Option<Kind> {
    let told = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let told = told.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match told.as_str() {
        "application/json" => Some(Kind::Json),
        "application/ogg" | "application/octet-stream" | "video/mp4" => Some(Kind::Sound),
        told => told.starts_with("audio/").then_some(Kind::Sound),
    }
}

async fn arrived(request: Request, most: usize, within: Duration) -> Result<Bytes, Problem> {
    let body = to_bytes(request.into_body(), most);
    let slow = |_| {
        let minutes = within.as_secs() / 60;
        Problem::new(Code::TooSlow, format!("the file was not here within {minutes} min"))
    };
    let large =
        |_| Problem::new(Code::TooLarge, format!("the file has more than {} MiB", most >> 20));
    tokio::time::timeout(within, body).await.map_err(slow)?.map_err(large)
}

fn unread(error: anyhow::Error, what: &str) -> Problem {
    match error.downcast_ref::<DecodeError>() {
        Some(it) if it.is_temporary() => Problem::new(Code::Away, format!("{what} {it}")),
        Some(it) => at("", format!("{what} {it}")),
        None => error.into(),
    }
}

fn unspoken(error: anyhow::Error) -> Problem {
    match error.downcast_ref::<SynthesisError>() {
        Some(it @ SynthesisError::NoSuchVoice { .. }) => at("/voice", it.to_string()),
        Some(it @ SynthesisError::NoVoice { .. }) => at("/language", it.to_string()),
        Some(it) if it.is_askers() => at("/text", it.to_string()),
        Some(it) => {
            tracing::warn!(error = it as &dyn std::error::Error, "a text cannot be spoken");
            Problem::new(Code::Away, "the voice cannot speak now; the server's log says why")
        }
        None if error.is::<DecodeError>() => {
            tracing::warn!("what [synthesis] answered is no sound: {error:#}");
            Problem::new(Code::Away, "the voice cannot speak now; the server's log says why")
        }
        None => at("/text", format!("{error:#}")),
    }
}

fn at(pointer: &str, detail: String) -> Problem {
    Problem::invalid(vec![Fault { pointer: pointer.to_owned(), detail }])
}
