//! Live sound: what comes over the network is decoded as it comes, in a limited process of its own.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use futures::{Stream, StreamExt};
use symphonia::core::io::ReadOnlySource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::{DecodeError, container, sound::Unfit};
use crate::sys::process;

/// Samples of a piece: half a second at [`RATE`](super::RATE).
pub const PIECE: usize = 8_000;
/// Address space of the worker, in bytes.
const MEMORY: u64 = 512 << 20;
/// Descriptors: its three, and some slack.
const FILES: u64 = 8;
/// Longest reason that is taken from a worker, in bytes.
const LONGEST_REASON: u64 = 500;

/// Decodes what comes until it ends, and sends it on in pieces of [`PIECE`] samples; waits when nobody
/// takes them. Dropping the future ends the worker.
///
/// # Errors
/// Why it can be decoded no further; that it ended is one, too.
pub(super) async fn relay<E>(
    program: &Path,
    sound: impl Stream<Item = Result<bytes::Bytes, E>>,
    pieces: &mpsc::Sender<Vec<i16>>,
) -> Result<(), DecodeError> {
    let failed = |error: std::io::Error| DecodeError::TooMuch(error.to_string());
    let mut child = Command::new(program)
        .args(["worker", "live"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut to), Some(mut from), Some(complaints)) = pipes else {
        return Err(DecodeError::TooMuch("a pipe is missing".to_owned()));
    };
    let filling = async {
        let mut sound = std::pin::pin!(sound);
        while let Some(Ok(bytes)) = sound.next().await {
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        drop(to);
        std::future::pending::<()>().await;
    };
    let emptying = async {
        let mut bytes = vec![0; 2 * PIECE];
        while from.read_exact(&mut bytes).await.is_ok() {
            let (pairs, _) = bytes.as_chunks();
            let piece = pairs.iter().map(|it| i16::from_le_bytes(*it)).collect();
            if pieces.send(piece).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = filling => {}
        () = emptying => {}
    }
    let mut reason = String::new();
    complaints.take(LONGEST_REASON).read_to_string(&mut reason).await.ok();
    let reason = reason.trim();
    Err(DecodeError::Unfit(if reason.is_empty() { "ended" } else { reason }.to_owned()))
}

/// The worker's side: sound from `stdin`, samples to `stdout`. What is wrong goes to `complaints`.
///
/// # Errors
/// When it cannot limit itself.
pub fn run(
    stdin: impl Read + Send + Sync + 'static,
    mut stdout: impl Write,
    mut complaints: impl Write,
) -> anyhow::Result<()> {
    process::confine(process::Limits { memory: MEMORY, files: FILES, seconds: None })?;
    let source = Box::new(ReadOnlySource::new(stdin));
    let heard = container::hear_live(source, &mut |intake, _| {
        let samples = intake.drain();
        let bytes: Vec<u8> =
            samples.iter().flat_map(|it| ((it * 32_768.0).round() as i16).to_le_bytes()).collect();
        // Whoever does not listen any more does not want to know either.
        stdout.write_all(&bytes).and_then(|()| stdout.flush()).map_err(|_| Unfit::NoSound)
    });
    if let Err(error) = heard {
        write!(complaints, "{error}").ok();
    }
    Ok(())
}
