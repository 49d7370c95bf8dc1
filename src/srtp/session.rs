//! The keys of a session, which follow from a master key (RFC 3711 §4.3), and what they do.

use aes::{
    Aes128, Aes256,
    cipher::{Block, BlockEncrypt, KeyInit},
};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::{Key, keys::SALT};

/// Bytes of the longest tag.
pub(super) const TAG: usize = 10;
/// Bytes of the key that tags are made with, and of what HMAC makes of it with zeros.
const AUTHENTICATION: usize = 20;
const PADDED: usize = 64;

/// What the keys of a session are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Rtp,
    Rtcp,
}

/// Encrypts, and makes and compares tags. Both directions encrypt alike: it is a stream cipher.
pub(super) struct Session {
    cipher: Cipher,
    salt: [u8; SALT],
    authentication: Hmac<Sha1>,
    pub(super) tag: usize,
}

#[expect(clippy::large_enum_variant, reason = "a leg has four of them, in a box")]
enum Cipher {
    Aes128(Aes128),
    Aes256(Aes256),
}

impl Session {
    pub(super) fn new(master: &Key, what_for: Use) -> Self {
        let (key, salt) = master.parts();
        let mother = Cipher::new(key);
        let derive = |label: u8, to: &mut [u8]| {
            let mut iv = [0; 16];
            iv[..SALT].copy_from_slice(salt);
            iv[7] ^= label;
            mother.crypt(iv, to);
        };
        let (first, tag) = match what_for {
            Use::Rtp => (0, master.suite().tag_length()),
            Use::Rtcp => (3, TAG),
        };
        let mut bytes = [0; 32];
        let bytes = &mut bytes[..key.len()];
        derive(first, bytes);
        let mut authentication = [0; PADDED];
        derive(first + 1, &mut authentication[..AUTHENTICATION]);
        let mut salt = [0; SALT];
        derive(first + 2, &mut salt);
        let authentication = <Hmac<Sha1> as Mac>::new(&authentication.into());
        Self { cipher: Cipher::new(bytes), salt, authentication, tag }
    }

    /// Encrypts or decrypts what a packet carries (§4.1.1). `index` has 48 bits.
    pub(super) fn crypt(&self, ssrc: u32, index: u64, payload: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..SALT].copy_from_slice(&self.salt);
        let mark = |at: &mut [u8], with: &[u8]| at.iter_mut().zip(with).for_each(|(a, b)| *a ^= b);
        mark(&mut iv[4..8], &ssrc.to_be_bytes());
        mark(&mut iv[8..14], &index.to_be_bytes()[2..]);
        self.cipher.crypt(iv, payload);
    }

    /// The tag over two stretches of bytes.
    pub(super) fn tag(&self, one: &[u8], other: &[u8]) -> [u8; TAG] {
        let mut mac = self.authentication.clone();
        mac.update(one);
        mac.update(other);
        let whole = mac.finalize().into_bytes();
        std::array::from_fn(|at| whole[at])
    }

    /// Whether a tag is the right one, in a time that does not tell where it is wrong.
    pub(super) fn is_tag(&self, one: &[u8], other: &[u8], tag: &[u8]) -> bool {
        let mut mac = self.authentication.clone();
        mac.update(one);
        mac.update(other);
        tag.len() == self.tag && mac.verify_truncated_left(tag).is_ok()
    }
}

impl Cipher {
    /// `key` has 16 or 32 bytes, as all suites' have.
    fn new(key: &[u8]) -> Self {
        match key.len() {
            16 => Self::Aes128(Aes128::new(&array::<16>(key).into())),
            _ => Self::Aes256(Aes256::new(&array::<32>(key).into())),
        }
    }

    /// Counter mode (§4.1.1): the counter is the last two bytes of `iv`, which begin at zero; so it
    /// reaches a megabyte, and packets are shorter.
    fn crypt(&self, mut iv: [u8; 16], bytes: &mut [u8]) {
        for (counter, part) in bytes.chunks_mut(16).enumerate() {
            iv[14..].copy_from_slice(&(counter as u16).to_be_bytes());
            let mut block = Block::<Aes128>::from(iv);
            match self {
                Self::Aes128(cipher) => cipher.encrypt_block(&mut block),
                Self::Aes256(cipher) => cipher.encrypt_block(&mut block),
            }
            part.iter_mut().zip(block).for_each(|(to, with)| *to ^= with);
        }
    }
}

/// These bytes, which are so many.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::Suite;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.bytes().filter(|it| !it.is_ascii_whitespace()).collect();
        let pair = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    /// RFC 3711 B.2 and RFC 6188 §7.1.
    #[test]
    fn the_key_streams_are_those_of_the_standards() {
        for (key, stream) in [
            (
                "2b7e151628aed2a6abf7158809cf4f3c",
                "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab
                 41e95b3bb0a2e8dd477901e4fca894c0",
            ),
            (
                "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
                "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac
                 63c4868b7096d88421b563b8c94c9a31",
            ),
        ] {
            let iv = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000").try_into().unwrap();
            let mut out = vec![0; 48];
            Cipher::new(&bytes(key)).crypt(iv, &mut out);
            assert_eq!(out, bytes(stream));
        }
    }

    /// RFC 3711 B.3: the salt shows in the cipher's stream, the other keys in what they make.
    #[test]
    fn the_keys_of_a_session_are_those_of_the_standard() {
        let master = bytes("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
        let key = Key::new(Suite::Aes128Tag80, &master).unwrap();
        let session = Session::new(&key, Use::Rtp);
        assert_eq!(session.salt[..], bytes("30cbbc08863d8c85d49db34a9ae1"));
        let Cipher::Aes128(cipher) = &session.cipher else { panic!("another cipher") };
        let same = Aes128::new_from_slice(&bytes("c61e7a93744f39ee10734afe3ff7a087")).unwrap();
        let (mut one, mut other) = (Block::<Aes128>::default(), Block::<Aes128>::default());
        cipher.encrypt_block(&mut one);
        same.encrypt_block(&mut other);
        assert_eq!(one, other);
        let authentication = bytes("cebe321f6ff7716b6fd4ab49af256a156d38baa4");
        let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(&authentication).unwrap();
        mac.update(b"packet");
        assert_eq!(session.tag(b"pack", b"et"), mac.finalize().into_bytes()[..TAG]);
    }
}
