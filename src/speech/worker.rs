//! The worker's side: a process that loads a model once and works through what it is sent: voices
//! to be written down, or texts to be translated.
//!
//! It runs native code on strangers' words, so it starts by giving up all it does not need. It
//! ends when its standard input closes, in the middle of a job too: that is how it learns that the
//! server is gone. (A parent-death signal would follow the thread that started it, not the server.)

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::mpsc;

use anyhow::Context;
use serde::de::DeserializeOwned;

use super::frame::{self, Answer, Job, Passage};
use super::translate::engine::Engine as Translator;
#[cfg(feature = "whisper")]
use super::whisper::Engine;
#[cfg(not(feature = "whisper"))]
use super::without::Engine;
use crate::sys::process;

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
    serve(stdin, stdout, args.memory, load, |engine, job: Job, body| {
        let heard = engine.transcribe(&samples(&body), job.language.as_deref(), &job.among)?;
        Ok(Answer::Heard(heard))
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
    serve(stdin, stdout, args.memory, load, |engine, job: Passage, _| {
        Ok(Answer::Translated(engine.translate(&job.text)?))
    })
}

fn serve<E, J: DeserializeOwned + Send + 'static>(
    stdin: impl Read + Send + 'static,
    mut stdout: impl Write,
    memory: u64,
    load: impl FnOnce() -> anyhow::Result<E>,
    work: impl Fn(&E, J, Vec<u8>) -> anyhow::Result<Answer>,
) -> anyhow::Result<()> {
    let memory = memory.saturating_mul(1 << 20);
    process::confine(process::Limits { memory, files: FILES })
        .context("the worker could not limit itself")?;
    let jobs = listen(stdin);
    let engine = match load() {
        Ok(engine) => engine,
        Err(cause) => return say(&mut stdout, &Answer::Refused(format!("{cause:#}"))),
    };
    say(&mut stdout, &Answer::Ready)?;
    for (job, body) in jobs {
        let answer = work(&engine, job, body);
        say(&mut stdout, &answer.unwrap_or_else(|cause| Answer::Failed(format!("{cause:#}"))))?;
    }
    Ok(())
}

/// Jobs as they come, read by a thread of its own that ends the process with the pipe.
fn listen<J: DeserializeOwned + Send + 'static>(
    mut stdin: impl Read + Send + 'static,
) -> mpsc::Receiver<(J, Vec<u8>)> {
    let (to, jobs) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        while let Ok(job) = frame::read(&mut stdin) {
            if to.send(job).is_err() {
                return;
            }
        }
        process::leave(0);
    });
    jobs
}

fn say(stdout: &mut impl Write, answer: &Answer) -> anyhow::Result<()> {
    stdout.write_all(&frame::encode(answer, 0)?).context("the server does not listen")?;
    stdout.flush().context("the server does not listen")
}

/// 16-bit little-endian samples as the engine wants them, from -1 to 1.
fn samples(body: &[u8]) -> Vec<f32> {
    let scaled = |pair: &[u8; 2]| f32::from(i16::from_le_bytes(*pair)) / 32_768.0;
    body.as_chunks().0.iter().map(scaled).collect()
}
