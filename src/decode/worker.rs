//! The worker's side: one file in, its sound out.

use std::io::{Read, Write};

use super::sound;
use crate::sys::process;
use crate::worker::{bytes, serve};

/// Address space: the largest file, five minutes of it at 192 kHz, and the filter between.
const MEMORY: u64 = 768 << 20;
/// Descriptors: its three, and some slack.
const FILES: u64 = 8;
/// Processor time, in seconds; five minutes of MP3 take one.
const SECONDS: u64 = 20;

/// Decodes what comes until `stdin` closes, and then ends the process. `stdout` must carry nothing
/// else.
///
/// # Errors
/// When the server cannot be understood or answered; a file that cannot be read is an answer.
pub fn run(stdin: impl Read + Send + 'static, stdout: impl Write) -> anyhow::Result<()> {
    let limits = process::Limits { memory: MEMORY, files: FILES, seconds: Some(SECONDS) };
    serve(stdin, stdout, limits, || Ok(()), |(), (): (), file| Ok(((), bytes(&decoded(file)?))))
}

/// What the worker makes of a file, here: for those who look for files that harm it.
///
/// # Errors
/// When the file cannot be read; the sentence goes on where its name ends.
pub fn decoded(file: Vec<u8>) -> anyhow::Result<Vec<i16>> {
    Ok(sound::of(file)?)
}
