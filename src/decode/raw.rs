//! Sound without a header, as telephone systems keep it: only the file's name says what it is.

use serde::{Deserialize, Serialize};

/// What the samples of a file without a header are, by the endings that Asterisk and SoX give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawKind {
    /// G.711 µ-law at 8,000 samples a second: `.ulaw`, `.ul`, `.mu`, `.pcm`.
    Mulaw,
    /// G.711 A-law: `.alaw`, `.al`.
    Alaw,
    /// G.722 at 64 kbit/s: `.g722`.
    G722,
    /// GSM 06.10 in frames of 33 bytes: `.gsm`.
    Gsm,
    /// Samples of 16 bits, little-endian, one channel, so many a second: `.sln` is 8,000, `.sln16`
    /// is 16,000 and so on.
    Linear(u32),
}

impl RawKind {
    /// What a file of this name is, if it has none of the usual headers; `None` for all other names.
    pub fn of(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        Some(match ending.to_ascii_lowercase().as_str() {
            "ulaw" | "ul" | "mu" | "pcm" => Self::Mulaw,
            "alaw" | "al" => Self::Alaw,
            "g722" => Self::G722,
            "gsm" => Self::Gsm,
            "sln" | "sln8" => Self::Linear(8_000),
            "sln12" => Self::Linear(12_000),
            "sln16" => Self::Linear(16_000),
            "sln24" => Self::Linear(24_000),
            "sln32" => Self::Linear(32_000),
            "sln44" => Self::Linear(44_100),
            "sln48" => Self::Linear(48_000),
            "sln96" => Self::Linear(96_000),
            "sln192" => Self::Linear(192_000),
            _ => return None,
        })
    }
}
