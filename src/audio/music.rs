//! A track of hold music: encoded once for every codec, and kept in one file.
//!
//! ```text
//! 0   8  "ABmusic" and the version of this layout, 1
//! 8      sections, to the end of the file:
//!        0  1  kind: 1 what it is, 2 Opus, 3 G.722, 4 PCMU, 5 PCMA
//!        1  4  length of what follows the head
//!        5  4  CRC-32 of it
//!        9     it
//! ```
//!
//! Numbers are little-endian. *What it is*: length in ticks of 125 µs (4 bytes), loudness in LUFS
//! (8 bytes, floating point), and [`PEAKS`] peaks. *Opus*: the number of packets (4 bytes), the end
//! of each (4 bytes), the packets. The others are a byte a tick. Sections of other kinds are passed
//! over, so that there may be more codecs one day.

use std::time::Duration;

use super::{Clip, Codec, Encoded, opus_packet::FRAME_TICKS};

mod file;
mod making;

pub use self::file::MusicError;

/// How many parts of a track have a peak of their own: what a picture of it is drawn from.
pub const PEAKS: usize = 200;

/// A track, encoded for every codec this program speaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Music {
    /// How long it plays, in whole packets of 20 ms.
    pub length: Duration,
    /// How loud the original was, in LUFS.
    pub loudness: f64,
    /// The loudest sample of each of [`PEAKS`] equal parts, as it is played; 255 is full scale.
    pub peaks: Vec<u8>,
    /// In every codec there is.
    encoded: Vec<(Codec, Encoded)>,
}

impl Music {
    /// The track as a clip that is ready in every codec at once. Nothing is copied.
    pub fn clip(&self, name: &str) -> Clip {
        Clip::finished(name, self.length, &self.encoded)
    }

    /// How many packets of 20 ms it has, in any codec.
    pub fn packets(&self) -> usize {
        (self.length.as_micros() / 20_000) as usize
    }

    fn ticks(&self) -> usize {
        self.packets() * FRAME_TICKS
    }
}
