//! Pages for whoever holds a link from a letter: listen to one recording, get no more mail.
//!
//! Nothing here is found without its link, nothing can be made out by guessing, and asking (GET,
//! HEAD) changes nothing: mail programs and their guards follow links before people do. These
//! pages alone may be reached from outside.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path as Named, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use minijinja::context;

use super::{Site, sound};
use crate::{
    blobs::{BlobError, Blobs},
    clock::Clock,
    jobs::words::{self, NotYet},
    mail::{Links, News, Part, Reader, Templates, listen_page},
    mailbox::{Mailbox, Said},
    store::{Db, mailboxes, messages, messages::Message, unsubscribed},
};

/// What the pages are made of.
#[derive(Clone)]
pub struct Guests {
    /// Reads the links.
    pub links: Links,
    /// What the pages say.
    pub templates: Arc<Templates>,
    /// Messages, and who wants no mail of them.
    pub db: Db,
    /// Recordings.
    pub blobs: Blobs,
    /// The time links end by.
    pub clock: Clock,
}

/// Longest `Accept-Language` that is read, in characters.
const LANGUAGES: usize = 200;

/// Everything below `/l` and `/u`.
pub(super) fn pages() -> Router<Site> {
    Router::new()
        .route("/l/style.css", get(style))
        .route("/u/style.css", get(style))
        .route("/l/{token}", get(listen))
        .route("/l/{token}/audio", get(audio))
        .route("/u/{token}", get(ask).post(take_off))
        .layer(middleware::map_response(guarded))
}

/// Why there is no page.
enum Trouble {
    /// Whatever the reason is: it is not told.
    Gone(String),
    /// Something of ours failed.
    Broken(anyhow::Error),
}

async fn guarded(mut response: Response) -> Response {
    const GUARDS: [(HeaderName, &str); 2] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; media-src 'self'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive"),
    ];
    for (name, value) in GUARDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn style() -> impl IntoResponse {
    let text = include_str!("../../assets/mail/page/style.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], text)
}

async fn listen(
    State(site): State<Site>,
    Named(token): Named<String>,
    asked: HeaderMap,
) -> Result<Html<String>, Trouble> {
    let guests = guests(&site, &asked)?;
    let (message, mailbox) = opened(guests, &token, &asked).await?;
    let not_yet = NotYet {
        transcript: "The transcript is not ready yet.",
        translation: "The translation is not ready yet.",
    };
    let (text, translated) = words::of(&guests.db, &message, not_yet).await?;
    let news = News {
        id: message.id,
        mailbox: &mailbox,
        envelope: &message.envelope,
        filed: message.created,
        text: &text,
        translated: &translated,
        room: None,
        said: Said { urgent: message.marks.urgent, private: message.marks.private },
        forwarded_by: None,
        keep_trash: Duration::ZERO,
        too_large: false,
    };
    // Seen from the page, so that it does not matter where a proxy puts it.
    let audio = format!("{token}/audio");
    Ok(Html(listen_page(&guests.templates, &news, &audio)?))
}

async fn audio(
    State(site): State<Site>,
    Named(token): Named<String>,
    asked: HeaderMap,
) -> Result<Response, Trouble> {
    let guests = guests(&site, &asked)?;
    let (message, _) = opened(guests, &token, &asked).await?;
    let missing = |error: BlobError| match error {
        BlobError::Missing(_) => gone(guests, &asked),
        other => other.into(),
    };
    sound::of(&guests.blobs, &message.blob, &asked).await.map_err(missing)
}

/// The message a link opens, if it still is there.
async fn opened(
    guests: &Guests,
    token: &str,
    asked: &HeaderMap,
) -> Result<(Message, Mailbox), Trouble> {
    let id = guests.links.opened(token, guests.clock.now()).ok_or_else(|| gone(guests, asked))?;
    messages::for_job(&guests.db, &id).await?.ok_or_else(|| gone(guests, asked))
}

async fn ask(
    State(site): State<Site>,
    Named(token): Named<String>,
    asked: HeaderMap,
) -> Result<Html<String>, Trouble> {
    let guests = guests(&site, &asked)?;
    let (reader, mailbox) = reader(guests, &token, &asked).await?;
    let done = unsubscribed::of(&guests.db, &mailbox.id).await?.has(&reader.address);
    unsubscribe_page(guests, &reader, &mailbox, done)
}

/// Takes the address off, whatever the body says: the button and one-click (RFC 8058) both post.
async fn take_off(
    State(site): State<Site>,
    Named(token): Named<String>,
    asked: HeaderMap,
) -> Result<Html<String>, Trouble> {
    let guests = guests(&site, &asked)?;
    let (reader, mailbox) = reader(guests, &token, &asked).await?;
    let now = guests.clock.now();
    if !unsubscribed::add(&guests.db, &mailbox.id, &reader.address, now).await? {
        return Err(gone(guests, &asked));
    }
    tracing::info!("mailbox {} sends no more mail to somebody who asked for that", mailbox.number);
    unsubscribe_page(guests, &reader, &mailbox, true)
}

async fn reader(
    guests: &Guests,
    token: &str,
    asked: &HeaderMap,
) -> Result<(Reader, Mailbox), Trouble> {
    let reader = guests.links.reader(token).ok_or_else(|| gone(guests, asked))?;
    let mailbox = mailboxes::linked(&guests.db, &reader.mailbox).await?;
    Ok((reader, mailbox.ok_or_else(|| gone(guests, asked))?))
}

fn unsubscribe_page(
    guests: &Guests,
    reader: &Reader,
    mailbox: &Mailbox,
    done: bool,
) -> Result<Html<String>, Trouble> {
    let facts = context! {
        mailbox => &mailbox.number,
        owner => &mailbox.name,
        address => &reader.address,
        done,
        undo => format!("afterbeep mailbox resubscribe {} {}", mailbox.number, reader.address),
    };
    let language = &mailbox.settings.pages;
    Ok(Html(guests.templates.write(language, Part::Unsubscribe, &facts)?))
}

/// Without a way to read links there are none to read.
fn guests<'a>(site: &'a Site, asked: &HeaderMap) -> Result<&'a Guests, Trouble> {
    let none = || Trouble::Gone(gone_page(&Templates::built_in(), asked));
    site.guests.as_ref().ok_or_else(none)
}

/// The same page for a link that is wrong, has ended, or leads to what was deleted. Its language is
/// the browser's: the owner's would tell that there is one.
fn gone(guests: &Guests, asked: &HeaderMap) -> Trouble {
    Trouble::Gone(gone_page(&guests.templates, asked))
}

fn gone_page(templates: &Templates, asked: &HeaderMap) -> String {
    let wanted = asked.get(header::ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
    let wanted = wanted.unwrap_or_default().get(..LANGUAGES).or(wanted).unwrap_or_default();
    let codes = wanted.split(',').filter_map(|it| it.split(';').next()).map(str::trim);
    let known = |code: &str| {
        let plain = code.split('-').next().unwrap_or(code);
        templates.languages().any(|it| it == code || it == plain)
    };
    let language = codes.into_iter().find(|it| known(it)).unwrap_or("en");
    templates.write(language, Part::Gone, &context! {}).unwrap_or_default()
}

impl<E: Into<anyhow::Error>> From<E> for Trouble {
    fn from(cause: E) -> Self {
        Trouble::Broken(cause.into())
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        match self {
            Trouble::Gone(page) => (StatusCode::NOT_FOUND, Html(page)).into_response(),
            Trouble::Broken(cause) => {
                tracing::error!("A page behind a link cannot be shown: {cause:#}");
                let text = "This page cannot be shown now. Please try again later.\n";
                (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
            }
        }
    }
}
