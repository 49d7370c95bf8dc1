//! Packets of Opus in an Ogg stream (RFC 3533, RFC 7845).

/// Steps of the granule position in 20 ms: it counts 48,000 a second, whatever is spoken.
const STEP: u64 = 960;
/// The most packets of ours on a page: each takes two places in its table of 255 at most.
const MOST: usize = 100;
/// The first page of a stream.
const BEGINS: u8 = 2;

/// Writes the pages of one endless stream of packets of 20 ms.
#[derive(Debug)]
pub struct Pages {
    serial: u32,
    sequence: u32,
    granule: u64,
}

impl Pages {
    /// Begins a stream of one channel: writes its first two pages.
    pub fn begin(serial: u32, to: &mut Vec<u8>) -> Self {
        let mut pages = Self { serial, sequence: 0, granule: 0 };
        let mut head = b"OpusHead".to_vec();
        // Version, channels, samples to skip, rate of the original, gain, mapping.
        head.extend([1, 1]);
        head.extend(0_u16.to_le_bytes());
        head.extend(16_000_u32.to_le_bytes());
        head.extend([0, 0, 0]);
        pages.page(BEGINS, &[&head], to);
        let maker = b"Afterbeep";
        let mut tags = b"OpusTags".to_vec();
        tags.extend((maker.len() as u32).to_le_bytes());
        tags.extend(maker);
        tags.extend(0_u32.to_le_bytes());
        pages.page(0, &[&tags], to);
        pages
    }

    /// Writes pages with these packets, each of 20 ms.
    pub fn push(&mut self, packets: &[&[u8]], to: &mut Vec<u8>) {
        for some in packets.chunks(MOST) {
            self.granule += STEP * some.len() as u64;
            self.page(0, some, to);
        }
    }

    fn page(&mut self, flags: u8, packets: &[&[u8]], to: &mut Vec<u8>) {
        let begin = to.len();
        to.extend(b"OggS");
        to.extend([0, flags]);
        to.extend(self.granule.to_le_bytes());
        to.extend(self.serial.to_le_bytes());
        to.extend(self.sequence.to_le_bytes());
        to.extend([0; 4]);
        let lacing = packets.iter().flat_map(|it| {
            let whole = std::iter::repeat_n(255, it.len() / 255);
            whole.chain([(it.len() % 255) as u8])
        });
        let lacing: Vec<u8> = lacing.collect();
        to.push(lacing.len() as u8);
        to.extend(&lacing);
        packets.iter().for_each(|it| to.extend(*it));
        let sum = checksum(&to[begin..]);
        to[begin + 22..begin + 26].copy_from_slice(&sum.to_le_bytes());
        self.sequence += 1;
    }
}

/// CRC-32 as Ogg has it (RFC 3533 §6): from the highest bit, without inversion.
pub fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum, byte| {
        let sum = sum ^ u32::from(*byte) << 24;
        (0..8).fold(sum, |sum, _| sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_count_and_carry_whole_packets() {
        let mut stream = Vec::new();
        let mut pages = Pages::begin(7, &mut stream);
        let long = [1; 300];
        pages.push(&[&[2; 10], &long, &[]], &mut stream);
        let starts: Vec<_> =
            (0..stream.len() - 4).filter(|at| stream[*at..].starts_with(b"OggS")).collect();
        assert_eq!(starts.len(), 3);
        let page = &stream[starts[2]..];
        assert_eq!(page[6..14], (3 * STEP).to_le_bytes());
        assert_eq!(page[18..22], 2_u32.to_le_bytes());
        assert_eq!(page[26..31], [4, 10, 255, 45, 0]);
        assert_eq!(page.len(), 31 + 310);
    }

    /// The checksum that the reference gives for nine digits (CRC-32/MPEG-2 without its first value).
    #[test]
    fn the_checksum_is_that_of_ogg() {
        assert_eq!(checksum(b"123456789"), 0x89a1_897f);
    }
}
