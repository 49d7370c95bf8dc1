//! `afterbeep prompts`: what callers hear, before they hear it.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;

use super::table;
use crate::config::Config;
use crate::prompts;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a voice of one's own: what is missing, too loud or too soft, or cannot be played
    Check {
        /// A folder laid out as `prompts/` is (at first: the one in the settings)
        folder: Option<PathBuf>,
    },
}

pub(super) fn run(
    Command::Check { folder }: Command,
    config: &Config,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let folder = folder.or_else(|| config.prompts.clone());
    let folder = folder.context("the built-in voice speaks; name a folder to check")?;
    let prompts::Report { languages, findings } = prompts::check(&folder)?;
    let folder = folder.display();
    if languages.is_empty() {
        bail!("{folder} holds no language; make a folder there called en or fr");
    }
    for (language, clips) in languages {
        writeln!(out, "{language}: {clips} clips")?;
    }
    for finding in &findings {
        let clip = table::plain(&finding.clip);
        writeln!(out, "{clip} {}", finding.problem)?;
    }
    match findings.len() {
        0 => Ok(writeln!(out, "All of {folder} can be heard.")?),
        1 => bail!("one thing in {folder} is not as it should be"),
        count => bail!("{count} things in {folder} are not as they should be"),
    }
}
