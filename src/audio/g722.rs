//! G.722 at 64 kbit/s: two half-bands, each in adaptive differential steps (ITU-T G.722).
//!
//! A pair of quadrature mirror filters splits 16,000 samples a second into 0 to 4 kHz and 4 to 8 kHz,
//! at 8,000 a second each. Of every byte six bits are the lower band's and two the upper one's. Encoder
//! and decoder go on in the same state, from sample to sample, as the recommendation computes it to
//! the bit. Block names in comments are the recommendation's.

/// Samples to bytes, two to one.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: Band,
    high: Band,
    filter: Filter,
}

/// Bytes to samples.
#[derive(Debug, Clone)]
pub struct Decoder {
    low: Band,
    high: Band,
    filter: Filter,
}

/// The byte that adds nothing to either band: once the steps are small, silence to the last bit.
pub const SILENCE: u8 = 0xfd;

impl Default for Encoder {
    fn default() -> Self {
        Self { low: Band::new(32), high: Band::new(8), filter: Filter::default() }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { low: Band::new(32), high: Band::new(8), filter: Filter::default() }
    }
}

impl Encoder {
    /// Goes on with samples at 16,000 a second. An odd one at the end is paired with silence.
    pub fn encode(&mut self, samples: &[i16]) -> Vec<u8> {
        samples.chunks(2).map(|it| self.step(it[0], it.get(1).copied().unwrap_or(0))).collect()
    }

    fn step(&mut self, first: i16, second: i16) -> u8 {
        let (even, odd) = self.filter.pass(i32::from(first), i32::from(second));
        let (low, high) = ((odd + even) >> 14, (odd - even) >> 14);

        let difference = clamped(low - self.low.estimate);
        let low = low_code(difference, self.low.step);
        let quarter = usize::from(low >> 2);
        let quantised = scaled(self.low.step, QM4[quarter]);
        self.low.adapt(WL[RL42[quarter]], MOST_LOW, 8);
        self.low.follow(quantised);

        let difference = clamped(high - self.high.estimate);
        let high = high_code(difference, self.high.step);
        let quantised = scaled(self.high.step, QM2[usize::from(high)]);
        self.high.adapt(WH[usize::from(high & 1)], MOST_HIGH, 10);
        self.high.follow(quantised);
        high << 6 | low
    }
}

impl Decoder {
    /// Goes on with bytes; puts two samples for each behind `samples`, at 16,000 a second.
    pub fn decode(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        samples.reserve(bytes.len() * 2);
        for &byte in bytes {
            let low = self.low_band(byte);
            let high = self.high_band(byte);
            let (first, second) = self.filter.pass(low + high, low - high);
            // The mirror filters give the later sample first.
            samples.extend([second, first].map(|it| clamped(it >> 11) as i16));
        }
    }

    /// The same for the lower band alone: what a telephone carries, at 8,000 samples a second, for
    /// half the work. A decoder does either this or the other.
    pub fn decode_narrow(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        samples.extend(bytes.iter().map(|&it| clamped(self.low_band(it) << 1) as i16));
    }

    fn low_band(&mut self, byte: u8) -> i32 {
        let code = usize::from(byte & 0x3f);
        let sound = self.low.estimate + scaled(self.low.step, QM6[code]);
        let quantised = scaled(self.low.step, QM4[code >> 2]);
        self.low.adapt(WL[RL42[code >> 2]], MOST_LOW, 8);
        self.low.follow(quantised);
        sound.clamp(-16_384, 16_383)
    }

    fn high_band(&mut self, byte: u8) -> i32 {
        let code = usize::from(byte >> 6);
        let quantised = scaled(self.high.step, QM2[code]);
        let sound = self.high.estimate + quantised;
        self.high.adapt(WH[code & 1], MOST_HIGH, 10);
        self.high.follow(quantised);
        sound.clamp(-16_384, 16_383)
    }
}

/// One half-band: what it predicts, and how large its steps are.
#[derive(Debug, Clone)]
struct Band {
    /// The prediction of the next sample, and the part of it that the zeros make (PREDIC, FILTEZ).
    estimate: i32,
    from_zeros: i32,
    /// The last reconstructed samples and partial reconstructions, newest first.
    sounds: [i32; 2],
    partials: [i32; 2],
    poles: [i32; 2],
    /// The last quantised differences, newest first.
    differences: [i32; 6],
    zeros: [i32; 6],
    logarithm: i32,
    step: i32,
}

impl Band {
    fn new(step: i32) -> Self {
        Self {
            estimate: 0,
            from_zeros: 0,
            sounds: [0; 2],
            partials: [0; 2],
            poles: [0; 2],
            differences: [0; 6],
            zeros: [0; 6],
            logarithm: 0,
            step,
        }
    }

    /// The size of the next step (LOGSCL and SCALEL, LOGSCH and SCALEH).
    fn adapt(&mut self, change: i32, most: i32, shift: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + change).clamp(0, most);
        let mantissa = ILB[(self.logarithm >> 6 & 31) as usize];
        let shift = shift - (self.logarithm >> 11);
        let size = if shift < 0 { mantissa << -shift } else { mantissa >> shift };
        self.step = size << 2;
    }

    /// Takes the quantised difference into account, and predicts the next sample.
    fn follow(&mut self, difference: i32) {
        // RECONS, PARREC
        let sound = clamped(self.estimate + difference);
        let partial = clamped(self.from_zeros + difference);
        self.move_poles(partial);
        self.move_zeros(difference);
        // DELAYA
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        self.sounds = [sound, self.sounds[0]];
        self.partials = [partial, self.partials[0]];
        // FILTEP, FILTEZ, PREDIC
        let part = |weight: i32, of: i32| (weight * clamped(of + of)) >> 15;
        let from_poles =
            clamped(part(self.poles[0], self.sounds[0]) + part(self.poles[1], self.sounds[1]));
        let zeros = self.zeros.iter().zip(&self.differences);
        self.from_zeros = clamped(zeros.map(|(&weight, &of)| part(weight, of)).sum());
        self.estimate = clamped(from_poles + self.from_zeros);
    }

    /// UPPOL2, UPPOL1
    fn move_poles(&mut self, partial: i32) {
        let same = |other: i32| (partial < 0) == (other < 0);
        let [one, two] = self.poles;
        let four = clamped(one << 2);
        let pull = if same(self.partials[0]) { clamped(-four) } else { four };
        let push = if same(self.partials[1]) { 128 } else { -128 };
        let second = push + (pull >> 7) + ((two * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        let first = if same(self.partials[0]) { 192 } else { -192 };
        let first = clamped(first + ((one * 32_640) >> 15));
        let most = clamped(15_360 - second);
        self.poles = [first.clamp(-most, most), second];
    }

    /// UPZERO
    fn move_zeros(&mut self, difference: i32) {
        let much = if difference == 0 { 0 } else { 128 };
        for (weight, of) in self.zeros.iter_mut().zip(self.differences) {
            let change = if (of < 0) == (difference < 0) { much } else { -much };
            *weight = clamped(change + ((*weight * 32_640) >> 15));
        }
    }
}

/// The quadrature mirror filters; the same 24 places of memory serve to split and to join.
#[derive(Debug, Clone, Default)]
struct Filter {
    past: [i32; 24],
}

impl Filter {
    /// Takes two values in, and answers the sums over the even and the odd places.
    fn pass(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.past.copy_within(2.., 0);
        (self.past[22], self.past[23]) = (first, second);
        let (mut even, mut odd) = (0, 0);
        for (at, pair) in self.past.as_chunks::<2>().0.iter().enumerate() {
            even += pair[0] * QMF[at];
            odd += pair[1] * QMF[11 - at];
        }
        (even, odd)
    }
}

/// QUANTL: six bits for a difference in the lower band.
fn low_code(difference: i32, step: i32) -> u8 {
    let size = if difference < 0 { -(difference + 1) } else { difference };
    let above = |level: &&i32| size >= (**level * step) >> 12;
    let place = Q6.iter().take_while(above).count() as u8;
    // From 61 down for what is above the estimate; the two smallest below it lie apart.
    match (difference < 0, place) {
        (false, _) => 61 - place,
        (true, 0 | 1) => 63 - place,
        (true, _) => 33 - place,
    }
}

/// QUANTH: two bits in the upper one.
fn high_code(difference: i32, step: i32) -> u8 {
    let size = if difference < 0 { -(difference + 1) } else { difference };
    let large = size >= (564 * step) >> 12;
    match (difference < 0, large) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

fn scaled(step: i32, by: i32) -> i32 {
    (step * by) >> 15
}

fn clamped(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// The most each band's logarithm may be.
const MOST_LOW: i32 = 18_432;
const MOST_HIGH: i32 = 22_528;

/// Half of the mirror filters' symmetrical coefficients (table 11).
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];
/// Decision levels of the lower band (table 14).
const Q6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023,
    1_121, 1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// Values of the lower band's codes of six and of four bits (tables 17 and 18).
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192,
    -10_232, -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008,
    -3_576, -3_168, -2_776, -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008,
    16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
    5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432,
    136, -432, -136,
];
const QM4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288,
    4_240, 2_584, 1_200, 0,
];
/// Values of the upper band's codes (table 20).
const QM2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// How a code of four bits changes the lower band's steps: by which of the weights.
const RL42: [usize; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1_198, 3_042];
/// The same of the upper band, by whether the code is one of the smaller ones.
const WH: [i32; 2] = [798, -214];
/// Powers of two in 32 steps: 2048 times 2^(n/32).
const ILB: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656,
    2_714, 2_774, 2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520,
    3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];
