//! Making the transcript of a message, or saying for good why there is none.

use anyhow::Context;

use super::Outcome;
use crate::app::App;
use crate::audio::wav;
use crate::flow::Policy;
use crate::store::jobs::Job;
use crate::store::{messages, transcripts};

/// A recording that defeated the recogniser this often will not be tried again.
const ATTEMPTS: u32 = 4;

/// Transcribes the job's message; the mail is due as soon as that is settled.
pub(super) async fn run(app: &App, job: &Job) -> anyhow::Result<Outcome> {
    let id = job.subject;
    let Some((message, mailbox)) = messages::for_job(&app.db, &id).await? else {
        return Ok(Outcome::Done);
    };
    let sound = app.blobs.get(&message.blob).await.context("the recording cannot be read")?;
    let sound =
        wav::from_wav(&sound, Policy::LIMIT.as_secs()).context("the recording is damaged")?;

    let spoken = mailbox.spoken.as_deref();
    let began = crate::clock::instant();
    let settled = match app.speech.transcribe(&sound.samples, sound.rate, spoken).await {
        Ok(transcript) => {
            metrics::histogram!("afterbeep_transcription_seconds").record(began.elapsed());
            transcripts::save(&app.db, &id, &transcript, app.clock.now()).await?
        }
        Err(error) if error.is_temporary() && job.attempts < ATTEMPTS => {
            return Ok(Outcome::Later(super::backoff(job), error.to_string()));
        }
        Err(error) => {
            tracing::warn!(message = %id, error = &error as &dyn std::error::Error,
                "this message stays without a transcript");
            transcripts::give_up(&app.db, &id, &error.to_string(), app.clock.now()).await?
        }
    };
    if settled {
        app.bell.notify_waiters();
    }
    Ok(Outcome::Done)
}
