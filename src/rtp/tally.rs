//! What is counted: by each thread for itself, added up when somebody asks.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// What the plane did since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Legs open now.
    pub legs: u64,
    /// RTP packets that were received and used.
    pub received: u64,
    /// RTP packets that were sent.
    pub sent: u64,
    /// Packets the system did not take for sending.
    pub unsent: u64,
    /// Datagrams that were no packets.
    pub malformed: u64,
    /// Packets from somebody else than the call's other side.
    pub strangers: u64,
    /// Packets of an encrypted call that its key did not make, or that came a second time.
    pub forged: u64,
    /// Packets of a payload type nobody agreed on, or while on hold.
    pub unexpected: u64,
    /// Packets too late for a recording or to be passed on, or their copies.
    pub late: u64,
    /// Samples that were made up in recordings because packets were lost or late.
    pub concealed: u64,
    /// Recordings given up because their ring was full.
    pub failed: u64,
    /// Digits nobody took.
    pub unheard: u64,
    /// Ticks that came more than a millisecond late.
    pub late_ticks: u64,
    /// How late all ticks were.
    pub lateness: Lateness,
    /// How late the latest was.
    pub latest: Duration,
}

/// How late ticks came: counts of those that were no later than each of the [bounds](LATENESS), then of
/// all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lateness {
    /// One for each bound, and one for what is beyond.
    pub counts: [u64; LATENESS.len() + 1],
    /// All of it together.
    pub sum: Duration,
}

/// Bounds of lateness in microseconds.
pub const LATENESS: [u64; 10] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000];

/// The counters of one thread. Only that thread writes, except for `legs`.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) legs: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) strangers: AtomicU64,
    pub(super) forged: AtomicU64,
    pub(super) unexpected: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) concealed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) unheard: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    latest_us: AtomicU64,
    lateness: [AtomicU64; LATENESS.len() + 1],
    late_us: AtomicU64,
}

/// How one leg is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// RTP packets received and used.
    pub received: u64,
    /// Packets refused, for any reason.
    pub refused: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets lost on their way to us; copies make it negative.
    pub lost: i64,
    /// How unevenly they arrive (RFC 3550 §6.4.1); ours is measured in steps of 20 ms.
    pub jitter: Duration,
    /// Packets lost on their way from us, as the other side reports.
    pub lost_there: i64,
}

/// Where a leg's thread leaves its [`Stats`].
#[derive(Debug, Default)]
pub(super) struct LiveStats {
    pub(super) received: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) lost: AtomicI64,
    /// In microseconds.
    pub(super) jitter: AtomicU64,
    pub(super) lost_there: AtomicI64,
}

/// A tick later than this is counted as late.
const LATE: Duration = Duration::from_millis(1);

/// Adds to a counter that one thread writes: no other can come between the two steps.
pub(super) fn add(counter: &AtomicU64, number: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed);
}

impl Tally {
    pub(super) fn tick(&self, late: Duration) {
        let us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let place = LATENESS.iter().position(|it| us <= *it).unwrap_or(LATENESS.len());
        add(&self.lateness[place], 1);
        add(&self.late_us, us);
        if late > LATE {
            add(&self.late_ticks, 1);
            self.latest_us.fetch_max(us, Relaxed);
        }
    }

    pub(super) fn add_to(&self, sum: &mut Counters) {
        sum.legs += self.legs.load(Relaxed);
        sum.received += self.received.load(Relaxed);
        sum.sent += self.sent.load(Relaxed);
        sum.unsent += self.unsent.load(Relaxed);
        sum.malformed += self.malformed.load(Relaxed);
        sum.strangers += self.strangers.load(Relaxed);
        sum.forged += self.forged.load(Relaxed);
        sum.unexpected += self.unexpected.load(Relaxed);
        sum.late += self.late.load(Relaxed);
        sum.concealed += self.concealed.load(Relaxed);
        sum.failed += self.failed.load(Relaxed);
        sum.unheard += self.unheard.load(Relaxed);
        sum.late_ticks += self.late_ticks.load(Relaxed);
        for (sum, own) in sum.lateness.counts.iter_mut().zip(&self.lateness) {
            *sum += own.load(Relaxed);
        }
        sum.lateness.sum += Duration::from_micros(self.late_us.load(Relaxed));
        sum.latest = sum.latest.max(Duration::from_micros(self.latest_us.load(Relaxed)));
    }
}

impl LiveStats {
    pub(super) fn read(&self) -> Stats {
        Stats {
            received: self.received.load(Relaxed),
            refused: self.refused.load(Relaxed),
            sent: self.sent.load(Relaxed),
            lost: self.lost.load(Relaxed),
            jitter: Duration::from_micros(self.jitter.load(Relaxed)),
            lost_there: self.lost_there.load(Relaxed),
        }
    }
}
