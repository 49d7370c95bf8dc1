//! Music as it is put on the line: nothing in it that the line does not carry, as loud as all that
//! callers hear, and with peaks that stay away from full scale between the samples, too.

use super::loudness::{FLANK, LOUDNESS, MOST_GAIN, Meter, softened};

/// -2 dBTP (ITU-R BS.1770): no peak is higher, between the samples either.
pub(super) const TRUE_PEAK: f32 = 0.794_3;
/// What peaks are turned down to: the interpolation here is a little less exact than a meter's.
const CEILING: f32 = TRUE_PEAK * 0.96;
/// Nearer to [`LOUDNESS`] it need not be, in dB.
const NEAR: f64 = 0.1;
/// Turning peaks down makes it softer, so it is measured again, so many times at most.
const ROUNDS: usize = 6;
/// Samples a stretch when peaks are turned down, so that memory is needed for one only.
const STRETCH: usize = 1 << 16;

/// Takes away what is below `hz`: rumble, and whatever keeps the wave from swinging around zero.
/// A Butterworth filter of the second order; it begins at rest in the first sample.
pub(super) fn high_pass(rate: u32, hz: f64, samples: &mut [f32]) {
    let turn = (std::f64::consts::PI * hz / f64::from(rate)).tan();
    let scale = 1.0 / (1.0 + std::f64::consts::SQRT_2 * turn + turn * turn);
    let (one, two) = (
        2.0 * (turn * turn - 1.0) * scale,
        (1.0 - std::f64::consts::SQRT_2 * turn + turn * turn) * scale,
    );
    let Some(first) = samples.first().map(|it| f64::from(*it)) else { return };
    let (mut inputs, mut outputs) = ([first; 2], [0.0; 2]);
    for sample in samples {
        let input = f64::from(*sample);
        let output =
            scale * (input - 2.0 * inputs[0] + inputs[1]) - one * outputs[0] - two * outputs[1];
        (inputs, outputs) = ([input, inputs[0]], [output, outputs[0]]);
        *sample = output as f32;
    }
}

/// Makes it as loud as everything is, with no peak beyond [`TRUE_PEAK`]. `None` if there is nothing
/// to be heard in it.
pub(super) fn level(rate: u32, samples: &mut [f32]) -> Option<()> {
    let mut left = MOST_GAIN;
    for round in 0..ROUNDS {
        let mut meter = Meter::new(1, rate)?;
        meter.hear(samples);
        // Less than a block of the meter's, or silence.
        let loudness = meter.loudness();
        if !loudness.is_finite() {
            return None;
        }
        let gain = (LOUDNESS - loudness).min(left);
        left -= gain;
        if round > 0 && gain.abs() < NEAR {
            break;
        }
        let gain = 10_f64.powf(gain / 20.0) as f32;
        samples.iter_mut().for_each(|it| *it *= gain);
        if !limit(rate, samples) {
            break;
        }
    }
    Some(())
}

/// Turns peaks down; whether there were any.
fn limit(rate: u32, samples: &mut [f32]) -> bool {
    let flank = (rate / FLANK) as usize;
    let (reach, mut found) = (2 * flank + TAPS, false);
    let table = interpolation();
    // What a stretch needs of the one before, from before that was turned down.
    let mut before: Vec<f32> = Vec::new();
    for start in (0..samples.len()).step_by(STRETCH) {
        let end = samples.len().min(start + STRETCH);
        let behind = samples.len().min(end + reach);
        let lead = before.len();
        let mut stretch = std::mem::take(&mut before);
        stretch.extend_from_slice(&samples[start..behind]);
        before = samples[end.saturating_sub(reach).max(start)..end].to_vec();
        let needed: Vec<f32> = peaks(&stretch, &table)
            .into_iter()
            .map(|it| (CEILING / it.max(CEILING)).min(1.0))
            .collect();
        if needed.iter().all(|it| *it >= 1.0) {
            continue;
        }
        found = true;
        for (sample, limit) in samples[start..end].iter_mut().zip(&softened(needed, flank)[lead..])
        {
            *sample *= limit;
        }
    }
    found
}

/// Places of the interpolation, and points between two samples it is asked for.
const TAPS: usize = 16;
const BETWEEN: usize = 3;

/// The highest of each sample and the points between it and the next.
fn peaks(samples: &[f32], table: &[[f32; TAPS]; BETWEEN]) -> Vec<f32> {
    let mut peaks: Vec<f32> = samples.iter().map(|it| it.abs()).collect();
    for (at, window) in samples.array_windows::<TAPS>().enumerate() {
        let place = at + TAPS / 2 - 1;
        for phase in table {
            let value: f32 = window.iter().zip(phase).map(|(a, b)| a * b).sum();
            peaks[place] = peaks[place].max(value.abs());
        }
    }
    peaks
}

/// The values of a windowed sinc a quarter, a half and three quarters of the way to the next sample.
fn interpolation() -> [[f32; TAPS]; BETWEEN] {
    std::array::from_fn(|phase| {
        let ahead = (phase + 1) as f64 / (BETWEEN + 1) as f64;
        std::array::from_fn(|tap| {
            let away = tap as f64 - (TAPS / 2 - 1) as f64 - ahead;
            let turn = std::f64::consts::PI * away;
            let window = (turn / TAPS as f64).cos().powi(2);
            (turn.sin() / turn * window) as f32
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f32, peak: f32, seconds: u32) -> Vec<f32> {
        let turn = std::f32::consts::TAU * hz / rate as f32;
        // Between two samples when it is highest, for a tone of a quarter of the rate.
        (0..rate * seconds).map(|at| peak * (turn * at as f32 + 0.785).sin()).collect()
    }

    fn true_peak(rate: u32, samples: &[f32]) -> f64 {
        let mut meter = ebur128::EbuR128::new(1, rate, ebur128::Mode::TRUE_PEAK).unwrap();
        meter.add_frames_f32(samples).unwrap();
        meter.true_peak(0).unwrap()
    }

    #[test]
    fn no_peak_is_beyond_two_decibels_below_full_scale() {
        for (rate, hz) in [(8_000, 2_000.0), (16_000, 4_000.0), (8_000, 3_300.0), (16_000, 440.0)] {
            // Softly most of the time, and then as loud as can be: only the limiter helps.
            let mut sound = tone(rate, hz, 0.01, 20);
            for start in [3, 9, 15] {
                let start = (start * rate) as usize;
                sound[start..start + 2_000].iter_mut().for_each(|it| *it *= 100.0);
            }
            level(rate, &mut sound).unwrap();
            let peak = true_peak(rate, &sound);
            assert!(
                peak <= f64::from(TRUE_PEAK),
                "{hz} Hz at {rate}: {:.2} dBTP",
                20.0 * peak.log10()
            );
        }
    }

    #[test]
    fn loud_and_soft_become_equally_loud() {
        for peak in [0.01, 0.1, 1.0] {
            let mut sound = tone(8_000, 500.0, peak, 5);
            level(8_000, &mut sound).unwrap();
            let mut meter = Meter::new(1, 8_000).unwrap();
            meter.hear(&sound);
            assert!((meter.loudness() - LOUDNESS).abs() < 0.1, "{peak}: {}", meter.loudness());
        }
        assert_eq!(level(8_000, &mut [0.0; 16_000]), None);
        assert_eq!(level(8_000, &mut []), None);
    }

    #[test]
    fn turning_down_in_stretches_is_turning_down_at_once() {
        let rate = 8_000;
        let mut sound = tone(rate, 100.0, 0.3, 20);
        // Peaks on both sides of where two stretches meet, and at the ends.
        for at in [0, 30, STRETCH - 90, STRETCH - 1, STRETCH, STRETCH + 35, sound.len() - 1] {
            sound[at] = 1.6;
        }
        let table = interpolation();
        let needed = |it: f32| (CEILING / it.max(CEILING)).min(1.0);
        let limits = softened(
            peaks(&sound, &table).into_iter().map(needed).collect(),
            (rate / FLANK) as usize,
        );
        let expected: Vec<f32> = sound.iter().zip(limits).map(|(a, b)| a * b).collect();
        assert!(limit(rate, &mut sound));
        let off = sound.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-5, "{off}");
    }

    #[test]
    fn what_does_not_swing_is_gone_and_tones_stay() {
        let mut sound = vec![0.5; 8_000];
        high_pass(8_000, 50.0, &mut sound);
        assert!(sound.iter().all(|it| it.abs() < 1e-6));
        let mut sound = tone(8_000, 400.0, 0.5, 1);
        high_pass(8_000, 50.0, &mut sound);
        let peak = sound[4_000..].iter().fold(0_f32, |most, it| most.max(it.abs()));
        assert!((0.49..0.51).contains(&peak), "{peak}");
    }
}
