//! What the callers know: what each said, and what the server has told them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::FRAME_TIME;
use crate::phone::FRAME;

/// What a caller means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Hangs up before the beep.
    Greeting,
    /// Says less than a message and hangs up.
    Short,
    /// Speaks and hangs up.
    HangUp,
    /// Speaks, presses `#` and listens.
    Pound,
    /// Reviews, and keeps it with `1`.
    Keep,
    /// Reviews, and hangs up in the menu.
    Leave,
    /// Reviews, and deletes it with `4`.
    Delete,
    /// Reviews, records again with `3`, and hangs up.
    Again,
    /// The same, but says nothing to speak of the second time.
    AgainShort,
}

/// One call, from the caller's side.
#[derive(Debug)]
pub struct Call {
    pub number: String,
    pub plan: Plan,
    pub answered: bool,
    /// What was said after each beep.
    pub takes: Vec<Spoken>,
    /// The caller heard that the message is saved.
    pub saved: bool,
    /// The caller pressed `4`.
    pub asked_to_delete: bool,
    /// The caller heard that it was deleted.
    pub deleted: bool,
    /// BYE was answered with 200.
    pub farewell: bool,
    /// When the server was killed, if it was during this call.
    pub cut: Option<Instant>,
    /// Why the call went wrong with nobody having killed anything.
    pub failed: Option<String>,
}

/// All phones stood still.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    pub since: Instant,
    pub until: Instant,
}

/// Whoever is not let on the processor for so long has stalled.
pub const STALLED: Duration = Duration::from_millis(250);
/// So long before its beep is noticed a recording may have begun.
const AROUND: Duration = Duration::from_millis(500);

/// What was said after one beep.
#[derive(Debug)]
pub struct Spoken {
    pub seed: u64,
    /// When the beep was over.
    pub began: Instant,
    /// When each frame was sent.
    pub sent: Vec<Instant>,
}

/// A call its phone and the accountant share.
#[derive(Debug, Clone)]
pub struct Entry(Arc<Mutex<Call>>);

impl Entry {
    pub fn new(number: String, plan: Plan) -> Self {
        Self(Arc::new(Mutex::new(Call {
            number,
            plan,
            answered: false,
            takes: Vec::new(),
            saved: false,
            asked_to_delete: false,
            deleted: false,
            farewell: false,
            cut: None,
            failed: None,
        })))
    }

    pub fn note(&self) -> MutexGuard<'_, Call> {
        self.0.lock().unwrap()
    }
}

impl Spoken {
    /// The samples that were sent until then, a whole number of frames.
    pub fn until(&self, moment: Option<Instant>) -> usize {
        let in_time = self.sent.iter().filter(|&&at| moment.is_none_or(|it| at < it));
        in_time.count() * FRAME
    }

    pub fn length(&self, moment: Option<Instant>) -> Duration {
        FRAME_TIME * (self.until(moment) / FRAME) as u32
    }

    /// Whether its phone was kept from the processor around then: half a second without a packet is
    /// silence to the server, and what comes late is not what the phone meant to say.
    pub fn stalled(&self, stalls: &[Stall]) -> bool {
        let last = *self.sent.last().unwrap_or(&self.began);
        let near = |it: &Stall| it.until + AROUND >= self.began && it.since <= last + AROUND;
        stalls.iter().any(near) || self.sent.windows(2).any(|it| it[1] - it[0] >= STALLED)
    }

    /// All that was sent, encoded.
    pub fn sound(&self) -> Vec<u8> {
        words(self.seed, self.sent.len())
    }
}

/// So many frames of something that is loud, changes all the time, is no call-progress tone, and is
/// never the same for two seeds.
pub fn words(seed: u64, frames: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as i16
    };
    let sample = |n: usize| {
        let swell = 0.2 + 0.8 * (n as f64 / 900.0).sin().abs();
        afterbeep::audio::g711::ulaw_from((f64::from(noise()) * 0.3 * swell) as i16)
    };
    (0..frames * FRAME).map(sample).collect()
}
