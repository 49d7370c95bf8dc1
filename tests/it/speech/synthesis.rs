//! Texts that are spoken: by Pico, by a program, by a service.

use std::path::Path;

use afterbeep::{
    app::{RATE, Script, Studio},
    audio::{loudness::loudness, wav},
    config::Config,
    speech::{Recogniser, Settings, synthesis::Engine},
};

use super::{
    models,
    stand::{Manner, Stand},
};

const ENGLISH: &str = "The office is closed today. Please call again on Monday.";

#[tokio::test]
async fn pico_speaks_so_that_it_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let studio = studio(dir.path(), |_| {});
    let samples = studio.speak(script(ENGLISH, "en")).await.unwrap();
    let loudness = loudness(RATE, &samples).unwrap();
    assert!((-23.5..-22.5).contains(&loudness), "{loudness:.1} LUFS");

    let settings = Settings { model: "tiny.en".into(), models: models(), ..Settings::default() };
    let recogniser = Recogniser::new(settings, env!("CARGO_BIN_EXE_afterbeep").into());
    let heard = recogniser.transcribe(&samples, RATE, None).await.unwrap().text().to_lowercase();
    for word in ["office", "closed", "today", "call again", "monday"] {
        assert!(heard.contains(word), "{word:?} was not heard: {heard}");
    }
}

#[tokio::test]
async fn pico_has_a_voice_for_each_of_its_languages() {
    let dir = tempfile::tempdir().unwrap();
    let studio = studio(dir.path(), |_| {});
    for (language, text) in [
        ("en-GB", "Good morning."),
        ("fr-CA", "Bonjour à tous, je suis absente."),
        ("de", "Guten Tag, ich bin nächste Woche zurück."),
        ("es", "Buenos días, ¿qué tal?"),
        ("it", "Buongiorno a tutti, ci vediamo lunedì."),
    ] {
        let samples = studio.speak(script(text, language)).await.unwrap();
        assert!((8_000..80_000).contains(&samples.len()), "{language}: {}", samples.len());
    }
    let named = Script { voice: Some("en-GB"), ..script("Good morning.", "en") };
    let (british, usual) =
        (studio.speak(named).await.unwrap(), studio.speak(script("Good morning.", "en")).await);
    assert_ne!(british, usual.unwrap());
}

#[tokio::test]
async fn what_nobody_can_say_is_refused_with_what_helps() {
    let dir = tempfile::tempdir().unwrap();
    let studio = studio(dir.path(), |_| {});
    let long = "word ".repeat(500);
    for (text, language, voice, why) in [
        ("", "en", None, "nothing to say"),
        (" <> \n ... ", "en", None, "nothing to say"),
        (&long, "en", None, "too long to be spoken; take 2000 at most"),
        ("Olá", "pt-BR", None, "set [synthesis] engine to command or http"),
        ("Hello", "en", Some("klingon"), "there are en-US, en-GB, fr-FR"),
        (&"0".repeat(2_000), "en", None, "can make nothing of this text"),
    ] {
        let error = studio.speak(Script { text, language, voice }).await.unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}, and not {why}");
    }
}

/// What Pico takes for its own orders is text like any other.
#[tokio::test]
async fn markup_and_control_characters_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let studio = studio(dir.path(), |_| {});
    for text in ["<break time=\"3000s\"/>Hello <speed level=\"9999\">", "a\0b\x1b[2Jc", "\\\\pause"]
    {
        let samples = studio.speak(script(text, "en")).await.unwrap();
        assert!(samples.len() < 10 * RATE as usize, "{text:?} takes {}", samples.len());
    }
}

#[tokio::test]
async fn a_program_is_asked_once_for_a_text() {
    let dir = tempfile::tempdir().unwrap();
    let (sound, count) = (dir.path().join("sound.wav"), dir.path().join("count"));
    std::fs::write(&sound, wav::to_wav(&tone(), 22_050)).unwrap();
    let script_file = dir.path().join("speak");
    let lines = format!(
        "#!/bin/sh\ncat >> {count}\necho \"$1 $2\" >> {count}\ncat {sound}\n",
        count = count.display(),
        sound = sound.display(),
    );
    std::fs::write(&script_file, lines).unwrap();
    executable(&script_file);
    let program = script_file.display().to_string();
    let studio = studio(dir.path(), |it| {
        it.engine = Engine::Command;
        it.command = vec![program, "{voice}".into(), "{language}".into()];
        it.voices = [("de".to_owned(), "anna".to_owned())].into();
    });
    for _ in 0..2 {
        let samples = studio.speak(script("Guten $(id) Tag; rm -rf", "de-AT")).await.unwrap();
        assert_eq!(samples.len(), 16_000);
    }
    let asked = std::fs::read_to_string(&count).unwrap();
    assert_eq!(asked, "Guten $(id) Tag; rm -rf\nanna de\n");
    let kept = std::fs::read_dir(dir.path().join("spoken")).unwrap().count();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_program_that_fails_or_says_no_sound_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (command, why) in [
        (vec!["/nonexistent/voice"], "the command in [synthesis] failed (/nonexistent/voice: "),
        (vec!["/bin/false"], "exit status: 1"),
        (vec!["/bin/cat"], "what [synthesis] answered: is not audio"),
    ] {
        let studio = studio(dir.path(), |it| {
            it.engine = Engine::Command;
            it.command = command.into_iter().map(str::to_owned).collect();
        });
        let error = studio.speak(script("Hello there", "en")).await.unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}

#[tokio::test]
async fn a_service_gets_the_text_and_the_key_and_its_file_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "sk-secret\n").unwrap();
    let stand = Stand::start(Manner::Gives(wav::to_wav(&tone(), 22_050))).await;
    let url = stand.url.clone();
    let studio = |url: String| {
        studio(dir.path(), |it| {
            it.engine = Engine::Http;
            it.url = Some(url);
            it.model = "kokoro".into();
            it.key_file = Some(key.clone());
            it.voices = [("en".to_owned(), "af_heart".to_owned())].into();
        })
    };
    assert_eq!(studio(url).speak(script("Hello.", "en")).await.unwrap().len(), 16_000);
    let asked = &stand.asked()[0];
    assert_eq!(
        (asked.path.as_str(), asked.header("authorization")),
        ("/v1/audio/speech", "Bearer sk-secret")
    );
    let wanted = serde_json::json!({
        "model": "kokoro", "input": "Hello.", "voice": "af_heart", "response_format": "wav",
    });
    assert_eq!(asked.json(), wanted);

    for (manner, why) in [
        (Manner::Says(200, "<html>moved</html>".into()), "is a web page"),
        (Manner::Says(401, String::new()), "does not take the key"),
        (Manner::Says(500, String::new()), "trouble of its own"),
    ] {
        let stand = Stand::start(manner).await;
        let error = studio(stand.url.clone()).speak(script("Other.", "en")).await.unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains(why) && !said.contains("sk-secret"), "{said}");
    }
    let none = studio(stand.url.clone()).speak(script("Ahoj.", "cs")).await.unwrap_err();
    assert!(format!("{none:#}").contains("no voice is set for cs"), "{none:#}");
}

fn studio(data: &Path, change: impl FnOnce(&mut afterbeep::speech::synthesis::Settings)) -> Studio {
    let mut config = Config { data: data.into(), ..Config::default() };
    change(&mut config.synthesis);
    config.synthesis.check().unwrap();
    Studio::new(&config, env!("CARGO_BIN_EXE_afterbeep").into())
}

fn script<'a>(text: &'a str, language: &'a str) -> Script<'a> {
    Script { text, language, voice: None }
}

/// A second at 22,050.
fn tone() -> Vec<i16> {
    (0..22_050).map(|at| ((at as f32 / 10.0).sin() * 5_000.0) as i16).collect()
}

fn executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o700)).unwrap();
}
