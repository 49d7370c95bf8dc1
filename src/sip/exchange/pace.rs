//! How fast one source may ask: a bucket for each, that fills at the allowed rate.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::sip::gate::household;

/// Requests of so many seconds may come at once.
const BURST: f64 = 5.0;
/// Sources remembered at once. Beyond, new ones share what is left to all of them.
const MOST_SOURCES: usize = 4_096;

/// What each source has left.
#[derive(Debug)]
pub(super) struct Pace {
    /// Requests a second; 0 is any number.
    rate: u32,
    sources: HashMap<IpAddr, Bucket>,
    others: Bucket,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Pace {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        let others = Bucket { left: f64::from(rate) * BURST, at: now };
        Self { rate, sources: HashMap::new(), others }
    }

    /// Whether another request from there is heard.
    pub(super) fn allows(&mut self, from: IpAddr, now: Instant) -> bool {
        if self.rate == 0 {
            return true;
        }
        let (rate, source) = (f64::from(self.rate), household(from));
        if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&source) {
            // Whoever was quiet for long enough starts anew anyway.
            let full = Duration::from_secs_f64(BURST);
            self.sources.retain(|_, it| now.saturating_duration_since(it.at) < full);
            if self.sources.len() >= MOST_SOURCES {
                return self.others.take(rate, now);
            }
        }
        let fresh = Bucket { left: rate * BURST, at: now };
        self.sources.entry(source).or_insert(fresh).take(rate, now)
    }
}

impl Bucket {
    fn take(&mut self, rate: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * rate).min(rate * BURST);
        self.at = now;
        let any = self.left >= 1.0;
        if any {
            self.left -= 1.0;
        }
        any
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_is_heard_and_then_as_much_as_the_rate_allows() {
        let start = Instant::now();
        let mut pace = Pace::new(10, start);
        let heard = |pace: &mut Pace, from: &str, now| {
            (0..1_000).filter(|_| pace.allows(ip(from), now)).count()
        };
        assert_eq!(heard(&mut pace, "192.0.2.1", start), 50);
        assert_eq!(heard(&mut pace, "192.0.2.2", start), 50, "others are not held up");
        assert_eq!(heard(&mut pace, "192.0.2.1", start + Duration::from_secs(2)), 20);
        assert_eq!(heard(&mut pace, "192.0.2.1", start + Duration::from_secs(600)), 50);
        assert_eq!(heard(&mut Pace::new(0, start), "192.0.2.1", start), 1_000);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_the_memory_is_bounded() {
        let start = Instant::now();
        let mut pace = Pace::new(10, start);
        let heard = (0..1_000_u16).filter(|n| pace.allows(ip(&format!("2001:db8::{n:x}")), start));
        assert_eq!(heard.count(), 50);
        for n in 0..MOST_SOURCES as u32 + 100 {
            pace.allows(IpAddr::V4(n.into()), start);
        }
        assert_eq!(pace.sources.len(), MOST_SOURCES);
    }
}
