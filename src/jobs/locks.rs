//! Telling owners that wrong PINs have locked their mailbox, once for each lock.
//!
//! There is no job for this work: the lock itself says whether its owner knows, so a crash forgets none.

use std::{error::Error, sync::Arc, time::Duration};

use tokio::sync::{Mutex, watch};

use super::rounds;
use crate::{
    app::App,
    bell::Matter,
    mail::{Letter, Lock as News, MailError},
    mailbox::{Guesses, Mailbox, MailboxId, Notice, Timestamp},
    store::{mailboxes, pins, pins::Lock},
};

/// Most locks told in one round; the others come with the next.
const MOST: u32 = 100;
/// Pause after the first failed round; it grows to two minutes.
const PAUSE: Duration = Duration::from_secs(1);
/// A letter that was refused for so long after the lock ended is no news any more.
const NEWS_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Who has been told of a lock, or cannot be, while others still have to be: the mailbox, when its lock
/// ends, and the address. A restart forgets them, and writes to them once more.
type Settled = Vec<(MailboxId, Timestamp, String)>;

/// Tells owners until `stop` says so.
pub(super) async fn run(app: App, stop: watch::Receiver<bool>) {
    let complain = |error: &anyhow::Error, _| {
        tracing::warn!("an owner cannot be told of a lock: {error:#}; trying again");
    };
    let settled: Arc<Mutex<Settled>> = Arc::default();
    let round = move |app: App, _| {
        let settled = settled.clone();
        async move {
            let mut settled = settled.lock().await;
            round(&app, &mut settled).await
        }
    };
    rounds(app, Matter::Locks, stop, PAUSE, round, complain).await;
}

/// Tells of all there are. One that fails holds up no other.
async fn round(app: &App, settled: &mut Settled) -> anyhow::Result<()> {
    let locks = pins::untold(&app.db, MOST).await?;
    settled.retain(|(mailbox, until, _)| {
        locks.iter().any(|it| it.mailbox == *mailbox && it.until == *until)
    });
    let mut outcome = Ok(());
    for lock in locks {
        if let Err(error) = tell(app, &lock, settled).await {
            outcome = Err(error);
            continue;
        }
        pins::told(&app.db, &lock).await?;
    }
    outcome
}

/// Writes to all who are to know and do not yet; an error if one of them may be tried again.
async fn tell(app: &App, lock: &Lock, settled: &mut Settled) -> anyhow::Result<()> {
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
    let mut outcome = Ok(());
    for to in recipients {
        let this = (lock.mailbox.clone(), lock.until, to);
        if settled.contains(&this) {
            continue;
        }
        match app.mailer.send(&letter, &this.2).await {
            Ok(_) => tracing::info!(mailbox = %mailbox.id, "its owner is told of its lock"),
            Err(error) if tries_again(app, &error, lock) => {
                outcome = Err(error.into());
                continue;
            }
            Err(error) => tracing::error!(mailbox = %mailbox.id, error = &error as &dyn Error,
                "its owner cannot be told of its lock"),
        }
        settled.push(this);
    }
    outcome
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
