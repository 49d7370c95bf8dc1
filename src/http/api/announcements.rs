//! Announcements: what is said to many.

use axum::{
    Extension, Json,
    extract::{FromRequest, FromRequestParts, Path, Request, State},
    http::{HeaderMap, Method, StatusCode, request::Parts},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    Api,
    access::{Asked, At},
    description::whole,
    music::refused,
    operation::{Answer, Body, Operation},
    problem::{Code, Problem},
    recording,
    tracks::heard,
};
use crate::{
    admin::{self, music::Source},
    app::Script,
    mailbox::{Preferences, TenantId},
    store::{announcements, announcements::Announcement, music, tenants, tokens::Scope},
};

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/announcements";
    const ONE: &str = "/announcements/{name}";
    const SOUND: &str = "/announcements/{name}/preview";
    let scope = Scope::Music;
    let file = json!({ "type": "string", "maxLength": 255 });
    vec![
        Operation::new((Method::GET, ALL), ("listAnnouncements", "By name."), scope, list)
            .answers(Answer::One(200, "Announcements")),
        Operation::new(
            (Method::PUT, ONE),
            ("setAnnouncement", "Make one, of a sound file or a text, in place of what it was."),
            scope,
            set,
        )
        .asks("file", "What the file is called; tells what it is where it has no header.", file)
        .takes(Body::Recording)
        .answers(Answer::One(200, "Announcement"))
        .refuses(409),
        Operation::new((Method::GET, ONE), ("getAnnouncement", "One of them."), scope, show)
            .answers(Answer::One(200, "Announcement")),
        Operation::new(
            (Method::DELETE, ONE),
            ("removeAnnouncement", "Take it away, unless hold music says it."),
            scope,
            remove,
        )
        .answers(Answer::Nothing(204))
        .refuses(409),
        Operation::new(
            (Method::GET, SOUND),
            ("previewAnnouncement", "As callers hear it at an ordinary telephone."),
            scope,
            preview,
        )
        .answers(Answer::Sound),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let list = json!({ "items": { "type": "array", "items": {
        "$ref": "#/components/schemas/Announcement",
    }}});
    let one = json!({
        "name": { "type": "string" },
        "text": { "type": ["string", "null"] },
        "duration_ms": { "type": "integer", "minimum": 0 },
    });
    vec![("Announcement", whole(one)), ("Announcements", whole(list))]
}

/// The name in a path. What cannot be one is not there.
struct Name(String);

impl FromRequestParts<Api> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let found = Path::<String>::from_request_parts(parts, &()).await;
        let Path(name) = found.map_err(|_| Problem::missing())?;
        admin::music::name("announcement", &name).map_err(|_| Problem::missing())?;
        Ok(Self(name))
    }
}

fn shown(it: &Announcement) -> Value {
    let length = it.length.as_millis() as u64;
    json!({ "name": it.name, "text": it.script, "duration_ms": length })
}

async fn list(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
) -> Result<Json<Value>, Problem> {
    let all = announcements::list(&api.db, &tenant).await?;
    Ok(Json(json!({ "items": all.iter().map(shown).collect::<Vec<_>>() })))
}

async fn set(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
    Name(name): Name,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let sent = recording::Sent::from_request(request, &api).await?;
    let language = match &sent {
        recording::Sent::Text { language: None, .. } => {
            let tenant = tenants::get(&api.db, &tenant).await?.ok_or_else(Problem::missing)?;
            Preferences::of(Default::default(), tenant.settings).prompts
        }
        recording::Sent::Text { language: Some(it), .. } => it.clone(),
        recording::Sent::File(_) => String::new(),
    };
    let source = match &sent {
        recording::Sent::File(file) => Source::File(file, asked.one("file").unwrap_or_default()),
        recording::Sent::Text { text, voice, .. } => {
            Source::Text(Script { text, language: &language, voice: voice.as_deref() })
        }
    };
    let Api { db, blobs, clock, studio, .. } = &api;
    let made = admin::music::announce((db, blobs, clock), studio, &tenant, &name, source).await;
    Ok(Json(shown(&made.map_err(|error| sent.refused(error))?)))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    name: Name,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&find(&api, &tenant, &name).await?)))
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    name: Name,
) -> Result<StatusCode, Problem> {
    find(&api, &tenant, &name).await?;
    let classes = music::list(&api.db, &tenant).await?;
    if classes.iter().any(|it| it.manner.says(&name.0)) {
        let detail = "hold music says this; have it say something else first";
        return Err(Problem::new(Code::InUse, detail));
    }
    match admin::music::withdraw(&api.db, &api.blobs, &tenant, &name.0).await.map_err(refused)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

async fn preview(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    name: Name,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Announcement { blob, .. } = find(&api, &tenant, &name).await?;
    heard(&admin::music::heard(&api.blobs, &blob).await?, &headers)
}

async fn find(api: &Api, tenant: &TenantId, name: &Name) -> Result<Announcement, Problem> {
    announcements::named(&api.db, tenant, &name.0).await?.ok_or_else(Problem::missing)
}
