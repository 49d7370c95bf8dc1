//! Voicemail PINs: which ones are taken, how they are kept, and how many may be tried.

use std::{fmt, time::Duration};

use super::{Timestamp, kept};

/// Digits that somebody says are a PIN. They show in no log and no error.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

/// Why a PIN is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Phones have ten keys for it.
    #[error("a PIN is made of digits only")]
    NotDigits,
    /// Too few digits, or too many to type.
    #[error("a PIN has {} to {} digits", Pin::SHORTEST, Pin::LONGEST)]
    Length,
    /// The number of the mailbox, forwards or backwards, is in it or the other way round.
    #[error("the PIN is too much like the mailbox's number")]
    LikeNumber,
    /// The first that anybody would try.
    #[error("the PIN is too easy to guess: digits in a row, repeated or on one line of keys")]
    Easy,
}

impl Pin {
    /// Fewest digits.
    pub const SHORTEST: usize = 6;
    /// Most digits.
    pub const LONGEST: usize = 16;

    /// What was typed, whatever it is.
    pub fn new(typed: String) -> Self {
        Self(typed)
    }

    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digits, to be shown once to whoever asked for a new PIN.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it may guard the mailbox with this number.
    pub fn check(&self, number: &str) -> Result<(), PinError> {
        let pin = self.0.as_bytes();
        if !pin.iter().all(u8::is_ascii_digit) {
            return Err(PinError::NotDigits);
        }
        if !(Self::SHORTEST..=Self::LONGEST).contains(&pin.len()) {
            return Err(PinError::Length);
        }
        let backwards: String = number.chars().rev().collect();
        // A number of one or two digits is in many a good PIN.
        if [number, &backwards].iter().any(|it| it.len() > 2 && self.0.contains(*it)) {
            return Err(PinError::LikeNumber);
        }
        match is_easy(pin) {
            true => Err(PinError::Easy),
            false => Ok(()),
        }
    }

    /// What is kept of it. Takes some 30 ms; `pepper` is the server's own, `salt` is chance.
    pub fn hash(&self, pepper: &[u8], salt: &[u8; 16]) -> String {
        kept::hash(&self.0, pepper, salt)
    }

    /// Whether a hash is of this PIN. Takes as long as [`Pin::hash`].
    pub fn matches(&self, pepper: &[u8], hash: &str) -> bool {
        kept::matches(&self.0, pepper, hash)
    }
}

/// Repetitions of a piece, steps of one up or down, and the lines of a keypad.
fn is_easy(pin: &[u8]) -> bool {
    let repeats = |piece: usize| pin.chunks(piece).all(|it| pin.starts_with(it));
    let steps = |by: i16| pin.windows(2).all(|it| i16::from(it[1]) - i16::from(it[0]) == by);
    let few = (0..10).filter(|it| pin.contains(&(b'0' + it))).count() <= 2;
    let lines = [&b"147258369"[..], b"147258", b"258369", b"159357", b"123654", b"789456"];
    few || (1..=pin.len() / 2).any(repeats) || steps(1) || steps(-1) || lines.contains(&pin)
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

/// How many wrong PINs came to a mailbox, or from somebody, over all calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guesses {
    /// Wrong ones, or not yet known to be right, with less than [`Guesses::WINDOW`] from one to the next.
    pub wrong: u32,
    /// When the latest of them came.
    pub since: Timestamp,
    /// How often it was locked without a right one between.
    pub locks: u32,
    /// Nothing counts before then.
    pub locked_until: Timestamp,
}

impl Guesses {
    /// So many wrong ones lock a mailbox, unless a [`Guesses::WINDOW`] without any was between them.
    pub const MOST: u32 = 10;
    /// So many from one caller, to whatever mailboxes, lock that caller out.
    pub const MOST_OF_ONE: u32 = 20;
    /// How long wrong ones are remembered.
    pub const WINDOW: Duration = Duration::from_secs(3_600);
    /// The first lock's time; each one after it takes twice as long, up to 16 times.
    pub const LOCKED: Duration = Duration::from_secs(3_600);

    /// How long the lock with this number is, from 1.
    pub fn lasts(lock: u32) -> Duration {
        Self::LOCKED * 2_u32.pow(lock.saturating_sub(1).min(4))
    }

    /// Counts one more try before its answer is known, so that many at once are no way around;
    /// `None` if it gets no answer.
    pub fn tried(mut self, most: u32, now: Timestamp) -> Option<Self> {
        if now < self.locked_until {
            return None;
        }
        if now >= self.since + Self::WINDOW {
            self.wrong = 0;
        }
        // Counted from the latest one on: so no hour, wherever it begins, has more than the most.
        self.since = now;
        self.wrong += 1;
        if self.wrong >= most {
            self.locks += 1;
            self.locked_until = now + Self::lasts(self.locks);
            (self.since, self.wrong) = (self.locked_until, 0);
        }
        Some(self)
    }
}
