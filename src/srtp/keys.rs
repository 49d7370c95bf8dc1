//! Keys, what they are for, and whether calls are to be encrypted at all.

use std::fmt;

use hmac::{Hmac, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// `[rtp] srtp`: which calls are encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// None: encrypted sound is refused.
    Off,
    /// Those whose caller offers it.
    #[default]
    Offered,
    /// All: calls without it are refused.
    Required,
}

/// How sound is encrypted (RFC 4568 §6.2, RFC 6188). RTCP has the long tag in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// AES-128, a tag of 80 bits: what everybody speaks.
    Aes128Tag80,
    /// AES-128, a tag of 32 bits.
    Aes128Tag32,
    /// AES-256, a tag of 80 bits.
    Aes256Tag80,
    /// AES-256, a tag of 32 bits.
    Aes256Tag32,
}

/// A master key with its salt. It is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    suite: Suite,
    bytes: [u8; LONGEST],
}

/// What the keys of one call are made from. It is never shown.
#[derive(Clone, Copy, Default)]
pub struct Seed([u8; 32]);

/// The keys of both sides of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// What we send with.
    pub ours: Key,
    /// What they send with.
    pub theirs: Key,
}

/// The salt's bytes.
pub(super) const SALT: usize = 14;
/// The longest key and its salt.
const LONGEST: usize = 32 + SALT;

impl Suite {
    /// All of them, the best known first.
    pub const ALL: [Self; 4] =
        [Self::Aes128Tag80, Self::Aes128Tag32, Self::Aes256Tag80, Self::Aes256Tag32];

    /// The name in session descriptions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes128Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Aes128Tag32 => "AES_CM_128_HMAC_SHA1_32",
            Self::Aes256Tag80 => "AES_256_CM_HMAC_SHA1_80",
            Self::Aes256Tag32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// Bytes of the master key, without its salt.
    pub(super) fn key_length(self) -> usize {
        match self {
            Self::Aes128Tag80 | Self::Aes128Tag32 => 16,
            Self::Aes256Tag80 | Self::Aes256Tag32 => 32,
        }
    }

    /// Bytes of the tag behind a packet of RTP.
    pub(super) fn tag_length(self) -> usize {
        match self {
            Self::Aes128Tag80 | Self::Aes256Tag80 => 10,
            Self::Aes128Tag32 | Self::Aes256Tag32 => 4,
        }
    }
}

impl Key {
    /// A key and its salt, as they stand one after the other in a session description; `None` if
    /// their length is another than the suite's.
    pub fn new(suite: Suite, material: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        let place = bytes.get_mut(..suite.key_length() + SALT)?;
        (place.len() == material.len()).then(|| place.copy_from_slice(material))?;
        Some(Self { suite, bytes })
    }

    /// One of any number of keys that follow from a seed nobody else has: each count is another.
    pub fn derived(suite: Suite, seed: &Seed, count: u32) -> Self {
        let mut bytes = [0; LONGEST];
        for (half, part) in bytes.chunks_mut(32).enumerate() {
            let mut padded = [0; 64];
            padded[..32].copy_from_slice(&seed.0);
            let mut mac = <Hmac<Sha256> as Mac>::new(&padded.into());
            mac.update(suite.name().as_bytes());
            mac.update(&count.to_be_bytes());
            mac.update(&[half as u8]);
            part.copy_from_slice(&mac.finalize().into_bytes()[..part.len()]);
        }
        bytes[suite.key_length() + SALT..].fill(0);
        Self { suite, bytes }
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt, as a session description has them. Nobody else may have them.
    pub fn material(&self) -> &[u8] {
        &self.bytes[..self.suite.key_length() + SALT]
    }

    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        self.material().split_at(self.suite.key_length())
    }
}

impl Seed {
    /// 32 bytes of chance.
    pub fn new(chance: [u8; 32]) -> Self {
        Self(chance)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

impl fmt::Debug for Key {
    /// Whoever reads the log must not hear the call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("suite", &self.suite).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_suites_length_and_is_never_shown() {
        assert!(Key::new(Suite::Aes128Tag80, &[7; 29]).is_none());
        assert!(Key::new(Suite::Aes128Tag80, &[7; 46]).is_none());
        assert!(Key::new(Suite::Aes256Tag32, &[7; 46]).is_some());
        let key = Key::new(Suite::Aes128Tag32, &[0x42; 30]).unwrap();
        assert_eq!(key.material(), [0x42; 30]);
        assert_eq!(format!("{key:?}"), "Key { suite: Aes128Tag32, .. }");
    }

    #[test]
    fn each_count_and_suite_makes_another_key() {
        let mut keys: Vec<_> = (0..3)
            .flat_map(|count| Suite::ALL.map(|it| Key::derived(it, &Seed([1; 32]), count)))
            .map(|it| it.material()[..16].to_vec())
            .collect();
        keys.push(Key::derived(Suite::Aes128Tag80, &Seed([2; 32]), 0).material()[..16].to_vec());
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 13);
    }
}
