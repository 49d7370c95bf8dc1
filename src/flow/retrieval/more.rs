//! What is done with a message by more than one key: asked about, put away, given to others, answered.

use super::{Retrieval, Sending, State, folder, say};
use crate::flow::{Action, Deposit, Event, keys::Place};
use crate::mailbox::{Folder, room::Door};
use crate::say::{Choice, Phrase};

/// A number outside with fewer digits is not called back.
const SHORTEST: usize = 6;

impl Retrieval {
    pub(super) fn confirms(&self) -> bool {
        self.contents.as_ref().is_some_and(|it| it.confirm_delete)
    }

    pub(super) fn at_confirm(&mut self, key: char) -> (State, Vec<Action>) {
        match self.keys.at(Place::Confirm, key) {
            Some(Choice::Delete) => self.change(Folder::Deleted),
            _ => self.after(vec![]),
        }
    }

    /// The folders a message can be put into.
    pub(super) fn shelves(&self) -> Vec<Action> {
        let shelf = |it| folder(it).is_some_and(|it| it.kind() == Folder::Saved);
        self.terms().menu(Place::Folders, |it| shelf(it) || it == Choice::Exit)
    }

    pub(super) fn at_shelves(&mut self, key: char) -> (State, Vec<Action>) {
        match self.keys.at(Place::Folders, key) {
            Some(Choice::Exit) => self.after(vec![]),
            Some(choice) if let Some(folder) = folder(choice) => self.change(folder),
            _ => (State::Shelving, [vec![say(Phrase::Unknown)], self.shelves()].concat()),
        }
    }

    pub(super) fn send(&mut self) -> (State, Vec<Action>) {
        let Some(letter) = self.letter() else { return self.after(vec![]) };
        if letter.private {
            return self.after(vec![say(Phrase::NotForwardable)]);
        }
        let (sending, actions) = Sending::begin(letter.id, &self.terms());
        (State::Sending(sending), actions)
    }

    pub(super) fn at_more(&mut self, key: char) -> (State, Vec<Action>) {
        match self.keys.at(Place::More, key) {
            Some(choice) => self.at_choice_of_more(choice),
            None => {
                let menu = self.menu(Place::More);
                (State::More, [vec![say(Phrase::Unknown)], menu].concat())
            }
        }
    }

    pub(super) fn at_choice_of_more(&mut self, choice: Choice) -> (State, Vec<Action>) {
        let number = self.letter().and_then(|it| it.number.clone());
        match (choice, number) {
            (Choice::Envelope, _) => self.envelope(&State::After),
            (Choice::Reply, Some(number)) if self.can_reply() => {
                (State::Reaching, vec![Action::Reach(number)])
            }
            (Choice::Reply, _) => self.after(vec![say(Phrase::NoReply)]),
            (Choice::CallBack, Some(number)) if self.can_call_back() => {
                (State::Calling, vec![say(Phrase::OneMoment), Action::CallBack(number)])
            }
            (Choice::CallBack, _) => self.after(vec![say(Phrase::NoCallBack)]),
            _ => self.after(vec![]),
        }
    }

    pub(super) fn can_reply(&self) -> bool {
        self.letter().is_some_and(|it| it.internal)
    }

    pub(super) fn can_call_back(&self) -> bool {
        let Some(letter) = self.letter() else { return false };
        let number = letter.number.as_deref().unwrap_or_default();
        // Whoever called chose these signs: nothing but digits becomes an address. No emergency number
        // is so long, but extensions may be shorter.
        let digits = number.strip_prefix('+').unwrap_or(number);
        let dials = digits.len() >= SHORTEST || letter.internal;
        let allowed = self.settings.call_back.iter().any(|it| number.starts_with(it.as_str()));
        allowed && dials && digits.bytes().all(|it| it.is_ascii_digit())
    }

    /// What the owner says now is a message of its own, and as safe as any other.
    pub(super) fn reply(&mut self) -> (State, Vec<Action>) {
        let mut deposit = Deposit::at(Door::Open, self.policy.clone());
        let speak = deposit.on(Event::Idle);
        (State::Replying(deposit), [vec![say(Phrase::SpeakReply)], speak].concat())
    }

    /// Where a caller's call would end, the owner's goes on.
    pub(super) fn replying(&mut self, mut deposit: Deposit, event: Event) -> (State, Vec<Action>) {
        let left = event == Event::HungUp;
        let mut actions = deposit.on(event);
        if left || !actions.contains(&Action::HangUp) {
            return (State::Replying(deposit), actions);
        }
        actions.retain(|it| ![Action::HangUp, say(Phrase::Goodbye)].contains(it));
        self.after(actions)
    }
}
