//! `a=crypto` (RFC 4568): the keys of encrypted sound, in the description itself.
//!
//! Of several lines the first that is spoken here is taken. Lines are passed over that ask for what is not
//! spoken: more keys than one (MKI), a key that must be changed soon, a direction left plain.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sipx_sdp::MediaDescription;

use crate::srtp::{Key, Seed, Suite};

/// An offered key that can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tag: u32,
    pub(super) key: Key,
}

/// Our keys in a session, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Ours {
    /// What they are made from, and how many were.
    seed: Seed,
    count: u32,
    /// The one we encrypt with, if we do, and theirs beside it.
    key: Option<Key>,
    theirs: Option<Key>,
}

impl Ours {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(super) fn suite(&self) -> Option<Suite> {
        self.key.map(|it| it.suite())
    }

    /// The one for a suite: that in use, unless the suite changes.
    pub(super) fn of(&mut self, suite: Suite) -> Key {
        match self.key {
            Some(key) if key.suite() == suite => key,
            _ => {
                let key = Key::derived(suite, &self.seed, self.count);
                self.count += 1;
                *self.key.insert(key)
            }
        }
    }

    /// The one beside theirs. With another of theirs comes another of ours: somebody may be new who has
    /// not counted how often the numbers of our packets began anew (RFC 3711 §3.3.1).
    pub(super) fn beside(&mut self, theirs: Key) -> Key {
        if self.theirs.replace(theirs).is_some_and(|it| it != theirs) {
            self.key = None;
        }
        self.of(theirs.suite())
    }

    /// We offered ours, and this is theirs in the answer.
    pub(super) fn stays_beside(&mut self, theirs: Option<Key>) {
        self.theirs = theirs;
    }

    /// The sound is not encrypted any more.
    pub(super) fn forget(&mut self) {
        self.key = None;
    }
}

/// Some leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// A key that does not last for so many packets, some hours, is not taken: nobody here renews it.
const SHORTEST_LIFE: u64 = 1 << 20;
/// Lines of one stream that are looked at.
const MOST_LINES: usize = 16;

/// The first line that is spoken here.
pub(super) fn read(stream: &MediaDescription) -> Option<Line> {
    let lines = stream.attributes.iter().filter(|it| it.name == "crypto").take(MOST_LINES);
    lines.filter_map(|it| it.value.as_deref()).find_map(line)
}

/// What stands behind `a=crypto:`.
pub(super) fn write(tag: u32, key: &Key) -> String {
    format!("{tag} {} inline:{}", key.suite().name(), BASE64.encode(key.material()))
}

fn line(text: &str) -> Option<Line> {
    let mut words = text.split_ascii_whitespace();
    let tag = words.next()?;
    let tag =
        tag.parse().ok().filter(|_| tag.len() <= 9 && tag.bytes().all(|it| it.is_ascii_digit()))?;
    let name = words.next()?;
    let suite = Suite::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))?;
    let key = key(suite, words.next()?)?;
    words.all(is_harmless).then_some(Line { tag, key })
}

fn key(suite: Suite, text: &str) -> Option<Key> {
    let (method, rest) = text.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") || rest.contains(';') {
        return None;
    }
    let mut parts = rest.split('|');
    let material = BASE64.decode(parts.next()?).ok()?;
    match (parts.next(), parts.next()) {
        (None, _) => {}
        // With a colon it would be an MKI.
        (Some(life), None) if !life.contains(':') && lasts(life)? >= SHORTEST_LIFE => {}
        _ => return None,
    }
    Key::new(suite, &material)
}

/// How many packets a key is for: a number, or a power of two.
fn lasts(life: &str) -> Option<u64> {
    match life.strip_prefix("2^") {
        Some(power) => 1_u64.checked_shl(power.parse().ok()?),
        None => life.parse().ok(),
    }
}

/// Whether what a line asks for on top changes nothing (§6.3).
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-')
        || parameter.eq_ignore_ascii_case("KDR=0")
        || parameter.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("WSH="))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn lines_of_the_standard_and_of_phones_are_read() {
        for fine in [
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^48"),
            format!("1 aes_cm_128_hmac_sha1_80 INLINE:{KEY}|281474976710656 KDR=0 WSH=128"),
            format!("1  AES_CM_128_HMAC_SHA1_80  inline:{KEY} -odd"),
        ] {
            let line = line(&fine).unwrap_or_else(|| panic!("{fine}"));
            assert_eq!((line.tag, line.key.suite()), (1, Suite::Aes128Tag80));
            assert_eq!(line.key.material(), b"YS___semctl () {\t220;}\n}\nunles");
        }
        let long = BASE64.encode([9; 46]);
        let unpadded = format!("7 AES_256_CM_HMAC_SHA1_32 inline:{}", long.trim_end_matches('='));
        assert_eq!(line(&unpadded).unwrap().key.material(), [9; 46]);
    }

    #[test]
    fn lines_that_ask_for_what_is_not_spoken_are_passed_over() {
        for wrong in [
            String::new(),
            "1".into(),
            format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("+1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^19"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^99"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=5"),
            "1 AES_CM_128_HMAC_SHA1_80 inline:$$$$".into(),
        ] {
            assert_eq!(line(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for suite in Suite::ALL {
            let key = Key::new(suite, &[5; 46]).or(Key::new(suite, &[5; 30])).unwrap();
            assert_eq!(line(&write(3, &key)), Some(Line { tag: 3, key }));
        }
    }
}
