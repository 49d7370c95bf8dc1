//! A program of the operator's, such as Apertium: text in, text out.
//!
//! It is started directly, never through a shell; the languages it is told are codes of ours, the
//! text goes to its standard input. It and all it has started end with our patience.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::settings::{ANY, Settings};
use super::{TranslateError, bound};
use crate::sys::process;

/// The text in the other language, and by what.
pub(super) async fn translate(
    settings: &Settings,
    text: &str,
    from: &str,
    to: &str,
) -> Result<(String, String), TranslateError> {
    let pair = format!("{from}-{to}");
    let words = settings.commands.get(&pair).or_else(|| settings.commands.get(ANY));
    let Some([program, arguments @ ..]) = words.map(Vec::as_slice) else {
        return Err(TranslateError::NoCommand { pair });
    };
    let filled = |it: &String| it.replace("{from}", from).replace("{to}", to);
    let running = Command::new(program)
        .args(arguments.iter().map(filled))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It may complain in the words of the message.
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let child = running.map_err(|cause| failed(program, &cause.to_string()))?;
    let longest = settings.longest_job;
    let answer = tokio::time::timeout(longest, converse(child, text, bound(text)));
    let timed_out = |_| TranslateError::TimedOut(longest);
    let answer = answer.await.map_err(timed_out)?.map_err(|said| failed(program, &said))?;
    let name = program.rsplit('/').next().unwrap_or(program);
    Ok((answer, format!("{name} {pair}")))
}

fn failed(program: &str, said: &str) -> TranslateError {
    TranslateError::Command(format!("{program}: {said}"))
}

/// Says it all and hears it out, as far as an answer may go.
async fn converse(child: Child, text: &str, most: usize) -> Result<String, String> {
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
    if !status.success() {
        return Err(status.to_string());
    }
    String::from_utf8(answer).map_err(|_| "what it said is no text".to_owned())
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
