//! Something an owner speaks, hears again, and keeps or not. It is no message: who hangs up before
//! keeping it has changed nothing.

use std::time::Duration;

use super::{
    super::{Action, Ended, Event, Policy, Prompt, keys::Place},
    terms::{Terms, say},
};
use crate::mailbox::Take;
use crate::say::{Choice, Phrase};

/// Nobody says a name in less.
const SHORTEST: Duration = Duration::from_millis(500);

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dictation {
    /// Said before the tone.
    ask: Phrase,
    tries: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Beeping,
    Speaking,
    Reviewing(Take),
    /// The owner left; what was spoken may still be on its way.
    Leaving,
}

/// What becomes of it.
pub(super) enum Dictated {
    /// It goes on.
    On(Dictation, Vec<Action>),
    /// This is wanted.
    Kept(Take),
    /// Nothing is.
    Dropped(Vec<Action>),
}

impl Dictation {
    /// Asks for it.
    pub(super) fn begin(ask: Phrase) -> (Self, Vec<Action>) {
        let actions = record(&ask);
        (Self { ask, tries: 0, state: State::Beeping }, actions)
    }

    pub(super) fn step(self, event: Event, terms: &Terms<'_>) -> Dictated {
        use Dictated::{Dropped, Kept, On};
        use State::{Beeping, Leaving, Reviewing, Speaking};

        let Self { ask, tries, state } = self;
        let on = |ask, state, actions| On(Self { ask, tries, state }, actions);
        match (state, event) {
            (Beeping, Event::Recording) => on(ask, Speaking, vec![]),
            (Beeping | Speaking, Event::NotRecorded) => Dropped(vec![say(Phrase::NotDone)]),
            (Speaking, Event::Key('#')) => on(ask, Speaking, vec![Action::StopRecording]),
            (Speaking, Event::HungUp) => on(ask, Leaving, vec![Action::StopRecording]),
            (Speaking, Event::Recorded(take, Ended::Tone)) => {
                on(ask, Leaving, vec![Action::Discard(take), Action::HangUp])
            }
            (Speaking, Event::Recorded(take, _)) => match unfit(&take) {
                Some(why) => Self { ask, tries, state: Speaking }.again(take, why, terms),
                None => on(ask, Reviewing(take), review(terms)),
            },
            (Leaving, Event::Recorded(take, _)) => on(ask, Leaving, vec![Action::Discard(take)]),
            (Reviewing(take), Event::HungUp) => on(ask, Leaving, vec![Action::Discard(take)]),
            (Reviewing(take), Event::Key(key)) => match terms.keys.at(Place::Review, key) {
                Some(Choice::Keep) => Kept(take),
                Some(Choice::Hear) => {
                    let heard = vec![Action::Play(Prompt::Take(take.clone()))];
                    on(ask, Reviewing(take), [heard, review(terms)].concat())
                }
                Some(Choice::Record) => {
                    let again = [vec![Action::Discard(take)], record(&ask)].concat();
                    on(ask, Beeping, again)
                }
                Some(_) => Dropped(vec![Action::Discard(take)]),
                None => {
                    let told = [vec![say(Phrase::Unknown)], review(terms)].concat();
                    on(ask, Reviewing(take), told)
                }
            },
            (Reviewing(take), Event::Idle) if tries + 1 >= terms.tries => {
                Dropped(vec![Action::Discard(take)])
            }
            (Reviewing(take), Event::Idle) => {
                On(Self { ask, tries: tries + 1, state: Reviewing(take) }, review(terms))
            }
            (_, Event::HungUp) => on(ask, Leaving, vec![]),
            (state, _) => on(ask, state, vec![]),
        }
    }

    /// Nothing was heard, or not enough: said so, and asked again.
    fn again(self, take: Take, why: Phrase, terms: &Terms<'_>) -> Dictated {
        let told = vec![Action::Discard(take), say(why)];
        if self.tries + 1 >= terms.tries {
            return Dictated::Dropped(told);
        }
        let actions = [told, record(&self.ask)].concat();
        Dictated::On(Self { tries: self.tries + 1, state: State::Beeping, ..self }, actions)
    }
}

fn record(ask: &Phrase) -> Vec<Action> {
    vec![say(ask.clone()), Action::Play(Prompt::Beep), Action::Dictate]
}

fn review(terms: &Terms<'_>) -> Vec<Action> {
    terms.menu(Place::Review, |_| true)
}

/// Why a take is worth nothing. A name may be short.
fn unfit(take: &Take) -> Option<Phrase> {
    match take {
        _ if take.length < SHORTEST => Some(Phrase::TooShort),
        _ if take.voiced < Policy::AUDIBLE => Some(Phrase::NothingHeard),
        _ => None,
    }
}
