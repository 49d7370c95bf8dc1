//! Bringing recordings to S3, and deleting there what was deleted here.
//!
//! There is no row for this work: the folder itself says what is still to be done, so nothing can
//! be forgotten, and a house that gets its first bucket moves all it has. A recording is brought
//! there at once, but its copy here stays until it is transcribed and mailed: neither waits for S3.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::watch;

use super::rounds;
use crate::app::App;
use crate::bell::Matter;
use crate::blobs::{self, BlobError};
use crate::speech::Readiness;
use crate::store::{StoreError, jobs, messages};

/// How many recordings are on their way at once; each is held in memory twice.
const AT_ONCE: usize = 4;
/// After so many failures in one round the rest of it is not tried: it is the server, not they.
const ENOUGH: usize = 8;
/// Pause after the first failed round; it grows to two minutes.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a round did not do all there was to do.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("the folder or the S3 server failed")]
    Blob(#[from] BlobError),
    #[error("the database cannot tell which recordings are wanted")]
    Store(#[from] StoreError),
}

/// Moves what is to be moved until `stop` says so.
pub(super) async fn run(app: App, stop: watch::Receiver<bool>) {
    if !app.blobs.is_remote() {
        return;
    }
    let round = |app, failed| async move {
        round(&app).await?;
        if failed > 0 {
            tracing::info!("recordings are moved to S3 again");
        }
        Ok(())
    };
    let complain = |error: &UploadError, wait: Duration| {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "recordings stay here; S3 is tried again in {:.1} s",
            wait.as_secs_f64()
        );
        metrics::counter!("afterbeep_blobs_failures_total").increment(1);
    };
    rounds(app, Matter::Blobs, stop, PAUSE, round, complain).await;
}

/// Does all there is to do. One that fails holds up no other; its error is answered at the end.
async fn round(app: &App) -> Result<(), UploadError> {
    let (doomed, waiting) = (app.blobs.doomed()?, app.blobs.waiting().await?);
    metrics::gauge!("afterbeep_blobs_waiting").set((doomed.len() + waiting.len()) as f64);
    let deleting = stream::iter(doomed.into_iter().map(async |key| {
        app.blobs.retract(&key).await?;
        Ok(())
    }));
    let deleted = all(deleting.buffer_unordered(AT_ONCE)).await;
    let moving = stream::iter(waiting.into_iter().map(async |key| upload(app, &key).await));
    let moved = all(moving.buffer_unordered(AT_ONCE)).await;
    let heard = matches!(app.speech.readiness(), Readiness::Ready { .. });
    for key in app.blobs.kept().await? {
        if blobs::id(&key).is_some() && !jobs::waits(&app.db, &key, heard).await? {
            app.blobs.forget(&key).await?;
        }
    }
    deleted.and(moved)
}

/// What no row names is being filed right now, or was left by a crash; either way it is not ours.
async fn upload(app: &App, key: &str) -> Result<(), UploadError> {
    if !messages::has_blob(&app.db, key).await? {
        return Ok(());
    }
    match app.blobs.upload(key).await {
        Err(BlobError::Missing(_)) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => {
            metrics::counter!("afterbeep_blobs_moved_total").increment(1);
            Ok(())
        }
    }
}

/// Waits for all of them, or for as many failures as are enough.
async fn all(
    mut each: impl StreamExt<Item = Result<(), UploadError>> + Unpin,
) -> Result<(), UploadError> {
    let mut failures = 0;
    let mut outcome = Ok(());
    while let Some(done) = each.next().await {
        if done.is_err() {
            failures += 1;
            outcome = done;
        }
        if failures == ENOUGH {
            break;
        }
    }
    outcome
}
