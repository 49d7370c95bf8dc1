//! The web side: whether the server lives and is ready, its figures, the API for programs, the
//! letters it caught, the pages of hold music behind their login, and those that links in letters open.
//!
//! Not all of it asks who somebody is, so it listens on this machine only unless told otherwise, and it
//! shows pages only under names it knows: a page elsewhere must not read voicemail through the browser
//! of its owner by giving its own name our address. Links carry their own right; what they open
//! may be served alone, on an address of its own ([`public`]).

use std::{future::Future, io, path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::hold::Beds;

pub mod api;
mod caught;
mod door;
mod form;
mod guests;
mod health;
mod pages;
mod peer;
mod range;
mod sound;
mod streams;

pub use api::Api;
pub use guests::Guests;
pub use health::Readiness;
pub use pages::Pages;

/// What the web side shows.
#[derive(Clone)]
pub struct Site {
    /// Asked at each `/metrics`: the figures in the Prometheus text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Asked at each `/readyz`; must answer at once.
    pub ready: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// The folder of caught letters; without one there is no page of them.
    pub caught: Option<PathBuf>,
    /// See [`Http::names`](crate::config::Http::names).
    pub names: Vec<String>,
    /// What the pages behind links are made of; without it every link leads nowhere.
    pub guests: Option<Guests>,
    /// What the API works on; without it there is none.
    pub api: Option<Api>,
    /// What is played to those on hold; without them there are no streams of it.
    pub beds: Option<Beds>,
    /// What the pages behind the login work on; without it there are none.
    pub pages: Option<Pages>,
}

/// Where hold music is, as streams.
const MUSIC: &str = "/moh/{file}";

/// The pages of a site that may be reached from outside: those that links in letters open. Streams are
/// not: strangers could read so many that none is left for the phone systems.
pub fn public(site: Site) -> Router {
    guests::pages().layer(middleware::map_response(guarded)).with_state(site)
}

/// The streams of hold music and nothing else, for phone systems on other machines.
pub fn music(site: Site) -> Router {
    let streams = Router::new().route(MUSIC, get(streams::listen));
    streams.layer(middleware::map_response(guarded)).with_state(site)
}

/// All pages of a site.
pub fn router(site: Site) -> Router {
    let mut router = Router::new()
        .route("/livez", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route(MUSIC, get(streams::listen));
    let guard = middleware::from_fn_with_state(site.clone(), known_names_only);
    if site.caught.is_some() {
        router = router.merge(caught::pages().layer(guard.clone()));
    }
    if let Some(pages) = site.pages.clone() {
        router = router.merge(pages::router(pages).layer(guard).with_state(()));
    }
    router = router.merge(guests::pages());
    if let Some(api) = site.api.clone() {
        router = router.nest_service(api::ROOT, api::router(api));
    }
    router.layer(middleware::map_response(guarded)).with_state(site)
}

/// Answers requests until `shutdown` is done and the answers under way are out.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = router.into_make_service_with_connect_info::<peer::Peer>();
    axum::serve(door::Door::new(listener), router).with_graceful_shutdown(shutdown).await
}

/// Headers every answer carries: nothing is guessed, framed, remembered or loaded from elsewhere.
async fn guarded(mut response: Response) -> Response {
    const GUARDS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; media-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in GUARDS {
        // A page that needs other ones has said so.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn known_names_only(State(site): State<Site>, request: Request, next: Next) -> Response {
    let told = request.headers().get(header::HOST).and_then(|it| it.to_str().ok());
    let authority = told.and_then(|it| it.parse::<Authority>().ok());
    if authority.is_some_and(|it| known(it.host(), &site.names)) {
        next.run(request).await
    } else {
        let text = "This server is not called by that name; the setting is http.names.\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    }
}

fn known(host: &str, names: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok()
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}
