//! Who is let in, and to whose things. The same for all operations, before any of them runs.

use std::sync::Arc;

use axum::{
    extract::{Query, Request, State},
    http::{HeaderMap, Uri, header},
    middleware::Next,
    response::Response,
};

use super::{
    Api,
    operation::Operation,
    problem::{Code, Problem},
};
use crate::{
    admin::check,
    mailbox::TenantId,
    store::{
        tenants,
        tokens::{self, Scope, Token},
    },
};

/// Longest `Authorization` that is looked at, in bytes.
const LONGEST: usize = 200;

/// What stands before an operation.
pub(super) struct Guard {
    api: Api,
    scope: Scope,
    of_tenant: bool,
    query: Vec<&'static str>,
}

/// Whose things a request is about.
#[derive(Debug, Clone)]
pub(super) struct At(pub(super) TenantId);

/// What stood behind the `?`, each name once and known.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }
}

impl Guard {
    pub(super) fn of(api: &Api, operation: &Operation) -> Self {
        let mut query: Vec<_> = operation.query.iter().map(|it| it.name).collect();
        query.extend(operation.of_tenant.then_some("tenant"));
        let (scope, of_tenant) = (operation.scope, operation.of_tenant);
        Self { api: api.clone(), scope, of_tenant, query }
    }
}

/// Lets a request through to its operation, with [`Token`], [`Asked`] and, where it is about a
/// tenant's things, [`At`] beside it.
pub(super) async fn guarded(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let token = token(&guard.api, request.headers()).await?;
    if !token.may(guard.scope) {
        return Err(Problem::scope_missing(guard.scope));
    }
    let asked = asked(request.uri(), &guard.query)?;
    if guard.of_tenant {
        let at = tenant(&guard.api, &token, &asked, request.headers()).await?;
        request.extensions_mut().insert(At(at));
    }
    let (name, method) = (token.name.clone(), request.method().clone());
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(asked);
    request.extensions_mut().insert(token);
    let answer = next.run(request).await;
    if !method.is_safe() && answer.status().is_success() {
        tracing::info!("{method} {path} was done for the token {name:?}");
    }
    Ok(answer)
}

/// The token that is shown, if it is good. Whatever is wrong, the answer is the same.
async fn token(api: &Api, headers: &HeaderMap) -> Result<Token, Problem> {
    let shown = headers.get(header::AUTHORIZATION).filter(|it| it.len() <= LONGEST);
    let shown = shown.and_then(|it| it.to_str().ok()).and_then(|it| it.split_once(' '));
    let secret = shown.filter(|it| it.0.eq_ignore_ascii_case("Bearer")).map(|it| it.1.trim());
    let secret = secret.ok_or_else(Problem::unauthorized)?;
    let now = api.clock.now();
    let token = tokens::good(&api.db, &tokens::fingerprint(secret), now).await?;
    let token = token.ok_or_else(Problem::unauthorized)?;
    if let Err(error) = tokens::note_use(&api.db, &token, now).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "it cannot be noted that a token was used");
    }
    Ok(token)
}

fn asked(uri: &Uri, known: &[&str]) -> Result<Asked, Problem> {
    let refused = |detail: String| Problem::new(Code::BadParameter, detail);
    let Query(all) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| refused("what stands behind the ? cannot be read".into()))?;
    for (at, (name, _)) in all.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let meant = check::meant(name, known.iter().copied());
            return Err(refused(format!("there is no parameter {name:?} here{meant}")));
        }
        if all[..at].iter().any(|it| it.0 == *name) {
            return Err(refused(format!("the parameter {name:?} is there twice")));
        }
    }
    Ok(Asked(all))
}

/// A token of one tenant reaches that one; another has to be told which, by name or id. Another's
/// is not there.
async fn tenant(
    api: &Api,
    token: &Token,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<TenantId, Problem> {
    let told = headers.get("tenant").map(|it| it.to_str().unwrap_or_default());
    let word = match (asked.one("tenant").or(told), &token.tenant) {
        (Some(word), _) => word,
        (None, Some(own)) => return Ok(own.clone()),
        (None, None) => {
            let detail = "this token is for every tenant; say which, with ?tenant= or the \
                          header Tenant";
            return Err(Problem::new(Code::TenantNeeded, detail));
        }
    };
    if check::handle("tenant", word).is_err() {
        return Err(Problem::missing());
    }
    let found = match tenants::named(&api.db, word).await? {
        Some(found) => Some(found),
        None => tenants::get(&api.db, &TenantId(word.to_owned())).await?,
    };
    let theirs = found.filter(|it| token.tenant.as_ref().is_none_or(|own| *own == it.id));
    Ok(theirs.ok_or_else(Problem::missing)?.id)
}
