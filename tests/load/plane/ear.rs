//! What a listener makes of each packet: was one lost, was it late, and is it the sound it should be.

use super::signal::{FRAME, is_tone};

/// Steps of lateness, of 50 µs each; the last holds all beyond.
const STEPS: usize = 4_000;
const STEP_NS: u64 = 50_000;
/// A pause between two packets that a listener hears.
const GAP_NS: u64 = 40_000_000;
/// A packet lasts so long.
const PACKET_NS: i64 = 20_000_000;

/// One stream that comes in.
#[derive(Debug, Clone, Copy)]
pub struct Ear {
    sequence: u16,
    timestamp: u32,
    /// When the packet with the first timestamp would have come, had none been late.
    base: i64,
    first: u32,
    stamp: u64,
}

/// What all ears heard within the time that is measured.
pub struct Heard {
    pub packets: u64,
    pub lost: u64,
    pub disordered: u64,
    pub gaps: u64,
    pub longest_gap_ns: u64,
    pub wrong_sound: u64,
    lateness: Vec<u64>,
    /// A frame known to be the tone.
    tone: [u8; FRAME],
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            packets: 0,
            lost: 0,
            disordered: 0,
            gaps: 0,
            longest_gap_ns: 0,
            wrong_sound: 0,
            lateness: vec![0; STEPS],
            tone: [0; FRAME],
        }
    }
}

impl Heard {
    /// A packet came at `stamp`; `tone` says whether it should be one.
    pub fn take(&mut self, ear: &mut Option<Ear>, stamp: u64, packet: &[u8], tone: bool) {
        if packet.len() < 12 {
            return;
        }
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        self.packets += 1;
        if tone && !self.sounds_right(&packet[12..]) {
            self.wrong_sound += 1;
        }
        let Some(before) = ear else {
            let base = stamp as i64;
            *ear = Some(Ear { sequence, timestamp, base, first: timestamp, stamp });
            return;
        };
        let step = sequence.wrapping_sub(before.sequence);
        if step == 0 || step > u16::MAX / 2 {
            self.disordered += 1;
            return;
        }
        self.lost += u64::from(step) - 1;
        // A pause of the sender's own is none of the packet's: the marker says so.
        let begins = packet[1] & 0x80 != 0;
        if !begins {
            let gap = stamp.saturating_sub(before.stamp);
            self.gaps += u64::from(gap > GAP_NS);
            self.longest_gap_ns = self.longest_gap_ns.max(gap);
        }
        let since = i64::from(timestamp.wrapping_sub(before.first)) * PACKET_NS / FRAME as i64;
        let own = stamp as i64 - since;
        before.base = before.base.min(own);
        let late = (own - before.base) as u64 / STEP_NS;
        self.lateness[(late as usize).min(STEPS - 1)] += 1;
        (before.sequence, before.timestamp, before.stamp) = (sequence, timestamp, stamp);
    }

    fn sounds_right(&mut self, sound: &[u8]) -> bool {
        if sound == self.tone {
            return true;
        }
        let right = sound.len() == FRAME && is_tone(sound);
        if right {
            self.tone.copy_from_slice(sound);
        }
        right
    }

    /// So many of a hundred packets were no later than this, in milliseconds.
    pub fn lateness_ms(&self, percent: f64) -> f64 {
        let all: u64 = self.lateness.iter().sum();
        let (mut wanted, mut at) = ((all as f64 * percent / 100.0).ceil() as u64, 0);
        for (step, count) in self.lateness.iter().enumerate() {
            at = step;
            wanted = wanted.saturating_sub(*count);
            if wanted == 0 {
                break;
            }
        }
        (at as u64 + 1) as f64 * STEP_NS as f64 / 1e6
    }
}
