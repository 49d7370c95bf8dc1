//! Making the transcript of a message, or saying for good why there is none.

use std::time::Duration;

use anyhow::Context;

use super::Outcome;
use crate::app::App;
use crate::audio::wav;
use crate::flow::Policy;
use crate::speech::SpeechError;
use crate::store::jobs::Job;
use crate::store::{messages, transcripts};

/// A recording that defeated the recogniser this often will not be tried again.
const ATTEMPTS: u32 = 4;

/// How long a recording waits for its second try, if it was lost with its worker. The mail waits
/// too, so this is short; it grows fivefold.
const PAUSE: Duration = Duration::from_secs(1);

/// Transcribes the job's message; the mail is due as soon as that is settled.
pub(super) async fn run(app: &App, job: &Job) -> anyhow::Result<Outcome> {
    let id = job.subject;
    let Some((message, mailbox)) = messages::for_job(&app.db, &id).await? else {
        return Ok(Outcome::Done);
    };
    let sound = app.blobs.get(&message.blob).await.context("the recording cannot be read")?;
    let sound = match wav::from_wav(&sound, Policy::LIMIT.as_secs()) {
        Ok(sound) => sound,
        Err(error) => return give_up(app, job, &format!("damaged recording: {error}")).await,
    };

    let spoken = mailbox.settings.spoken();
    let began = crate::clock::instant();
    match app.speech.transcribe(&sound.samples, sound.rate, spoken).await {
        Ok(transcript) => {
            metrics::histogram!("afterbeep_transcription_seconds").record(began.elapsed());
            if transcripts::save(&app.db, &id, &transcript, app.clock.now()).await? {
                app.bell.notify_waiters();
            }
            Ok(Outcome::Done)
        }
        Err(error) if is_ours(&error) => Err(error.into()),
        Err(error) if error.is_temporary() && job.attempts < ATTEMPTS => {
            let pause = PAUSE * 5_u32.pow(job.attempts.saturating_sub(1));
            Ok(Outcome::Later(pause, error.to_string()))
        }
        Err(error) => give_up(app, job, &error.to_string()).await,
    }
}

/// Whether it is the house that fails, not this message: a model that is half copied or damaged
/// must not cost every message that waits its transcript.
fn is_ours(error: &SpeechError) -> bool {
    matches!(error, SpeechError::NoModel { .. } | SpeechError::Disabled | SpeechError::Refused(_))
}

/// There will be no transcript; log and owner are told `why`.
async fn give_up(app: &App, job: &Job, why: &str) -> anyhow::Result<Outcome> {
    tracing::warn!(message = %job.subject, "this message stays without a transcript: {why}");
    if transcripts::give_up(&app.db, &job.subject, why, app.clock.now()).await? {
        app.bell.notify_waiters();
    }
    Ok(Outcome::Done)
}
