//! Emptying the trash: what has lain there long enough is purged, a little at a time.

use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::store::{StoreError, messages};

/// How often the trash is looked at.
const EVERY: Duration = Duration::from_secs(600);
/// Most messages purged in one look, so that a clock that jumped ahead empties nobody's trash before
/// somebody notices.
const MOST: u32 = 200;

/// Empties the trash until `stop` says so.
pub(super) async fn run(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match sweep(&app).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("{count} message(s) from the trash are gone for good"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the trash cannot be emptied; trying again later"
            ),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|it| *it) => {}
        }
    }
}

/// Purges what is due; answers how many messages that were.
async fn sweep(app: &App) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let due = messages::expired(&app.db, now - app.config.keep_trash, MOST).await?;
    let mut gone = 0;
    for (mailbox, id) in due {
        let Some(purged) = messages::purge(&app.db, &mailbox, &id, now).await? else { continue };
        gone += 1;
        if let Some(blob) = purged.orphan
            && let Err(error) = app.blobs.delete(&blob).await
        {
            tracing::error!(message = %id, error = &error as &dyn std::error::Error,
                "the recording {blob} of a message that is gone is left behind");
        }
    }
    Ok(gone)
}
