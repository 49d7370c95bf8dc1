//! What is left of hold music when the server ends at the wrong moment: files of uploads that nobody goes on
//! with, and blobs that no row names.

use std::time::Duration;

use super::SweepError;
use crate::blobs::{self, Blobs};
use crate::mailbox::Timestamp;
use crate::store::{Db, tenants, tracks, uploads};

/// A blob is written before its row. One whose id is younger than this may be on its way to a row, however
/// long a file waits for its turn.
const SAFE: Duration = Duration::from_secs(2 * 24 * 3_600);

/// Removes uploads that were begun too long ago, and files that belong to none. Answers how many files.
pub async fn uploads(db: &Db, blobs: &Blobs, now: Timestamp) -> Result<usize, SweepError> {
    uploads::sweep(db, now).await?;
    // Rows come before their files, so whatever is listed and has none is over.
    let listed = blobs.parts().list()?;
    let wanted = uploads::ids(db).await?;
    let mut gone = 0;
    for id in listed.into_iter().filter(|it| !wanted.contains(&it.to_string())) {
        blobs.parts().remove(id).await?;
        gone += 1;
    }
    Ok(gone)
}

/// Removes the blobs of hold music and announcements, here and in S3, that no row names. Answers how many.
///
/// Those that are older than everything in the database are not its own: somebody may have named another one in
/// the settings.
pub async fn music(db: &Db, blobs: &Blobs, now: Timestamp) -> Result<usize, SweepError> {
    let Some(first) = tenants::first(db).await? else { return Ok(0) };
    let listed = blobs.music().await?;
    let wanted = tracks::blobs(db).await?;
    let ours = |key: &String| blobs::born(key).is_some_and(|it| first <= it && it < now - SAFE);
    let mut gone = 0;
    for key in listed.into_iter().filter(|it| ours(it) && !wanted.contains(it)) {
        blobs.delete(&key).await?;
        tracing::info!("{key}, which no hold music has, was still there");
        gone += 1;
    }
    Ok(gone)
}
