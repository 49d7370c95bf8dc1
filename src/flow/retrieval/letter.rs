//! What lies in a mailbox, as its owner hears of it.

use std::time::Duration;

use jiff::civil::{Date, DateTime};

use super::super::Spoken;
use crate::mailbox::{Folder, MessageId, settings::Hours};
use crate::say::Who;

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
    /// Their number, if they told it.
    pub number: Option<String>,
    /// That number has a mailbox here.
    pub internal: bool,
    /// Its caller wanted nobody else to hear it.
    pub private: bool,
    /// The mailbox whose owner gave it to this one.
    pub sent_by: Option<String>,
    /// How long it is.
    pub length: Duration,
}

/// An opened mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its number.
    pub number: String,
    /// All that lies in it, the trash too, the oldest first.
    pub letters: Vec<Letter>,
    /// What is there for callers to hear.
    pub spoken: Vec<Spoken>,
    /// Its PIN was somebody else's choice.
    pub first_use: bool,
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
    /// "Confirm VM Deletion Message": a key is asked for before a message is deleted.
    pub confirm_delete: bool,
    /// Its owner may speak announcements.
    pub announces: bool,
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

/// How fast a message is played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// For those who write along.
    Slowest,
    /// For those who listen in a foreign language.
    Slower,
    /// As it was spoken.
    #[default]
    Spoken,
    /// For those in a hurry.
    Faster,
    /// For those who know what it is about.
    Fastest,
}

impl Pace {
    /// Of the time it was spoken in, how much is played in one second, in hundredths.
    pub fn percent(self) -> u32 {
        match self {
            Self::Slowest => 60,
            Self::Slower => 80,
            Self::Spoken => 100,
            Self::Faster => 130,
            Self::Fastest => 160,
        }
    }

    /// One key has to do in some layouts: after the fastest comes the slowest.
    pub(super) fn up(self) -> Self {
        match self {
            Self::Slowest => Self::Slower,
            Self::Slower => Self::Spoken,
            Self::Spoken => Self::Faster,
            Self::Faster => Self::Fastest,
            Self::Fastest => Self::Slowest,
        }
    }

    pub(super) fn down(self) -> Self {
        match self {
            Self::Slowest | Self::Slower => Self::Slowest,
            Self::Spoken => Self::Slower,
            Self::Faster => Self::Spoken,
            Self::Fastest => Self::Faster,
        }
    }
}
