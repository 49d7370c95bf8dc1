//! Messages written down by a service elsewhere.

use std::time::Duration;

use afterbeep::audio::wav;
use afterbeep::speech::{Readiness, Recogniser, Settings, SpeechError, remote};
use serde_json::json;

use super::recogniser::program;
use super::stand::{Manner, Stand};
use super::{sentence, tones};

const KEY: &str = "sk-secret";

/// A recogniser that has no model of its own.
fn recogniser(url: &str, key: &tempfile::NamedTempFile, longest_job: Duration) -> Recogniser {
    std::fs::write(key.path(), KEY).unwrap();
    let remote = remote::Settings {
        url: url.to_owned(),
        model: "whisper-1".to_owned(),
        key_file: Some(key.path().to_owned()),
        plain_http: false,
    };
    let models = "/nonexistent".into();
    let settings = Settings { models, remote: Some(remote), longest_job, ..Settings::default() };
    Recogniser::new(settings, program())
}

#[tokio::test]
async fn a_service_is_asked_by_openais_contract_and_its_segments_are_kept() {
    let answer = json!({
        "task": "transcribe", "language": "english", "duration": 4.2,
        "text": "And Mr. John Dashwood had then leisure.",
        "segments": [
            { "id": 0, "start": 0.0, "end": 1.5, "text": " And Mr. John", "avg_logprob": -0.1 },
            { "id": 1, "start": 1.5, "end": 2.0, "text": " [BLANK_AUDIO]", "avg_logprob": -0.1 },
            { "id": 2, "start": 2.0, "end": 4.2, "text": " Dashwood", "avg_logprob": -0.7 },
        ],
    });
    let stand = Stand::start(Manner::Says(200, answer.to_string())).await;
    let key = tempfile::NamedTempFile::new().unwrap();
    let recogniser = recogniser(&stand.url, &key, Duration::from_secs(20));
    assert_eq!(recogniser.readiness(), Readiness::Ready { model: "remote whisper-1".to_owned() });
    let transcript = recogniser.transcribe(&sentence(), 16_000, Some("en-GB")).await.unwrap();
    assert_eq!(transcript.text(), "And Mr. John Dashwood");
    assert_eq!(
        (transcript.language.as_str(), transcript.engine.as_str()),
        ("en", "remote whisper-1")
    );
    assert_eq!((transcript.segments[1].start_ms, transcript.segments[1].end_ms), (2_000, 4_200));
    assert!((transcript.segments[0].confidence - 0.904_8).abs() < 0.001);

    let [asked] = &stand.asked()[..] else { panic!("asked once") };
    assert_eq!(asked.path, "/v1/audio/transcriptions");
    assert_eq!(asked.header("authorization"), format!("Bearer {KEY}"));
    let boundary = asked.header("content-type").strip_prefix("multipart/form-data; boundary=");
    let form = Form::parse(&asked.body, boundary.unwrap());
    let fields = ["model", "response_format", "language"].map(|it| form.field(it));
    assert_eq!(fields, ["whisper-1", "verbose_json", "en"]);
    let sound = wav::from_wav(form.part("file"), 3_600).unwrap();
    assert_eq!((sound.rate, sound.samples), (16_000, sentence()));
}

#[tokio::test]
async fn where_nobody_speaks_nothing_is_sent() {
    let stand = Stand::start(Manner::Says(200, json!({ "text": "Thank you." }).to_string())).await;
    let key = tempfile::NamedTempFile::new().unwrap();
    let recogniser = recogniser(&stand.url, &key, Duration::from_secs(20));
    for nobody in [vec![0; 80_000], tones(&[440.0], 5.0, 8_000)] {
        let transcript = recogniser.transcribe(&nobody, 8_000, None).await.unwrap();
        assert!(transcript.segments.is_empty());
    }
    assert!(stand.asked().is_empty());
}

#[tokio::test]
async fn failures_are_told_apart_and_name_neither_key_nor_words() {
    let says = |status, text: &str| Manner::Says(status, text.to_owned());
    let echo = json!({ "error": { "message": format!("Incorrect API key: {KEY}") } }).to_string();
    for (manner, temporary, ours) in [
        (says(429, &echo), true, false),
        (says(500, &echo), true, false),
        (says(401, &echo), false, true),
        (says(404, ""), false, true),
        (says(400, &echo), false, false),
        (says(413, ""), false, false),
        (says(200, "junk"), false, false),
        (Manner::Huge, false, false),
        (Manner::Hangs, true, false),
    ] {
        let stand = Stand::start(manner.clone()).await;
        let key = tempfile::NamedTempFile::new().unwrap();
        let patience = if matches!(manner, Manner::Hangs) { 300 } else { 20_000 };
        let recogniser = recogniser(&stand.url, &key, Duration::from_millis(patience));
        let error = recogniser.transcribe(&sentence(), 16_000, None).await.unwrap_err();
        assert!(matches!(error, SpeechError::Service(_)), "{error}");
        assert_eq!((error.is_temporary(), error.is_ours()), (temporary, ours), "{error}");
        assert!(!format!("{error} {error:?}").contains(KEY), "{error:?}");
    }
}

/// The parts of a form: their heads and contents.
struct Form<'a>(Vec<(String, &'a [u8])>);

impl<'a> Form<'a> {
    fn parse(body: &'a [u8], boundary: &str) -> Self {
        let line = format!("--{boundary}");
        let find = |in_: &[u8], what: &[u8]| in_.windows(what.len()).position(|it| it == what);
        let mut parts = Vec::new();
        let mut rest = &body[line.len()..];
        while let Some(part) = rest.strip_prefix(b"\r\n") {
            let head = find(part, b"\r\n\r\n").unwrap();
            let end = find(part, format!("\r\n{line}").as_bytes()).unwrap();
            let text = String::from_utf8(part[..head].to_vec()).unwrap();
            parts.push((text, &part[head + 4..end]));
            rest = &part[end + 2 + line.len()..];
        }
        assert_eq!(rest, b"--\r\n");
        Self(parts)
    }

    fn part(&self, name: &str) -> &'a [u8] {
        let named = |it: &&(String, &[u8])| it.0.contains(&format!("name=\"{name}\""));
        self.0.iter().find(named).unwrap().1
    }

    fn field(&self, name: &str) -> &'a str {
        std::str::from_utf8(self.part(name)).unwrap()
    }
}
