//! What other machines ask: alive, ready, how much.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;

use super::Site;

/// Whether calls can be taken and messages kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// What stands in the way, a sentence each; ready when there is nothing.
    pub reasons: Vec<String>,
}

impl Readiness {
    /// Nothing stands in the way.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// `GET /livez`: the process answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: 200 when ready, else 503 and why.
pub(super) async fn ready(State(site): State<Site>) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Answer {
        ready: bool,
        reasons: Vec<String>,
    }
    let found = (site.ready)();
    let ready = found.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Answer { ready, reasons: found.reasons }))
}

/// `GET /metrics`: the figures in the Prometheus text format.
pub(super) async fn metrics(State(site): State<Site>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (site.metrics)())
}
