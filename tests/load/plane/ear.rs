//! What a listener makes of each packet: was one lost, was it late, and is it the sound it should be.

use super::recordings::Known;
use super::signal::{FRAME, TRACK, is_joint, is_tone};

/// Steps of lateness, of 50 µs each; the last holds all beyond.
const STEPS: usize = 4_000;
const STEP_NS: u64 = 50_000;
/// A pause between two packets that a listener hears.
const GAP_NS: u64 = 40_000_000;
/// A packet lasts so long.
const PACKET_NS: i64 = 20_000_000;
/// Frames of the tone that are known by heart; they differ by where in a turn they begin.
const KNOWN: usize = 256;
/// Most packets in which a track ends and begins again.
const JOINT: u32 = 5;
/// Between two such places there are so many: a track, but for a second.
const APART: u32 = (TRACK as u32 - 1) * 50;

/// What a caller is to hear.
#[derive(Clone, Copy)]
pub enum Hears {
    /// Nobody listens.
    Nothing,
    /// The tone from its beginning, without end.
    Tone,
    /// The same from where all others are in it.
    Radio,
    /// Sentences, and then this message.
    Message(&'static Known),
}

/// One stream that comes in.
#[derive(Debug, Clone, Copy)]
pub struct Ear {
    sequence: u16,
    /// When the packet with the first timestamp would have come, had none been late.
    base: i64,
    first: u32,
    stamp: u64,
    /// Packets of the tone since it was softer, and how many in a row were.
    since: u32,
    softer: u32,
    /// Where in the message the next packet is.
    at: Option<usize>,
    /// Packets of the message so far.
    pub followed: u32,
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
    known: Box<[[u8; FRAME]; KNOWN]>,
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
            known: Box::new([[0; FRAME]; KNOWN]),
        }
    }
}

impl Heard {
    /// A packet came at `stamp`.
    pub fn take(&mut self, ear: &mut Option<Ear>, stamp: u64, packet: &[u8], hears: Hears) {
        let Some((header, sound)) = packet.split_first_chunk::<12>() else { return };
        self.packets += 1;
        let right = match ear {
            Some(ear) => self.is_next(ear, stamp, header, hears),
            None => true,
        };
        let ear = ear.get_or_insert_with(|| Ear::new(stamp, header, hears));
        if right && !self.sounds_right(ear, sound, hears) {
            self.wrong_sound += 1;
        }
    }

    /// Counts what came between this packet and the one before; `false` if it is not a later one.
    fn is_next(&mut self, ear: &mut Ear, stamp: u64, header: &[u8; 12], hears: Hears) -> bool {
        let step = sequence(header).wrapping_sub(ear.sequence);
        if step == 0 || step > u16::MAX / 2 {
            self.disordered += 1;
            return false;
        }
        self.lost += u64::from(step) - 1;
        // Between two sentences there may be a pause, and the marker says so; in music there is none.
        let begins = header[1] & 0x80 != 0 && matches!(hears, Hears::Message(_));
        if !begins {
            let gap = stamp.saturating_sub(ear.stamp);
            self.gaps += u64::from(gap > GAP_NS);
            self.longest_gap_ns = self.longest_gap_ns.max(gap);
        }
        let ticks = i64::from(timestamp(header).wrapping_sub(ear.first));
        let own = stamp as i64 - ticks * PACKET_NS / FRAME as i64;
        ear.base = ear.base.min(own);
        let late = (own - ear.base) as u64 / STEP_NS;
        self.lateness[(late as usize).min(STEPS - 1)] += 1;
        (ear.sequence, ear.stamp) = (sequence(header), stamp);
        true
    }

    fn sounds_right(&mut self, ear: &mut Ear, sound: &[u8], hears: Hears) -> bool {
        match hears {
            Hears::Nothing => true,
            Hears::Tone | Hears::Radio if self.is_tone(sound) => {
                (ear.since, ear.softer) = (ear.since.saturating_add(1), 0);
                true
            }
            Hears::Tone | Hears::Radio => {
                let begins = ear.softer == 0;
                let may_be = if begins { ear.since >= APART } else { ear.softer < JOINT };
                (ear.since, ear.softer) = (0, ear.softer + 1);
                may_be && is_joint(sound)
            }
            Hears::Message(known) => ear.follow(known, sound),
        }
    }

    fn is_tone(&mut self, sound: &[u8]) -> bool {
        let mix = |sum: u32, it: &u8| sum.wrapping_mul(31).wrapping_add(u32::from(*it));
        let place = sound.iter().take(8).fold(0, mix);
        let known = &mut self.known[place as usize % KNOWN];
        if sound == known {
            return true;
        }
        let right = is_tone(sound);
        if right {
            known.copy_from_slice(sound);
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

impl Ear {
    fn new(stamp: u64, header: &[u8; 12], hears: Hears) -> Self {
        // Where a track begins it is softer; who comes later does not know when that will be.
        let midway = matches!(hears, Hears::Radio);
        Self {
            sequence: sequence(header),
            base: stamp as i64,
            first: timestamp(header),
            stamp,
            since: if midway { APART } else { 0 },
            softer: u32::from(!midway),
            at: None,
            followed: 0,
        }
    }

    /// Whether a frame is the next of the message, once that has begun.
    fn follow(&mut self, known: &Known, sound: &[u8]) -> bool {
        let (at, right) = match self.at {
            Some(at) => (Some(at), known.is_at(at, sound)),
            None => (known.place(sound), true),
        };
        self.at = at.filter(|_| right).map(|it| it + sound.len());
        self.followed += u32::from(self.at.is_some());
        right
    }
}

fn sequence(header: &[u8; 12]) -> u16 {
    u16::from_be_bytes([header[2], header[3]])
}

fn timestamp(header: &[u8; 12]) -> u32 {
    u32::from_be_bytes([header[4], header[5], header[6], header[7]])
}
