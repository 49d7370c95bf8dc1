//! `afterbeep name`: what the owner of a mailbox is called, in their own voice or another.

use std::{io::Write, path::PathBuf};

use anyhow::bail;
use clap::Subcommand;

use super::{
    mailbox,
    recording::{self, Manner, Source},
    table, tenant,
};
use crate::{
    admin,
    app::Studio,
    blobs::Blobs,
    clock::Clock,
    store::{
        Db,
        names::{self, Name},
    },
};

/// What can be done with names.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a mailbox a name that is heard, from a sound file or a text
    Set {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// Where it comes from.
        #[command(flatten)]
        source: Source,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Show which mailboxes have one
    List {
        /// Whose they are.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Play it on this machine
    Play {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// How it is heard.
        #[command(flatten)]
        manner: Manner,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Write it to a WAV file
    Export {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// A file that is not there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// How it is heard.
        #[command(flatten)]
        manner: Manner,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Take it away
    Rm {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// Does it, and says so.
pub async fn run(
    command: Command,
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    studio: &Studio,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Set { mailbox, source, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let samples = source.samples(studio, &mailbox).await?;
            let name = admin::greeting::set_name(db, blobs, clock, &mailbox, &samples).await?;
            let (number, length) = (&mailbox.number, name.length.as_secs_f32());
            writeln!(out, "Callers of mailbox {number} now hear this name ({length:.1} s).")?;
        }
        Command::List { of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            let rows = names::all(db, &tenant.id)
                .await?
                .into_iter()
                .map(|(number, name)| [number, format!("{:.1} s", name.length.as_secs_f32())]);
            table::table(out, ["MAILBOX", "LENGTH"], &rows.collect::<Vec<_>>())?;
        }
        Command::Play { mailbox, manner, of } => {
            let name = find(db, &of, &mailbox).await?;
            recording::play(blobs, &name.blob, &manner).await?;
        }
        Command::Export { mailbox, to, manner, of } => {
            let name = find(db, &of, &mailbox).await?;
            recording::export(blobs, &name.blob, &to, &manner, out).await?;
        }
        Command::Rm { mailbox, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let number = &mailbox.number;
            if !admin::greeting::remove_name(db, blobs, &mailbox).await? {
                bail!("mailbox {number} has no name that is heard");
            }
            writeln!(out, "The name of mailbox {number} is gone; its number is said instead.")?;
        }
    }
    Ok(())
}

async fn find(db: &Db, of: &tenant::Of, number: &str) -> anyhow::Result<Name> {
    let mailbox = mailbox::find(db, of, number).await?;
    match names::of(db, &mailbox.id).await? {
        Some(name) => Ok(name),
        None => {
            bail!("mailbox {number} has no name that is heard; `afterbeep name set` gives it one")
        }
    }
}
