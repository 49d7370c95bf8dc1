//! The sentences there are, and what varies in them.

use std::time::Duration;

use jiff::civil::{Date, DateTime};

use super::{Choice, moment::Day, spell};
use crate::mailbox::{Folder, MailboxId, settings::Hours};

/// A sentence, whatever the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phrase {
    /// Stands in for a greeting: nobody is at this number.
    NotAvailable {
        /// As dialled; spoken sign by sign.
        number: String,
    },
    /// Stands in for a greeting: somebody is there, and cannot take the call.
    OnThePhone {
        /// As dialled; spoken sign by sign.
        number: String,
    },
    /// The same, of somebody whose name was recorded; [`NAME`](super::NAME) stands for it.
    NameNotAvailable,
    /// The same, of somebody whose name was recorded.
    NameOnThePhone,
    /// What to do after the tone, and how to end.
    Instructions,
    /// So short that it cannot have been a message.
    TooShort,
    /// Long enough, but nobody spoke.
    NothingHeard,
    /// Said before the tone is played once more.
    TryAgain,
    /// Keep 1, listen 2, record again 3, urgent 4, private 5, delete `*`.
    ReviewMenu,
    /// Somebody else is at 0.
    ReachOperator,
    /// The message is marked urgent, or no longer.
    Urgent(bool),
    /// The message is marked private, or no longer.
    Private(bool),
    /// The message is filed.
    Saved,
    /// The caller's own wish was carried out.
    Deleted,
    /// The message could not be filed, and the caller should know it.
    NotSaved,
    /// No room, and none is made.
    MailboxFull,
    /// Its owner wants no messages for now.
    SwitchedOff,
    /// Nothing answers at the number dialled.
    NoSuchMailbox,
    /// Something takes longer than a caller expects.
    OneMoment,
    /// The last word.
    Goodbye,
    /// Asked of an owner calling in.
    EnterMailbox,
    /// Asked of an owner calling in.
    EnterPin,
    /// One wording for an unknown mailbox, a locked one and a wrong PIN.
    LoginIncorrect,
    /// The database is away: nothing can be played.
    OutOfReach,
    /// What lies in the mailbox: `You have two new messages, one of them urgent, and three saved
    /// messages.`
    Counts {
        /// Not heard yet, the urgent ones among them.
        new: u32,
        /// How many of the new ones are urgent.
        urgent: u32,
        /// Heard, and kept.
        saved: u32,
    },
    /// What lies in one folder: `Two saved messages.`
    InFolder {
        /// Which one.
        folder: Folder,
        /// How many.
        count: u32,
    },
    /// What a key is for: `To hear your messages, press one.`
    Choice {
        /// What it does.
        what: Choice,
        /// `0`-`9`, `*` or `#`; others are not spoken.
        key: char,
    },
    /// Said before a message: `Urgent. Second new message.`
    Message {
        /// Its place in the folder, from 1.
        place: u32,
        /// Nothing comes after it.
        last: bool,
        /// Where it lies.
        folder: Folder,
        /// Its caller said so.
        urgent: bool,
    },
    /// When it was left: `Received today at three fifteen p m.`
    Received {
        /// In the owner's time zone.
        at: DateTime,
        /// The owner's, too.
        today: Date,
        /// How the owner wants to be told the time.
        hours: Hours,
    },
    /// Who left it: `From extension one zero zero one.`
    From(Who),
    /// How long it is: `Length: two minutes, five seconds.`
    Length(Duration),
    /// It lies in the trash now.
    MessageDeleted,
    /// It was taken out of the trash.
    MessageRestored,
    /// It lies among the saved ones now.
    MessageKept,
    /// That was the last message.
    NoMore,
    /// This is the first message.
    NoneBefore,
    /// A change could not be stored.
    NotDone,
    /// The recording is out of reach or broken.
    NotPlayable,
    /// Said to an owner whose PIN somebody else chose.
    FirstUse,
    /// Asked of an owner.
    EnterNewPin,
    /// The PIN once more, so that no slip of a finger becomes one.
    EnterAgain,
    /// It was another one the second time.
    PinsDiffer,
    /// Too few digits, or too many.
    PinLength,
    /// The first that anybody would try.
    PinEasy,
    /// The new one counts from now on.
    PinChanged,
    /// Said before the tone.
    SpeakGreeting,
    /// Said before the tone.
    SpeakName,
    /// Said before the tone.
    SpeakIntro,
    /// Said before the tone.
    SpeakReply,
    /// How long a temporary greeting is heard.
    HowManyDays,
    /// Callers hear it from now on.
    RecordingKept,
    /// Callers hear it no more.
    RecordingRemoved,
    /// There is nothing to be heard or removed.
    NothingRecorded,
    /// Whom a message goes to.
    EnterNumbers,
    /// It lies in the others' mailboxes.
    MessageSent,
    /// Its caller wanted nobody else to hear it.
    NotForwardable,
    /// Who left the message has no mailbox here.
    NoReply,
    /// This number is not one that may be called.
    NoCallBack,
    /// No mailbox has a number that was typed.
    NoMailbox {
        /// As typed; spoken sign by sign.
        number: String,
    },
    /// Said of a message: its caller wanted nobody else to hear it.
    IsPrivate,
    /// Another owner gave it to this one.
    SentBy {
        /// Their number, spoken sign by sign.
        number: String,
    },
    /// The key does nothing here.
    Unknown,
}

/// Who left a message, as it is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Somebody with a mailbox here whose name was recorded; [`NAME`](super::NAME) stands for it.
    Mailbox {
        /// Whose name it is.
        mailbox: MailboxId,
        /// Spoken instead where the name cannot be played.
        number: String,
    },
    /// A number of the same phone system, sign by sign.
    Extension(String),
    /// A number of the world outside, in groups of digits.
    Phone(String),
    /// Withheld, or nothing that can be spoken.
    Unknown,
}

impl Phrase {
    /// The names of all sentences; some phrases are one of several.
    pub const NAMES: [&str; 80] = [
        "not-available",
        "on-the-phone",
        "name-not-available",
        "name-on-the-phone",
        "instructions",
        "too-short",
        "nothing-heard",
        "try-again",
        "review-menu",
        "reach-operator",
        "marked-urgent",
        "not-urgent",
        "marked-private",
        "not-private",
        "saved",
        "deleted",
        "not-saved",
        "mailbox-full",
        "switched-off",
        "no-such-mailbox",
        "one-moment",
        "goodbye",
        "enter-mailbox",
        "enter-pin",
        "login-incorrect",
        "out-of-reach",
        "counts",
        "no-messages",
        "in-folder",
        "no-new-messages",
        "no-saved-messages",
        "no-deleted-messages",
        "no-work-messages",
        "no-family-messages",
        "no-friends-messages",
        "no-fifth-messages",
        "no-sixth-messages",
        "choice",
        "message",
        "urgent-message",
        "received-today",
        "received-yesterday",
        "received-weekday",
        "received-on",
        "from-name",
        "from-extension",
        "from-phone",
        "from-unknown",
        "length",
        "message-deleted",
        "message-restored",
        "message-kept",
        "no-more",
        "none-before",
        "not-done",
        "not-playable",
        "first-use",
        "enter-new-pin",
        "enter-again",
        "pins-differ",
        "pin-length",
        "pin-easy",
        "pin-changed",
        "speak-greeting",
        "speak-name",
        "speak-intro",
        "speak-reply",
        "how-many-days",
        "recording-kept",
        "recording-removed",
        "nothing-recorded",
        "enter-numbers",
        "message-sent",
        "not-forwardable",
        "no-reply",
        "no-call-back",
        "no-mailbox",
        "private",
        "sent-by",
        "unknown",
    ];

    /// What it is called in `phrases.toml`.
    pub fn name(&self) -> &'static str {
        match self {
            Phrase::NotAvailable { .. } => "not-available",
            Phrase::OnThePhone { .. } => "on-the-phone",
            Phrase::NameNotAvailable => "name-not-available",
            Phrase::NameOnThePhone => "name-on-the-phone",
            Phrase::Instructions => "instructions",
            Phrase::TooShort => "too-short",
            Phrase::NothingHeard => "nothing-heard",
            Phrase::TryAgain => "try-again",
            Phrase::ReviewMenu => "review-menu",
            Phrase::ReachOperator => "reach-operator",
            Phrase::Urgent(true) => "marked-urgent",
            Phrase::Urgent(false) => "not-urgent",
            Phrase::Private(true) => "marked-private",
            Phrase::Private(false) => "not-private",
            Phrase::Saved => "saved",
            Phrase::Deleted => "deleted",
            Phrase::NotSaved => "not-saved",
            Phrase::MailboxFull => "mailbox-full",
            Phrase::SwitchedOff => "switched-off",
            Phrase::NoSuchMailbox => "no-such-mailbox",
            Phrase::OneMoment => "one-moment",
            Phrase::Goodbye => "goodbye",
            Phrase::EnterMailbox => "enter-mailbox",
            Phrase::EnterPin => "enter-pin",
            Phrase::LoginIncorrect => "login-incorrect",
            Phrase::OutOfReach => "out-of-reach",
            Phrase::Counts { new: 0, saved: 0, .. } => "no-messages",
            Phrase::Counts { .. } => "counts",
            Phrase::InFolder { folder, count: 0 } => empty(*folder),
            Phrase::InFolder { .. } => "in-folder",
            Phrase::Choice { .. } => "choice",
            Phrase::Message { urgent: false, .. } => "message",
            Phrase::Message { urgent: true, .. } => "urgent-message",
            Phrase::Received { at, today, .. } => received(Day::of(at.date(), *today)),
            Phrase::From(who) => who.name(),
            Phrase::Length(_) => "length",
            Phrase::MessageDeleted => "message-deleted",
            Phrase::MessageRestored => "message-restored",
            Phrase::MessageKept => "message-kept",
            Phrase::NoMore => "no-more",
            Phrase::NoneBefore => "none-before",
            Phrase::NotDone => "not-done",
            Phrase::NotPlayable => "not-playable",
            Phrase::FirstUse => "first-use",
            Phrase::EnterNewPin => "enter-new-pin",
            Phrase::EnterAgain => "enter-again",
            Phrase::PinsDiffer => "pins-differ",
            Phrase::PinLength => "pin-length",
            Phrase::PinEasy => "pin-easy",
            Phrase::PinChanged => "pin-changed",
            Phrase::SpeakGreeting => "speak-greeting",
            Phrase::SpeakName => "speak-name",
            Phrase::SpeakIntro => "speak-intro",
            Phrase::SpeakReply => "speak-reply",
            Phrase::HowManyDays => "how-many-days",
            Phrase::RecordingKept => "recording-kept",
            Phrase::RecordingRemoved => "recording-removed",
            Phrase::NothingRecorded => "nothing-recorded",
            Phrase::EnterNumbers => "enter-numbers",
            Phrase::MessageSent => "message-sent",
            Phrase::NotForwardable => "not-forwardable",
            Phrase::NoReply => "no-reply",
            Phrase::NoCallBack => "no-call-back",
            Phrase::NoMailbox { .. } => "no-mailbox",
            Phrase::IsPrivate => "private",
            Phrase::SentBy { .. } => "sent-by",
            Phrase::Unknown => "unknown",
        }
    }
}

fn received(day: Day) -> &'static str {
    match day {
        Day::Today => "received-today",
        Day::Yesterday => "received-yesterday",
        Day::Lately => "received-weekday",
        Day::Other => "received-on",
    }
}

fn empty(folder: Folder) -> &'static str {
    match folder {
        Folder::New => "no-new-messages",
        Folder::Saved => "no-saved-messages",
        Folder::Work => "no-work-messages",
        Folder::Family => "no-family-messages",
        Folder::Friends => "no-friends-messages",
        Folder::Fifth => "no-fifth-messages",
        Folder::Sixth => "no-sixth-messages",
        Folder::Deleted => "no-deleted-messages",
    }
}

impl Who {
    /// A number without any sign that can be spoken tells nobody who it was.
    fn name(&self) -> &'static str {
        let spoken = |number: &str| spell::signs(number).next().is_some();
        match self {
            Who::Mailbox { .. } => "from-name",
            Who::Extension(number) if spoken(number) => "from-extension",
            Who::Phone(number) if spoken(number) => "from-phone",
            Who::Extension(_) | Who::Phone(_) | Who::Unknown => "from-unknown",
        }
    }
}
