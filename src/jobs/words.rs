//! What is known of a message's words, for its letters and for the pages their links open.

use crate::mail::{Text, Translated};
use crate::mailbox::numbers::Difference;
use crate::store::messages::{Message, Transcription};
use crate::store::{Db, StoreError, transcripts, translations};

/// What was said and what a machine made of it in another language; `not_yet` is the sentence for
/// a transcript that is still being made.
pub async fn of(
    db: &Db,
    message: &Message,
    not_yet: &str,
) -> Result<(Text, Translated), StoreError> {
    let text = match &message.transcription {
        Transcription::Off => Text::Off,
        Transcription::Failed(why) => Text::NotTranscribed(why.clone()),
        Transcription::Waiting => Text::NotTranscribed(not_yet.to_owned()),
        Transcription::Done => match transcripts::of(db, &message.id).await? {
            Some(transcript) if transcript.segments.is_empty() => Text::NoSpeech,
            Some(transcript) => Text::Transcript(transcript),
            None => Text::NotTranscribed("The transcript is missing.".into()),
        },
    };
    Ok((text, translated(translations::of(db, &message.id).await?)))
}

fn translated(found: translations::Translated) -> Translated {
    match found {
        translations::Translated::Off => Translated::Off,
        translations::Translated::Waiting => {
            Translated::NotMade("The translation was not ready in time.".into())
        }
        translations::Translated::Failed(why) => Translated::NotMade(why),
        translations::Translated::Done(it) => {
            let Difference { missing, added } = it.difference.unwrap_or_default();
            Translated::Made { language: it.language, text: it.text, missing, added }
        }
    }
}
