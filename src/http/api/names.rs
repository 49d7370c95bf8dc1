//! Spoken names of mailboxes.

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    Api,
    access::At,
    description::whole,
    greetings::mailbox,
    messages::heard,
    operation::{Answer, Body, Operation},
    path::Id,
    problem::{Fault, Problem},
    recording,
};
use crate::{
    admin,
    mailbox::TenantId,
    store::{
        names::{self, Name},
        tokens::Scope,
    },
};

pub(super) fn operations() -> Vec<Operation> {
    const NAME: &str = "/mailboxes/{mailbox}/spoken-name";
    const SOUND: &str = "/mailboxes/{mailbox}/spoken-name/recording";
    let scope = Scope::Greetings;
    let summary = "What its owner is called, as callers hear it.";
    vec![
        Operation::new((Method::GET, NAME), ("getSpokenName", summary), scope, show)
            .answers(Answer::One(200, "SpokenName")),
        Operation::new((Method::PUT, NAME), ("setSpokenName", "Give it a name."), scope, set)
            .takes(Body::Recording)
            .answers(Answer::One(200, "SpokenName")),
        Operation::new(
            (Method::DELETE, NAME),
            ("removeSpokenName", "Take it away."),
            scope,
            remove,
        )
        .answers(Answer::Nothing(204)),
        Operation::new((Method::GET, SOUND), ("hearSpokenName", "Its recording."), scope, hear)
            .answers(Answer::Sound),
        Operation::new(
            (Method::HEAD, SOUND),
            ("measureSpokenName", "How long its recording is, in bytes."),
            scope,
            hear,
        )
        .answers(Answer::Sound),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![("SpokenName", whole(json!({ "duration_ms": { "type": "integer", "minimum": 0 } })))]
}

fn shown(name: &Name) -> Json<Value> {
    Json(json!({ "duration_ms": u64::try_from(name.length.as_millis()).unwrap_or(u64::MAX) }))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    Ok(shown(&find(&api, &tenant, id).await?))
}

async fn set(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    let samples = recording::received(&api, &mailbox, request).await?;
    admin::greeting::name_fits(&samples).map_err(|error| {
        Problem::invalid(vec![Fault { pointer: String::new(), detail: error.to_string() }])
    })?;
    let Api { db, blobs, clock, .. } = &api;
    Ok(shown(&admin::greeting::set_name(db, blobs, clock, &mailbox, &samples).await?))
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    match admin::greeting::remove_name(&api.db, &api.blobs, &mailbox).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

async fn hear(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    heard(&api, &find(&api, &tenant, id).await?.blob, &headers).await
}

async fn find(api: &Api, tenant: &TenantId, Id(id): Id) -> Result<Name, Problem> {
    let mailbox = mailbox(api, tenant, id).await?;
    names::of(&api.db, &mailbox.id).await?.ok_or_else(Problem::missing)
}
