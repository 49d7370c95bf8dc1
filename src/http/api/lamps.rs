//! The lamps of a mailbox.

use axum::{Extension, Json, extract::State, http::Method};
use serde_json::{Value, json};

use super::{
    Api,
    access::At,
    description::whole,
    operation::{Answer, Operation},
    path::Id,
    problem::Problem,
};
use crate::{
    mailbox::MailboxId,
    store::{lamps, mailboxes, tokens::Scope},
};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::POST, "/mailboxes/{mailbox}/lamp/resync"),
            ("resyncLamps", "Tell all its phones anew what waits; how many those are."),
            Scope::Mailboxes,
            resync,
        )
        .answers(Answer::One(200, "Resync")),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![("Resync", whole(json!({ "lamps": { "type": "integer", "minimum": 0 } })))]
}

async fn resync(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    let found = mailboxes::held(&api.db, &tenant, &MailboxId(id.to_string())).await?;
    let mailbox = found.ok_or_else(Problem::missing)?;
    let lamps = lamps::resync(&api.db, &mailbox.id).await?;
    api.bell.ring_all();
    Ok(Json(json!({ "lamps": lamps })))
}
