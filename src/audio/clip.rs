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
    samples: Arc<[i16]>,
    rate: u32,
    /// By codec; empty until one is asked for.
    encoded: [OnceLock<Encoded>; 4],
}

/// A sound in one codec.
#[derive(Debug, Clone)]
pub struct Encoded {
    bytes: Arc<[u8]>,
    /// Of Opus: where each packet of [`opus_packet::FRAME_TICKS`](super::opus_packet::FRAME_TICKS) ends. Of the others, nothing.
    ends: Vec<u32>,
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
        Self { name: name.into(), samples: samples.into(), rate, encoded: Default::default() }
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
        let micros = self.samples.len() as u64 * 1_000_000 / u64::from(self.rate.max(1));
        Duration::from_micros(micros)
    }

    fn in_codec(&self, codec: Codec) -> &Encoded {
        self.encoded[codec as usize].get_or_init(|| self.encode(codec))
    }

    fn encode(&self, codec: Codec) -> Encoded {
        let samples: Cow<'_, [i16]> = match self.rate == codec.rate() {
            true => Cow::Borrowed(&self.samples),
            false => Cow::Owned(resample(&self.samples, self.rate, codec.rate())),
        };
        let (bytes, ends) = match (codec, codec.law()) {
            (_, Some(law)) => (samples.iter().map(|&it| law.encode(it)).collect(), Vec::new()),
            (Codec::Opus, _) => opus::encode(&samples),
            _ => (g722::Encoder::default().encode(&samples), Vec::new()),
        };
        Encoded { bytes: bytes.into(), ends }
    }
}

impl Encoded {
    /// What follows the first `tick` ticks of a sound whose bytes are a tick each.
    pub fn from_tick(&self, tick: usize) -> &[u8] {
        self.bytes.get(tick..).unwrap_or_default()
    }

    /// Packet `number` of a sound in Opus; `None` behind the last.
    pub fn packet(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)? as usize;
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.bytes.get(begin..end)
    }
}
