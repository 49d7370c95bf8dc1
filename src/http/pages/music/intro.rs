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
    store::{
        announcements::{self, Announcement},
        music,
    },
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
    // A file takes its time; what the class is by now counts.
    let class = music::get(&pages.api.db, &class.tenant, &class.id).await?;
    let class = class.ok_or(Trouble::Missing)?;
    match change(&pages, &class, &arrival.fields(), file).await {
        Ok(Some(changed)) => Ok(done(&changed, Done::Saved)),
        Ok(None) => Err(Trouble::Missing),
        Err(error) => refused(&pages, &visitor, Some(&class), error).await,
    }
}

/// Has the class begin as the form says. A greeting of its own that it does not begin with any more stays
/// an announcement: what was spoken by phone cannot be had again.
async fn change(
    pages: &Pages,
    class: &Class,
    fields: &Fields,
    file: Option<File>,
) -> anyhow::Result<Option<Class>> {
    let api = &pages.api;
    let own = class.own_intro();
    let intro = match fields.of("way") {
        "text" => {
            let text = fields.of("text");
            let language = fields.of("language");
            check::language(language)?;
            let voice = Some(fields.of("voice")).filter(|it| !it.is_empty());
            make(pages, class, Source::Text(Script { text, language, voice })).await?;
            Some(own)
        }
        "file" => {
            match &file {
                Some(file) => make(pages, class, Source::File(&file.bytes, &file.name)).await?,
                None => {
                    let found = announcements::named(&api.db, &class.tenant, &own).await?;
                    stays(class, found.as_ref())?;
                }
            }
            Some(own)
        }
        "kept" => Some(fields.of("kept").to_owned()),
        _ => None,
    };
    let begin = |it: &mut Class| {
        it.manner.intro = intro.clone();
        Ok(())
    };
    admin::music::change_class(&api.db, &class.tenant, &class.id, begin).await
}

/// Whether the greeting that a class has is a sound already, so that no other one need be chosen.
fn stays(class: &Class, own: Option<&Announcement>) -> anyhow::Result<()> {
    let said = own.filter(|it| class.manner.intro.as_deref() == Some(it.name.as_str()));
    match said.is_some_and(|it| it.script.is_none()) {
        true => Ok(()),
        false => Err(anyhow!("choose a sound file first")),
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        mailbox::TenantId,
        music::{ClassId, Manner},
    };

    fn jazz(intro: Option<&str>) -> Class {
        let manner = Manner { intro: intro.map(str::to_owned), ..Manner::default() };
        let (id, tenant) = (ClassId("c".into()), TenantId("t".into()));
        Class { id, tenant, name: "jazz".into(), manner }
    }

    fn own(script: Option<&str>) -> Announcement {
        let (name, script) = ("intro-jazz".into(), script.map(str::to_owned));
        Announcement { name, script, blob: String::new(), length: Duration::ZERO }
    }

    #[test]
    fn without_a_file_only_a_greeting_that_is_a_sound_already_stays() {
        let class = jazz(Some("intro-jazz"));
        assert!(stays(&class, Some(&own(None))).is_ok());
        assert!(stays(&class, Some(&own(Some("Hello.")))).is_err(), "a text is no sound file");
        assert!(stays(&class, None).is_err());
        for other in [None, Some("welcome")] {
            assert!(stays(&jazz(other), Some(&own(None))).is_err(), "{other:?}");
        }
    }
}
