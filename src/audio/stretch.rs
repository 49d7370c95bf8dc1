//! Speech faster and slower at the pitch it was spoken in: pieces of it are laid over each other
//! where they fit best (WSOLA, Verhelst and Roelands 1993).

/// A piece, in milliseconds: longer than two periods of the deepest voice.
const PIECE: usize = 30;
/// How far from its place a better fitting one is looked for, in milliseconds.
const REACH: usize = 8;
/// Only every so manieth sample is compared. Speech has little above a kilohertz that matters here.
const STEP: usize = 4;

/// The samples at `percent` of their pace: 200 makes them half as long.
pub fn stretch(samples: &[i16], rate: u32, percent: u32) -> Vec<i16> {
    let rate = rate as usize;
    let (piece, reach) = (PIECE * rate / 1_000 / 2 * 2, REACH * rate / 1_000);
    if percent == 100 || percent == 0 || samples.len() < piece + reach {
        return samples.to_vec();
    }
    let half = piece / 2;
    let ahead = half * percent as usize / 100;

    let mut stretched = samples[..half].to_vec();
    let (mut place, mut taken) = (ahead, 0);
    while place + piece + reach <= samples.len() {
        // What would follow if nothing were left out or doubled.
        let next = &samples[taken + half..taken + piece];
        let from = place.saturating_sub(reach);
        let fits = (from..=place + reach).step_by(STEP);
        let best = fits.max_by_key(|&at| likeness(next, &samples[at..at + half]));
        let best = best.unwrap_or(place);
        stretched.extend((0..half).map(|at| {
            let (old, new) = (i64::from(next[at]), i64::from(samples[best + at]));
            let weight = at as i64;
            let mixed = (old * (half as i64 - weight) + new * weight) / half as i64;
            i16::try_from(mixed).unwrap_or_default()
        }));
        taken = best;
        place += ahead;
    }
    stretched.extend(&samples[(taken + half).min(samples.len())..]);
    stretched
}

fn likeness(one: &[i16], other: &[i16]) -> i64 {
    let pairs = one.iter().zip(other).step_by(STEP);
    pairs.map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8_000;

    fn tone(hertz: f64, seconds: f64) -> Vec<i16> {
        let count = (seconds * f64::from(RATE)) as usize;
        let wave = |n| (hertz * n as f64 / f64::from(RATE) * std::f64::consts::TAU).sin();
        (0..count).map(|n| (wave(n) * 10_000.0) as i16).collect()
    }

    fn crossings(samples: &[i16]) -> usize {
        samples.windows(2).filter(|it| (it[0] < 0) != (it[1] < 0)).count()
    }

    #[test]
    fn another_pace_takes_another_time_at_the_same_pitch() {
        let spoken = tone(220.0, 4.0);
        for percent in [60, 80, 130, 160] {
            let heard = stretch(&spoken, RATE, percent);
            let wanted = spoken.len() * 100 / percent as usize;
            assert!(heard.len().abs_diff(wanted) < 1_000, "{percent} %: {} samples", heard.len());
            let pitch = crossings(&heard) as f64 / heard.len() as f64;
            let was = crossings(&spoken) as f64 / spoken.len() as f64;
            assert!((pitch / was - 1.0).abs() < 0.02, "{percent} %: {}", pitch / was);
            let loudest = heard.iter().map(|it| it.unsigned_abs()).max();
            assert!(loudest.is_some_and(|it| it <= 10_000), "{percent} %: {loudest:?}");
        }
    }

    #[test]
    fn the_pace_it_was_spoken_in_changes_nothing() {
        let spoken = tone(220.0, 1.0);
        assert_eq!(stretch(&spoken, RATE, 100), spoken);
        for short in [0, 1, 100] {
            assert_eq!(stretch(&spoken[..short], RATE, 160), spoken[..short]);
        }
    }
}
