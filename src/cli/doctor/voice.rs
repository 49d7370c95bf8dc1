//! The voice that speaks texts, tried with a word.

use super::{finding::Finding, scene::Scene};
use crate::speech::{
    Synthesiser,
    synthesis::{Engine, Spoken, SynthesisError},
};

/// Has a word spoken, and keeps nothing of it.
pub(super) async fn synthesis(scene: &Scene) -> Vec<Finding> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let settings = &scene.config.synthesis;
    let language = settings.voices.keys().next().map_or("en", String::as_str).to_owned();
    let named = match settings.engine {
        Engine::Pico => "Pico",
        Engine::Command => "The command in [synthesis]",
        Engine::Http => "The service in [synthesis]",
    };
    // Before the first start there is no data folder, and none is made.
    let folder = std::env::temp_dir().join(format!("afterbeep-{}", rand::random::<u64>()));
    let voice = Synthesiser::new(settings.clone(), folder.clone(), program);
    let spoken = speak(&voice, &language).await;
    std::fs::remove_dir_all(&folder).ok();
    vec![match spoken {
        Ok(()) => Finding::ok(format!("{named} speaks {language}.")),
        Err(SynthesisError::Disabled) => Finding::warn(
            "This program was built without a voice.",
            "Build it with the feature `pico`, or set [synthesis] engine to command or http.",
        ),
        Err(error) => {
            let remedy = "See [synthesis] in the settings; until then texts cannot be spoken.";
            Finding::error(error, remedy)
        }
    }]
}

async fn speak(voice: &Synthesiser, language: &str) -> Result<(), SynthesisError> {
    let spoken = voice.speak(&voice.order("One.", language, None)?).await?;
    let silent = match spoken {
        Spoken::Samples(samples) => samples.is_empty(),
        Spoken::File(file) => file.is_empty(),
    };
    if silent { Err(SynthesisError::Command("it said nothing".to_owned())) } else { Ok(()) }
}
