//! How well a stream arrives: loss and jitter as RFC 3550 counts them (§6.4.1, A.1, A.3, A.8).

use super::rtcp::Block;

/// A sequence number this far ahead is a restart, not a loss (§A.1: `MAX_DROPOUT`).
const DROPOUT: u16 = 3_000;

/// Counts the packets of one sender.
#[derive(Debug, Clone)]
pub struct Reception {
    stream: Option<Stream>,
    /// Steps of the sender's clock in a millisecond.
    per_ms: u32,
}

impl Default for Reception {
    fn default() -> Self {
        Self { stream: None, per_ms: 8 }
    }
}

#[derive(Debug, Clone)]
struct Stream {
    ssrc: u32,
    /// The first and the highest sequence number, cycles included.
    first: u32,
    highest: u32,
    received: u32,
    /// When the last packet came, less its timestamp, in steps of the clock.
    transit: Option<u32>,
    /// Sixteen times the jitter, in steps.
    jitter: u32,
    /// What was expected and received at the last report.
    reported: (u32, u32),
    /// The middle of the last sender report's NTP time, and when it came in milliseconds.
    sender_report: Option<(u32, u64)>,
}

impl Reception {
    /// The sender's clock has so many steps a second from now on.
    pub fn clock(&mut self, hertz: u32) {
        let per_ms = hertz / 1_000;
        if let Some(stream) = self.stream.as_mut().filter(|_| per_ms != self.per_ms) {
            (stream.transit, stream.jitter) = (None, 0);
        }
        self.per_ms = per_ms;
    }

    /// Counts a packet that came at `now` (milliseconds); a new SSRC starts from nothing. A packet
    /// of an event comes without `timestamp`: it does not say when the packet was sent.
    pub fn count(&mut self, now: u64, ssrc: u32, sequence: u16, timestamp: Option<u32>) {
        // Steps since the start, modulo 2^32: only differences matter.
        let clock = (now * u64::from(self.per_ms)) as u32;
        let transit = timestamp.map(|it| clock.wrapping_sub(it));
        match &mut self.stream {
            Some(stream) if stream.ssrc == ssrc => {
                stream.count(sequence, transit, self.per_ms * 1_000);
            }
            stream => *stream = Some(Stream::new(ssrc, sequence, transit)),
        }
    }

    /// Notes the sender's report, so that it can tell the way there and back from ours.
    pub fn sender_report(&mut self, now: u64, ssrc: u32, ntp_middle: u32) {
        if let Some(stream) = self.stream.as_mut().filter(|it| it.ssrc == ssrc) {
            stream.sender_report = Some((ntp_middle, now));
        }
    }

    /// Packets missing so far; late ones and copies lower it.
    pub fn lost(&self) -> i64 {
        self.stream.as_ref().map_or(0, |it| i64::from(it.expected()) - i64::from(it.received))
    }

    /// The jitter in microseconds.
    pub fn jitter(&self) -> u32 {
        let steps = self.stream.as_ref().map_or(0, |it| it.jitter >> 4);
        (u64::from(steps) * 1_000 / u64::from(self.per_ms.max(1))) as u32
    }

    /// The block of our next report; the fraction lost counts from the report before.
    pub fn report(&mut self, now: u64) -> Option<Block> {
        let lost = self.lost();
        let stream = self.stream.as_mut()?;
        let expected = stream.expected().wrapping_sub(stream.reported.0);
        let received = stream.received.wrapping_sub(stream.reported.1);
        stream.reported = (stream.expected(), stream.received);
        let missing = u64::from(expected.saturating_sub(received));
        let fraction = (missing << 8).checked_div(u64::from(expected)).unwrap_or(0).min(255);
        Some(Block {
            ssrc: stream.ssrc,
            fraction_lost: fraction as u8,
            lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: stream.highest,
            jitter: stream.jitter >> 4,
            last_report: stream.sender_report.map_or(0, |(ntp, _)| ntp),
            since_report: stream
                .sender_report
                .map_or(0, |(_, at)| (now.saturating_sub(at) * 65_536 / 1_000) as u32),
        })
    }
}

impl Stream {
    fn new(ssrc: u32, sequence: u16, transit: Option<u32>) -> Self {
        let first = u32::from(sequence);
        Self {
            ssrc,
            first,
            highest: first,
            received: 1,
            transit,
            jitter: 0,
            reported: (0, 0),
            sender_report: None,
        }
    }

    fn count(&mut self, sequence: u16, transit: Option<u32>, a_second: u32) {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        } else if ahead < u16::MAX - DROPOUT {
            *self = Self {
                sender_report: self.sender_report,
                ..Self::new(self.ssrc, sequence, transit)
            };
            return;
        }
        self.received = self.received.wrapping_add(1);
        let (Some(transit), before) = (transit, self.transit) else { return };
        self.transit = Some(transit);
        let Some(before) = before else { return };
        let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
        // J += (|D| - J) / 16 in sixteenths; a jump of the clock is no jitter.
        if change < a_second {
            self.jitter = self.jitter + change - ((self.jitter + 8) >> 4);
        }
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.first).wrapping_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_quarter_is_reported_once_and_stays_in_the_sum() {
        let mut reception = Reception::default();
        for n in (0..400_u64).filter(|n| n % 4 != 2) {
            reception.count(n * 20, 7, 65_500_u16.wrapping_add(n as u16), Some(n as u32 * 160));
        }
        let block = reception.report(8_000).unwrap();
        assert_eq!((block.lost, block.fraction_lost, block.jitter), (100, 64, 0));
        assert_eq!(block.highest, 65_500 + 399);
        for n in 400..500_u64 {
            reception.count(n * 20, 7, 65_500_u16.wrapping_add(n as u16), Some(n as u32 * 160));
        }
        let block = reception.report(10_000).unwrap();
        assert_eq!((block.lost, block.fraction_lost), (100, 0));
    }

    #[test]
    fn jitter_settles_at_the_mean_difference_of_transit() {
        let mut reception = Reception::default();
        for n in 0..500_u64 {
            reception.count(n * 20 + n % 2 * 10, 7, n as u16, Some(n as u32 * 160));
        }
        assert!((9_750..=10_250).contains(&reception.jitter()), "{}", reception.jitter());
    }

    #[test]
    fn the_clock_of_another_codec_is_no_jitter() {
        let mut reception = Reception::default();
        reception.count(0, 7, 1, Some(0));
        reception.clock(48_000);
        for n in 1..500_u64 {
            reception.count(n * 20 + n % 2 * 10, 7, n as u16 + 1, Some(n as u32 * 960));
        }
        assert!((9_750..=10_250).contains(&reception.jitter()), "{}", reception.jitter());
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_restarted_count_or_another_sender_is_no_loss() {
        let mut reception = Reception::default();
        reception.count(0, 7, 10, Some(0));
        reception.count(20, 7, 30_000, Some(160));
        assert_eq!(reception.lost(), 0);
        reception.count(40, 8, 50, Some(320));
        assert_eq!((reception.lost(), reception.report(50).unwrap().ssrc), (0, 8));
    }
}
