//! RTCP: the reports that go beside the sound (RFC 3550 §6).
//!
//! Written: a sender or receiver report with a CNAME, and a BYE at the end. Read, leniently and
//! never past the datagram: sender reports, what is said of our stream, and BYE.

/// The longest compound packet written here.
pub const LONGEST: usize = 120;

/// Packets read of one datagram; nobody has more to say.
const MOST_PACKETS: usize = 8;

/// Bytes of a CNAME: long enough to be unique, short enough to be padded simply (RFC 7022).
pub const CNAME: usize = 16;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// What a receiver says of one stream (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The stream it is about.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost altogether; copies make it negative.
    pub lost: i32,
    /// The highest sequence number, with its cycles.
    pub highest: u32,
    /// The jitter in samples.
    pub jitter: u32,
    /// The middle of the NTP time in the last sender report, 0 for none.
    pub last_report: u32,
    /// How long ago that came, in 1/65536 s.
    pub since_report: u32,
}

/// What a sender says of itself (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The time of day, in NTP's 1/2^32 s since 1900.
    pub ntp: u64,
    /// The same moment on the stream's own clock.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// A compound packet to be written.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Our stream.
    pub ssrc: u32,
    /// Our CNAME.
    pub cname: &'a [u8; CNAME],
    /// Present when something was sent since the last report.
    pub sent: Option<Sent>,
    /// Present when something was received.
    pub block: Option<Block>,
    /// The stream ends.
    pub bye: bool,
}

/// One thing that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A sender report: its stream, and the middle 32 bits of its NTP time.
    Sender(u32, u32),
    /// What somebody says of a stream.
    Block(Block),
    /// A stream ended.
    Bye(u32),
}

/// NTP's 64-bit form of milliseconds since 1970.
pub fn ntp(unix_ms: i64) -> u64 {
    let ms = u64::try_from(unix_ms).unwrap_or(0);
    // 70 years with 17 leap days.
    let seconds = (ms / 1_000).wrapping_add(2_208_988_800) & 0xffff_ffff;
    let fraction = ((ms % 1_000) << 32) / 1_000;
    (seconds << 32) | fraction
}

impl Report<'_> {
    /// Writes the compound packet and answers how long it is.
    pub fn write(&self, to: &mut [u8; LONGEST]) -> usize {
        let mut writer = Writer { to, at: 0 };
        let kind = if self.sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        let words = 1 + self.sent.map_or(0, |_| 5) + self.block.map_or(0, |_| 6);
        writer.head(u8::from(self.block.is_some()), kind, words);
        writer.word(self.ssrc);
        if let Some(sent) = self.sent {
            writer.word((sent.ntp >> 32) as u32);
            writer.word(sent.ntp as u32);
            writer.word(sent.timestamp);
            writer.word(sent.packets);
            writer.word(sent.octets);
        }
        if let Some(block) = self.block {
            writer.word(block.ssrc);
            let lost = block.lost.cast_unsigned() & 0xff_ffff;
            writer.word(u32::from(block.fraction_lost) << 24 | lost);
            writer.word(block.highest);
            writer.word(block.jitter);
            writer.word(block.last_report);
            writer.word(block.since_report);
        }
        // One chunk: SSRC, item CNAME, and the zero byte that ends it, filled up to whole words.
        writer.head(1, DESCRIPTION, 1 + (2 + CNAME as u16 + 1).div_ceil(4));
        writer.word(self.ssrc);
        writer.bytes(&[1, CNAME as u8]);
        writer.bytes(self.cname);
        writer.bytes(&[0, 0]);
        if self.bye {
            writer.head(1, BYE, 1);
            writer.word(self.ssrc);
        }
        writer.at
    }
}

struct Writer<'a> {
    to: &'a mut [u8; LONGEST],
    at: usize,
}

impl Writer<'_> {
    fn head(&mut self, count: u8, kind: u8, words: u16) {
        self.bytes(&[0x80 | count, kind]);
        self.bytes(&words.to_be_bytes());
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.to[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

/// Reads a compound packet and tells what is in it, as far as it is whole. Answers whether it began
/// as RTCP at all.
pub fn read(mut datagram: &[u8], mut tell: impl FnMut(Heard)) -> bool {
    let mut any = false;
    for _ in 0..MOST_PACKETS {
        let Some((&[first, kind, high, low], rest)) = datagram.split_first_chunk() else { break };
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        if first >> 6 != 2 || !(200..=207).contains(&kind) || rest.len() < length {
            break;
        }
        any = true;
        let (body, next) = rest.split_at(length);
        packet(kind, usize::from(first & 0x1f), body, &mut tell);
        datagram = next;
    }
    any
}

fn packet(kind: u8, count: usize, body: &[u8], tell: &mut impl FnMut(Heard)) {
    let word = |at: usize| {
        let bytes = body.get(at * 4..at * 4 + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let blocks_at = match kind {
        SENDER_REPORT => {
            if let (Some(ssrc), Some(high), Some(low)) = (word(0), word(1), word(2)) {
                tell(Heard::Sender(ssrc, high << 16 | low >> 16));
            }
            6
        }
        RECEIVER_REPORT => 1,
        BYE => return (0..count).filter_map(word).for_each(|ssrc| tell(Heard::Bye(ssrc))),
        _ => return,
    };
    for at in (0..count).map(|n| blocks_at + n * 6) {
        let Some(since_report) = word(at + 5) else { return };
        let field = |n| word(at + n).unwrap_or(0);
        tell(Heard::Block(Block {
            ssrc: field(0),
            fraction_lost: (field(1) >> 24) as u8,
            lost: (field(1) << 8).cast_signed() >> 8,
            highest: field(2),
            jitter: field(3),
            last_report: field(4),
            since_report,
        }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: Block = Block {
        ssrc: 1,
        fraction_lost: 25,
        lost: -3,
        highest: 70_000,
        jitter: 12,
        last_report: 0x1234_5678,
        since_report: 65_536,
    };

    fn heard(datagram: &[u8]) -> Vec<Heard> {
        let mut all = vec![];
        read(datagram, |it| all.push(it));
        all
    }

    #[test]
    fn what_is_reported_is_read() {
        let sent = Sent { ntp: ntp(1_000_500), timestamp: 9, packets: 8, octets: 7 };
        let mut bytes = [0; LONGEST];
        let report = Report {
            ssrc: 5,
            cname: b"0123456789abcdef",
            sent: Some(sent),
            block: Some(BLOCK),
            bye: true,
        };
        let length = report.write(&mut bytes);
        let middle = (sent.ntp >> 16) as u32;
        assert_eq!(
            heard(&bytes[..length]),
            [Heard::Sender(5, middle), Heard::Block(BLOCK), Heard::Bye(5)]
        );
        assert_eq!((bytes[0], bytes[1]), (0x81, 200));
        let length = Report { sent: None, block: None, bye: false, ..report }.write(&mut bytes);
        assert_eq!((bytes[0], bytes[1], length), (0x80, 201, 36));
        assert!(heard(&bytes[..length]).is_empty());
    }

    #[test]
    fn ntp_time_counts_from_1900_in_binary_fractions() {
        assert_eq!(ntp(0), 2_208_988_800 << 32);
        assert_eq!(ntp(500) as u32, 1 << 31);
    }

    /// Four bytes of header that promise blocks once brought a well-known server down.
    #[test]
    fn promises_without_bytes_are_ignored() {
        assert!(heard(&[0x9f, 200, 0, 0]).is_empty());
        assert!(heard(&[0x9f, 203, 0, 1, 0, 0, 0, 9, 1]).len() == 1);
        assert!(!read(&[0x80, 0, 0, 1, 0, 0, 0, 0], |_| ()));
    }

    proptest! {
        /// No datagram makes the reader panic or talk without end.
        #[test]
        fn any_bytes_are_survived(
            mut datagram in prop::collection::vec(any::<u8>(), 4..200), kind in 200_u8..204,
        ) {
            (datagram[0], datagram[1], datagram[2]) = (datagram[0] & 0x1f | 0x80, kind, 0);
            prop_assert!(heard(&datagram).len() <= 50);
        }
    }
}
