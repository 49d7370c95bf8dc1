//! Before it is known whose messages are to be heard.

use super::{MOST_DIGITS, Retrieval, State, farewell, say, typed};
use crate::flow::{Action, Event};
use crate::mailbox::Pin;
use crate::say::Phrase;

impl Retrieval {
    /// The number and the PIN.
    pub(super) fn log_in(&mut self, state: State, event: Event) -> (State, Vec<Action>) {
        use Event::{Idle, Key, LoggedIn, OutOfReach, Refused, Start};
        use State::{Checking, Number, Opening, Over, Secret, Waiting};

        match (state, event) {
            (Waiting, Start) => self.ask(None),
            (Number(number), Key('#') | Idle) if !number.is_empty() => self.ask_secret(number),
            (Number(_), Key('#') | Idle) => self.wrong(),
            (Number(number), Key(key)) => (Number(typed(number, key, MOST_DIGITS)), self.wait()),
            (Secret(number, pin), Key('#') | Idle) if !pin.is_empty() => {
                (Checking, vec![Action::LogIn { number, pin }])
            }
            (Secret(..), Key('#') | Idle) => self.wrong(),
            (Secret(number, pin), Key(key)) => {
                let pin = typed(pin.reveal().to_owned(), key, MOST_DIGITS);
                (Secret(number, Pin::new(pin)), self.wait())
            }
            (Checking, LoggedIn) => (Opening(vec![]), vec![Action::Open]),
            (Checking, Refused) => self.wrong(),
            (Checking, OutOfReach) => (Over, farewell(Some(Phrase::OutOfReach))),
            (state, _) => (state, vec![]),
        }
    }

    fn ask(&mut self, first: Option<Phrase>) -> (State, Vec<Action>) {
        let said = first.into_iter().chain([Phrase::EnterMailbox]).map(say);
        (State::Number(String::new()), said.chain(self.wait()).collect())
    }

    fn ask_secret(&self, number: String) -> (State, Vec<Action>) {
        let said = [say(Phrase::EnterPin)].into_iter().chain(self.wait());
        (State::Secret(number, Pin::new(String::new())), said.collect())
    }

    /// Unknown, locked, wrong and nothing typed sound alike.
    fn wrong(&mut self) -> (State, Vec<Action>) {
        self.tries += 1;
        if self.tries >= self.settings.tries {
            return (State::Over, farewell(Some(Phrase::LoginIncorrect)));
        }
        self.ask(Some(Phrase::LoginIncorrect))
    }
}
