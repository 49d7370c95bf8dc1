//! Why a call came to a mailbox instead of being answered.
//!
//! Phone systems tell it in several ways and in numbers of several kinds; here is what each of them
//! means. Which of them is believed when there are several says [`super::Redirected`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why nobody took the call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Nobody told, or what was told means nothing.
    #[default]
    Unknown,
    /// The line was busy, or would not take a second call.
    Busy,
    /// It rang, and nobody answered.
    NoAnswer,
    /// All calls are sent here.
    Unconditional,
    /// The owner does not want to be disturbed.
    DoNotDisturb,
    /// The phone could not be reached, or is out of order.
    Unreachable,
    /// No phone is logged on.
    LoggedOff,
    /// The owner, or somebody for them, sent this one call here.
    Deflected,
    /// Nobody is there at this time of day.
    Closed,
    /// The owner is away.
    Away,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unknown,
        Self::Busy,
        Self::NoAnswer,
        Self::Unconditional,
        Self::DoNotDisturb,
        Self::Unreachable,
        Self::LoggedOff,
        Self::Deflected,
        Self::Closed,
        Self::Away,
    ];

    /// The word used in SQL, settings and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Unconditional => "unconditional",
            Self::DoNotDisturb => "do-not-disturb",
            Self::Unreachable => "unreachable",
            Self::LoggedOff => "logged-off",
            Self::Deflected => "deflected",
            Self::Closed => "closed",
            Self::Away => "away",
        }
    }

    /// Whether callers hear the busy greeting.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Busy | Self::DoNotDisturb)
    }

    /// The `cause` parameter of a URI (RFC 4458 §2). 480 and 487 mean there that the call was
    /// deflected, at once or while it rang, and 404 that nobody knows.
    pub(super) fn of_cause(cause: &str) -> Option<Self> {
        match cause.trim().parse().ok()? {
            302 => Some(Self::Unconditional),
            408 => Some(Self::NoAnswer),
            480 | 487 => Some(Self::Deflected),
            486 => Some(Self::Busy),
            503 => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// A value of a `Reason` header (RFC 3326): what a phone answered, or what the line said
    /// (Q.850).
    pub(super) fn of_answer(protocol: &str, cause: &str) -> Option<Self> {
        let cause: u16 = cause.trim().parse().ok()?;
        let is = |name| protocol.trim().eq_ignore_ascii_case(name);
        match cause {
            301 | 302 if is("SIP") => Some(Self::Unconditional),
            404 | 410 | 480 if is("SIP") => Some(Self::LoggedOff),
            408 | 487 if is("SIP") => Some(Self::NoAnswer),
            486 | 600 if is("SIP") => Some(Self::Busy),
            500 | 502..=504 if is("SIP") => Some(Self::Unreachable),
            603 if is("SIP") => Some(Self::Deflected),
            3 | 27 | 38 | 41 if is("Q.850") => Some(Self::Unreachable),
            17 if is("Q.850") => Some(Self::Busy),
            18 | 19 if is("Q.850") => Some(Self::NoAnswer),
            20 if is("Q.850") => Some(Self::LoggedOff),
            21 if is("Q.850") => Some(Self::Deflected),
            _ => None,
        }
    }

    /// The `reason` of a `Diversion` (RFC 5806 §4), and words that phone systems put there besides,
    /// in capitals and with underscores where they like.
    pub(super) fn of_diversion(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase().replace('_', "-");
        match word.as_str() {
            "user-busy" | "busy" => Some(Self::Busy),
            "no-answer" | "no-reply" | "follow-me" | "allotted-timeout" => Some(Self::NoAnswer),
            "unconditional" => Some(Self::Unconditional),
            "do-not-disturb" | "dnd" => Some(Self::DoNotDisturb),
            "unavailable" | "out-of-service" | "out-of-order" | "not-reachable" => {
                Some(Self::Unreachable)
            }
            "logged-off" | "user-not-registered" | "subscriber-absent" => Some(Self::LoggedOff),
            "deflection" | "send-to-vm" | "call-rejected" => Some(Self::Deflected),
            "time-of-day" => Some(Self::Closed),
            "away" => Some(Self::Away),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            format!("no reason is called {word:?}; there are {words}")
        })
    }
}
