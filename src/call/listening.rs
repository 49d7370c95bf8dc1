//! How far an owner has heard a message, so that they can go back and forward in it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::audio::{Clip, stretch::stretch, wav::Sound};
use crate::flow::{Cue, Pace};
use crate::mailbox::MessageId;

/// A message being heard.
#[derive(Clone)]
pub(super) struct Listening {
    pub(super) id: MessageId,
    sound: Arc<Sound>,
    /// How far it was heard when it last began to sound, in its own time.
    at: Duration,
    pace: Pace,
    /// Since when it sounds.
    since: Option<Instant>,
}

impl Listening {
    /// A message of which nothing was heard yet.
    pub(super) fn new(id: MessageId, sound: Arc<Sound>) -> Self {
        Self { id, sound, at: Duration::ZERO, pace: Pace::default(), since: None }
    }

    /// The same, to be heard from there.
    pub(super) fn from(self, cue: Cue, pace: Pace) -> Self {
        let at = match cue {
            Cue::Start => Duration::ZERO,
            Cue::Here { by_ms } => {
                let by = Duration::from_millis(by_ms.unsigned_abs());
                if by_ms < 0 { self.at.saturating_sub(by) } else { self.at.saturating_add(by) }
            }
        };
        Self { at, pace, ..self }
    }

    /// What is left of it. Another pace takes some milliseconds for each minute of it.
    pub(super) fn rest(&self) -> Clip {
        let Sound { samples, rate } = &*self.sound;
        let gone = self.at.as_millis() * u128::from(*rate) / 1_000;
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(samples.len());
        let left = stretch(&samples[gone..], *rate, self.pace.percent());
        Clip::at("message", left, *rate)
    }

    /// It begins to sound.
    pub(super) fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    /// It stays where it is, as far as it was heard.
    pub(super) fn stand_still(&mut self) {
        if let Some(since) = self.since.take() {
            self.at += since.elapsed() * self.pace.percent() / 100;
        }
    }
}
