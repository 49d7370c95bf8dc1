//! Whether anybody speaks: the gate before the recogniser, which invents words in noise.
//!
//! A frame counts when a voice detector says so, when it is louder than the line's own noise, and
//! when it is not a tone: dial, busy and DTMF tones are as periodic as vowels and fool detectors.

use std::f32::consts::TAU;
use std::time::Duration;

use earshot::Detector;

/// How much speech is in samples at 16,000 a second; exact to the frame of 16 ms.
pub fn speech(samples: &[i16]) -> Duration {
    let (frames, _) = samples.as_chunks::<FRAME>();
    let least = threshold(frames);
    let (mut detector, ear) = (Detector::default(), Ear::new());
    let mut voiced = vec![0];
    for (at, frames) in frames.chunks(STEP).enumerate() {
        // The detector remembers, so it hears every frame.
        let voices =
            frames.iter().map(|it| detector.predict_i16(it) >= VOICE && power(it) >= least);
        let count = voices.filter(|&it| it).count();
        let tone = count > 0 && ear.tonal(around(samples, at));
        voiced.push(if tone { 0 } else { count });
    }
    voiced.push(0);
    // One step alone is the edge of a tone's burst.
    let alone = |it: &&[usize]| it[0] == 0 && it[2] == 0;
    let heard: usize = voiced.windows(3).filter(|it| !alone(it)).map(|it| it[1]).sum();
    LENGTH * u32::try_from(heard).unwrap_or(u32::MAX)
}

/// Samples the detector takes at a time.
const FRAME: usize = 256;
const LENGTH: Duration = Duration::from_millis(16);
/// From here on the detector's score means a voice.
const VOICE: f32 = 0.5;
/// Power of a full-scale square wave.
const FULL: f32 = 32_768.0 * 32_768.0;
/// -60 dB: quieter than any telephone's idle line.
const SILENCE: f32 = FULL * 1e-6;
/// 6 dB: what is louder than the noise by less is the noise.
const ABOVE: f32 = 4.0;

/// The least power that counts, from the quietest tenth of the frames.
fn threshold(frames: &[[i16; FRAME]]) -> f32 {
    let mut powers: Vec<f32> = frames.iter().map(|it| power(it)).collect();
    if powers.is_empty() {
        return SILENCE;
    }
    let tenth = powers.len() / 10;
    let (_, &mut floor, _) = powers.select_nth_unstable_by(tenth, f32::total_cmp);
    (floor * ABOVE).max(SILENCE)
}

fn power(frame: &[i16]) -> f32 {
    frame.iter().map(|&it| f32::from(it).powi(2)).sum::<f32>() / frame.len().max(1) as f32
}

/// Samples a tone is judged by: 128 ms, bins of 7.8 Hz. In half of that a voice often seems to be a
/// tone; in twice it a busy tone's bursts do not.
const SPAN: usize = 1 << BITS;
const BITS: u32 = 11;
/// Frames judged at once.
const STEP: usize = 4;
/// Bins each side of a peak that a steady tone reaches under the window.
const REACH: usize = 2;
/// Share of the power in the two strongest peaks from which sound is a tone. More would let the edges of a
/// busy tone's bursts pass, less would lose more than the third of a voice that is lost now.
const PURE: f32 = 0.85;

/// The stretch of sound with the frames of step `at` in its middle, as far as there is one.
fn around(samples: &[i16], at: usize) -> &[i16] {
    let middle = at * STEP * FRAME + STEP * FRAME / 2;
    let last = samples.len().saturating_sub(SPAN);
    let start = middle.saturating_sub(SPAN / 2).min(last);
    &samples[start..samples.len().min(start + SPAN)]
}

/// Tells tones from voices; made once a message for its tables.
struct Ear {
    /// The Hann window.
    window: Vec<f32>,
    /// Half a turn of the unit circle in 1, 2, 4, ... steps, one after the other.
    turns: Vec<(f32, f32)>,
}

impl Ear {
    fn new() -> Self {
        let hann = |at: usize| 0.5 - 0.5 * (TAU * at as f32 / SPAN as f32).cos();
        let turn = |(half, at)| (TAU / 2.0 * at as f32 / half as f32).sin_cos();
        let halves = (0..BITS).map(|it| 1_usize << it);
        let steps = halves.flat_map(|half| (0..half).map(move |at| (half, at)));
        Self { window: (0..SPAN).map(hann).collect(), turns: steps.map(turn).collect() }
    }

    /// Whether one or two frequencies are nearly all there is.
    fn tonal(&self, samples: &[i16]) -> bool {
        let mut spectrum = self.spectrum(samples);
        let all: f32 = spectrum.iter().sum();
        let peaks: f32 = (0..2).map(|_| take_peak(&mut spectrum)).sum();
        all > 0.0 && peaks >= PURE * all
    }

    /// Power by frequency of at most [`SPAN`] samples, in bins of 7.8 Hz.
    fn spectrum(&self, samples: &[i16]) -> Vec<f32> {
        let mut bins = vec![(0.0, 0.0); SPAN];
        for (at, (&sample, &window)) in samples.iter().zip(&self.window).enumerate() {
            bins[at.reverse_bits() >> (usize::BITS - BITS)].0 = f32::from(sample) * window;
        }
        self.transform(&mut bins);
        bins[..SPAN / 2].iter().map(|(re, im)| re * re + im * im).collect()
    }

    /// The discrete Fourier transform, in place, of values in bit-reversed order (radix 2).
    fn transform(&self, bins: &mut [(f32, f32)]) {
        let mut half = 1;
        while half < bins.len() {
            let turns = &self.turns[half - 1..2 * half - 1];
            for block in bins.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((a, b), &(sin, cos)) in low.iter_mut().zip(high).zip(turns) {
                    let turned = (b.0 * cos + b.1 * sin, b.1 * cos - b.0 * sin);
                    *b = (a.0 - turned.0, a.1 - turned.1);
                    *a = (a.0 + turned.0, a.1 + turned.1);
                }
            }
            half *= 2;
        }
    }
}

/// Removes the strongest peak and tells its power.
fn take_peak(spectrum: &mut [f32]) -> f32 {
    let strongest = spectrum.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let Some((at, _)) = strongest else { return 0.0 };
    let end = spectrum.len().min(at + REACH + 1);
    let peak = &mut spectrum[at.saturating_sub(REACH)..end];
    let sum = peak.iter().sum();
    peak.fill(0.0);
    sum
}
