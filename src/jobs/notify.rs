//! Mailing a message to its recipients, each on its own, so that one refusal hides no other.

use std::time::Duration;

use anyhow::Context;

use super::Outcome;
use crate::app::App;
use crate::mail::{Letter, Text};
use crate::mailbox::{Mailbox, Timestamp};
use crate::speech::Readiness;
use crate::store::jobs::Job;
use crate::store::messages::{Message, Transcription};
use crate::store::{deliveries, messages, transcripts};

/// How long a refused mail is tried again: as long as mail servers do.
const PATIENCE: Duration = Duration::from_secs(4 * 24 * 3_600);

/// Sends the job's message to everybody who still waits for it.
pub(super) async fn run(app: &App, job: &Job) -> anyhow::Result<Outcome> {
    let id = job.subject;
    let Some((message, mailbox)) = messages::for_job(&app.db, &id).await? else {
        return Ok(Outcome::Done);
    };
    let open: Vec<_> =
        deliveries::of(&app.db, &id).await?.into_iter().filter(|it| it.is_open()).collect();
    if open.is_empty() {
        return Ok(Outcome::Done);
    }
    let letter = write(app, &message, &mailbox).await?;
    let wait = super::backoff(app, job);
    let hopeless = message.envelope.received + PATIENCE < app.clock.now();
    let mut deferred = None;

    for delivery in open {
        let to = &delivery.recipient;
        match app.mailer.send(&letter, to).await {
            Ok(accepted) => {
                deliveries::accepted(&app.db, &id, to, &accepted.reply).await?;
                let since = app.clock.now().0 - message.envelope.received.0;
                tracing::info!(message = %id, "mailed, {} s after the beep", since / 1_000);
                metrics::counter!("afterbeep_mails_total", "state" => "accepted").increment(1);
            }
            Err(error) if error.is_temporary() && !hopeless => {
                let said = chain(&error);
                let next: Timestamp = app.clock.now() + wait;
                deliveries::deferred(&app.db, &id, to, &said, next).await?;
                deferred = Some(said);
                metrics::counter!("afterbeep_mails_total", "state" => "deferred").increment(1);
            }
            Err(error) => {
                let said = chain(&error);
                tracing::error!(message = %id, "a mail was refused for good: {said}");
                deliveries::failed(&app.db, &id, to, &said).await?;
                metrics::counter!("afterbeep_mails_total", "state" => "failed").increment(1);
            }
        }
    }
    Ok(deferred.map_or(Outcome::Done, |said| Outcome::Later(wait, said)))
}

async fn write(app: &App, message: &Message, mailbox: &Mailbox) -> anyhow::Result<Letter> {
    let wav = app.blobs.get(&message.blob).await.context("the recording cannot be read")?;
    let text = match &message.transcription {
        Transcription::Off => Text::Off,
        Transcription::Failed(why) => Text::NotTranscribed(why.clone()),
        Transcription::Waiting => Text::NotTranscribed(late(app)),
        Transcription::Done => match transcripts::of(&app.db, &message.id).await? {
            Some(transcript) if transcript.segments.is_empty() => Text::NoSpeech,
            Some(transcript) => Text::Transcript(transcript),
            None => Text::NotTranscribed("The transcript is missing.".into()),
        },
    };
    let base_url = app.config.mail.base_url.as_deref();
    Letter::about(message.id, mailbox, &message.envelope, &text, wav, base_url)
        .context("the letter cannot be written")
}

/// Why there is no transcript yet, told to the owner.
fn late(app: &App) -> String {
    match app.speech.readiness() {
        Readiness::Ready { .. } => "The transcript was not ready in time.".into(),
        _ => "No speech model is installed on the server.".into(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
