//! What is spoken, as names of clips: sentences are data, what goes into them is code.
//!
//! A [`Phrase`] is a sentence the server may say. [`Phrases`] knows, for one language, which clips
//! it is made of (`prompts/<language>/phrases.toml`). Nothing here knows any sound.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

pub mod number;
pub mod spell;

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
    /// What to do after the tone, and how to end.
    Instructions,
    /// So short that it cannot have been a message.
    TooShort,
    /// Long enough, but nobody spoke.
    NothingHeard,
    /// Said before the tone is played once more.
    TryAgain,
    /// Keep 1, listen 2, record again 3, delete 4.
    ReviewMenu,
    /// The message is filed.
    Saved,
    /// The caller's own wish was carried out.
    Deleted,
    /// The message could not be filed, and the caller should know it.
    NotSaved,
    /// No room, and none is made.
    MailboxFull,
    /// Nothing answers at the number dialled.
    NoSuchMailbox,
    /// Something takes longer than a caller expects.
    OneMoment,
    /// The last word.
    Goodbye,
}

/// One language's sentences: one for each phrase, and no others.
#[derive(Debug, Clone, Deserialize)]
pub struct Phrases {
    #[serde(rename = "phrases")]
    sentences: Sentences,
}

/// By [`Phrase::name`].
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<Part>>")]
struct Sentences(BTreeMap<String, Vec<Part>>);

/// A piece of a sentence.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
enum Part {
    /// Always the same.
    Clip(String),
    /// The phrase's number, spelled: `{number}`.
    Number,
}

impl Phrase {
    /// The names of all phrases.
    pub const NAMES: [&str; 14] = [
        "not-available",
        "on-the-phone",
        "instructions",
        "too-short",
        "nothing-heard",
        "try-again",
        "review-menu",
        "saved",
        "deleted",
        "not-saved",
        "mailbox-full",
        "no-such-mailbox",
        "one-moment",
        "goodbye",
    ];

    /// What it is called in `phrases.toml`.
    pub fn name(&self) -> &'static str {
        match self {
            Phrase::NotAvailable { .. } => "not-available",
            Phrase::OnThePhone { .. } => "on-the-phone",
            Phrase::Instructions => "instructions",
            Phrase::TooShort => "too-short",
            Phrase::NothingHeard => "nothing-heard",
            Phrase::TryAgain => "try-again",
            Phrase::ReviewMenu => "review-menu",
            Phrase::Saved => "saved",
            Phrase::Deleted => "deleted",
            Phrase::NotSaved => "not-saved",
            Phrase::MailboxFull => "mailbox-full",
            Phrase::NoSuchMailbox => "no-such-mailbox",
            Phrase::OneMoment => "one-moment",
            Phrase::Goodbye => "goodbye",
        }
    }

    /// What `{number}` stands for in it.
    fn number(&self) -> &str {
        match self {
            Phrase::NotAvailable { number } | Phrase::OnThePhone { number } => number,
            _ => "",
        }
    }
}

impl Phrases {
    /// Reads a `phrases.toml`.
    ///
    /// # Errors
    /// When a phrase is missing or unknown, or is not made of clip names and `{number}`.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The clips of a phrase, in the order they are spoken.
    pub fn clips<'a>(&'a self, phrase: &Phrase) -> Vec<&'a str> {
        let mut clips = Vec::new();
        for part in self.sentences.0.get(phrase.name()).into_iter().flatten() {
            match part {
                Part::Clip(name) => clips.push(name.as_str()),
                Part::Number => clips.extend(spell::signs(phrase.number()).map(|it| it as &str)),
            }
        }
        clips
    }

    /// Every clip that a phrase may need, in order of name.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = spell::all().collect();
        for part in self.sentences.0.values().flatten() {
            if let Part::Clip(name) = part {
                names.insert(name);
            }
        }
        names
    }
}

impl TryFrom<BTreeMap<String, Vec<Part>>> for Sentences {
    type Error = String;

    fn try_from(told: BTreeMap<String, Vec<Part>>) -> Result<Self, String> {
        if let Some(missing) = Phrase::NAMES.into_iter().find(|it| !told.contains_key(*it)) {
            return Err(format!("the phrase {missing:?} is missing"));
        }
        match told.keys().find(|it| !Phrase::NAMES.contains(&it.as_str())) {
            Some(unknown) => Err(format!("there is no phrase {unknown:?}")),
            None => Ok(Self(told)),
        }
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match word.as_str() {
            "{number}" => Ok(Part::Number),
            name if !name.is_empty() && name.chars().all(named) => Ok(Part::Clip(word)),
            _ => {
                Err(format!("{word:?} is neither {{number}} nor the name of a clip (a-z, 0-9, -)"))
            }
        }
    }
}
