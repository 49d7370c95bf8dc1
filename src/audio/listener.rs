//! Judges what is being recorded: how much of it is voice, and when it is over.
//!
//! It is over after a long silence, at a call-progress tone (somebody hung up where no signal of it
//! reaches us), or at the maximum length. The listener says so once, and where to cut.

use std::{ops::Range, time::Duration};

use super::{
    Codec,
    dtmf::Detector,
    level::{FRAME, Level},
    tones::Tones,
};

/// When a recording is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// So long without a voice ends it; `None` or zero: it never does.
    pub end_of_message_silence: Option<Duration>,
    /// Recording stops here; what was said is kept.
    pub longest: Duration,
    /// Whether dial, busy and other call-progress tones end it.
    pub tones: bool,
    /// Whether keys are pressed as tones: the one that ends it is no part of it.
    pub keys: bool,
}

/// Why a recording is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody has spoken for the set time.
    Silence,
    /// The line plays a call-progress tone.
    Tone,
    /// The maximum length is reached.
    Longest,
}

/// That a recording is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What ended it.
    pub why: Why,
    /// How many samples from the start are worth keeping: without the tone, and with only a short
    /// pause of the silence.
    pub keep: u64,
}

/// Listens to one recording at 8,000 samples a second.
#[derive(Debug)]
pub struct Listener {
    level: Level,
    tones: Option<Tones>,
    keys: Option<Detector>,
    silence: u64,
    longest: u64,
    frame: [i16; FRAME],
    filled: usize,
    /// Whole frames so far, and which of them were voice: in order, and apart from each other.
    frames: usize,
    voiced: Vec<Range<usize>>,
    over: bool,
}

/// How much of a closing silence stays, so that the last word does not sound cut off.
const PAUSE: Duration = Duration::from_millis(750);

impl Rules {
    /// Listens on without ever ending the recording.
    pub fn endless() -> Self {
        Self { end_of_message_silence: None, longest: Duration::MAX, tones: false, keys: false }
    }
}

impl Listener {
    /// A listener for a recording that begins now.
    pub fn new(rules: &Rules) -> Self {
        let silence = rules.end_of_message_silence.filter(|it| !it.is_zero());
        Self {
            level: Level::default(),
            tones: rules.tones.then(Tones::default),
            keys: rules.keys.then(Detector::default),
            silence: silence.map_or(u64::MAX, samples_in),
            longest: samples_in(rules.longest),
            frame: [0; FRAME],
            filled: 0,
            frames: 0,
            voiced: Vec::new(),
            over: false,
        }
    }

    /// Hears what came next, any number of samples. Answers once, when the recording is over; what
    /// it hears after that it ignores.
    pub fn hear(&mut self, mut samples: &[i16]) -> Option<Verdict> {
        while !self.over && !samples.is_empty() {
            let (some, rest) = samples.split_at(samples.len().min(FRAME - self.filled));
            self.frame[self.filled..][..some.len()].copy_from_slice(some);
            self.filled += some.len();
            if let Some(keys) = &mut self.keys {
                some.iter().for_each(|it| _ = keys.hear(*it));
            }
            samples = rest;
            if let Some(verdict) = self.judge() {
                self.over = true;
                return Some(verdict);
            }
        }
        None
    }

    /// How many samples come before the key that ended the recording, if one did.
    pub fn before_key(&self) -> Option<u64> {
        self.keys.as_ref()?.before_key()
    }

    /// How much of the first `keep` samples was voice.
    pub fn voiced(&self, keep: u64) -> Duration {
        let frames = usize::try_from(keep).unwrap_or(usize::MAX).div_ceil(FRAME);
        let within = |it: &Range<usize>| it.end.min(frames).saturating_sub(it.start);
        let voiced: usize = self.voiced.iter().map(within).sum();
        length_of(voiced as u64 * FRAME as u64).min(length_of(keep))
    }

    fn judge(&mut self) -> Option<Verdict> {
        let heard = (self.frames * FRAME + self.filled) as u64;
        let too_long = heard >= self.longest;
        let longest = Verdict { why: Why::Longest, keep: self.longest };
        if self.filled < FRAME {
            return too_long.then_some(longest);
        }
        self.filled = 0;
        self.count_voice();
        if let Some(began) = self.tones.as_mut().and_then(|it| it.hear(&self.frame)) {
            return Some(Verdict { why: Why::Tone, keep: began.min(self.longest) });
        }
        if too_long {
            return Some(longest);
        }
        let spoken = (self.voiced.last().map_or(0, |it| it.end) * FRAME) as u64;
        (heard - spoken >= self.silence).then(|| Verdict {
            why: Why::Silence,
            keep: heard.min(spoken.saturating_add(samples_in(PAUSE))),
        })
    }

    fn count_voice(&mut self) {
        let newly = self.level.hear(&self.frame);
        self.frames += 1;
        if newly == 0 {
            return;
        }
        let mut from = self.frames.saturating_sub(newly);
        while let Some(last) = self.voiced.pop_if(|it| from <= it.end) {
            from = from.min(last.start);
        }
        self.voiced.push(from..self.frames);
    }
}

/// Samples at 8,000 a second that last so long.
pub fn samples_in(length: Duration) -> u64 {
    let samples = length.as_micros() * u128::from(Codec::RATE) / 1_000_000;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// How long so many samples at 8,000 a second last.
pub fn length_of(samples: u64) -> Duration {
    Duration::from_micros(samples.saturating_mul(1_000_000 / u64::from(Codec::RATE)))
}
