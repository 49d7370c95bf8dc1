//! From one sample rate to another, whole sounds at a time.

use audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};

/// Samples a chunk: long enough for a steep filter, short enough to be cheap for a short clip.
const CHUNK: usize = 512;

/// The same sound at another rate, through a linear-phase filter that lets nothing above half of
/// the lower rate pass. It begins when the original begins and is as long, to a sample.
/// A rate of 0 has no sound.
pub fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to || samples.is_empty() {
        return samples.to_vec();
    }
    filtered(samples, from, to).unwrap_or_default()
}

/// `None` when a rate is 0: rubato knows no other reason.
fn filtered(samples: &[i16], from: u32, to: u32) -> Option<Vec<i16>> {
    let mut resampler =
        Fft::<f32>::new(from as usize, to as usize, CHUNK, 1, FixedSync::Both).ok()?;
    let samples: Vec<f32> = samples.iter().map(|&it| f32::from(it)).collect();
    let sound = SequentialSlice::new(&samples, 1, samples.len()).ok()?;
    let resampled = resampler.process_all(&sound, samples.len(), None).ok()?;
    // `as` clamps to the range of i16, which is what a filter's overshoot needs.
    Some(resampled.take_data().into_iter().map(|it| it.round() as i16).collect())
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
    fn no_sound_and_no_rate_are_no_sound() {
        assert!(resample(&[], 16_000, 8_000).is_empty());
        assert!(resample(&[1, 2, 3], 0, 8_000).is_empty());
        assert_eq!(resample(&[1, 2, 3], 8_000, 8_000), [1, 2, 3]);
    }
}
