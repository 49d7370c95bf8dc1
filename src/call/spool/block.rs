//! The spool's format: a row of blocks, each of which says whose it is, where it belongs and
//! whether it is whole.
//!
//! ```text
//!  0  4  "ABS1"
//!  4  1  kind
//!  5  1  of Data, what it is spoken in: 1 PCMU, 2 PCMA, 3 G.722, 4 Opus; 0 what its Begin says
//!  6  2  zero
//!  8 16  the take's id
//! 24  4  its number within the take, from 0 for Begin; 0 in Said and end-marks
//! 28  4  length of what follows the header
//! 32  4  CRC-32 of bytes 4 to 32 and of what follows
//! 36     Begin: the label as JSON; Seal: length and voiced length in ticks of 125 µs, 8 + 8;
//!        Said: a byte, 1 for urgent and 2 for private;
//!        Data: of G.711 a byte a sample, of others whole pieces (`audio::piece`)
//! ```
//!
//! Numbers are little-endian. Blocks of many takes lie mixed; a take may go on in the next segment.

use uuid::Uuid;

use crate::{
    audio::{Codec, ring},
    mailbox::{MessageId, Said},
};

/// Bytes before the payload.
pub(super) const HEADER: usize = 36;
/// The longest payload: more than a ring holds.
pub(super) const LONGEST: usize = 64 * 1024;
const _: () = assert!(ring::MOST <= LONGEST);

/// How every block begins; the digit is the version of the format.
pub(super) const MAGIC: &[u8; 4] = b"ABS1";

/// What a block says about its take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// It begins; the payload is its label.
    Begin = 1,
    /// It goes on; the payload is sound. The codec may change from one to the next.
    Data = 2,
    /// It is complete; the payload is a [`Seal`].
    Seal = 3,
    /// It is to be forgotten: the caller said so.
    Discard = 4,
    /// It is to be forgotten: it lies in a mailbox.
    Filed = 5,
    /// Its caller said this of it; the latest counts.
    Said = 6,
}

/// One block, as it lies in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) kind: Kind,
    /// Of sound, unless it is that of its Begin.
    pub(super) codec: Option<Codec>,
    pub(super) take: MessageId,
    pub(super) number: u32,
    pub(super) payload: &'a [u8],
}

/// That a take is complete, and how much of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    /// Its length in ticks, which in G.711 are samples. What lies beyond is a closing silence or
    /// tone, and is not read back.
    pub(super) samples: u64,
    /// How many of them were voice.
    pub(super) voiced: u64,
}

/// What follows is not a whole block. Nothing behind it in its segment is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Torn;

impl Kind {
    /// Whether the take is gone from here on.
    pub(super) fn is_end(self) -> bool {
        matches!(self, Kind::Discard | Kind::Filed)
    }

    fn from(byte: u8) -> Option<Self> {
        [Kind::Begin, Kind::Data, Kind::Seal, Kind::Discard, Kind::Filed, Kind::Said]
            .into_iter()
            .find(|&it| it as u8 == byte)
    }
}

/// By their numbers in a block, from 1.
const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

impl<'a> Block<'a> {
    /// Puts the block at the end of `bytes`. The payload is at most [`LONGEST`].
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend_from_slice(MAGIC);
        let codec = CODECS.iter().position(|it| Some(*it) == self.codec).map_or(0, |at| at + 1);
        bytes.extend_from_slice(&[self.kind as u8, codec as u8, 0, 0]);
        bytes.extend_from_slice(self.take.0.as_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        let sum = checksum(&bytes[start + 4..], self.payload);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(self.payload);
    }

    /// The block at the start of `bytes` and how long it is with its header; `None` at the end.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Torn> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Torn)?;
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let length = word(28) as usize;
        if &header[..4] != MAGIC || header[6..8] != [0; 2] || length > LONGEST {
            return Err(Torn);
        }
        let payload = rest.get(..length).ok_or(Torn)?;
        if checksum(&header[4..32], payload) != word(32) {
            return Err(Torn);
        }
        let take = Uuid::from_slice(&header[8..24]).map_err(|_| Torn)?;
        let kind = Kind::from(header[4]).ok_or(Torn)?;
        let codec = match header[5] {
            0 => None,
            number => Some(*CODECS.get(usize::from(number) - 1).ok_or(Torn)?),
        };
        let block = Self { kind, codec, take: MessageId(take), number: word(24), payload };
        Ok(Some((block, HEADER + length)))
    }
}

impl Seal {
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.samples.to_le_bytes());
        bytes[8..].copy_from_slice(&self.voiced.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (samples, voiced) = bytes.split_first_chunk::<8>()?;
        let voiced = u64::from_le_bytes(voiced.try_into().ok()?);
        Some(Self { samples: u64::from_le_bytes(*samples), voiced })
    }
}

/// The payload of a [`Kind::Said`].
pub(super) fn said_to_bytes(said: Said) -> [u8; 1] {
    [u8::from(said.urgent) | u8::from(said.private) << 1]
}

pub(super) fn said_from_bytes(bytes: &[u8]) -> Said {
    let bits = bytes.first().copied().unwrap_or_default();
    Said { urgent: bits & 1 != 0, private: bits & 2 != 0 }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(header);
    sum.update(payload);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Written = ((Kind, Option<Codec>), u128, u32, Vec<u8>);

    fn any_block() -> impl Strategy<Value = Written> {
        let kinds = [Kind::Begin, Kind::Data, Kind::Seal, Kind::Discard, Kind::Filed, Kind::Said];
        let codecs = [None, Some(Codec::Pcmu), Some(Codec::G722), Some(Codec::Opus)];
        let select = |kinds: &[Kind]| prop::sample::select(kinds.to_vec());
        let payload = prop::collection::vec(any::<u8>(), 0..300);
        let kind = (select(&kinds), prop::sample::select(codecs.to_vec()));
        (kind, any::<u128>(), any::<u32>(), payload)
    }

    fn written(blocks: &[Written]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for ((kind, codec), take, number, payload) in blocks {
            let take = MessageId(Uuid::from_u128(*take));
            Block { kind: *kind, codec: *codec, take, number: *number, payload }.write(&mut bytes);
        }
        bytes
    }

    /// How many blocks can be read, and whether what is behind them is torn.
    fn readable(mut bytes: &[u8]) -> (usize, bool) {
        for count in 0.. {
            match Block::read(bytes) {
                Ok(Some((_, length))) => bytes = &bytes[length..],
                Ok(None) => return (count, false),
                Err(Torn) => return (count, true),
            }
        }
        unreachable!()
    }

    proptest! {
        #[test]
        fn blocks_are_read_as_they_were_written(
            blocks in prop::collection::vec(any_block(), 0..8),
        ) {
            let bytes = written(&blocks);
            let mut rest = &bytes[..];
            for ((kind, codec), take, number, payload) in &blocks {
                let (block, length) = Block::read(rest).unwrap().unwrap();
                let take = MessageId(Uuid::from_u128(*take));
                let (kind, codec, number) = (*kind, *codec, *number);
                prop_assert_eq!(block, Block { kind, codec, take, number, payload });
                rest = &rest[length..];
            }
            prop_assert_eq!(Block::read(rest), Ok(None));
        }

        #[test]
        fn cut_anywhere_whole_blocks_are_read_and_the_rest_is_torn(
            blocks in prop::collection::vec(any_block(), 1..4),
        ) {
            let bytes = written(&blocks);
            let ends: Vec<_> = (0..=blocks.len()).map(|it| written(&blocks[..it]).len()).collect();
            for cut in 0..=bytes.len() {
                let whole = ends.iter().filter(|&&end| end <= cut).count() - 1;
                prop_assert_eq!(readable(&bytes[..cut]), (whole, !ends.contains(&cut)));
            }
        }

        #[test]
        fn a_flipped_bit_is_noticed(
            blocks in prop::collection::vec(any_block(), 1..4),
            bit: usize,
        ) {
            let mut bytes = written(&blocks);
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let before = (0..blocks.len()).filter(|&it| {
                written(&blocks[..=it]).len() <= bit / 8
            });
            prop_assert_eq!(readable(&bytes), (before.count(), true));
        }

        #[test]
        fn anything_at_all_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut with_magic = MAGIC.to_vec();
            with_magic.extend_from_slice(&bytes);
            let _ = (readable(&bytes), readable(&with_magic));
        }
    }
}
