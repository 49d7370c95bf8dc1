//! An announcement, spoken by an owner who may: what all callers of a tenant hear, or all on hold.

use super::{
    super::{Action, Event},
    dictation::{Dictated, Dictation},
    terms::{Terms, Turn, say},
};
use crate::say::Phrase;

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Announcing {
    Speaking(Dictation),
    /// It is being kept.
    Keeping,
}

impl Announcing {
    /// Asks for it.
    pub(super) fn begin() -> (Self, Vec<Action>) {
        let (dictation, actions) = Dictation::begin(Phrase::SpeakGreeting);
        (Self::Speaking(dictation), actions)
    }

    pub(super) fn step(self, event: Event, terms: &Terms<'_>) -> Turn<Self> {
        match (self, event) {
            (Self::Speaking(dictation), event) => match dictation.step(event, terms) {
                Dictated::On(dictation, actions) => Turn::On(Self::Speaking(dictation), actions),
                Dictated::Kept(take) => Turn::On(Self::Keeping, vec![Action::Announce(take)]),
                Dictated::Dropped(actions) => Turn::Over(actions),
            },
            (Self::Keeping, Event::Done(true)) => Turn::Over(vec![say(Phrase::RecordingKept)]),
            (Self::Keeping, Event::Done(false) | Event::OutOfReach) => {
                Turn::Over(vec![say(Phrase::NotDone)])
            }
            (state, _) => Turn::On(state, vec![]),
        }
    }
}
