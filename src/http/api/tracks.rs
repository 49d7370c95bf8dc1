//! The tracks of hold music.

use axum::{
    Extension, Json,
    body::Body as Sent,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Api, ROOT,
    access::{Asked, At},
    description::{object, whole},
    fields::Fields,
    files,
    music::{find as class, refused},
    operation::{Answer, Body, Operation},
    path::{Id, Pair},
    problem::{Code, Problem},
};
use crate::{
    admin,
    admin::music::LONGEST_NOTE,
    http::range,
    music::{Class, MOST_TRACKS, State as Progress, Track, TrackId},
    store::{
        tokens::Scope,
        tracks::{self, Change},
    },
};

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/music/{class}/tracks";
    const ONE: &str = "/music/{class}/tracks/{track}";
    const SOUND: &str = "/music/{class}/tracks/{track}/preview";
    let scope = Scope::Music;
    vec![
        Operation::new((Method::GET, ALL), ("listTracks", "In their order."), scope, list)
            .answers(Answer::One(200, "Tracks")),
        Operation::new(
            (Method::POST, ALL),
            ("addTrack", "Send a sound file. It is heard once its `state` is `ready`."),
            scope,
            add,
        )
        .asks_all(files::parameters())
        .takes(Body::Sound)
        .answers(Answer::Made("Track"))
        .refuses(409),
        Operation::new(
            (Method::POST, "/music/{class}/order"),
            ("orderTracks", "Put tracks in order; those that are not named come behind."),
            scope,
            order,
        )
        .takes(Body::Json("TrackOrder"))
        .answers(Answer::One(200, "Tracks")),
        Operation::new((Method::GET, ONE), ("getTrack", "One track."), scope, show)
            .answers(Answer::One(200, "Track")),
        Operation::new((Method::PATCH, ONE), ("changeTrack", "Change a track."), scope, change)
            .takes(Body::Json("TrackPatch"))
            .answers(Answer::One(200, "Track")),
        Operation::new((Method::DELETE, ONE), ("removeTrack", "Take it away."), scope, remove)
            .answers(Answer::Nothing(204)),
        Operation::new(
            (Method::GET, SOUND),
            ("previewTrack", "As callers hear it at an ordinary telephone."),
            scope,
            preview,
        )
        .answers(Answer::Sound),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let id = json!({ "type": "string", "format": "uuid" });
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 100 });
    let note = json!({ "type": "string", "maxLength": LONGEST_NOTE });
    let told = json!({ "name": name, "description": note, "licence": note });
    let mut all = told.clone();
    all["id"] = id.clone();
    all["state"] = json!({ "type": "string", "enum": ["waiting", "ready", "failed"] });
    all["progress"] = json!({
        "type": ["integer", "null"], "minimum": 0, "maximum": 100,
        "description": "How far it is in per cent, while this server makes it.",
    });
    all["duration_ms"] = json!({ "type": ["integer", "null"], "minimum": 0 });
    all["loudness"] = json!({
        "type": ["number", "null"],
        "description": "Of what was sent, in LUFS; it is played at -23.",
    });
    all["problem"] = json!({ "type": ["string", "null"] });
    let list = json!({ "items": { "type": "array", "items": {
        "$ref": "#/components/schemas/Track",
    }}});
    let order = json!({ "tracks": { "type": "array", "maxItems": MOST_TRACKS, "items": id } });
    vec![
        ("Track", whole(all)),
        ("Tracks", whole(list)),
        ("TrackPatch", object::<&str>(&[], told)),
        ("TrackOrder", whole(order)),
    ]
}

async fn list(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    all(&api, &class(&api, &tenant, id).await?).await
}

async fn add(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Problem> {
    let class = class(&api, &tenant, id).await?;
    let (sent, bytes) = files::received(request, &asked).await?;
    let Api { db, blobs, clock, .. } = &api;
    let added = admin::music::add(db, blobs, clock, &class.id, sent, bytes).await;
    let track = added.map_err(unkept)?;
    made(&api, &class, &track).await
}

/// Why a file was not kept.
pub(super) fn unkept(error: anyhow::Error) -> Problem {
    match error.is::<crate::blobs::BlobError>() {
        true => error.into(),
        false => refused(error),
    }
}

/// A track that has just been made of a file; somebody makes sound of it now.
pub(super) async fn made(api: &Api, class: &Class, track: &TrackId) -> Result<Response, Problem> {
    api.bell.ring_all();
    let place = [(header::LOCATION, address(class, track))];
    Ok((StatusCode::CREATED, place, Json(one(api, class, track).await?)).into_response())
}

/// Where a track is.
pub(super) fn address(class: &Class, track: &TrackId) -> String {
    format!("{ROOT}/music/{}/tracks/{}", class.id.0, track.0)
}

async fn order(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let class = class(&api, &tenant, id).await?;
    let wanted = fields.needed_texts("tracks");
    let known = tracks::of(&api.db, &class.id).await?;
    if let Some(other) = wanted.iter().find(|it| !known.iter().any(|known| known.id.0 == **it)) {
        fields.fault::<()>("tracks", format!("there is no track {other:?}"));
    }
    fields.done()?;
    let wanted: Vec<_> = wanted.into_iter().map(TrackId).collect();
    tracks::order(&api.db, &class.id, &wanted).await?;
    all(&api, &class).await
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, track): Pair,
) -> Result<Json<Value>, Problem> {
    let class = class(&api, &tenant, id).await?;
    Ok(Json(one(&api, &class, &named(track)).await?))
}

async fn change(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, track): Pair,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let class = class(&api, &tenant, id).await?;
    let change = Change {
        name: fields.text("name", admin::check::name),
        description: fields.text("description", admin::music::note),
        licence: fields.text("licence", admin::music::note),
    };
    fields.done()?;
    tracks::set(&api.db, &class.id, &named(track), &change).await?;
    Ok(Json(one(&api, &class, &named(track)).await?))
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, track): Pair,
) -> Result<StatusCode, Problem> {
    let class = class(&api, &tenant, id).await?;
    match admin::music::remove(&api.db, &api.blobs, &class.id, &named(track)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

async fn preview(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, track): Pair,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let class = class(&api, &tenant, id).await?;
    match found(&api, &class, &named(track)).await?.state {
        Progress::Ready { blob, .. } => {
            heard(&admin::music::heard(&api.blobs, &blob).await?, &headers)
        }
        // As long as there is nothing to hear.
        Progress::Waiting | Progress::Failed { .. } => Err(Problem::missing()),
    }
}

/// A sound that was just made, or the part of it that is asked for.
pub(super) fn heard(sound: &[u8], asked: &HeaderMap) -> Result<Response, Problem> {
    let (answer, wanted) = range::sound(asked, "audio/wav", sound.len() as u64);
    let wanted = wanted.start as usize..wanted.end as usize;
    let part = sound.get(wanted).unwrap_or_default().to_vec();
    let answer = answer.body(Sent::from(part)).expect("the headers are ours");
    if answer.status() != StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(answer);
    }
    Err(Problem::new(Code::Range, "the range lies outside of the recording"))
}

pub(super) fn named(id: Uuid) -> TrackId {
    TrackId(id.to_string())
}

async fn found(api: &Api, class: &Class, id: &TrackId) -> Result<Track, Problem> {
    let all = tracks::of(&api.db, &class.id).await?;
    all.into_iter().find(|it| it.id == *id).ok_or_else(Problem::missing)
}

async fn one(api: &Api, class: &Class, id: &TrackId) -> Result<Value, Problem> {
    Ok(shown(api, &found(api, class, id).await?))
}

async fn all(api: &Api, class: &Class) -> Result<Json<Value>, Problem> {
    let all = tracks::of(&api.db, &class.id).await?;
    Ok(Json(json!({ "items": all.iter().map(|it| shown(api, it)).collect::<Vec<_>>() })))
}

fn shown(api: &Api, track: &Track) -> Value {
    let (length, loudness, problem) = match &track.state {
        Progress::Ready { length, loudness, .. } => {
            (Some(length.as_millis() as u64), Some(*loudness as f64 / 100.0), None)
        }
        Progress::Failed { problem } => (None, None, Some(problem)),
        Progress::Waiting => (None, None, None),
    };
    json!({
        "id": track.id,
        "name": track.name,
        "description": track.description,
        "licence": track.licence,
        "state": track.state.as_str(),
        "progress": api.studio.progress(&track.id.0),
        "duration_ms": length,
        "loudness": loudness,
        "problem": problem,
    })
}
