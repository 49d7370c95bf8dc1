//! Sound in files with a header, as symphonia reads them.
//!
//! The decoder calls much of what is poisoned a success: rates of 0 and of four thousand million,
//! samples that are no numbers, a day of silence in a few kilobytes. So rate and channels are those
//! of what was decoded, and samples are looked at and counted one by one ([`Intake`]).

use std::io::{ErrorKind, Read, Seek};

use symphonia::core::{
    codecs::{
        CodecParameters,
        audio::{
            AudioCodecParameters, AudioDecoder,
            well_known::{CODEC_ID_AAC, CODEC_ID_MP3, CODEC_ID_OPUS},
        },
    },
    errors::Error,
    formats::{FormatReader, Track, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream, ReadOnlySource},
    packet::Packet,
};
use symphonia::default::{get_codecs, get_probe};

use super::{
    RATE,
    intake::{Intake, check},
    opus,
    sound::{Purpose, Unfit},
};
use crate::audio::wav::CHANNELS;

/// A file is broken when more than one packet in so many is.
const FAULTS: usize = 4;

/// What decodes a file's packets.
enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(opus::Decoder),
}

/// What is done between two packets, with how many bytes of sound were decoded; an error ends it.
type Each<'a> = &'a mut dyn FnMut(&mut Intake, u64) -> Result<(), Unfit>;

/// Takes in the sound of a file.
pub(super) fn hear(
    source: Box<dyn MediaSource>,
    intake: &mut Intake,
    each: Each<'_>,
) -> Result<(), Unfit> {
    Reading::begin(source, false)?.hear(intake, each)
}

/// Takes in what is like a file and goes on. Its rate and channels may change on the way.
pub(super) fn hear_live(source: Box<dyn MediaSource>, each: Each<'_>) -> Result<(), Unfit> {
    Reading::begin(source, true)?.hear(&mut Intake::new(Purpose::Live), each)
}

/// How far it is read.
struct Reading {
    format: Box<dyn FormatReader>,
    link: Link,
    is_live: bool,
    packets: usize,
    faults: usize,
    /// Of sound that was decoded.
    bytes: u64,
    room: Vec<f32>,
}

/// One stream of a chain. Most files are one alone; a radio's Ogg has one for each title.
struct Link {
    track: u32,
    decoder: Decoder,
    /// Its frames as its header counts them, where that is more than a guess.
    counted: Option<u64>,
    /// Frames that came before it.
    before: u64,
}

impl Reading {
    fn begin(source: Box<dyn MediaSource>, is_live: bool) -> Result<Self, Unfit> {
        let source = MediaSourceStream::new(straight(source)?, Default::default());
        let probed =
            get_probe().probe(&Hint::new(), source, Default::default(), Default::default());
        let format = probed.map_err(|error| match error {
            Error::Unsupported(what) => unsupported(what).unwrap_or(Unfit::Unknown),
            _ => Unfit::Unknown,
        })?;
        let link = Link::of(&*format, 0)?;
        Ok(Self { format, link, is_live, packets: 0, faults: 0, bytes: 0, room: Vec::new() })
    }

    fn hear(&mut self, intake: &mut Intake, each: Each<'_>) -> Result<(), Unfit> {
        while let Some(packet) = self.packet(intake)? {
            if packet.track_id != self.link.track {
                continue;
            }
            self.packets += 1;
            self.bytes += packet.data.len() as u64;
            match self.link.decoder.decode(&packet, &mut self.room)? {
                Some((rate, channels)) => self.take(rate, channels, intake)?,
                None => self.faults += 1,
            }
            each(intake, self.bytes)?;
        }
        if self.faults * FAULTS > self.packets {
            return Err(Unfit::Broken);
        }
        self.is_whole(intake)
    }

    /// The next packet, if need be of the next link; `None` at the end, which a file that is cut off has
    /// too.
    fn packet(&mut self, intake: &Intake) -> Result<Option<Packet>, Unfit> {
        loop {
            match self.format.next_packet() {
                Ok(packet) => return Ok(packet),
                Err(Error::IoError(cause)) if cause.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(None);
                }
                Err(Error::ResetRequired) => {
                    // Titles and pictures of days would be kept.
                    self.format.metadata().skip_to_latest();
                    self.link = Link::of(&*self.format, intake.frames())?;
                }
                Err(_) => return Err(Unfit::Broken),
            }
        }
    }

    /// Takes in what was decoded.
    fn take(&mut self, rate: u32, channels: usize, intake: &mut Intake) -> Result<(), Unfit> {
        match intake.take(rate, channels, &self.room) {
            // A moment of what came before stays in the filter, and is not heard.
            Err(Unfit::Changes) if self.is_live => {
                *intake = Intake::new(Purpose::Live);
                self.link.before = 0;
                intake.take(rate, channels, &self.room)
            }
            taken => taken,
        }
    }

    /// A header that counts samples must not count many more than there are.
    fn is_whole(&self, intake: &Intake) -> Result<(), Unfit> {
        let Some(counted) = self.link.counted else { return Ok(()) };
        let slack = u64::from(intake.rate()) / 20;
        let heard = intake.frames().saturating_sub(self.link.before);
        if counted <= heard + slack.min(counted / 10) { Ok(()) } else { Err(Unfit::CutOff) }
    }
}

impl Link {
    fn of(format: &dyn FormatReader, before: u64) -> Result<Self, Unfit> {
        let track = format.default_track(TrackType::Audio).ok_or(Unfit::Coding)?;
        let Some(CodecParameters::Audio(coding)) = &track.codec_params else {
            return Err(Unfit::Coding);
        };
        let decoder = Decoder::of(coding, track)?;
        Ok(Self { track: track.id, decoder, counted: counted(coding, track), before })
    }
}

/// The frames a header counts. One that was written before anybody could know counts to the end of its
/// range; what MP3 and AAC tell is a guess.
fn counted(coding: &AudioCodecParameters, track: &Track) -> Option<u64> {
    let unknown = u64::from(u32::MAX) / (CHANNELS as u64 * 8) - 1;
    let guessed = [CODEC_ID_MP3, CODEC_ID_AAC, CODEC_ID_OPUS].contains(&coding.codec);
    track.num_frames.filter(|it| !guessed && *it < unknown)
}

/// Ogg is read from front to back, as a live stream is. Where it may jump, the demuxer looks for the end of
/// each link, which falls over long pages and takes the more time the more links there are.
fn straight(mut source: Box<dyn MediaSource>) -> Result<Box<dyn MediaSource>, Unfit> {
    if !source.is_seekable() {
        return Ok(source);
    }
    let mut mark = [0; 4];
    let is_ogg = source.read_exact(&mut mark).is_ok() && mark == *b"OggS";
    source.rewind().map_err(|_| Unfit::Unknown)?;
    if is_ogg {
        return Ok(Box::new(ReadOnlySource::new(source)));
    }
    Ok(source)
}

/// What a word of the decoder's means, where it says more than that it cannot.
fn unsupported(what: &str) -> Option<Unfit> {
    ["aac", "mp4a"].iter().any(|it| what.contains(it)).then_some(Unfit::HighEfficiency)
}

impl Decoder {
    fn of(coding: &AudioCodecParameters, track: &Track) -> Result<Self, Unfit> {
        if coding.codec == CODEC_ID_OPUS {
            return opus::Decoder::new(coding, track.delay.unwrap_or(0)).map(Self::Opus);
        }
        // Before the decoder divides by it.
        coding.sample_rate.map_or(Ok(()), |it| check(it, 1))?;
        match get_codecs().make_audio_decoder(coding, &Default::default()) {
            Ok(decoder) => Ok(Self::Symphonia(decoder)),
            Err(_) if coding.codec == CODEC_ID_AAC => Err(Unfit::HighEfficiency),
            Err(Error::Unsupported(_)) => Err(Unfit::Coding),
            Err(_) => Err(Unfit::Broken),
        }
    }

    /// Decodes a packet, and tells its rate and channels; `None` if it is broken.
    fn decode(
        &mut self,
        packet: &Packet,
        room: &mut Vec<f32>,
    ) -> Result<Option<(u32, usize)>, Unfit> {
        match self {
            Self::Opus(decoder) => {
                let Some(samples) = decoder.decode(packet) else { return Ok(None) };
                room.clear();
                room.extend(samples.iter().map(|it| f32::from(*it) / 32_768.0));
                Ok(Some((RATE, 1)))
            }
            Self::Symphonia(decoder) => match decoder.decode(packet) {
                Ok(sound) => {
                    sound.copy_to_vec_interleaved(room);
                    Ok(Some((sound.spec().rate(), sound.spec().channels().count())))
                }
                Err(Error::DecodeError(_) | Error::IoError(_)) => Ok(None),
                Err(Error::ResetRequired) => Err(Unfit::Changes),
                Err(Error::Unsupported(what)) => Err(unsupported(what).unwrap_or(Unfit::Coding)),
                Err(_) => Err(Unfit::Broken),
            },
        }
    }
}
