//! Knows the tones a telephone network plays to a line nobody is on any more: dial tone, busy,
//! congestion, the three rising notes before an announcement (SIT).
//!
//! A voice can be as pure as a tone, but not for long and never as even: what counts as tone holds
//! its frequency within a few hertz and its level within 1.5 dB, and repeats to the frame. Tones
//! are looked for at the frequencies of ITU-T E.180 and its supplement, in overlapping windows of
//! 40 ms. A tone of exactly that kind played into a message, by a synthesiser say, does end it.

use std::{f32::consts::TAU, sync::LazyLock};

use super::level::{FRAME, power};

/// Listens for call-progress tones, a frame of 20 ms at a time.
#[derive(Debug, Clone, Default)]
pub struct Tones {
    ear: Ear,
    cadence: Cadence,
    rising: Rising,
}

impl Tones {
    /// Hears one frame. Answers once it is certain of a tone, with the sample at which it began.
    pub fn hear(&mut self, frame: &[i16; FRAME]) -> Option<u64> {
        let heard = self.ear.hear(frame);
        let ended = self.cadence.hear(self.ear.frames, heard);
        let began = match ended {
            Step::Certain(began) => Some(began),
            Step::Going(burst) => self.rising.hear(&burst),
            Step::Nothing => None,
        };
        // It takes two windows, three frames, to know the first bit of a tone.
        began.map(|it| it.saturating_sub(3) * FRAME as u64)
    }
}

/// A tone of one or two frequencies, in hertz; one of them is twice the same.
#[derive(Debug, Clone, Copy)]
struct Tone {
    low: f32,
    high: f32,
    power: f32,
}

impl Tone {
    fn same(&self, other: &Self) -> bool {
        (self.low - other.low).abs() < 5.0 && (self.high - other.high).abs() < 5.0
    }

    fn as_loud(&self, other: &Self) -> bool {
        (0.7..1.42).contains(&(self.power / other.power))
    }

    fn is_single(&self) -> bool {
        self.low == self.high
    }
}

/// What a window of 40 ms sounds like.
#[derive(Debug, Clone, Copy)]
enum Sound {
    Tone(Tone),
    Other(f32),
}

/// One uninterrupted tone; times are counted in frames.
#[derive(Debug, Clone, Copy)]
struct Burst {
    tone: Tone,
    began: u64,
    frames: u64,
    /// From its end to the next burst.
    gap: u64,
}

enum Step {
    Nothing,
    Going(Burst),
    Certain(u64),
}

/// Tells from bursts and gaps what is being played.
#[derive(Debug, Clone, Default)]
struct Cadence {
    /// When the row of equal bursts began that is going on, and what they sound like.
    row: Option<(u64, Tone)>,
    /// Its last whole cycles, oldest first.
    cycles: [Option<Burst>; CYCLES],
    burst: Option<Burst>,
    /// Frames since the last burst, and how many of them were not quiet.
    gap: u64,
    murmur: u64,
}

/// So many equal cycles make a busy tone ...
const CYCLES: usize = 3;
/// ... if they took at least 1.2 s, and each burst and gap between 80 ms and 1.2 s.
const SHORTEST_ROW: u64 = 58;
const PART: std::ops::RangeInclusive<u64> = 3..=60;
/// A dial tone: 2.5 s without a break.
const CONTINUOUS: u64 = 125;
/// Frames at the edges of a gap that are half tone, half silence.
const EDGES: u64 = 5;

impl Cadence {
    fn hear(&mut self, now: u64, sound: Sound) -> Step {
        if let (Some(burst), Sound::Tone(tone)) = (&mut self.burst, sound)
            && tone.same(&burst.tone)
            && tone.as_loud(&burst.tone)
        {
            burst.frames += 1;
            let burst = *burst;
            return self.judge(&burst);
        }
        self.end_burst();
        match sound {
            Sound::Tone(tone) => self.burst = Some(Burst { tone, began: now, frames: 1, gap: 0 }),
            Sound::Other(power) => self.pause(power),
        }
        Step::Nothing
    }

    fn judge(&mut self, burst: &Burst) -> Step {
        if burst.frames == 2 {
            self.join(burst);
        }
        let began = self.row.map_or(burst.began, |it| it.0);
        if burst.frames >= CONTINUOUS || self.is_regular(burst) {
            Step::Certain(began)
        } else {
            Step::Going(*burst)
        }
    }

    /// A burst is one from its second frame on: it goes on with the row or begins another.
    fn join(&mut self, burst: &Burst) {
        if let (Some((_, tone)), Some(last)) = (self.row, &mut self.cycles[CYCLES - 1])
            && tone.same(&burst.tone)
            && self.gap > 0
        {
            last.gap = self.gap;
        } else {
            self.cycles = [None; CYCLES];
            self.row = Some((burst.began, burst.tone));
        }
        (self.gap, self.murmur) = (0, 0);
    }

    fn end_burst(&mut self) {
        match self.burst.take() {
            Some(burst) if burst.frames >= 2 => {
                self.cycles.rotate_left(1);
                self.cycles[CYCLES - 1] = Some(burst);
            }
            Some(burst) => self.pause(burst.tone.power),
            None => {}
        }
    }

    fn pause(&mut self, power: f32) {
        self.gap += 1;
        if self.row.is_some_and(|(_, tone)| power > tone.power / 16.0) {
            self.murmur += 1;
        }
        if self.gap > *PART.end() || self.murmur > EDGES {
            *self = Self::default();
        }
    }

    fn is_regular(&self, now: &Burst) -> bool {
        let [Some(one), Some(two), Some(three)] = self.cycles else { return false };
        let even = |of: fn(&Burst) -> u64| {
            let all = [of(&one), of(&two), of(&three)];
            let (least, most) = (all.iter().min(), all.iter().max());
            most.zip(least).is_some_and(|(most, least)| most - least <= 1)
                && all.iter().all(|it| PART.contains(it))
        };
        even(|it| it.frames) && even(|it| it.gap) && now.began - one.began >= SHORTEST_ROW
    }
}

/// The three notes of a special information tone, one right after the other (ITU-T E.180 §7).
#[derive(Debug, Clone, Default)]
struct Rising {
    notes: usize,
    /// When the first of them began, and the last.
    began: u64,
    latest: u64,
}

const NOTES: [std::ops::Range<f32>; 3] = [900.0..1_000.0, 1_355.0..1_445.0, 1_760.0..1_815.0];
/// They last 274 to 380 ms; enough of one is heard after 180 ms.
const NOTE: std::ops::RangeInclusive<u64> = 11..=28;
const ENOUGH: u64 = 7;

impl Rising {
    fn hear(&mut self, burst: &Burst) -> Option<u64> {
        if burst.frames != ENOUGH || !burst.tone.is_single() {
            return None;
        }
        if !NOTE.contains(&(burst.began - self.latest)) {
            self.notes = 0;
        }
        let is = |note: usize| NOTES[note].contains(&burst.tone.low);
        self.notes = if is(self.notes) { self.notes + 1 } else { usize::from(is(0)) };
        self.latest = burst.began;
        if self.notes == 1 {
            self.began = burst.began;
        }
        (self.notes == NOTES.len()).then(|| {
            self.notes = 0;
            self.began
        })
    }
}

/// Finds pure tones in windows of two frames.
#[derive(Debug, Clone, Default)]
struct Ear {
    frames: u64,
    /// Of the last frame: its power, and what it held of each frequency.
    before: Option<(f32, [Wave; BINS])>,
    /// Of the last window.
    window: Option<[Wave; BINS]>,
}

/// -45 dBFS: what is quieter is not looked at.
const LEAST: f32 = 33_950.0;
/// So much of the power must be in the tone.
const PURE: f32 = 0.8;

impl Ear {
    fn hear(&mut self, frame: &[i16; FRAME]) -> Sound {
        self.frames += 1;
        let power = power(frame);
        if power < LEAST {
            (self.before, self.window) = (None, None);
            return Sound::Other(power);
        }
        let folded = Folded::new(frame);
        let waves: [Wave; BINS] = std::array::from_fn(|at| TABLES[at].measure(&folded));
        let Some((power_before, waves_before)) = self.before.replace((power, waves)) else {
            return Sound::Other(power);
        };
        let window = std::array::from_fn(|at| waves_before[at] + TABLES[at].turn * waves[at]);
        let power = (power + power_before) / 2.0;
        match self.window.replace(window) {
            Some(last) => find(&last, &window, power).map_or(Sound::Other(power), Sound::Tone),
            None => Sound::Other(power),
        }
    }
}

fn find(last: &[Wave; BINS], now: &[Wave; BINS], power: f32) -> Option<Tone> {
    let strongest = |far_from: Option<f32>| {
        (0..BINS)
            .filter(|&it| far_from.is_none_or(|far| (FREQUENCIES[it] - far).abs() > 35.0))
            .max_by(|&a, &b| now[a].power().total_cmp(&now[b].power()))
    };
    let first = strongest(None)?;
    let (one, share_one) = refine(first, last, now, power)?;
    if share_one >= PURE {
        return Some(Tone { low: one, high: one, power });
    }
    let second = strongest(Some(FREQUENCIES[first]))?;
    let (two, share_two) = refine(second, last, now, power)?;
    // Networks send both about equally loud, lines tilt that by some decibels.
    (share_one + share_two >= PURE && share_two * 6.0 >= share_one).then(|| Tone {
        low: one.min(two),
        high: one.max(two),
        power,
    })
}

/// The frequency near a bin, by how far its phase went since the last window, and its share of the
/// power, corrected for lying beside the bin. `None` when it is too far from the bin to say.
fn refine(bin: usize, last: &[Wave; BINS], now: &[Wave; BINS], power: f32) -> Option<(f32, f32)> {
    let (Wave(re, im), table) = (now[bin] * last[bin].mirrored(), &TABLES[bin]);
    let turned = Wave(re, im) * table.turn;
    let off = turned.1.atan2(turned.0) * RATE / (TAU * FRAME as f32);
    if off.abs() > 11.0 {
        return None;
    }
    let x = std::f32::consts::PI * off * 2.0 * FRAME as f32 / RATE;
    let loss = if x.abs() < 1e-3 { 1.0 } else { (x.sin() / x).powi(2) };
    let samples = 2.0 * FRAME as f32;
    Some((FREQUENCIES[bin] + off, now[bin].power() * 2.0 / (samples * samples * power * loss)))
}

const RATE: f32 = 8_000.0;
const BINS: usize = 15;
/// Dial, busy and congestion tones, then the notes of both families of SIT.
const FREQUENCIES: [f32; BINS] = [
    350.0, 400.0, 425.0, 440.0, 450.0, 480.0, 620.0, 914.0, 950.0, 985.0, 1_371.0, 1_400.0,
    1_429.0, 1_777.0, 1_800.0,
];

/// Amplitude and phase, as a complex number.
#[derive(Debug, Clone, Copy)]
struct Wave(f32, f32);

impl Wave {
    fn power(self) -> f32 {
        self.0 * self.0 + self.1 * self.1
    }

    fn mirrored(self) -> Self {
        Self(self.0, -self.1)
    }
}

impl std::ops::Add for Wave {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1 + other.1)
    }
}

impl std::ops::Mul for Wave {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0 - self.1 * other.1, self.0 * other.1 + self.1 * other.0)
    }
}

/// A frame folded at its middle: there every cosine is even and every sine odd, so that half of the
/// products do.
struct Folded {
    even: [f32; HALF],
    odd: [f32; HALF],
}

const HALF: usize = FRAME / 2;

impl Folded {
    fn new(frame: &[i16; FRAME]) -> Self {
        let pair = |at: usize| (f32::from(frame[at]), f32::from(frame[FRAME - 1 - at]));
        Self {
            even: std::array::from_fn(|at| pair(at).0 + pair(at).1),
            odd: std::array::from_fn(|at| pair(at).0 - pair(at).1),
        }
    }
}

struct Table {
    /// Counted from the middle of a frame.
    cos: [f32; HALF],
    sin: [f32; HALF],
    /// What brings the middle to the beginning.
    back: Wave,
    /// How far the phase goes back in one frame: brings the second half of a window to the first.
    turn: Wave,
}

static TABLES: LazyLock<[Table; BINS]> = LazyLock::new(|| FREQUENCIES.map(Table::new));

impl Table {
    fn new(frequency: f32) -> Self {
        let angle =
            |at: f64| (std::f64::consts::TAU * f64::from(frequency) * at / f64::from(RATE)) as f32;
        let middle = (FRAME as f64 - 1.0) / 2.0;
        let from_middle = |at: usize| angle(at as f64 - middle);
        Self {
            cos: std::array::from_fn(|at| from_middle(at).cos()),
            sin: std::array::from_fn(|at| -from_middle(at).sin()),
            back: Wave(angle(middle).cos(), -angle(middle).sin()),
            turn: Wave(angle(FRAME as f64).cos(), -angle(FRAME as f64).sin()),
        }
    }

    fn measure(&self, frame: &Folded) -> Wave {
        Wave(product(&frame.even, &self.cos), product(&frame.odd, &self.sin)) * self.back
    }
}

/// The sum of products, in eight lanes so that the compiler can use wide registers.
fn product(one: &[f32; HALF], other: &[f32; HALF]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (a, b) in one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum()
}
