//! Pages of the letters caught on this machine: a list, one letter, its recording.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use axum::{
    Router,
    body::Body,
    extract::{Path as Named, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use jiff::{Timestamp as Moment, tz::TimeZone};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::{Site, range};
use crate::mail::folder::{self, Caught};
use crate::mailbox::settings::Attach;

/// Letters on the list; older ones stay in the folder.
const LISTED: usize = 100;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in [
        ("page.html", include_str!("../../assets/mail/page/page.html")),
        ("list.html", include_str!("../../assets/mail/page/list.html")),
        ("letter.html", include_str!("../../assets/mail/page/letter.html")),
        ("missing.html", include_str!("../../assets/mail/page/missing.html")),
    ] {
        templates.add_template(name, source).expect("a template of ours, read by a test");
    }
    templates
});

/// Everything below `/mail`.
pub(super) fn pages() -> Router<Site> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/mail") }))
        .route("/mail", get(list))
        .route("/mail/style.css", get(style))
        .route("/mail/{id}", get(letter))
        .route("/mail/{id}/letter.eml", get(whole))
        .route("/mail/{id}/recording.wav", get(recording))
        .route("/mail/{id}/recording.mp3", get(recording))
}

/// Why a page cannot be shown.
enum Trouble {
    /// There is no such letter.
    Missing,
    /// The folder cannot be read, or a page not be made.
    Broken(anyhow::Error),
}

async fn list(State(site): State<Site>) -> Result<Html<String>, Trouble> {
    let letters = read(&site, |dir| folder::list(dir, LISTED)).await?;
    let letters: Vec<_> = letters.iter().map(shown).collect();
    page("list.html", context! { letters, limit => LISTED })
}

async fn letter(
    State(site): State<Site>,
    Named(id): Named<String>,
) -> Result<Html<String>, Trouble> {
    let letter = find(&site, id).await?;
    page("letter.html", context! { letter => shown(&letter) })
}

async fn style() -> impl IntoResponse {
    let text = include_str!("../../assets/mail/page/style.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], text)
}

/// The letter itself, to be saved: never shown as a page of ours.
async fn whole(State(site): State<Site>, Named(id): Named<String>) -> Result<Response, Trouble> {
    let letter = find(&site, id).await?;
    let name = format!("attachment; filename=\"{}.eml\"", letter.id);
    let bytes = read(&site, move |dir| fs::read(letter.letter_file(dir))).await?;
    let headers =
        [(header::CONTENT_TYPE, "message/rfc822".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, bytes).into_response())
}

async fn recording(
    State(site): State<Site>,
    Named(id): Named<String>,
    asked: HeaderMap,
) -> Result<Response, Trouble> {
    let letter = find(&site, id).await?;
    read(&site, move |dir| match letter.recording_file(dir) {
        Some((file, kind)) => part(&file, kind, &asked),
        None => Err(io::ErrorKind::NotFound.into()),
    })
    .await
}

/// A file, or the part of it that is asked for.
fn part(file: &Path, kind: Attach, asked: &HeaderMap) -> io::Result<Response> {
    let mut file = fs::File::open(file)?;
    let kind = match kind {
        Attach::Wav => "audio/wav",
        Attach::Mp3 => "audio/mpeg",
    };
    let (answer, wanted) = range::sound(asked, kind, file.metadata()?.len());
    file.seek(SeekFrom::Start(wanted.start))?;
    let mut bytes = Vec::new();
    file.take(wanted.end - wanted.start).read_to_end(&mut bytes)?;
    answer.body(Body::from(bytes)).map_err(io::Error::other)
}

async fn find(site: &Site, id: String) -> Result<Caught, Trouble> {
    read(site, move |dir| folder::find(dir, &id)).await?.ok_or(Trouble::Missing)
}

/// Reads from the folder where waiting for the disk hurts nobody.
async fn read<T: Send + 'static>(
    site: &Site,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, Trouble> {
    let dir: PathBuf = site.caught.clone().ok_or(Trouble::Missing)?;
    let done = tokio::task::spawn_blocking(move || work(&dir)).await;
    match done.map_err(|it| Trouble::Broken(it.into()))? {
        Ok(found) => Ok(found),
        // It was there a moment ago: the oldest letters go when new ones come.
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Err(Trouble::Missing),
        Err(cause) => Err(Trouble::Broken(cause.into())),
    }
}

fn shown(letter: &Caught) -> Value {
    let date = Moment::from_millisecond(letter.date.0).unwrap_or_default().to_zoned(TimeZone::UTC);
    // What the owner reads first: the first line of the text is the transcript, if there is one.
    let begins = letter.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    context! {
        id => letter.id.as_str(),
        from => letter.from.as_str(),
        to => letter.to.as_str(),
        subject => letter.subject.as_str(),
        text => letter.text.trim(),
        begins,
        file => letter.recording.as_deref(),
        kind => letter.recording.as_deref().map(|it| if it.ends_with(".mp3") { "mp3" } else { "wav" }),
        date => date.strftime("%a %-d %b %Y, %H:%M UTC").to_string(),
        moment => date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

fn page(name: &str, facts: Value) -> Result<Html<String>, Trouble> {
    let written = TEMPLATES.get_template(name).and_then(|template| template.render(facts));
    written.map(Html).map_err(|cause| Trouble::Broken(cause.into()))
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let status = match self {
            Trouble::Missing => StatusCode::NOT_FOUND,
            Trouble::Broken(cause) => {
                tracing::error!("A page of caught letters cannot be shown: {cause:#}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let facts = context! { missing => status == StatusCode::NOT_FOUND };
        let text = page("missing.html", facts).map_or_else(|_| String::new(), |Html(text)| text);
        (status, Html(text)).into_response()
    }
}
