//! Greetings of a mailbox, given and taken as WAV files.

use std::time::Duration;

use axum::{
    Extension, Json,
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    Api,
    access::{Asked, At},
    description::whole,
    messages::heard,
    moment,
    operation::{Answer, Body, Operation},
    path::{Id, Spot},
    problem::{Code, Fault, Problem},
};
use crate::{
    admin,
    mailbox::{Mailbox, MailboxId, TenantId, greeting::Kind},
    store::{
        greetings::{self, Greeting},
        mailboxes,
        tokens::Scope,
    },
};

/// Longest file, in bytes.
const LONGEST: usize = 32 * 1024 * 1024;
/// A file has to be here within this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files that are taken in at once; who comes next waits.
static DESKS: Semaphore = Semaphore::const_new(2);

pub(super) fn operations() -> Vec<Operation> {
    const ONE: &str = "/mailboxes/{mailbox}/greetings/{kind}";
    const SOUND: &str = "/mailboxes/{mailbox}/greetings/{kind}/recording";
    let scope = Scope::Greetings;
    let until = json!({ "type": "string", "examples": ["2030-12-24", "2030-12-24T13:00:00Z"] });
    vec![
        Operation::new(
            (Method::GET, "/mailboxes/{mailbox}/greetings"),
            ("listGreetings", "The greetings of a mailbox, one of a kind."),
            scope,
            list,
        )
        .answers(Answer::List("Greeting")),
        Operation::new((Method::GET, ONE), ("getGreeting", "One greeting."), scope, show)
            .answers(Answer::One(200, "Greeting")),
        Operation::new((Method::PUT, ONE), ("setGreeting", "Give it a greeting."), scope, set)
            .asks("until", "When a temporary one ends: a day, a time there, or a moment.", until)
            .takes(Body::Sound)
            .answers(Answer::One(200, "Greeting")),
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
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![(
        "Greeting",
        whole(json!({
            "kind": { "type": "string", "enum": Kind::ALL.map(Kind::as_str) },
            "duration_ms": { "type": "integer", "minimum": 0 },
            "until": { "type": ["string", "null"], "format": "date-time" },
        })),
    )]
}

fn shown(greeting: &Greeting) -> Value {
    json!({
        "kind": greeting.recorded.kind.as_str(),
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
    let all = greetings::of(&api.db, &mailbox.id).await?;
    let items: Vec<_> = all.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    spot: Spot,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&find(&api, &tenant, spot).await?)))
}

async fn set(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
    Spot(id, kind): Spot,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    let until = asked.one("until");
    let recorded = admin::greeting::recorded(kind, until, &mailbox, api.clock.now())
        .map_err(|error| Problem::new(Code::BadParameter, format!("until: {error:#}")))?;
    let _desk = DESKS.acquire().await;
    let File(file) = File::from_request(request, &api).await?;
    let read = tokio::task::spawn_blocking(move || admin::greeting::read(&file)).await;
    let samples = read.map_err(anyhow::Error::from)?.map_err(|error| {
        let detail = format!("the file {error:#}");
        Problem::invalid(vec![Fault { pointer: String::new(), detail }])
    })?;
    let Api { db, blobs, clock, .. } = &api;
    let greeting = admin::greeting::set(db, blobs, clock, &mailbox, recorded, &samples).await?;
    Ok(Json(shown(&greeting)))
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Spot(id, kind): Spot,
) -> Result<StatusCode, Problem> {
    let mailbox = mailbox(&api, &tenant, id).await?;
    match admin::greeting::remove(&api.db, &api.blobs, &mailbox, kind).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

async fn hear(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    spot: Spot,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    heard(&api, &find(&api, &tenant, spot).await?.blob, &headers).await
}

async fn find(api: &Api, tenant: &TenantId, Spot(id, kind): Spot) -> Result<Greeting, Problem> {
    let mailbox = mailbox(api, tenant, id).await?;
    let all = greetings::of(&api.db, &mailbox.id).await?;
    all.into_iter().find(|it| it.recorded.kind == kind).ok_or_else(Problem::missing)
}

async fn mailbox(api: &Api, tenant: &TenantId, id: uuid::Uuid) -> Result<Mailbox, Problem> {
    let found = mailboxes::held(&api.db, tenant, &MailboxId(id.to_string())).await?;
    found.ok_or_else(Problem::missing)
}

/// The file that is sent.
struct File(Bytes);

impl FromRequest<Api> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        const KINDS: [&str; 4] = ["audio/wav", "audio/wave", "audio/x-wav", "audio/vnd.wave"];
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let kind = kind.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
        if !KINDS.iter().any(|it| kind.eq_ignore_ascii_case(it)) {
            return Err(Problem::new(Code::MediaType, "the body has to be audio/wav"));
        }
        let body = to_bytes(request.into_body(), LONGEST);
        let slow = |_| Problem::new(Code::TooSlow, "the file was not here within a minute");
        let large = |_| Problem::new(Code::TooLarge, "the file has more than 32 MiB");
        let arrived = tokio::time::timeout(PATIENCE, body).await.map_err(slow)?;
        arrived.map(Self).map_err(large)
    }
}
