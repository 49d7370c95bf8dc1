//! The introductory greeting: an announcement that each caller hears first. A class may have one of its
//! own, made here of a text or a file, or any other that the tenant has.

use anyhow::{Context, anyhow};
use axum::{
    Extension,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use minijinja::{Value, context};

use super::{
    super::arrival::Arrival, Done, Fields, Pages, Trouble, Visitor, done, facts, find, refused,
    tracks,
};
use crate::{
    admin::{self, check, music::Source},
    app::Script,
    http::form::File,
    music::Class,
    store::announcements::{self, Announcement},
};

/// What the page tells of it.
pub(super) fn facts(class: &Class, all: &[Announcement]) -> Value {
    let said = class.manner.intro.as_ref();
    let Some(found) = said.and_then(|name| all.iter().find(|it| it.name == *name)) else {
        return context! { name => (), script => (), is_own => false };
    };
    let is_own = found.name == class.own_intro();
    let origin = match (&found.script, is_own) {
        (Some(_), _) => "Spoken from a text",
        (None, _) => "From a file or recorded by phone",
    };
    context! {
        name => &found.name,
        script => &found.script,
        is_own,
        facts => if is_own { origin.to_owned() } else { format!("{origin}: {}", found.name) },
        seconds => found.length.as_secs(),
        length => facts::time(found.length),
    }
}

pub(super) async fn set(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    arrival: Result<Arrival, Trouble>,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let mut arrival = arrival?;
    // The fields behind the file come with the question for another one.
    let mut file = None;
    loop {
        match arrival.file().await {
            Ok(Some(it)) => file = file.or(Some(it)),
            Ok(None) => break,
            Err(Trouble::Unfit(_, why)) => {
                return refused(&pages, &visitor, Some(&class), anyhow!(why)).await;
            }
            Err(trouble) => return Err(trouble),
        }
    }
    match change(&pages, &class, &arrival.fields(), file).await {
        Ok(()) => Ok(done(&class, Done::Saved)),
        Err(error) => refused(&pages, &visitor, Some(&class), error).await,
    }
}

async fn change(
    pages: &Pages,
    class: &Class,
    fields: &Fields,
    file: Option<File>,
) -> anyhow::Result<()> {
    let own = class.own_intro();
    let is_own = class.manner.intro.as_ref() == Some(&own);
    let intro = match fields.of("way") {
        "text" => {
            let text = fields.of("text");
            let language = fields.of("language");
            check::language(language)?;
            let voice = Some(fields.of("voice")).filter(|it| !it.is_empty());
            make(pages, class, Source::Text(Script { text, language, voice })).await?;
            Some(own.clone())
        }
        "file" => {
            match &file {
                Some(file) => make(pages, class, Source::File(&file.bytes, &file.name)).await?,
                None if is_own => {}
                None => return Err(anyhow!("choose a sound file first")),
            }
            Some(own.clone())
        }
        "kept" => Some(fields.of("kept").to_owned()),
        _ => None,
    };
    let mut changed = class.clone();
    changed.manner.intro = intro;
    let api = &pages.api;
    admin::music::set_class(&api.db, &changed).await?;
    if is_own && changed.manner.intro.as_ref() != Some(&own) && !changed.manner.says(&own) {
        // Another class may say it, too; then it stays.
        admin::music::withdraw(&api.db, &api.blobs, &class.tenant, &own).await.ok();
    }
    Ok(())
}

async fn make(pages: &Pages, class: &Class, source: Source<'_>) -> anyhow::Result<()> {
    let api = &pages.api;
    let house = (&api.db, &api.blobs, &api.clock);
    let made =
        admin::music::announce(house, &api.studio, &class.tenant, &class.own_intro(), source).await;
    made.map(drop)
}

/// The greeting as callers hear it.
pub(super) async fn heard(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let intro = class.manner.intro.as_deref().ok_or(Trouble::Missing)?;
    let found = announcements::named(&pages.api.db, &class.tenant, intro).await;
    let found = found.context("an announcement cannot be looked up")?.ok_or(Trouble::Missing)?;
    tracks::sound(&pages, &found.blob, &asked).await
}
