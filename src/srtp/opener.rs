//! What comes.

use super::{
    Key,
    session::{Session, Use},
    window::Streams,
};

/// Takes what the other side's key has made, and nothing else; each packet once.
pub struct Opener {
    key: Key,
    rtp: Session,
    rtcp: Session,
    packets: Streams,
    reports: Streams,
}

impl Opener {
    /// With their key.
    pub fn new(key: Key) -> Self {
        let (rtp, rtcp) = (Session::new(&key, Use::Rtp), Session::new(&key, Use::Rtcp));
        Self { key, rtp, rtcp, packets: Streams::default(), reports: Streams::default() }
    }

    /// The key it was made with.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Decrypts a packet of RTP where it lies and answers it without its tag; `None`, and nothing is
    /// learned from it, when another key made it, it was changed, or it was there before.
    pub fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let length = datagram.len().checked_sub(self.rtp.tag)?;
        let (packet, tag) = datagram.split_at_mut(length);
        let header = header_length(packet)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        // A stream begins in the first round of its numbers (RFC 4568 §6.4).
        let index = self.packets.of(ssrc).map_or(sequence.into(), |it| it.nearest(sequence));
        let round = ((index >> 16) as u32).to_be_bytes();
        if !self.packets.admit(ssrc, index) || !self.rtp.is_tag(packet, &round, tag) {
            return None;
        }
        self.packets.note(ssrc, index);
        self.rtp.crypt(ssrc, index, &mut packet[header..]);
        Some(packet)
    }

    /// The same for RTCP (RFC 3711 §3.4).
    pub fn open_report<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let length = datagram.len().checked_sub(self.rtcp.tag)?;
        let (numbered, tag) = datagram.split_at_mut(length);
        let length = length.checked_sub(4).filter(|it| *it >= 8)?;
        let number = u32::from_be_bytes(*numbered.last_chunk()?);
        let ssrc = u32::from_be_bytes([numbered[4], numbered[5], numbered[6], numbered[7]]);
        let index = u64::from(number & 0x7fff_ffff);
        if !self.reports.admit(ssrc, index) || !self.rtcp.is_tag(numbered, &[], tag) {
            return None;
        }
        self.reports.note(ssrc, index);
        if number >> 31 == 1 {
            self.rtcp.crypt(ssrc, index, &mut numbered[8..length]);
        }
        Some(&numbered[..length])
    }
}

/// Where what is encrypted begins: behind contributors and extension (§3.1).
fn header_length(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut length = 12 + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    (length <= packet.len()).then_some(length)
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::srtp::{OVERHEAD, RTCP_OVERHEAD, Sealer, Seed, Suite};

    fn key(suite: Suite, seed: u8) -> Key {
        Key::derived(suite, &Seed::new([seed; 32]), 0)
    }

    fn ends(suite: Suite) -> (Sealer, Opener) {
        (Sealer::new(key(suite, 1)), Opener::new(key(suite, 1)))
    }

    fn packet(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
        let head = [&[0x80, 0][..], &sequence.to_be_bytes(), &[0; 4], &ssrc.to_be_bytes()];
        [&head.concat(), payload].concat()
    }

    fn sealed(sealer: &mut Sealer, packet: &[u8]) -> Vec<u8> {
        let mut buffer = [packet, &[0; OVERHEAD]].concat();
        let length = sealer.seal(&mut buffer, packet.len());
        buffer.truncate(length);
        buffer
    }

    /// The reference packet of libsrtp's own tests, whose key is that of RFC 3711 B.3.
    #[test]
    fn a_packet_others_made_is_opened_and_ours_is_the_same() {
        let master: [u8; 30] = [
            0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde,
            0x41, 0x39, 0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a,
            0xab, 0xe6,
        ];
        let key = Key::new(Suite::Aes128Tag80, &master).unwrap();
        let head = [0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe];
        let theirs = [
            0x4e, 0x55, 0xdc, 0x4c, 0xe7, 0x99, 0x78, 0xd8, 0x8c, 0xa4, 0xd2, 0x15, 0x94, 0x9d,
            0x24, 0x02, 0xb7, 0x8d, 0x6a, 0xcc, 0x99, 0xea, 0x17, 0x9b, 0x8d, 0xbb,
        ];
        let plain = [&head[..], &[0xab; 16]].concat();
        let mut whole = [&head[..], &theirs].concat();
        assert_eq!(sealed(&mut Sealer::new(key), &plain), whole);
        assert_eq!(Opener::new(key).open(&mut whole), Some(&plain[..]));
    }

    #[test]
    fn what_is_sealed_is_opened_over_many_rounds_of_numbers() {
        for suite in Suite::ALL {
            let (mut sealer, mut opener) = ends(suite);
            for n in 65_000..200_000_u32 {
                let plain = packet(n as u16, 7, &n.to_be_bytes());
                let mut whole = sealed(&mut sealer, &plain);
                assert_ne!(whole[12..16], plain[12..], "{n} is readable");
                assert_eq!(opener.open(&mut whole), Some(&plain[..]), "{suite:?} {n}");
            }
        }
    }

    #[test]
    fn another_key_a_changed_bit_and_a_second_time_are_refused_and_teach_nothing() {
        let (mut sealer, mut opener) = ends(Suite::Aes128Tag32);
        let mut stranger = Sealer::new(key(Suite::Aes128Tag32, 2));
        let plain = packet(1, 7, b"sound");
        assert_eq!(opener.open(&mut sealed(&mut stranger, &plain)), None);
        let whole = sealed(&mut sealer, &plain);
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opener.open(&mut changed), None, "bit {bit}");
        }
        assert_eq!(opener.open(&mut plain.clone()), None);
        assert_eq!(opener.open(&mut whole.clone()), Some(&plain[..]));
        assert_eq!(opener.open(&mut whole.clone()), None);
    }

    #[test]
    fn contributors_and_extension_stay_readable() {
        let (_, mut opener) = ends(Suite::Aes128Tag80);
        // Sealed by hand, for we never send such a packet.
        let session = Session::new(&key(Suite::Aes128Tag80, 1), Use::Rtp);
        let head = packet(9, 7, b"csrc\xbe\xde\x00\x01exts");
        let mut whole = [&head[..], b"sound"].concat();
        whole[0] = 0x91;
        let plain = whole.clone();
        session.crypt(7, 9, &mut whole[head.len()..]);
        let tag = session.tag(&whole, &[0; 4]);
        whole.extend(tag);
        assert_eq!(opener.open(&mut whole), Some(&plain[..]));
    }

    #[test]
    fn reports_are_sealed_and_opened_once() {
        for suite in Suite::ALL {
            let (mut sealer, mut opener) = ends(suite);
            for n in 0..300_u32 {
                let plain = [&[0x80, 201, 0, 2, 0, 0, 0, 7][..], &n.to_be_bytes()].concat();
                let mut buffer = [&plain[..], &[0; RTCP_OVERHEAD]].concat();
                let length = sealer.seal_report(&mut buffer, plain.len());
                assert_eq!(length, plain.len() + RTCP_OVERHEAD);
                assert_ne!(buffer[8..12], plain[8..]);
                let again = buffer.clone();
                assert_eq!(opener.open_report(&mut buffer), Some(&plain[..]));
                assert_eq!(opener.open_report(&mut again.clone()), None);
            }
        }
    }

    proptest! {
        /// No datagram makes it panic, and none that our key did not make is taken.
        #[test]
        fn any_bytes_are_refused(mut datagram in prop::collection::vec(any::<u8>(), 0..80)) {
            let (mut sealer, mut opener) = ends(Suite::Aes128Tag80);
            let mut copy = datagram.clone();
            prop_assert_eq!(opener.open(&mut copy), None);
            prop_assert_eq!(opener.open_report(&mut datagram), None);
            prop_assert!(sealer.seal(&mut datagram, 60) <= 70);
        }
    }
}
