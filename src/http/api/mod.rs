//! The JSON API, `/api/v1`: what the verbs do, for programs.
//!
//! `operations` is the one list of what there is. The router is made of it, and so is the
//! description at `/api/v1/openapi.json`; what an operation needs (a scope, a tenant, which
//! parameters) is checked from it before its handler runs. So nothing can be reached that is not
//! described, and nothing without saying who may.
//!
//! A token in the `Authorization` header is the only way in. Browsers send none by themselves, so
//! pages elsewhere can do nothing here, whatever name they reach us by.

mod access;
mod announcements;
mod description;
mod fields;
mod files;
mod greetings;
mod jobs;
mod lamps;
mod mailboxes;
mod messages;
mod music;
mod names;
mod operation;
mod page;
mod path;
mod problem;
mod recording;
mod settings;
mod tenants;
mod tracks;
mod uploads;
mod users;

use std::sync::{Arc, LazyLock};

use axum::{Router, http::header, middleware, response::IntoResponse, routing::get};
use jiff::Timestamp as Moment;
use serde_json::Value;

use self::{
    operation::Operation,
    problem::{Code, Problem},
};
use crate::{
    app::Studio, bell::Bell, blobs::Blobs, clock::Clock, hold::Beds, mailbox::Timestamp, store::Db,
};

/// What the API works on.
#[derive(Clone)]
pub struct Api {
    /// Tenants, mailboxes, messages, jobs and tokens.
    pub db: Db,
    /// Recordings and greetings.
    pub blobs: Blobs,
    /// The time, and new ids.
    pub clock: Clock,
    /// Rung when a job is due now, or a lamp.
    pub bell: Bell,
    /// Where recordings are made of files and texts.
    pub studio: Studio,
    /// What plays, and how live streams are; without them nothing is told of those.
    pub beds: Option<Beds>,
}

/// Where it is.
pub(super) const ROOT: &str = "/api/v1";

/// Everything that can be done, in the order of the description.
fn operations() -> Vec<Operation> {
    [
        tenants::operations(),
        users::operations(),
        mailboxes::operations(),
        lamps::operations(),
        messages::operations(),
        greetings::operations(),
        names::operations(),
        music::operations(),
        tracks::operations(),
        uploads::operations(),
        announcements::operations(),
        jobs::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The description of the API (OpenAPI 3.1), as it is served and kept in `assets/openapi.json`.
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let text = serde_json::to_string_pretty(&description::of(&operations()));
        text.expect("JSON made of JSON") + "\n"
    });
    &TEXT
}

/// The API below [`ROOT`].
pub(super) fn router(api: Api) -> Router {
    let mut router = Router::new().route("/openapi.json", get(openapi));
    for operation in operations() {
        let guard = access::Guard::of(&api, &operation);
        let guard = middleware::from_fn_with_state(Arc::new(guard), access::guarded);
        router = router.route(operation.path, operation.handler.route_layer(guard));
    }
    router
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::Method, "this cannot be done here; Allow names what can")
        })
        .fallback(|| async { Problem::new(Code::Missing, "the API has no such path") })
        .with_state(api)
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}

/// A moment as the API tells it (RFC 3339, in UTC).
fn moment(at: Timestamp) -> Value {
    Moment::from_millisecond(at.0).unwrap_or_default().to_string().into()
}
