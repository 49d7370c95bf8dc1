//! WAV files: written as 16-bit PCM, read as far as phones and studios write them.
//!
//! Reading takes whole-number PCM of 8 to 32 bits and 32-bit floating point, mixes all channels to
//! one and leaves the rate as it is. It believes no header: rates, channels and lengths outside the
//! limits here are refused, whatever the file says of itself.

use std::io::Cursor;

/// One channel of sound at some rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// 16-bit samples; all channels of the file mixed to one.
    pub samples: Vec<i16>,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Not a WAV file, cut off, or coded in a way that is not read here (µ-law, ADPCM, MP3, ...).
    #[error("this is not a WAV file that can be read (PCM of 8 to 32 bits, or 32-bit float)")]
    Format(#[source] hound::Error),
    /// The rate is outside [`RATES`].
    #[error("its rate is {0} Hz; taken are 4,000 to 192,000 Hz")]
    Rate(u32),
    /// More channels than [`CHANNELS`].
    #[error("it has {0} channels; taken are 1 to 8")]
    Channels(u16),
    /// More sound than was asked for.
    #[error("it is longer than {0} s")]
    TooLong(u64),
}

/// Rates that are read, in samples a second.
pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// The most channels that are read.
pub const CHANNELS: u16 = 8;

/// A 16-bit PCM file with one channel.
pub fn to_wav(samples: &[i16], rate: u32) -> Vec<u8> {
    // The format counts bytes in 32 bits.
    let samples = &samples[..samples.len().min((u32::MAX as usize - 64) / 2)];
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate.min(*RATES.end()),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::with_capacity(44 + samples.len() * 2));
    let written = write(&mut file, spec, samples);
    written.expect("memory takes every write, and 16-bit samples are in the range of 16 bits");
    file.into_inner()
}

/// The sound in a file, if it lasts at most `longest` seconds.
pub fn from_wav(file: &[u8], longest: u64) -> Result<Sound, WavError> {
    let mut reader = hound::WavReader::new(file).map_err(WavError::Format)?;
    let spec = reader.spec();
    if !RATES.contains(&spec.sample_rate) {
        return Err(WavError::Rate(spec.sample_rate));
    }
    if !(1..=CHANNELS).contains(&spec.channels) {
        return Err(WavError::Channels(spec.channels));
    }
    // By its header; what is not there fails below, so this also bounds what is really read.
    if u64::from(reader.duration()) > longest.saturating_mul(u64::from(spec.sample_rate)) {
        return Err(WavError::TooLong(longest));
    }
    let channels = usize::from(spec.channels);
    let samples = match spec.sample_format {
        hound::SampleFormat::Float => mix(channels, reader.samples::<f32>().map(as_unit)),
        hound::SampleFormat::Int => {
            let full = 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
            let unit = move |it: hound::Result<i32>| it.map(|it| f64::from(it) / full);
            mix(channels, reader.samples::<i32>().map(unit))
        }
    };
    Ok(Sound { rate: spec.sample_rate, samples: samples.map_err(WavError::Format)? })
}

fn write(file: &mut Cursor<Vec<u8>>, spec: hound::WavSpec, samples: &[i16]) -> hound::Result<()> {
    let mut writer = hound::WavWriter::new(file, spec)?;
    // Sample by sample this takes ten times as long.
    let mut sound = writer.get_i16_writer(samples.len() as u32);
    samples.iter().for_each(|it| sound.write_sample(*it));
    sound.flush()?;
    writer.finalize()
}

/// Between -1 and 1; infinite and undefined samples are silence.
fn as_unit(sample: hound::Result<f32>) -> hound::Result<f64> {
    sample.map(|it| if it.is_finite() { f64::from(it) } else { 0.0 })
}

fn mix(
    channels: usize,
    mut samples: impl Iterator<Item = hound::Result<f64>>,
) -> hound::Result<Vec<i16>> {
    let mut mixed = Vec::new();
    while let Some(first) = samples.next() {
        let mut sum = first?;
        for other in samples.by_ref().take(channels - 1) {
            sum += other?;
        }
        let value = (sum / channels as f64 * 32_768.0).round();
        mixed.push(value.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16);
    }
    Ok(mixed)
}
