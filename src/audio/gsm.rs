//! GSM 06.10 at full rate, decoded: 160 samples at 8,000 a second from 260 bits (ETSI EN 300 961).
//!
//! A pulse train is put in a grid (RPE), what was heard a pitch period before is added (LTP), and a
//! lattice filter gives it the shape of a mouth (short-term synthesis). The standard computes in 16
//! bits with saturation, and so does this, to the bit. Clauses in comments are the standard's.

/// Samples in a frame: 20 ms.
pub const FRAME: usize = 160;
/// Bytes of a frame as it goes over a network and into `.gsm` files, the first four bits being 13.
pub const BYTES: usize = 33;
/// Bytes of the two frames in a block of a WAV file, which counts bits from the other end.
pub const BLOCK: usize = 65;

/// Frames to samples; each goes on where the one before ended.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// The last 120 samples of the excitation, oldest first, and room for 40 more.
    excitation: [i16; LONGEST_LAG + PART],
    lag: usize,
    /// Logarithmic area ratios of the frame before.
    ratios: [i16; 8],
    lattice: [i16; 9],
    emphasis: i16,
}

/// Samples in each of the four parts of a frame.
const PART: usize = 40;
const LONGEST_LAG: usize = 120;

/// What a frame says.
struct Frame {
    ratios: [u8; 8],
    parts: [Part; 4],
}

#[derive(Default, Clone, Copy)]
struct Part {
    lag: u8,
    gain: u8,
    grid: u8,
    loudest: u8,
    pulses: [u8; 13],
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            excitation: [0; LONGEST_LAG + PART],
            lag: PART,
            ratios: [0; 8],
            lattice: [0; 9],
            emphasis: 0,
        }
    }
}

impl Decoder {
    /// The samples of one frame; `None` if it does not begin as a frame does.
    pub fn decode(&mut self, frame: &[u8; BYTES]) -> Option<[i16; FRAME]> {
        let bit = |at: usize| frame[at / 8] >> (7 - at % 8) & 1;
        if frame[0] >> 4 != 13 {
            return None;
        }
        let mut at = 4;
        // The first bit of a number is its highest.
        let number = |bits| {
            at += bits;
            (at - bits..at).fold(0, |number, at| number << 1 | bit(at))
        };
        Some(self.speak(&Frame::read(number)))
    }

    /// The samples of the two frames in a block.
    pub fn decode_block(&mut self, block: &[u8; BLOCK]) -> [i16; 2 * FRAME] {
        let bit = |at: usize| block[at / 8] >> (at % 8) & 1;
        let mut at = 0;
        // The first bit of a number is its lowest.
        let mut number = |bits| {
            at += bits;
            (at - bits..at).rev().fold(0, |number, at| number << 1 | bit(at))
        };
        let mut samples = [0; 2 * FRAME];
        for half in samples.as_chunks_mut::<FRAME>().0 {
            *half = self.speak(&Frame::read(&mut number));
        }
        samples
    }

    fn speak(&mut self, frame: &Frame) -> [i16; FRAME] {
        let mut samples = [0; FRAME];
        for (part, sound) in frame.parts.iter().zip(samples.as_chunks_mut::<PART>().0) {
            self.excite(part);
            sound.copy_from_slice(&self.excitation[LONGEST_LAG..]);
            self.excitation.copy_within(PART.., 0);
        }
        self.shape(&frame.ratios, &mut samples);
        for sample in &mut samples {
            // 5.3.5: deemphasis, and the 13 bits that count.
            self.emphasis = sample.saturating_add(product(self.emphasis, 28_180));
            *sample = self.emphasis.saturating_add(self.emphasis) & !7;
        }
        samples
    }

    /// 5.3.1 and 5.3.2: pulses in their grid, and what was there a lag ago.
    fn excite(&mut self, part: &Part) {
        let mut grid = [0; PART];
        for (pulse, at) in pulses(part).into_iter().zip((usize::from(part.grid)..).step_by(3)) {
            grid[at] = pulse;
        }
        if (PART..=LONGEST_LAG).contains(&usize::from(part.lag)) {
            self.lag = usize::from(part.lag);
        }
        let gain = GAINS[usize::from(part.gain)];
        for (at, pulse) in (LONGEST_LAG..).zip(grid) {
            let before = self.excitation[at - self.lag];
            self.excitation[at] = pulse.saturating_add(product(gain, before));
        }
    }

    /// 5.3.3 and 5.3.4: the lattice filter, whose shape glides from the last frame's to this one's.
    fn shape(&mut self, codes: &[u8; 8], samples: &mut [i16; FRAME]) {
        let (before, now) = (self.ratios, std::array::from_fn(|at| ratio(at, codes[at])));
        self.ratios = now;
        for (from, to, glide) in GLIDES {
            let mixed = |at: usize| glide(before[at], now[at]);
            let reflections: [i16; 8] = std::array::from_fn(|at| reflection(mixed(at)));
            for sample in &mut samples[from..to] {
                let mut sound = *sample;
                for at in (0..8).rev() {
                    sound = sound.saturating_sub(product(reflections[at], self.lattice[at]));
                    let back = product(reflections[at], sound);
                    self.lattice[at + 1] = self.lattice[at].saturating_add(back);
                }
                self.lattice[0] = sound;
                *sample = sound;
            }
        }
    }
}

impl Frame {
    /// Its numbers, in the order of table 1.1.
    fn read(mut number: impl FnMut(usize) -> u8) -> Self {
        let ratios = [6, 6, 5, 5, 4, 4, 3, 3].map(&mut number);
        let parts = [(); 4].map(|()| Part {
            lag: number(7),
            gain: number(2),
            grid: number(2),
            loudest: number(6),
            pulses: [3; 13].map(&mut number),
        });
        Self { ratios, parts }
    }
}

/// 5.2.15 and 5.2.16: how high the pulses are.
fn pulses(part: &Part) -> [i16; 13] {
    let loudest = i16::from(part.loudest);
    let mut exponent = if loudest > 15 { (loudest >> 3) - 1 } else { 0 };
    let mut mantissa = loudest - (exponent << 3);
    if mantissa == 0 {
        (exponent, mantissa) = (-4, 7);
    } else {
        while mantissa <= 7 {
            mantissa = mantissa << 1 | 1;
            exponent -= 1;
        }
        mantissa -= 8;
    }
    let height = HEIGHTS[mantissa as usize];
    let shift = 6 - exponent;
    let half = if shift == 0 { 0 } else { 1 << (shift - 1) };
    part.pulses.map(|code| {
        let pulse = product(height, ((i16::from(code) << 1) - 7) << 12);
        pulse.saturating_add(half) >> shift
    })
}

/// 5.2.8: a logarithmic area ratio from its code.
fn ratio(at: usize, code: u8) -> i16 {
    let (least, offset, inverse) = RATIOS[at];
    let value = (i16::from(code) + least) << 10;
    let value = product(inverse, value.saturating_sub(offset << 1));
    value.saturating_add(value)
}

/// 5.2.9.2: a reflection coefficient from a logarithmic area ratio.
fn reflection(ratio: i16) -> i16 {
    let size = match ratio.saturating_abs() {
        size @ ..11_059 => size << 1,
        size @ 11_059..20_070 => size + 11_059,
        size => (size >> 2).saturating_add(26_112),
    };
    if ratio < 0 { -size } else { size }
}

/// Of two numbers between -1 and 1 in 15 bits behind the point, rounded.
fn product(one: i16, other: i16) -> i16 {
    let product = (i32::from(one) * i32::from(other) + 16_384) >> 15;
    product.min(i32::from(i16::MAX)) as i16
}

/// Which samples are made with which mixture of the last ratios and these (5.2.9.1).
type Glide = fn(i16, i16) -> i16;
const GLIDES: [(usize, usize, Glide); 4] = [
    (0, 13, |before, now| (before >> 2).saturating_add(now >> 2).saturating_add(before >> 1)),
    (13, 27, |before, now| (before >> 1).saturating_add(now >> 1)),
    (27, 40, |before, now| (before >> 2).saturating_add(now >> 2).saturating_add(now >> 1)),
    (40, FRAME, |_, now| now),
];
/// Least code, offset and inverse of the slope of each ratio (tables 5.1 and 5.2).
const RATIOS: [(i16, i16, i16); 8] = [
    (-32, 0, 13_107),
    (-32, 0, 13_107),
    (-16, 2_048, 13_107),
    (-16, -2_560, 13_107),
    (-8, 94, 19_223),
    (-8, -1_792, 17_476),
    (-4, -341, 31_454),
    (-4, -1_144, 29_708),
];
/// Gains of what was there a lag ago (table 5.3b).
const GAINS: [i16; 4] = [3_277, 11_469, 21_299, 32_767];
/// Heights of pulses, by mantissa (table 5.6).
const HEIGHTS: [i16; 8] = [18_431, 20_479, 22_527, 24_575, 26_623, 28_671, 30_719, 32_767];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_begins_otherwise_is_no_frame() {
        assert!(Decoder::default().decode(&[0; BYTES]).is_none());
    }

    proptest! {
        /// Overflow would end the test.
        #[test]
        fn any_bits_are_some_sound(blocks in prop::collection::vec(any::<[u8; 65]>(), 1..8)) {
            let mut decoder = Decoder::default();
            for block in &blocks {
                prop_assert!(decoder.decode_block(block).iter().all(|it| it & 7 == 0));
            }
        }

        #[test]
        fn both_orders_of_bits_say_the_same(codes in prop::collection::vec(any::<u8>(), 152)) {
            let widths: Vec<usize> = [6, 6, 5, 5, 4, 4, 3, 3].into_iter()
                .chain((0..4).flat_map(|_| [7, 2, 2, 6].into_iter().chain([3; 13])))
                .collect();
            let (mut block, mut frames) = ([0; BLOCK], [[0; BYTES]; 2]);
            let mut place = 0;
            for (half, frame) in frames.iter_mut().enumerate() {
                frame[0] = 13 << 4;
                let mut at = 4;
                for (number, width) in widths.iter().enumerate() {
                    let code = codes[half * 76 + number];
                    for bit in 0..*width {
                        block[place / 8] |= (code >> bit & 1) << (place % 8);
                        let behind = at + width - 1 - bit;
                        frame[behind / 8] |= (code >> bit & 1) << (7 - behind % 8);
                        place += 1;
                    }
                    at += width;
                }
            }
            let mut decoder = Decoder::default();
            let expected = frames.map(|it| decoder.decode(&it).unwrap()).concat();
            prop_assert_eq!(&Decoder::default().decode_block(&block)[..], &expected[..]);
        }
    }
}
