//! `afterbeep greeting`: what callers of a mailbox hear before the beep.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{mailbox, tenant};
use crate::{
    audio::{resample::resample, wav},
    blobs::{self, Blobs},
    clock::Clock,
    store::{
        Db, greetings,
        greetings::{Greeting, Kind},
    },
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
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Command::Set { mailbox: number, file, of } = command;
    let mailbox = mailbox::find(db, &of, &number).await?;
    let samples = read(&file)?;
    let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(RATE));
    let blob = blobs::greeting(&clock.message_id().0);
    blobs.put(&blob, wav::to_wav(&samples, RATE).into()).await?;
    let greeting = Greeting { blob, length };
    let old = greetings::set(db, &mailbox.id, Kind::Unavailable, &greeting, clock.now()).await?;
    if let Some(old) = old {
        blobs.delete(&old).await?;
    }
    let seconds = length.as_secs_f32();
    Ok(writeln!(out, "Callers of mailbox {number} now hear this greeting ({seconds:.1} s).")?)
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
