//! From a file's bytes to its sound, with nothing believed that can be counted.

use std::{io::Cursor, time::Duration};

use bytes::Bytes;

use super::{
    LONGEST, LONGEST_MUSIC, RATE, RawKind, container,
    intake::{Heard, Intake},
    kinds,
    plain::Plain,
};
use crate::audio::{loudness::levelled, music::Music};

/// Why a file is no sound we can play. It goes on where the name of the file ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("is empty; send it again")]
    Empty,
    #[error("is {0}")]
    Other(&'static str),
    #[error(
        "is not audio of a kind that can be read; taken are MP3, AAC (M4A), Ogg Vorbis, Opus, FLAC, \
         ALAC, AIFF, AU and WAV, and music in files that are named .ulaw, .alaw, .g722, .gsm or .sln"
    )]
    Unknown,
    #[error("is coded in HE-AAC, which cannot be read; convert it to MP3 or to AAC-LC")]
    HighEfficiency,
    #[error("is coded in a way that cannot be read; convert it to MP3 or WAV")]
    Coding,
    #[error("is broken; make it anew or send it again")]
    Broken,
    #[error("is cut off: it ends before its header says; send it again")]
    CutOff,
    #[error("cannot be used: its rate is {0} Hz; taken are 4,000 to 192,000 Hz")]
    Rate(u32),
    #[error("cannot be used: it has {0} channels; taken are 1 to 8")]
    Channels(usize),
    #[error("cannot be used: it changes its rate or channels on the way; convert it to WAV")]
    Changes,
    #[error("has values in it that are no sound; make it anew")]
    NoNumbers,
    #[error("is longer than {} s; shorten it", .0.as_secs())]
    TooLong(Duration),
    #[error("has no sound in it")]
    NoSound,
    #[error("has less than half a second of sound in it")]
    TooShort,
}

/// What becomes of a sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Greeting,
    Music,
    /// It goes on.
    Live,
}

impl Purpose {
    pub(super) fn longest(self) -> Duration {
        match self {
            Self::Greeting => LONGEST,
            Self::Music => LONGEST_MUSIC,
            Self::Live => Duration::MAX,
        }
    }
}

/// The sound in a file: one channel at [`RATE`], as loud as a prompt.
pub(super) fn greeting(file: Vec<u8>) -> Result<Vec<i16>, Unfit> {
    let heard = heard(file, None, Purpose::Greeting, &mut |_| ())?;
    // `as` clamps to the range of i16.
    let samples: Vec<i16> = heard.samples.iter().map(|it| (it * 32_768.0).round() as i16).collect();
    levelled(RATE, &samples).ok_or(Unfit::NoSound)
}

/// The music in a file. `told` hears how far it is, in per cent, each number once at the most.
pub(super) fn music(
    file: Vec<u8>,
    kind: Option<RawKind>,
    told: &mut dyn FnMut(u8),
) -> Result<Music, Unfit> {
    let mut before = 0;
    let mut rising = |share: u8| {
        if share > before {
            before = share;
            told(share);
        }
    };
    let heard = heard(file, kind, Purpose::Music, &mut |share| rising(share / 2))?;
    if heard.samples.iter().all(|it| it.abs() < SOFTEST) {
        return Err(Unfit::NoSound);
    }
    let music = Music::made(heard.samples, heard.loudness, &mut |share| rising(50 + share / 2));
    music.ok_or(Unfit::TooShort)
}

/// -80 dBFS: what stays below is no music.
const SOFTEST: f32 = 0.000_1;

fn heard(
    file: Vec<u8>,
    kind: Option<RawKind>,
    purpose: Purpose,
    told: &mut dyn FnMut(u8),
) -> Result<Heard, Unfit> {
    let file = Bytes::from(file);
    let heard = heard_in(&file, kind, Intake::new(purpose), told)?;
    match heard.cancels {
        // Together its channels are next to nothing, as where one of them was wired the wrong way.
        true => heard_in(&file, kind, Intake::of_one_channel(purpose), told),
        false => Ok(heard),
    }
}

fn heard_in(
    file: &Bytes,
    kind: Option<RawKind>,
    mut intake: Intake,
    told: &mut dyn FnMut(u8),
) -> Result<Heard, Unfit> {
    if file.is_empty() {
        return Err(Unfit::Empty);
    }
    kinds::other(file).map_or(Ok(()), |it| Err(Unfit::Other(it)))?;
    match Plain::of(file, kind)? {
        Some(plain) => plain.hear(&mut intake, told)?,
        None => {
            let (size, source) = (file.len() as u64, Box::new(Cursor::new(file.clone())));
            container::hear(source, &mut intake, &mut |_, bytes| {
                told((bytes * 100 / size).min(100) as u8);
                Ok(())
            })?;
        }
    }
    intake.finish().ok_or(Unfit::NoSound)
}
