//! `afterbeep mailbox pin`: what owners prove themselves with at a phone that is not theirs.

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use clap::Args;

use super::{mailbox, serve, tenant};
use crate::{
    clock::Clock,
    mailbox::{Mailbox, Pin},
    store::{Db, pins},
};

/// What becomes of the PIN.
#[derive(Debug, Args)]
pub struct Pinning {
    /// Which mailbox
    number: String,
    /// Read the PIN from standard input instead of making one up
    #[arg(long)]
    stdin: bool,
    /// Take the PIN away: only the mailbox's own phone gets in then
    #[arg(long, conflicts_with = "stdin")]
    remove: bool,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

/// A PIN is never an argument: those stay in the history of a shell, and others see them.
pub(super) async fn run(
    pinning: Pinning,
    db: &Db,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Pinning { number, stdin, remove, of } = pinning;
    let found = mailbox::find(db, &of, &number).await?;
    if remove {
        if !pins::remove(db, &found.id).await? {
            bail!("mailbox {number} has no PIN");
        }
        return Ok(writeln!(out, "Mailbox {number} has no PIN any more.")?);
    }
    let pin = if stdin { typed(&number)? } else { made(&number) };
    give(db, clock, &found, &pin).await?;
    write!(out, "Mailbox {number} has a new PIN")?;
    match stdin {
        true => writeln!(out, ".")?,
        false => {
            writeln!(out, ": {}\nIt is shown this once. Its owner can be told now.", pin.reveal())?
        }
    }
    Ok(())
}

/// Gives a mailbox this PIN.
pub(super) async fn give(db: &Db, clock: &Clock, to: &Mailbox, pin: &Pin) -> anyhow::Result<()> {
    let pepper = serve::pepper(db, clock).await?;
    let hash = pin.hash(&pepper, &rand::random());
    if !pins::set(db, &to.id, &hash, clock.now()).await? {
        bail!("mailbox {} has just been removed", to.number);
    }
    Ok(())
}

fn typed(number: &str) -> anyhow::Result<Pin> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("no PIN can be read")?;
    let pin = Pin::new(line.trim().to_owned());
    pin.check(number)?;
    Ok(pin)
}

/// Chance, until it is one that may be taken.
fn made(number: &str) -> Pin {
    loop {
        let pin = Pin::new(format!("{:06}", rand::random_range(0..1_000_000)));
        if pin.check(number).is_ok() {
            return pin;
        }
    }
}
