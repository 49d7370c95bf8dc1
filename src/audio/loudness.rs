//! How loud a whole sound is, and making it as loud as everything else callers hear.

use std::collections::VecDeque;

use ebur128::{EbuR128, Mode};

/// How loud prompts and greetings are, in LUFS (EBU R 128, ITU-R BS.1770).
pub const LOUDNESS: f64 = -23.0;
/// -1 dBFS. Sound that touches full scale is distorted by the time it is on the line.
pub const PEAK: u16 = 29_205;
/// Nothing is made louder by more decibels than this: what is softer is mostly noise.
pub(super) const MOST_GAIN: f64 = 30.0;
/// How long before and after a peak it is turned down, in parts of a second.
pub(super) const FLANK: u32 = 200;

/// Measures how loud a sound is that comes a stretch at a time.
#[derive(Debug)]
pub struct Meter(EbuR128);

impl Meter {
    /// `None` for rates and numbers of channels nobody listens to.
    pub fn new(channels: u32, rate: u32) -> Option<Self> {
        EbuR128::new(channels, rate, Mode::I | Mode::HISTOGRAM).ok().map(Self)
    }

    /// The next stretch: whole frames of all channels, full scale being 1.
    pub fn hear(&mut self, frames: &[f32]) {
        // It refuses only what is not a frame.
        self.0.add_frames_f32(frames).ok();
    }

    /// In LUFS, of all that was heard; minus infinity for silence and for less than 400 ms.
    pub fn loudness(&self) -> f64 {
        self.0.loudness_global().unwrap_or(f64::NEG_INFINITY)
    }
}

/// In LUFS; minus infinity for silence. A sound shorter than the meter's block of 400 ms is one
/// block. `None` for rates nobody listens at.
pub fn loudness(rate: u32, samples: &[i16]) -> Option<f64> {
    let mut meter = EbuR128::new(1, rate, Mode::I).ok()?;
    meter.add_frames_i16(samples).ok()?;
    let block = rate as usize * 2 / 5;
    meter.add_frames_i16(&vec![0; block.saturating_sub(samples.len())]).ok()?;
    meter.loudness_global().ok()
}

/// The same sound at [`LOUDNESS`], with peaks that would go beyond [`PEAK`] turned down softly.
/// `None` if there is nothing to be heard in it.
pub fn levelled(rate: u32, samples: &[i16]) -> Option<Vec<i16>> {
    let loudness = loudness(rate, samples).filter(|it| it.is_finite())?;
    let gain = 10_f64.powf((LOUDNESS - loudness).min(MOST_GAIN) / 20.0) as f32;
    let flank = (rate / FLANK) as usize;
    let limits = limits(samples, gain, flank);
    let louder = |(&sample, limit): (&i16, f32)| (f32::from(sample) * gain * limit).round() as i16;
    Some(samples.iter().zip(limits).map(louder).collect())
}

/// How far each sample is turned down so that none goes beyond [`PEAK`]: the least that any sample
/// within `flank` needs, averaged over as many, which is smooth and still enough for each.
fn limits(samples: &[i16], gain: f32, flank: usize) -> Vec<f32> {
    let most = f32::from(PEAK);
    let needed = |it: &i16| (most / (f32::from(*it).abs() * gain).max(most)).min(1.0);
    let needed: Vec<f32> = samples.iter().map(needed).collect();
    softened(needed, flank)
}

/// What is needed to turn each sample down, turned down softly `flank` before and after it.
pub(super) fn softened(needed: Vec<f32>, flank: usize) -> Vec<f32> {
    if needed.iter().all(|it| *it >= 1.0) {
        return needed;
    }
    averages(&least(&needed, flank), flank)
}

/// The least value within `flank` of each.
fn least(values: &[f32], flank: usize) -> Vec<f32> {
    let mut rising: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    let mut found = Vec::with_capacity(values.len());
    for at in 0..values.len() {
        while next < values.len().min(at + flank + 1) {
            while rising.back().is_some_and(|it| values[*it] >= values[next]) {
                rising.pop_back();
            }
            rising.push_back(next);
            next += 1;
        }
        while rising.front().is_some_and(|it| it + flank < at) {
            rising.pop_front();
        }
        found.push(rising.front().map_or(1.0, |it| values[*it]));
    }
    found
}

/// The average within `flank` of each; beyond the ends as at the ends.
fn averages(values: &[f32], flank: usize) -> Vec<f32> {
    let value = |at: isize| {
        let last = values.len() as isize - 1;
        f64::from(values[at.clamp(0, last) as usize])
    };
    let reach = flank as isize;
    let mut sum: f64 = (-reach..=reach).map(value).sum();
    let mut found = Vec::with_capacity(values.len());
    for at in 0..values.len() as isize {
        found.push((sum / (2 * flank + 1) as f64) as f32);
        sum += value(at + reach + 1) - value(at - reach);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    fn tone(peak: f32, seconds: u32) -> Vec<i16> {
        let turn = std::f32::consts::TAU * 440.0 / RATE as f32;
        (0..seconds * RATE).map(|at| (peak * (turn * at as f32).sin()) as i16).collect()
    }

    #[test]
    fn soft_and_loud_become_equally_loud() {
        for peak in [300.0, 3_000.0, 30_000.0] {
            let after = levelled(RATE, &tone(peak, 3)).unwrap();
            let loudness = loudness(RATE, &after).unwrap();
            assert!((loudness - LOUDNESS).abs() < 0.2, "{peak} became {loudness:.1} LUFS");
        }
    }

    #[test]
    fn a_click_in_a_soft_voice_is_turned_down_and_the_voice_is_not() {
        let mut sound = tone(400.0, 4);
        sound[20_000] = 32_000;
        let after = levelled(RATE, &sound).unwrap();
        let loudest = after.iter().map(|it| it.unsigned_abs()).max().unwrap();
        assert!(loudest <= PEAK, "{loudest}");
        let voice = |it: &[i16]| it.iter().map(|it| it.unsigned_abs()).max().unwrap();
        assert!(voice(&after[..16_000]) > 2_000);
        assert_eq!(after.len(), sound.len());
    }

    #[test]
    fn silence_is_not_made_loud() {
        assert_eq!(levelled(RATE, &[0; 16_000]), None);
        assert_eq!(levelled(RATE, &[]), None);
    }
}
