//! Recordings become words, in a worker process that may fail without harm.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use afterbeep::speech::{Readiness, Recogniser, Settings, SpeechError};
use tempfile::TempDir;

use super::{models, recording, sentence, tones};

/// Our own program, which is also the worker.
pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_afterbeep").into()
}

fn settings() -> Settings {
    Settings { model: "tiny.en".to_owned(), models: models(), ..Settings::default() }
}

/// A folder with something in it that is called like a model.
fn sham_model(content: &[u8]) -> (TempDir, Settings) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ggml-tiny.en.bin"), content).unwrap();
    let models = dir.path().to_owned();
    (dir, Settings { model: "tiny.en".to_owned(), models, ..Settings::default() })
}

/// A shell script in the place of our program.
pub fn sham_worker(dir: &Path, script: &str) -> PathBuf {
    let path = dir.join("worker");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// Lower-case words without punctuation.
fn words(text: &str) -> Vec<String> {
    let plain = text.to_lowercase().replace(|it: char| !it.is_alphanumeric() && it != ' ', "");
    plain.split_whitespace().map(str::to_owned).collect()
}

/// Words wrong, missing or too many, by the least number of edits.
fn wrong(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (at, word) in said.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in heard.iter().enumerate() {
            let changed = corner + usize::from(word != other);
            corner = row[column + 1];
            row[column + 1] = changed.min(corner + 1).min(row[column] + 1);
        }
    }
    row[heard.len()]
}

const SAID: &str = "and mister john dashwood had then leisure to consider how much there might be \
                    prudently in his power to do for them";

#[tokio::test]
async fn a_read_sentence_is_written_down() {
    let sentence = sentence();
    let length = sentence.len() as u32 / 16;
    let transcript =
        Recogniser::new(settings(), program()).transcribe(&sentence, 16_000, None).await.unwrap();
    let heard = words(&transcript.text().replace("Mr.", "mister"));
    assert!(wrong(&words(SAID), &heard) <= 2, "{}", transcript.text());
    assert_eq!(
        (transcript.language.as_str(), transcript.engine.as_str()),
        ("en", "whisper tiny.en")
    );
    let (first, last) = (&transcript.segments[0], transcript.segments.last().unwrap());
    assert!(first.start_ms < 1_000 && last.end_ms > length / 2, "{transcript:?}");
    assert!(transcript.segments.iter().all(|it| it.start_ms <= it.end_ms));
    assert!(transcript.segments.iter().all(|it| (0.5..=1.0).contains(&it.confidence)));
}

#[tokio::test]
async fn telephone_sound_is_written_down_whatever_language_was_asked_of_an_english_model() {
    let (prompt, rate) = recording("/usr/share/asterisk/sounds/en_US_f_Allison/vm-intro.wav");
    assert_eq!(rate, 8_000);
    let recogniser = Recogniser::new(settings(), program());
    let transcript = recogniser.transcribe(&prompt, rate, Some("fr")).await.unwrap();
    let said = "please leave your message after the tone when done hang up or press the pound key";
    assert!(wrong(&words(said), &words(&transcript.text())) <= 2, "{}", transcript.text());
    assert_eq!(transcript.language, "en");
}

#[tokio::test]
async fn a_message_longer_than_a_window_is_written_down_to_its_end() {
    let pause = vec![0; 16_000];
    let message = [sentence(), pause].concat().repeat(6);
    assert!(message.len() > 40 * 16_000);
    let recogniser = Recogniser::new(settings(), program());
    let transcript = recogniser.transcribe(&message, 16_000, None).await.unwrap();
    let heard = words(&transcript.text());
    assert!(heard.iter().filter(|it| *it == "prudently").count() >= 5, "{}", transcript.text());
    assert!(transcript.segments.last().unwrap().end_ms > 35_000);
}

#[tokio::test]
async fn where_nobody_speaks_no_worker_is_asked() {
    let (dir, settings) = sham_model(b"");
    let marker = dir.path().join("asked");
    let program = sham_worker(dir.path(), &format!("touch {}", marker.display()));
    let recogniser = Recogniser::new(settings, program);
    for nobody in [vec![], vec![0; 80_000], tones(&[440.0], 5.0, 8_000)] {
        let transcript = recogniser.transcribe(&nobody, 8_000, Some("en")).await.unwrap();
        assert_eq!((transcript.segments, transcript.language.as_str()), (vec![], "en"));
    }
    assert!(!marker.exists());
}

#[tokio::test]
async fn a_worker_that_dies_costs_a_temporary_error_and_the_next_job_has_a_new_one() {
    let (dir, settings) = sham_model(b"");
    // It dies the first time, and is the real one after that.
    let script = "cd \"${0%/*}\"; [ -e died ] || { : >died; kill -ABRT $$; }; ";
    let call = format!("exec {} \"$@\"", program().display());
    let model = models().join("ggml-tiny.en.bin");
    std::fs::remove_file(dir.path().join("ggml-tiny.en.bin")).unwrap();
    std::os::unix::fs::symlink(model, dir.path().join("ggml-tiny.en.bin")).unwrap();
    let worker = sham_worker(dir.path(), &format!("{script}{call}"));
    let recogniser = Recogniser::new(settings, worker);
    let lost = recogniser.transcribe(&sentence(), 16_000, None).await.unwrap_err();
    assert!(matches!(&lost, SpeechError::Lost { .. }) && lost.is_temporary(), "{lost}");
    let transcript = recogniser.transcribe(&sentence(), 16_000, None).await.unwrap();
    assert!(!transcript.segments.is_empty());
}

#[tokio::test]
async fn a_worker_that_runs_out_of_its_memory_costs_a_temporary_error() {
    let recogniser = Recogniser::new(Settings { memory: 100, ..settings() }, program());
    let lost = recogniser.transcribe(&sentence(), 16_000, None).await.unwrap_err();
    assert!(matches!(&lost, SpeechError::Lost { .. }) && lost.is_temporary(), "{lost}");
}

#[tokio::test]
async fn a_worker_that_hangs_is_ended_when_its_time_is_up() {
    let (dir, settings) = sham_model(b"");
    let worker = sham_worker(dir.path(), "echo $$ >\"${0%/*}/pid\"; exec sleep 1000");
    let settings = Settings { longest_job: Duration::from_millis(500), ..settings };
    let error = Recogniser::new(settings, worker).transcribe(&sentence(), 16_000, None).await;
    let error = error.unwrap_err();
    assert!(matches!(error, SpeechError::TimedOut(_)) && error.is_temporary(), "{error}");
    let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
    let gone = async {
        while Path::new("/proc").join(pid.trim()).exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the worker is gone");
}

#[tokio::test]
async fn more_than_the_queue_holds_are_told_to_come_back() {
    let (dir, settings) = sham_model(b"");
    let worker = sham_worker(dir.path(), "exec sleep 1000");
    let settings =
        Settings { queue: 1, workers: 1, longest_job: Duration::from_secs(2), ..settings };
    let recogniser = Recogniser::new(settings, worker);
    let sentence = sentence();
    let job = || recogniser.transcribe(&sentence, 16_000, None);
    let (first, second, third) = tokio::join!(job(), job(), job());
    assert!(matches!(first, Err(SpeechError::TimedOut(_))));
    assert!(matches!(second, Err(SpeechError::TimedOut(_))));
    let busy = third.unwrap_err();
    assert!(matches!(busy, SpeechError::Busy { .. }) && busy.is_temporary());
}

#[tokio::test]
async fn a_file_that_is_no_model_is_refused_for_good() {
    let (_dir, settings) = sham_model(b"this is no model");
    let recogniser = Recogniser::new(settings, program());
    let refused = recogniser.transcribe(&sentence(), 16_000, None).await.unwrap_err();
    assert!(matches!(refused, SpeechError::Refused(_)) && !refused.is_temporary(), "{refused}");
}

#[tokio::test]
async fn a_missing_model_is_named_with_its_path_and_the_command_that_fetches_it() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().to_owned();
    let settings = Settings { model: "auto".to_owned(), models, ..Settings::default() };
    let recogniser = Recogniser::new(settings, program());
    let Readiness::NoModel { name, path, command } = recogniser.readiness() else {
        panic!("there is a model")
    };
    assert_eq!((name.as_str(), path), ("base", dir.path().join("ggml-base.bin")));
    let error = recogniser.transcribe(&sentence(), 16_000, None).await.unwrap_err();
    assert!(!error.is_temporary() && error.to_string().contains(&command), "{error}");

    std::fs::write(dir.path().join("ggml-tiny.en.bin"), b"").unwrap();
    assert_eq!(recogniser.readiness(), Readiness::Ready { model: "whisper tiny.en".to_owned() });
}

#[tokio::test]
async fn a_worker_is_replaced_after_its_share_of_jobs() {
    let (dir, settings) = sham_model(b"");
    let model = models().join("ggml-tiny.en.bin");
    std::fs::remove_file(dir.path().join("ggml-tiny.en.bin")).unwrap();
    std::os::unix::fs::symlink(model, dir.path().join("ggml-tiny.en.bin")).unwrap();
    let script = format!("echo x >>\"${{0%/*}}/started\"; exec {} \"$@\"", program().display());
    let worker = sham_worker(dir.path(), &script);
    let recogniser = Recogniser::new(Settings { jobs_per_worker: 2, ..settings }, worker);
    let (prompt, rate) = recording("/usr/share/asterisk/sounds/en_US_f_Allison/vm-goodbye.wav");
    for _ in 0..3 {
        recogniser.transcribe(&prompt, rate, None).await.unwrap();
    }
    let started = std::fs::read_to_string(dir.path().join("started")).unwrap();
    assert_eq!(started.lines().count(), 2);
}

#[test]
fn a_worker_steps_back_and_ends_with_its_pipe_even_in_the_middle_of_a_job() {
    let model = models().join("ggml-tiny.en.bin");
    let mut worker = Command::new(program())
        .args(["worker", "speech", "--model"])
        .arg(model)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut hello = [0; 8];
    std::io::Read::read_exact(worker.stdout.as_mut().unwrap(), &mut hello).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let (nice, policy) = (fields[16], fields[38]);
    assert_eq!((nice, policy), ("19", "3"), "nice 19 and SCHED_BATCH");

    // An hour's work, and nobody left to wait for it.
    let header = br#"{"language":null,"among":[]}"#;
    let body: Vec<u8> = sentence().repeat(60).iter().flat_map(|it| it.to_le_bytes()).collect();
    let lengths = [header.len() as u32, body.len() as u32].map(u32::to_le_bytes).concat();
    let mut stdin = worker.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &[&lengths, &header[..], &body].concat()).unwrap();
    drop(stdin);
    assert!(worker.wait().unwrap().success());
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut worker.stdout.take().unwrap(), &mut rest).unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("Heard"), "it finished the job instead");
}
