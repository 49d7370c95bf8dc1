//! Emptying the trash: what has lain there long enough is purged, a little at a time. And removing the
//! recordings of purged messages that a crash, or S3, kept from being deleted with them.

use std::error::Error;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::blobs::{self, BlobError, Blobs};
use crate::mailbox::MessageId;
use crate::store::{Db, StoreError, messages, pins};

/// How often the trash is looked at.
const EVERY: Duration = Duration::from_secs(600);
/// Most messages purged in one look, so that a clock that jumped ahead empties nobody's trash before
/// somebody notices.
const MOST: u32 = 200;
/// How many of the 256 folders of recordings are gone through in one look; all of them take a
/// night.
const SHARDS: usize = 4;

/// Why recordings could not be gone through.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// They cannot be listed or deleted.
    #[error("the folder or the S3 server failed")]
    Blob(#[from] BlobError),
    /// Nobody knows which of them are wanted.
    #[error("the database cannot tell which recordings are wanted")]
    Store(#[from] StoreError),
}

/// Empties the trash until `stop` says so.
pub(super) async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let work = async {
        // Not always the same ones first, however often the server is restarted.
        let mut shard: u8 = rand::random();
        loop {
            match sweep(&app).await {
                Ok(0) => {}
                Ok(count) => tracing::info!("{count} message(s) from the trash are gone for good"),
                Err(error) => tracing::error!(
                    error = &error as &dyn Error,
                    "the trash cannot be emptied; trying again later"
                ),
            }
            for _ in 0..SHARDS {
                if let Err(error) = tidy(&app.db, &app.blobs, shard).await {
                    tracing::warn!(
                        error = &error as &dyn Error,
                        "recordings left behind cannot be looked for; trying again later"
                    );
                    break;
                }
                shard = shard.wrapping_add(1);
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    // What is interrupted between a row and its recording is found by a later look.
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|it| *it) => {}
    }
}

/// Purges what is due; answers how many messages that were.
async fn sweep(app: &App) -> Result<usize, StoreError> {
    let now = app.clock.now();
    pins::sweep(&app.db, now).await?;
    let due = messages::expired(&app.db, now - app.config.keep_trash, MOST).await?;
    let mut gone = 0;
    for (mailbox, id) in due {
        let Some(purged) = messages::purge(&app.db, &mailbox, &id, now).await? else { continue };
        gone += 1;
        if let Some(blob) = purged.orphan
            && let Err(error) = app.blobs.delete(&blob).await
        {
            tracing::error!(message = %id, error = &error as &dyn Error,
                "the recording {blob} of a message that is gone is left behind for now");
        }
    }
    Ok(gone)
}

/// Removes from one of the 256 folders of recordings, here and in S3, what purged messages left
/// behind: the server ended between the row and the recording, or while one was on its way to S3.
/// Answers how many.
pub async fn tidy(db: &Db, blobs: &Blobs, shard: u8) -> Result<usize, SweepError> {
    let mut gone = 0;
    for key in blobs.shard(shard).await? {
        let Some(id) = blobs::id(&key).map(MessageId) else { continue };
        if messages::is_left_behind(db, &id, &key).await? {
            blobs.delete(&key).await?;
            tracing::info!(message = %id, "the recording of a message that is gone was still there");
            gone += 1;
        }
    }
    Ok(gone)
}
