//! What is decoded of a file, looked at and counted sample by sample, its channels heard together,
//! on its way to [`RATE`].

use std::time::Duration;

use super::{
    RATE,
    sound::{Purpose, Unfit},
};
use crate::audio::{
    loudness::Meter,
    resample::Resampling,
    wav::{CHANNELS, RATES},
};

/// A sample this far beyond full scale was never recorded.
const LOUDEST: f32 = 16.0;
/// Channels whose sum has less than this part of their power (20 dB) cancel each other.
const CANCELLING: f64 = 0.01;

/// Takes in what is decoded.
pub(super) struct Intake {
    longest: Duration,
    /// Whether it is wanted how loud the original is.
    metered: bool,
    one_channel: bool,
    form: Option<Form>,
    frames: u64,
    mono: Vec<f32>,
    /// Of the channels together, and of what is made of them.
    power: (f64, f64),
}

/// What is known once there is a first frame.
struct Form {
    rate: u32,
    channels: usize,
    resampling: Resampling,
    meter: Option<Meter>,
}

/// A whole sound.
pub(super) struct Heard {
    /// At [`RATE`], full scale being 1.
    pub(super) samples: Vec<f32>,
    /// Of the original, in LUFS, if it is music; minus infinity for silence.
    pub(super) loudness: f64,
    /// Whether next to nothing is left of its channels when they are heard together.
    pub(super) cancels: bool,
}

impl Intake {
    pub(super) fn new(purpose: Purpose) -> Self {
        Self {
            longest: purpose.longest(),
            metered: purpose == Purpose::Music,
            one_channel: false,
            form: None,
            frames: 0,
            mono: Vec::new(),
            power: (0.0, 0.0),
        }
    }

    /// The same for a file of which only the first channel is to be heard.
    pub(super) fn of_one_channel(purpose: Purpose) -> Self {
        Self { one_channel: true, ..Self::new(purpose) }
    }

    /// How many frames have come.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Samples a second and channel, of what has come; 0 before.
    pub(super) fn rate(&self) -> u32 {
        self.form.as_ref().map_or(0, |it| it.rate)
    }

    /// The next frames, all channels of one beside each other, full scale being 1.
    pub(super) fn take(
        &mut self,
        rate: u32,
        channels: usize,
        samples: &[f32],
    ) -> Result<(), Unfit> {
        if samples.is_empty() {
            return Ok(());
        }
        if self.form.is_none() {
            self.form = Some(Form::new(rate, channels, self.metered)?);
        }
        let Some(form) = &mut self.form else { return Ok(()) };
        if (form.rate, form.channels) != (rate, channels) {
            return Err(Unfit::Changes);
        }
        self.frames += (samples.len() / channels) as u64;
        if self.frames > self.longest.as_secs().saturating_mul(rate.into()) {
            return Err(Unfit::TooLong(self.longest));
        }
        if !samples.iter().all(|it| it.is_finite() && it.abs() <= LOUDEST) {
            return Err(Unfit::NoNumbers);
        }
        if let Some(meter) = &mut form.meter {
            meter.hear(samples);
        }
        let mixed = |frame: &[f32]| match self.one_channel {
            true => frame[0],
            false => frame.iter().sum::<f32>() / channels as f32,
        };
        self.mono.clear();
        self.mono.extend(samples.chunks_exact(channels).map(mixed));
        self.power.0 += power(samples) / channels as f64;
        self.power.1 += power(&self.mono);
        form.resampling.take(&self.mono);
        Ok(())
    }

    /// What there is of it so far, where it is taken as it comes.
    pub(super) fn drain(&mut self) -> Vec<f32> {
        self.form.as_mut().map(|it| it.resampling.drain()).unwrap_or_default()
    }

    /// All of it; `None` if nothing came.
    pub(super) fn finish(self) -> Option<Heard> {
        let form = self.form?;
        Some(Heard {
            loudness: form.meter.map_or(f64::NEG_INFINITY, |it| it.loudness()),
            cancels: !self.one_channel && self.power.1 < self.power.0 * CANCELLING,
            samples: form.resampling.finish(),
        })
    }
}

impl Form {
    fn new(rate: u32, channels: usize, metered: bool) -> Result<Self, Unfit> {
        check(rate, channels)?;
        let resampling = Resampling::new(rate, RATE).ok_or(Unfit::Rate(rate))?;
        let meter = if metered { Meter::new(channels as u32, rate) } else { None };
        Ok(Self { rate, channels, resampling, meter })
    }
}

/// Whether anybody records so.
pub(super) fn check(rate: u32, channels: usize) -> Result<(), Unfit> {
    if !RATES.contains(&rate) {
        return Err(Unfit::Rate(rate));
    }
    if !(1..=usize::from(CHANNELS)).contains(&channels) {
        return Err(Unfit::Channels(channels));
    }
    Ok(())
}

fn power(samples: &[f32]) -> f64 {
    f64::from(samples.iter().map(|it| it * it).sum::<f32>())
}
