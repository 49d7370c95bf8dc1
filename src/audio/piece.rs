//! A recording in a codec whose sound cannot be made up or cut byte by byte: a row of pieces, each of
//! which says how long it lasts.
//!
//! ```text
//! 0  1  kind: 1 sound, 2 lost, 3 silence
//! 1  2  how long it lasts, in ticks of 125 µs
//! 3  2  length of what follows
//! 5     the sound: bytes of G.722, or a packet of Opus
//! ```
//!
//! Numbers are little-endian. A medium writes pieces whole, so no reader sees a part of one.

/// A stretch of time in a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What was said, as it came, and how many ticks of it count.
    Sound(u16, &'a [u8]),
    /// So many ticks were said and did not come.
    Lost(u16),
    /// For so many ticks nothing was said.
    Silence(u16),
}

/// Bytes before the sound.
pub const HEADER: usize = 5;
/// The longest sound in a piece: what fits a datagram of Ethernet.
pub const LONGEST: usize = 1_500;

/// A row of pieces that is none, or is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording has a piece that is not whole")]
pub struct Torn;

impl<'a> Piece<'a> {
    /// Writes the piece and answers how long it is; sound beyond [`LONGEST`] is left out.
    pub fn write(&self, to: &mut [u8; HEADER + LONGEST]) -> usize {
        let (kind, ticks, sound) = match *self {
            Piece::Sound(ticks, sound) => (1, ticks, &sound[..sound.len().min(LONGEST)]),
            Piece::Lost(ticks) => (2, ticks, &[][..]),
            Piece::Silence(ticks) => (3, ticks, &[][..]),
        };
        to[0] = kind;
        to[1..3].copy_from_slice(&ticks.to_le_bytes());
        to[3..HEADER].copy_from_slice(&(sound.len() as u16).to_le_bytes());
        to[HEADER..HEADER + sound.len()].copy_from_slice(sound);
        HEADER + sound.len()
    }

    /// The piece at the start of `bytes`, and what follows it; `None` at the end.
    pub fn read(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Torn> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (&[kind, low, high, short, long], rest) = bytes.split_first_chunk().ok_or(Torn)?;
        let ticks = u16::from_le_bytes([low, high]);
        let length = usize::from(u16::from_le_bytes([short, long]));
        let (sound, rest) = rest.split_at_checked(length).ok_or(Torn)?;
        let piece = match (kind, length) {
            (1, 1..=LONGEST) => Piece::Sound(ticks, sound),
            (2, 0) => Piece::Lost(ticks),
            (3, 0) => Piece::Silence(ticks),
            _ => return Err(Torn),
        };
        Ok(Some((piece, rest)))
    }

    /// How long it lasts.
    pub fn ticks(&self) -> u64 {
        let (Piece::Sound(ticks, _) | Piece::Lost(ticks) | Piece::Silence(ticks)) = self;
        u64::from(*ticks)
    }
}

/// How long a row of pieces lasts.
pub fn ticks(mut row: &[u8]) -> Result<u64, Torn> {
    let mut ticks = 0;
    while let Some((piece, rest)) = Piece::read(row)? {
        ticks += piece.ticks();
        row = rest;
    }
    Ok(ticks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_read_as_they_were_written(
            pieces in prop::collection::vec(
                (0..3, any::<u16>(), prop::collection::vec(any::<u8>(), 1..1_500)), 0..8),
        ) {
            let (mut row, mut all) = (vec![], 0);
            for (kind, ticks, sound) in &pieces {
                let piece = match kind {
                    0 => Piece::Sound(*ticks, sound),
                    1 => Piece::Lost(*ticks),
                    _ => Piece::Silence(*ticks),
                };
                let mut bytes = [0; HEADER + LONGEST];
                let length = piece.write(&mut bytes);
                prop_assert_eq!(Piece::read(&bytes[..length]), Ok(Some((piece, &[][..]))));
                row.extend_from_slice(&bytes[..length]);
                all += u64::from(*ticks);
            }
            prop_assert_eq!(ticks(&row), Ok(all));
            if !row.is_empty() {
                row.pop();
                prop_assert_eq!(ticks(&row), Err(Torn));
            }
        }

        #[test]
        fn anything_at_all_is_survived(row in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ticks(&row);
        }
    }
}
