//! What is known of a message's words, for its letters and for the pages their links open.

use crate::mail::{Text, Translated};
use crate::mailbox::numbers::Difference;
use crate::store::messages::{Message, Transcription};
use crate::store::{Db, StoreError, transcripts, translations};

/// What is said of words that are still being worked on, each a sentence for the owner.
#[derive(Debug, Clone, Copy)]
pub struct NotYet {
    /// Of a transcript.
    pub transcript: &'static str,
    /// Of a translation.
    pub translation: &'static str,
}

/// Said of words that nobody will write down or translate. What went wrong is for operators: the
/// log has it, and `afterbeep message show`.
const NEVER: &str = "The server could not make one.";

/// What was said and what a machine made of it in another language.
pub async fn of(
    db: &Db,
    message: &Message,
    not_yet: NotYet,
) -> Result<(Text, Translated), StoreError> {
    let text = match &message.transcription {
        Transcription::Off => Text::Off,
        Transcription::Failed(_) => Text::NotTranscribed(NEVER.into()),
        Transcription::Waiting => Text::NotTranscribed(not_yet.transcript.into()),
        Transcription::Done => match transcripts::of(db, &message.id).await? {
            Some(transcript) if transcript.segments.is_empty() => Text::NoSpeech,
            Some(transcript) => Text::Transcript(transcript),
            None => Text::NotTranscribed("The transcript is missing.".into()),
        },
    };
    Ok((text, translated(translations::of(db, &message.id).await?, not_yet)))
}

fn translated(found: translations::Translated, not_yet: NotYet) -> Translated {
    match found {
        translations::Translated::Off => Translated::Off,
        translations::Translated::Waiting => Translated::NotMade(not_yet.translation.into()),
        translations::Translated::Failed(_) => Translated::NotMade(NEVER.into()),
        translations::Translated::Done(it) => {
            let Difference { missing, added } = it.difference.unwrap_or_default();
            Translated::Made { language: it.language, text: it.text, missing, added }
        }
    }
}
