//! How many words the recogniser gets wrong over a telephone line, and whether it invents any.
//!
//! `make accuracy` prints the figures of `docs/speech.md`. The clips are professional prompts from
//! Debian's packages, sent through G.711 µ-law; what is truly said in them stands in
//! `tests/data/accuracy`. The way is the product's: the speech gate, then the worker.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]
#![allow(missing_docs, unreachable_pub)]

mod noises;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use afterbeep::audio::{g711, resample::resample};
use afterbeep::speech::{Recogniser, Settings};

/// A model on a language, and the error rate it is to stay below.
struct Task {
    model: &'static str,
    language: &'static str,
    /// Percent of the words.
    target: f64,
}

const TASKS: [Task; 3] = [
    Task { model: "tiny.en", language: "en", target: 5.0 },
    Task { model: "base", language: "en", target: 5.0 },
    Task { model: "base", language: "fr", target: 18.0 },
];

/// Least clips of a language, and least seconds of a clip.
const CLIPS: usize = 30;
const SHORTEST: f32 = 3.0;

/// A clip and what is said in it.
struct Clip {
    name: String,
    said: String,
    /// As it comes out of the telephone, 8,000 a second.
    samples: Vec<i16>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|it| it == "--bench") {
        return ExitCode::SUCCESS;
    }
    let verbose = arguments.iter().any(|it| it == "words");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "{:8} {:8} {:>5} {:>7} {:>6} {:>7} {:>7}",
        "model", "language", "clips", "seconds", "words", "wrong", "target"
    );
    let mut met = true;
    for task in &TASKS {
        met &= runtime.block_on(measure(task, verbose));
    }
    for model in ["tiny.en", "base"] {
        met &= runtime.block_on(listen_to_nobody(model));
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The word error rate of a task, printed; whether its target is met.
async fn measure(task: &Task, verbose: bool) -> bool {
    let recogniser = recogniser(task.model);
    let clips = clips(task.language);
    let (mut said, mut wrong, mut strange, mut samples) = (0, 0, 0, 0);
    for clip in &clips {
        let transcript = recogniser.transcribe(&clip.samples, 8_000, None).await.unwrap();
        let reference = words::of(&clip.said, task.language);
        let heard = words::of(&transcript.text(), task.language);
        let errors = words::wrong(&reference, &heard);
        if verbose && errors > 0 {
            println!(
                "  {} ({errors})\n    said  {}\n    heard {}",
                clip.name,
                clip.said,
                transcript.text()
            );
        }
        said += reference.len();
        wrong += errors;
        samples += clip.samples.len();
        strange += usize::from(transcript.language != task.language);
    }
    let rate = 100.0 * wrong as f64 / said as f64;
    println!(
        "{:8} {:8} {:>5} {:>7} {:>6} {:>5.1} % {:>5.1} %  {}{}",
        task.model,
        task.language,
        clips.len(),
        samples / 8_000,
        said,
        rate,
        task.target,
        if rate <= task.target { "met" } else { "MISSED" },
        if strange > 0 { format!(", {strange} taken for another language") } else { String::new() }
    );
    rate <= task.target
}

/// Sounds that are no speech, a hundred calls of them: none may have a word.
async fn listen_to_nobody(model: &str) -> bool {
    let recogniser = recogniser(model);
    let mut invented = 0;
    let calls = noises::calls();
    for (name, samples) in &calls {
        let line: Vec<i16> = telephone(samples);
        let transcript = recogniser.transcribe(&line, 8_000, None).await.unwrap();
        if !transcript.segments.is_empty() {
            invented += 1;
            println!("  {name}: {}", transcript.text());
        }
    }
    println!("{model:8} words invented in {invented} of {} calls without speech", calls.len());
    invented == 0
}

fn recogniser(model: &str) -> Recogniser {
    let models = std::env::var_os("AFTERBEEP_TEST_MODELS").map(PathBuf::from);
    let models = models.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
    let file = models.join(format!("ggml-{model}.bin"));
    assert!(file.is_file(), "{} is missing: `make accuracy` fetches it", file.display());
    let settings = Settings { model: model.to_owned(), models, ..Settings::default() };
    Recogniser::new(settings, env!("CARGO_BIN_EXE_afterbeep").into())
}

/// The clips of a language, in the order of their list.
fn clips(language: &str) -> Vec<Clip> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/accuracy");
    let list = std::fs::read_to_string(list.join(format!("{language}.txt"))).unwrap();
    let lines = list.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    let clips: Vec<Clip> = lines.map(|line| clip(line, language)).collect();
    assert!(clips.len() >= CLIPS, "{language} has {} clips", clips.len());
    clips
}

fn clip(line: &str, language: &str) -> Clip {
    let (name, said) = line.split_once(": ").unwrap_or_else(|| panic!("no text in {line:?}"));
    let folder = match language {
        "en" => "/usr/share/asterisk/sounds/en_US_f_Allison",
        _ => "/usr/share/asterisk/sounds/fr_CA_f_June",
    };
    let path = format!("{folder}/{name}.wav");
    let wav = hound::WavReader::open(&path);
    let mut wav =
        wav.unwrap_or_else(|cause| panic!("{path}: {cause}; `make accuracy` installs it"));
    let rate = wav.spec().sample_rate;
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    let seconds = samples.len() as f32 / rate as f32;
    assert!(seconds >= SHORTEST, "{name} lasts {seconds} s");
    let samples = telephone(&resample(&samples, rate, 8_000));
    Clip { name: name.to_owned(), said: said.to_owned(), samples }
}

/// What is left of a sound after G.711 µ-law.
fn telephone(samples: &[i16]) -> Vec<i16> {
    samples.iter().map(|&it| g711::ULAW[usize::from(g711::ulaw_from(it))]).collect()
}
