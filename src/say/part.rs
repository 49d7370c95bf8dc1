//! The pieces a sentence is made of in `phrases.toml`: clips, and what varies.

use std::fmt;

use serde::Deserialize;

use super::{Choice, Grammar, NAME, Phrase, Who, moment, spell};
use crate::mailbox::{Folder, settings::Hours};

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Part {
    /// Always the same.
    Clip(String),
    /// Written `{name}`.
    Slot(Slot),
}

/// What varies in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// A number, sign by sign.
    Number,
    /// A name, as it was recorded.
    Name,
    /// What a key is for.
    Choice,
    /// The key to press.
    Key,
    /// New, urgent and saved messages.
    Counts,
    /// The messages of a folder.
    Messages,
    /// A message's place in its folder.
    Message,
    /// A day of the last week.
    Weekday,
    /// Any other day.
    Date,
    /// A time of day.
    Time,
    /// How long something is.
    Length,
}

impl Part {
    /// Whether the phrase of this name has that to tell.
    pub(super) fn belongs_to(&self, name: &str) -> bool {
        match self {
            Part::Clip(_) => true,
            Part::Slot(slot) => slot.belongs_to(name),
        }
    }
}

impl Slot {
    const ALL: [(&str, Self); 11] = [
        ("{number}", Self::Number),
        (NAME, Self::Name),
        ("{choice}", Self::Choice),
        ("{key}", Self::Key),
        ("{counts}", Self::Counts),
        ("{messages}", Self::Messages),
        ("{message}", Self::Message),
        ("{weekday}", Self::Weekday),
        ("{date}", Self::Date),
        ("{time}", Self::Time),
        ("{length}", Self::Length),
    ];

    fn belongs_to(self, name: &str) -> bool {
        match self {
            Self::Number => {
                const NUMBERS: [&str; 6] = [
                    "not-available",
                    "on-the-phone",
                    "from-extension",
                    "from-phone",
                    "no-mailbox",
                    "sent-by",
                ];
                NUMBERS.contains(&name)
            }
            Self::Name => ["name-not-available", "name-on-the-phone", "from-name"].contains(&name),
            Self::Choice | Self::Key => name == "choice",
            Self::Counts => name == "counts",
            Self::Messages => name == "in-folder",
            Self::Message => name == "message" || name == "urgent-message",
            Self::Weekday | Self::Date | Self::Time => name.starts_with("received-"),
            Self::Length => name == "length",
        }
    }

    /// Its clips in a phrase: one group, but for digits that are easier understood in several.
    pub(super) fn words(self, grammar: Grammar, phrase: &Phrase) -> Vec<Vec<&'static str>> {
        let words = match (self, phrase) {
            (Self::Number, Phrase::From(Who::Phone(number))) => return grammar.groups(number),
            (
                Self::Number,
                Phrase::NotAvailable { number }
                | Phrase::OnThePhone { number }
                | Phrase::NoMailbox { number }
                | Phrase::SentBy { number }
                | Phrase::From(Who::Extension(number)),
            ) => spell::signs(number).collect(),
            (Self::Name, _) => vec![NAME],
            (Self::Choice, Phrase::Choice { what, .. }) => vec![what.clip()],
            (Self::Key, &Phrase::Choice { key, .. }) => spell::key(key).into_iter().collect(),
            (Self::Counts, &Phrase::Counts { new, urgent, saved }) => {
                grammar.counts(new, urgent, saved)
            }
            (Self::Messages, &Phrase::InFolder { folder, count }) => {
                grammar.messages(folder, count)
            }
            (Self::Message, &Phrase::Message { place, last, folder, .. }) => {
                grammar.message(place, last, folder)
            }
            (Self::Weekday, Phrase::Received { at, .. }) => vec![moment::weekday(at.date())],
            (Self::Date, Phrase::Received { at, today, .. }) => {
                grammar.date(at.date(), today.year())
            }
            (Self::Time, Phrase::Received { at, hours, .. }) => grammar.time(at.time(), *hours),
            (Self::Length, Phrase::Length(length)) => grammar.length(*length),
            _ => Vec::new(),
        };
        vec![words]
    }

    /// Every clip it may need, found by saying everything there is to say.
    pub(super) fn all(self, grammar: Grammar) -> Vec<&'static str> {
        // No larger number has a word that is not in these.
        let numbers = || (1..=100).chain([1_000]);
        let of_folders = |say: &dyn Fn(Folder, u32) -> Vec<&'static str>| {
            Folder::ALL
                .iter()
                .flat_map(|&it| numbers().flat_map(move |count| say(it, count)))
                .collect()
        };
        match self {
            Self::Number => spell::all().collect(),
            // It is not a clip of the language's.
            Self::Name => Vec::new(),
            Self::Choice => Choice::ALL.map(Choice::clip).into(),
            Self::Key => (' '..='~').filter_map(spell::key).collect(),
            Self::Counts => numbers()
                .flat_map(|it| [(it, 0, 0), (it, 1, it), (it, it, it)])
                .flat_map(|(new, urgent, saved)| grammar.counts(new, urgent, saved))
                .collect(),
            Self::Messages => of_folders(&|folder, count| grammar.messages(folder, count)),
            Self::Message => of_folders(&|folder, place| {
                [false, true].map(|last| grammar.message(place, last, folder)).concat()
            }),
            Self::Weekday => moment::year(2_000).map(moment::weekday).collect(),
            Self::Date => (2_000..2_100)
                .flat_map(moment::year)
                .flat_map(|day| grammar.date(day, day.year() - 1))
                .collect(),
            Self::Time => [Hours::Twelve, Hours::TwentyFour]
                .into_iter()
                .flat_map(|hours| moment::minutes().map(move |it| (it, hours)))
                .flat_map(|(time, hours)| grammar.time(time, hours))
                .collect(),
            Self::Length => moment::lengths().flat_map(|it| grammar.length(it)).collect(),
        }
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some((_, slot)) = Slot::ALL.into_iter().find(|(name, _)| *name == word) {
            return Ok(Part::Slot(slot));
        }
        match !word.is_empty() && word.chars().all(named) {
            true => Ok(Part::Clip(word)),
            false => {
                Err(format!("{word:?} is neither the name of a clip (a-z, 0-9, -) nor a {{slot}}"))
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Clip(name) => f.write_str(name),
            Part::Slot(slot) => {
                let name = Slot::ALL.iter().find(|(_, it)| it == slot).map(|(name, _)| name);
                f.write_str(name.unwrap_or(&""))
            }
        }
    }
}
