//! Whether anybody speaks.

use std::time::Duration;

use afterbeep::audio::gate::speech;

use super::{noise, sentence, tones};

const RATE: u32 = 16_000;

/// A tone in bursts, as busy tones are, for five seconds.
fn bursts(frequencies: &[f32], on: f32, off: f32) -> Vec<i16> {
    let pause = vec![0; (off * RATE as f32) as usize];
    let burst = [tones(frequencies, on, RATE), pause].concat();
    burst.into_iter().cycle().take(5 * RATE as usize).collect()
}

#[test]
fn silence_and_noise_are_nobody_speaking() {
    assert_eq!(speech(&[]), Duration::ZERO);
    assert_eq!(speech(&[0; 100]), Duration::ZERO);
    assert_eq!(speech(&vec![0; 80_000]), Duration::ZERO);
    for peak in [30, 300, 3_000, 20_000] {
        assert_eq!(speech(&noise(peak, 80_000)), Duration::ZERO, "noise of {peak}");
    }
}

#[test]
fn tones_of_the_exchange_are_nobody_speaking() {
    let steady: [&[f32]; 6] =
        [&[440.0], &[425.0], &[350.0, 440.0], &[480.0, 620.0], &[1_100.0], &[697.0, 1_209.0]];
    for tone in steady {
        assert_eq!(speech(&tones(tone, 5.0, RATE)), Duration::ZERO, "steady {tone:?}");
    }
    let busy: [(&[f32], f32, f32); 5] = [
        (&[480.0, 620.0], 0.5, 0.5),
        (&[480.0, 620.0], 0.25, 0.25),
        (&[425.0], 0.48, 0.48),
        (&[440.0], 0.5, 0.5),
        (&[440.0, 480.0], 2.0, 4.0),
    ];
    for (tone, on, off) in busy {
        assert_eq!(speech(&bursts(tone, on, off)), Duration::ZERO, "bursts of {tone:?}");
    }
}

#[test]
fn a_busy_tone_over_a_noisy_line_is_nobody_speaking() {
    let tone = bursts(&[425.0], 0.48, 0.48);
    let noise = noise(100, tone.len());
    let line: Vec<i16> = tone.iter().zip(noise).map(|(a, b)| a + b).collect();
    assert_eq!(speech(&line), Duration::ZERO);
}

#[test]
fn most_of_a_read_sentence_is_speech() {
    let sentence = sentence();
    let length = Duration::from_secs_f64(sentence.len() as f64 / f64::from(RATE));
    let heard = speech(&sentence);
    assert!(heard > length / 2 && heard <= length, "{heard:?} of {length:?}");
}

#[test]
fn speech_before_a_long_busy_tone_is_still_heard() {
    let call = [sentence(), bursts(&[480.0, 620.0], 0.5, 0.5), vec![0; 80_000]].concat();
    let heard = speech(&call);
    assert!(heard > Duration::from_secs(2), "{heard:?}");
}
