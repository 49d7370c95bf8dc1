//! Keys pressed on a phone, as events in the RTP stream (RFC 4733).
//!
//! A press is many packets with one timestamp, and its last one comes three times. A digit is told
//! with the first packet that is heard of it, whichever that is; everything else about the same
//! press is silence. So lost starts and lost ends cost nothing.

/// Digits told within a second; a phone cannot dial faster, a flood can.
pub const MOST_A_SECOND: usize = 10;

/// How far a timestamp may lie back before it is a restarted clock and not an old packet.
const RESTARTED_S: u32 = 10;
/// The clock of most telephone events; beside Opus there are some of 48,000.
const CLOCK: u32 = 8_000;

/// The longest press sent: its length is a 16-bit count of samples (§2.5.1.3).
const LONGEST_MS: u32 = 8_000;

/// The last packet of a press is sent this often (§2.5.1.4).
const ENDS: u8 = 3;

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// Hears digits out of one stream of event packets.
#[derive(Debug)]
pub struct Digits {
    /// Steps of the clock a second.
    clock: u32,
    current: Option<Current>,
    /// When the last digits were told, in milliseconds: a ring.
    told: [Option<u64>; MOST_A_SECOND],
    oldest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    timestamp: u32,
    event: u8,
    /// The longest duration heard, in steps of the clock.
    duration: u16,
}

impl Default for Digits {
    fn default() -> Self {
        Self { clock: CLOCK, current: None, told: Default::default(), oldest: 0 }
    }
}

/// One press on its way out, packet by packet.
#[derive(Debug)]
pub struct Press {
    event: u8,
    length: u16,
    sent: u16,
    ends: u8,
}

impl Digits {
    /// The stream began anew (another sender): its timestamps compare to nothing before.
    pub fn restart(&mut self) {
        self.current = None;
    }

    /// The events' clock has so many steps a second from now on.
    pub fn clock(&mut self, hertz: u32) {
        if self.clock != hertz {
            (self.clock, self.current) = (hertz, None);
        }
    }

    /// Takes one event packet; answers the digit when it is the first heard of a press.
    ///
    /// `now` is in milliseconds from any start.
    pub fn hear(&mut self, now: u64, timestamp: u32, payload: &[u8]) -> Option<char> {
        let &[event, _, high, low, ..] = payload else { return None };
        let duration = u16::from_be_bytes([high, low]);
        let key = char::from(*KEYS.get(usize::from(event))?);
        if let Some(current) = &mut self.current {
            let since = timestamp.wrapping_sub(current.timestamp).cast_signed();
            let restarted = -((self.clock * RESTARTED_S) as i32);
            if (restarted..=0).contains(&since) {
                if since == 0 {
                    current.duration = current.duration.max(duration);
                }
                return None;
            }
            // A press too long for its 16 bits goes on under the timestamp at which they ran out.
            let runs_on = event == current.event && since == i32::from(u16::MAX);
            if runs_on && current.duration > u16::MAX / 2 {
                *current = Current { timestamp, event, duration };
                return None;
            }
        }
        self.current = Some(Current { timestamp, event, duration });
        self.within_limit(now).then_some(key)
    }

    fn within_limit(&mut self, now: u64) -> bool {
        if self.told[self.oldest].is_some_and(|then| now.saturating_sub(then) < 1_000) {
            return false;
        }
        self.told[self.oldest] = Some(now);
        self.oldest = (self.oldest + 1) % MOST_A_SECOND;
        true
    }
}

impl Press {
    /// Presses a key for `ms` milliseconds; `None` when there is no such key.
    pub fn new(digit: char, ms: u32) -> Option<Self> {
        let event = KEYS.iter().position(|&key| char::from(key) == digit.to_ascii_uppercase())?;
        let length = ms.clamp(1, LONGEST_MS) * 8;
        let (event, length) = (u8::try_from(event).ok()?, u16::try_from(length).ok()?);
        Some(Self { event, length, sent: 0, ends: 0 })
    }

    /// No packet of it was sent yet; the first one carries the marker.
    pub fn is_fresh(&self) -> bool {
        self.sent == 0
    }

    /// The payload of the next packet, `samples` after the one before; `None` when all are sent.
    pub fn next(&mut self, samples: u16) -> Option<[u8; 4]> {
        self.next_at(samples, CLOCK)
    }

    /// The same with its length told in steps of a clock of `hertz`; what its 16 bits do not hold
    /// is told as the most they do.
    pub fn next_at(&mut self, samples: u16, hertz: u32) -> Option<[u8; 4]> {
        if self.ends == ENDS {
            return None;
        }
        self.sent = self.sent.saturating_add(samples).min(self.length);
        let over = self.sent == self.length;
        self.ends += u8::from(over);
        let steps = u32::from(self.sent) * (hertz / CLOCK);
        let [high, low] = u16::try_from(steps).unwrap_or(u16::MAX).to_be_bytes();
        // The sound's level: -10 dBm0.
        Some([self.event, u8::from(over) << 7 | 10, high, low])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packets(digit: char, ms: u32) -> Vec<[u8; 4]> {
        let mut press = Press::new(digit, ms).unwrap();
        std::iter::from_fn(|| press.next(160)).collect()
    }

    #[test]
    fn a_press_ends_three_times_with_its_whole_length() {
        let packets = packets('#', 100);
        assert_eq!(packets.len(), 7);
        assert_eq!(packets[0], [11, 10, 0, 160]);
        assert_eq!(packets[3], [11, 10, 2, 128]);
        assert!(packets[4..].iter().all(|it| *it == [11, 0x8a, 3, 32]));
    }

    #[test]
    fn beside_opus_a_press_is_told_in_its_clock() {
        let mut press = Press::new('5', 100).unwrap();
        let packets: Vec<_> = std::iter::from_fn(|| press.next_at(160, 48_000)).collect();
        assert_eq!(packets[0], [5, 10, 3, 192]);
        assert_eq!(packets[6], [5, 0x8a, 18, 192]);
        let mut digits = Digits::default();
        digits.clock(48_000);
        assert_eq!(digits.hear(0, 900_000, &packets[0]), Some('5'));
        // Nine seconds back is an old packet there, and would be a new clock here.
        assert_eq!(digits.hear(100, 900_000 - 9 * 48_000, &packets[6]), None);
    }

    #[test]
    fn only_keys_of_a_phone_are_pressed_or_heard() {
        assert!(Press::new('E', 100).is_none());
        let mut digits = Digits::default();
        for event in [16, 36, 255] {
            assert_eq!(digits.hear(0, u32::from(event), &[event, 10, 0, 160]), None);
        }
        assert_eq!(digits.hear(0, 9, &[1, 10, 0]), None);
        assert_eq!(digits.hear(0, 9, &[1, 10, 0, 160, 7, 7]), Some('1'));
    }

    #[test]
    fn a_key_held_longer_than_its_clock_is_one_digit() {
        let mut digits = Digits::default();
        assert_eq!(digits.hear(0, 5, &[7, 10, 0, 160]), Some('7'));
        assert_eq!(digits.hear(8_000, 5, &[7, 10, 0xff, 0xff]), None);
        assert_eq!(digits.hear(8_200, 5 + 0xffff, &[7, 10, 0, 160]), None);
        assert_eq!(digits.hear(16_300, 5 + 2 * 0xffff, &[7, 0x8a, 0, 160]), Some('7'));
    }

    #[test]
    fn the_end_of_a_press_that_comes_after_the_next_began_is_nothing_new() {
        let mut digits = Digits::default();
        assert_eq!(digits.hear(0, u32::MAX - 100, &[1, 10, 0, 160]), Some('1'));
        assert_eq!(digits.hear(200, 1_500, &[1, 10, 0, 160]), Some('1'));
        assert_eq!(digits.hear(210, u32::MAX - 100, &[1, 0x8a, 3, 32]), None);
    }

    #[test]
    fn a_flood_is_ten_digits_a_second() {
        let mut digits = Digits::default();
        let told = (0..3_000_u32)
            .filter(|n| digits.hear(u64::from(*n), n * 2_000, &[5, 10, 0, 160]).is_some());
        assert_eq!(told.count(), 30);
    }

    proptest! {
        /// Whatever is lost or comes twice, a press of which one packet arrives is one digit.
        #[test]
        fn each_press_is_told_once(
            presses in prop::collection::vec(
                (0_usize..16, 40_u32..400, prop::collection::vec(0_usize..3, 30)), 1..12),
            start in any::<u32>(),
        ) {
            let (mut digits, mut told, mut expected) = (Digits::default(), vec![], vec![]);
            let (mut timestamp, mut now) = (start, 0);
            for (key, ms, copies) in presses {
                let digit = char::from(KEYS[key]);
                let arriving: Vec<_> = packets(digit, ms).into_iter().zip(copies)
                    .flat_map(|(packet, copies)| vec![packet; copies]).collect();
                expected.extend((!arriving.is_empty()).then_some(digit));
                for packet in arriving {
                    told.extend(digits.hear(now, timestamp, &packet));
                }
                timestamp = timestamp.wrapping_add((ms + 60) * 8);
                now += u64::from(ms) + 60;
            }
            prop_assert_eq!(told, expected);
        }
    }
}
