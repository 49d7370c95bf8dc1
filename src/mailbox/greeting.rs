//! Which greeting a caller hears.

use std::{fmt, str::FromStr};

use super::Timestamp;
use crate::say::Phrase;

/// When a recorded greeting is played, as [`super::rules::Rules`] have it at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Unless another one fits better.
    Unavailable,
    /// When the owner is on the phone, or does not want to be disturbed.
    Busy,
    /// In place of all others, for as long as it is there and valid.
    Temporary,
    /// While the owner is gone for days.
    Absence,
    /// Outside the mailbox's hours, and on its holidays.
    Closed,
}

/// A greeting the owner recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// When it is played.
    pub kind: Kind,
    /// From then on it no longer is; `None` never ends.
    pub until: Option<Timestamp>,
}

/// The sentence that stands in where nothing is recorded.
pub fn made(wanted: Kind, number: &str) -> Phrase {
    let number = number.to_owned();
    match wanted {
        Kind::Busy => Phrase::OnThePhone { number },
        _ => Phrase::NotAvailable { number },
    }
}

/// The same, where the owner's name was recorded.
pub fn named(wanted: Kind) -> Phrase {
    match wanted {
        Kind::Busy => Phrase::NameOnThePhone,
        _ => Phrase::NameNotAvailable,
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Unavailable, Self::Busy, Self::Temporary, Self::Absence, Self::Closed];

    /// The word used in SQL, settings and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Temporary => "temporary",
            Self::Absence => "absence",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            format!("no greeting is called {word:?}; there are {words}")
        })
    }
}
