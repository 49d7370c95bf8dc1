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
    decode::{DecodeError, LARGEST},
    mailbox::Mailbox,
    speech::synthesis::{self, SynthesisError},
};

/// A file has to be here within this time.
const PATIENCE: Duration = Duration::from_secs(60);
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

/// The samples of what is sent for a mailbox, at [`RATE`](crate::app::RATE).
pub(super) async fn received(
    api: &Api,
    mailbox: &Mailbox,
    request: Request,
) -> Result<Vec<i16>, Problem> {
    match kind(&request) {
        Some(Kind::Json) => {
            let mut fields = Fields::from_request(request, api).await?;
            let text = fields.needed("text", |_| Ok(()));
            let language = fields.text("language", check::language);
            let voice = fields.text("voice", |_| Ok(()));
            fields.done()?;
            let language = admin::greeting::language(language.as_deref(), mailbox)?;
            let script = Script { text: &text, language, voice: voice.as_deref() };
            api.studio.speak(script).await.map_err(unspoken)
        }
        Some(Kind::Sound) => {
            let _desk = DESKS.acquire().await;
            let file = arrived(request).await?;
            api.studio.read(&file).await.map_err(|error| unread(error, "the file"))
        }
        None => {
            let wanted = "the body has to be a sound file, such as audio/wav or audio/mpeg, or \
                          application/json";
            Err(Problem::new(Code::MediaType, wanted))
        }
    }
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
        "application/ogg" | "video/mp4" => Some(Kind::Sound),
        told => told.starts_with("audio/").then_some(Kind::Sound),
    }
}

async fn arrived(request: Request) -> Result<Bytes, Problem> {
    let body = to_bytes(request.into_body(), LARGEST);
    let slow = |_| Problem::new(Code::TooSlow, "the file was not here within a minute");
    let large = |_| Problem::new(Code::TooLarge, "the file has more than 32 MiB");
    tokio::time::timeout(PATIENCE, body).await.map_err(slow)?.map_err(large)
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
