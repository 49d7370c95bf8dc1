//! `afterbeep greeting`: what callers of a mailbox hear before the beep.

use std::{io::Write, path::PathBuf};

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp as Moment;

use super::{
    explain, mailbox,
    recording::{self, Manner, Source},
    table, tenant,
};
use crate::{
    admin,
    app::Studio,
    blobs::Blobs,
    clock::Clock,
    mailbox::{
        Mailbox, Timestamp,
        greeting::{Kind, Recorded},
    },
    store::{
        Db, greetings,
        greetings::{Greeting, Kept},
    },
};

/// What can be done with greetings.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a mailbox a greeting, from a sound file or a text
    Set {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// Where it comes from.
        #[command(flatten)]
        source: Source,
        /// When it is played.
        #[command(flatten)]
        when: When,
        /// Keep it beside others of its kind, by this name; without one it takes the place of the
        /// one that has none
        #[arg(long, default_value = "")]
        label: String,
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
    /// Have callers hear another one of those that are kept
    Choose {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// Of which kind
        #[arg(long, default_value_t = Kind::Unavailable)]
        kind: Kind,
        /// Its label; "" for the one without
        #[arg(long)]
        label: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Play a greeting on this machine
    Play {
        /// Which one.
        #[command(flatten)]
        which: Which,
        /// How it is heard.
        #[command(flatten)]
        manner: Manner,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Write a greeting to a WAV file
    Export {
        /// Which one.
        #[command(flatten)]
        which: Which,
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
    /// Take a greeting away
    Rm {
        /// Which one.
        #[command(flatten)]
        which: Which,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// One greeting of a mailbox.
#[derive(Debug, Args)]
pub struct Which {
    /// Which mailbox
    #[arg(long, value_name = "NUMBER")]
    mailbox: String,
    /// unavailable, busy or temporary
    #[arg(long)]
    kind: Kind,
    /// Its label, "" for the one without; otherwise the one that callers hear
    #[arg(long)]
    label: Option<String>,
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
    studio: &Studio,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Set { mailbox, source, when: When { kind, until }, label, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let now = clock.now();
            let recorded = admin::greeting::recorded(kind, until.as_deref(), &mailbox, now)?;
            let label = admin::greeting::label(&label)?;
            let samples = source.samples(studio, &mailbox).await?;
            let kept = admin::greeting::keep(db, blobs, clock, &mailbox, recorded, label, &samples);
            let Greeting { recorded, length, .. } = kept.await?;
            writeln!(out, "{} ({:.1} s).", heard(&recorded, &mailbox), length.as_secs_f32())?;
        }
        Command::List { mailbox, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let all = greetings::all(db, &mailbox.id).await?;
            list(&mailbox, &all, clock.now(), out)?;
        }
        Command::Explain(asked) => explain::run(asked, db, clock, out).await?,
        Command::Choose { mailbox, kind, label, of } => {
            let which = Which { mailbox, kind, label: Some(label) };
            let (mailbox, kept) = find(db, &of, &which).await?;
            if !greetings::choose(db, &mailbox.id, &kept.id).await? {
                bail!("that greeting has just been taken away");
            }
            writeln!(out, "{}.", heard(&kept.greeting.recorded, &mailbox))?;
        }
        Command::Play { which, manner, of } => {
            let (_, kept) = find(db, &of, &which).await?;
            recording::play(blobs, &kept.greeting.blob, &manner).await?;
        }
        Command::Export { which, to, manner, of } => {
            let (_, kept) = find(db, &of, &which).await?;
            recording::export(blobs, &kept.greeting.blob, &to, &manner, out).await?;
        }
        Command::Rm { which, of } => {
            let (mailbox, kept) = find(db, &of, &which).await?;
            admin::greeting::discard(db, blobs, &mailbox, &kept.id).await?;
            let (number, kind) = (&mailbox.number, which.kind);
            writeln!(out, "The {kind} greeting of mailbox {number} is gone.")?;
        }
    }
    Ok(())
}

/// The greeting that is meant: by its label, or else the one that callers hear.
async fn find(db: &Db, of: &tenant::Of, which: &Which) -> anyhow::Result<(Mailbox, Kept)> {
    let mailbox = mailbox::find(db, of, &which.mailbox).await?;
    let all = greetings::all(db, &mailbox.id).await?;
    let meant = |it: &Kept| match &which.label {
        Some(label) => it.label == label.trim(),
        None => it.chosen,
    };
    let found = all.into_iter().find(|it| it.greeting.recorded.kind == which.kind && meant(it));
    let Some(kept) = found else {
        bail!(
            "mailbox {0} has no greeting of that kind{1}; see `afterbeep greeting list --mailbox \
             {0}{2}`",
            mailbox.number,
            which.label.as_ref().map_or("", |_| " and label"),
            of.suffix()
        );
    };
    Ok((mailbox, kept))
}

fn list(
    mailbox: &Mailbox,
    all: &[Kept],
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if all.is_empty() {
        let number = &mailbox.number;
        writeln!(out, "Mailbox {number} has none; callers hear one made of its number.")?;
        return Ok(());
    }
    let rows = all.iter().map(|Kept { label, chosen, greeting, .. }| {
        let Greeting { recorded, length, .. } = greeting;
        let until = recorded.until.map(|it| {
            let over = if it <= now { " (over)" } else { "" };
            format!("{}{over}", local(it, mailbox))
        });
        let length = format!("{:.1} s", length.as_secs_f32());
        let chosen = table::yes(*chosen).to_owned();
        [recorded.kind.to_string(), label.clone(), chosen, length, until.unwrap_or_default()]
    });
    table::table(out, ["KIND", "LABEL", "CHOSEN", "LENGTH", "UNTIL"], &rows.collect::<Vec<_>>())
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
