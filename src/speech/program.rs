//! A program of the operator's: text in, an answer out.
//!
//! It is started directly, never through a shell, and the text goes to its standard input. It and
//! all it has started end with our patience.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::sys::process;

/// Why a program gave no answer.
#[derive(Debug)]
pub(super) enum ProgramError {
    /// It could not be run, or failed: what the system says.
    Failed(String),
    /// It took longer than it may.
    TimedOut,
}

/// Runs a program with these arguments on a text, and hears it out as far as an answer may go.
pub(super) async fn ask(
    program: &str,
    arguments: impl Iterator<Item = String>,
    text: &str,
    most: usize,
    longest: Duration,
) -> Result<Vec<u8>, ProgramError> {
    let failed = |said: String| ProgramError::Failed(format!("{program}: {said}"));
    let running = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It may complain in the words of the message.
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let child = running.map_err(|cause| failed(cause.to_string()))?;
    match tokio::time::timeout(longest, converse(child, text, most)).await {
        Ok(answer) => answer.map_err(failed),
        Err(_) => Err(ProgramError::TimedOut),
    }
}

async fn converse(child: Child, text: &str, most: usize) -> Result<Vec<u8>, String> {
    let mut group = Group(child);
    let missing = || "a pipe is missing".to_owned();
    let mut to = group.0.stdin.take().ok_or_else(missing)?;
    let from = group.0.stdout.take().ok_or_else(missing)?;
    let line = format!("{text}\n");
    let say = async {
        // One that does not listen to the end may still answer.
        let _ = to.write_all(line.as_bytes()).await;
        drop(to);
    };
    let mut answer = Vec::new();
    let mut from = from.take(most as u64 + 1);
    let (heard, ()) = tokio::join!(from.read_to_end(&mut answer), say);
    heard.map_err(|cause| cause.to_string())?;
    if answer.len() > most {
        return Err(format!("it said more than {most} bytes"));
    }
    let status = group.0.wait().await.map_err(|cause| cause.to_string())?;
    if status.success() { Ok(answer) } else { Err(status.to_string()) }
}

/// A program with all it has started: they end together.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Only while it has not been waited for is the number certainly its own.
        if let Some(id) = self.0.id() {
            process::end_group(id);
        }
    }
}
