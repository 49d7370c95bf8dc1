//! Which packets were there already (RFC 3711 §3.3.2), for each stream under one key.

/// Packets that may still come after a later one.
const WIDTH: u64 = 128;
/// Streams under one key. A phone that begins more must agree on another key.
const MOST_STREAMS: usize = 16;

/// The streams of one key.
#[derive(Debug, Default)]
pub(super) struct Streams([Option<(u32, Window)>; MOST_STREAMS]);

/// The packets of one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    highest: u64,
    /// One bit a packet, the lowest the highest's.
    seen: u128,
}

impl Streams {
    pub(super) fn of(&self, ssrc: u32) -> Option<&Window> {
        self.0.iter().flatten().find(|it| it.0 == ssrc).map(|it| &it.1)
    }

    /// Whether a packet may come: it did not before, and there is room to remember it.
    pub(super) fn admit(&self, ssrc: u32, index: u64) -> bool {
        match self.of(ssrc) {
            Some(window) => window.admits(index),
            None => self.0.iter().any(Option::is_none),
        }
    }

    /// A packet came, and is what it seems.
    pub(super) fn note(&mut self, ssrc: u32, index: u64) {
        let known = self.0.iter_mut().flatten().find(|it| it.0 == ssrc);
        if let Some((_, window)) = known {
            window.note(index);
        } else if let Some(free) = self.0.iter_mut().find(|it| it.is_none()) {
            *free = Some((ssrc, Window { highest: index, seen: 1 }));
        }
    }
}

impl Window {
    /// The number of the packet with this sequence number that is nearest to the highest (§3.3.1).
    pub(super) fn nearest(&self, sequence: u16) -> u64 {
        let ahead = sequence.wrapping_sub(self.highest as u16).cast_signed();
        let index = self.highest.checked_add_signed(ahead.into());
        // Before the first round there is none.
        index.unwrap_or_else(|| self.highest + u64::from(ahead.cast_unsigned()))
    }

    fn admits(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            Some(behind) => behind < WIDTH && self.seen >> behind & 1 == 0,
            None => true,
        }
    }

    fn note(&mut self, index: u64) {
        if let Some(ahead) = index.checked_sub(self.highest).filter(|it| *it > 0) {
            self.seen = if ahead < WIDTH { self.seen << ahead } else { 0 };
            self.highest = index;
        }
        let behind = self.highest - index;
        if behind < WIDTH {
            self.seen |= 1 << behind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_admitted_once_and_none_that_is_too_old() {
        let mut streams = Streams::default();
        for (index, admitted) in [
            (1_000, true),
            (1_000, false),
            (1_002, true),
            (1_001, true),
            (1_001, false),
            (1_200, true),
            (1_073, true),
            (1_072, false),
            (1_073, false),
            (9_000, true),
            (8_999, true),
            (1_200, false),
        ] {
            assert_eq!(streams.admit(7, index), admitted, "{index}");
            if admitted {
                streams.note(7, index);
            }
        }
        assert!(streams.admit(8, 1_000), "another stream counts for itself");
    }

    #[test]
    fn a_key_has_so_many_streams_and_no_more() {
        let mut streams = Streams::default();
        (0..MOST_STREAMS as u32).for_each(|ssrc| streams.note(ssrc, 1));
        assert!(streams.admit(0, 2));
        assert!(!streams.admit(99, 1));
    }

    #[test]
    fn numbers_run_over_and_back() {
        let at = |highest| Window { highest, seen: 1 };
        assert_eq!(at(65_530).nearest(2), 65_538);
        assert_eq!(at(65_538).nearest(65_530), 65_530);
        assert_eq!(at(3).nearest(65_530), 65_530);
        assert_eq!(at(200_000).nearest((200_050_u32) as u16), 200_050);
    }
}
