//! Transcripts and translations, tried with the demonstration's words and one word of greeting.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::Context;

use super::{finding::Finding, scene::Scene};
use crate::{
    audio::wav,
    cli::demo,
    clock,
    config::Config,
    flow::Policy,
    mailbox::{Segment, Transcript},
    speech::{Readiness, Recogniser, Translator, model},
};

/// Has the demonstration's message written down, as a caller's would be, and measures how long it
/// takes; looks at the model's checksum before.
pub(super) async fn speech(scene: &Scene) -> Vec<Finding> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let speech = Recogniser::new(scene.config.speech.clone(), program);
    let model = match speech.readiness() {
        Readiness::Ready { model } => model,
        Readiness::NoModel { name, command, .. } => {
            let found =
                format!("The model {name} is missing, so mails go out without a transcript.");
            return vec![Finding::warn(found, format!("Fetch it: {command}"))];
        }
        Readiness::Disabled => {
            let remedy = "Build it with the feature `whisper`, or set [speech.remote].";
            return vec![Finding::warn("This program was built without speech.", remedy)];
        }
    };
    let damaged = match scene.config.speech.remote {
        Some(_) => None,
        None => damaged(&scene.config).await,
    };
    if let Some(finding) = damaged {
        return vec![finding];
    }
    let remedy = "See [speech] in the settings, and `afterbeep model list`.";
    vec![match write_down(&speech).await {
        Ok((took, of)) => pace(&model, took, of),
        Err(error) => Finding::error(error, remedy),
    }]
}

/// A model of a known name that is not what is known by it.
async fn damaged(config: &Config) -> Option<Finding> {
    let (name, path) = config.speech.wanted();
    let models = config.speech.models.clone();
    let looking = {
        let name = name.clone();
        tokio::task::spawn_blocking(move || model::look(&models, name).state)
    };
    let (found, path) = (looking.await.ok()?, path.display());
    let remedy = format!("Remove it and fetch it again: afterbeep model fetch {name}");
    match found {
        model::State::Published | model::State::Remade | model::State::Unknown => None,
        model::State::Different => Some(Finding::fail(
            format!("{path} is not the model {name}: its SHA-256 differs."),
            remedy,
        )),
        model::State::Unreadable => Some(Finding::fail(format!("{path} cannot be read."), remedy)),
    }
}

/// How long writing down took, and how long was spoken.
async fn write_down(speech: &Recogniser) -> anyhow::Result<(Duration, Duration)> {
    let sound = wav::from_wav(demo::MESSAGE, Policy::LIMIT.as_secs())?;
    let began = clock::instant();
    let heard = speech.transcribe(&sound.samples, sound.rate, Some("en")).await?;
    heard.segments.first().context("the demonstration's message was not understood")?;
    let spoken = Duration::from_secs(sound.samples.len() as u64) / sound.rate;
    Ok((began.elapsed(), spoken))
}

fn pace(model: &str, took: Duration, of: Duration) -> Finding {
    let factor = took.as_secs_f64() / of.as_secs_f64();
    let found = format!("{model} takes {factor:.2} s for a second of speech, its start included.");
    match factor > 1.0 {
        true => Finding::warn(found, "Use a smaller model, or give the machine more processors."),
        false => Finding::ok(found),
    }
}

/// Has a word translated for each language that mailboxes want, where it is known what is spoken.
pub(super) async fn translation(scene: &Scene) -> Vec<Finding> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let settings = &scene.config.translation;
    let models: PathBuf = scene.config.speech.models.clone();
    let translator = Translator::new(settings.clone(), models, program);
    let mut found = Vec::new();
    for ((from, to), number) in wanted(scene) {
        found.push(match translator.translate(&greeting(from), to).await {
            Ok(it) => Finding::ok(format!("{} translates from {from} to {to}.", it.engine)),
            Err(error) => {
                let remedy = format!(
                    "See [translation] in the settings, or afterbeep mailbox set {number} --translate no"
                );
                Finding::error(error, remedy)
            }
        });
    }
    if found.is_empty() {
        found.push(Finding::ok("No mailbox asks for it."));
    }
    found
}

/// The ways from language to language that mailboxes want, each with the first that does. Who has
/// the language detected is taken to be spoken to in English.
fn wanted(scene: &Scene) -> BTreeMap<(&str, &str), &str> {
    let mut ways = BTreeMap::new();
    for it in scene.mailboxes().iter().filter(|it| it.settings.translate) {
        let from = it.settings.spoken().unwrap_or("en");
        let to = it.settings.translate_to.as_str();
        if Translator::is_needed(&greeting(from), to) {
            ways.entry((from, to)).or_insert(it.number.as_str());
        }
    }
    ways
}

fn greeting(language: &str) -> Transcript {
    let text = match language.split('-').next() {
        Some("fr") => "Bonjour.",
        Some("es") => "Buenos días.",
        Some("de") => "Guten Tag.",
        _ => "Hello.",
    };
    let segment = Segment { start_ms: 0, end_ms: 0, text: text.to_owned(), confidence: 1.0 };
    Transcript { language: language.to_owned(), segments: vec![segment], engine: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn a_model_should_keep_up_with_those_who_speak() {
        let second = Duration::from_secs(1);
        assert_eq!(pace("whisper base", second, 2 * second).verdict, Verdict::Ok);
        let slow = pace("whisper base", 3 * second, 2 * second);
        assert_eq!(slow.verdict, Verdict::Warn);
        assert!(slow.found.starts_with("whisper base takes 1.50 s"), "{}", slow.found);
    }
}
