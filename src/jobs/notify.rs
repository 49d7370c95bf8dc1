//! Mailing a message to its recipients, each on its own, so that one refusal hides no other.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::{
    Outcome,
    words::{self, NotYet},
};
use crate::app::App;
use crate::blobs::BlobError;
use crate::mail::{Accepted, Letter, MailError, News, Reader, Sound, Text, Translated, Ways, mp3};
use crate::mailbox::settings::Attach;
use crate::mailbox::{Mailbox, MessageId, Notice, Said, Timestamp};
use crate::speech::Readiness;
use crate::store::deliveries::Delivery;
use crate::store::jobs::Job;
use crate::store::messages::Message;
use crate::store::{deliveries, mailboxes, messages, unsubscribed};

/// How long a refused mail is tried again: as long as mail servers do.
pub(super) const PATIENCE: Duration = Duration::from_secs(4 * 24 * 3_600);

/// What the letters about a message are made of.
struct Facts {
    message: Message,
    mailbox: Mailbox,
    text: Text,
    translated: Translated,
    sound: Option<Sound>,
    /// The same as MP3, once a server has found it too large; nothing if that cannot be had.
    as_mp3: OnceCell<Option<Sound>>,
    /// The number of the mailbox whose owner passed it on.
    forwarded_by: Option<String>,
}

/// Sends the job's message to everybody who still waits for it, and lets go of it then if that is
/// wanted and safe.
pub(super) async fn run(app: &App, job: &Job) -> anyhow::Result<Outcome> {
    let id = job.subject;
    let Some((message, mailbox)) = messages::for_job(&app.db, &id).await? else {
        return Ok(Outcome::Done);
    };
    let lets_go = mailbox.settings.delete_after_notify;
    let home = mailbox.id.clone();
    let open: Vec<_> =
        deliveries::of(&app.db, &id).await?.into_iter().filter(|it| it.is_open()).collect();
    let mut deferred = None;
    if !open.is_empty() {
        let facts = gather(app, message, mailbox, &open).await?;
        let gone = unsubscribed::of(&app.db, &facts.mailbox.id).await?;
        let next: Timestamp = app.clock.now() + super::backoff(app, job);
        for delivery in open {
            if gone.has(&delivery.recipient) {
                deliveries::unsubscribed(&app.db, &id, &delivery.recipient).await?;
            } else if let Some(said) = deliver(app, &facts, &delivery, next).await? {
                deferred = Some((said, next));
            }
        }
    }
    // Also when nothing was open: a crash may have come between the last letter and this.
    if lets_go && messages::let_go(&app.db, &home, &id, app.clock.now()).await? {
        tracing::info!(message = %id, "everybody who was to get it has it; it is in the trash");
    }
    Ok(deferred.map_or(Outcome::Done, |(said, next)| {
        let wait = next.0.saturating_sub(app.clock.now().0);
        Outcome::Later(Duration::from_millis(u64::try_from(wait).unwrap_or(0)), said)
    }))
}

/// Sends one letter and notes what came of it; what the server said if it is to be tried again.
async fn deliver(
    app: &App,
    facts: &Facts,
    delivery: &Delivery,
    next: Timestamp,
) -> anyhow::Result<Option<String>> {
    let (id, to) = (facts.message.id, &delivery.recipient);
    let (letter, sent) = facts.send(app, delivery).await?;
    let with_audio = letter.recording.is_some();
    let count = |state| metrics::counter!("afterbeep_mails_total", "state" => state).increment(1);
    match sent {
        Ok(accepted) => {
            deliveries::accepted(&app.db, &id, to, &accepted.reply, with_audio).await?;
            let since = app.clock.now().0 - facts.message.envelope.received.0;
            tracing::info!(message = %id, "mailed, {} s after the beep", since / 1_000);
            count("accepted");
        }
        Err(error) if tries_again(app, &error, facts.message.created) => {
            let said = chain(&error);
            deliveries::deferred(&app.db, &id, to, &said, next).await?;
            count("deferred");
            return Ok(Some(said));
        }
        Err(error) => {
            let said = chain(&error);
            tracing::error!(message = %id, "a mail was refused for good: {said}");
            deliveries::failed(&app.db, &id, to, &said).await?;
            count("failed");
        }
    }
    Ok(None)
}

fn tries_again(app: &App, error: &MailError, filed: Timestamp) -> bool {
    error.is_temporary() && filed + PATIENCE >= app.clock.now()
}

async fn gather(
    app: &App,
    message: Message,
    mailbox: Mailbox,
    open: &[Delivery],
) -> anyhow::Result<Facts> {
    let not_yet =
        NotYet { transcript: late(app), translation: "The translation was not ready in time." };
    let (text, translated) = words::of(&app.db, &message, not_yet).await?;
    let is_full = open.iter().any(|it| it.kind == Notice::Full);
    let sound = match is_full && !message.marks.private {
        true => sound(app, &message, mailbox.settings.attach).await?,
        false => None,
    };
    let forwarded_by = match &message.forwarded_by {
        Some(by) => mailboxes::held(&app.db, &mailbox.tenant, by).await?.map(|it| it.number),
        None => None,
    };
    let as_mp3 = OnceCell::new();
    Ok(Facts { message, mailbox, text, translated, sound, as_mp3, forwarded_by })
}

/// The recording as it is to be attached. One that is gone for good keeps no letter back: the
/// letter says so, and never counts as the message's safe place.
async fn sound(app: &App, message: &Message, wanted: Attach) -> anyhow::Result<Option<Sound>> {
    let wav = match app.blobs.get(&message.blob).await {
        Ok(wav) => wav,
        Err(error @ BlobError::Missing(_)) => {
            tracing::error!(message = %message.id, "{error}; it is mailed without");
            return Ok(None);
        }
        Err(error) => return Err(error).context("the recording cannot be read"),
    };
    if wanted == Attach::Mp3
        && let Some(mp3) = as_mp3(message.id, wav.clone()).await?
    {
        return Ok(Some(mp3));
    }
    Ok(Some(Sound { kind: Attach::Wav, bytes: wav }))
}

/// A recording as MP3, if that can be had.
async fn as_mp3(id: MessageId, wav: Bytes) -> anyhow::Result<Option<Sound>> {
    Ok(match tokio::task::spawn_blocking(move || mp3::encode(&wav)).await? {
        Ok(mp3) => Some(Sound { kind: Attach::Mp3, bytes: mp3.into() }),
        Err(error) => {
            tracing::warn!(message = %id, "its recording is not mailed as MP3: {error}");
            None
        }
    })
}

impl Facts {
    /// Sends a letter and answers with what the server said of it. One it finds too large is sent
    /// again at once, with a smaller recording and at last without.
    async fn send(
        &self,
        app: &App,
        to: &Delivery,
    ) -> anyhow::Result<(Letter, Result<Accepted, MailError>)> {
        let mut sound = self.sound.clone();
        loop {
            let letter = self.write(app, to, sound).context("the letter cannot be written")?;
            let sent = app.mailer.send(&letter, &to.recipient).await;
            let kind = letter.recording.as_ref().map(|it| it.sound.kind);
            let (Err(error @ MailError::TooLarge { .. }), Some(kind)) = (&sent, kind) else {
                return Ok((letter, sent));
            };
            tracing::warn!(message = %self.message.id, "{error}; it is sent again, smaller");
            sound = self.smaller(kind).await?;
        }
    }

    /// What is attached in place of a recording of that kind; nothing if nothing is smaller.
    async fn smaller(&self, than: Attach) -> anyhow::Result<Option<Sound>> {
        let Some(wav) = self.sound.as_ref().filter(|_| than == Attach::Wav) else {
            return Ok(None);
        };
        let mp3 = || as_mp3(self.message.id, wav.bytes.clone());
        Ok(self.as_mp3.get_or_try_init(mp3).await?.clone())
    }

    fn write(
        &self,
        app: &App,
        delivery: &Delivery,
        sound: Option<Sound>,
    ) -> anyhow::Result<Letter> {
        let Message { id, envelope, marks, created, .. } = &self.message;
        let news = News {
            id: *id,
            mailbox: &self.mailbox,
            envelope,
            filed: *created,
            text: &self.text,
            translated: &self.translated,
            room: self.message.made_room.as_ref(),
            said: Said { urgent: marks.urgent, private: marks.private },
            forwarded_by: self.forwarded_by.as_deref(),
            keep_trash: self.mailbox.settings.keeps_trash(app.config.keep_trash),
            too_large: self.sound.is_some() && sound.is_none(),
        };
        let reader =
            Reader { mailbox: self.mailbox.id.clone(), address: delivery.recipient.clone() };
        let ways = match &app.links {
            Some(links) => links.ways(*id, *created, &reader),
            None => Ways { base_url: app.config.mail.base_url.clone(), ..Ways::default() },
        };
        Ok(match delivery.kind {
            Notice::Full => Letter::full(&app.templates, &news, &ways, sound)?,
            Notice::Short => Letter::short(&app.templates, &news, &ways)?,
        })
    }
}

/// Why there is no transcript yet, told to the owner.
fn late(app: &App) -> &'static str {
    match app.speech.readiness() {
        Readiness::Ready { .. } => "The transcript was not ready in time.",
        _ => "No speech model is installed on the server.",
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
