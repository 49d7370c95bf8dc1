//! How fast lamps are told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// No more than so many in any second, and those spread over it.
#[derive(Debug)]
pub(super) struct Pace {
    rate: u32,
    /// What was told lately, and when.
    told: VecDeque<(Instant, u32)>,
}

/// What is counted together. Longer than a second: what is told at once may arrive apart.
const WINDOW: Duration = Duration::from_millis(1_050);
/// The share of a second's that may be told at once.
const SHARES: u32 = 10;

impl Pace {
    /// So many a second.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, told: VecDeque::new() }
    }

    /// How many may be told now.
    pub(super) fn free(&mut self, now: Instant) -> u32 {
        while self.told.front().is_some_and(|it| now.saturating_duration_since(it.0) >= WINDOW) {
            self.told.pop_front();
        }
        let lately: u32 = self.told.iter().map(|it| it.1).sum();
        self.rate.saturating_sub(lately).min(self.rate.div_ceil(SHARES))
    }

    /// So many are told.
    pub(super) fn spend(&mut self, now: Instant, count: u32) {
        if count > 0 {
            self.told.push_back((now, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_may_be_told_and_all_are_told_in_time() {
        for rate in [1, 7, 50, 250] {
            let begin = crate::clock::instant();
            let (mut pace, mut told, mut at) = (Pace::new(rate), Vec::new(), begin);
            while at < begin + Duration::from_secs(20) {
                let count = pace.free(at);
                pace.spend(at, count);
                told.push((at, count));
                at += Duration::from_millis(37);
            }
            for (from, _) in &told {
                let within =
                    told.iter().filter(|it| it.0 >= *from && it.0 < *from + Duration::from_secs(1));
                assert!(within.map(|it| it.1).sum::<u32>() <= rate);
            }
            let all: u32 = told.iter().map(|it| it.1).sum();
            assert!(all >= rate * 18, "only {all} at {rate} a second for 20 s");
        }
    }
}
