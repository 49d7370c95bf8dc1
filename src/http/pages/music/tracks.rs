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
    let mut taken = Taken::default();
    let outcome = match arrival {
        Ok(arrival) => taken.take(&pages, &class, arrival).await,
        Err(trouble) => Err(trouble),
    };
    pages.api.bell.ring_all();
    match (outcome, is_script(&asked)) {
        (Ok(()), true) => {
            Ok((StatusCode::CREATED, Json(json!({ "tracks": taken.ids }))).into_response())
        }
        (Ok(()), false) if taken.ids.is_empty() => {
            refused(&pages, &visitor, Some(&class), anyhow!("choose a file first")).await
        }
        (Ok(()), false) => Ok(done(&class, Done::Sent)),
        (Err(Trouble::Unfit(status, why)), true) => Ok((status, why).into_response()),
        (Err(Trouble::Unfit(_, why)), false) => {
            refused(&pages, &visitor, Some(&class), anyhow!(taken.told(&why))).await
        }
        (Err(trouble), _) => Err(trouble),
    }
}

/// What has come of a form with files, up to the one that is refused.
#[derive(Debug, Default)]
struct Taken {
    /// The tracks that its files have become.
    ids: Vec<String>,
    /// What the file is called that has come last, if it has come whole.
    last: Option<String>,
}

impl Taken {
    async fn take(
        &mut self,
        pages: &Pages,
        class: &Class,
        mut arrival: Arrival,
    ) -> Result<(), Trouble> {
        let api = &pages.api;
        while let Some(file) = arrival.file().await? {
            self.last = Some(file.name.clone());
            let sent = Sent { file: file.name, ..Sent::default() };
            let (db, blobs, clock) = (&api.db, &api.blobs, &api.clock);
            let added = admin::music::add(db, blobs, clock, &class.id, sent, file.bytes).await;
            match added {
                Ok(id) => self.ids.push(id.0),
                Err(error) => {
                    return Err(Trouble::Unfit(StatusCode::UNPROCESSABLE_ENTITY, sentence(error)?));
                }
            }
            self.last = None;
        }
        Ok(())
    }

    /// Why a file was refused, which one it was, and what became of the others.
    fn told(&self, why: &str) -> String {
        let which = match (&self.last, self.ids.len()) {
            (Some(name), _) => format!("“{name}”: "),
            (None, 0) => String::new(),
            (None, before) => format!("File {}: ", before + 1),
        };
        let kept = match self.ids.len() {
            0 => "No file was kept.".to_owned(),
            1 => "The file before it was kept; nothing behind that was.".to_owned(),
            before => format!("The {before} files before it were kept; nothing behind them was."),
        };
        format!("{which}{why} {kept}")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_several_files_is_told_which_was_refused_and_what_was_kept() {
        let taken = |kept: usize, last: Option<&str>| Taken {
            ids: vec![String::new(); kept],
            last: last.map(str::to_owned),
        };
        let told = |kept, last| taken(kept, last).told("It is too large.");
        assert_eq!(told(0, None), "It is too large. No file was kept.");
        assert_eq!(told(0, Some("a.mp3")), "“a.mp3”: It is too large. No file was kept.");
        let one = told(1, None);
        assert!(one.starts_with("File 2: It is too large. The file before it was kept"), "{one}");
        let two = told(2, Some("c.mp3"));
        assert!(two.starts_with("“c.mp3”: "), "{two}");
        assert!(two.contains("The 2 files before it were kept"), "{two}");
    }
}
