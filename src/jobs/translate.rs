//! Translating what was said in a message, or saying for good why that is not done.

use std::time::Duration;

use super::Outcome;
use crate::app::App;
use crate::speech::Translator;
use crate::store::jobs::Job;
use crate::store::{messages, transcripts, translations};

/// A text that defeated the engine this often will not be tried again.
const ATTEMPTS: u32 = 5;

/// How long a text waits for its second try. The mail waits too, up to its deadline, so this is
/// short; it grows fivefold.
const PAUSE: Duration = Duration::from_secs(1);

/// Translates the transcript of the job's message; the mail is due as soon as that is settled.
pub(super) async fn run(app: &App, job: &Job) -> anyhow::Result<Outcome> {
    let id = job.subject;
    let Some((_, mailbox)) = messages::for_job(&app.db, &id).await? else {
        return Ok(Outcome::Done);
    };
    let Some(transcript) = transcripts::of(&app.db, &id).await? else {
        return give_up(app, job, "there is no transcript").await;
    };
    let to = &mailbox.settings.translate_to;
    if !mailbox.settings.translate || !Translator::is_needed(&transcript, to) {
        // The owner has changed their mind since.
        if translations::call_off(&app.db, &id, app.clock.now()).await? {
            app.bell.ring_all();
        }
        return Ok(Outcome::Done);
    }
    let began = crate::clock::instant();
    match app.translator.translate(&transcript, to).await {
        Ok(translation) => {
            metrics::histogram!("afterbeep_translation_seconds").record(began.elapsed());
            if translation.difference.is_some() {
                metrics::counter!("afterbeep_translations_doubtful_total").increment(1);
            }
            if translations::save(&app.db, &id, &translation, app.clock.now()).await? {
                app.bell.ring_all();
            }
            Ok(Outcome::Done)
        }
        Err(error) if error.is_temporary() && job.attempts < ATTEMPTS => {
            let pause = PAUSE * 5_u32.pow(job.attempts.saturating_sub(1));
            Ok(Outcome::Later(pause, error.to_string()))
        }
        Err(error) => give_up(app, job, &error.to_string()).await,
    }
}

/// There will be no translation; the log is told `why`, and whoever looks at the message.
async fn give_up(app: &App, job: &Job, why: &str) -> anyhow::Result<Outcome> {
    tracing::warn!(message = %job.subject, "this message stays without a translation: {why}");
    if translations::give_up(&app.db, &job.subject, why, app.clock.now()).await? {
        app.bell.ring_all();
    }
    Ok(Outcome::Done)
}
