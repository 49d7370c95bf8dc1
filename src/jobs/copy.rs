//! Giving others their copies of a message: "Copy to Extension(s)", and distribution lists, where
//! nothing stays once everybody has theirs.

use super::Outcome;
use crate::app::App;
use crate::mailbox::{Mailbox, copies::fan_out};
use crate::store::jobs::Job;
use crate::store::mailboxes;
use crate::store::messages::{self, Copied, Copy, Filed, Message};

/// Makes all copies that are missing. Done twice, nobody has two.
pub(super) async fn run(app: &App, job: &Job) -> anyhow::Result<Outcome> {
    let Some((message, mailbox)) = messages::for_job(&app.db, &job.subject).await? else {
        return Ok(Outcome::Done);
    };
    let is_list = mailbox.settings.distributes();
    if message.marks.private && !is_list {
        tracing::info!(message = %message.id, "a private message is not copied to others");
        return Ok(Outcome::Done);
    }
    let all = mailboxes::list(&app.db, &mailbox.tenant).await?;
    let found = fan_out(&mailbox, &all);
    for number in found.unknown {
        tracing::warn!(mailbox = %mailbox.id, "no mailbox {number} is there to get a copy");
    }
    let mut reached = 0;
    for to in found.to {
        reached += usize::from(give(app, &message, &mailbox, to).await?);
    }
    app.bell.ring_all();
    if !is_list || message.marks.held {
        return Ok(Outcome::Done);
    }
    if reached == 0 {
        return Ok(Outcome::Hopeless("nobody on the distribution list has a mailbox".into()));
    }
    let purged = messages::purge(&app.db, &mailbox.id, &message.id, app.clock.now()).await?;
    if let Some(blob) = purged.and_then(|it| it.orphan) {
        app.blobs.delete(&blob).await?;
    }
    Ok(Outcome::Done)
}

/// Gives one mailbox its copy; whether it has it, or had it.
async fn give(app: &App, message: &Message, from: &Mailbox, to: &Mailbox) -> anyhow::Result<bool> {
    let copy = Copy {
        id: message.id.copy(&to.id),
        message: message.id,
        from: &from.id,
        to,
        by: None,
        sound: None,
        // What goes through a list lies nowhere else.
        past_limit: from.settings.distributes(),
        notify_due: app.mail_due(to.settings.transcribe),
    };
    match messages::copy(&app.db, &copy, app.clock.now()).await? {
        Copied::Settled(Filed::New) => {
            tracing::info!(message = %copy.id, of = %message.id, mailbox = %to.id, "copied");
            metrics::counter!("afterbeep_copies_total", "outcome" => "copied").increment(1);
            Ok(true)
        }
        Copied::Settled(Filed::Already | Filed::Purged) => Ok(true),
        Copied::Settled(Filed::NoMailbox) | Copied::NoMessage | Copied::Private => Ok(false),
        Copied::Full => {
            tracing::warn!(message = %message.id, mailbox = %to.id, "no copy: the mailbox is full");
            metrics::counter!("afterbeep_copies_total", "outcome" => "full").increment(1);
            Ok(false)
        }
    }
}
