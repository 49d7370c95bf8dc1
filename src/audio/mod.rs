//! Samples to samples: everything that happens to sound and needs nothing but the sound.
//!
//! Samples are 16-bit linear PCM unless a function says otherwise.

use std::sync::Arc;

pub mod g711;
pub mod gate;
pub mod level;
pub mod listener;
pub mod resample;
pub mod tones;
pub mod wav;

/// A codec a call can be spoken in. Both run at 8,000 samples a second, one byte a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, RTP payload type 0.
    Pcmu,
    /// G.711 A-law, RTP payload type 8.
    Pcma,
}

/// A recorded sound ready to be heard by any caller: encoded once per codec, shared by all calls.
#[derive(Debug, Clone)]
pub struct Clip {
    /// What it is called in logs.
    pub name: Arc<str>,
    pcmu: Arc<[u8]>,
    pcma: Arc<[u8]>,
}

impl Codec {
    /// Samples a second, which is also bytes a second.
    pub const RATE: u32 = 8_000;

    /// The encoded form of one sample of silence.
    pub fn silence(self) -> u8 {
        self.encode(0)
    }

    /// One sample, encoded.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Codec::Pcmu => g711::ulaw_from(sample),
            Codec::Pcma => g711::alaw_from(sample),
        }
    }

    /// One byte, decoded.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Codec::Pcmu => g711::ULAW[usize::from(byte)],
            Codec::Pcma => g711::ALAW[usize::from(byte)],
        }
    }
}

impl Clip {
    /// Encodes samples at 8,000 a second.
    pub fn new(name: &str, samples: &[i16]) -> Self {
        let encoded = |codec: Codec| samples.iter().map(|&it| codec.encode(it)).collect();
        Self { name: name.into(), pcmu: encoded(Codec::Pcmu), pcma: encoded(Codec::Pcma) }
    }

    /// The sound in one codec, a byte a sample.
    pub fn encoded(&self, codec: Codec) -> &Arc<[u8]> {
        match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
        }
    }

    /// How long it takes to play.
    pub fn length(&self) -> std::time::Duration {
        std::time::Duration::from_micros(self.pcmu.len() as u64 * 125)
    }
}
