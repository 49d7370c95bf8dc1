//! What callers hear first: what the owner recorded for their reason, or else a sentence with the
//! owner's name or number in it.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{Desk, PATIENCE};
use crate::admin;
use crate::audio::{Clip, wav};
use crate::flow::Policy;
use crate::mailbox::{Mailbox, MailboxId, Reason};
use crate::say::{Phrase, Who};
use crate::store::{self, greetings, names};

/// What was found of it.
pub(super) enum Opening {
    /// The greeting.
    Recorded(Arc<Clip>),
    /// The owner's name.
    Named(Arc<Clip>),
    /// Nothing: the number has to do.
    Plain,
}

/// Looks for it while the call is being answered.
pub(super) fn begin(desk: Desk, mailbox: Mailbox, reason: Reason) -> JoinHandle<Opening> {
    tokio::spawn(async move {
        match recorded(&desk, &mailbox, reason).await {
            Ok(Some(clip)) => return Opening::Recorded(clip),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(mailbox = %mailbox.id, "the owner's greeting is left out: {error:#}");
            }
        }
        name(&desk, &mailbox.id).await.map_or(Opening::Plain, Opening::Named)
    })
}

/// What came of it; nothing, if the looking fell.
pub(super) async fn found(opening: Option<JoinHandle<Opening>>) -> Opening {
    match opening {
        Some(opening) => opening.await.unwrap_or(Opening::Plain),
        None => Opening::Plain,
    }
}

impl Desk {
    /// The clips of a phrase, with the recorded name of whom it is about.
    pub(super) async fn say(&self, language: &str, phrase: Phrase) -> Vec<Arc<Clip>> {
        let prompts = &self.app.prompts;
        let Phrase::From(Who::Mailbox { mailbox, number }) = phrase else {
            return prompts.clips(language, &phrase);
        };
        let named = name(self, &mailbox).await;
        let phrase = Phrase::From(Who::Mailbox { mailbox, number: number.clone() });
        self.say_named(language, &phrase, named, || Phrase::From(Who::Extension(number)))
    }

    /// The clips of a phrase with this name in it; those of another phrase if there is no name, or
    /// the language has no such sentence.
    pub(super) fn say_named(
        &self,
        language: &str,
        phrase: &Phrase,
        name: Option<Arc<Clip>>,
        otherwise: impl FnOnce() -> Phrase,
    ) -> Vec<Arc<Clip>> {
        let prompts = &self.app.prompts;
        match name.filter(|_| prompts.speaks(language, phrase)) {
            Some(name) => prompts.clips_with(language, phrase, Some(&name)),
            None => prompts.clips(language, &otherwise()),
        }
    }
}

async fn recorded(
    desk: &Desk,
    mailbox: &Mailbox,
    reason: Reason,
) -> anyhow::Result<Option<Arc<Clip>>> {
    let recorded = store::within(PATIENCE, greetings::of(&desk.app.db, &mailbox.id)).await?;
    let all: Vec<_> = recorded.iter().map(|it| it.recorded).collect();
    let facts = admin::greeting::facts(mailbox, reason, &all, desk.app.clock.now());
    let chosen = mailbox.settings.greetings.chosen(&facts);
    let Some(greeting) = recorded.iter().find(|it| Some(it.recorded.kind) == chosen) else {
        return Ok(None);
    };
    load(desk, "greeting", &greeting.blob).await.map(Some)
}

/// The recorded name of a mailbox. A call goes on without it.
async fn name(desk: &Desk, mailbox: &MailboxId) -> Option<Arc<Clip>> {
    let loading = async {
        let name = store::within(PATIENCE, names::of(&desk.app.db, mailbox)).await?;
        match name {
            Some(name) => load(desk, "name", &name.blob).await.map(Some),
            None => Ok(None),
        }
    };
    loading.await.unwrap_or_else(|error: anyhow::Error| {
        tracing::warn!(mailbox = %mailbox, "the owner's name is left out: {error:#}");
        None
    })
}

pub(super) async fn load(desk: &Desk, name: &'static str, blob: &str) -> anyhow::Result<Arc<Clip>> {
    let read = async {
        // It is on this machine unless another one had the mailbox so far.
        let file = tokio::time::timeout(PATIENCE, desk.app.blobs.get(blob)).await??;
        let clip = tokio::task::spawn_blocking(move || -> Result<_, wav::WavError> {
            let sound = wav::from_wav(&file, Policy::LIMIT.as_secs())?;
            Ok(Clip::at(name, sound.samples, sound.rate))
        });
        Ok(clip.await??)
    };
    desk.clips.get(blob, read).await
}
