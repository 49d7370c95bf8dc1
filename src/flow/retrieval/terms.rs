//! What the parts of an owner's call go by, and what they have in common.

use std::time::Duration;

use super::super::{
    Action, Prompt, Spoken,
    keys::{Keys, Place},
};
use crate::say::{Choice, Phrase};

/// What a part of the call goes by.
pub(super) struct Terms<'a> {
    pub(super) keys: &'a Keys,
    pub(super) patience: Duration,
    /// How often something is asked of somebody who presses no key.
    pub(super) tries: u32,
    /// The owner's mailbox.
    pub(super) number: &'a str,
    /// What is there for callers to hear.
    pub(super) spoken: &'a [Spoken],
}

/// What becomes of a part of the call.
pub(super) enum Turn<P> {
    /// It goes on.
    On(P, Vec<Action>),
    /// It is over; this is said before what comes after it.
    Over(Vec<Action>),
    /// So is the call.
    Farewell,
}

impl Terms<'_> {
    /// What can be done at a place, but for what makes no sense now, and a wait for the key.
    pub(super) fn menu(&self, place: Place, has_sense: impl Fn(Choice) -> bool) -> Vec<Action> {
        let mut choices = self.keys.choices(place);
        choices.retain(|(what, _)| has_sense(*what));
        choices.sort();
        let told = choices.into_iter().map(|(what, key)| say(Phrase::Choice { what, key }));
        told.chain(self.wait()).collect()
    }

    pub(super) fn wait(&self) -> Vec<Action> {
        vec![Action::Pause(self.patience)]
    }

    /// Something is asked, and typed after that.
    pub(super) fn ask(&self, said: impl IntoIterator<Item = Phrase>) -> Vec<Action> {
        said.into_iter().map(say).chain(self.wait()).collect()
    }
}

pub(super) fn say(phrase: Phrase) -> Action {
    Action::Play(Prompt::Say(phrase))
}
