//! What can be told of a packet of Opus without decoding it (RFC 6716 §3).

/// Ticks in a packet that we make: 20 ms.
pub const FRAME_TICKS: usize = 160;
/// The longest packet we make, in bytes.
pub const LARGEST: usize = 480;
/// 20 ms of silence, as every decoder reads it.
pub const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
/// The most ticks in a packet, 120 ms (§3.2.5, R5).
pub const MOST_TICKS: usize = 960;

/// How many ticks of 125 µs a packet lasts; `None` when it is none.
pub fn ticks(packet: &[u8]) -> Option<usize> {
    let (&first, rest) = packet.split_first()?;
    let size = usize::from(first >> 3 & 3);
    let frame = match first >> 3 {
        ..12 => [80, 160, 320, 480][size],
        12..16 => [80, 160][size & 1],
        _ => [20, 40, 80, 160][size],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(rest.first()? & 0x3f),
    };
    Some(frame * frames).filter(|it| (1..=MOST_TICKS).contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_how_long_a_packet_lasts() {
        for (packet, expected) in [
            (&[][..], None),
            (&SILENCE, Some(160)),
            // SILK at 10 and 60 ms, hybrid at 20, CELT at 2.5; one frame each.
            (&[0x00], Some(80)),
            (&[0x18], Some(480)),
            (&[0x68], Some(160)),
            (&[0x80], Some(20)),
            // Two frames, then as many as the second byte says.
            (&[0x49], Some(320)),
            (&[0x4a, 1], Some(320)),
            (&[0x4b, 0x86], Some(960)),
            (&[0x4b, 0x87], None),
            (&[0x4b, 0], None),
            (&[0x4b], None),
        ] {
            assert_eq!(ticks(packet), expected, "{packet:?}");
        }
    }
}
