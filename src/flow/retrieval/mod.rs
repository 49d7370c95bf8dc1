//! Hearing messages: who is calling, what lies in the mailbox, and what each key does to it.
//!
//! A message that was heard to its end, or kept or deleted by its owner, is no longer new; one whose
//! owner hangs up in the middle of it still is. Whatever is said to be done has been committed.

mod announcing;
mod dictation;
mod letter;
mod login;
mod more;
mod own;
mod sending;
mod settings;
mod terms;

use std::{cmp::Reverse, mem, time::Duration};

use super::{
    Action, Deposit, Event, Policy, Prompt,
    keys::{Keys, Place},
};
use crate::mailbox::{Folder, MessageId, Pin};
use crate::say::{Choice, Phrase};
use announcing::Announcing;
pub use letter::{Contents, Cue, Letter, Pace};
use own::Own;
use sending::Sending;
pub use settings::Settings;
use terms::{Terms, Turn, say};

/// Somebody hearing their messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrieval {
    settings: Settings,
    /// How replies are taken.
    policy: Policy,
    keys: Keys,
    /// Nobody has to say a number and a PIN who calls from the mailbox's own phone.
    known: bool,
    /// An announcement is to be spoken, and nothing to be heard.
    announces: bool,
    tries: u32,
    contents: Option<Contents>,
    folder: Folder,
    /// What is heard one after the other. It stays as it is, wherever its messages go meanwhile.
    list: Vec<MessageId>,
    place: usize,
    pace: Pace,
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
    /// The mailbox is looked into; what is said once that is done, for an answer replaces whatever still
    /// sounds.
    Opening(Vec<Action>),
    Main,
    /// What callers hear, and the PIN.
    Own(Own),
    /// What is said to many.
    Announcing(Announcing),
    /// A folder to be heard.
    Choosing,
    Playing,
    /// The message stands still.
    Paused,
    After,
    More,
    /// A folder for the message.
    Shelving,
    /// One more key, and the message goes into the trash.
    Confirming,
    /// A change is on its way; the message goes to this folder.
    Changing(Folder),
    Sending(Sending),
    /// The store is asked for the mailbox of who left the message.
    Reaching,
    Replying(Deposit),
    Calling,
    Over,
}

/// No number and no PIN is longer.
const MOST_DIGITS: usize = 32;
/// How long a message stands still before the call goes on.
const STANDSTILL: Duration = Duration::from_secs(60);

impl Retrieval {
    /// Somebody who has to say which mailbox is theirs, and its PIN.
    pub fn stranger(settings: Settings, policy: Policy) -> Self {
        Self::new(settings, policy, false)
    }

    /// The owner, at a phone that has proved to be theirs.
    pub fn owner(settings: Settings, policy: Policy) -> Self {
        Self::new(settings, policy, true)
    }

    /// The same at a number where an announcement is spoken.
    pub fn announcing(self) -> Self {
        Self { announces: true, ..self }
    }

    fn new(settings: Settings, policy: Policy, known: bool) -> Self {
        Self {
            keys: settings.keys.keys(),
            settings,
            policy,
            known,
            announces: false,
            tries: 0,
            contents: None,
            folder: Folder::New,
            list: Vec::new(),
            place: 0,
            pace: Pace::default(),
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
        use Event::{
            Connected, Done, HungUp, Idle, Key, Moved, OutOfReach, Parted, Reached, Refused, Start,
            Unplayable,
        };
        use State::{
            After, Announcing, Calling, Changing, Choosing, Confirming, Main, More, Opening, Over,
            Own, Paused, Playing, Reaching, Replying, Sending, Shelving, Waiting,
        };

        match (state, event) {
            // What was spoken may be on its way when its owner hangs up.
            (Own(own), event) => self.at_own(own, event),
            (Announcing(it), event) => self.at_announcing(it, event),
            (Sending(sending), event) => self.at_sending(sending, event),
            (Replying(deposit), event) => self.replying(deposit, event),
            (_, HungUp) => (Over, vec![]),

            (Waiting, Start) if self.known => (Opening(vec![]), vec![Action::Open]),
            (Opening(said), Event::Opened(contents)) => self.opened(said, contents),
            (Opening(_), OutOfReach) => (Over, farewell(Some(Phrase::OutOfReach))),

            (Main, Key(key)) => self.at_main(key),
            (Choosing, Key(key)) => self.at_folders(key),
            (Main, Idle) => self.again(),
            (Choosing, Idle) => self.main(vec![]),

            (Playing, Idle) => self.heard(),
            // Nobody has heard it: it stays where it is.
            (Playing, Unplayable) => self.after(vec![say(Phrase::NotPlayable)]),
            (state @ (Playing | Paused | After), Key(key)) => self.at_message(state, key),
            (Paused, Idle) => (Playing, self.sound(0)),
            (After, Idle) => self.next(vec![]),
            (More, Key(key)) => self.at_more(key),
            (Shelving, Key(key)) => self.at_shelves(key),
            (Confirming, Key(key)) => self.at_confirm(key),
            (More | Shelving | Confirming, Idle) => self.after(vec![]),
            // Others were not asked for by a key: nothing waits for them.
            (Changing(to), Moved { folder, done, .. }) if folder == to => self.changed(to, done),
            (Changing(to), OutOfReach) => self.changed(to, false),

            (Reaching, Reached(true)) => self.reply(),
            (Reaching, Reached(false)) => self.after(vec![say(Phrase::NoReply)]),
            (Calling, Done(true)) => (Over, vec![Action::HangUp]),
            // They speak now; the owner's call goes on when the other one has hung up.
            (Calling, Connected(true)) => (Calling, vec![]),
            (Calling, Parted) => self.after(vec![]),
            (Calling, Refused) => self.after(vec![say(Phrase::NoCallBack)]),
            (Reaching | Calling, Done(false) | Connected(false) | OutOfReach) => {
                self.after(vec![say(Phrase::NotDone)])
            }

            (state, event) => self.log_in(state, event),
        }
    }

    fn opened(&mut self, mut said: Vec<Action>, contents: Contents) -> (State, Vec<Action>) {
        self.tries = 0;
        if self.announces {
            return self.announce(&contents);
        }
        let first_use = self.settings.first_use && contents.first_use && !self.known;
        self.contents = Some(contents);
        if first_use {
            let (own, actions) = Own::first_use(&self.terms());
            return (State::Own(own), actions);
        }
        said.push(say(self.counts()));
        self.main(said)
    }

    /// Whoever may not hears no more than that it is not done.
    fn announce(&mut self, contents: &Contents) -> (State, Vec<Action>) {
        if !contents.announces {
            return (State::Over, farewell(Some(Phrase::NotDone)));
        }
        let (announcing, actions) = Announcing::begin();
        (State::Announcing(announcing), actions)
    }

    fn at_announcing(&mut self, announcing: Announcing, event: Event) -> (State, Vec<Action>) {
        match announcing.step(event, &self.terms()) {
            Turn::On(announcing, actions) => (State::Announcing(announcing), actions),
            Turn::Over(said) => (State::Over, [said, farewell(None)].concat()),
            Turn::Farewell => (State::Over, farewell(None)),
        }
    }

    fn at_own(&mut self, own: Own, event: Event) -> (State, Vec<Action>) {
        match own.step(event, &self.terms()) {
            Turn::On(own, actions) => (State::Own(own), actions),
            // What callers hear has changed, and messages may have come meanwhile.
            Turn::Over(said) => (State::Opening(said), vec![Action::Open]),
            Turn::Farewell => (State::Over, farewell(None)),
        }
    }

    fn at_sending(&mut self, sending: Sending, event: Event) -> (State, Vec<Action>) {
        match sending.step(event, &self.terms()) {
            Turn::On(sending, actions) => (State::Sending(sending), actions),
            Turn::Over(said) => self.after(said),
            Turn::Farewell => (State::Over, farewell(None)),
        }
    }

    fn terms(&self) -> Terms<'_> {
        let contents = self.contents.as_ref();
        Terms {
            keys: &self.keys,
            patience: self.settings.patience,
            tries: self.settings.tries,
            number: contents.map_or("", |it| &it.number),
            spoken: contents.map_or(&[], |it| &it.spoken),
        }
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
            Some(Choice::Own) => {
                let (own, actions) = Own::menu(&self.terms());
                (State::Own(own), actions)
            }
            Some(Choice::Exit) => (State::Over, farewell(None)),
            // Messages may have come meanwhile.
            Some(Choice::Help) => (State::Opening(vec![]), vec![Action::Open]),
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
        match folder(choice) {
            Some(folder) => self.open(folder),
            None => self.main(vec![say(Phrase::Unknown)]),
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
        heard.extend(marks(letter));
        heard.extend(self.play(Cue::Start));
        heard
    }

    /// The message goes on, so many milliseconds from where it is.
    fn sound(&self, by_ms: i64) -> Vec<Action> {
        self.play(Cue::Here { by_ms })
    }

    fn play(&self, from: Cue) -> Vec<Action> {
        let pace = self.pace;
        let prompt = self.letter().map(|it| Prompt::Message { id: it.id, from, pace });
        prompt.map(Action::Play).into_iter().collect()
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
            Choice::Restart => (State::Playing, self.play(Cue::Start)),
            Choice::Repeat => (State::Playing, self.message()),
            Choice::Envelope => self.envelope(&state),
            Choice::Next => self.next(vec![]),
            Choice::Previous => self.previous(),
            Choice::Slower | Choice::Faster => {
                self.pace =
                    if choice == Choice::Faster { self.pace.up() } else { self.pace.down() };
                (State::Playing, self.sound(0))
            }
            Choice::Delete | Choice::Restore if self.is_deleted() => self.change(Folder::Saved),
            Choice::Delete if self.confirms() => (State::Confirming, self.menu(Place::Confirm)),
            Choice::Delete => self.change(Folder::Deleted),
            Choice::Save => self.change(Folder::Saved),
            Choice::SaveTo => (State::Shelving, self.shelves()),
            Choice::Send => self.send(),
            Choice::More => (State::More, self.menu(Place::More)),
            Choice::Reply | Choice::CallBack => self.at_choice_of_more(choice),
            Choice::Exit => self.main(vec![]),
            _ => (State::After, self.menu(place)),
        }
    }

    fn after(&mut self, first: Vec<Action>) -> (State, Vec<Action>) {
        (State::After, [first, self.menu(Place::After)].concat())
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
        told.extend(marks(letter));
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
            return self.after(vec![say(Phrase::NotDone)]);
        }
        let was = self.letter_mut().map(|it| mem::replace(&mut it.folder, to));
        let told = match (was, to) {
            (_, Folder::Deleted) => Phrase::MessageDeleted,
            (Some(Folder::Deleted), _) => {
                return self.after(vec![say(Phrase::MessageRestored)]);
            }
            _ => Phrase::MessageKept,
        };
        self.next(vec![say(told)])
    }

    /// What can be done at a place, and a wait for the key.
    fn menu(&self, place: Place) -> Vec<Action> {
        let deleted = self.is_deleted();
        let mut menu = self.terms().menu(place, |what| match what {
            // Nobody has to be told how to be told.
            Choice::Help => false,
            Choice::Next => self.place + 1 < self.list.len(),
            Choice::Previous => self.place > 0,
            Choice::Send => self.letter().is_some_and(|it| !it.private),
            Choice::Reply => self.can_reply(),
            Choice::CallBack => self.can_call_back(),
            _ => true,
        });
        for action in &mut menu {
            if let Action::Play(Prompt::Say(Phrase::Choice { what, .. })) = action
                && *what == Choice::Delete
                && deleted
            {
                *what = Choice::Restore;
            }
        }
        menu
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

fn received(letter: &Letter, contents: &Contents) -> Phrase {
    Phrase::Received { at: letter.received, today: contents.today, hours: contents.hours }
}

/// What its caller and other owners made of it.
fn marks(letter: &Letter) -> impl Iterator<Item = Action> {
    let private = letter.private.then(|| say(Phrase::IsPrivate));
    let sent = letter.sent_by.clone().map(|number| say(Phrase::SentBy { number }));
    private.into_iter().chain(sent)
}

fn folder(choice: Choice) -> Option<Folder> {
    match choice {
        Choice::NewFolder => Some(Folder::New),
        Choice::SavedFolder => Some(Folder::Saved),
        Choice::WorkFolder => Some(Folder::Work),
        Choice::FamilyFolder => Some(Folder::Family),
        Choice::FriendsFolder => Some(Folder::Friends),
        Choice::FifthFolder => Some(Folder::Fifth),
        Choice::SixthFolder => Some(Folder::Sixth),
        Choice::DeletedFolder => Some(Folder::Deleted),
        _ => None,
    }
}

/// What is typed, with one more digit. A star begins anew.
fn typed(mut typed: String, key: char, most: usize) -> String {
    match key {
        '*' => typed.clear(),
        key if typed.len() < most => typed.push(key),
        _ => {}
    }
    typed
}

fn farewell(first: Option<Phrase>) -> Vec<Action> {
    let said = first.into_iter().chain([Phrase::Goodbye]).map(say);
    said.chain([Action::HangUp]).collect()
}
