//! `/music`: what a tenant's callers hear while they wait. A page for each class, and what its forms do.

mod facts;
mod intro;
mod manner;
mod tracks;

use axum::{
    Extension, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use minijinja::context;
use serde::Deserialize;

use super::{
    Pages, Trouble,
    session::{Fields, Visitor},
    shown,
};
use crate::{
    admin,
    blobs::BlobError,
    decode::DecodeError,
    music::{Class, DEFAULT, Manner},
    speech::synthesis::SynthesisError,
    store::{StoreError, announcements, music, tracks as stored},
};

pub(super) fn routes() -> Router<Pages> {
    Router::new()
        .route("/music", get(first).post(add))
        .route("/music/{class}", get(show))
        .route("/music/{class}/manner", post(manner::set))
        .route("/music/{class}/remove", post(remove))
        .route("/music/{class}/state", get(tracks::state))
        .route("/music/{class}/order", post(tracks::order))
        .route("/music/{class}/tracks", post(tracks::add))
        .route("/music/{class}/tracks/{track}", get(tracks::show).post(tracks::set))
        .route("/music/{class}/tracks/{track}/move", post(tracks::shift))
        .route("/music/{class}/tracks/{track}/remove", post(tracks::remove))
        .route("/music/{class}/tracks/{track}/preview.wav", get(tracks::heard))
        .route("/music/{class}/intro", post(intro::set))
        .route("/music/{class}/intro.wav", get(intro::heard))
}

/// What has been done, as the page says it after a redirect.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Done {
    Saved,
    Deleted,
    Made,
    Sent,
    Moved,
}

impl Done {
    fn sentence(self) -> &'static str {
        match self {
            Self::Saved => "Saved.",
            Self::Deleted => "Deleted.",
            Self::Made => "The class is made. Now put music into it.",
            Self::Sent => "The files are here, and are being prepared for callers.",
            Self::Moved => "Moved.",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::Deleted => "deleted",
            Self::Made => "made",
            Self::Sent => "sent",
            Self::Moved => "moved",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Asked {
    done: Option<Done>,
}

/// What the page says besides what there is.
#[derive(Debug, Default)]
struct News {
    said: Option<&'static str>,
    problem: Option<String>,
}

async fn first(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let classes = music::list(&pages.api.db, &visitor.tenant.id).await?;
    let usual = classes.iter().find(|it| it.name == DEFAULT).or(classes.first());
    match usual {
        Some(class) => Ok(Redirect::to(&address(class)).into_response()),
        None => {
            let news = News { said: asked.done.map(Done::sentence), problem: None };
            page(&pages, &visitor, None, StatusCode::OK, news).await
        }
    }
}

async fn show(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let news = News { said: asked.done.map(Done::sentence), problem: None };
    page(&pages, &visitor, Some(&class), StatusCode::OK, news).await
}

async fn add(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let (db, clock) = (&pages.api.db, &pages.api.clock);
    let (tenant, name) = (&visitor.tenant.id, fields.of("name"));
    match admin::music::add_class(db, clock, tenant, name, Manner::default()).await {
        Ok(class) => Ok(done(&class, Done::Made)),
        Err(error) => refused(&pages, &visitor, None, error).await,
    }
}

async fn remove(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    _fields: Fields,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    admin::music::remove_class(&pages.api.db, &pages.api.blobs, &class).await?;
    Ok(Redirect::to("/music?done=deleted").into_response())
}

/// The tenant's class of this name.
async fn find(pages: &Pages, visitor: &Visitor, name: &str) -> Result<Class, Trouble> {
    let found = music::named(&pages.api.db, &visitor.tenant.id, name).await?;
    found.ok_or(Trouble::Missing)
}

fn address(class: &Class) -> String {
    // Names are made of letters, digits and signs that mean nothing in a path.
    format!("/music/{}", class.name)
}

fn done(class: &Class, done: Done) -> Response {
    Redirect::to(&format!("{}?done={}", address(class), done.word())).into_response()
}

/// The page once more, with what was wrong.
async fn refused(
    pages: &Pages,
    visitor: &Visitor,
    class: Option<&Class>,
    error: anyhow::Error,
) -> Result<Response, Trouble> {
    let news = News { said: None, problem: Some(sentence(error)?) };
    page(pages, visitor, class, StatusCode::UNPROCESSABLE_ENTITY, news).await
}

/// What is wrong with what was sent, for people; what is wrong with us stays trouble.
fn sentence(error: anyhow::Error) -> Result<String, Trouble> {
    let text = match error.downcast_ref::<StoreError>() {
        Some(it @ (StoreError::Taken { .. } | StoreError::TooMany { .. })) => it.to_string(),
        Some(_) => return Err(error.into()),
        None if error.is::<BlobError>() => return Err(error.into()),
        None if error.is::<DecodeError>() => format!("the file {error:#}"),
        None => match error.downcast_ref::<SynthesisError>() {
            Some(it) if !it.is_askers() => {
                tracing::warn!(error = it as &dyn std::error::Error, "a text cannot be spoken");
                "the voice cannot speak now; the server's log says why".to_owned()
            }
            _ => format!("{error:#}"),
        },
    };
    Ok(shown::sentence(&text))
}

async fn page(
    pages: &Pages,
    visitor: &Visitor,
    class: Option<&Class>,
    status: StatusCode,
    news: News,
) -> Result<Response, Trouble> {
    let (api, tenant) = (&pages.api, &visitor.tenant);
    let classes = music::list(&api.db, &tenant.id).await?;
    let counts = stored::counts(&api.db, &tenant.id).await?;
    let mut facts = context! {
        visitor => shown::visitor(visitor),
        said => news.said,
        problem => news.problem,
        classes => facts::classes(&classes, &counts),
        class => (),
    };
    if let Some(class) = class {
        let tracks = stored::of(&api.db, &class.id).await?;
        let announcements = announcements::list(&api.db, &tenant.id).await?;
        let shown = tracks.iter().map(|it| facts::track(it, api.studio.progress(&it.id.0)));
        let stream = stream(pages, class);
        let more = context! {
            class => facts::class(class, &tracks),
            tracks => shown.collect::<Vec<_>>(),
            used_by => admin::music::users(&api.db, tenant, class).await?,
            stream => stream.map(|(state, sentence)| context! { state, sentence }),
            intro => intro::facts(class, &announcements),
            announcements => facts::announcements(&announcements),
            own => class.own_intro(),
            languages => facts::languages(tenant),
            voices => facts::VOICES,
            limits => facts::limits(),
        };
        facts = context! { ..more, ..facts };
    }
    Ok((status, shown::page("music.html", facts)?).into_response())
}

/// How the live stream of a class is, if it has one.
fn stream(pages: &Pages, class: &Class) -> Option<(&'static str, String)> {
    class.manner.stream.as_ref()?;
    let status = pages.api.beds.as_ref().and_then(|it| it.status(&class.id));
    Some(facts::stream(status.as_ref()))
}
