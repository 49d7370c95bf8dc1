//! The worker's side: texts in, samples out.

use std::io::{Read, Write};
use std::path::PathBuf;

use super::{Line, engine};
use crate::sys::process;
use crate::worker::{bytes, serve};

/// What a worker that speaks is told on its command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The voice.
    #[arg(long)]
    pub voice: String,
    /// Where it is unpacked.
    #[arg(long)]
    pub folder: PathBuf,
}

/// Address space, far more than the largest voice takes.
const MEMORY: u64 = 256 << 20;
/// Descriptors: its three, the voice while it loads, and some slack.
const FILES: u64 = 16;

/// Speaks what comes until `stdin` closes, and then ends the process. `stdout` must carry nothing
/// else.
///
/// # Errors
/// When the server cannot be understood or answered; a text that cannot be spoken is an answer.
pub fn run(
    stdin: impl Read + Send + 'static,
    stdout: impl Write,
    args: &Args,
) -> anyhow::Result<()> {
    // Pico reads files only, and a worker may write none once it is confined.
    let files = engine::unpack(&args.voice, &args.folder);
    let limits = process::Limits { memory: MEMORY, files: FILES, seconds: None };
    let load = || engine::Engine::load(&files?);
    serve(stdin, stdout, limits, load, |engine, line: Line, _, _| {
        Ok(((), bytes(&engine.speak(&line.text)?)))
    })
}
