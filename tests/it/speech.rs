//! Transcription and translation: from a recording to its words, and where models come from.

mod gate;
mod model;
mod pairs;
mod recogniser;
mod remote;
mod stand;
#[cfg(feature = "pico")]
mod synthesis;
mod tags;
mod translate;

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};

/// A recording that a package of test speech or prompts installed: its samples and their rate.
fn recording(path: &str) -> (Vec<i16>, u32) {
    let mut wav = hound::WavReader::open(path).unwrap_or_else(|cause| {
        panic!("{path}: {cause}; install pocketsphinx-testdata and asterisk-core-sounds-en-wav")
    });
    let rate = wav.spec().sample_rate;
    (wav.samples().map(Result::unwrap).collect(), rate)
}

/// A sentence read by a volunteer, at 16,000 samples a second.
fn sentence() -> Vec<i16> {
    recording(SENTENCE).0
}

const SENTENCE: &str =
    "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav";

/// Steady tones, together as loud as a telephone exchange's.
fn tones(frequencies: &[f32], seconds: f32, rate: u32) -> Vec<i16> {
    let sample = |at: usize| {
        let time = at as f32 / rate as f32;
        let sum: f32 = frequencies.iter().map(|it| (TAU * it * time).sin()).sum();
        (sum * 6_000.0 / frequencies.len() as f32) as i16
    };
    (0..(seconds * rate as f32) as usize).map(sample).collect()
}

/// White noise, the same each time; `peak` of 32,768.
fn noise(peak: i32, samples: usize) -> Vec<i16> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) as i32 % (2 * peak + 1) - peak) as i16
    };
    (0..samples).map(|_| next()).collect()
}

/// Where the test models lie.
fn models() -> PathBuf {
    let dir = std::env::var_os("AFTERBEEP_TEST_MODELS").map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
    let model = dir.join("ggml-tiny.en.bin");
    assert!(model.is_file(), "{} is missing: run `make models` first", model.display());
    dir
}
