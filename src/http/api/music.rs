//! Hold music: classes, and how they are played.

use axum::{
    Extension, Json,
    extract::State,
    http::{Method, StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};

use super::{
    Api, ROOT,
    access::At,
    description::{object, whole},
    fields::Fields,
    operation::{Answer, Body, Operation},
    path::Id,
    problem::{Code, Fault, Problem},
};
use crate::{
    admin::{self, music::Contended},
    hold::{State as Live, Status},
    mailbox::TenantId,
    music::{Class, ClassId, LONGEST_PAUSE, MOST_QUEUES, Manner},
    store::{StoreError, music, tenants, tokens::Scope, tracks},
};

/// A live stream that nobody listens to.
const IDLE: &str = "idle";

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/music";
    const ONE: &str = "/music/{class}";
    let scope = Scope::Music;
    vec![
        Operation::new((Method::GET, ALL), ("listMusic", "All hold music."), scope, list)
            .answers(Answer::One(200, "MusicList")),
        Operation::new((Method::POST, ALL), ("addMusic", "Add a class."), scope, add)
            .takes(Body::Json("NewMusic"))
            .answers(Answer::Made("Music"))
            .refuses(409),
        Operation::new((Method::GET, ONE), ("getMusic", "One class."), scope, show)
            .answers(Answer::One(200, "Music")),
        Operation::new(
            (Method::PATCH, ONE),
            ("changeMusic", "Change how a class is played."),
            scope,
            change,
        )
        .takes(Body::Json("MusicPatch"))
        .answers(Answer::One(200, "Music"))
        .refuses(409),
        Operation::new(
            (Method::DELETE, ONE),
            ("removeMusic", "Remove a class and all its tracks."),
            scope,
            remove,
        )
        .answers(Answer::Nothing(204)),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    let number = json!({ "type": "integer", "minimum": 0 });
    let name = json!({ "type": "string", "pattern": "^[a-z0-9_.-]{1,64}$" });
    let said = json!({ "type": ["string", "null"], "maxLength": 64 });
    let flag = json!({ "type": "boolean" });
    let queue = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" });
    let told = json!({
        "name": name,
        "enabled": flag,
        "shuffle": flag,
        "shared": flag,
        "stream": { "type": ["string", "null"], "maxLength": 500 },
        "intro": said,
        "announcement": said,
        "every": { "type": "integer", "minimum": 1, "maximum": LONGEST_PAUSE },
        "queues": { "type": "array", "maxItems": MOST_QUEUES, "items": queue },
    });
    let mut all = told.clone();
    all["id"] = json!({ "type": "string", "format": "uuid" });
    all["tracks"] = number;
    all["used_by"] = texts;
    all["live"] = json!({
        "description": "How its live stream is; `null` without one.",
        "anyOf": [{ "$ref": "#/components/schemas/LiveStream" }, { "type": "null" }],
    });
    let states = [IDLE].into_iter().chain(Live::ALL.map(Live::as_str));
    let moment = json!({ "type": ["string", "null"], "format": "date-time" });
    let live = json!({
        "state": {
            "type": "string", "enum": states.collect::<Vec<_>>(),
            "description": "`idle`: nobody listens, so it is not read.",
        },
        "since": moment,
        "stands_in": { "type": "boolean", "description": "Callers hear the tracks meanwhile." },
        "problem": {
            "type": ["string", "null"],
            "description": "Why it broke off last, since somebody listens.",
        },
    });
    let list = json!({ "items": { "type": "array", "items": {
        "$ref": "#/components/schemas/Music",
    }}});
    vec![
        ("Music", whole(all)),
        ("MusicList", whole(list)),
        ("LiveStream", whole(live)),
        ("NewMusic", object(&["name"], told.clone())),
        ("MusicPatch", object::<&str>(&[], told)),
    ]
}

async fn list(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
) -> Result<Json<Value>, Problem> {
    let mut items = Vec::new();
    for class in music::list(&api.db, &tenant).await? {
        items.push(shown(&api, &class).await?);
    }
    Ok(Json(json!({ "items": items })))
}

async fn add(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    mut fields: Fields,
) -> Result<impl IntoResponse, Problem> {
    let name = fields.needed("name", admin::music::class_name);
    let manner = manner(&mut fields, Manner::default());
    fields.done()?;
    let Api { db, clock, .. } = &api;
    let added = admin::music::add_class(db, clock, &tenant, &name, manner).await;
    let class = added.map_err(refused)?;
    let place = [(header::LOCATION, format!("{ROOT}/music/{}", class.id.0))];
    Ok((StatusCode::CREATED, place, Json(shown(&api, &class).await?)))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&api, &find(&api, &tenant, id).await?).await?))
}

async fn change(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let seen = find(&api, &tenant, id).await?;
    let mut asked = fields.clone();
    apply(&mut asked, &mut seen.clone());
    asked.done()?;
    let change = |class: &mut Class| {
        apply(&mut fields.clone(), class);
        Ok(())
    };
    let changed = admin::music::change_class(&api.db, &tenant, &seen.id, change).await;
    match changed.map_err(refused)? {
        Some(class) => Ok(Json(shown(&api, &class).await?)),
        None => Err(Problem::missing()),
    }
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let class = find(&api, &tenant, id).await?;
    match admin::music::remove_class(&api.db, &api.blobs, &class).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

/// Changes what is said, and nothing else.
fn apply(fields: &mut Fields, class: &mut Class) {
    if let Some(name) = fields.text("name", admin::music::class_name) {
        class.name = name;
    }
    class.manner = manner(fields, class.manner.clone());
}

fn manner(fields: &mut Fields, was: Manner) -> Manner {
    Manner {
        enabled: fields.flag("enabled").unwrap_or(was.enabled),
        shuffle: fields.flag("shuffle").unwrap_or(was.shuffle),
        shared: fields.flag("shared").unwrap_or(was.shared),
        stream: fields.text_or_null("stream", |_| Ok(())).unwrap_or(was.stream),
        intro: fields.text_or_null("intro", said).unwrap_or(was.intro),
        announcement: fields.text_or_null("announcement", said).unwrap_or(was.announcement),
        every: fields.number("every", 1..=LONGEST_PAUSE).unwrap_or(was.every),
        queues: fields.texts("queues").unwrap_or(was.queues),
    }
}

fn said(name: &str) -> anyhow::Result<()> {
    admin::music::name("announcement", name)
}

/// What the store does not refuse is wrong in what was sent.
pub(super) fn refused(error: anyhow::Error) -> Problem {
    match error.downcast::<StoreError>() {
        Ok(error) => error.into(),
        Err(error) if error.is::<Contended>() => Problem::new(Code::Contended, error.to_string()),
        Err(error) => {
            let detail = format!("{error:#}");
            Problem::invalid(vec![Fault { pointer: String::new(), detail }])
        }
    }
}

/// The tenant's class of this id.
pub(super) async fn find(api: &Api, tenant: &TenantId, id: uuid::Uuid) -> Result<Class, Problem> {
    let found = music::get(&api.db, tenant, &ClassId(id.to_string())).await?;
    found.ok_or_else(Problem::missing)
}

async fn shown(api: &Api, class: &Class) -> Result<Value, Problem> {
    let tenant = tenants::get(&api.db, &class.tenant).await?.ok_or_else(Problem::missing)?;
    let Manner { enabled, shuffle, shared, stream, intro, announcement, every, queues } =
        &class.manner;
    Ok(json!({
        "id": class.id,
        "name": class.name,
        "enabled": enabled,
        "shuffle": shuffle,
        "shared": shared,
        "stream": stream,
        "intro": intro,
        "announcement": announcement,
        "every": every,
        "queues": queues,
        "tracks": tracks::of(&api.db, &class.id).await?.len(),
        "used_by": admin::music::users(&api.db, &tenant, class).await?,
        "live": stream.as_ref().map(|_| live(api, class)),
    }))
}

/// How the live stream of a class is.
fn live(api: &Api, class: &Class) -> Value {
    match api.beds.as_ref().and_then(|it| it.status(&class.id)) {
        None => json!({ "state": IDLE, "since": null, "stands_in": false, "problem": null }),
        Some(Status { state, since, stands_in, problem }) => json!({
            "state": state.as_str(),
            "since": super::moment(since),
            "stands_in": stands_in,
            "problem": problem,
        }),
    }
}
