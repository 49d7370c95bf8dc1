//! From a file's bytes to its sound, with nothing believed that can be counted.
//!
//! The decoder calls much of what is poisoned a success: rates of 0 and of four thousand million,
//! samples that are no numbers, a day of silence in a few kilobytes. So rate and channels are those
//! of what was decoded, and samples are looked at and counted one by one.

use std::io::{Cursor, ErrorKind};

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::{
        CodecParameters,
        audio::{
            AudioCodecParameters, AudioDecoder,
            well_known::{CODEC_ID_AAC, CODEC_ID_MP3, CODEC_ID_OPUS},
        },
    },
    errors::Error,
    formats::{FormatReader, Track, TrackType, probe::Hint},
    io::MediaSourceStream,
    packet::Packet,
};
use symphonia::default::{get_codecs, get_probe};

use super::{LONGEST, RATE, kinds, opus};
use crate::audio::{
    loudness::levelled,
    resample::resample,
    wav::{CHANNELS, RATES},
};

/// Why a file is no sound we can play. It goes on where the name of the file ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("is empty; send it again")]
    Empty,
    #[error("is {0}")]
    Other(&'static str),
    #[error(
        "is not audio of a kind that can be read; taken are MP3, AAC (M4A), Ogg Vorbis, Opus, FLAC, \
         ALAC, AIFF and WAV"
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
    #[error("is longer than {} s; shorten it", LONGEST.as_secs())]
    TooLong,
    #[error("has no sound in it")]
    NoSound,
}

/// A sample this far beyond full scale was never recorded.
const LOUDEST: f32 = 16.0;
/// A file is broken when more than one packet in so many is.
const FAULTS: usize = 4;

/// The sound in a file: one channel at [`RATE`], as loud as a prompt.
pub(super) fn of(file: Vec<u8>) -> Result<Vec<i16>, Unfit> {
    let mixed = mixed(file)?;
    if mixed.samples.is_empty() {
        return Err(Unfit::NoSound);
    }
    let samples = resample(&mixed.samples, mixed.rate, RATE);
    levelled(RATE, &samples).ok_or(Unfit::NoSound)
}

/// What has been decoded of a file, all channels together.
#[derive(Default)]
struct Mixed {
    samples: Vec<i16>,
    rate: u32,
    channels: usize,
}

/// What decodes a file's packets.
enum Decoder {
    Symphonia(Box<dyn AudioDecoder>, Vec<f32>),
    Opus(opus::Decoder),
}

fn mixed(file: Vec<u8>) -> Result<Mixed, Unfit> {
    if file.is_empty() {
        return Err(Unfit::Empty);
    }
    kinds::other(&file).map_or(Ok(()), |it| Err(Unfit::Other(it)))?;
    let source = MediaSourceStream::new(Box::new(Cursor::new(file)), Default::default());
    let probed = get_probe().probe(&Hint::new(), source, Default::default(), Default::default());
    let mut format = probed.map_err(|error| match error {
        Error::Unsupported(what) => unsupported(what).unwrap_or(Unfit::Unknown),
        _ => Unfit::Unknown,
    })?;
    let track = track(&*format)?;
    let Some(CodecParameters::Audio(told)) = &track.codec_params else {
        return Err(Unfit::Coding);
    };
    let mut decoder = Decoder::of(told, &track)?;
    let mut mixed = Mixed::default();
    let (mut packets, mut faults) = (0, 0);
    while let Some(packet) = next(&mut *format)? {
        if packet.track_id != track.id {
            continue;
        }
        packets += 1;
        faults += usize::from(!mixed.take(&mut decoder, &packet)?);
    }
    if faults * FAULTS > packets {
        return Err(Unfit::Broken);
    }
    mixed.is_whole(told, &track)?;
    Ok(mixed)
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
    fn of(told: &AudioCodecParameters, track: &Track) -> Result<Self, Unfit> {
        if told.codec == CODEC_ID_OPUS {
            return opus::Decoder::new(told, track.delay.unwrap_or(0)).map(Self::Opus);
        }
        // Before the decoder divides by it.
        told.sample_rate.map_or(Ok(()), |it| check(it, 1))?;
        match get_codecs().make_audio_decoder(told, &Default::default()) {
            Ok(decoder) => Ok(Self::Symphonia(decoder, Vec::new())),
            Err(_) if told.codec == CODEC_ID_AAC => Err(Unfit::HighEfficiency),
            Err(Error::Unsupported(_)) => Err(Unfit::Coding),
            Err(_) => Err(Unfit::Broken),
        }
    }
}

impl Mixed {
    /// Adds what a packet holds; `false` if it is broken.
    fn take(&mut self, decoder: &mut Decoder, packet: &Packet) -> Result<bool, Unfit> {
        match decoder {
            Decoder::Opus(opus) => {
                let Some(samples) = opus.decode(packet) else { return Ok(false) };
                self.rate = RATE;
                self.channels = 1;
                self.room_for(samples.len())?;
                self.samples.extend_from_slice(samples);
            }
            Decoder::Symphonia(decoder, room) => match decoder.decode(packet) {
                Ok(sound) => self.mix(&sound, room)?,
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

    fn mix(&mut self, sound: &GenericAudioBufferRef<'_>, room: &mut Vec<f32>) -> Result<(), Unfit> {
        let (rate, channels) = (sound.spec().rate(), sound.spec().channels().count());
        if sound.frames() == 0 {
            return Ok(());
        }
        check(rate, channels)?;
        if self.rate != 0 && (self.rate, self.channels) != (rate, channels) {
            return Err(Unfit::Changes);
        }
        (self.rate, self.channels) = (rate, channels);
        self.room_for(sound.frames())?;
        sound.copy_to_vec_interleaved(room);
        for frame in room.chunks_exact(channels) {
            if !frame.iter().all(|it| it.is_finite() && it.abs() <= LOUDEST) {
                return Err(Unfit::NoNumbers);
            }
            let value = frame.iter().sum::<f32>() / channels as f32 * 32_768.0;
            // `as` clamps to the range of i16.
            self.samples.push(value.round() as i16);
        }
        Ok(())
    }

    fn room_for(&self, more: usize) -> Result<(), Unfit> {
        let most = LONGEST.as_secs() * u64::from(self.rate);
        match (self.samples.len() + more) as u64 > most {
            true => Err(Unfit::TooLong),
            false => Ok(()),
        }
    }

    /// A header that counts samples must not count many more than there are; one that was written
    /// before anybody could know counts to the end of its range. What MP3 and AAC tell is a guess.
    fn is_whole(&self, told: &AudioCodecParameters, track: &Track) -> Result<(), Unfit> {
        let Some(frames) = track.num_frames else { return Ok(()) };
        let found = self.samples.len() as u64;
        let slack = u64::from(self.rate) / 20;
        let unknown = u64::from(u32::MAX) / (CHANNELS as u64 * 8) - 1;
        let guessed = [CODEC_ID_MP3, CODEC_ID_AAC, CODEC_ID_OPUS].contains(&told.codec);
        if guessed || frames >= unknown || frames <= found + slack.min(frames / 10) {
            return Ok(());
        }
        Err(Unfit::CutOff)
    }
}

fn check(rate: u32, channels: usize) -> Result<(), Unfit> {
    if !RATES.contains(&rate) {
        return Err(Unfit::Rate(rate));
    }
    if !(1..=usize::from(CHANNELS)).contains(&channels) {
        return Err(Unfit::Channels(channels));
    }
    Ok(())
}
