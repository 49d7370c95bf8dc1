//! `afterbeep greeting`: what callers of a mailbox hear before the beep.

use std::{
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Subcommand;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::{mailbox, tenant};
use crate::{
    blobs::{self, Blobs},
    clock::Clock,
    store::{
        Db, greetings,
        greetings::{Greeting, Kind},
    },
};

/// Longest greeting taken, in seconds.
const LONGEST: u32 = 300;

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

/// A recording as it is kept: mono, 16 bits.
struct Recording {
    samples: Vec<i16>,
    rate: u32,
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
    let recording = at_a_kept_rate(read(&file)?)
        .with_context(|| format!("{} cannot be a greeting", file.display()))?;
    let length = recording.length();
    let blob = blobs::greeting(&clock.message_id().0);
    blobs.put(&blob, recording.wav()?.into()).await?;
    let greeting = Greeting { blob, length };
    let old = greetings::set(db, &mailbox.id, Kind::Unavailable, &greeting, clock.now()).await?;
    if let Some(old) = old {
        blobs.delete(&old).await?;
    }
    let seconds = length.as_secs_f32();
    Ok(writeln!(out, "Callers of mailbox {number} now hear this greeting ({seconds:.1} s).")?)
}

/// Reads any uncompressed WAV; several channels are heard together.
fn read(file: &Path) -> anyhow::Result<Recording> {
    let reader = WavReader::open(file).with_context(|| {
        format!("{} cannot be read as an uncompressed WAV file", file.display())
    })?;
    let WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format } =
        reader.spec();
    if !(4_000..=192_000).contains(&rate) || !(1..=8).contains(&channels) {
        bail!("{} claims {rate} samples a second in {channels} channels", file.display());
    }
    let most = rate as usize * LONGEST as usize * usize::from(channels) + 1;
    let interleaved: Vec<i16> = match sample_format {
        SampleFormat::Int if bits <= 16 => {
            samples(reader, most, |it: i32| (it << (16 - bits)) as i16)
        }
        SampleFormat::Int => samples(reader, most, |it: i32| (it >> (bits - 16)) as i16),
        SampleFormat::Float => samples(reader, most, |it: f32| (it * 32_767.0) as i16),
    }
    .with_context(|| format!("{} is damaged", file.display()))?;
    if interleaved.is_empty() {
        bail!("{} has no sound in it", file.display());
    }
    if interleaved.len() == most {
        bail!("{} is longer than {LONGEST} seconds", file.display());
    }
    let mix = |it: &[i16]| {
        let sum: i32 = it.iter().map(|it| i32::from(*it)).sum();
        (sum / i32::from(channels)) as i16
    };
    let samples = interleaved.chunks_exact(usize::from(channels)).map(mix).collect();
    Ok(Recording { samples, rate })
}

fn samples<S: hound::Sample>(
    reader: WavReader<impl Read>,
    most: usize,
    convert: impl Fn(S) -> i16,
) -> Result<Vec<i16>, hound::Error> {
    reader.into_samples().take(most).map(|it| it.map(&convert)).collect()
}

/// Greetings are kept as telephones speak, or twice as fine.
fn at_a_kept_rate(recording: Recording) -> anyhow::Result<Recording> {
    match recording.rate {
        8_000 | 16_000 => Ok(recording),
        rate => bail!(
            "it has {rate} samples a second; convert it to 16000 or 8000 first, for example with \
             `ffmpeg -i IN.wav -ar 16000 OUT.wav`"
        ),
    }
}

impl Recording {
    fn length(&self) -> Duration {
        Duration::from_micros(self.samples.len() as u64 * 1_000_000 / u64::from(self.rate))
    }

    fn wav(&self) -> anyhow::Result<Vec<u8>> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: self.rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec)?;
        for sample in &self.samples {
            writer.write_sample(*sample)?;
        }
        writer.finalize()?;
        Ok(bytes.into_inner())
    }
}
