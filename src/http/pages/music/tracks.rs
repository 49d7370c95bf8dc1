//! The tracks of a class: sent, heard, renamed, put in order and deleted.

use anyhow::anyhow;
use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;
use minijinja::context;
use serde_json::{Value, json};

use super::{
    super::{arrival::Arrival, is_script},
    Done, Fields, Pages, Trouble, Visitor, done, facts, find, refused, sentence, shown,
};
use crate::{
    admin::{self, check, music::Sent},
    http::range,
    music::{Class, State as Stage, Track, TrackId},
    store::tracks::{self, Change},
};

/// Takes files in; a script is told the ids, and why one was refused.
pub(super) async fn add(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    asked: HeaderMap,
    arrival: Result<Arrival, Trouble>,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let taken = match arrival {
        Ok(arrival) => taken(&pages, &class, arrival).await,
        Err(trouble) => Err(trouble),
    };
    pages.api.bell.ring_all();
    match (taken, is_script(&asked)) {
        (Ok(ids), true) => {
            Ok((StatusCode::CREATED, Json(json!({ "tracks": ids }))).into_response())
        }
        (Ok(ids), false) if ids.is_empty() => {
            refused(&pages, &visitor, Some(&class), anyhow!("choose a file first")).await
        }
        (Ok(_), false) => Ok(done(&class, Done::Sent)),
        (Err(Trouble::Unfit(status, why)), true) => Ok((status, why).into_response()),
        (Err(Trouble::Unfit(_, why)), false) => {
            refused(&pages, &visitor, Some(&class), anyhow!(why)).await
        }
        (Err(trouble), _) => Err(trouble),
    }
}

async fn taken(pages: &Pages, class: &Class, mut arrival: Arrival) -> Result<Vec<String>, Trouble> {
    let api = &pages.api;
    let mut ids = Vec::new();
    while let Some(file) = arrival.file().await? {
        let sent = Sent { file: file.name, ..Sent::default() };
        let added =
            admin::music::add(&api.db, &api.blobs, &api.clock, &class.id, sent, file.bytes).await;
        match added {
            Ok(id) => ids.push(id.0),
            Err(error) => {
                return Err(Trouble::Unfit(StatusCode::UNPROCESSABLE_ENTITY, sentence(error)?));
            }
        }
    }
    Ok(ids)
}

/// How far every track is, for a script that waits.
pub(super) async fn state(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let tracks = tracks::of(&pages.api.db, &class.id).await?;
    let told = tracks.iter().map(|it| {
        let percent = pages.api.studio.progress(&it.id.0).unwrap_or(0);
        json!({ "id": it.id.0, "state": it.state.as_str(), "percent": percent })
    });
    let summary = facts::summary(&class, &tracks);
    let tracks = told.collect::<Vec<_>>();
    let stream = super::stream(&pages, &class);
    let stream = stream.map(|(state, told)| json!({ "state": state, "sentence": told }));
    Ok(Json(json!({ "tracks": tracks, "summary": summary, "stream": stream })))
}

/// The row of a track, for a script that has seen it change.
pub(super) async fn show(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Html<String>, Trouble> {
    let (class, track) = one(&pages, &visitor, &name, id).await?;
    let facts = context! {
        visitor => shown::visitor(&visitor),
        class => context! { name => &class.name },
        track => facts::track(&track, pages.api.studio.progress(&track.id.0)),
        limits => facts::limits(),
    };
    Ok(shown::page("track.html", facts)?)
}

pub(super) async fn set(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let (class, track) = one(&pages, &visitor, &name, id).await?;
    let said = |name| fields.given(name).map(str::to_owned);
    let (name, description) = (said("name"), said("description"));
    let change = Change { name, description, licence: said("licence") };
    let fits = || -> anyhow::Result<()> {
        change.name.as_deref().map_or(Ok(()), check::name)?;
        let notes = [&change.description, &change.licence].into_iter().flatten();
        notes.into_iter().try_for_each(|it| admin::music::note(it))
    };
    if let Err(error) = fits() {
        return refused(&pages, &visitor, Some(&class), error).await;
    }
    match tracks::set(&pages.api.db, &class.id, &track.id, &change).await? {
        true => Ok(done(&class, Done::Saved)),
        false => Err(Trouble::Missing),
    }
}

/// Moves a track one place up or down.
pub(super) async fn shift(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let all = tracks::of(&pages.api.db, &class.id).await?;
    let mut ids: Vec<TrackId> = all.into_iter().map(|it| it.id).collect();
    let at = ids.iter().position(|it| it.0 == id).ok_or(Trouble::Missing)?;
    let to = match fields.of("to") {
        "up" => at.saturating_sub(1),
        _ => (at + 1).min(ids.len() - 1),
    };
    ids.swap(at, to);
    tracks::order(&pages.api.db, &class.id, &ids).await?;
    Ok(done(&class, Done::Moved))
}

/// Puts all tracks into the order in which they are named.
pub(super) async fn order(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<StatusCode, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let ids: Vec<_> = fields.all("track").map(|it| TrackId(it.to_owned())).collect();
    tracks::order(&pages.api.db, &class.id, &ids).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
    _fields: Fields,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let api = &pages.api;
    match admin::music::remove(&api.db, &api.blobs, &class.id, &TrackId(id)).await? {
        true => Ok(done(&class, Done::Deleted)),
        false => Err(Trouble::Missing),
    }
}

/// The track as callers hear it.
pub(super) async fn heard(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path((name, id)): Path<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, Trouble> {
    let (_, track) = one(&pages, &visitor, &name, id).await?;
    let Stage::Ready { blob, .. } = track.state else { return Err(Trouble::Missing) };
    sound(&pages, &blob, &asked).await
}

/// What is kept under a key as callers hear it, or the part of it that is asked for.
pub(super) async fn sound(
    pages: &Pages,
    blob: &str,
    asked: &HeaderMap,
) -> Result<Response, Trouble> {
    let last = || pages.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let kept = last().as_ref().filter(|it| it.0 == blob).map(|it| it.1.clone());
    let bytes = match kept {
        Some(bytes) => bytes,
        None => {
            let bytes = Bytes::from(admin::music::heard(&pages.api.blobs, blob).await?);
            *last() = Some((blob.to_owned(), bytes.clone()));
            bytes
        }
    };
    let (answer, wanted) = range::sound(asked, "audio/wav", bytes.len() as u64);
    let part = bytes.slice(wanted.start as usize..wanted.end as usize);
    Ok(answer.body(Body::from(part)).expect("the headers are ours"))
}

async fn one(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    id: String,
) -> Result<(Class, Track), Trouble> {
    let class = find(pages, visitor, name).await?;
    let all = tracks::of(&pages.api.db, &class.id).await?;
    let track = all.into_iter().find(|it| it.id.0 == id).ok_or(Trouble::Missing)?;
    Ok((class, track))
}
