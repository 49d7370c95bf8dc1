//! What the workers of speech do: write voices down, translate texts, and speak them.

use std::io::{Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::translate::engine::Engine as Translator;
#[cfg(feature = "whisper")]
use super::whisper::Engine;
#[cfg(not(feature = "whisper"))]
use super::without::Engine;
use crate::mailbox::Segment;
use crate::sys::process;
use crate::worker;

/// What a worker that writes down is given. The samples are the body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// The language spoken, if it is known.
    pub(super) language: Option<String>,
    /// Otherwise one of these; empty for any.
    pub(super) among: Vec<String>,
}

/// A message written down.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Heard {
    /// ISO 639-1, as given or as detected.
    pub(super) language: String,
    /// In the order spoken.
    pub(super) segments: Vec<Segment>,
}

/// What a translator is given, in the language its model translates from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Passage {
    pub(super) text: String,
}

/// What a worker that writes down is told on its command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The model's file.
    #[arg(long)]
    pub model: PathBuf,
    /// Threads to compute with.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Address space, in MiB.
    #[arg(long, default_value_t = 2048)]
    pub memory: u64,
}

/// What a worker that translates is told on its command line.
#[derive(Debug, Clone, clap::Args)]
pub struct TranslateArgs {
    /// The model's folder.
    #[arg(long)]
    pub model: PathBuf,
    /// Address space, in MiB.
    #[arg(long, default_value_t = 1024)]
    pub memory: u64,
}

/// Descriptors a worker may have open: its three, the model while it loads, and some slack.
const FILES: u64 = 16;

/// Writes down what comes until `stdin` closes, and then ends the process. `stdout` must carry
/// nothing else.
///
/// # Errors
/// When the server cannot be understood or answered; a model that cannot be loaded and a job that
/// fails are answers.
pub fn run(
    stdin: impl Read + Send + 'static,
    stdout: impl Write,
    args: &Args,
) -> anyhow::Result<()> {
    let load = || Engine::load(&args.model, args.threads);
    worker::serve(stdin, stdout, limits(args.memory), load, |engine, job: Job, body, _| {
        let heard = engine.transcribe(&scaled(&body), job.language.as_deref(), &job.among)?;
        Ok((heard, Vec::new()))
    })
}

/// The same for a worker that translates.
///
/// # Errors
/// As with [`run`].
pub fn run_translator(
    stdin: impl Read + Send + 'static,
    stdout: impl Write,
    args: &TranslateArgs,
) -> anyhow::Result<()> {
    let load = || Translator::load(&args.model);
    worker::serve(stdin, stdout, limits(args.memory), load, |engine, job: Passage, _, _| {
        Ok((engine.translate(&job.text)?, Vec::new()))
    })
}

fn limits(memory: u64) -> process::Limits {
    process::Limits { memory: memory.saturating_mul(1 << 20), files: FILES, seconds: None }
}

/// Samples as the engine wants them, from -1 to 1.
fn scaled(body: &[u8]) -> Vec<f32> {
    worker::samples(body).into_iter().map(|it| f32::from(it) / 32_768.0).collect()
}
