//! A message given to other owners, with or without something said before it.

use super::{
    super::{Action, Event, keys::Place},
    dictation::{Dictated, Dictation},
    terms::{Terms, Turn, say},
    typed,
};
use crate::mailbox::{MessageId, Take};
use crate::say::{Choice, Phrase};

/// A message on its way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sending {
    message: MessageId,
    tries: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The numbers before, and the one that is typed.
    Typing(Vec<String>, String),
    /// The store is asked whether there are such mailboxes.
    Finding(Vec<String>),
    Asking(Vec<String>),
    Speaking(Vec<String>, Dictation),
    Storing,
    Gone,
}

/// A message is given to so many others at once.
const MOST: usize = 10;

impl Sending {
    pub(super) fn begin(message: MessageId, terms: &Terms<'_>) -> (Self, Vec<Action>) {
        let state = State::Typing(Vec::new(), String::new());
        (Self { message, tries: 0, state }, terms.ask([Phrase::EnterNumbers]))
    }

    pub(super) fn step(mut self, event: Event, terms: &Terms<'_>) -> Turn<Self> {
        use Event::{Done, Found, HungUp, Idle, Key, OutOfReach};
        use State::{Asking, Finding, Gone, Speaking, Storing, Typing};

        match (std::mem::replace(&mut self.state, Gone), event) {
            (Speaking(to, dictation), event) => self.dictated(to, dictation.step(event, terms)),
            (_, HungUp) => self.on(Gone, vec![]),

            (Typing(to, number), Key('*')) if number.is_empty() && to.is_empty() => {
                Turn::Over(vec![])
            }
            (Typing(to, number), Key('*')) => {
                self.on(Typing(joined(to, number), String::new()), terms.wait())
            }
            (Typing(to, number), Key('#') | Idle) => match joined(to, number) {
                to if to.is_empty() => self.ask(vec![], terms),
                to => self.on(Finding(to.clone()), vec![Action::Find(to)]),
            },
            (Typing(to, number), Key(key)) => {
                self.on(Typing(to, typed(number, key, super::MOST_DIGITS)), terms.wait())
            }

            (Finding(to), Found(missing)) if missing.is_empty() => {
                self.on(Asking(to), terms.menu(Place::Sending, |_| true))
            }
            (Finding(_), Found(missing)) => {
                let none = |number| say(Phrase::NoMailbox { number });
                self.ask(missing.into_iter().map(none).collect(), terms)
            }

            (Asking(to), Key(key)) => self.asked(to, key, terms),
            (Asking(to), Idle) => self.send(to, None),

            (Storing, Done(true)) => Turn::Over(vec![say(Phrase::MessageSent)]),
            (Finding(_) | Storing, Done(false) | OutOfReach) => {
                Turn::Over(vec![say(Phrase::NotDone)])
            }
            (state, _) => self.on(state, vec![]),
        }
    }

    fn on(self, state: State, actions: Vec<Action>) -> Turn<Self> {
        Turn::On(Self { state, ..self }, actions)
    }

    /// The numbers, once more.
    fn ask(mut self, first: Vec<Action>, terms: &Terms<'_>) -> Turn<Self> {
        self.tries += 1;
        if self.tries >= terms.tries {
            return Turn::Over(first);
        }
        let actions = [first, terms.ask([Phrase::EnterNumbers])].concat();
        self.on(State::Typing(Vec::new(), String::new()), actions)
    }

    fn asked(self, to: Vec<String>, key: char, terms: &Terms<'_>) -> Turn<Self> {
        match terms.keys.at(Place::Sending, key) {
            Some(Choice::Intro) => {
                let (dictation, actions) = Dictation::begin(Phrase::SpeakIntro);
                self.on(State::Speaking(to, dictation), actions)
            }
            Some(Choice::SendNow) => self.send(to, None),
            Some(_) => Turn::Over(vec![]),
            None => {
                let menu = terms.menu(Place::Sending, |_| true);
                self.on(State::Asking(to), [vec![say(Phrase::Unknown)], menu].concat())
            }
        }
    }

    fn dictated(self, to: Vec<String>, dictated: Dictated) -> Turn<Self> {
        match dictated {
            Dictated::On(dictation, actions) => self.on(State::Speaking(to, dictation), actions),
            Dictated::Kept(intro) => self.send(to, Some(intro)),
            Dictated::Dropped(actions) => Turn::Over(actions),
        }
    }

    fn send(self, to: Vec<String>, intro: Option<Take>) -> Turn<Self> {
        let message = self.message;
        self.on(State::Storing, vec![Action::Forward { message, to, intro }])
    }
}

/// Each number once.
fn joined(mut to: Vec<String>, number: String) -> Vec<String> {
    if !number.is_empty() && !to.contains(&number) && to.len() < MOST {
        to.push(number);
    }
    to
}
