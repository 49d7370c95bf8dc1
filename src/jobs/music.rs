//! Making sound of the files that are to be hold music.

use tokio::sync::watch;

use super::rounds;
use crate::admin;
use crate::app::App;
use crate::bell::Matter;

/// Pause after a failed round.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// Makes track after track, one at a time, until `stop` says so. One under way comes back with its
/// lease.
pub(super) async fn run(app: App, stop: watch::Receiver<bool>) {
    let round = |app: App, _| async move {
        while admin::music::make(&app.db, &app.blobs, &app.clock, &app.studio).await? {}
        anyhow::Ok(())
    };
    let complain = |error: &anyhow::Error, wait: std::time::Duration| {
        tracing::warn!(
            "hold music cannot be made; tried again in {:.1} s: {error:#}",
            wait.as_secs_f64()
        );
    };
    rounds(app, Matter::Music, stop, PAUSE, round, complain).await;
}
