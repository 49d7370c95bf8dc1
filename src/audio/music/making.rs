//! From samples to a track.

use std::time::Duration;

use super::{Music, PEAKS};
use crate::audio::{Codec, Encoded, master, opus, opus_packet::FRAME_TICKS, resample::Resampling};

/// What is softer than the loudest sample by this factor (66 dB) at the ends is silence.
const SILENT: f32 = 0.000_5;
/// So many samples of that stay at each end: 10 ms.
const MARGIN: usize = 160;
/// How long the first sound takes to be all there, and the last one to be gone, in parts of a second.
const FADE_IN: u32 = 200;
const FADE_OUT: u32 = 50;
/// What is below, telephones do not carry: in a narrow call, and in a wide one (ITU-T G.712, G.722).
const LOWEST_NARROW: f64 = 200.0;
const LOWEST_WIDE: f64 = 50.0;

impl Music {
    /// A track of samples at [`Codec::WIDE`], full scale being 1; `loudness` is the original's, in
    /// LUFS. `told` hears how far it is, in per cent. `None` if there is nothing to be heard in it,
    /// or it is shorter than half a second.
    pub fn made(mut samples: Vec<f32>, loudness: f64, told: &mut dyn FnMut(u8)) -> Option<Self> {
        trim(&mut samples);
        if samples.len() < Codec::WIDE as usize / 2 {
            return None;
        }
        let packets = (samples.len() + opus::AHEAD).div_ceil(FRAME_TICKS * 2);
        let ticks = packets * FRAME_TICKS;
        told(5);
        let mut narrow = Resampling::new(Codec::WIDE, Codec::RATE)?;
        narrow.take(&samples);
        let narrow = finished(Codec::RATE, LOWEST_NARROW, narrow.finish(), ticks)?;
        told(20);
        let wide = finished(Codec::WIDE, LOWEST_WIDE, samples, ticks * 2)?;
        told(40);
        let mut encoded = Vec::new();
        // The dearest at last.
        for (&codec, share) in Codec::SPOKEN.iter().rev().zip([44, 48, 60, 99]) {
            let sound = match codec {
                Codec::Pcmu | Codec::Pcma => Encoded::of(codec, &narrow),
                Codec::G722 => Encoded::of(codec, &wide),
                Codec::Opus => {
                    let (bytes, ends) = opus::encode_music(&wide);
                    Encoded::new(bytes, ends)
                }
            };
            encoded.push((codec, sound));
            told(share);
        }
        told(100);
        let length = Duration::from_micros(ticks as u64 * 125);
        Some(Self { length, loudness, peaks: peaks(&narrow), encoded })
    }
}

/// Takes silence away from the ends: a track that is played over and over has no holes.
fn trim(samples: &mut Vec<f32>) {
    let loudest = samples.iter().fold(0_f32, |most, it| most.max(it.abs()));
    let heard = |it: &f32| it.abs() > loudest * SILENT;
    let first = samples.iter().position(heard).unwrap_or(samples.len());
    let end = samples.iter().rposition(heard).map_or(0, |it| it + 1);
    samples.truncate(end + MARGIN);
    samples.drain(..first.saturating_sub(MARGIN).min(samples.len()));
}

/// Samples as they are encoded: without what the line does not carry, level, with ends that do not
/// click, and so many.
fn finished(rate: u32, lowest: f64, mut samples: Vec<f32>, length: usize) -> Option<Vec<i16>> {
    master::high_pass(rate, lowest, &mut samples);
    master::level(rate, &mut samples)?;
    fade(samples.iter_mut(), rate / FADE_IN);
    fade(samples.iter_mut().rev(), rate / FADE_OUT);
    let mut samples: Vec<i16> = samples.iter().map(|it| (it * 32_768.0).round() as i16).collect();
    samples.resize(length, 0);
    Some(samples)
}

/// From nothing to all in so many samples, as half a wave rises.
fn fade<'a>(samples: impl Iterator<Item = &'a mut f32>, length: u32) {
    for (at, sample) in (0..length).zip(samples) {
        let turn = std::f32::consts::PI * (at as f32 + 0.5) / length as f32;
        *sample *= 0.5 - 0.5 * turn.cos();
    }
}

fn peaks(samples: &[i16]) -> Vec<u8> {
    let loudest = |part: &[i16]| part.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
    let bound = |at: usize| samples.len() * at / PEAKS;
    (0..PEAKS)
        .map(|at| loudest(&samples[bound(at)..bound(at + 1)]).min(32_767) >> 7)
        .map(|it| it as u8)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hum(seconds: f32) -> Vec<f32> {
        (0..(seconds * 16_000.0) as usize).map(|at| 0.3 * (at as f32 * 0.3).sin()).collect()
    }

    fn made(samples: Vec<f32>) -> Option<Music> {
        Music::made(samples, -20.0, &mut |_| ())
    }

    #[test]
    fn all_codecs_play_equally_long_and_at_once() {
        let music = made(hum(2.013)).unwrap();
        let clip = music.clip("hum");
        assert_eq!(clip.length(), music.length);
        assert_eq!(music.length, Duration::from_millis(2_020));
        for &codec in Codec::SPOKEN {
            let sound = clip.ready(codec).unwrap();
            match codec {
                Codec::Opus => {
                    assert!(sound.packet(100).is_some() && sound.packet(101).is_none());
                }
                _ => assert_eq!(sound.between(0, usize::MAX).len(), 101 * FRAME_TICKS, "{codec:?}"),
            }
        }
    }

    #[test]
    fn silence_at_the_ends_is_taken_away_and_a_pause_is_not() {
        let pause = vec![0.0; 16_000];
        let all = [&pause[..], &hum(1.0), &pause, &hum(1.0), &pause].concat();
        let length = made(all).unwrap().length.as_millis();
        assert!((3_010..3_080).contains(&length), "{length} ms");
    }

    #[test]
    fn a_track_begins_and_ends_in_silence() {
        // It begins and ends at its loudest, beside zero.
        let music = made(hum(3.0).iter().map(|it| it.abs() + 0.2).collect()).unwrap();
        let clip = music.clip("hum");
        let bytes = clip.ready(Codec::Pcma).unwrap().between(0, usize::MAX);
        let law = crate::audio::g711::Law::A;
        let sounds: Vec<i16> = bytes.iter().map(|it| law.decode(*it)).collect();
        for end in [&sounds[..3], &sounds[sounds.len() - 3..]] {
            assert!(end.iter().all(|it| it.abs() <= 80), "{end:?}");
        }
        let loudest = sounds.iter().map(|it| it.abs()).max().unwrap();
        assert!(loudest > 1_000);
        assert_eq!(music.peaks.len(), PEAKS);
        assert!(music.peaks.contains(&((loudest >> 7) as u8)));
    }

    #[test]
    fn what_cannot_be_heard_is_no_track() {
        assert!(made(Vec::new()).is_none());
        assert!(made(vec![0.0; 32_000]).is_none());
        assert!(made(hum(0.3)).is_none());
    }

    #[test]
    fn it_says_how_far_it_is_and_never_less() {
        let mut heard = Vec::new();
        Music::made(hum(1.0), -20.0, &mut |it| heard.push(it)).unwrap();
        assert!(heard.is_sorted() && heard.last() == Some(&100), "{heard:?}");
    }
}
