//! Taking in a piece of a file, and making a track of the last one.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use tokio::sync::Semaphore;

use super::{
    super::{
        Api,
        problem::{Code, Problem},
        tracks,
    },
    COMPLETE, OFFSET, at_work, headers, too_large,
};
use crate::{
    admin,
    blobs::{BlobError, Part},
    decode::LARGEST_MUSIC,
    music::Class,
    store::uploads::{self, Upload},
};

/// A piece has to be here within this time.
const PATIENCE: Duration = Duration::from_secs(600);
/// So many bytes of a piece go to disk at a time: what a crash costs at most.
const AT_ONCE: u64 = 4 << 20;
/// Files that are held in memory at once; whichever is whole next waits.
static DESKS: Semaphore = Semaphore::const_new(2);

/// A piece on its way here.
pub(super) struct Piece {
    pub(super) api: Api,
    pub(super) class: Class,
    pub(super) upload: Upload,
    pub(super) part: Part,
    /// How many bytes the whole file has, where that was said.
    pub(super) length: Option<u64>,
}

impl Piece {
    /// Takes in what comes. Whatever ends it, what has come is kept.
    pub(super) async fn take(mut self, body: Body, complete: bool) -> Result<Response, Problem> {
        let (db, track) = (&self.api.db, &self.upload.track.id);
        if let Err(error) = self.part.open(self.upload.arrived).await {
            if matches!(error, BlobError::Missing(_)) {
                // What was promised is lost, so nobody is told any more that it is here.
                uploads::end(db, &self.class.id, track).await?;
            }
            return Err(error.into());
        }
        let came = tokio::time::timeout(PATIENCE, self.fill(body)).await;
        let settled = self.settle().await;
        came.map_err(|_| {
            let detail = format!("the piece was not here within {} min", PATIENCE.as_secs() / 60);
            Problem::new(Code::TooSlow, detail)
        })??;
        settled?;
        if !complete {
            return Ok((StatusCode::NO_CONTENT, headers(&self.api, &self.upload)).into_response());
        }
        let arrived = self.upload.arrived;
        if let Some(length) = self.length.filter(|it| *it != arrived) {
            let detail = format!("{arrived} bytes are here of {length}; send the others first");
            return Err(Problem::new(Code::BadParameter, detail));
        }
        self.finish().await
    }

    async fn fill(&mut self, body: Body) -> Result<(), Problem> {
        let mut body = body.into_data_stream();
        let mut unsettled = 0;
        loop {
            let next = tokio::select! {
                next = body.next() => next,
                () = self.part.wanted() => return Err(at_work()),
            };
            let Some(bytes) = next else { return Ok(()) };
            let broke = |_| Problem::new(Code::Malformed, "the piece did not come whole");
            let bytes: Bytes = bytes.map_err(broke)?;
            let after = self.upload.arrived + bytes.len() as u64;
            if after > self.length.unwrap_or(u64::MAX).min(LARGEST_MUSIC as u64) {
                return Err(too_large());
            }
            self.part.add(&bytes).await?;
            self.upload.arrived = after;
            unsettled += bytes.len() as u64;
            if unsettled >= AT_ONCE {
                self.settle().await?;
                unsettled = 0;
            }
        }
    }

    /// Waits until what has come is on disk, and says so.
    async fn settle(&mut self) -> Result<(), Problem> {
        self.part.sync().await?;
        let Upload { track, arrived, .. } = &self.upload;
        match uploads::note(&self.api.db, &track.id, *arrived).await? {
            true => Ok(()),
            false => Err(Problem::missing()),
        }
    }

    /// Makes a track of all that came.
    async fn finish(mut self) -> Result<Response, Problem> {
        let Api { db, blobs, clock, .. } = &self.api;
        let track = &self.upload.track;
        let _desk = DESKS.acquire().await;
        let file = self.part.whole().await?;
        let kept = admin::music::keep((db, blobs, clock), &self.class.id, track, file).await;
        kept.map_err(tracks::unkept)?;
        if let Err(error) = self.part.remove().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "what has become a track is left for the sweep");
        }
        let all = [(OFFSET, self.upload.arrived.to_string()), (COMPLETE, "?1".to_owned())];
        Ok((all, tracks::made(&self.api, &self.class, &track.id).await?).into_response())
    }
}
