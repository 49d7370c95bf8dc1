//! Transcripts in another language: by services, by a program, by a model in a worker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use afterbeep::mailbox::{Segment, Transcript, Translation};
use afterbeep::speech::translate::{Engine, Settings, TranslateError};
use afterbeep::speech::{SpeechError, Translator};
use serde_json::json;

use super::models;
use super::recogniser::{program, sham_worker};
use super::stand::{Manner, Stand};

const SAID: &str = "Please call me back. My number is five five five, zero one nine nine.";
const KEY: &str = "secret-7f3a";

fn transcript(language: &str, text: &str) -> Transcript {
    let segment = Segment { start_ms: 0, end_ms: 1_000, text: text.into(), confidence: 0.9 };
    Transcript { language: language.into(), segments: vec![segment], engine: "ear".into() }
}

fn translator(settings: Settings) -> Translator {
    Translator::new(settings, PathBuf::from("/nonexistent"), program())
}

/// A service's settings, with a key in a file.
fn service(engine: Engine, url: &str) -> (tempfile::NamedTempFile, Settings) {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), format!("{KEY}\n")).unwrap();
    let (url, key_file) = (Some(url.to_owned()), Some(key.path().to_owned()));
    let longest_job = Duration::from_secs(20);
    (key, Settings { engine, url, key_file, longest_job, ..Settings::default() })
}

async fn translated(settings: Settings, to: &str) -> Result<Translation, TranslateError> {
    translator(settings).translate(&transcript("en", SAID), to).await
}

#[tokio::test]
async fn libretranslate_is_asked_by_its_contract() {
    let text = "Rappelez-moi. Mon numéro est le cinq cinq cinq, zéro un neuf neuf.";
    let stand = Stand::start(Manner::Says(200, json!({ "translatedText": text }).to_string()));
    let stand = stand.await;
    let (_key, settings) = service(Engine::LibreTranslate, &stand.url);
    let translation = translated(settings, "fr").await.unwrap();
    let expected = Translation {
        language: "fr".into(),
        text: text.into(),
        engine: "libretranslate".into(),
        difference: None,
    };
    assert_eq!(translation, expected);
    let [asked] = &stand.asked()[..] else { panic!("asked once") };
    assert_eq!(
        (asked.path.as_str(), asked.header("content-type")),
        ("/translate", "application/json")
    );
    let wanted =
        json!({ "q": SAID, "source": "en", "target": "fr", "format": "text", "api_key": KEY });
    assert_eq!(asked.json(), wanted);
}

#[tokio::test]
async fn deepl_is_asked_by_its_contract() {
    let answer = json!({
        "translations": [{ "detected_source_language": "EN", "text": "Mein Anruf 555 0199." }]
    });
    let stand = Stand::start(Manner::Says(200, answer.to_string())).await;
    let (_key, settings) = service(Engine::DeepL, &stand.url);
    let translation = translated(settings, "de").await.unwrap();
    assert_eq!(translation.text, "Mein Anruf 555 0199.");
    assert_eq!((translation.engine.as_str(), translation.difference), ("deepl", None));
    let [asked] = &stand.asked()[..] else { panic!("asked once") };
    assert_eq!(asked.path, "/v2/translate");
    assert_eq!(asked.header("authorization"), format!("DeepL-Auth-Key {KEY}"));
    let wanted = json!({ "text": [SAID], "source_lang": "EN", "target_lang": "DE" });
    assert_eq!(asked.json(), wanted);
}

#[tokio::test]
async fn a_digit_lost_by_a_service_is_told() {
    let text = "Mon numéro est le cinq cinq, zéro un neuf neuf.";
    let answer = json!({ "translatedText": text }).to_string();
    let stand = Stand::start(Manner::Says(200, answer)).await;
    let (_key, settings) = service(Engine::LibreTranslate, &stand.url);
    let translation = translated(settings, "fr").await.unwrap();
    let told = translation.difference.unwrap().to_string();
    assert_eq!(told, "missing 5550199, added 550199");
}

#[tokio::test]
async fn a_service_that_fails_is_told_from_one_that_may_help_later() {
    let long = json!({ "translatedText": "la ".repeat(3_000) }).to_string();
    let none = json!({ "translatedText": " " }).to_string();
    let echo = json!({ "error": format!("{SAID} {KEY}") }).to_string();
    let says = |status, text: &str| Manner::Says(status, text.to_owned());
    for (manner, temporary) in [
        (says(429, &echo), true),
        (says(456, &echo), true),
        (says(500, &echo), true),
        (says(503, ""), true),
        (says(400, &echo), false),
        (says(403, &echo), false),
        (says(404, ""), false),
        (says(302, ""), false),
        (says(200, "not JSON"), false),
        (says(200, &echo), false),
        (says(200, &long), false),
        (says(200, &none), false),
        (Manner::Huge, false),
        (Manner::Breaks, true),
        (Manner::Hangs, true),
    ] {
        for engine in [Engine::LibreTranslate, Engine::DeepL] {
            let stand = Stand::start(manner.clone()).await;
            let (_key, mut settings) = service(engine, &stand.url);
            if matches!(manner, Manner::Hangs) {
                settings.longest_job = Duration::from_secs(1);
            }
            let error = translated(settings, "fr").await.unwrap_err();
            let told = format!("{error} {error:?}");
            assert_eq!(error.is_temporary(), temporary, "{manner:?}: {told}");
            assert!(!told.contains(KEY) && !told.contains("five"), "{told}");
            assert_eq!(stand.asked().len(), 1, "{manner:?}");
        }
    }
    let (_key, settings) = service(Engine::LibreTranslate, "http://127.0.0.1:1");
    let error = translated(settings, "fr").await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn without_its_key_a_service_is_not_asked() {
    let stand = Stand::start(Manner::Says(200, String::new())).await;
    let (key, settings) = service(Engine::DeepL, &stand.url);
    drop(key);
    let error = translated(settings, "fr").await.unwrap_err();
    assert!(error.to_string().starts_with("translation: the key cannot be read from "), "{error}");
    assert!(!error.is_temporary() && stand.asked().is_empty());
}

#[test]
fn settings_that_cannot_work_are_named() {
    let wrong = |settings: Settings| settings.check().unwrap_err();
    let default = Settings::default;
    assert_eq!(default().check(), Ok(()));
    let libre = Settings { engine: Engine::LibreTranslate, ..default() };
    assert_eq!(wrong(libre.clone()), "url: say where LibreTranslate is");
    let open = Settings { url: Some("http://example.org".into()), ..libre };
    assert!(wrong(open.clone()).contains("in the open"));
    assert_eq!(Settings { plain_http: true, ..open }.check(), Ok(()));
    assert!(wrong(Settings { engine: Engine::DeepL, ..default() }).contains("key"));
    assert!(wrong(Settings { engine: Engine::Command, ..default() }).starts_with("commands: "));
    let commands = BTreeMap::from([("english".to_owned(), vec!["cat".to_owned()])]);
    assert!(wrong(Settings { commands, ..default() }).contains("\"english\""));
}

/// A program for English to Spanish.
fn command(words: &[&str]) -> Settings {
    let words = words.iter().map(|&it| it.to_owned()).collect();
    let commands = BTreeMap::from([("en-es".to_owned(), words)]);
    Settings { engine: Engine::Command, commands, ..Settings::default() }
}

#[tokio::test]
async fn a_program_gets_the_text_on_its_standard_input_and_no_shell_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let text = format!("$(touch {0}) `touch {0}`; touch {0} | \"x\"", mark.display());
    let said = transcript("en", &text);
    let translation = translator(command(&["cat"])).translate(&said, "es").await.unwrap();
    assert_eq!((translation.text, translation.engine.as_str()), (text, "cat en-es"));
    assert!(!mark.exists());
    let error = translator(command(&["cat"])).translate(&transcript("de", "Hallo"), "es").await;
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "no translation command is set for de-es");
}

#[tokio::test]
async fn one_command_may_serve_all_languages() {
    let words = ["sh", "-c", "echo $0 $1", "{from}", "{to}"].map(str::to_owned).to_vec();
    let commands = BTreeMap::from([("any".to_owned(), words)]);
    let settings = Settings { commands, ..command(&["cat"]) };
    let told = translator(settings).translate(&transcript("de-AT", "Hallo"), "pt-BR").await;
    assert_eq!(told.unwrap().text, "de pt");
}

#[tokio::test]
async fn a_program_that_fails_hangs_or_does_not_stop_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let hang = format!("sleep 1000 & echo $! >{0}; wait", pids.display());
    let longest_job = Duration::from_millis(500);
    for (words, told) in [
        (vec!["/nonexistent/translator"], "/nonexistent/translator: No such file"),
        (vec!["false"], "false: exit status: 1"),
        (vec!["yes"], "yes: it said more than "),
        (vec!["printf", "\\377"], "printf: what it said is no text"),
        (vec!["sh", "-c", &hang], "translating took longer than 500ms"),
        (vec!["true"], "is no translation (0 bytes)"),
    ] {
        let settings = Settings { longest_job, ..command(&words) };
        let error = translated(settings, "es").await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        assert!(!error.contains("five"), "{error}");
    }
    let pid = std::fs::read_to_string(pids).unwrap();
    let gone = async {
        while Path::new("/proc").join(pid.trim()).join("exe").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("all it started is gone");
}

#[tokio::test]
async fn apertium_translates_and_keeps_the_numbers() {
    assert!(
        Path::new("/usr/share/apertium/modes/eng-spa.mode").exists(),
        "install apertium and apertium-eng-spa"
    );
    let settings = command(&["apertium", "-u", "eng-spa"]);
    let translation = translated(settings, "es").await.unwrap();
    assert!(translation.text.contains("número"), "{}", translation.text);
    assert!(translation.text.contains("cinco cinco cinco, cero un nueve nueve"), "{translation:?}");
    assert_eq!((translation.engine.as_str(), translation.difference), ("apertium en-es", None));
}

#[tokio::test]
async fn a_model_translates_in_a_worker_and_the_digit_it_loses_is_told() {
    let translator = Translator::new(Settings::default(), translation_models(), program());
    let said = transcript("en", "Good morning, please call me back as soon as you can.");
    let translation = translator.translate(&said, "pt").await.unwrap();
    assert!(translation.text.contains("assim que"), "{}", translation.text);
    assert_eq!((translation.language.as_str(), translation.difference), ("pt", None));
    assert_eq!(translation.engine, "fxtranslate en-pt");

    let lossy = transcript("en", "Call me at five five five, zero one nine nine.");
    let translation = translator.translate(&lossy, "pt").await.unwrap();
    let difference = translation.difference.expect(&translation.text);
    assert_eq!(difference.missing, ["5550199"], "{}", translation.text);
}

#[tokio::test]
async fn a_long_message_is_translated_to_its_end() {
    let translator = Translator::new(Settings::default(), translation_models(), program());
    let said = "I would like to speak about the invoice. We have not received it yet. ".repeat(60);
    let translation = translator.translate(&transcript("en", &said), "pt").await.unwrap();
    assert!(translation.text.matches("fatura").count() >= 55, "{}", translation.text);
}

#[tokio::test]
async fn a_missing_model_is_named_with_the_command_that_fetches_it() {
    let dir = tempfile::tempdir().unwrap();
    let translator = Translator::new(Settings::default(), dir.path().into(), program());
    let error = translator.translate(&transcript("en", SAID), "fr").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the translation model en-fr is missing; fetch it with `afterbeep model fetch en-fr`"
    );
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn files_that_are_no_model_are_refused_and_a_worker_that_dies_costs_a_second_try() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("en-fr");
    std::fs::create_dir(&model).unwrap();
    for name in ["model.bin", "source.spm", "target.spm"] {
        std::fs::write(model.join(name), "this is no model").unwrap();
    }
    let translator = Translator::new(Settings::default(), dir.path().into(), program());
    let error = translator.translate(&transcript("en", SAID), "fr").await.unwrap_err();
    assert!(!error.is_temporary(), "{error}");
    assert!(matches!(error, TranslateError::Worker(SpeechError::Refused(_))), "{error}");

    let dying = sham_worker(dir.path(), "kill -ABRT $$");
    let translator = Translator::new(Settings::default(), dir.path().into(), dying);
    let error = translator.translate(&transcript("en", SAID), "fr").await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn without_a_direct_model_the_way_leads_through_english() {
    let dir = tempfile::tempdir().unwrap();
    for pair in ["de-en", "en-fr"] {
        let model = dir.path().join(pair);
        std::fs::create_dir(&model).unwrap();
        for name in ["model.bin", "source.spm", "target.spm"] {
            std::fs::write(model.join(name), "").unwrap();
        }
    }
    // It answers in the order of the models it was started with.
    let script = r#"
        ready() { printf '\007\000\000\000\000\000\000\000"Ready"'; }
        ready
        case "$4" in
            *de-en) said='{"Done":"one moment"}' ;;
            *) said='{"Done":"un moment"}' ;;
        esac
        printf "\\$(printf %03o ${#said})\\000\\000\\000\\000\\000\\000\\000%s" "$said"
        cat >/dev/null"#;
    let worker = sham_worker(dir.path(), script);
    let translator = Translator::new(Settings::default(), dir.path().into(), worker);
    let translation = translator.translate(&transcript("de", "Moment"), "fr").await.unwrap();
    assert_eq!(translation.text, "un moment");
    assert_eq!(translation.engine, "fxtranslate de-en en-fr");
}

#[test]
fn what_is_in_the_wanted_language_already_is_not_translated() {
    let needed = |language, text, to| Translator::is_needed(&transcript(language, text), to);
    assert!(needed("en", "Hello", "fr"));
    assert!(!needed("fr", "Bonjour", "fr"));
    assert!(!needed("fr-CA", "Bonjour", "fr"));
    assert!(!needed("und", "Mm", "fr"));
    let silence = Transcript { segments: vec![], ..transcript("en", "") };
    assert!(!Translator::is_needed(&silence, "fr"));
}

/// The folder of the models, with the one for English to Portuguese in it.
fn translation_models() -> PathBuf {
    let models = models();
    let model = models.join("en-pt");
    assert!(model.join("model.bin").is_file(), "{} is missing: run `make models`", model.display());
    models
}
