//! A phone's own SRTP (RFC 3711) and SDES (RFC 4568): AES-128 with a tag of 80 bits, and nothing else.
//! Written once more from the standard, so that the server's is not compared with itself.

use aes::Aes128;
use aes::cipher::{Block, BlockEncrypt, KeyInit};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Bytes of a master key and its salt.
pub const KEY: usize = 30;
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
const TAG: usize = 10;

/// Both directions of a call.
pub struct Secret {
    ours: Keys,
    theirs: Option<Keys>,
    line: String,
}

struct Keys {
    cipher: Aes128,
    salt: [u8; 14],
    authentication: [u8; 20],
    /// The rounds of the sequence number, and the last one.
    round: u32,
    last: Option<u16>,
}

impl Secret {
    /// `said` is the key that is told to the server, `used` the one that is used.
    pub fn new(said: &[u8; KEY], used: &[u8; KEY]) -> Self {
        let line = format!("a=crypto:1 {SUITE} inline:{}|2^31\r\n", STANDARD.encode(said));
        Self { ours: Keys::new(used), theirs: None, line }
    }

    /// What is added to an offer.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Takes the server's key out of its answer; whether there was one.
    pub fn agree(&mut self, answer: &str) -> bool {
        let lines = answer.lines().filter_map(|it| it.strip_prefix("a=crypto:"));
        let inline = lines.filter_map(|it| it.trim().strip_prefix("1 ")?.strip_prefix(SUITE));
        let keys = inline.filter_map(|it| it.trim().strip_prefix("inline:")).collect::<Vec<_>>();
        let key = keys.first().and_then(|it| STANDARD.decode(it.split('|').next()?).ok());
        self.theirs = key.and_then(|it| Some(Keys::new(&it.try_into().ok()?)));
        self.theirs.is_some()
    }

    /// What goes over the network in place of a packet.
    pub fn seal(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let keys = &mut self.ours;
        let sequence = keys.follow(&packet);
        keys.crypt(&mut packet, sequence);
        let tag = keys.tag(&packet);
        packet.extend(&tag[..TAG]);
        packet
    }

    /// A packet of the server's as it was; `None` if its key did not make it.
    pub fn open(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let keys = self.theirs.as_mut()?;
        let (packet, tag) = packet.split_at_checked(packet.len().checked_sub(TAG)?)?;
        let mut packet = packet.to_vec();
        let sequence = keys.follow(&packet);
        if keys.tag(&packet)[..TAG] != *tag {
            return None;
        }
        keys.crypt(&mut packet, sequence);
        Some(packet)
    }
}

impl Keys {
    fn new(master: &[u8; KEY]) -> Self {
        let mother = Aes128::new_from_slice(&master[..16]).unwrap();
        let derive = |label: u8, length: usize| -> Vec<u8> {
            let mut iv = [0; 16];
            iv[..14].copy_from_slice(&master[16..]);
            iv[7] ^= label;
            stream(&mother, iv).take(length).collect()
        };
        Self {
            cipher: Aes128::new_from_slice(&derive(0, 16)).unwrap(),
            authentication: derive(1, 20).try_into().unwrap(),
            salt: derive(2, 14).try_into().unwrap(),
            round: 0,
            last: None,
        }
    }

    /// Packets are taken in order here, which over loopback they are.
    fn follow(&mut self, packet: &[u8]) -> u16 {
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        if self.last.is_some_and(|last| last > 0xf000 && sequence < 0x1000) {
            self.round += 1;
        }
        self.last = Some(sequence);
        sequence
    }

    fn crypt(&self, packet: &mut [u8], sequence: u16) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        let rest = [&packet[8..12], &self.round.to_be_bytes(), &sequence.to_be_bytes()].concat();
        iv[4..14].iter_mut().zip(rest).for_each(|(to, with)| *to ^= with);
        let stream = stream(&self.cipher, iv);
        packet[12..].iter_mut().zip(stream).for_each(|(to, with)| *to ^= with);
    }

    fn tag(&self, packet: &[u8]) -> Vec<u8> {
        let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(&self.authentication).unwrap();
        mac.update(packet);
        mac.update(&self.round.to_be_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

fn stream(cipher: &Aes128, iv: [u8; 16]) -> impl Iterator<Item = u8> {
    (0_u16..).flat_map(move |counter| {
        let mut block = iv;
        block[14..].copy_from_slice(&counter.to_be_bytes());
        let mut block = Block::<Aes128>::from(block);
        cipher.encrypt_block(&mut block);
        <[u8; 16]>::from(block)
    })
}
