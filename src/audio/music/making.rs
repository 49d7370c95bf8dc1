//! From samples to a track.

use std::time::Duration;

use super::{Music, PEAKS};
use crate::audio::{Clip, Codec, loudness::levelled, opus_packet::FRAME_TICKS};

impl Music {
    /// A track of samples at [`Codec::WIDE`], full scale being 1; `loudness` is the original's, in
    /// LUFS. `told` hears how far it is, in per cent. `None` if there is nothing to be heard in it.
    pub fn made(samples: Vec<f32>, loudness: f64, told: &mut dyn FnMut(u8)) -> Option<Self> {
        let samples: Vec<i16> = samples.iter().map(|it| (it * 32_768.0).round() as i16).collect();
        let mut samples = levelled(Codec::WIDE, &samples)?;
        let packet = FRAME_TICKS * 2;
        samples.resize(samples.len().next_multiple_of(packet), 0);
        let ticks = samples.len() / 2;
        let loudest = |part: &[i16]| part.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
        let part = samples.len().div_ceil(PEAKS);
        let mut peaks: Vec<u8> = samples.chunks(part).map(|it| (loudest(it) >> 7) as u8).collect();
        peaks.resize(PEAKS, 0);
        let clip = Clip::at("music", samples, Codec::WIDE);
        let codecs = Codec::SPOKEN.iter();
        let mut encoded = Vec::new();
        for (at, &codec) in codecs.enumerate() {
            encoded.push((codec, clip.in_codec(codec).clone()));
            told((100 * (at + 1) / Codec::SPOKEN.len()) as u8);
        }
        let length = Duration::from_micros(ticks as u64 * 125);
        Some(Self { length, loudness, peaks, encoded })
    }
}
