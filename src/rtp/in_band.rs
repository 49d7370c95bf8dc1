//! Keys in the sound itself, on calls that agreed on no telephone events. Only G.711 is listened to:
//! nothing else is decoded here.

use super::leg::Stream;
use crate::audio::{dtmf::Detector, g711::Law};

/// So many samples may be lost in a tone; beyond, it is another one: 60 ms.
const MOST_LOST: u32 = 480;

/// Hears keys out of the packets of one stream.
#[derive(Debug)]
pub(super) struct InBand {
    law: Law,
    detector: Detector,
    /// Sequence number and timestamp that are due next.
    next: Option<(u16, u32)>,
}

impl InBand {
    /// `None` where keys come another way, or cannot be heard.
    pub(super) fn of(stream: &Stream) -> Option<Self> {
        let law = stream.codec.law().filter(|_| stream.telephone_event_in.is_none())?;
        Some(Self { law, detector: Detector::default(), next: None })
    }

    /// The same for a stream that was agreed on anew: a key that is held stays so.
    pub(super) fn renewed(before: Option<Self>, stream: &Stream) -> Option<Self> {
        let fresh = Self::of(stream)?;
        Some(match before {
            Some(before) => Self { law: fresh.law, ..before },
            None => fresh,
        })
    }

    /// Another sender: its numbers compare to nothing before.
    pub(super) fn restart(&mut self) {
        self.next = None;
        self.detector.restart();
    }

    /// A packet of sound; a key that it makes certain.
    pub(super) fn hear(&mut self, sequence: u16, timestamp: u32, payload: &[u8]) -> Option<char> {
        if let Some((due, time)) = self.next {
            let ahead = sequence.wrapping_sub(due);
            if ahead > u16::MAX / 2 {
                // A copy, or too late: what came since was heard already.
                return None;
            }
            let missing = timestamp.wrapping_sub(time);
            // Silence that was not sent ends a tone; a lost packet does not.
            if missing > 0 && (ahead == 0 || missing > MOST_LOST) {
                self.detector.restart();
            }
        }
        self.next = Some((sequence.wrapping_add(1), timestamp.wrapping_add(payload.len() as u32)));
        let law = self.law;
        let mut pressed = None;
        for &byte in payload {
            pressed = self.detector.hear(law.decode(byte)).or(pressed);
        }
        pressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn packets(ms: usize) -> Vec<Vec<u8>> {
        let sample = |n: usize| {
            let wave = |hertz: f64| (TAU * hertz * n as f64 / 8_000.0).sin() * 6_000.0;
            Law::A.encode((wave(770.0) + wave(1_336.0)) as i16)
        };
        let all: Vec<u8> = (0..ms * 8).map(sample).collect();
        all.chunks(160).map(<[u8]>::to_vec).collect()
    }

    fn ear() -> InBand {
        InBand { law: Law::A, detector: Detector::default(), next: None }
    }

    #[test]
    fn a_tone_is_one_key_though_packets_are_lost_or_come_twice() {
        let mut ear = ear();
        let mut heard = String::new();
        for (n, packet) in packets(400).iter().enumerate().filter(|(n, _)| *n != 7) {
            let (sequence, timestamp) = (65_530_u16.wrapping_add(n as u16), n as u32 * 160);
            for _ in 0..2 {
                heard.extend(ear.hear(sequence, timestamp, packet));
            }
        }
        assert_eq!(heard, "5");
    }

    #[test]
    fn a_pause_that_was_not_sent_is_one_all_the_same() {
        let mut ear = ear();
        let mut heard = String::new();
        for press in 0..3_u32 {
            for (n, packet) in packets(100).iter().enumerate() {
                let sequence = (press * 5 + n as u32) as u16;
                heard.extend(ear.hear(sequence, press * 8_000 + n as u32 * 160, packet));
            }
        }
        assert_eq!(heard, "555");
    }
}
