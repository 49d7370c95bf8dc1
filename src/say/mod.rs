//! What is spoken, as names of clips: sentences are data, what goes into them is code.
//!
//! A [`Phrase`] is a sentence the server may say. [`Phrases`] knows, for one language, which clips
//! it is made of (`prompts/<language>/phrases.toml`). What varies in a sentence is put into
//! words by the grammar of the language. Nothing here knows any sound.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

mod choice;
mod english;
mod french;
mod grammar;
mod moment;
pub mod number;
pub mod ordinal;
mod part;
mod phrase;
pub mod spell;

pub use choice::Choice;
use grammar::Grammar;
use part::Part;
pub use phrase::{Phrase, Who};

/// Stands among the clips of a phrase where a recorded name is played.
pub const NAME: &str = "{name}";

/// One language's sentences.
#[derive(Debug, Clone, Deserialize)]
pub struct Phrases {
    /// How its words are put in order; a language that does not say so is spoken as English is.
    grammar: Option<Grammar>,
    #[serde(rename = "phrases")]
    sentences: Sentences,
    /// What each clip says.
    #[serde(default)]
    clips: BTreeMap<String, String>,
}

/// By [`Phrase::name`].
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<Part>>")]
struct Sentences(BTreeMap<String, Vec<Part>>);

impl Phrases {
    /// Reads a `phrases.toml`. It may lack sentences.
    ///
    /// # Errors
    /// When there is no phrase of a name, or one is not made of names of clips and of what varies
    /// in it.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Takes from others of the same language what is missing here, sentences and closing words.
    pub fn complete(&mut self, others: Self) {
        self.grammar = self.grammar.or(others.grammar);
        for (name, sentence) in others.sentences.0 {
            self.sentences.0.entry(name).or_insert(sentence);
        }
        for (name, text) in others.clips {
            self.clips.entry(name).or_insert(text);
        }
    }

    /// Whether it has this sentence.
    pub fn has(&self, phrase: &Phrase) -> bool {
        self.sentences.0.contains_key(phrase.name())
    }

    /// The names of the sentences it lacks.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        Phrase::NAMES.into_iter().filter(|it| !self.sentences.0.contains_key(*it))
    }

    /// What a clip says, for who wants to speak it.
    pub fn text(&self, clip: &str) -> Option<&str> {
        self.clips.get(clip).map(String::as_str)
    }

    /// The clips of a phrase, in the order they are spoken; [`NAME`] stands for a recorded name.
    pub fn clips<'a>(&'a self, phrase: &Phrase) -> Vec<&'a str> {
        let mut clips: Vec<&str> = Vec::new();
        for part in self.sentences.0.get(phrase.name()).into_iter().flatten() {
            match part {
                Part::Clip(name) => clips.push(name),
                Part::Slot(slot) => {
                    for (at, group) in slot.words(self.grammar(), phrase).iter().enumerate() {
                        if at > 0 {
                            self.close(&mut clips);
                        }
                        clips.extend(group);
                    }
                }
            }
        }
        self.close(&mut clips);
        clips
    }

    /// Every clip that a phrase may need, in order of name.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let parts: BTreeSet<&Part> = self.sentences.0.values().flatten().collect();
        for part in parts {
            match part {
                Part::Clip(name) => _ = names.insert(name),
                Part::Slot(slot) => names.extend(slot.all(self.grammar())),
            }
        }
        let endings: Vec<&str> = names.iter().filter_map(|it| self.ending(it)).collect();
        names.extend(endings);
        names
    }

    fn grammar(&self) -> Grammar {
        self.grammar.unwrap_or(Grammar::English)
    }

    /// The voice falls at the end of a sentence, and of a group of digits: the last word is spoken
    /// as `NAME-end` where the language has such a clip.
    fn close<'a>(&'a self, clips: &mut [&'a str]) {
        if let Some(last) = clips.last_mut() {
            *last = self.ending(last).unwrap_or(last);
        }
    }

    fn ending(&self, clip: &str) -> Option<&str> {
        self.clips.get_key_value(&format!("{clip}-end")).map(|(name, _)| name.as_str())
    }
}

impl TryFrom<BTreeMap<String, Vec<Part>>> for Sentences {
    type Error = String;

    fn try_from(told: BTreeMap<String, Vec<Part>>) -> Result<Self, String> {
        for (name, parts) in &told {
            if !Phrase::NAMES.contains(&name.as_str()) {
                return Err(format!("there is no phrase {name:?}"));
            }
            if let Some(part) = parts.iter().find(|it| !it.belongs_to(name)) {
                return Err(format!("there is no {part} in the phrase {name:?}"));
            }
        }
        Ok(Self(told))
    }
}
