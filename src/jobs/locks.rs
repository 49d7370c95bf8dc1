//! Telling owners that wrong PINs have locked their mailbox, once for each lock.
//!
//! There is no job for this work: the lock itself says whether its owner knows, so a crash forgets none.

use std::{error::Error, time::Duration};

use tokio::sync::watch;

use super::rounds;
use crate::{
    app::App,
    bell::Matter,
    mail::{Letter, Lock as News, MailError},
    mailbox::{Guesses, Mailbox, Notice},
    store::{mailboxes, pins, pins::Lock},
};

/// Most locks told in one round; the others come with the next.
const MOST: u32 = 100;
/// Pause after the first failed round; it grows to two minutes.
const PAUSE: Duration = Duration::from_secs(1);
/// A letter that was refused for so long after the lock ended is no news any more.
const NEWS_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Tells owners until `stop` says so.
pub(super) async fn run(app: App, stop: watch::Receiver<bool>) {
    let complain = |error: &anyhow::Error, _| {
        tracing::warn!("an owner cannot be told of a lock: {error:#}; trying again");
    };
    let round = |app, _| async move { round(&app).await };
    rounds(app, Matter::Locks, stop, PAUSE, round, complain).await;
}

/// Tells of all there are. One that fails holds up no other.
async fn round(app: &App) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for lock in pins::untold(&app.db, MOST).await? {
        if let Err(error) = tell(app, &lock).await {
            outcome = Err(error);
            continue;
        }
        pins::told(&app.db, &lock).await?;
    }
    outcome
}

/// Writes to the owner; an error if that may be tried again.
async fn tell(app: &App, lock: &Lock) -> anyhow::Result<()> {
    let Some(mailbox) = mailboxes::linked(&app.db, &lock.mailbox).await? else { return Ok(()) };
    let recipients = owners(&mailbox);
    if recipients.is_empty() {
        tracing::warn!(mailbox = %mailbox.id, "nobody has an address to be told of its lock");
        return Ok(());
    }
    let news = News {
        mailbox: &mailbox,
        at: lock.until - Guesses::lasts(lock.locks),
        until: lock.until,
        source: lock.source.as_deref(),
    };
    let letter = Letter::locked(&app.templates, &news)?;
    for to in recipients {
        match app.mailer.send(&letter, &to).await {
            Ok(_) => tracing::info!(mailbox = %mailbox.id, "its owner is told of its lock"),
            Err(error) if tries_again(app, &error, lock) => return Err(error.into()),
            Err(error) => tracing::error!(mailbox = %mailbox.id, error = &error as &dyn Error,
                "its owner cannot be told of its lock"),
        }
    }
    Ok(())
}

fn tries_again(app: &App, error: &MailError, lock: &Lock) -> bool {
    error.is_temporary() && lock.until + NEWS_FOR >= app.clock.now()
}

/// The owner; without one, whoever gets the mailbox's mail in full.
fn owners(mailbox: &Mailbox) -> Vec<String> {
    if let Some(owner) = &mailbox.owner_email {
        return vec![owner.clone()];
    }
    let full = mailbox.recipients().into_iter().filter(|it| it.kind == Notice::Full);
    full.map(|it| it.address).collect()
}
