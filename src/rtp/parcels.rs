//! Packets of Opus on their way through the jitter buffer, which knows bytes that are a tick each.
//!
//! A packet is put aside here and goes through the buffer as the number of its place, once for
//! every tick it lasts. What comes out in order is the number again, and with it the packet.

use super::jitter::LONGEST;
use crate::audio::opus_packet;

/// Packets put aside at a time: more than a second of the usual 20 ms.
const PLACES: usize = 64;
/// A packet put aside for so long was never asked for: a copy took its place.
const FORGOTTEN_MS: u64 = 2_000;
/// Steps of the RTP clock in a tick.
const STEPS: u64 = 6;

/// See the module.
#[derive(Debug)]
pub(super) struct Parcels {
    bytes: Box<[u8]>,
    places: [Place; PLACES],
    clock: Clock,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Zero: nothing is here.
    length: usize,
    since: u64,
}

/// Makes ticks of a clock of 48,000 that runs over.
#[derive(Debug)]
struct Clock {
    last: u32,
    /// Far from zero, so that it may go back.
    steps: u64,
}

impl Default for Parcels {
    fn default() -> Self {
        Self {
            bytes: vec![0; PLACES * LONGEST].into(),
            places: [Place::default(); PLACES],
            clock: Clock { last: 0, steps: 1 << 48 },
        }
    }
}

impl Parcels {
    /// Puts a packet aside. `None` when it is no packet of Opus, or there is no place.
    pub(super) fn put(&mut self, now: u64, packet: &[u8]) -> Option<u8> {
        opus_packet::ticks(packet)?;
        let free = |it: &Place| it.length == 0 || now.saturating_sub(it.since) > FORGOTTEN_MS;
        let number = self.places.iter().position(free)?;
        self.bytes[number * LONGEST..].get_mut(..packet.len())?.copy_from_slice(packet);
        self.places[number] = Place { length: packet.len(), since: now };
        u8::try_from(number).ok()
    }

    /// Writes what goes through the buffer in place of a packet; how many ticks that is.
    pub(super) fn stand_in(&self, number: u8, to: &mut [u8; LONGEST]) -> usize {
        let ticks = self.packet(number).and_then(opus_packet::ticks).unwrap_or(0);
        to[..ticks].fill(number);
        ticks
    }

    /// A packet's timestamp in ticks; only differences mean something.
    pub(super) fn ticks(&mut self, timestamp: u32) -> u32 {
        let step = i64::from(timestamp.wrapping_sub(self.clock.last).cast_signed());
        self.clock.last = timestamp;
        self.clock.steps = self.clock.steps.wrapping_add_signed(step);
        (self.clock.steps / STEPS) as u32
    }

    /// The packet in a place.
    pub(super) fn packet(&self, number: u8) -> Option<&[u8]> {
        let length = self.places.get(usize::from(number))?.length;
        let from = usize::from(number) * LONGEST;
        self.bytes.get(from..from + length).filter(|it| !it.is_empty())
    }

    /// The place is free again.
    pub(super) fn clear(&mut self, number: u8) {
        if let Some(place) = self.places.get_mut(usize::from(number)) {
            place.length = 0;
        }
    }
}
