//! Back to sound from what was recorded: bytes of G.711, or [pieces](super::piece) of G.722 and Opus.
//!
//! What is lost is made up: 60 ms of what was last heard, fading, and in Opus what the next packet
//! still tells of the one before it (in-band FEC); behind that, silence. Nothing is ever stretched:
//! what comes out is as long as the pieces say, to the sample.

use super::{
    Codec, g722, opus,
    opus_packet::{self, MOST_TICKS},
    piece::{Piece, Torn},
};

/// How much of what a codec carries is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// As much as a telephone carries, at 8,000 samples a second: enough to judge by, and cheap.
    Narrow,
    /// All, at the codec's own rate.
    Full,
}

/// Decodes one stretch of a recording, in any number of portions.
#[derive(Debug)]
pub struct Decoder {
    sound: Sound,
    /// Samples in a tick.
    per_tick: usize,
    /// Ticks lost right before what comes next, not yet made up.
    lost: u64,
    /// Ticks made up since something was last heard.
    made_up: u64,
    /// The end of what was last heard, 20 ms at most.
    last: Vec<i16>,
}

#[derive(Debug)]
enum Sound {
    Bytes(super::g711::Law),
    G722(Box<g722::Decoder>, Width),
    Opus(Box<opus::Decoder>),
}

/// How long what is lost is made up from what was last heard: 60 ms.
const FADE: u64 = 480;
/// How much of that is repeated: 20 ms.
const FRAME: usize = 160;
/// The least that Opus makes up: 2.5 ms.
const LEAST: u64 = 20;

impl Decoder {
    /// `None` when this program cannot decode the codec.
    pub fn new(codec: Codec, width: Width) -> Option<Self> {
        let rate = match width {
            Width::Narrow => Codec::RATE,
            Width::Full => codec.rate(),
        };
        let sound = match (codec, codec.law()) {
            (_, Some(law)) => Sound::Bytes(law),
            (Codec::Opus, _) => Sound::Opus(Box::new(opus::Decoder::new(rate)?)),
            _ => Sound::G722(Box::default(), width),
        };
        let per_tick = (rate / Codec::RATE) as usize;
        Some(Self { sound, per_tick, lost: 0, made_up: 0, last: Vec::new() })
    }

    /// Goes on with what was recorded next; its samples go behind `samples`, except for what is
    /// lost at the end, which waits for what follows.
    ///
    /// # Errors
    /// When a piece is not whole; what comes before it is decoded.
    pub fn decode(&mut self, mut recorded: &[u8], samples: &mut Vec<i16>) -> Result<(), Torn> {
        if let Sound::Bytes(law) = self.sound {
            samples.extend(recorded.iter().map(|&it| law.decode(it)));
            return Ok(());
        }
        while let Some((piece, rest)) = Piece::read(recorded)? {
            match piece {
                Piece::Sound(ticks, sound) => self.hear(usize::from(ticks), sound, samples),
                Piece::Lost(ticks) => self.lost += u64::from(ticks),
                Piece::Silence(ticks) => {
                    self.finish(samples);
                    samples.resize(samples.len() + usize::from(ticks) * self.per_tick, 0);
                }
            }
            recorded = rest;
        }
        Ok(())
    }

    /// Nothing follows: makes up what is lost at the end.
    pub fn finish(&mut self, samples: &mut Vec<i16>) {
        let lost = std::mem::take(&mut self.lost);
        self.make_up(lost, samples);
    }

    fn hear(&mut self, ticks: usize, sound: &[u8], samples: &mut Vec<i16>) {
        let told = opus_packet::ticks(sound).unwrap_or(0) as u64;
        match &self.sound {
            // The next packet may tell of the last one that is lost.
            Sound::Opus(_) if (1..=self.lost).contains(&told) => {
                self.lost -= told;
                self.finish(samples);
                self.conceal(told as usize, Some(sound), samples);
            }
            _ => self.finish(samples),
        }
        let wanted = ticks * self.per_tick;
        let mut heard = self.decode_sound(sound);
        if heard.is_empty() {
            self.make_up(ticks as u64, samples);
            return;
        }
        self.made_up = 0;
        // The beginning of a packet may have come too late for its place.
        heard.drain(..heard.len().saturating_sub(wanted));
        heard.resize(wanted, 0);
        samples.extend_from_slice(&heard);
        heard.drain(..heard.len().saturating_sub(FRAME * self.per_tick));
        self.last = heard;
    }

    fn decode_sound(&mut self, sound: &[u8]) -> Vec<i16> {
        let mut heard = Vec::new();
        match &mut self.sound {
            Sound::Bytes(_) => {}
            Sound::G722(decoder, Width::Full) => decoder.decode(sound, &mut heard),
            Sound::G722(decoder, Width::Narrow) => decoder.decode_narrow(sound, &mut heard),
            Sound::Opus(decoder) => {
                heard.resize(MOST_TICKS * self.per_tick, 0);
                let length = decoder.decode(sound, &mut heard).unwrap_or(0);
                heard.truncate(length);
            }
        }
        heard
    }

    /// Makes up so many ticks: as far as the fade reaches from what was heard, then silence.
    fn make_up(&mut self, ticks: u64, samples: &mut Vec<i16>) {
        let fading = FADE.saturating_sub(self.made_up).min(ticks);
        let end = samples.len() + ticks as usize * self.per_tick;
        match &self.sound {
            Sound::Opus(_) => {
                let whole = fading / LEAST * LEAST;
                if whole > 0 {
                    self.conceal(whole as usize, None, samples);
                }
            }
            _ => self.fade(fading, samples),
        }
        samples.resize(end, 0);
        self.made_up += ticks;
    }

    fn conceal(&mut self, ticks: usize, next: Option<&[u8]>, samples: &mut Vec<i16>) {
        let from = samples.len();
        samples.resize(from + ticks * self.per_tick, 0);
        if let Sound::Opus(decoder) = &mut self.sound {
            decoder.conceal(next, &mut samples[from..]);
        }
    }

    fn fade(&self, ticks: u64, samples: &mut Vec<i16>) {
        if self.last.is_empty() {
            return;
        }
        let (per_tick, all) = (self.per_tick as u64, (FADE * self.per_tick as u64) as i64);
        let places = self.made_up * per_tick..(self.made_up + ticks) * per_tick;
        samples.extend(places.map(|at| {
            let sample = i64::from(self.last[at as usize % self.last.len()]);
            (sample * (all - at as i64) / all) as i16
        }));
    }
}
