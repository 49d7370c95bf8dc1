//! Sound in files with a header, as symphonia reads them.
//!
//! The decoder calls much of what is poisoned a success: rates of 0 and of four thousand million,
//! samples that are no numbers, a day of silence in a few kilobytes. So rate and channels are those
//! of what was decoded, and samples are looked at and counted one by one ([`Intake`]).

use std::io::ErrorKind;

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
    io::{MediaSource, MediaSourceStream},
    packet::Packet,
};
use symphonia::default::{get_codecs, get_probe};

use super::{
    RATE,
    intake::{Intake, check},
    opus,
    sound::Unfit,
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

/// Takes in the sound of a file, or of what is like one and goes on.
pub(super) fn hear(
    source: Box<dyn MediaSource>,
    intake: &mut Intake,
    each: Each<'_>,
) -> Result<(), Unfit> {
    let source = MediaSourceStream::new(source, Default::default());
    let probed = get_probe().probe(&Hint::new(), source, Default::default(), Default::default());
    let mut format = probed.map_err(|error| match error {
        Error::Unsupported(what) => unsupported(what).unwrap_or(Unfit::Unknown),
        _ => Unfit::Unknown,
    })?;
    let track = track(&*format)?;
    let Some(CodecParameters::Audio(coding)) = &track.codec_params else {
        return Err(Unfit::Coding);
    };
    let mut decoder = Decoder::of(coding, &track)?;
    let (mut packets, mut faults, mut bytes) = (0, 0, 0);
    let mut room = Vec::new();
    while let Some(packet) = next(&mut *format)? {
        if packet.track_id != track.id {
            continue;
        }
        packets += 1;
        bytes += packet.data.len() as u64;
        faults += usize::from(!decoder.decode(&packet, &mut room, intake)?);
        each(intake, bytes)?;
    }
    if faults * FAULTS > packets {
        return Err(Unfit::Broken);
    }
    is_whole(intake, coding, &track)
}

fn track(format: &dyn FormatReader) -> Result<Track, Unfit> {
    format.default_track(TrackType::Audio).cloned().ok_or(Unfit::Coding)
}

/// `None` at the end, which a file that is cut off has too.
fn next(format: &mut dyn FormatReader) -> Result<Option<Packet>, Unfit> {
    match format.next_packet() {
        Ok(packet) => Ok(packet),
        Err(Error::IoError(cause)) if cause.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(Error::ResetRequired) => Err(Unfit::Changes),
        Err(_) => Err(Unfit::Broken),
    }
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

    /// Takes in what a packet holds; `false` if it is broken.
    fn decode(
        &mut self,
        packet: &Packet,
        room: &mut Vec<f32>,
        intake: &mut Intake,
    ) -> Result<bool, Unfit> {
        match self {
            Self::Opus(decoder) => {
                let Some(samples) = decoder.decode(packet) else { return Ok(false) };
                room.clear();
                room.extend(samples.iter().map(|it| f32::from(*it) / 32_768.0));
                intake.take(RATE, 1, room)?;
            }
            Self::Symphonia(decoder) => match decoder.decode(packet) {
                Ok(sound) => {
                    sound.copy_to_vec_interleaved(room);
                    let (rate, channels) = (sound.spec().rate(), sound.spec().channels().count());
                    intake.take(rate, channels, room)?;
                }
                Err(Error::DecodeError(_) | Error::IoError(_)) => return Ok(false),
                Err(Error::ResetRequired) => return Err(Unfit::Changes),
                Err(Error::Unsupported(what)) => {
                    return Err(unsupported(what).unwrap_or(Unfit::Coding));
                }
                Err(_) => return Err(Unfit::Broken),
            },
        }
        Ok(true)
    }
}

/// A header that counts samples must not count many more than there are; one that was written
/// before anybody could know counts to the end of its range. What MP3 and AAC tell is a guess.
fn is_whole(intake: &Intake, coding: &AudioCodecParameters, track: &Track) -> Result<(), Unfit> {
    let Some(frames) = track.num_frames else { return Ok(()) };
    let slack = u64::from(intake.rate()) / 20;
    let unknown = u64::from(u32::MAX) / (CHANNELS as u64 * 8) - 1;
    let guessed = [CODEC_ID_MP3, CODEC_ID_AAC, CODEC_ID_OPUS].contains(&coding.codec);
    if guessed || frames >= unknown || frames <= intake.frames() + slack.min(frames / 10) {
        return Ok(());
    }
    Err(Unfit::CutOff)
}
