//! What becomes of messages with time: they change their folders where a mailbox wants that, and what
//! has lain in the trash long enough is purged, a little at a time. And removing the recordings of purged messages that a crash, or S3, kept from being deleted with them.

use std::error::Error;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::blobs::{self, BlobError, Blobs};
use crate::mailbox::{Mailbox, MailboxId, MessageId, Timestamp, retention::Rule};
use crate::store::{Db, StoreError, mailboxes, messages, pins, sessions};

use super::remains;

/// How often the rules are followed.
const EVERY: Duration = Duration::from_secs(600);
/// Most messages that rules move or purge in one look, so that a clock that jumped ahead empties no
/// mailbox before somebody notices.
pub const MOST: u32 = 200;
/// The rule of the settings file that empties every trash.
const KEEP_TRASH: &str = "keep_trash";
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

/// Follows the rules until `stop` says so.
pub(super) async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let work = async {
        // Not always the same ones first, however often the server is restarted.
        let mut shard: u8 = rand::random();
        loop {
            if let Err(error) = look(&app).await {
                tracing::error!(
                    error = &error as &dyn Error,
                    "what is old cannot be cleared away; trying again later"
                );
            }
            if let Err(error) = remains::uploads(&app.db, &app.blobs, app.clock.now()).await {
                let error = &error as &dyn Error;
                tracing::warn!(error, "uploads given up cannot be removed; trying again later");
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
                if shard == 0
                    && let Err(error) = remains::music(&app.db, &app.blobs, app.clock.now()).await
                {
                    let error = &error as &dyn Error;
                    tracing::warn!(
                        error,
                        "music left behind cannot be looked for; trying again later"
                    );
                }
            }
            // Age comes by itself, and rings no bell.
            tokio::time::sleep(EVERY).await;
        }
    };
    // What is interrupted between a row and its recording is found by a later look.
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|it| *it) => {}
    }
}

async fn look(app: &App) -> Result<u32, StoreError> {
    let now = app.clock.now();
    pins::sweep(&app.db, now).await?;
    sessions::sweep(&app.db, now).await?;
    sweep((&app.db, &app.blobs), app.config.keep_trash, now).await
}

/// Does what is due by the rules, the house's and the mailboxes' own, [`MOST`] times at most; answers how
/// many messages that were.
pub async fn sweep(
    (db, blobs): (&Db, &Blobs),
    keep_trash: Duration,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let mut done = 0;
    for (mailbox, id) in messages::expired(db, now - keep_trash, MOST).await? {
        done += u32::from(purge((db, blobs), &mailbox, &id, KEEP_TRASH, now).await?);
    }
    for mailbox in mailboxes::keeping(db).await? {
        for rule in mailbox.settings.retention() {
            let most = MOST.saturating_sub(done);
            done += follow((db, blobs), &mailbox, &rule, most, now).await?;
        }
    }
    if done >= MOST {
        tracing::warn!(
            "{done} messages grew too old at once, which is the most in one look; the \
            others have {} minutes. Is the clock right?",
            EVERY.as_secs() / 60
        );
    }
    Ok(done)
}

/// Does what one rule asks of one mailbox, `most` times at most.
async fn follow(
    (db, blobs): (&Db, &Blobs),
    of: &Mailbox,
    rule: &Rule,
    most: u32,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let mut done = 0;
    for id in messages::aged(db, &of.id, rule.from, now - rule.after, most).await? {
        let Some(to) = rule.to else {
            done += u32::from(purge((db, blobs), &of.id, &id, rule.name, now).await?);
            continue;
        };
        if messages::grow_old(db, &of.id, &id, (rule.from, to), rule.name, now).await? {
            tracing::info!(message = %id, mailbox = %of.id, rule = rule.name,
                "a message is old enough to be {}", to.as_str());
            count(rule.name);
            done += 1;
        }
    }
    Ok(done)
}

/// Removes a message for good because of a rule; whether it was still there.
async fn purge(
    (db, blobs): (&Db, &Blobs),
    mailbox: &MailboxId,
    id: &MessageId,
    rule: &'static str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(purged) = messages::purge(db, mailbox, id, now).await? else { return Ok(false) };
    tracing::info!(message = %id, mailbox = %mailbox, rule, "a message is gone for good");
    count(rule);
    if let Some(blob) = purged.orphan
        && let Err(error) = blobs.delete(&blob).await
    {
        tracing::error!(message = %id, error = &error as &dyn Error,
            "the recording {blob} of a message that is gone is left behind for now");
    }
    Ok(true)
}

fn count(rule: &'static str) {
    metrics::counter!("afterbeep_retention_total", "rule" => rule).increment(1);
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
