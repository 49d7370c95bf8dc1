//! The file of a track, written and read.

use std::time::Duration;

use super::{Codec, Encoded, FRAME_TICKS, Music, PEAKS};

const MAGIC: &[u8; 8] = b"ABmusic\x01";
/// Kinds of sections.
const ABOUT: u8 = 1;
const CODECS: [(u8, Codec); 4] =
    [(2, Codec::Opus), (3, Codec::G722), (4, Codec::Pcmu), (5, Codec::Pcma)];

/// Why a file is no track. All of them mean: make it again from the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MusicError {
    /// It begins with something else, or was written by a version of this program that is not ours.
    #[error("the track was made by another version of this program, or is none")]
    Kind,
    /// It is cut off, or something in it was changed.
    #[error("the track is damaged")]
    Damaged,
    /// It was made by a program that does not speak a codec we speak.
    #[error("the track has no sound in {0:?}")]
    Lacks(Codec),
}

impl Music {
    /// The track as it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sounds = self.encoded.iter().map(|(_, it)| it.bytes().len() + it.ends().len() * 4);
        let mut file = Vec::with_capacity(sounds.sum::<usize>() + 1_024);
        file.extend_from_slice(MAGIC);
        let ticks = (self.ticks() as u32).to_le_bytes();
        let mut peaks = self.peaks.clone();
        peaks.resize(PEAKS, 0);
        section(&mut file, ABOUT, &[&ticks, &self.loudness.to_le_bytes(), &peaks]);
        for (codec, sound) in &self.encoded {
            let kind = CODECS.iter().find(|it| it.1 == *codec).map_or(0, |it| it.0);
            if *codec == Codec::Opus {
                let count = (sound.ends().len() as u32).to_le_bytes();
                let ends: Vec<u8> = sound.ends().iter().flat_map(|it| it.to_le_bytes()).collect();
                section(&mut file, kind, &[&count, &ends, sound.bytes()]);
            } else {
                section(&mut file, kind, &[sound.bytes()]);
            }
        }
        file
    }

    /// A track that was kept.
    pub fn read(file: &[u8]) -> Result<Self, MusicError> {
        let mut rest = file.strip_prefix(MAGIC).ok_or(MusicError::Kind)?;
        let (mut about, mut encoded) = (None, Vec::new());
        while !rest.is_empty() {
            let (kind, body, behind) = next(rest).ok_or(MusicError::Damaged)?;
            rest = behind;
            if kind == ABOUT {
                about = Some(described(body).ok_or(MusicError::Damaged)?);
            } else if let Some((_, codec)) = CODECS.iter().find(|it| it.0 == kind) {
                encoded.push((*codec, sound(*codec, body).ok_or(MusicError::Damaged)?));
            }
        }
        let (ticks, loudness, peaks) = about.ok_or(MusicError::Damaged)?;
        // What this program does not speak it does not keep in memory.
        encoded.retain(|(codec, _)| Codec::SPOKEN.contains(codec));
        for codec in Codec::SPOKEN {
            let mut found = encoded.iter().filter(|it| it.0 == *codec);
            let (_, sound) = found.next().ok_or(MusicError::Lacks(*codec))?;
            let whole = match codec {
                Codec::Opus => sound.ends().len() * FRAME_TICKS,
                _ => sound.bytes().len(),
            };
            if whole != ticks as usize || found.next().is_some() {
                return Err(MusicError::Damaged);
            }
        }
        let length = Duration::from_micros(u64::from(ticks) * 125);
        Ok(Self { length, loudness, peaks, encoded })
    }
}

fn section(file: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|it| it.len()).sum();
    let mut sum = crc32fast::Hasher::new();
    parts.iter().for_each(|it| sum.update(it));
    file.push(kind);
    file.extend_from_slice(&(length as u32).to_le_bytes());
    file.extend_from_slice(&sum.finalize().to_le_bytes());
    parts.iter().for_each(|it| file.extend_from_slice(it));
}

/// The first section's kind and body, and what follows; `None` if it is not whole.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let (length, rest) = number(rest)?;
    let (sum, rest) = number(rest)?;
    let (body, rest) = rest.split_at_checked(length as usize)?;
    (crc32fast::hash(body) == sum).then_some((kind, body, rest))
}

fn described(body: &[u8]) -> Option<(u32, f64, Vec<u8>)> {
    let (ticks, rest) = number(body)?;
    let (loudness, peaks) = rest.split_first_chunk()?;
    let loudness = f64::from_le_bytes(*loudness);
    let fine = (ticks as usize).is_multiple_of(FRAME_TICKS)
        && ticks > 0
        && loudness.is_finite()
        && peaks.len() == PEAKS;
    fine.then(|| (ticks, loudness, peaks.to_vec()))
}

fn sound(codec: Codec, body: &[u8]) -> Option<Encoded> {
    if codec != Codec::Opus {
        return Some(Encoded::new(body, Vec::new()));
    }
    let (count, rest) = number(body)?;
    let (ends, packets) = rest.split_at_checked((count as usize).checked_mul(4)?)?;
    let ends: Vec<u32> = ends.as_chunks().0.iter().map(|it| u32::from_le_bytes(*it)).collect();
    let rising = ends.is_sorted() && ends.last().is_none_or(|it| *it as usize == packets.len());
    rising.then(|| Encoded::new(packets, ends))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track() -> Music {
        let hum = |at: usize| (at as f32 * 0.1).sin() * 0.2;
        let samples: Vec<f32> = (0..32_000).map(hum).collect();
        Music::made(samples, -20.5, &mut |_| ()).unwrap()
    }

    #[test]
    fn a_track_is_read_as_it_was_written() {
        let track = track();
        let read = Music::read(&track.to_bytes()).unwrap();
        assert_eq!(read, track);
        assert_eq!((read.loudness, read.peaks.len()), (-20.5, PEAKS));
    }

    #[test]
    fn whatever_is_changed_or_cut_off_is_noticed() {
        let file = track().to_bytes();
        for at in (0..file.len()).step_by(97) {
            let mut changed = file.clone();
            changed[at] ^= 0x10;
            assert!(Music::read(&changed).is_err(), "byte {at}");
            assert!(Music::read(&file[..at]).is_err(), "{at} bytes");
        }
        assert_eq!(Music::read(b"RIFF"), Err(MusicError::Kind));
        let newer = [&b"ABmusic\x02"[..], &file[8..]].concat();
        assert_eq!(Music::read(&newer), Err(MusicError::Kind));
    }

    #[test]
    fn a_section_nobody_knows_yet_is_passed_over() {
        let mut file = track().to_bytes();
        section(&mut file, 77, &[b"of another day"]);
        assert_eq!(Music::read(&file), Ok(track()));
    }
}
