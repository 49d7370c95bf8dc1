//! Which greeting a caller hears.

use std::{fmt, str::FromStr};

use super::{Reason, Timestamp};
use crate::say::Phrase;

/// When a recorded greeting is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Unless another one fits better.
    Unavailable,
    /// When the owner is on the phone, or does not want to be disturbed.
    Busy,
    /// In place of all others, for as long as it is there and valid.
    Temporary,
}

/// A greeting the owner recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// When it is played.
    pub kind: Kind,
    /// From then on it no longer is; `None` never ends.
    pub until: Option<Timestamp>,
}

/// The recorded greeting for callers who come for this reason now; `None` if a sentence of
/// [`made`] has to do. The temporary one overrides everything; the busy one is for those who find
/// the owner busy; else, and where there is no busy one, the unavailable one is played.
pub fn chosen(reason: Reason, recorded: &[Recorded], now: Timestamp) -> Option<Kind> {
    let wanted =
        [Some(Kind::Temporary), reason.is_busy().then_some(Kind::Busy), Some(Kind::Unavailable)];
    let valid = |kind| {
        recorded.iter().any(|it| it.kind == kind && it.until.is_none_or(|until| now < until))
    };
    wanted.into_iter().flatten().find(|&kind| valid(kind))
}

/// The sentence that stands in where nothing is recorded.
pub fn made(reason: Reason, number: &str) -> Phrase {
    let number = number.to_owned();
    match reason.is_busy() {
        true => Phrase::OnThePhone { number },
        false => Phrase::NotAvailable { number },
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unavailable, Self::Busy, Self::Temporary];

    /// The word used in SQL, settings and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Temporary => "temporary",
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
            format!("no greeting is called {word:?}; there are unavailable, busy and temporary")
        })
    }
}
