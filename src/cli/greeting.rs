//! `afterbeep greeting`: what callers of a mailbox hear before the beep.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::{
    Timestamp as Moment, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{mailbox, table, tenant};
use crate::{
    audio::{resample::resample, wav},
    blobs::{self, Blobs},
    clock::Clock,
    mailbox::{
        Mailbox, Timestamp,
        greeting::{Kind, Recorded},
    },
    store::{Db, greetings, greetings::Greeting},
};

/// Longest greeting taken, in seconds.
const LONGEST: u64 = 300;

/// What greetings are kept at, in samples a second: twice as fine as telephones speak today.
const RATE: u32 = 16_000;

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
            let recorded = when.recorded(&mailbox, clock.now())?;
            let length = set(db, blobs, clock, &mailbox, recorded, &file).await?;
            writeln!(out, "{} ({:.1} s).", heard(&recorded, &mailbox), length.as_secs_f32())?;
        }
        Command::List { mailbox, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let all = greetings::of(db, &mailbox.id).await?;
            list(&mailbox, &all, clock.now(), out)?;
        }
        Command::Rm { mailbox, kind, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let number = &mailbox.number;
            let Some(blob) = greetings::remove(db, &mailbox.id, kind).await? else {
                bail!(
                    "mailbox {number} has no greeting of that kind; see `afterbeep greeting list \
                     --mailbox {number}{}`",
                    of.suffix()
                );
            };
            blobs.delete(&blob).await?;
            writeln!(out, "The {kind} greeting of mailbox {number} is gone.")?;
        }
    }
    Ok(())
}

async fn set(
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    mailbox: &Mailbox,
    recorded: Recorded,
    file: &Path,
) -> anyhow::Result<Duration> {
    let samples = read(file)?;
    let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(RATE));
    let blob = blobs::greeting(&clock.message_id().0);
    blobs.put(&blob, wav::to_wav(&samples, RATE).into()).await?;
    let greeting = Greeting { recorded, blob, length };
    if let Some(old) = greetings::set(db, &mailbox.id, &greeting, clock.now()).await? {
        blobs.delete(&old).await?;
    }
    Ok(length)
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

impl When {
    fn recorded(&self, mailbox: &Mailbox, now: Timestamp) -> anyhow::Result<Recorded> {
        let Self { kind, until } = self;
        let Some(until) = until else { return Ok(Recorded { kind: *kind, until: None }) };
        if *kind != Kind::Temporary {
            bail!("only a temporary greeting ends by itself; leave --until out");
        }
        let end = end(until, mailbox)
            .with_context(|| format!("{until:?} is not a date; write it like 2026-12-24"))?;
        if end <= now {
            bail!("{until} is over already; callers would never hear this greeting");
        }
        Ok(Recorded { kind: *kind, until: Some(end) })
    }
}

/// The end of a day, or a moment of it, where the mailbox is.
fn end(text: &str, mailbox: &Mailbox) -> Result<Timestamp, jiff::Error> {
    let end = match text.contains(['T', ' ']) {
        true => text.parse::<DateTime>()?,
        false => text.parse::<Date>()?.checked_add(1.day())?.into(),
    };
    Ok(Timestamp(end.to_zoned(zone(mailbox))?.timestamp().as_millisecond()))
}

fn heard(Recorded { kind, until }: &Recorded, mailbox: &Mailbox) -> String {
    let number = &mailbox.number;
    match (kind, until) {
        (Kind::Unavailable, _) => format!("Callers of mailbox {number} now hear this greeting"),
        (Kind::Busy, _) => {
            format!("Callers who find {number} busy now hear this greeting")
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
    moment.to_zoned(zone(mailbox)).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

fn zone(mailbox: &Mailbox) -> TimeZone {
    TimeZone::get(&mailbox.settings.time_zone).unwrap_or(TimeZone::UTC)
}

/// Reads any uncompressed WAV; several channels are heard together.
fn read(file: &Path) -> anyhow::Result<Vec<i16>> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("{name} cannot be read"))?;
    let sound = wav::from_wav(&bytes, LONGEST)
        .with_context(|| format!("{name} cannot be a greeting; convert it to a plain WAV file"))?;
    if sound.samples.is_empty() {
        bail!("{name} has no sound in it");
    }
    Ok(resample(&sound.samples, sound.rate, RATE))
}
