//! Keys that are pressed as tones in the sound (ITU-T Q.23, Q.24): one of four low frequencies and one
//! of four high ones, at once.
//!
//! The sound is looked at in blocks of 12.75 ms that overlap by half: short enough that a tone may lie
//! a little beside its frequency, and so long that each other one falls where this one's filter is
//! deaf. A block is a key where nearly all of its power is in one frequency of each group. Four such
//! blocks in a row press the key, once, and six others release it: so a tone of 40 ms is always heard,
//! one of 23 never, and 10 ms cut out of a tone do not make two of it. A voice has its power in other
//! places as well.

use std::f32::consts::TAU;

/// Samples in a block.
const BLOCK: usize = 102;
/// From one block to the next.
const HOP: usize = BLOCK / 2;
const RATE: f32 = 8_000.0;
const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// -42 dBFS: what is quieter presses nothing.
const LEAST: f32 = 68_000.0;
/// So much of a block's power must be in the two tones. One that lies 1.5 % beside both of its
/// frequencies keeps more.
const PURE: f32 = 0.72;
/// By so much power the tones may differ either way: 9 dB.
const TWIST: f32 = 7.95;
/// So much louder than the others of its group a tone must be: 8 dB.
const ALONE: f32 = 6.3;
/// From one block of a tone to the next its power may change by so much: 6 dB.
const STEADY: f32 = 4.0;
/// Blocks that press a key, and those that release it.
const PRESSED: u8 = 4;
const RELEASED: u8 = 6;
/// A key that ended less than 300 ms before the recording did is what ended it.
const RECENT: u64 = 47;

/// Listens for keys in sound of 8,000 samples a second. It is a few hundred bytes and needs no more.
#[derive(Debug, Clone)]
pub struct Detector {
    banks: [Bank; 2],
    /// Blocks so far.
    blocks: u64,
    /// The key of the last blocks, how many they were, and how loud the last.
    row: Option<(char, u8, f32)>,
    /// The key that is pressed, and how many blocks it has not been heard.
    held: Option<(char, u8)>,
    /// Where the last key that was told began and where it was last heard, in half blocks.
    span: Option<(u64, u64)>,
}

/// A block being filled.
#[derive(Debug, Clone)]
struct Bank {
    filters: [Filter; 8],
    energy: f32,
    filled: usize,
}

/// Goertzel's: what a block holds of one frequency.
#[derive(Debug, Clone, Copy)]
struct Filter {
    factor: f32,
    one: f32,
    two: f32,
}

impl Default for Detector {
    fn default() -> Self {
        let filter =
            |hertz: f32| Filter { factor: 2.0 * (TAU * hertz / RATE).cos(), one: 0.0, two: 0.0 };
        let [a, b, c, d] = LOW.map(filter);
        let [e, f, g, h] = HIGH.map(filter);
        let bank = |filled| Bank { filters: [a, b, c, d, e, f, g, h], energy: 0.0, filled };
        Self { banks: [bank(0), bank(HOP)], blocks: 0, row: None, held: None, span: None }
    }
}

impl Detector {
    /// Hears one sample; answers a key when it is certain of it.
    pub fn hear(&mut self, sample: i16) -> Option<char> {
        let sample = f32::from(sample);
        // They are full in turn.
        let [one, other] = &mut self.banks;
        let block = one.hear(sample).or(other.hear(sample))?;
        self.blocks += 1;
        self.follow(block)
    }

    /// Something is missing here, of unknown length: what comes has nothing to do with what was.
    pub fn restart(&mut self) {
        (self.row, self.held) = (None, None);
    }

    /// How much of a recording that ends here is not the key that ended it: all, unless one is
    /// pressed, or was until a moment ago.
    pub fn before_key(&self) -> Option<u64> {
        let (began, behind) = self.span?;
        let fresh = self.blocks <= behind + RECENT;
        // The block before the first may hold the beginning of the tone.
        fresh.then(|| began.saturating_sub(1) * HOP as u64)
    }

    fn follow(&mut self, block: Option<(char, f32)>) -> Option<char> {
        let steady = |before: f32, now: f32| now < before * STEADY && before < now * STEADY;
        self.row = match (self.row, block) {
            (Some((key, count, before)), Some((same, power)))
                if key == same && steady(before, power) =>
            {
                Some((key, count.saturating_add(1), power))
            }
            (_, Some((key, power))) => Some((key, 1, power)),
            (_, None) => None,
        };
        let row = self.row.map(|it| (it.0, it.1));
        match (row, &mut self.held) {
            (Some((key, _)), Some((held, missed))) if *held == key => {
                *missed = 0;
                if let Some((_, behind)) = &mut self.span {
                    *behind = self.blocks;
                }
            }
            (Some((key, PRESSED..)), _) => {
                self.held = Some((key, 0));
                // The first of them began a whole block before it was full.
                let began = self.blocks.saturating_sub(u64::from(PRESSED) + 1);
                self.span = Some((began, self.blocks));
                return Some(key);
            }
            (_, Some((_, missed))) => {
                *missed += 1;
                if *missed == RELEASED {
                    self.held = None;
                }
            }
            (_, None) => {}
        }
        None
    }
}

impl Bank {
    /// What the block is, when this sample makes it full.
    fn hear(&mut self, sample: f32) -> Option<Option<(char, f32)>> {
        self.energy += sample * sample;
        for filter in &mut self.filters {
            let next = sample + filter.factor * filter.one - filter.two;
            (filter.two, filter.one) = (filter.one, next);
        }
        self.filled += 1;
        if self.filled < BLOCK {
            return None;
        }
        let block = self.judge();
        (self.energy, self.filled) = (0.0, 0);
        self.filters.iter_mut().for_each(|it| (it.one, it.two) = (0.0, 0.0));
        Some(block)
    }

    /// The key that a block is, and its power.
    fn judge(&self) -> Option<(char, f32)> {
        let mean = self.energy / BLOCK as f32;
        if mean < LEAST {
            return None;
        }
        let powers = self.filters.map(|it| it.power());
        let (low, row) = strongest(&powers[..4])?;
        let (high, column) = strongest(&powers[4..])?;
        let even = row < column * TWIST && column < row * TWIST;
        (even && row + column >= mean * PURE).then_some((KEYS[low][high], mean))
    }
}

impl Filter {
    /// The mean power of the tone in the block.
    fn power(self) -> f32 {
        let sum = self.one * self.one + self.two * self.two - self.factor * self.one * self.two;
        sum * 2.0 / (BLOCK * BLOCK) as f32
    }
}

/// The strongest of a group, if it stands out.
fn strongest(powers: &[f32]) -> Option<(usize, f32)> {
    let (at, power) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let alone = powers.iter().enumerate().all(|(n, it)| n == at || *it * ALONE < power);
    alone.then_some((at, power))
}
