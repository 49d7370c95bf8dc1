//! Call flows: what a caller hears, and what each key does.
//!
//! A flow is told what happened (an [`Event`]) and answers with what to do next ([`Action`]s).
//! Actions run in order; a new answer replaces whatever was still waiting, and an empty one lets it
//! go on. That one rule is all of barge-in. "Idle" is told once per queue; a hang-up empties the
//! queue but not the recording.

mod deposit;
mod keys;
pub mod retrieval;

use std::time::Duration;

pub use deposit::{Deposit, Offers, OperatorBy, Policy};
pub use keys::{Keys, Layout};
pub use retrieval::{Contents, Cue, Letter, Pace, Retrieval};

use crate::mailbox::{Folder, MessageId, Pin, Said, Take, greeting::Kind};
use crate::say::Phrase;

/// What happened in the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The flow begins: the call was answered.
    Start,
    /// A key was pressed: `0`-`9`, `*`, `#`, `A`-`D`.
    Key(char),
    /// Everything asked for has been done, and the caller stayed silent.
    Idle,
    /// An [`Action::Record`] has begun; before, there is nothing that could be stopped.
    Recording,
    /// A recording ended; the take is on disk.
    Recorded(Take, Ended),
    /// A recording could not be made, or broke off: the disk is full or failing.
    NotRecorded,
    /// An [`Action::File`] has been carried out: `true` once the message is committed, `false`
    /// when the take is safe on disk but will be filed later.
    Filed(bool),
    /// An [`Action::SendOn`] has been carried out: whether the caller goes there.
    SentOn(bool),
    /// An [`Action::SendOn`] or [`Action::CallBack`] was to connect the caller with somebody without
    /// their leaving: whether they are.
    Connected(bool),
    /// The other one hung up.
    Parted,
    /// An [`Action::LogIn`] named a mailbox and its PIN.
    LoggedIn,
    /// It did not, or too many before it did not. Or an [`Action::CallBack`] was one too many that day.
    Refused,
    /// An [`Action::Open`] has been carried out.
    Opened(Contents),
    /// The store could not be asked.
    OutOfReach,
    /// What was to be played could not be had: a message's sound is lost or out of reach.
    Unplayable,
    /// An [`Action::Move`] has been carried out, or could not be.
    Moved {
        /// Which message.
        message: MessageId,
        /// Where to.
        folder: Folder,
        /// Whether it lies there now.
        done: bool,
    },
    /// An [`Action::Find`] has been carried out; these numbers have no mailbox.
    Found(Vec<String>),
    /// An [`Action::Reach`] has been carried out, and a message can be left there, or not.
    Reached(bool),
    /// An [`Action::Keep`], [`Action::Remove`], [`Action::ChangePin`], [`Action::Forward`] or
    /// [`Action::CallBack`] has been carried out, or could not be.
    Done(bool),
    /// The caller left.
    HungUp,
}

/// What owners speak for their callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// What callers hear before the beep.
    Greeting(Kind),
    /// The owner's name.
    Name,
}

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to: a key, or the caller left.
    Stopped,
    /// Nobody spoke for as long as the policy waits.
    Silence,
    /// It reached the longest a message may be.
    Longest,
    /// A busy or dial tone: behind an analogue line the caller is gone.
    Tone,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Let something be heard, to its end.
    Play(Prompt),
    /// Wait for a key.
    Pause(Duration),
    /// Record until told to stop, or until the policy's end of a message.
    Record,
    /// The same for what becomes no message by itself: a greeting, a name, an introduction.
    Dictate,
    /// End the recording, which has begun; [`Event::Recorded`] follows.
    StopRecording,
    /// Make a message of the take, with what its caller said of it; [`Event::Filed`] follows.
    File(Take, Said),
    /// Note what its caller says of a take, should it be filed by somebody else than us: after a crash.
    Mark(Take, Said),
    /// The take is not wanted and must never come back.
    Discard(Take),
    /// Send the caller to the mailbox's operator; [`Event::SentOn`] or [`Event::Connected`] follows. Where that is, nobody who
    /// calls decides.
    SendOn,
    /// Ask for the owner's PIN: the call goes on as another flow.
    LetIn,
    /// Find out whether this is an owner; [`Event::LoggedIn`] or [`Event::Refused`] follows.
    LogIn {
        /// The mailbox's number, as typed.
        number: String,
        /// What should be its PIN.
        pin: Pin,
    },
    /// Look into the owner's mailbox; [`Event::Opened`] follows.
    Open,
    /// Put one of the owner's messages into a folder; [`Event::Moved`] follows.
    Move {
        /// Which one.
        message: MessageId,
        /// Where it should lie.
        folder: Folder,
    },
    /// Make a take what callers hear from now on, and the take go; [`Event::Done`] follows.
    Keep {
        /// What was dictated.
        take: Take,
        /// What it is for.
        what: Spoken,
        /// It ends after so many days; `None` does not end.
        days: Option<u32>,
    },
    /// Make a take the announcement that this number is for, and the take go; [`Event::Done`] follows.
    Announce(Take),
    /// Take away what callers heard; [`Event::Done`] follows.
    Remove(Spoken),
    /// Give the owner's mailbox another PIN; [`Event::Done`] follows.
    ChangePin(Pin),
    /// See which numbers have no mailbox; [`Event::Found`] follows.
    Find(Vec<String>),
    /// Give a message to others, whose numbers have mailboxes; [`Event::Done`] follows.
    Forward {
        /// Which one.
        message: MessageId,
        /// Whom to.
        to: Vec<String>,
        /// What is heard before it; goes with it.
        intro: Option<Take>,
    },
    /// Record for the mailbox with this number from now on; [`Event::Reached`] follows.
    Reach(String),
    /// Connect the owner with this number; [`Event::Done`], [`Event::Connected`] or [`Event::Refused`]
    /// follows unless the call ends by it.
    CallBack(String),
    /// End the call.
    HangUp,
}

impl Action {
    /// Whether this can only be done in a call that is answered: the beep, since speaking is paid
    /// for from there on, and whatever becomes of what was spoken.
    pub fn needs_answer(&self) -> bool {
        match self {
            Self::Play(Prompt::Beep | Prompt::Take(_)) | Self::Record | Self::File(..) => true,
            // Who hears messages is a caller like any other: answered before anything is said.
            Self::Play(Prompt::Message { .. } | Prompt::Spoken(_)) | Self::Dictate => true,
            Self::Play(Prompt::Say(Phrase::EnterPin)) => true,
            Self::Play(Prompt::Greeting | Prompt::Say(_)) | Self::Pause(_) => false,
            Self::StopRecording
            | Self::Mark(..)
            | Self::Discard(_)
            | Self::LetIn
            | Self::HangUp => false,
            Self::SendOn | Self::LogIn { .. } | Self::Open | Self::Move { .. } => true,
            Self::Announce(_) => true,
            Self::Keep { .. } | Self::Remove(_) | Self::ChangePin(_) | Self::Reach(_) => true,
            Self::Find(_) | Self::Forward { .. } | Self::CallBack(_) => true,
        }
    }
}

/// Something to be heard. `say` and the mailbox turn the abstract ones into clips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// What the owner recorded, else a sentence made of the number.
    Greeting,
    /// Speak now.
    Beep,
    /// What the caller has just recorded.
    Take(Take),
    /// One of the owner's messages.
    Message {
        /// Which one.
        id: MessageId,
        /// Where it begins.
        from: Cue,
        /// How fast it is played.
        pace: Pace,
    },
    /// What the owner spoke for callers.
    Spoken(Spoken),
    /// A sentence.
    Say(Phrase),
}

/// The flow a call is in. There are no others, so this is an enum and not a trait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// Leaving a message.
    Deposit(Deposit),
    /// Hearing messages.
    Retrieval(Box<Retrieval>),
}

impl Flow {
    /// Takes the next step.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        match self {
            Flow::Deposit(flow) => flow.on(event),
            Flow::Retrieval(flow) => flow.on(event),
        }
    }
}
