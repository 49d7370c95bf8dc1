//! Hearing messages: who is calling, what lies in the mailbox, and what each key does to it.
//!
//! A message that was heard to its end, or kept or deleted by its owner, is no longer new; one whose
//! owner hangs up in the middle of it still is. Whatever is said to be done has been committed.

use std::{cmp::Reverse, mem, time::Duration};

use jiff::civil::{Date, DateTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Action, Event, Prompt,
    keys::{Keys, Layout, Place},
};
use crate::mailbox::{Folder, MessageId, Pin, settings::Hours};
use crate::say::{Choice, Phrase, Who};

/// `[retrieval]`: the owner's phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which key does what: `asterisk`, `freeswitch` or `cisco`.
    pub keys: Layout,

    /// How long a menu waits for a key, and a number for its next digit.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub patience: Duration,

    /// How often somebody may try to log in, and a menu is said to somebody who presses no key.
    pub tries: u32,

    /// How far "back" and "forward" go within a message.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub skip: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: Layout::default(),
            patience: Duration::from_secs(5),
            tries: 3,
            skip: Duration::from_secs(3),
        }
    }
}

impl Settings {
    /// What contradicts itself, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.tries == 0 {
            return Err("tries must be at least 1".into());
        }
        if self.patience < Duration::from_secs(1) {
            return Err("patience must be at least 1s".into());
        }
        Ok(())
    }
}

/// A message as its owner hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What names it.
    pub id: MessageId,
    /// Where it lies.
    pub folder: Folder,
    /// Its caller called it urgent.
    pub urgent: bool,
    /// When it was left, in the owner's time zone.
    pub received: DateTime,
    /// Who left it.
    pub who: Who,
    /// How long it is.
    pub length: Duration,
}

/// An opened mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// All that lies in it, the trash too, the oldest first.
    pub letters: Vec<Letter>,
    /// The owner's date.
    pub today: Date,
    /// How the owner wants to be told the time.
    pub hours: Hours,
    /// "Play Envelope": when it was left is told before each message.
    pub play_envelope: bool,
    /// "Play CID": who left it is told before each message.
    pub play_cid: bool,
    /// The latest message is heard first.
    pub newest_first: bool,
}

/// Somebody hearing their messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrieval {
    settings: Settings,
    keys: Keys,
    /// Nobody has to say a number and a PIN who calls from the mailbox's own phone.
    known: bool,
    tries: u32,
    contents: Option<Contents>,
    folder: Folder,
    /// What is heard one after the other. It stays as it is, wherever its messages go meanwhile.
    list: Vec<MessageId>,
    place: usize,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    /// The mailbox's number, as far as it is typed.
    Number(String),
    /// Its PIN, as far as it is typed.
    Secret(String, Pin),
    /// The store is asked. Keys are ignored: digits typed ahead are no further try.
    Checking,
    Opening,
    Main,
    Choosing,
    Playing,
    /// The message stands still.
    Paused,
    After,
    /// A change is on its way; the message goes to this folder.
    Changing(Folder),
    Over,
}

/// No number and no PIN is longer.
const MOST_DIGITS: usize = 32;
/// How long a message stands still before the call goes on.
const STANDSTILL: Duration = Duration::from_secs(60);

impl Retrieval {
    /// Somebody who has to say which mailbox is theirs, and its PIN.
    pub fn stranger(settings: Settings) -> Self {
        Self::new(settings, false)
    }

    /// The owner, at a phone that has proved to be theirs.
    pub fn owner(settings: Settings) -> Self {
        Self::new(settings, true)
    }

    fn new(settings: Settings, known: bool) -> Self {
        Self {
            keys: settings.keys.keys(),
            settings,
            known,
            tries: 0,
            contents: None,
            folder: Folder::New,
            list: Vec::new(),
            place: 0,
            state: State::Waiting,
        }
    }

    /// Takes the next step.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        let state = mem::replace(&mut self.state, State::Over);
        let (next, actions) = self.step(state, event);
        self.state = next;
        actions
    }

    /// The whole flow, one line per thing that can happen.
    fn step(&mut self, state: State, event: Event) -> (State, Vec<Action>) {
        use Event::{HungUp, Idle, Key, LoggedIn, Moved, Opened, OutOfReach, Refused, Start};
        use State::{
            After, Changing, Checking, Choosing, Main, Number, Opening, Over, Paused, Playing,
            Secret, Waiting,
        };

        match (state, event) {
            (_, HungUp) => (Over, vec![]),

            (Waiting, Start) if self.known => (Opening, vec![Action::Open]),
            (Waiting, Start) => self.ask(None),
            (Number(typed), Key('#') | Idle) if !typed.is_empty() => self.ask_secret(typed),
            (Number(_), Key('#') | Idle) => self.wrong(),
            (Number(typed), Key(key)) => (Number(longer(typed, key)), self.wait()),
            (Secret(number, pin), Key('#') | Idle) if !pin.is_empty() => {
                (Checking, vec![Action::LogIn { number, pin }])
            }
            (Secret(..), Key('#') | Idle) => self.wrong(),
            (Secret(number, pin), Key(key)) => {
                (Secret(number, Pin::new(longer(pin.reveal().to_owned(), key))), self.wait())
            }
            (Checking, LoggedIn) => (Opening, vec![Action::Open]),
            (Checking, Refused) => self.wrong(),
            (Checking | Opening, OutOfReach) => (Over, farewell(Some(Phrase::OutOfReach))),

            (Opening, Opened(contents)) => self.opened(contents),
            (Main, Key(key)) => self.at_main(key),
            (Choosing, Key(key)) => self.at_folders(key),
            (Main, Idle) => self.again(),
            (Choosing, Idle) => self.main(vec![]),

            (Playing, Idle) => self.heard(),
            (state @ (Playing | Paused | After), Key(key)) => self.at_message(state, key),
            (Paused, Idle) => (Playing, self.sound(0)),
            (After, Idle) => self.next(vec![]),
            // Others were not asked for by a key: nothing waits for them.
            (Changing(to), Moved { folder, done, .. }) if folder == to => self.changed(to, done),
            (Changing(to), OutOfReach) => self.changed(to, false),

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

    fn opened(&mut self, contents: Contents) -> (State, Vec<Action>) {
        self.tries = 0;
        self.contents = Some(contents);
        let counts = self.counts();
        self.main(vec![say(counts)])
    }

    fn counts(&self) -> Phrase {
        let count = |folder, urgent: bool| {
            let lying = self.letters().filter(|it| it.folder == folder && (it.urgent || !urgent));
            u32::try_from(lying.count()).unwrap_or(u32::MAX)
        };
        Phrase::Counts {
            new: count(Folder::New, false),
            urgent: count(Folder::New, true),
            saved: count(Folder::Saved, false),
        }
    }

    fn main(&mut self, mut first: Vec<Action>) -> (State, Vec<Action>) {
        first.extend(self.menu(Place::Main));
        (State::Main, first)
    }

    /// The main menu, for somebody who has pressed nothing.
    fn again(&mut self) -> (State, Vec<Action>) {
        self.tries += 1;
        if self.tries >= self.settings.tries {
            return (State::Over, farewell(None));
        }
        self.main(vec![])
    }

    fn at_main(&mut self, key: char) -> (State, Vec<Action>) {
        self.tries = 0;
        match self.keys.at(Place::Main, key) {
            Some(Choice::Listen) => self.open(Folder::New),
            Some(Choice::Folders) => (State::Choosing, self.menu(Place::Folders)),
            Some(Choice::Exit) => (State::Over, farewell(None)),
            Some(Choice::Help) => {
                let counts = self.counts();
                self.main(vec![say(counts)])
            }
            Some(choice) => self.folder_for(choice),
            None => self.main(vec![say(Phrase::Unknown)]),
        }
    }

    fn at_folders(&mut self, key: char) -> (State, Vec<Action>) {
        match self.keys.at(Place::Folders, key) {
            Some(Choice::Exit) => self.main(vec![]),
            Some(choice) => self.folder_for(choice),
            None => {
                let menu = self.menu(Place::Folders);
                (State::Choosing, [vec![say(Phrase::Unknown)], menu].concat())
            }
        }
    }

    fn folder_for(&mut self, choice: Choice) -> (State, Vec<Action>) {
        match choice {
            Choice::NewFolder => self.open(Folder::New),
            Choice::SavedFolder => self.open(Folder::Saved),
            Choice::DeletedFolder => self.open(Folder::Deleted),
            _ => self.main(vec![say(Phrase::Unknown)]),
        }
    }

    /// Begins with the first message of a folder: urgent ones first, within that in order of time.
    fn open(&mut self, folder: Folder) -> (State, Vec<Action>) {
        let latest_first = self.contents.as_ref().is_some_and(|it| it.newest_first);
        let mut lying: Vec<_> = self.letters().filter(|it| it.folder == folder).collect();
        if latest_first {
            lying.reverse();
        }
        lying.sort_by_key(|it| Reverse(it.urgent));
        self.list = lying.into_iter().map(|it| it.id).collect();
        (self.folder, self.place) = (folder, 0);

        let count = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let told = say(Phrase::InFolder { folder, count });
        if self.list.is_empty() {
            return self.main(vec![told]);
        }
        let begin = if folder == Folder::New { vec![] } else { vec![told] };
        (State::Playing, [begin, self.message()].concat())
    }

    /// What is heard of a message: which one it is, its envelope, and the message.
    fn message(&self) -> Vec<Action> {
        let (Some(letter), Some(contents)) = (self.letter(), &self.contents) else {
            return vec![];
        };
        let place = self.place + 1;
        let mut heard = vec![say(Phrase::Message {
            place: u32::try_from(place).unwrap_or(u32::MAX),
            last: place > 1 && place == self.list.len(),
            folder: self.folder,
            urgent: letter.urgent,
        })];
        if contents.play_envelope {
            heard.push(say(received(letter, contents)));
        }
        if contents.play_cid {
            heard.push(say(Phrase::From(letter.who.clone())));
        }
        heard.push(Action::Play(Prompt::Message { id: letter.id, from: Cue::Start }));
        heard
    }

    /// The message goes on, so many milliseconds from where it is.
    fn sound(&self, by_ms: i64) -> Vec<Action> {
        let from = Cue::Here { by_ms };
        self.letter()
            .map(|it| Action::Play(Prompt::Message { id: it.id, from }))
            .into_iter()
            .collect()
    }

    fn at_message(&mut self, state: State, key: char) -> (State, Vec<Action>) {
        let place = if state == State::After { Place::After } else { Place::Playing };
        let Some(choice) = self.keys.at(place, key) else {
            // A finger that slipped should not cut a message short.
            let told = [vec![say(Phrase::Unknown)], self.wait()].concat();
            return if state == State::After { (state, told) } else { (state, vec![]) };
        };
        let skip = i64::try_from(self.settings.skip.as_millis()).unwrap_or(i64::MAX);
        match choice {
            Choice::Back => (State::Playing, self.sound(-skip)),
            Choice::Forward => (State::Playing, self.sound(skip)),
            Choice::Pause if state == State::Paused => (State::Playing, self.sound(0)),
            Choice::Pause => (State::Paused, vec![Action::Pause(STANDSTILL)]),
            Choice::Restart => (State::Playing, self.start()),
            Choice::Repeat => (State::Playing, self.message()),
            Choice::Envelope => self.envelope(&state),
            Choice::Next => self.next(vec![]),
            Choice::Previous => self.previous(),
            Choice::Delete | Choice::Restore => self.change(match self.is_deleted() {
                true => Folder::Saved,
                false => Folder::Deleted,
            }),
            Choice::Save => self.change(Folder::Saved),
            Choice::Exit => self.main(vec![]),
            _ => (State::After, self.menu(place)),
        }
    }

    fn start(&self) -> Vec<Action> {
        let from = Cue::Start;
        self.letter()
            .map(|it| Action::Play(Prompt::Message { id: it.id, from }))
            .into_iter()
            .collect()
    }

    /// When, who and how long; then the message goes on if it was sounding.
    fn envelope(&self, state: &State) -> (State, Vec<Action>) {
        let (Some(letter), Some(contents)) = (self.letter(), &self.contents) else {
            return (State::After, self.wait());
        };
        let mut told = vec![
            say(received(letter, contents)),
            say(Phrase::From(letter.who.clone())),
            say(Phrase::Length(letter.length)),
        ];
        if *state == State::After {
            told.extend(self.wait());
            return (State::After, told);
        }
        told.extend(self.sound(0));
        (State::Playing, told)
    }

    /// Heard to its end: it is no longer new, and its owner is asked what to do with it.
    fn heard(&mut self) -> (State, Vec<Action>) {
        let mut actions = Vec::new();
        if let Some(letter) = self.letter_mut()
            && letter.folder == Folder::New
        {
            letter.folder = Folder::Saved;
            actions.push(Action::Move { message: letter.id, folder: Folder::Saved });
        }
        actions.extend(self.menu(Place::After));
        (State::After, actions)
    }

    fn next(&mut self, first: Vec<Action>) -> (State, Vec<Action>) {
        if self.place + 1 >= self.list.len() {
            return self.main([first, vec![say(Phrase::NoMore)]].concat());
        }
        self.place += 1;
        (State::Playing, [first, self.message()].concat())
    }

    fn previous(&mut self) -> (State, Vec<Action>) {
        let first = match self.place.checked_sub(1) {
            Some(place) => {
                self.place = place;
                vec![]
            }
            None => vec![say(Phrase::NoneBefore)],
        };
        (State::Playing, [first, self.message()].concat())
    }

    fn change(&self, folder: Folder) -> (State, Vec<Action>) {
        let moved = self.letter().map(|it| Action::Move { message: it.id, folder });
        (State::Changing(folder), moved.into_iter().collect())
    }

    fn changed(&mut self, to: Folder, done: bool) -> (State, Vec<Action>) {
        if !done {
            return (State::After, [vec![say(Phrase::NotDone)], self.menu(Place::After)].concat());
        }
        let was = self.letter_mut().map(|it| mem::replace(&mut it.folder, to));
        let told = match (was, to) {
            (_, Folder::Deleted) => Phrase::MessageDeleted,
            (Some(Folder::Deleted), _) => {
                let restored = vec![say(Phrase::MessageRestored)];
                return (State::After, [restored, self.menu(Place::After)].concat());
            }
            _ => Phrase::MessageKept,
        };
        self.next(vec![say(told)])
    }

    /// What can be done at a place, and a wait for the key.
    fn menu(&self, place: Place) -> Vec<Action> {
        let mut choices = self.keys.choices(place);
        choices.sort();
        let meant = choices.into_iter().filter_map(|(what, key)| {
            let what = match what {
                Choice::Delete if self.is_deleted() => Choice::Restore,
                // Nobody has to be told how to be told.
                Choice::Help => return None,
                Choice::Next if self.place + 1 >= self.list.len() => return None,
                Choice::Previous if self.place == 0 => return None,
                what => what,
            };
            Some(say(Phrase::Choice { what, key }))
        });
        meant.chain(self.wait()).collect()
    }

    fn wait(&self) -> Vec<Action> {
        vec![Action::Pause(self.settings.patience)]
    }

    fn letters(&self) -> impl Iterator<Item = &Letter> {
        self.contents.iter().flat_map(|it| &it.letters)
    }

    fn letter(&self) -> Option<&Letter> {
        let id = self.list.get(self.place)?;
        self.letters().find(|it| it.id == *id)
    }

    fn letter_mut(&mut self) -> Option<&mut Letter> {
        let id = self.list.get(self.place)?;
        self.contents.as_mut()?.letters.iter_mut().find(|it| it.id == *id)
    }

    fn is_deleted(&self) -> bool {
        self.letter().is_some_and(|it| it.folder == Folder::Deleted)
    }
}

/// Where a message is heard from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cue {
    /// Its beginning.
    Start,
    /// Where it stopped sounding, and so much later or earlier, within its limits.
    Here {
        /// In milliseconds.
        by_ms: i64,
    },
}

fn received(letter: &Letter, contents: &Contents) -> Phrase {
    Phrase::Received { at: letter.received, today: contents.today, hours: contents.hours }
}

/// A star begins anew.
fn longer(mut typed: String, key: char) -> String {
    match key {
        '*' => typed.clear(),
        key if typed.len() < MOST_DIGITS => typed.push(key),
        _ => {}
    }
    typed
}

fn say(phrase: Phrase) -> Action {
    Action::Play(Prompt::Say(phrase))
}

fn farewell(first: Option<Phrase>) -> Vec<Action> {
    let said = first.into_iter().chain([Phrase::Goodbye]).map(say);
    said.chain([Action::HangUp]).collect()
}
