//! The work that follows a call. A token of one tenant sees that about its own messages.

use axum::{
    Extension, Json,
    extract::State,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};

use super::{
    Api,
    access::Asked,
    description::whole,
    moment,
    operation::{Answer, Operation},
    page::{self, Page},
    path::JobId,
    problem::{Code, Problem},
};
use crate::{
    mailbox::Timestamp,
    store::{
        jobs::{self, Kind, Listed},
        tokens::{Scope, Token},
    },
};

pub(super) fn operations() -> Vec<Operation> {
    let scope = Scope::Jobs;
    vec![
        Operation::new(
            (Method::GET, "/jobs"),
            ("listJobs", "What waits, is being done or was given up, as it is due."),
            scope,
            list,
        )
        .of_house()
        .lists("Job"),
        Operation::new((Method::GET, "/jobs/{job}"), ("getJob", "One job."), scope, show)
            .of_house()
            .answers(Answer::One(200, "Job")),
        Operation::new(
            (Method::POST, "/jobs/{job}/retry"),
            ("retryJob", "Have it done now; one that was given up begins anew, with another id."),
            scope,
            retry,
        )
        .of_house()
        .answers(Answer::Nothing(204))
        .refuses(409),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let kinds = Kind::ALL.map(Kind::as_str);
    vec![(
        "Job",
        whole(json!({
            "id": { "type": "string" },
            "kind": { "type": "string", "enum": kinds },
            "message": { "type": "string", "format": "uuid" },
            "state": { "type": "string", "enum": ["waiting", "at_work", "given_up"] },
            "due_at": { "type": "string", "format": "date-time" },
            "attempts": { "type": "integer", "minimum": 0 },
            "error": { "type": ["string", "null"] },
        })),
    )]
}

fn shown(it: &Listed, now: Timestamp) -> Value {
    let state = match it {
        it if it.buried => "given_up",
        it if it.leased_until > now => "at_work",
        _ => "waiting",
    };
    json!({
        "id": it.job.id,
        "kind": it.job.kind.as_str(),
        "message": it.job.subject,
        "state": state,
        "due_at": moment(it.due),
        "attempts": it.job.attempts,
        "error": it.error,
    })
}

async fn list(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    Extension(asked): Extension<Asked>,
) -> Result<Json<Value>, Problem> {
    let page = Page::of(&asked)?;
    let after = match page.after.as_str() {
        "" => (Timestamp(i64::MIN), ""),
        after => place(after).ok_or_else(page::bad_cursor)?,
    };
    let rows = jobs::page(&api.db, token.tenant.as_ref(), after, page.fetch()).await?;
    let now = api.clock.now();
    let key = |it: &Listed| format!("{} {}", it.due.0, it.job.id);
    Ok(page.of_rows(rows, key, |it| shown(it, now)))
}

/// Where a page ended, from its cursor.
fn place(cursor: &str) -> Option<(Timestamp, &str)> {
    let (due, id) = cursor.split_once(' ')?;
    Some((Timestamp(due.parse().ok()?), id))
}

async fn show(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    JobId(id): JobId,
) -> Result<Json<Value>, Problem> {
    let found = jobs::get(&api.db, token.tenant.as_ref(), &id).await?;
    let found = found.ok_or_else(Problem::missing)?;
    Ok(Json(shown(&found, api.clock.now())))
}

async fn retry(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    JobId(id): JobId,
) -> Result<StatusCode, Problem> {
    if jobs::get(&api.db, token.tenant.as_ref(), &id).await?.is_none() {
        return Err(Problem::missing());
    }
    if !jobs::try_now(&api.db, &id, api.clock.now()).await? {
        return Err(Problem::new(Code::AtWork, "it is being done at this moment"));
    }
    api.bell.ring_all();
    Ok(StatusCode::NO_CONTENT)
}
