//! Sounds that callers hear: encoded once per codec, when the first call asks for it, and shared.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{Codec, g722, opus, resample::resample};

/// A recorded sound that any caller can be played.
#[derive(Debug, Clone)]
pub struct Clip {
    /// What it is called in logs.
    pub name: Arc<str>,
    /// Of a finished clip none are kept.
    samples: Arc<[i16]>,
    rate: u32,
    length: Duration,
    /// By codec; empty until one is asked for.
    encoded: [OnceLock<Encoded>; 4],
}

/// A sound in one codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    bytes: Arc<[u8]>,
    /// Of Opus: where each packet of [`opus_packet::FRAME_TICKS`](super::opus_packet::FRAME_TICKS) ends. Of the others, nothing.
    ends: Arc<[u32]>,
}

impl Clip {
    /// A sound at 8,000 samples a second, encoded in G.711 at once.
    pub fn new(name: &str, samples: &[i16]) -> Self {
        let clip = Self::at(name, samples.to_vec(), Codec::RATE);
        clip.prepare(Codec::Pcmu);
        clip.prepare(Codec::Pcma);
        clip
    }

    /// A sound at any rate. Nothing is encoded yet; more than [`Codec::WIDE`] is not kept.
    pub fn at(name: &str, samples: Vec<i16>, rate: u32) -> Self {
        let (samples, rate) = match rate > Codec::WIDE {
            true => (resample(&samples, rate, Codec::WIDE), Codec::WIDE),
            false => (samples, rate),
        };
        let length = samples.len() as u64 * 1_000_000 / u64::from(rate.max(1));
        Self {
            name: name.into(),
            samples: samples.into(),
            rate,
            length: Duration::from_micros(length),
            encoded: Default::default(),
        }
    }

    /// A sound that was encoded before: ready in these codecs, of which one is G.722.
    pub fn finished(name: &str, length: Duration, encoded: &[(Codec, Encoded)]) -> Self {
        let clip = Self { length, ..Self::at(name, Vec::new(), Codec::WIDE) };
        for (codec, sound) in encoded {
            // Only a codec that comes twice is set already.
            clip.encoded[*codec as usize].set(sound.clone()).ok();
        }
        clip
    }

    /// Encodes the sound in a codec, if nobody has yet: some milliseconds a second of sound.
    pub fn prepare(&self, codec: Codec) {
        self.in_codec(codec);
    }

    /// The sound in a codec, if it was prepared. Never waits.
    pub fn ready(&self, codec: Codec) -> Option<&Encoded> {
        self.encoded[codec as usize].get()
    }

    /// The bytes of the sound in a codec, encoded now if nobody has yet.
    pub fn encoded(&self, codec: Codec) -> &Arc<[u8]> {
        &self.in_codec(codec).bytes
    }

    /// How long it takes to play.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// The same in ticks of 125 µs.
    pub fn ticks(&self) -> usize {
        (self.length.as_micros() / 125) as usize
    }

    fn in_codec(&self, codec: Codec) -> &Encoded {
        self.encoded[codec as usize].get_or_init(|| self.encode(codec))
    }

    fn encode(&self, codec: Codec) -> Encoded {
        let sound = self.sound();
        let samples = match self.rate == codec.rate() {
            true => sound,
            false => Cow::Owned(resample(&sound, self.rate, codec.rate())),
        };
        Encoded::of(codec, &samples)
    }

    /// Its samples; those of a finished clip, should another codec be asked for than it has, are
    /// taken from its G.722.
    fn sound(&self) -> Cow<'_, [i16]> {
        match self.ready(Codec::G722) {
            Some(encoded) if self.samples.is_empty() => {
                let mut samples = Vec::new();
                g722::Decoder::default().decode(&encoded.bytes, &mut samples);
                Cow::Owned(samples)
            }
            _ => Cow::Borrowed(&self.samples),
        }
    }
}

impl Encoded {
    /// Samples at the codec's rate.
    pub(super) fn of(codec: Codec, samples: &[i16]) -> Self {
        let (bytes, ends) = match (codec, codec.law()) {
            (_, Some(law)) => (samples.iter().map(|&it| law.encode(it)).collect(), Vec::new()),
            (Codec::Opus, _) => opus::encode(samples),
            _ => (g722::Encoder::default().encode(samples), Vec::new()),
        };
        Self::new(bytes, ends)
    }

    pub(super) fn new(bytes: impl Into<Arc<[u8]>>, ends: Vec<u32>) -> Self {
        Self { bytes: bytes.into(), ends: ends.into() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// What there is from one tick to another of a sound whose bytes are a tick each.
    pub fn between(&self, from: usize, until: usize) -> &[u8] {
        self.bytes.get(from..until.min(self.bytes.len())).unwrap_or_default()
    }

    /// Packet `number` of a sound in Opus; `None` behind the last.
    pub fn packet(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)? as usize;
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.bytes.get(begin..end)
    }
}
