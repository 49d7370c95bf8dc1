//! The pages for people who look after a tenant: logging in, and hold music.
//!
//! Every page is whole without scripts. What changes something is a form that is posted: from one of our
//! own pages ([`origin`]), by a browser that is logged in, with the token that its pages carry
//! ([`session`]). What comes then is a redirect, or the page again with a sentence about what is wrong.

mod arrival;
mod login;
mod music;
mod origin;
mod session;
mod shown;

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use minijinja::context;

use super::Api;
use crate::store::StoreError;

/// What the pages work on.
#[derive(Clone)]
pub struct Pages {
    /// What programs work on, too.
    pub api: Api,
    /// What passwords are hashed with besides their own salt.
    pub pepper: Arc<[u8]>,
    /// What was listened to last, by the key of its blob: a player asks for it in pieces.
    heard: Arc<Mutex<Option<(String, Bytes)>>>,
}

impl Pages {
    /// Pages of what the API works on.
    pub fn new(api: Api, pepper: Arc<[u8]>) -> Self {
        Self { api, pepper, heard: Arc::default() }
    }
}

/// Why there is no page.
#[derive(Debug)]
enum Trouble {
    /// Nothing is there, or nothing of this tenant's.
    Missing,
    /// It was not asked for as our pages ask.
    Refused(&'static str),
    /// What was sent cannot be taken; the sentence says why, and what helps.
    Unfit(StatusCode, String),
    /// Nobody is logged in (any more), and somebody was to be.
    LoggedOut,
    /// Something of ours failed.
    Broken(anyhow::Error),
}

/// Everything below `/login`, `/logout`, `/music` and `/pages`.
pub(super) fn router(pages: Pages) -> Router {
    let known = middleware::from_fn_with_state(pages.clone(), session::needed);
    Router::new()
        .merge(music::routes())
        .route("/logout", axum::routing::post(login::leave))
        .route_layer(known)
        .route("/login", get(login::form).post(login::enter))
        .layer(middleware::from_fn(origin::ours))
        .route("/pages/pages.css", get(style))
        .route("/pages/pages.js", get(script))
        .layer(middleware::map_response(guarded))
        .with_state(pages)
}

/// A page may load our own style, script and sound, and send its forms to us; nothing else.
async fn guarded(mut response: Response) -> Response {
    const GUARDS: [(HeaderName, &str); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             media-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        // With "no-referrer" browsers would not say either where a form comes from.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive"),
    ];
    for (name, value) in GUARDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn style() -> impl IntoResponse {
    let text = include_str!("../../../assets/pages/pages.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], text)
}

async fn script() -> impl IntoResponse {
    let text = include_str!("../../../assets/pages/pages.js");
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text)
}

/// Whether a script of ours asks, which wants an answer and no page.
fn is_script(asked: &HeaderMap) -> bool {
    asked.get(header::ACCEPT).is_some_and(|it| it == "application/json")
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.into())
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Self::Missing => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "What it showed may have been removed.".to_owned(),
            ),
            Self::Refused(why) => (StatusCode::FORBIDDEN, "That was not done", why.to_owned()),
            Self::Unfit(status, why) => (status, "That was not done", why),
            Self::LoggedOut => return Redirect::to("/login").into_response(),
            Self::Broken(cause) => {
                tracing::error!("A page cannot be shown: {cause:#}");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "This cannot be shown now",
                    "Please try again in a minute. The server's log says why.".to_owned(),
                )
            }
        };
        let text = shown::page("trouble.html", context! { title, text });
        (status, text.unwrap_or_else(|_| Html(title.to_owned()))).into_response()
    }
}
