//! `afterbeep greeting`: what callers of a mailbox hear before the beep.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp as Moment;

use super::{explain, mailbox, table, tenant};
use crate::{
    admin,
    blobs::Blobs,
    clock::Clock,
    mailbox::{
        Mailbox, Timestamp,
        greeting::{Kind, Recorded},
    },
    store::{Db, greetings, greetings::Greeting},
};

/// What can be done with greetings.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a mailbox a greeting from a WAV file
    Set {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// The recording: uncompressed WAV
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// When it is played.
        #[command(flatten)]
        when: When,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Show the greetings of a mailbox
    List {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Tell which greeting a call hears, and why, rule by rule
    Explain(explain::Explain),
    /// Take a greeting away
    Rm {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// Which one
        #[arg(long)]
        kind: Kind,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// When a greeting is played.
#[derive(Debug, Args)]
pub struct When {
    /// unavailable; busy: while the owner is on the phone or not to be disturbed; temporary: in
    /// place of both
    #[arg(long, default_value_t = Kind::Unavailable)]
    kind: Kind,
    /// The last day of a temporary greeting, 2026-12-24, or its end, 2026-12-24T13:00, where the
    /// mailbox is
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
}

/// Does it, and says so.
pub async fn run(
    command: Command,
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Set { mailbox, file, when, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let When { kind, until } = when;
            let now = clock.now();
            let recorded = admin::greeting::recorded(kind, until.as_deref(), &mailbox, now)?;
            let samples = read(&file)?;
            let Greeting { recorded, length, .. } =
                admin::greeting::set(db, blobs, clock, &mailbox, recorded, &samples).await?;
            writeln!(out, "{} ({:.1} s).", heard(&recorded, &mailbox), length.as_secs_f32())?;
        }
        Command::List { mailbox, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let all = greetings::of(db, &mailbox.id).await?;
            list(&mailbox, &all, clock.now(), out)?;
        }
        Command::Explain(asked) => explain::run(asked, db, clock, out).await?,
        Command::Rm { mailbox, kind, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let number = &mailbox.number;
            if !admin::greeting::remove(db, blobs, &mailbox, kind).await? {
                bail!(
                    "mailbox {number} has no greeting of that kind; see `afterbeep greeting list \
                     --mailbox {number}{}`",
                    of.suffix()
                );
            }
            writeln!(out, "The {kind} greeting of mailbox {number} is gone.")?;
        }
    }
    Ok(())
}

fn list(
    mailbox: &Mailbox,
    all: &[Greeting],
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if all.is_empty() {
        let number = &mailbox.number;
        writeln!(out, "Mailbox {number} has none; callers hear one made of its number.")?;
        return Ok(());
    }
    let rows = all.iter().map(|Greeting { recorded, length, .. }| {
        let until = recorded.until.map(|it| {
            let over = if it <= now { " (over)" } else { "" };
            format!("{}{over}", local(it, mailbox))
        });
        let length = format!("{:.1} s", length.as_secs_f32());
        [recorded.kind.to_string(), length, until.unwrap_or_default()]
    });
    table::table(out, ["KIND", "LENGTH", "UNTIL"], &rows.collect::<Vec<_>>())
}

fn heard(Recorded { kind, until }: &Recorded, mailbox: &Mailbox) -> String {
    let number = &mailbox.number;
    match (kind, until) {
        (Kind::Unavailable, _) => format!("Callers of mailbox {number} now hear this greeting"),
        (Kind::Busy, _) => {
            format!("Callers who find {number} busy now hear this greeting")
        }
        (Kind::Absence, _) => {
            format!(
                "Callers of mailbox {number} hear this greeting while its owner is away for days"
            )
        }
        (Kind::Closed, _) => {
            format!("Callers of mailbox {number} hear this greeting outside its hours")
        }
        (Kind::Temporary, None) => {
            format!("All callers of mailbox {number} now hear this greeting")
        }
        (Kind::Temporary, Some(until)) => {
            let until = local(*until, mailbox);
            format!("Until {until} all callers of mailbox {number} hear this greeting")
        }
    }
}

fn local(at: Timestamp, mailbox: &Mailbox) -> String {
    let moment = Moment::from_millisecond(at.0).unwrap_or_default();
    moment.to_zoned(admin::greeting::zone(mailbox)).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// Reads any uncompressed WAV.
fn read(file: &Path) -> anyhow::Result<Vec<i16>> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("{name} cannot be read"))?;
    admin::greeting::read(&bytes).map_err(|error| anyhow!("{name} {error:#}"))
}
