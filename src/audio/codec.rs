//! The codecs a call can be spoken in, and what their clocks count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::g711::Law;

/// A codec a call can be spoken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Opus (RFC 6716), one channel at 16,000 samples a second; its RTP clock counts 48,000 (RFC 7587).
    Opus,
    /// G.722 at 64 kbit/s, RTP payload type 9: 16,000 samples a second, though its RTP clock counts
    /// 8,000 (RFC 3551 §4.5.2). A byte is two samples.
    G722,
    /// G.711 µ-law, RTP payload type 0: 8,000 samples a second, a byte each.
    Pcmu,
    /// G.711 A-law, RTP payload type 8.
    Pcma,
}

impl Codec {
    /// Samples a second of a narrow call. Lengths of all calls are counted in these *ticks* of
    /// 125 µs, whatever they are spoken in: a byte of G.711 or G.722 is one.
    pub const RATE: u32 = 8_000;
    /// Samples a second of a wide call.
    pub const WIDE: u32 = 16_000;

    /// Those this program speaks, the best first.
    pub const SPOKEN: &[Codec] = if cfg!(feature = "opus") {
        &[Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]
    } else {
        &[Codec::G722, Codec::Pcmu, Codec::Pcma]
    };

    /// Samples a second.
    pub fn rate(self) -> u32 {
        match self {
            Codec::Opus | Codec::G722 => Self::WIDE,
            Codec::Pcmu | Codec::Pcma => Self::RATE,
        }
    }

    /// Steps of the RTP clock a second.
    pub fn clock(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::G722 | Codec::Pcmu | Codec::Pcma => 8_000,
        }
    }

    /// The law of G.711, where a byte stands for a sample by itself.
    pub fn law(self) -> Option<Law> {
        match self {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            Codec::Opus | Codec::G722 => None,
        }
    }
}
