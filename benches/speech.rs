//! What a transcript costs through our worker, against the same engine run bare.
//!
//! Both sides do the same jobs on the same ten seconds with the same model, window and threads; the
//! figure is CPU time (user and system) as the kernel counts it, ours with the server's own share.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]

mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use afterbeep::speech::{Recogniser, Settings};
use process::{child, cpu};

/// Jobs of one round, and rounds, taken in turns because the machine is not ours alone; for the same
/// reason the least of each side counts.
const JOBS: usize = 3;
const ROUNDS: usize = 5;
/// What our side may cost more, as promised.
const TARGET: f64 = 1.05;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, model] = &arguments[..]
        && word == "bare"
    {
        bare(Path::new(model));
        return ExitCode::SUCCESS;
    }
    if !arguments.iter().any(|it| it == "--bench") {
        return ExitCode::SUCCESS;
    }
    let models = std::env::var_os("AFTERBEEP_TEST_MODELS").map(PathBuf::from);
    let models = models.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
    let model = models.join("ggml-tiny.en.bin");
    if !model.is_file() {
        eprintln!("{} is missing: run `make models` first", model.display());
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("{:>6} {:>12} {:>12} {:>12} {:>7}", "round", "worker", "server", "bare", "ratio");
    let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
    for round in 1..=ROUNDS {
        let (worker, server) = runtime.block_on(through_our_worker(&models));
        let bare = in_a_child(&model);
        let ratio = (worker + server) / bare;
        println!("{round:>6} {worker:>10.2} s {server:>10.2} s {bare:>10.2} s {ratio:>7.3}");
        (ours, theirs) = (ours.min(worker + server), theirs.min(bare));
    }
    let ratio = ours / theirs;
    println!("ratio of the least of each {ratio:.3}, to be at most {TARGET}");
    if ratio <= TARGET { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// CPU seconds of the worker and of this process for a round.
async fn through_our_worker(models: &Path) -> (f64, f64) {
    let settings =
        Settings { model: "tiny.en".into(), models: models.to_owned(), ..Settings::default() };
    let recogniser = Recogniser::new(settings, env!("CARGO_BIN_EXE_afterbeep").into());
    let clip = clip();
    let before = cpu("self");
    for _ in 0..JOBS {
        let transcript = recogniser.transcribe(&clip, 16_000, Some("en")).await.unwrap();
        assert!(!transcript.segments.is_empty());
    }
    (cpu(&child()), cpu("self") - before)
}

/// CPU seconds of a process that only runs the engine.
fn in_a_child(model: &Path) -> f64 {
    let bare = Command::new(std::env::current_exe().unwrap()).arg("bare").arg(model).output();
    String::from_utf8(bare.unwrap().stdout).unwrap().trim().parse().unwrap()
}

/// The engine and nothing else.
#[cfg(feature = "whisper")]
fn bare(model: &Path) {
    use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters};
    whisper_rs::install_logging_hooks();
    let mut parameters = WhisperContextParameters::default();
    parameters.use_gpu(false);
    let context = WhisperContext::new_with_params(model, parameters).unwrap();
    let samples: Vec<f32> = clip().iter().map(|&it| f32::from(it) / 32_768.0).collect();
    for _ in 0..JOBS {
        let mut state = context.create_state().unwrap();
        let mut full = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        full.set_n_threads(1);
        full.set_language(Some("en"));
        full.set_no_context(true);
        full.set_audio_ctx(500 + 128);
        full.set_print_progress(false);
        full.set_print_realtime(false);
        full.set_print_timestamps(false);
        state.full(full, &samples).unwrap();
        assert!(state.full_n_segments() > 0);
    }
    println!("{}", cpu("self"));
}

#[cfg(not(feature = "whisper"))]
fn bare(_: &Path) {
    panic!("built without speech recognition")
}

/// Ten seconds of reading, at 16,000 samples a second.
fn clip() -> Vec<i16> {
    let folder = "/usr/share/pocketsphinx/test/data/librivox";
    let name = |part| format!("{folder}/sense_and_sensibility_01_austen_64kb-{part}.wav");
    let read = |part| hound::WavReader::open(name(part)).expect("install pocketsphinx-testdata");
    let parts = ["0870", "0890", "0920"].map(|part| read(part).into_samples().map(Result::unwrap));
    let clip: Vec<i16> = parts.into_iter().flatten().take(160_000).collect();
    assert_eq!(clip.len(), 160_000);
    clip
}
