//! Looks at a voice of one's own before callers hear it.

use std::path::Path;

use super::{PromptError, clips_in, complete, languages_in, open, ours, phrases_of, samples};
use crate::audio::loudness::{LOUDNESS, PEAK, loudness};

/// Decibels a clip may lie above or below; more makes callers reach for the volume.
const TOLERANCE: f64 = 3.0;

/// What there is in a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Each language with the number of its clips.
    pub languages: Vec<(String, usize)>,
    /// What is wrong with them, by name.
    pub findings: Vec<Finding>,
}

/// What is wrong with a clip of a folder, or with a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// `fr/goodbye`, the clip or the sentence.
    pub clip: String,
    /// And what.
    pub problem: Problem,
}

/// What can be wrong with a clip or a sentence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Ours is heard in its place.
    #[error("is missing; the built-in one is heard")]
    Missing,
    /// A voice speaks its text in its place, where there is one for the language.
    #[error("is missing; its text is spoken if [synthesis] has a voice for it, or else left out")]
    Spoken,
    /// Its sentences are spoken without it.
    #[error("is missing and will be left out")]
    LeftOut,
    /// Ours is heard in its place.
    #[error("is a sentence that is missing; the built-in one is heard")]
    NoSentence,
    /// We have none in this language.
    #[error("is a sentence that is missing; it is heard in another language")]
    NotTranslated,
    /// It is not a file we play.
    #[error("cannot be used: {0}")]
    Unusable(String),
    /// No sentence needs it.
    #[error("is a clip that nothing is made of")]
    Unused,
    /// Louder than the others, in LUFS.
    #[error("is too loud: {0:.1} LUFS, where {LOUDNESS} is right")]
    Loud(f64),
    /// Softer than the others, in LUFS.
    #[error("is too soft: {0:.1} LUFS, where {LOUDNESS} is right")]
    Soft(f64),
    /// It touches full scale.
    #[error("is too loud at its peaks; leave 1 dB below full scale")]
    Clipped,
    /// There is nothing to be heard in it.
    #[error("is silent")]
    Silent,
}

/// Looks at every clip of every language of a folder.
///
/// # Errors
/// As [`super::Prompts::load`].
pub fn check(dir: &Path) -> Result<Report, PromptError> {
    let Report { mut languages, mut findings } = Report::default();
    for (language, folder) in languages_in(dir)? {
        let mut phrases = phrases_of(&language, &folder)?;
        let missing: Vec<_> = phrases.missing().collect();
        complete(&language, &mut phrases)?;
        let needed = phrases.names();
        let ours = ours(&language);
        let clips = clips_in(&folder)?;
        let mut note = |name: &str, problem| {
            findings.push(Finding { clip: format!("{language}/{name}"), problem });
        };
        for name in missing {
            note(name, if ours.is_some() { Problem::NoSentence } else { Problem::NotTranslated });
        }
        for name in needed.iter().filter(|name| clips.iter().all(|(it, _)| it != *name)) {
            let built_in = ours.is_some_and(|it| it.has(name));
            let known = phrases.text(name).is_some();
            note(
                name,
                match () {
                    () if built_in => Problem::Missing,
                    () if known => Problem::Spoken,
                    () => Problem::LeftOut,
                },
            );
        }
        for (name, path) in &clips {
            if !needed.contains(name.as_str()) {
                note(name, Problem::Unused);
            }
            match open(path).and_then(|wav| samples(&wav)) {
                Ok((rate, samples)) => {
                    level(rate, &samples).into_iter().for_each(|it| note(name, it));
                }
                Err(error) => note(name, Problem::Unusable(error.to_string())),
            }
        }
        languages.push((language, clips.len()));
    }
    findings.sort_by(|one, other| one.clip.cmp(&other.clip));
    Ok(Report { languages, findings })
}

fn level(rate: u32, samples: &[i16]) -> Option<Problem> {
    let loudness = loudness(rate, samples)?;
    let peak = samples.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
    match loudness {
        it if !it.is_finite() => Some(Problem::Silent),
        it if it > LOUDNESS + TOLERANCE => Some(Problem::Loud(it)),
        it if it < LOUDNESS - TOLERANCE => Some(Problem::Soft(it)),
        _ if peak > PEAK => Some(Problem::Clipped),
        _ => None,
    }
}
