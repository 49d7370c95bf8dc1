//! Sound that is coded as telephones code it, one sample or frame after the other: without a header,
//! in a Sun file (`.au`), and GSM 06.10 in WAV.

use super::{
    RawKind,
    intake::{Intake, check},
    kinds,
    sound::Unfit,
};
use crate::audio::{g711::Law, g722, gsm};

/// Where the sound is, and what it is.
pub(super) struct Plain<'a> {
    rate: u32,
    channels: usize,
    coding: Coding,
    sound: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Law(Law),
    /// 16 bits, the lower byte first.
    Little,
    /// 16 bits, the higher byte first.
    Big,
    G722,
    /// GSM in frames of their own.
    Frames,
    /// GSM in blocks of two frames.
    Blocks,
}

/// Bytes decoded at a time: whole samples, frames and blocks of all kinds.
const STRETCH: usize = 4 * gsm::BYTES * gsm::BLOCK * 8;
/// Of frames that begin as none does there must not be more than one in so many.
const FAULTS: usize = 4;

impl<'a> Plain<'a> {
    /// `None` for all other files. `kind` is what the name says of a file without a mark.
    pub(super) fn of(file: &'a [u8], kind: Option<RawKind>) -> Result<Option<Self>, Unfit> {
        if file.starts_with(b".snd") {
            return sun(file).map(Some);
        }
        if file.starts_with(b"RIFF") {
            return gsm_wave(file);
        }
        let Some(kind) = kind.filter(|_| !kinds::is_marked(file)) else { return Ok(None) };
        let (rate, coding) = match kind {
            RawKind::Mulaw => (8_000, Coding::Law(Law::Mu)),
            RawKind::Alaw => (8_000, Coding::Law(Law::A)),
            RawKind::G722 => (16_000, Coding::G722),
            RawKind::Gsm => (8_000, Coding::Frames),
            RawKind::Linear(rate) => (rate, Coding::Little),
        };
        Ok(Some(Self { rate, channels: 1, coding, sound: file }))
    }

    /// Takes it in. `told` hears how far it is, in per cent.
    pub(super) fn hear(&self, intake: &mut Intake, told: &mut dyn FnMut(u8)) -> Result<(), Unfit> {
        check(self.rate, self.channels)?;
        let (mut samples, mut room) = (Vec::new(), Vec::new());
        let (mut wide, mut mobile) = (g722::Decoder::default(), gsm::Decoder::default());
        for (at, bytes) in self.sound.chunks(STRETCH).enumerate() {
            samples.clear();
            match self.coding {
                Coding::Law(law) => samples.extend(bytes.iter().map(|it| law.decode(*it))),
                Coding::Little => {
                    samples.extend(bytes.as_chunks().0.iter().map(|it| i16::from_le_bytes(*it)));
                }
                Coding::Big => {
                    samples.extend(bytes.as_chunks().0.iter().map(|it| i16::from_be_bytes(*it)));
                }
                Coding::G722 => wide.decode(bytes, &mut samples),
                Coding::Frames => frames(&mut mobile, bytes, &mut samples)?,
                Coding::Blocks => {
                    bytes
                        .as_chunks()
                        .0
                        .iter()
                        .for_each(|it| samples.extend(mobile.decode_block(it)));
                }
            }
            // Half a frame at the end of a file that was cut off is none.
            samples.truncate(samples.len() - samples.len() % self.channels);
            room.clear();
            room.extend(samples.iter().map(|it| f32::from(*it) / 32_768.0));
            intake.take(self.rate, self.channels, &room)?;
            let done = (at * STRETCH + bytes.len()) as u64;
            told((done * 100 / self.sound.len() as u64) as u8);
        }
        Ok(())
    }
}

fn frames(decoder: &mut gsm::Decoder, bytes: &[u8], to: &mut Vec<i16>) -> Result<(), Unfit> {
    let frames: &[[u8; gsm::BYTES]] = bytes.as_chunks().0;
    let mut faults = 0;
    for frame in frames {
        match decoder.decode(frame) {
            Some(samples) => to.extend(samples),
            None => faults += 1,
        }
    }
    if faults * FAULTS > frames.len() { Err(Unfit::Broken) } else { Ok(()) }
}

/// A Sun file: where the sound begins, how many bytes it has, coding, rate and channels, each in 32
/// bits, the highest byte first.
fn sun(file: &[u8]) -> Result<Plain<'_>, Unfit> {
    let number = |at: usize| {
        let bytes = file.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let numbers = [4, 8, 12, 16, 20].map(number);
    let [Some(begin), Some(length), Some(coding), Some(rate), Some(channels)] = numbers else {
        return Err(Unfit::CutOff);
    };
    let coding = match coding {
        1 => Coding::Law(Law::Mu),
        3 => Coding::Big,
        27 => Coding::Law(Law::A),
        _ => return Err(Unfit::Coding),
    };
    let sound = file.get(begin.max(24) as usize..).ok_or(Unfit::CutOff)?;
    // Who did not know how long it would be wrote the highest number.
    let sound = if length == u32::MAX { sound } else { part(sound, length)? };
    Ok(Plain { rate, channels: channels as usize, coding, sound })
}

/// A WAV file of GSM 06.10, which is format 0x31; `None` for WAV files of all other kinds.
fn gsm_wave(file: &[u8]) -> Result<Option<Plain<'_>>, Unfit> {
    let Some(mut rest) = file.get(12..) else { return Ok(None) };
    let mut form = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, size @ ..] = *head;
        let size = u32::from_le_bytes(size);
        match &[a, b, c, d] {
            b"fmt " => match body.first_chunk::<14>() {
                Some([0x31, 0, low, high, rate @ .., _, _, _, _, wide, none]) => {
                    let form_size = u16::from_le_bytes([*wide, *none]);
                    if usize::from(form_size) != gsm::BLOCK {
                        return Err(Unfit::Coding);
                    }
                    let rate = u32::from_le_bytes(*rate);
                    form = Some((rate, usize::from(u16::from_le_bytes([*low, *high]))));
                }
                _ => return Ok(None),
            },
            b"data" => {
                let Some((rate, channels)) = form else { return Ok(None) };
                if channels != 1 {
                    return Err(Unfit::Coding);
                }
                // Who did not know how long it would be wrote nothing, or nearly the highest number.
                let known = size != 0 && size < u32::MAX - 4_096;
                let sound = if known { part(body, size)? } else { body };
                return Ok(Some(Plain { rate, channels, coding: Coding::Blocks, sound }));
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = body.get((size as usize).next_multiple_of(2)..).unwrap_or_default();
    }
    Ok(None)
}

/// So many bytes; there may be a few less.
fn part(sound: &[u8], length: u32) -> Result<&[u8], Unfit> {
    let length = length as usize;
    if length > sound.len() + 512.min(length / 10) {
        return Err(Unfit::CutOff);
    }
    Ok(&sound[..length.min(sound.len())])
}
