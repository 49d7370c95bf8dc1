//! From one sample rate to another.

use audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};

/// Samples a chunk: long enough for a steep filter, short enough to be cheap for a short clip.
const CHUNK: usize = 512;
/// Chunks of music: so many in a second. What can be heard beside the passband is as steep at any
/// rate, then.
const CHUNKS: u32 = 20;

/// The same sound at another rate, through a linear-phase filter that lets nothing above half of
/// the lower rate pass. It begins when the original begins and is as long, to a sample.
/// A rate of 0 has no sound.
pub fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to || samples.is_empty() {
        return samples.to_vec();
    }
    let Some(mut resampling) = Resampling::in_chunks(from, to, CHUNK) else { return Vec::new() };
    let samples: Vec<f32> = samples.iter().map(|&it| f32::from(it)).collect();
    resampling.take(&samples);
    // `as` clamps to the range of i16, which is what a filter's overshoot needs.
    resampling.finish().into_iter().map(|it| it.round() as i16).collect()
}

/// A sound that comes a stretch at a time, on its way to another rate: as [`resample`] does it, and
/// with a filter that is as steep however fine the original is.
pub struct Resampling {
    /// `None` between equal rates.
    filter: Option<Fft<f32>>,
    /// Samples made of each: so many of so many.
    ratio: (u64, u64),
    taken: u64,
    waiting: Vec<f32>,
    made: Vec<f32>,
    /// What the filter still has to give before the sound begins.
    ahead: usize,
}

impl Resampling {
    /// `None` when a rate is 0.
    pub fn new(from: u32, to: u32) -> Option<Self> {
        Self::in_chunks(from, to, (from / CHUNKS) as usize)
    }

    fn in_chunks(from: u32, to: u32, chunk: usize) -> Option<Self> {
        let filter = match from == to {
            true => None,
            // rubato knows no other reason to refuse than a rate of 0.
            false => {
                Some(Fft::new(from as usize, to as usize, chunk.max(1), 1, FixedSync::Both).ok()?)
            }
        };
        let ahead = filter.as_ref().map_or(0, Resampler::output_delay);
        let ratio = (u64::from(to), u64::from(from));
        Some(Self { filter, ratio, taken: 0, waiting: Vec::new(), made: Vec::new(), ahead })
    }

    /// The next stretch.
    pub fn take(&mut self, samples: &[f32]) {
        self.taken += samples.len() as u64;
        if self.filter.is_none() {
            self.made.extend_from_slice(samples);
            return;
        }
        self.waiting.extend_from_slice(samples);
        self.work();
    }

    /// What there is of it so far; what is taken next follows. Not to be mixed with
    /// [`Resampling::finish`].
    pub fn drain(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.made)
    }

    /// All of it, as long as what was taken.
    pub fn finish(mut self) -> Vec<f32> {
        let (to, from) = self.ratio;
        let length = (self.taken * to).div_ceil(from.max(1)) as usize;
        while self.made.len() < length {
            let before = (self.made.len(), self.ahead);
            let chunk = self.filter.as_ref().map_or(0, Resampler::input_frames_next);
            self.waiting.resize(chunk, 0.0);
            self.work();
            if (self.made.len(), self.ahead) == before {
                break;
            }
        }
        self.made.truncate(length);
        self.made
    }

    /// Filters what waits, as far as it fills chunks.
    fn work(&mut self) {
        let Some(filter) = &mut self.filter else { return };
        let chunk = filter.input_frames_next();
        let mut done = 0;
        while let Some(samples) = self.waiting.get(done..done + chunk) {
            done += chunk;
            // One channel of as many samples as it asks for: there is nothing it could refuse.
            let Ok(sound) = SequentialSlice::new(samples, 1, chunk) else { break };
            let Ok(made) = filter.process(&sound, None) else { break };
            let made = made.take_data();
            let skipped = self.ahead.min(made.len());
            self.ahead -= skipped;
            self.made.extend_from_slice(&made[skipped..]);
        }
        self.waiting.drain(..done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, rate: u32, samples: u32) -> Vec<i16> {
        let turn = std::f32::consts::TAU * hz / rate as f32;
        (0..samples).map(|at| (10_000.0 * (turn * at as f32).sin()) as i16).collect()
    }

    /// In dB, away from the ends, where a tone that begins at once is not a tone alone.
    fn level(samples: &[i16]) -> f64 {
        let inner = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let power: f64 = inner.iter().map(|&it| f64::from(it).powi(2)).sum();
        10.0 * (power / inner.len() as f64 + 1e-9).log10()
    }

    #[test]
    fn what_a_telephone_can_carry_keeps_its_level() {
        for hz in [100.0, 300.0, 1_000.0, 3_400.0] {
            let before = tone(hz, 16_000, 16_000);
            let change = level(&resample(&before, 16_000, 8_000)) - level(&before);
            assert!(change.abs() < 0.1, "{hz} Hz changed by {change:.2} dB");
        }
    }

    #[test]
    fn what_it_cannot_carry_does_not_come_back_as_something_else() {
        for hz in [4_300.0, 5_000.0, 6_000.0, 7_900.0] {
            let before = tone(hz, 16_000, 16_000);
            let change = level(&resample(&before, 16_000, 8_000)) - level(&before);
            assert!(change < -60.0, "{hz} Hz is still there at {change:.2} dB");
        }
    }

    #[test]
    fn twice_the_rate_has_the_tone_and_no_mirror_of_it() {
        let after = resample(&tone(3_000.0, 8_000, 8_000), 8_000, 16_000);
        let wanted = tone(3_000.0, 16_000, 16_000);
        let rest: Vec<i16> = after.iter().zip(&wanted).map(|(a, b)| a - b).collect();
        assert!(level(&rest) < level(&wanted) - 60.0);
    }

    #[test]
    fn a_sound_is_as_long_as_before_to_a_sample() {
        for samples in [1, 7, 160, 1_023, 1_024, 1_025, 40_001] {
            for (from, to) in [(16_000, 8_000), (8_000, 16_000), (44_100, 8_000), (11_025, 8_000)] {
                let length = resample(&tone(440.0, from, samples), from, to).len() as f64;
                let wanted = f64::from(samples) * f64::from(to) / f64::from(from);
                assert!((length - wanted).abs() <= 1.0, "{samples} at {from} became {length}");
            }
        }
    }

    #[test]
    fn a_click_stays_where_it_was() {
        for at in [0_usize, 100, 1_023, 2_500, 3_998] {
            let mut sound = vec![0; 4_000];
            sound[at] = 20_000;
            let after = resample(&sound, 16_000, 8_000);
            let loudest = (0..after.len()).max_by_key(|&it| after[it].unsigned_abs());
            assert!(loudest.is_some_and(|it| it.abs_diff(at / 2) <= 1), "{at}: {loudest:?}");
        }
    }

    #[test]
    fn an_overshoot_is_clamped_and_not_wrapped() {
        let square: Vec<i16> =
            (0..4_000).map(|at| if at / 40 % 2 == 0 { 32_767 } else { -32_768 }).collect();
        let after = resample(&square, 16_000, 8_000);
        let jumps = after.windows(2).filter(|it| it[0].abs_diff(it[1]) > 50_000).count();
        assert!(jumps <= 100, "{jumps} jumps across the whole range");
        assert!(after.contains(&i16::MAX));
    }

    #[test]
    fn a_sound_in_stretches_is_the_sound_at_once() {
        let sound: Vec<f32> = tone(700.0, 44_100, 50_000).into_iter().map(f32::from).collect();
        let [at_once, in_stretches] = [sound.len(), 1_153].map(|stretch| {
            let mut resampling = Resampling::new(44_100, 16_000).unwrap();
            sound.chunks(stretch).for_each(|it| resampling.take(it));
            resampling.finish()
        });
        assert_eq!(at_once.len(), 18_141);
        assert_eq!(at_once, in_stretches);
        assert!(Resampling::new(8_000, 16_000).unwrap().finish().is_empty());
    }

    #[test]
    fn no_sound_and_no_rate_are_no_sound() {
        assert!(resample(&[], 16_000, 8_000).is_empty());
        assert!(resample(&[1, 2, 3], 0, 8_000).is_empty());
        assert_eq!(resample(&[1, 2, 3], 8_000, 8_000), [1, 2, 3]);
    }
}
