//! Logging in and out. A wrong password, an address that nobody has and one without a password get the
//! same answer after the same work.

use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use minijinja::{Value, context};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{
    Pages, Trouble, origin,
    session::{self, Fields, Visitor},
    shown,
};
use crate::{
    http::peer::Machine,
    mailbox::{Guesses, Password, TenantId},
    store::{
        logins::{self, Login},
        pins::{self, Subject},
        tenants,
    },
};

/// Where somebody is who has logged in.
const HOME: &str = "/music";
/// Hashes at a time: each takes a core and 19 MiB.
static HASHING: Semaphore = Semaphore::const_new(2);

/// What is typed to log in.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    email: String,
    password: String,
    /// Asked for only where there are several.
    #[serde(default)]
    tenant: String,
}

/// `GET /login`.
pub(super) async fn form(
    State(pages): State<Pages>,
    asked: HeaderMap,
) -> Result<Response, Trouble> {
    if session::visitor(&pages, &asked, true).await?.is_some() {
        return Ok(Redirect::to(HOME).into_response());
    }
    let facts = context! { email => "", tenant => "", problem => () };
    shown(&pages, StatusCode::OK, facts).await
}

/// `POST /login`.
pub(super) async fn enter(
    State(pages): State<Pages>,
    machine: Machine,
    asked: HeaderMap,
    Form(entry): Form<Entry>,
) -> Result<Response, Trouble> {
    let Entry { email, password, tenant } = entry;
    let (email, tenant) = (email.trim(), tenant.trim());
    let password = Password::new(password);
    match admitted(&pages, &machine, tenant, email, password).await? {
        Outcome::In(login) => {
            let cookie = session::begin(&pages, &login.person, origin::is_secret(&asked)).await?;
            tracing::info!(person = %login.person.id.0, "somebody has logged in to the pages");
            Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(HOME)).into_response())
        }
        Outcome::Wrong => {
            let problem = "This email address and password do not go together. Try once more.";
            let facts = context! { email, tenant, problem };
            shown(&pages, StatusCode::FORBIDDEN, facts).await
        }
        Outcome::TooMany => {
            let problem = "There were too many wrong passwords. Wait an hour, or have an operator \
                           give you a new one.";
            let facts = context! { email, tenant, problem };
            let page = shown(&pages, StatusCode::TOO_MANY_REQUESTS, facts).await?;
            let wait = Guesses::LOCKED.as_secs().to_string();
            Ok(([(header::RETRY_AFTER, wait)], page).into_response())
        }
    }
}

/// `POST /logout`.
pub(super) async fn leave(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    _fields: Fields,
) -> Result<Response, Trouble> {
    let cookies = session::end(&pages, &visitor).await?;
    let cookies = AppendHeaders(cookies.map(|it| (header::SET_COOKIE, it)));
    Ok((cookies, Redirect::to("/login")).into_response())
}

enum Outcome {
    In(Box<Login>),
    Wrong,
    TooMany,
}

async fn admitted(
    pages: &Pages,
    machine: &Machine,
    tenant: &str,
    email: &str,
    password: Password,
) -> Result<Outcome, Trouble> {
    let (db, now) = (&pages.api.db, pages.api.clock.now());
    let tenant = meant(pages, tenant).await?;
    let machine = Subject::Machine(machine.as_str());
    // Whoever is not heard any more locks nobody else out either.
    if pins::tried(db, machine, now).await?.is_none() {
        return Ok(Outcome::TooMany);
    }
    let address = Subject::Login(&tenant, email);
    if pins::tried(db, address, now).await?.is_none() {
        return Ok(Outcome::TooMany);
    }
    let login = logins::at(db, &tenant, email).await?;
    let hash = login.as_ref().map(|it| it.hash.clone());
    if !matches(pages, password, hash).await {
        return Ok(Outcome::Wrong);
    }
    let Some(login) = login else { return Ok(Outcome::Wrong) };
    pins::right(db, address, Some(machine)).await?;
    Ok(Outcome::In(Box::new(login)))
}

/// The tenant that somebody names, or the only one; one that nobody has where neither is any.
async fn meant(pages: &Pages, name: &str) -> Result<TenantId, Trouble> {
    let all = tenants::list(&pages.api.db).await?;
    let found = match all.as_slice() {
        [only] => Some(only),
        all => all.iter().find(|it| it.name == name),
    };
    Ok(found.map_or_else(|| TenantId("none".to_owned()), |it| it.id.clone()))
}

async fn matches(pages: &Pages, password: Password, hash: Option<String>) -> bool {
    let _permit = HASHING.acquire().await;
    let pepper = pages.pepper.clone();
    let work = move || password.matches(&pepper, hash.as_deref());
    tokio::task::spawn_blocking(work).await.unwrap_or(false)
}

async fn shown(pages: &Pages, status: StatusCode, facts: Value) -> Result<Response, Trouble> {
    let several = tenants::list(&pages.api.db).await?.len() > 1;
    let nobody = !logins::any(&pages.api.db).await?;
    let page = shown::page("login.html", context! { several, nobody, visitor => (), ..facts })?;
    Ok((status, page).into_response())
}
