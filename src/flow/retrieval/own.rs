//! What callers hear, and the PIN, changed by their owner.

use super::{
    super::{Action, Event, Prompt, Spoken, keys::Place},
    dictation::{Dictated, Dictation},
    terms::{Terms, Turn, say},
    typed,
};
use crate::mailbox::{Pin, PinError, Take, greeting::Kind};
use crate::say::{Choice, Phrase};

/// An owner at the settings of their mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// The PIN was somebody else's choice: a new one and a name are asked for, and one without the
    /// other changes nothing.
    first_use: bool,
    tries: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Menu,
    At(Spoken),
    /// Speaking one of them; on first use with the PIN chosen before.
    Speaking(Spoken, Dictation, Option<Pin>),
    /// For how many days a temporary greeting is heard, as far as it is typed.
    Days(Take, String),
    /// The new PIN, as far as it is typed.
    New(Pin),
    /// The same once more.
    Again(Pin, Pin),
    /// The store is asked; what comes after that, and what is said at last.
    Storing(Option<Action>, Phrase),
    Gone,
}

/// No greeting is set for more days than have three digits.
const MOST_DIGITS: usize = 3;

impl Own {
    /// By a key.
    pub(super) fn menu(terms: &Terms<'_>) -> (Self, Vec<Action>) {
        let own = Self { first_use: false, tries: 0, state: State::Menu };
        (own, terms.menu(Place::Own, |_| true))
    }

    /// Because it has to be.
    pub(super) fn first_use(terms: &Terms<'_>) -> (Self, Vec<Action>) {
        let state = State::New(Pin::new(String::new()));
        let own = Self { first_use: true, tries: 0, state };
        (own, terms.ask([Phrase::FirstUse, Phrase::EnterNewPin]))
    }

    pub(super) fn step(mut self, event: Event, terms: &Terms<'_>) -> Turn<Self> {
        use Event::{Done, HungUp, Idle, Key, OutOfReach};
        use State::{Again, At, Days, Gone, Menu, New, Speaking, Storing};

        match (std::mem::replace(&mut self.state, Gone), event) {
            (Speaking(what, dictation, pin), event) => {
                self.dictated(what, dictation.step(event, terms), pin, terms)
            }
            (Days(take, _), HungUp) => self.on(Gone, vec![Action::Discard(take)]),
            (_, HungUp) => self.on(Gone, vec![]),

            (Menu, Key(key)) => self.chosen(key, terms),
            (At(what), Key(key)) => self.at(what, key, terms),
            (Menu | At(_), Idle) => self.idle(terms),

            (Days(take, days), Key('#') | Idle) => self.keep(take, &days),
            (Days(take, days), Key(key)) => {
                self.on(Days(take, typed(days, key, MOST_DIGITS)), terms.wait())
            }

            (New(pin), Key('#') | Idle) => self.entered(pin, terms),
            (New(pin), Key(key)) => self.on(New(longer(&pin, key)), terms.wait()),
            (Again(pin, again), Key('#') | Idle) if pin == again => self.agreed(pin),
            (Again(..), Key('#') | Idle) => self.ask(Phrase::PinsDiffer, terms),
            (Again(pin, again), Key(key)) => self.on(Again(pin, longer(&again, key)), terms.wait()),

            (Storing(Some(next), said), Done(true)) => self.on(Storing(None, said), vec![next]),
            (Storing(None, said), Done(true)) => Turn::Over(vec![say(said)]),
            (Storing(..), Done(false) | OutOfReach) => Turn::Over(vec![say(Phrase::NotDone)]),

            (state, _) => self.on(state, vec![]),
        }
    }

    fn on(self, state: State, actions: Vec<Action>) -> Turn<Self> {
        Turn::On(Self { state, ..self }, actions)
    }

    fn idle(mut self, terms: &Terms<'_>) -> Turn<Self> {
        self.tries += 1;
        match self.tries >= terms.tries {
            true => Turn::Over(vec![]),
            false => self.on(State::Menu, terms.menu(Place::Own, |_| true)),
        }
    }

    fn chosen(mut self, key: char, terms: &Terms<'_>) -> Turn<Self> {
        self.tries = 0;
        match terms.keys.at(Place::Own, key) {
            Some(Choice::Unavailable) => self.go_to(Spoken::Greeting(Kind::Unavailable), terms),
            Some(Choice::Busy) => self.go_to(Spoken::Greeting(Kind::Busy), terms),
            Some(Choice::Temporary) => self.go_to(Spoken::Greeting(Kind::Temporary), terms),
            Some(Choice::Name) => self.go_to(Spoken::Name, terms),
            Some(Choice::Pin) => {
                let state = State::New(Pin::new(String::new()));
                self.on(state, terms.ask([Phrase::EnterNewPin]))
            }
            Some(_) => Turn::Over(vec![]),
            None => {
                let told = vec![say(Phrase::Unknown)];
                self.on(State::Menu, [told, terms.menu(Place::Own, |_| true)].concat())
            }
        }
    }

    /// Where nothing is recorded yet there is but one thing to do.
    fn go_to(self, what: Spoken, terms: &Terms<'_>) -> Turn<Self> {
        match terms.spoken.contains(&what) {
            true => self.on(State::At(what), terms.menu(Place::Recording, |_| true)),
            false => self.speak(what, None),
        }
    }

    fn speak(self, what: Spoken, pin: Option<Pin>) -> Turn<Self> {
        let ask = match what {
            Spoken::Name => Phrase::SpeakName,
            Spoken::Greeting(_) => Phrase::SpeakGreeting,
        };
        let (dictation, actions) = Dictation::begin(ask);
        self.on(State::Speaking(what, dictation, pin), actions)
    }

    fn at(mut self, what: Spoken, key: char, terms: &Terms<'_>) -> Turn<Self> {
        self.tries = 0;
        let menu = || terms.menu(Place::Recording, |_| true);
        match terms.keys.at(Place::Recording, key) {
            Some(Choice::Record) => self.speak(what, None),
            Some(Choice::Hear) => {
                let heard = vec![Action::Play(Prompt::Spoken(what))];
                self.on(State::At(what), [heard, menu()].concat())
            }
            Some(Choice::Remove) => {
                self.on(State::Storing(None, Phrase::RecordingRemoved), vec![Action::Remove(what)])
            }
            Some(_) => self.on(State::Menu, terms.menu(Place::Own, |_| true)),
            None => self.on(State::At(what), [vec![say(Phrase::Unknown)], menu()].concat()),
        }
    }

    fn dictated(
        self,
        what: Spoken,
        dictated: Dictated,
        pin: Option<Pin>,
        terms: &Terms<'_>,
    ) -> Turn<Self> {
        match dictated {
            Dictated::On(dictation, actions) => {
                self.on(State::Speaking(what, dictation, pin), actions)
            }
            Dictated::Kept(take) if what == Spoken::Greeting(Kind::Temporary) => {
                self.on(State::Days(take, String::new()), terms.ask([Phrase::HowManyDays]))
            }
            Dictated::Kept(take) => {
                let said = if pin.is_some() { Phrase::PinChanged } else { Phrase::RecordingKept };
                let then = pin.map(Action::ChangePin);
                self.on(State::Storing(then, said), vec![Action::Keep { take, what, days: None }])
            }
            // Without a name the PIN stays what somebody else knows.
            Dictated::Dropped(_) if self.first_use => Turn::Farewell,
            Dictated::Dropped(actions) => {
                let menu = terms.menu(Place::Own, |_| true);
                self.on(State::Menu, [actions, menu].concat())
            }
        }
    }

    /// A temporary greeting for so many days; none and zero do not end.
    fn keep(self, take: Take, days: &str) -> Turn<Self> {
        let days = days.parse().ok().filter(|it| *it > 0);
        let what = Spoken::Greeting(Kind::Temporary);
        let keep = Action::Keep { take, what, days };
        self.on(State::Storing(None, Phrase::RecordingKept), vec![keep])
    }

    fn entered(self, pin: Pin, terms: &Terms<'_>) -> Turn<Self> {
        match pin.check(terms.number) {
            Ok(()) => {
                let again = State::Again(pin, Pin::new(String::new()));
                self.on(again, terms.ask([Phrase::EnterAgain]))
            }
            // Who had to be told about keys does not want to change it.
            Err(_) if pin.is_empty() && !self.first_use => {
                self.on(State::Menu, terms.menu(Place::Own, |_| true))
            }
            Err(PinError::NotDigits | PinError::Length) => self.ask(Phrase::PinLength, terms),
            Err(PinError::LikeNumber | PinError::Easy) => self.ask(Phrase::PinEasy, terms),
        }
    }

    /// Another PIN, for that was none.
    fn ask(mut self, why: Phrase, terms: &Terms<'_>) -> Turn<Self> {
        self.tries += 1;
        if self.tries < terms.tries {
            let state = State::New(Pin::new(String::new()));
            return self.on(state, terms.ask([why, Phrase::EnterNewPin]));
        }
        match self.first_use {
            true => Turn::Farewell,
            false => Turn::Over(vec![say(why)]),
        }
    }

    fn agreed(self, pin: Pin) -> Turn<Self> {
        match self.first_use {
            true => self.speak(Spoken::Name, Some(pin)),
            false => {
                self.on(State::Storing(None, Phrase::PinChanged), vec![Action::ChangePin(pin)])
            }
        }
    }
}

fn longer(pin: &Pin, key: char) -> Pin {
    Pin::new(typed(pin.reveal().to_owned(), key, super::MOST_DIGITS))
}
