//! `afterbeep mail`: whether the mail server lets us in, and what mails look like.

use std::io::Write;

use anyhow::Context;
use bytes::Bytes;
use clap::{Args, Subcommand};

use super::{mailbox, tenant};
use crate::config::Config;
use crate::mail::sample::{self, Sample};
use crate::mail::{Letter, Mailer, Settings, Sound, Templates, Ways};
use crate::store::Db;

/// What can be done with mail.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connect and log in to the mail server, sending nothing
    Test,
    /// Show the mail of a made-up message, in the mailbox's language and from the templates in use
    Preview(Preview),
}

/// Which mail is shown.
#[derive(Debug, Args)]
pub struct Preview {
    /// Whose settings apply
    #[arg(long, value_name = "NUMBER")]
    mailbox: String,
    /// The short mail, without the recording
    #[arg(long)]
    short: bool,
    /// The HTML in place of the plain text
    #[arg(long, conflicts_with = "short")]
    html: bool,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

pub(super) async fn test(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
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

/// Writes a letter about a made-up message, as it would go out.
pub async fn preview(
    preview: Preview,
    db: &Db,
    settings: &Settings,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mailbox = mailbox::find(db, &preview.of, &preview.mailbox).await?;
    let templates = Templates::open(settings.templates.as_deref())
        .context("the templates of [mail] cannot be used")?;
    let ways = match settings.base_url {
        Some(_) => sample::ways(),
        None => Ways::default(),
    };
    let sample = Sample::full();
    let news = sample.news(&mailbox);
    let letter = match preview.short {
        true => Letter::short(&templates, &news, &ways)?,
        false => {
            let sound = Sound { kind: mailbox.settings.attach, bytes: Bytes::new() };
            Letter::full(&templates, &news, &ways, Some(sound))?
        }
    };
    if preview.html {
        return Ok(write!(out, "{}", letter.html.unwrap_or_default())?);
    }
    Ok(writeln!(out, "Subject: {}\n\n{}", letter.subject, letter.text.trim_end())?)
}
