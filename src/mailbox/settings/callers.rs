//! What a mailbox lets its callers do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Word;

/// What callers get from a mailbox that takes no messages for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenOff {
    /// A sentence that says so.
    Announcement,
    /// No answer: 480, and the phone system goes on as it likes.
    Refuse,
}

words!(WhenOff, "say announcement or refuse", Announcement = "announcement", Refuse = "refuse");

/// Who may ask for the owner's messages at the mailbox's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogIn {
    /// Nobody.
    Never,
    /// Who calls from the phone of a mailbox of the tenant, and has proved it.
    Inside,
    /// Everybody who calls.
    Anywhere,
}

words!(
    LogIn,
    "say never, inside or anywhere",
    Never = "never",
    Inside = "inside",
    Anywhere = "anywhere"
);

/// Where a caller who presses 0 is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Operator(Option<String>);

impl Operator {
    /// What it may be, as a regular expression.
    pub const PATTERN: &'static str =
        r"^([A-Za-z0-9*+_.-]{1,32}|sips?:[A-Za-z0-9@:;=+*_.\[\]-]{1,200})$";

    const NOBODY: &'static str = "none";

    /// A number or a SIP address, if there is one.
    pub fn address(&self) -> Option<&str> {
        self.0.as_deref()
    }

    fn is_fine(word: &str) -> bool {
        let only = |text: &str, signs: &[u8], most: usize| {
            let fine = |it: u8| it.is_ascii_alphanumeric() || signs.contains(&it);
            (1..=most).contains(&text.len()) && text.bytes().all(fine)
        };
        match word.strip_prefix("sip:").or_else(|| word.strip_prefix("sips:")) {
            Some(rest) => only(rest, b"@:;=+*_.[]-", 200),
            None => only(word, b"*+_.-", 32),
        }
    }
}

impl TryFrom<String> for Operator {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        Self::read(&word).ok_or(Self::WANTED)
    }
}

impl From<Operator> for String {
    fn from(it: Operator) -> Self {
        it.word()
    }
}

impl Word for Operator {
    const WANTED: &'static str =
        "say a number, an address like sip:desk@office.example, or none for nobody";

    fn read(word: &str) -> Option<Self> {
        match word {
            Self::NOBODY => Some(Self(None)),
            _ => Self::is_fine(word).then(|| Self(Some(word.to_owned()))),
        }
    }

    fn word(&self) -> String {
        self.0.as_deref().unwrap_or(Self::NOBODY).to_owned()
    }
}
