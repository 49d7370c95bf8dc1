//! Making the transcript of a message, or saying for good why there is none.

use std::time::Duration;

use anyhow::Context;

use super::Outcome;
use crate::app::App;
use crate::audio::wav;
use crate::flow::Policy;
use crate::mailbox::{Mailbox, Transcript};
use crate::speech::Translator;
use crate::store::jobs::Job;
use crate::store::{messages, transcripts};

/// A recording that defeated the recogniser this often will not be tried again.
const ATTEMPTS: u32 = 4;

/// How long a recording waits for its second try, if it was lost with its worker. The mail waits
/// too, so this is short; it grows fivefold.
const PAUSE: Duration = Duration::from_secs(1);

/// Transcribes the job's message; the mail is due as soon as that is settled, or the translation
/// that is to follow.
pub(super) async fn run(app: &App, job: &Job) -> anyhow::Result<Outcome> {
    let id = job.subject;
    let Some((message, mailbox)) = messages::for_job(&app.db, &id).await? else {
        return Ok(Outcome::Done);
    };
    let spoken = mailbox.settings.spoken();
    // A copy of a message has the same recording, which need not be written down again.
    let known = transcripts::of_copy(&app.db, &id, &message.blob).await?;
    if let Some(known) = known.filter(|it| spoken.is_none_or(|spoken| spoken == it.language)) {
        return keep(app, job, &known, &mailbox).await;
    }
    let sound = app.blobs.get(&message.blob).await.context("the recording cannot be read")?;
    let sound = match wav::from_wav(&sound, Policy::LIMIT.as_secs()) {
        Ok(sound) => sound,
        Err(error) => return give_up(app, job, &format!("damaged recording: {error}")).await,
    };

    let began = crate::clock::instant();
    match app.speech.transcribe(&sound.samples, sound.rate, spoken).await {
        Ok(transcript) => {
            metrics::histogram!("afterbeep_transcription_seconds").record(began.elapsed());
            keep(app, job, &transcript, &mailbox).await
        }
        // A model that is half copied or damaged, or a wrong key, must not cost every message that
        // waits its transcript.
        Err(error) if error.is_ours() => Err(error.into()),
        Err(error) if error.is_temporary() && job.attempts < ATTEMPTS => {
            let pause = PAUSE * 5_u32.pow(job.attempts.saturating_sub(1));
            Ok(Outcome::Later(pause, error.to_string()))
        }
        Err(error) => give_up(app, job, &error.to_string()).await,
    }
}

/// There is a transcript; it is translated if its owner wants that.
async fn keep(
    app: &App,
    job: &Job,
    transcript: &Transcript,
    of: &Mailbox,
) -> anyhow::Result<Outcome> {
    let (now, wishes) = (app.clock.now(), &of.settings);
    let translated = wishes.translate && Translator::is_needed(transcript, &wishes.translate_to);
    let kept = match translated {
        true => transcripts::save_to_translate(&app.db, &job.subject, transcript, now).await?,
        false => transcripts::save(&app.db, &job.subject, transcript, now).await?,
    };
    if kept {
        app.bell.ring_all();
    }
    Ok(Outcome::Done)
}

/// There will be no transcript; the log is told `why`, and whoever looks at the message.
async fn give_up(app: &App, job: &Job, why: &str) -> anyhow::Result<Outcome> {
    tracing::warn!(message = %job.subject, "this message stays without a transcript: {why}");
    if transcripts::give_up(&app.db, &job.subject, why, app.clock.now()).await? {
        app.bell.ring_all();
    }
    Ok(Outcome::Done)
}
