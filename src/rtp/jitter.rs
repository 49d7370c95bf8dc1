//! Puts the packets of a recording in order, and never stretches or shortens time.
//!
//! What goes in and comes out is one byte a tick of 125 µs, without a hole, and every byte lies where
//! its timestamp says: `timestamp - first timestamp` from the beginning. In order, a packet goes
//! straight through. Behind a gap it waits until the stream has gone on for as long as a late packet may
//! take; then what is missing is given up. In G.711, where a byte is a sample, it is made up here: the
//! last frame fading for 60 ms, then silence; in other codecs, whoever decodes them does that. A gap
//! without a missing sequence number is a sender that stopped talking, and is silence at once.
//!
//! While nothing comes, silence follows the clock half a second behind, so that whoever listens for
//! it hears time go on. What comes later than that has lost its place and is dropped, unless it
//! keeps coming: then the sender's clock stood still or began anew, and is the new measure. A
//! timestamp more than a second before its time is such a jump as well. At most a minute of silence
//! is put in one gap.
//!
//! On hold no time goes by: what is said after it follows what was said before.
//!
//! Time comes in as milliseconds from any start; lengths are ticks, in G.711 also called samples.

use crate::audio::{Codec, g711::Law};

/// Ticks in a millisecond.
const MS: u64 = Codec::RATE as u64 / 1_000;
/// The longest payload taken; a datagram of Ethernet holds no more.
pub const LONGEST: usize = 1_500;
/// The longest wait for a late packet, whatever the setting says.
pub const LONGEST_WAIT_MS: u64 = 500;
/// How much of a frame is repeated when the next is missing: 20 ms.
const FRAME: usize = 160;
/// How long what is missing is made up from what was last heard: 60 ms.
const FADE: u64 = 60 * MS;
/// Without packets for this long, silence is given out: 500 ms. A network that stood still for less
/// loses nothing.
const PAUSE_MS: u64 = 500;
/// A timestamp may run before the clock by this much: the first packet may have been slow.
const AHEAD: u64 = 1_000 * MS;
/// More sound than this before the clock is no call but a flood, and is dropped.
const FLOOD: u64 = 2_000 * MS;
/// Packets that come too late for this long, and no others, are a new measure of time.
const LATE_MS: u64 = 200;
/// Packets found after a longer look away than this may have waited since then.
const LOOK_MS: u64 = 60;
/// The most silence in one gap.
const GAP: u64 = 60_000 * MS;

/// Sound as a packet brings it, already in the recording's codec.
#[derive(Debug, Clone, Copy)]
pub struct Audio<'a> {
    /// The packet's sequence number.
    pub sequence: u16,
    /// The timestamp of its first sample.
    pub timestamp: u32,
    /// One byte a tick.
    pub payload: &'a [u8],
}

/// What comes out, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// What was said, or in G.711 also what is made up for it.
    Sound(&'a [u8]),
    /// So many ticks did not come. Not in G.711.
    Lost(u64),
    /// In so many ticks nothing was said. Not in G.711.
    Silence(u64),
}

/// See the module.
#[derive(Debug)]
pub struct Jitter {
    /// In what law a byte is a sample, if it is.
    law: Option<Law>,
    /// How far the stream goes on before a gap is given up.
    wait: u64,
    /// Sound behind a gap, and where there is some; by position, modulo the length. The wait and a packet
    /// fit in. Before the first gap there is no room for any, which most recordings never need.
    held: Box<[u8]>,
    there: Box<[bool]>,
    /// The position behind the last sample that is held.
    held_until: u64,
    /// Samples given out, which is also the position of the next one.
    position: u64,
    /// The timestamp of the next one; `None` until a packet comes.
    timestamp: Option<u32>,
    /// The newest sequence number.
    sequence: u16,
    begun: u64,
    /// When it was last known that no packet waits.
    looked: u64,
    /// The position behind the newest packet, and when that came.
    newest: (u64, u64),
    late_since: Option<u64>,
    /// Since when it is on hold.
    held_since: Option<u64>,
    /// Samples put in the present gap.
    gap: u64,
    last: [u8; FRAME],
    last_length: usize,
    concealed: u64,
}

impl Jitter {
    /// Late packets are waited for as long as `wait_ms`, 500 ms at most.
    pub fn new(codec: Codec, wait_ms: u64) -> Self {
        Self {
            law: codec.law(),
            wait: wait_ms.min(LONGEST_WAIT_MS) * MS,
            held: Box::default(),
            there: Box::default(),
            held_until: 0,
            position: 0,
            timestamp: None,
            sequence: 0,
            begun: 0,
            looked: 0,
            newest: (0, 0),
            late_since: None,
            held_since: None,
            gap: 0,
            last: [0; FRAME],
            last_length: 0,
            concealed: 0,
        }
    }

    /// Begins the recording's time at `now`; before anything is put in.
    pub fn begin(&mut self, now: u64) {
        (self.begun, self.looked) = (now, now);
        self.newest.1 = now;
    }

    /// The sender is put on hold: gives out what is held back. Until [`Self::resume`] no time goes by.
    pub fn hold(&mut self, now: u64, mut out: impl FnMut(Given<'_>)) {
        self.release(&mut out);
        self.held_since.get_or_insert(now);
    }

    /// The sender may speak again; their clock may have gone on or not.
    pub fn resume(&mut self, now: u64) {
        let Some(since) = self.held_since.take() else { return };
        self.begun += now.saturating_sub(since);
        (self.looked, self.newest) = (now, (self.position, now));
        (self.timestamp, self.late_since) = (None, None);
    }

    /// Samples that were made up because packets were lost or too late.
    pub fn concealed(&self) -> u64 {
        self.concealed
    }

    /// Another sender: the next packet's timestamp compares to nothing before.
    pub fn restart(&mut self) {
        self.timestamp = None;
    }

    /// A packet without sound (an event, comfort noise) was counted in the same sequence.
    pub fn skip(&mut self, sequence: u16) {
        if sequence.wrapping_sub(self.sequence) < 0x8000 {
            self.sequence = sequence;
        }
    }

    /// Takes a packet; gives out what is now in order. `false` when it came too late, was a copy,
    /// part of a flood, empty or over-long.
    pub fn put(&mut self, now: u64, audio: Audio<'_>, mut out: impl FnMut(Given<'_>)) -> bool {
        let (payload, length) = (audio.payload, audio.payload.len());
        if !(1..=LONGEST).contains(&length) || self.position > self.clock(now) + FLOOD {
            return false;
        }
        let offset = self.offset(audio.timestamp).filter(|it| self.is_in_time(now, *it));
        let offset = match offset {
            Some(offset) if offset + length as i64 <= 0 => {
                let since = *self.late_since.get_or_insert(now);
                if now.saturating_sub(since) < LATE_MS {
                    return false;
                }
                self.rebase(now, audio, &mut out)
            }
            Some(offset) => offset,
            None => self.rebase(now, audio, &mut out),
        };
        self.late_since = None;
        if offset > 0 && self.is_pause(audio.sequence) {
            self.silence(offset.unsigned_abs(), &mut out);
            self.timestamp = Some(audio.timestamp);
            self.straight(now, 0, payload, &mut out);
        } else if offset <= 0 && self.held_until <= self.position {
            self.straight(now, offset.unsigned_abs() as usize, payload, &mut out);
        } else {
            self.keep_back(now, offset, payload, &mut out);
        }
        self.skip(audio.sequence);
        true
    }

    /// Time went on, and all packets that had come were put in: when that is a while ago, silence
    /// is given out.
    pub fn pass(&mut self, now: u64, mut out: impl FnMut(Given<'_>)) {
        self.looked = now;
        if self.held_since.is_none() && now.saturating_sub(self.newest.1) > PAUSE_MS {
            self.release(&mut out);
            let due = self.expected(now).saturating_sub(PAUSE_MS * MS);
            self.silence(due.saturating_sub(self.position), &mut out);
        }
    }

    /// The end: gives out what is held, and the time in which nothing came, if that is longer than
    /// a late packet may take.
    pub fn finish(&mut self, now: u64, mut out: impl FnMut(Given<'_>)) {
        self.release(&mut out);
        let quiet = now.saturating_sub(self.newest.1) * MS;
        if self.held_since.is_none() && quiet > self.wait {
            self.silence(self.expected(now).saturating_sub(self.position), &mut out);
        }
    }

    /// Where the clock says the recording is.
    fn clock(&self, now: u64) -> u64 {
        now.saturating_sub(self.begun) * MS
    }

    /// Where the recording should be, going by the newest packet.
    fn expected(&self, now: u64) -> u64 {
        self.newest.0 + now.saturating_sub(self.newest.1) * MS
    }

    fn offset(&self, timestamp: u32) -> Option<i64> {
        Some(i64::from(timestamp.wrapping_sub(self.timestamp?).cast_signed()))
    }

    fn is_in_time(&self, now: u64, offset: i64) -> bool {
        let ahead = offset.max(0).unsigned_abs();
        ahead == 0 || self.gap + ahead <= GAP && self.position + ahead <= self.clock(now) + AHEAD
    }

    /// Nothing is missing before this packet: its sender was silent.
    fn is_pause(&self, sequence: u16) -> bool {
        self.held_until <= self.position && sequence == self.sequence.wrapping_add(1)
    }

    /// Lets the packet be the next sample, after as much silence as the clock asks for.
    fn rebase(&mut self, now: u64, audio: Audio<'_>, out: &mut impl FnMut(Given<'_>)) -> i64 {
        self.release(out);
        // The packet was being spoken while it did not come. If nobody looked for long, it and those
        // behind it were there already: silence for that time would push them back by it.
        let spoken = audio.payload.len() as u64;
        let came = if now.saturating_sub(self.looked) > LOOK_MS { self.looked } else { now };
        let missing = self.expected(came).saturating_sub(self.position + spoken);
        if missing > self.wait {
            self.silence(missing, out);
        }
        self.timestamp = Some(audio.timestamp);
        self.sequence = audio.sequence;
        self.newest = (self.position, now);
        0
    }

    fn straight(&mut self, now: u64, from: usize, payload: &[u8], out: &mut impl FnMut(Given<'_>)) {
        self.give(&payload[from..], out);
        self.newest = (self.position, now);
    }

    fn keep_back(
        &mut self,
        now: u64,
        offset: i64,
        payload: &[u8],
        out: &mut impl FnMut(Given<'_>),
    ) {
        if self.there.is_empty() {
            let room = self.wait as usize + LONGEST;
            (self.held, self.there) = (vec![0; room].into(), vec![false; room].into());
        }
        let from = self.position.saturating_add_signed(offset);
        let until = from + payload.len() as u64;
        // Gaps this far behind are given up.
        self.advance(from.saturating_sub(self.wait).saturating_sub(self.position), out);
        let late = self.position.saturating_sub(from) as usize;
        for (at, byte) in (from + late as u64..).zip(&payload[late..]) {
            let at = self.place(at);
            (self.held[at], self.there[at]) = (*byte, true);
        }
        self.held_until = self.held_until.max(until);
        if until > self.newest.0 {
            self.newest = (until, now);
        }
        let ready = self.run(self.held_until, true);
        self.advance(ready, out);
    }

    fn release(&mut self, out: &mut impl FnMut(Given<'_>)) {
        self.advance(self.held_until.saturating_sub(self.position), out);
    }

    /// How many samples from the next one on are there, or are not.
    fn run(&self, until: u64, there: bool) -> u64 {
        (self.position..until).take_while(|at| self.there[self.place(*at)] == there).count() as u64
    }

    /// Where a position is held.
    fn place(&self, position: u64) -> usize {
        (position % self.there.len() as u64) as usize
    }

    /// Gives out that many samples: held ones where there are some, else made up ones.
    fn advance(&mut self, samples: u64, out: &mut impl FnMut(Given<'_>)) {
        let until = self.position + samples;
        while self.position < until {
            let missing = self.run(until, false);
            self.conceal(missing, out);
            let from = self.place(self.position);
            let there = self.run(until, true).min((self.there.len() - from) as u64) as usize;
            self.there[from..from + there].fill(false);
            let held = std::mem::take(&mut self.held);
            self.give(&held[from..from + there], out);
            self.held = held;
        }
    }

    fn give(&mut self, sound: &[u8], out: &mut impl FnMut(Given<'_>)) {
        if sound.is_empty() {
            return;
        }
        out(Given::Sound(sound));
        self.went_on(sound.len());
        self.gap = 0;
        let tail = &sound[sound.len().saturating_sub(FRAME)..];
        self.last[..tail.len()].copy_from_slice(tail);
        self.last_length = tail.len();
    }

    fn conceal(&mut self, samples: u64, out: &mut impl FnMut(Given<'_>)) {
        self.concealed += samples;
        let Some(law) = self.law else {
            return self.pass_over(samples, Given::Lost(samples), out);
        };
        let fading = FADE.saturating_sub(self.gap).min(samples);
        let mut left = if self.last_length == 0 { 0 } else { fading };
        while left > 0 {
            let mut frame = [0; FRAME];
            let length = (left as usize).min(FRAME);
            for (byte, at) in frame[..length].iter_mut().zip(self.gap..) {
                let sample = law.decode(self.last[at as usize % self.last_length]);
                let faded = i64::from(sample) * (FADE - at) as i64 / FADE as i64;
                *byte = law.encode(faded as i16);
            }
            out(Given::Sound(&frame[..length]));
            self.gap += length as u64;
            self.went_on(length);
            left -= length as u64;
        }
        self.fill(samples - if self.last_length == 0 { 0 } else { fading }, out);
    }

    fn silence(&mut self, samples: u64, out: &mut impl FnMut(Given<'_>)) {
        self.fill(samples.min(GAP.saturating_sub(self.gap)), out);
    }

    fn fill(&mut self, samples: u64, out: &mut impl FnMut(Given<'_>)) {
        let Some(law) = self.law else {
            return self.pass_over(samples, Given::Silence(samples), out);
        };
        let frame = [law.silence(); FRAME];
        self.gap += samples;
        let mut left = samples;
        while left > 0 {
            let length = (left as usize).min(FRAME);
            out(Given::Sound(&frame[..length]));
            self.went_on(length);
            left -= length as u64;
        }
    }

    fn pass_over(&mut self, ticks: u64, what: Given<'_>, out: &mut impl FnMut(Given<'_>)) {
        if ticks > 0 {
            out(what);
            self.gap += ticks;
            self.went_on(ticks as usize);
        }
    }

    fn went_on(&mut self, samples: usize) {
        self.position += samples as u64;
        self.timestamp = self.timestamp.map(|it| it.wrapping_add(samples as u32));
    }
}

#[cfg(test)]
mod tests;
