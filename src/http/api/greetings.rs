//! Greetings of a mailbox: the one of a kind that callers hear, and all that are kept.

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Api,
    access::{Asked, At},
    description::whole,
    messages::heard,
    moment,
    operation::{Answer, Body, Operation},
    path::{Id, Pair, Spot},
    problem::{Code, Problem},
    recording,
};
use crate::{
    admin,
    mailbox::{Mailbox, MailboxId, TenantId, greeting::Kind},
    store::{
        greetings::{self, Kept},
        mailboxes,
        tokens::Scope,
    },
};

pub(super) fn operations() -> Vec<Operation> {
    const ONE: &str = "/mailboxes/{mailbox}/greetings/{kind}";
    const SOUND: &str = "/mailboxes/{mailbox}/greetings/{kind}/recording";
    let scope = Scope::Greetings;
    let until = json!({ "type": "string", "examples": ["2030-12-24", "2030-12-24T13:00:00Z"] });
    let label = json!({ "type": "string", "maxLength": 40, "examples": ["Summer"] });
    let what = "Keep it beside others of its kind, by this name.";
    let all = [
        Operation::new(
            (Method::GET, "/mailboxes/{mailbox}/greetings"),
            ("listGreetings", "All greetings that a mailbox keeps, 20 at most."),
            scope,
            list,
        )
        .answers(Answer::List("Greeting")),
        Operation::new((Method::GET, ONE), ("getGreeting", "The one callers hear."), scope, show)
            .answers(Answer::One(200, "Greeting")),
        Operation::new(
            (Method::PUT, ONE),
            ("setGreeting", "Give it a greeting that callers hear from now on."),
            scope,
            set,
        )
        .asks("until", "When a temporary one ends: a day, a time there, or a moment.", until)
        .asks("label", what, label)
        .takes(Body::Recording)
        .answers(Answer::One(200, "Greeting"))
        .refuses(409),
        Operation::new((Method::DELETE, ONE), ("removeGreeting", "Take it away."), scope, remove)
            .answers(Answer::Nothing(204)),
        Operation::new((Method::GET, SOUND), ("hearGreeting", "Its recording."), scope, hear)
            .answers(Answer::Sound),
        Operation::new(
            (Method::HEAD, SOUND),
            ("measureGreeting", "How long its recording is, in bytes."),
            scope,
            hear,
        )
        .answers(Answer::Sound),
    ];
    all.into_iter().chain(of_kept(scope)).collect()
}

/// What is done with one that is kept, whether callers hear it or not.
fn of_kept(scope: Scope) -> [Operation; 5] {
    const KEPT: &str = "/mailboxes/{mailbox}/kept-greetings/{greeting}";
    const SOUND: &str = "/mailboxes/{mailbox}/kept-greetings/{greeting}/recording";
    [
        Operation::new(
            (Method::GET, KEPT),
            ("getKeptGreeting", "One that is kept, heard or not."),
            scope,
            show_kept,
        )
        .answers(Answer::One(200, "Greeting")),
        Operation::new(
            (Method::DELETE, KEPT),
            ("removeKeptGreeting", "Take it away."),
            scope,
            remove_kept,
        )
        .answers(Answer::Nothing(204)),
        Operation::new(
            (Method::POST, "/mailboxes/{mailbox}/kept-greetings/{greeting}/choose"),
            ("chooseGreeting", "Have callers hear it in place of the one of its kind."),
            scope,
            choose,
        )
        .answers(Answer::Nothing(204)),
        Operation::new(
            (Method::GET, SOUND),
            ("hearKeptGreeting", "Its recording."),
            scope,
            hear_kept,
        )
        .answers(Answer::Sound),
        Operation::new(
            (Method::HEAD, SOUND),
            ("measureKeptGreeting", "How long its recording is, in bytes."),
            scope,
            hear_kept,
        )
        .answers(Answer::Sound),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![(
        "Greeting",
        whole(json!({
            "id": { "type": "string", "format": "uuid" },
            "kind": { "type": "string", "enum": Kind::ALL.map(Kind::as_str) },
            "label": { "type": "string" },
            "chosen": { "type": "boolean" },
            "duration_ms": { "type": "integer", "minimum": 0 },
            "until": { "type": ["string", "null"], "format": "date-time" },
        })),
    )]
}

fn shown(Kept { id, label, chosen, greeting }: &Kept) -> Value {
    json!({
        "id": id,
        "kind": greeting.recorded.kind.as_str(),
        "label": label,
        "chosen": chosen,
        "duration_ms": u64::try_from(greeting.length.as_millis()).unwrap_or(u64::MAX),
        "until": greeting.recorded.until.map(moment),
    })
}

async fn list(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    let all = greetings::all(&api.db, &mailbox.id).await?;
    let items: Vec<_> = all.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Spot(id, kind): Spot,
) -> Result<Json<Value>, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    Ok(Json(shown(&chosen(&api, &mailbox, kind).await?)))
}

async fn set(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
    Spot(id, kind): Spot,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let wrong = |name: &str, error: anyhow::Error| {
        Problem::new(Code::BadParameter, format!("{name}: {error:#}"))
    };
    let mailbox = mailbox(&api, &tenant, id).await?;
    let until = asked.one("until");
    let recorded = admin::greeting::recorded(kind, until, &mailbox, api.clock.now())
        .map_err(|error| wrong("until", error))?;
    let label = admin::greeting::label(asked.one("label").unwrap_or_default())
        .map_err(|error| wrong("label", error))?;
    let samples = recording::received(&api, &mailbox, request).await?;
    let Api { db, blobs, clock, .. } = &api;
    admin::greeting::keep(db, blobs, clock, &mailbox, recorded, label, &samples).await?;
    Ok(Json(shown(&chosen(&api, &mailbox, kind).await?)))
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Spot(id, kind): Spot,
) -> Result<StatusCode, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    done(admin::greeting::remove(&api.db, &api.blobs, &mailbox, kind).await?)
}

async fn hear(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Spot(id, kind): Spot,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    heard(&api, &chosen(&api, &mailbox, kind).await?.greeting.blob, &headers).await
}

async fn show_kept(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    pair: Pair,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&kept(&api, &tenant, pair).await?)))
}

async fn remove_kept(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, greeting): Pair,
) -> Result<StatusCode, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    let id = greeting.to_string();
    done(admin::greeting::discard(&api.db, &api.blobs, &mailbox, &id).await?)
}

async fn choose(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, greeting): Pair,
) -> Result<StatusCode, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    done(greetings::choose(&api.db, &mailbox.id, &greeting.to_string()).await?)
}

async fn hear_kept(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    pair: Pair,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    heard(&api, &kept(&api, &tenant, pair).await?.greeting.blob, &headers).await
}

fn done(it: bool) -> Result<StatusCode, Problem> {
    if it { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::missing()) }
}

async fn chosen(api: &Api, mailbox: &Mailbox, kind: Kind) -> Result<Kept, Problem> {
    let all = greetings::all(&api.db, &mailbox.id).await?;
    let meant = |it: &Kept| it.chosen && it.greeting.recorded.kind == kind;
    all.into_iter().find(meant).ok_or_else(Problem::missing)
}

async fn kept(api: &Api, tenant: &TenantId, Pair(id, greeting): Pair) -> Result<Kept, Problem> {
    let mailbox = mailbox(api, tenant, id).await?;
    let (all, id) = (greetings::all(&api.db, &mailbox.id).await?, greeting.to_string());
    all.into_iter().find(|it| it.id == id).ok_or_else(Problem::missing)
}

/// A mailbox of the tenant's.
pub(super) async fn mailbox(api: &Api, tenant: &TenantId, id: Uuid) -> Result<Mailbox, Problem> {
    let found = mailboxes::held(&api.db, tenant, &MailboxId(id.to_string())).await?;
    found.ok_or_else(Problem::missing)
}
