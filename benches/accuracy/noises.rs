//! A hundred calls in which nobody speaks: silence, noise, music, tones and keys.

use std::f32::consts::TAU;

/// Samples a second.
const RATE: usize = 8_000;

/// Twenty of each kind, from 3 to 12 seconds, the same each time.
pub fn calls() -> Vec<(String, Vec<i16>)> {
    let mut chance = Chance(1);
    let mut calls = Vec::new();
    for number in 0..20 {
        let length = RATE * (3 + number % 10);
        calls.push((format!("silence {number}"), silence(&mut chance, number, length)));
        calls.push((format!("noise {number}"), noise(&mut chance, number, length)));
        calls.push((format!("music {number}"), music(&mut chance, number, length)));
        calls.push((format!("tones {number}"), tones(number, length)));
        calls.push((format!("keys {number}"), keys(&mut chance, length)));
    }
    calls
}

struct Chance(u32);

impl Chance {
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % most.max(1)
    }

    /// From -1 to 1.
    fn sample(&mut self) -> f32 {
        self.below(1 << 16) as f32 / 32_768.0 - 1.0
    }
}

/// A line with next to nothing on it.
fn silence(chance: &mut Chance, number: usize, length: usize) -> Vec<i16> {
    let level = number as f32 * 2.0;
    (0..length).map(|_| (chance.sample() * level) as i16).collect()
}

/// White, dull or rumbling noise, steady or in gusts, from faint to loud.
fn noise(chance: &mut Chance, number: usize, length: usize) -> Vec<i16> {
    let peak = 100.0 * 1.3_f32.powi(number as i32);
    let dullness = [0.0, 0.7, 0.95, 0.99][number % 4];
    let mut state = 0.0;
    let sample = |at: usize| {
        state = state * dullness + chance.sample() * (1.0 - dullness);
        let gusts =
            if number.is_multiple_of(2) { 1.0 } else { (at as f32 * TAU / 9_000.0).sin().abs() };
        (state * peak * gusts / (1.0 - dullness).sqrt()).clamp(-32_000.0, 32_000.0) as i16
    };
    (0..length).map(sample).collect()
}

/// Chords and a tune over them, with overtones, struck and dying away.
fn music(chance: &mut Chance, number: usize, length: usize) -> Vec<i16> {
    let scale = [0, 2, 4, 5, 7, 9, 11, 12];
    let beat = RATE * (250 + 25 * (number % 8)) / 1_000;
    let mut sound = vec![0.0; length];
    for start in (0..length).step_by(beat) {
        let root = scale[chance.below(8) as usize];
        let tune = scale[chance.below(8) as usize] + 12;
        for (tone, loudness) in [(root, 0.3), (root + 4, 0.2), (root + 7, 0.2), (tune, 0.5)] {
            let pitch = 130.8 * 2_f32.powf((tone + number as i32 % 5) as f32 / 12.0);
            for (at, sample) in sound.iter_mut().skip(start).take(beat * 2).enumerate() {
                let time = at as f32 / RATE as f32;
                let fading = (-time * 3.0).exp() * loudness;
                let overtone = |it: f32| (TAU * pitch * it * time).sin() / (it * it);
                *sample += fading * (overtone(1.0) + overtone(2.0) + overtone(3.0));
            }
        }
    }
    sound.into_iter().map(|it| (it * 7_000.0).clamp(-32_000.0, 32_000.0) as i16).collect()
}

/// What exchanges and machines send: dial, ringing, busy and information tones, fax, modem.
fn tones(number: usize, length: usize) -> Vec<i16> {
    const KINDS: [(&[f32], usize, usize); 10] = [
        (&[350.0, 440.0], 1, 0),
        (&[440.0, 480.0], 2_000, 4_000),
        (&[480.0, 620.0], 500, 500),
        (&[425.0], 1_000, 4_000),
        (&[425.0], 200, 200),
        (&[950.0], 330, 30),
        (&[1_400.0], 330, 30),
        (&[1_100.0], 500, 3_000),
        (&[2_100.0], 1, 0),
        (&[1_004.0], 1, 0),
    ];
    let (frequencies, on, off) = KINDS[number % KINDS.len()];
    let peak = if number < 10 { 8_000.0 } else { 1_500.0 };
    let sample = |at: usize| {
        let sounds = off == 0 || at * 1_000 / RATE % (on + off) < on;
        let sum: f32 =
            frequencies.iter().map(|it| (TAU * it * at as f32 / RATE as f32).sin()).sum();
        if sounds { (sum * peak / frequencies.len() as f32) as i16 } else { 0 }
    };
    (0..length).map(sample).collect()
}

/// Keys that are pressed (ITU-T Q.23), now and then.
fn keys(chance: &mut Chance, length: usize) -> Vec<i16> {
    const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
    const HIGH: [f32; 3] = [1_209.0, 1_336.0, 1_477.0];
    let mut sound = Vec::new();
    while sound.len() < length {
        let (low, high) = (LOW[chance.below(4) as usize], HIGH[chance.below(3) as usize]);
        let (on, off) = (RATE * (80 + chance.below(200) as usize) / 1_000, RATE / 10);
        let pause = off + chance.below(RATE as u32 / 2) as usize;
        sound.extend((0..on).map(|at| {
            let time = at as f32 / RATE as f32;
            ((TAU * low * time).sin() * 6_000.0 + (TAU * high * time).sin() * 6_000.0) as i16
        }));
        sound.extend(std::iter::repeat_n(0, pause));
    }
    sound.truncate(length);
    sound
}
