//! The worker's side: one file in, its sound out.

use std::io::{Read, Write};

use super::{RawKind, sound};
use crate::audio::music::Music;
use crate::sys::process;
use crate::worker::{bytes, serve};

/// Address space: the largest file, its sound at 16 kHz, and what is made of it.
const MEMORY: u64 = 768 << 20;
/// Descriptors: its three, and some slack.
const FILES: u64 = 8;
/// Processor time, in seconds; five minutes of MP3 take one.
const SECONDS: u64 = 20;
/// Processor time of music, in seconds; half an hour of MP3 takes 30.
const SECONDS_MUSIC: u64 = 180;

/// Decodes what comes until `stdin` closes, and then ends the process. `stdout` must carry nothing
/// else.
///
/// # Errors
/// When the server cannot be understood or answered; a file that cannot be read is an answer.
pub fn run(stdin: impl Read + Send + 'static, stdout: impl Write) -> anyhow::Result<()> {
    let limits = process::Limits { memory: MEMORY, files: FILES, seconds: Some(SECONDS) };
    serve(stdin, stdout, limits, || Ok(()), |(), (): (), file, _| Ok(((), bytes(&decoded(file)?))))
}

/// The same for music: what is sent back is a track as it is kept.
///
/// # Errors
/// As with [`run`].
pub fn run_music(stdin: impl Read + Send + 'static, stdout: impl Write) -> anyhow::Result<()> {
    let limits = process::Limits { memory: MEMORY, files: FILES, seconds: Some(SECONDS_MUSIC) };
    serve(
        stdin,
        stdout,
        limits,
        || Ok(()),
        |(), kind: Option<RawKind>, file, told| Ok(((), track(file, kind, told)?.to_bytes())),
    )
}

/// What the worker makes of a file, here: for those who look for files that harm it.
///
/// # Errors
/// When the file cannot be read; the sentence goes on where its name ends.
pub fn decoded(file: Vec<u8>) -> anyhow::Result<Vec<i16>> {
    Ok(sound::greeting(file)?)
}

/// The same for music; `told` hears how far it is, in per cent.
///
/// # Errors
/// As with [`decoded`].
pub fn track(
    file: Vec<u8>,
    kind: Option<RawKind>,
    told: &mut dyn FnMut(u8),
) -> anyhow::Result<Music> {
    Ok(sound::music(file, kind, told)?)
}
