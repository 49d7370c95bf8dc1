//! A program of the operator's, such as Apertium. The languages it is told are codes of ours.

use super::settings::{ANY, Settings};
use super::{TranslateError, bound};
use crate::speech::program::{self, ProgramError};

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
    let filled = arguments.iter().map(|it| it.replace("{from}", from).replace("{to}", to));
    let longest = settings.longest_job;
    let answer = program::ask(program, filled, text, bound(text), longest).await;
    let answer = answer.map_err(|error| match error {
        ProgramError::Failed(said) => TranslateError::Command(said),
        ProgramError::TimedOut => TranslateError::TimedOut(longest),
    })?;
    let no_text = |_| TranslateError::Command(format!("{program}: what it said is no text"));
    let answer = String::from_utf8(answer).map_err(no_text)?;
    let name = program.rsplit('/').next().unwrap_or(program);
    Ok((answer, format!("{name} {pair}")))
}
