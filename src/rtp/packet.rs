//! One RTP packet (RFC 3550 §5.1): where its header ends and its sound lies.
//!
//! CSRC lists, header extensions and padding are stepped over; nothing is copied.

/// Bytes of a header without CSRCs and extension, the only kind written here.
pub const HEADER: usize = 12;

/// What the fixed part of the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The first packet after a pause, or of a digit.
    pub marker: bool,
    /// What the payload is, 0 to 127.
    pub payload_type: u8,
    /// Counts packets, and starts anywhere.
    pub sequence: u16,
    /// Counts samples, and starts anywhere.
    pub timestamp: u32,
    /// Names the sender's stream.
    pub ssrc: u32,
}

/// A packet as it came, its payload still in the receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed header.
    pub header: Header,
    /// The sound or the event, without padding; may be empty.
    pub payload: &'a [u8],
}

impl Header {
    /// Writes the header in front of a payload.
    pub fn write(&self, to: &mut [u8; HEADER]) {
        to[0] = 0x80;
        to[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        to[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        to[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        to[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

impl<'a> Packet<'a> {
    /// Reads a datagram; `None` when it is not a whole RTP packet of version 2.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = datagram.split_first_chunk::<HEADER>()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let header = Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        let mut payload = rest.get(usize::from(fixed[0] & 0x0f) * 4..)?;
        if fixed[0] & 0x10 != 0 {
            let (extension, rest) = payload.split_first_chunk::<4>()?;
            let words = u16::from_be_bytes([extension[2], extension[3]]);
            payload = rest.get(usize::from(words) * 4..)?;
        }
        if fixed[0] & 0x20 != 0 {
            // The count includes its own byte, so zero cannot be.
            let padding = usize::from(*payload.last()?);
            let kept = payload.len().checked_sub(padding).filter(|_| padding > 0)?;
            payload = &payload[..kept];
        }
        Some(Self { header, payload })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Header = Header {
        marker: true,
        payload_type: 8,
        sequence: 0xfffe,
        timestamp: 0x1234_5678,
        ssrc: 0xdead_beef,
    };

    fn bytes(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = [0; HEADER];
        PLAIN.write(&mut header);
        header[0] = first;
        [&header, rest].concat()
    }

    #[test]
    fn what_was_written_is_read() {
        let datagram = bytes(0x80, b"sound");
        assert_eq!(Packet::parse(&datagram), Some(Packet { header: PLAIN, payload: b"sound" }));
    }

    #[test]
    fn contributors_extension_and_padding_are_not_sound() {
        let datagram = bytes(
            0xb2,
            &[b"aaaabbbb".as_slice(), &[0xbe, 0xde, 0, 1], b"exts", b"sound", &[0, 0, 3]].concat(),
        );
        assert_eq!(Packet::parse(&datagram).unwrap().payload, b"sound");
    }

    #[test]
    fn what_is_cut_short_or_lies_about_its_length_is_refused() {
        for datagram in [
            vec![],
            vec![0x80; 11],
            bytes(0x00, b"stun"),
            bytes(0x8f, b"too few contributors"),
            bytes(0x90, &[0, 0]),
            bytes(0x90, &[0, 0, 0, 9, 1]),
            bytes(0xa0, &[]),
            bytes(0xa0, &[1, 2, 0]),
            bytes(0xa0, &[1, 2, 9]),
        ] {
            assert_eq!(Packet::parse(&datagram), None, "{datagram:?}");
        }
    }

    proptest! {
        /// No datagram makes the parser panic or read outside of it.
        #[test]
        fn any_bytes_are_survived(datagram in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(packet) = Packet::parse(&datagram) {
                prop_assert!(packet.payload.len() + HEADER <= datagram.len());
            }
        }
    }
}
