//! Who uses a browser: known by a cookie whose fingerprint is kept.

use anyhow::Context;
use axum::{
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{TryRngCore, rngs::OsRng};

use super::{Pages, Trouble, is_script};
use crate::store::{
    people::Person,
    sessions,
    tenants::{self, Tenant},
    tokens::fingerprint,
};

/// The cookie where the way here is `https`: browsers take one of this name from nobody else (RFC
/// 6265bis §4.1.3.2).
const SECRET_COOKIE: &str = "__Host-afterbeep";
/// The cookie elsewhere, as on this machine.
const COOKIE: &str = "afterbeep";
/// Characters of what is in it: 256 bits in base64url.
const LENGTH: usize = 43;
/// Most cookies that are looked at, in bytes of their header.
const LONGEST: usize = 8 << 10;

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) person: Person,
    pub(super) tenant: Tenant,
    /// What every form of theirs carries, so that no page elsewhere can have made it.
    pub(super) token: String,
    /// What the session is kept by.
    pub(super) fingerprint: String,
}

/// The fields of a form whose token is the visitor's.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// What a field says; empty where there is none.
    pub(super) fn of(&self, name: &str) -> &str {
        self.given(name).unwrap_or_default()
    }

    /// What a field says, if it is there.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|it| it.0 == name).map(|it| it.1.trim())
    }

    /// What all fields of a name say.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |it| it.0 == name).map(|it| it.1.trim())
    }
}

impl From<Vec<(String, String)>> for Fields {
    fn from(all: Vec<(String, String)>) -> Self {
        Self(all)
    }
}

impl Visitor {
    /// Whether a form carries what the visitor's forms carry.
    pub(super) fn made(&self, token: &str) -> Result<(), Trouble> {
        // The prints are compared, so that no time tells how much of it is right.
        match fingerprint(token) == fingerprint(&self.token) {
            true => Ok(()),
            false => Err(Trouble::Refused(
                "The page was open since before you logged in. Go back, load it again and try once \
                 more.",
            )),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Trouble;

    async fn from_request(request: Request, state: &S) -> Result<Self, Trouble> {
        let visitor = request.extensions().get::<Visitor>().cloned().ok_or(Trouble::LoggedOut)?;
        let fields = axum::Form::<Vec<(String, String)>>::from_request(request, state).await;
        let axum::Form(fields) = fields.map_err(|_| Trouble::Refused("The form is no form."))?;
        let fields = Self(fields);
        visitor.made(fields.of("token"))?;
        Ok(fields)
    }
}

/// Lets those who are logged in through, with [`Visitor`] beside the request; others may log in first.
pub(super) async fn needed(
    State(pages): State<Pages>,
    mut request: Request,
    next: Next,
) -> Response {
    // A page that lies open and has its script look how things are is not being used.
    let is_use = !(request.method().is_safe() && is_script(request.headers()));
    match visitor(&pages, request.headers(), is_use).await {
        Ok(Some(visitor)) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Ok(None) if is_script(request.headers()) => {
            let text = "You have been logged out. Load the page again to log in.";
            (StatusCode::UNAUTHORIZED, text).into_response()
        }
        Ok(None) => Redirect::to("/login").into_response(),
        Err(trouble) => trouble.into_response(),
    }
}

/// Who uses the browser that sends these headers; where it is a use, they stay logged in by it.
pub(super) async fn visitor(
    pages: &Pages,
    headers: &HeaderMap,
    is_use: bool,
) -> Result<Option<Visitor>, Trouble> {
    let Some(secret) = shown(headers) else { return Ok(None) };
    let (db, now) = (&pages.api.db, pages.api.clock.now());
    let print = fingerprint(secret);
    let Some(session) = sessions::good(db, &print, now).await? else { return Ok(None) };
    if is_use && let Err(error) = sessions::note_use(db, &session, &print, now).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "it cannot be noted that somebody is still logged in");
    }
    let person = session.person;
    let Some(tenant) = tenants::get(db, &person.tenant).await? else { return Ok(None) };
    let token = fingerprint(&format!("form {secret}"));
    Ok(Some(Visitor { person, tenant, token, fingerprint: print }))
}

/// Logs the browser of somebody in; the cookie it is to keep.
pub(super) async fn begin(
    pages: &Pages,
    person: &Person,
    secret_way: bool,
) -> Result<HeaderValue, Trouble> {
    let mut bits = [0; 32];
    OsRng.try_fill_bytes(&mut bits).context("the system gives no random numbers")?;
    let secret = BASE64_URL_SAFE_NO_PAD.encode(bits);
    let now = pages.api.clock.now();
    sessions::begin(&pages.api.db, &person.id, &fingerprint(&secret), now).await?;
    let lasts = sessions::LONGEST.as_secs();
    Ok(cookie(secret_way, &secret, lasts))
}

/// Logs the browser out; the cookies it is to forget.
pub(super) async fn end(pages: &Pages, visitor: &Visitor) -> Result<[HeaderValue; 2], Trouble> {
    sessions::end(&pages.api.db, &visitor.fingerprint).await?;
    Ok([cookie(true, "", 0), cookie(false, "", 0)])
}

fn cookie(secret_way: bool, value: &str, lasts: u64) -> HeaderValue {
    let (name, only) = match secret_way {
        true => (SECRET_COOKIE, "; Secure"),
        false => (COOKIE, ""),
    };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}{only}");
    HeaderValue::from_str(&text).expect("letters, digits and signs that may be in a header")
}

/// What the browser shows, if it looks like ours.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter(|it| it.len() <= LONGEST);
    let all: Vec<_> = all.filter_map(|it| it.to_str().ok()).collect();
    let named = |wanted: &str| {
        let pairs = all.iter().flat_map(|it| it.split(';')).filter_map(|it| it.split_once('='));
        pairs.into_iter().find(|it| it.0.trim() == wanted).map(|it| it.1.trim())
    };
    named(SECRET_COOKIE).or_else(|| named(COOKIE)).filter(|it| it.len() == LENGTH)
}
