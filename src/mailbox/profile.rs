//! What an owner is doing, as phone systems and calendars tell it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A presence profile. Which greeting goes with it say the mailbox's greeting rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Nothing in particular.
    #[default]
    Available,
    /// Not there.
    Away,
    /// Wants some quiet.
    Comfort,
    /// With others.
    InAMeeting,
    /// At the desk.
    InTheOffice,
    /// Eating.
    Lunch,
    /// Gone for some days.
    OnHoliday,
    /// Travelling.
    OnTheRoad,
    /// Somewhere else.
    OutOfTheOffice,
    /// At home, and at work.
    WorkingFromHome,
    /// Elsewhere, and at work.
    WorkingRemotely,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Available,
        Self::Away,
        Self::Comfort,
        Self::InAMeeting,
        Self::InTheOffice,
        Self::Lunch,
        Self::OnHoliday,
        Self::OnTheRoad,
        Self::OutOfTheOffice,
        Self::WorkingFromHome,
        Self::WorkingRemotely,
    ];

    /// The word used in settings and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Away => "away",
            Self::Comfort => "comfort",
            Self::InAMeeting => "in-a-meeting",
            Self::InTheOffice => "in-the-office",
            Self::Lunch => "lunch",
            Self::OnHoliday => "on-holiday",
            Self::OnTheRoad => "on-the-road",
            Self::OutOfTheOffice => "out-of-the-office",
            Self::WorkingFromHome => "working-from-home",
            Self::WorkingRemotely => "working-remotely",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            format!("no presence profile is called {word:?}; there are {words}")
        })
    }
}
