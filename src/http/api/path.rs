//! Ids in paths. What cannot be one is not there, and is never asked the database about.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use uuid::Uuid;

use super::{Api, problem::Problem};
use crate::mailbox::greeting::Kind;

/// The first id in a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(pub(super) Uuid);

/// A mailbox, and which of its greetings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot(pub(super) Uuid, pub(super) Kind);

/// A mailbox, and something in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair(pub(super) Uuid, pub(super) Uuid);

/// The id of a job, which is no UUID.
#[derive(Debug, Clone)]
pub(super) struct JobId(pub(super) String);

impl FromRequestParts<Api> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        uuid(segments(parts).await?.first()).map(Self)
    }
}

impl FromRequestParts<Api> for Spot {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let segments = segments(parts).await?;
        let kind = segments.get(1).and_then(|it| it.parse().ok()).ok_or_else(Problem::missing)?;
        Ok(Self(uuid(segments.first())?, kind))
    }
}

impl FromRequestParts<Api> for Pair {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let segments = segments(parts).await?;
        Ok(Self(uuid(segments.first())?, uuid(segments.get(1))?))
    }
}

impl FromRequestParts<Api> for JobId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let fine = |it: &String| it.len() <= 100 && it.bytes().all(|it| it.is_ascii_graphic());
        let id = segments(parts).await?.into_iter().next().filter(fine);
        id.map(Self).ok_or_else(Problem::missing)
    }
}

async fn segments(parts: &mut Parts) -> Result<Vec<String>, Problem> {
    let found = Path::<Vec<(String, String)>>::from_request_parts(parts, &()).await;
    let Path(named) = found.map_err(|_| Problem::missing())?;
    Ok(named.into_iter().map(|it| it.1).collect())
}

/// An id as we write it: 36 characters, with hyphens.
fn uuid(text: Option<&String>) -> Result<Uuid, Problem> {
    let text = text.filter(|it| it.len() == 36).ok_or_else(Problem::missing)?;
    Uuid::parse_str(text).map_err(|_| Problem::missing())
}
