//! `afterbeep mail`: whether the mail server lets us in.

use std::io::Write;

use anyhow::Context;
use clap::Subcommand;

use crate::config::Config;
use crate::mail::Mailer;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Connect and log in to the mail server, sending nothing
    Test,
}

pub(super) async fn run(
    Command::Test: Command,
    config: &Config,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mailer = Mailer::open(&config.mail, &config.data)?;
    mailer.check().await.context("mail would not go out; see [mail] in the settings")?;
    match mailer.caught() {
        Some(folder) => writeln!(
            out,
            "No mail server is set, so mail is caught in {}. Set [mail.server] to send it.",
            folder.display()
        )?,
        None => writeln!(out, "The mail server lets us in.")?,
    }
    Ok(())
}
