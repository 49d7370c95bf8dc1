//! G.711 in both laws, by table (ITU-T G.711; A-law bytes carry the even bits inverted).

/// Which of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// µ-law, PCMU.
    Mu,
    /// A-law, PCMA.
    A,
}

impl Law {
    /// The byte of silence.
    pub fn silence(self) -> u8 {
        self.encode(0)
    }

    /// One sample, encoded.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => ulaw_from(sample),
            Law::A => alaw_from(sample),
        }
    }

    /// One byte, decoded.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Law::Mu => ULAW[usize::from(byte)],
            Law::A => ALAW[usize::from(byte)],
        }
    }
}

/// Linear value of each µ-law byte.
pub const ULAW: [i16; 256] = table(true);
/// Linear value of each A-law byte.
pub const ALAW: [i16; 256] = table(false);

const fn table(ulaw: bool) -> [i16; 256] {
    let mut values = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        values[byte] = if ulaw { ulaw_value(byte as u8) } else { alaw_value(byte as u8) };
        byte += 1;
    }
    values
}

const fn ulaw_value(byte: u8) -> i16 {
    let bits = !byte;
    let size = ((((bits & 0x0f) as i32) << 3) + 0x84) << ((bits >> 4) & 7);
    let size = (size - 0x84) as i16;
    if bits & 0x80 == 0 { size } else { -size }
}

const fn alaw_value(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let step = ((bits & 0x0f) as i16) << 4;
    let size = match (bits >> 4) & 7 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if bits & 0x80 == 0 { -size } else { size }
}

/// The µ-law byte nearest to a sample.
pub fn ulaw_from(sample: i16) -> u8 {
    let negative = sample < 0;
    let size = (i32::from(sample).abs().min(32_635)) + 0x84;
    let segment = 31 - size.leading_zeros() as i32 - 7;
    let step = (size >> (segment + 3)) & 0x0f;
    let bits = (segment << 4 | step) as u8;
    !(bits | if negative { 0x80 } else { 0 })
}

/// The A-law byte nearest to a sample.
pub fn alaw_from(sample: i16) -> u8 {
    // The negative half is the positive one mirrored around -1/2, so that every code is used.
    let size = if sample < 0 { -i32::from(sample) - 1 } else { i32::from(sample) }.max(0);
    let segment = (32 - (size >> 8).leading_zeros()).min(7);
    let step = if segment == 0 { size >> 4 } else { size >> (segment + 3) } & 0x0f;
    let bits = (segment << 4) as u8 | step as u8;
    (if sample < 0 { bits } else { bits | 0x80 }) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=255 {
            assert_eq!(
                ULAW[usize::from(ulaw_from(ULAW[usize::from(byte)]))],
                ULAW[usize::from(byte)]
            );
            assert_eq!(alaw_from(ALAW[usize::from(byte)]), byte);
        }
    }

    /// ITU-T G.711, tables 1a and 2a: full scale, silence and the first steps.
    #[test]
    fn known_values() {
        assert_eq!((ULAW[0x80], ULAW[0x00], ULAW[0xff], ULAW[0xfe]), (32_124, -32_124, 0, 8));
        assert_eq!((ALAW[0xaa], ALAW[0x2a], ALAW[0xd5], ALAW[0x55]), (32_256, -32_256, 8, -8));
    }

    /// Within half a step of the segment the byte lies in, as the decision values ask.
    #[test]
    fn encoding_is_off_by_half_a_step_at_most() {
        for sample in (-32_000..=32_000_i16).step_by(7) {
            for (value, byte) in [
                (ULAW[usize::from(ulaw_from(sample))], !ulaw_from(sample)),
                (ALAW[usize::from(alaw_from(sample))], alaw_from(sample) ^ 0x55),
            ] {
                let half_a_step = 8 << ((byte >> 4) & 7);
                let off = (i32::from(value) - i32::from(sample)).abs();
                assert!(off <= half_a_step, "{sample} became {value}");
            }
        }
    }
}
