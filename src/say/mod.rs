//! What is spoken, as names of clips: sentences are data, what goes into them is code.
//!
//! A [`Phrase`] is a sentence the server may say. [`Phrases`] knows, for one language, which clips
//! it is made of (`prompts/<language>/phrases.toml`). Nothing here knows any sound.

use std::collections::BTreeSet;

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

/// One language's sentences. A file of them has all of them, and no others.
#[derive(Debug, Clone, Deserialize)]
pub struct Phrases {
    #[serde(rename = "phrases")]
    sentences: Sentences,
}

/// One field for each [`Phrase`], under its name in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Sentences {
    not_available: Vec<Part>,
    instructions: Vec<Part>,
    too_short: Vec<Part>,
    nothing_heard: Vec<Part>,
    try_again: Vec<Part>,
    review_menu: Vec<Part>,
    saved: Vec<Part>,
    deleted: Vec<Part>,
    not_saved: Vec<Part>,
    mailbox_full: Vec<Part>,
    no_such_mailbox: Vec<Part>,
    one_moment: Vec<Part>,
    goodbye: Vec<Part>,
}

/// A piece of a sentence.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
enum Part {
    /// Always the same.
    Clip(String),
    /// The phrase's number, spelled: `{number}`.
    Number,
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
        let (parts, number) = self.sentences.of(phrase);
        let mut clips = Vec::new();
        for part in parts {
            match part {
                Part::Clip(name) => clips.push(name.as_str()),
                Part::Number => clips.extend(spell::signs(number).map(|it| it as &str)),
            }
        }
        clips
    }

    /// Every clip that a phrase may need, in order of name.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = spell::all().collect();
        for part in self.sentences.all().into_iter().flatten() {
            if let Part::Clip(name) = part {
                names.insert(name);
            }
        }
        names
    }
}

impl Sentences {
    /// The phrase's parts and what `{number}` stands for in them.
    fn of<'a>(&self, phrase: &'a Phrase) -> (&[Part], &'a str) {
        let parts = match phrase {
            Phrase::NotAvailable { number } => return (&self.not_available, number),
            Phrase::Instructions => &self.instructions,
            Phrase::TooShort => &self.too_short,
            Phrase::NothingHeard => &self.nothing_heard,
            Phrase::TryAgain => &self.try_again,
            Phrase::ReviewMenu => &self.review_menu,
            Phrase::Saved => &self.saved,
            Phrase::Deleted => &self.deleted,
            Phrase::NotSaved => &self.not_saved,
            Phrase::MailboxFull => &self.mailbox_full,
            Phrase::NoSuchMailbox => &self.no_such_mailbox,
            Phrase::OneMoment => &self.one_moment,
            Phrase::Goodbye => &self.goodbye,
        };
        (parts, "")
    }

    fn all(&self) -> [&[Part]; 13] {
        // Taken apart by name, so that the compiler misses one that is left out.
        let Self {
            not_available,
            instructions,
            too_short,
            nothing_heard,
            try_again,
            review_menu,
            saved,
            deleted,
            not_saved,
            mailbox_full,
            no_such_mailbox,
            one_moment,
            goodbye,
        } = self;
        [
            not_available,
            instructions,
            too_short,
            nothing_heard,
            try_again,
            review_menu,
            saved,
            deleted,
            not_saved,
            mailbox_full,
            no_such_mailbox,
            one_moment,
            goodbye,
        ]
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
