//! Live sound, encoded for every codec as it comes, without seams.

use std::collections::VecDeque;

use super::{
    Clip, Codec, Encoded, g711::Law, g722, opus, opus_packet::FRAME_TICKS, resample::Resampling,
};

/// Samples of a piece at [`Codec::WIDE`] come in multiples of this: 20 ms.
pub const STEP: usize = 2 * FRAME_TICKS;

/// So much later the narrow codecs have what the wide ones have, in samples at [`Codec::RATE`]: more than
/// the filter between takes.
const LATER: usize = 800;
/// What live sound is brought to, as the mean of its squares, full scale being 1: about as loud as tracks.
const LEVEL: f32 = 0.005;
/// Softer sound than this part of full scale is left as it is.
const SOFTEST: f32 = 0.003;
/// Nothing is made louder by more.
const MOST_GAIN: f32 = 2.0;
/// How much of what was known of its level a piece of half a second leaves.
const MEMORY: f32 = 0.9;

/// Encodes one stream.
pub struct Relay {
    wide: g722::Encoder,
    opus: Option<opus::Streaming>,
    filter: Option<Resampling>,
    narrow: VecDeque<f32>,
    power: f32,
    gain: f32,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            wide: g722::Encoder::default(),
            opus: opus::Streaming::new(),
            filter: Resampling::new(Codec::WIDE, Codec::RATE),
            narrow: VecDeque::from(vec![0.0; LATER]),
            power: LEVEL,
            gain: 1.0,
        }
    }
}

impl Relay {
    /// The next piece, samples at [`Codec::WIDE`]; what is left of a whole number of [`STEP`]s is lost.
    pub fn clip(&mut self, name: &str, samples: &[i16]) -> Clip {
        let mut sound: Vec<f32> = samples[..samples.len() / STEP * STEP]
            .iter()
            .map(|it| f32::from(*it) / 32_768.0)
            .collect();
        self.level(&mut sound);
        let wide: Vec<i16> = sound.iter().map(|it| (it * 32_767.0) as i16).collect();
        let ticks = wide.len() / 2;
        let mut encoded = vec![(Codec::G722, Encoded::new(self.wide.encode(&wide), Vec::new()))];
        if let Some((bytes, ends)) = self.opus.as_mut().map(|it| it.push(&wide)) {
            encoded.push((Codec::Opus, Encoded::new(bytes, ends)));
        }
        if let Some(filter) = &mut self.filter {
            filter.take(&sound);
            self.narrow.extend(filter.drain());
        }
        let have = ticks.min(self.narrow.len());
        let narrow: Vec<i16> = self.narrow.drain(..have).map(|it| (it * 32_767.0) as i16).collect();
        for (codec, law) in [(Codec::Pcmu, Law::Mu), (Codec::Pcma, Law::A)] {
            let bytes: Vec<u8> = narrow.iter().map(|&it| law.encode(it)).collect();
            encoded.push((codec, Encoded::new(bytes, Vec::new())));
        }
        let length = std::time::Duration::from_micros(ticks as u64 * 125);
        Clip::finished(name, length, &encoded)
    }

    /// Brings sound to [`LEVEL`] slowly, so that nobody hears it being done.
    fn level(&mut self, sound: &mut [f32]) {
        let power = sound.iter().map(|it| it * it).sum::<f32>() / sound.len().max(1) as f32;
        if power > SOFTEST * SOFTEST {
            self.power = self.power * MEMORY + power * (1.0 - MEMORY);
        }
        let before = self.gain;
        self.gain = (LEVEL / self.power).sqrt().min(MOST_GAIN);
        let step = (self.gain - before) / sound.len().max(1) as f32;
        for (at, sample) in sound.iter_mut().enumerate() {
            *sample = (*sample * (before + step * at as f32)).clamp(-0.8, 0.8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces follow each other as if they were one sound, in every codec.
    #[test]
    fn a_tone_in_pieces_is_a_tone() {
        let turn = std::f32::consts::TAU * 500.0 / Codec::WIDE as f32;
        let tone: Vec<i16> =
            (0..64_000).map(|at| ((turn * at as f32).sin() * 3_000.0) as i16).collect();
        let mut relay = Relay::default();
        let clips: Vec<Clip> = tone.chunks(8_000).map(|it| relay.clip("live", it)).collect();
        for clip in &clips {
            assert_eq!(clip.ticks(), 4_000);
            for codec in Codec::SPOKEN {
                assert!(clip.ready(*codec).is_some(), "{codec:?}");
            }
        }
        let bytes = clips.iter().flat_map(|it| it.ready(Codec::Pcmu).unwrap().between(0, 4_000));
        let heard: Vec<f32> = bytes.map(|&it| f32::from(Law::Mu.decode(it))).collect();
        assert_eq!(heard.len(), 32_000);
        // Without a seam, a sample of a tone follows from the two before it.
        let turn = 2.0 * (std::f32::consts::TAU * 500.0 / Codec::RATE as f32).cos();
        let worst = heard[2_000..].windows(3).map(|it| (it[2] - turn * it[1] + it[0]).abs());
        let worst = worst.fold(0.0, f32::max);
        assert!(worst < 700.0, "a seam of {worst}");
    }

    #[test]
    fn what_is_too_loud_is_softer_in_the_end() {
        let loud = [20_000, -20_000].repeat(4_000);
        let mut relay = Relay::default();
        let last = (0..60).map(|_| relay.clip("live", &loud)).last().unwrap();
        let wide = last.ready(Codec::Pcmu).unwrap().between(0, 4_000);
        assert!(!wide.is_empty());
        assert!(relay.gain < 0.2, "{}", relay.gain);
    }
}
