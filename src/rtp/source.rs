//! Where packets may come from: what signalling said, and otherwise nobody.
//!
//! A phone behind NAT sends from an address its SDP does not name. So while a stream is young, the
//! first sender at the signalling address is believed too, until five packets came; from
//! then on there is one sender. The address of the SDP always wins while learning.

use std::net::{IpAddr, SocketAddr};

/// Packets after which the sender is fixed.
const LEARNING: u8 = 5;

/// How often the stream may change its SSRC under one offer and answer.
const MOST_STREAMS: u8 = 8;

/// Decides for every packet whether it belongs to the call.
#[derive(Debug, Clone)]
pub struct Source {
    told: SocketAddr,
    signalling: IpAddr,
    strict: bool,
    latched: Option<SocketAddr>,
    heard: u8,
    ssrc: Option<u32>,
    streams: u8,
}

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Of the stream that is being heard.
    Ours,
    /// Ours, and the first of a new stream: clocks and counts begin anew.
    New,
    /// From somebody else.
    Stranger,
}

impl Source {
    /// Packets are expected from `told`, or from the signalling address. When not `strict`, from
    /// whoever is first.
    pub fn new(told: SocketAddr, signalling: IpAddr, strict: bool) -> Self {
        let told = plain(told);
        let signalling = signalling.to_canonical();
        Self { told, signalling, strict, latched: None, heard: 0, ssrc: None, streams: 0 }
    }

    /// A new offer and answer: what was learned stays unless an address changed.
    pub fn renew(&mut self, told: SocketAddr, signalling: IpAddr) {
        let renewed = Self::new(told, signalling, self.strict);
        if (renewed.told, renewed.signalling) != (self.told, self.signalling) {
            *self = Self { ssrc: self.ssrc, ..renewed };
        }
        self.streams = 0;
    }

    /// Whether a packet from there could be the call's at all. Nothing is learned.
    pub fn may_be(&self, from: SocketAddr) -> bool {
        self.expects(plain(from))
    }

    /// Judges a packet's sender, and learns from it.
    pub fn admit(&mut self, from: SocketAddr, ssrc: u32) -> Verdict {
        if !self.knows(plain(from)) {
            return Verdict::Stranger;
        }
        if self.ssrc == Some(ssrc) {
            return Verdict::Ours;
        }
        if self.streams == MOST_STREAMS {
            return Verdict::Stranger;
        }
        self.streams += 1;
        self.ssrc = Some(ssrc);
        Verdict::New
    }

    /// Where our packets go.
    pub fn send_to(&self) -> SocketAddr {
        self.latched.unwrap_or(self.told)
    }

    /// RTCP may come from another port, but from no other machine.
    pub fn admits_reports_from(&self, from: SocketAddr) -> bool {
        let ip = from.ip().to_canonical();
        ip == self.send_to().ip() || self.latched.is_none() && ip == self.signalling
    }

    fn expects(&self, from: SocketAddr) -> bool {
        match self.latched {
            Some(latched) => from == latched || self.heard < LEARNING && from == self.told,
            None => from == self.told || from.ip() == self.signalling || !self.strict,
        }
    }

    fn knows(&mut self, from: SocketAddr) -> bool {
        let known = self.expects(from);
        if known && self.heard < LEARNING {
            self.latched = Some(from);
            self.heard += 1;
        }
        known
    }
}

/// The address without IPv6's scope and flow, and IPv4 as IPv4: only such compare.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn source() -> Source {
        Source::new(at("192.0.2.1:4000"), "198.51.100.7".parse().unwrap(), true)
    }

    #[test]
    fn strangers_are_refused_first_and_last() {
        let mut source = source();
        assert!(!source.may_be(at("203.0.113.9:4000")) && source.may_be(at("192.0.2.1:4000")));
        assert_eq!(source.admit(at("203.0.113.9:4000"), 1), Verdict::Stranger);
        assert_eq!(source.admit(at("192.0.2.1:4002"), 1), Verdict::Stranger);
        assert_eq!(source.admit(at("192.0.2.1:4000"), 1), Verdict::New);
        assert_eq!(source.admit(at("192.0.2.1:4000"), 1), Verdict::Ours);
        assert_eq!(source.admit(at("203.0.113.9:4000"), 1), Verdict::Stranger);
    }

    #[test]
    fn a_phone_behind_nat_is_answered_where_it_sends_from() {
        let mut source = source();
        assert_eq!(source.send_to(), at("192.0.2.1:4000"));
        assert_eq!(source.admit(at("198.51.100.7:31000"), 1), Verdict::New);
        assert_eq!(source.send_to(), at("198.51.100.7:31000"));
        assert_eq!(source.admit(at("198.51.100.7:31001"), 1), Verdict::Stranger);
    }

    #[test]
    fn the_address_of_the_sdp_wins_only_while_learning() {
        let mut early = source();
        early.admit(at("198.51.100.7:31000"), 1);
        assert_eq!(early.admit(at("192.0.2.1:4000"), 1), Verdict::Ours);
        assert_eq!(early.send_to(), at("192.0.2.1:4000"));
        assert_eq!(early.admit(at("198.51.100.7:31000"), 1), Verdict::Stranger);

        let mut late = source();
        for _ in 0..LEARNING {
            late.admit(at("198.51.100.7:31000"), 1);
        }
        assert_eq!(late.admit(at("192.0.2.1:4000"), 1), Verdict::Stranger);
    }

    #[test]
    fn when_not_strict_the_first_sender_is_believed() {
        let mut source = Source { strict: false, ..source() };
        assert_eq!(source.admit(at("203.0.113.9:4000"), 1), Verdict::New);
        assert_eq!(source.admit(at("203.0.113.10:4000"), 1), Verdict::Stranger);
        assert_eq!(source.send_to(), at("203.0.113.9:4000"));
    }

    #[test]
    fn a_refreshed_session_does_not_learn_again_but_a_moved_one_does() {
        let mut source = source();
        for _ in 0..LEARNING {
            source.admit(at("192.0.2.1:4000"), 1);
        }
        source.renew(at("192.0.2.1:4000"), "198.51.100.7".parse().unwrap());
        assert_eq!(source.admit(at("198.51.100.7:31000"), 1), Verdict::Stranger);
        source.renew(at("192.0.2.2:5000"), "198.51.100.7".parse().unwrap());
        assert_eq!(source.send_to(), at("192.0.2.2:5000"));
        assert_eq!(source.admit(at("192.0.2.1:4000"), 1), Verdict::Stranger);
        assert_eq!(source.admit(at("192.0.2.2:5000"), 2), Verdict::New);
    }

    #[test]
    fn a_stream_that_renames_itself_without_end_is_cut_off() {
        let mut source = source();
        let new = (0..100).filter(|n| source.admit(at("192.0.2.1:4000"), *n) == Verdict::New);
        assert_eq!(new.count(), usize::from(MOST_STREAMS));
    }

    #[test]
    fn reports_come_from_the_same_machine_only() {
        let mut source = source();
        assert!(source.admits_reports_from(at("192.0.2.1:9")));
        assert!(source.admits_reports_from(at("198.51.100.7:9")));
        source.admit(at("192.0.2.1:4000"), 1);
        assert!(!source.admits_reports_from(at("198.51.100.7:9")));
        assert!(source.admits_reports_from(at("[::ffff:192.0.2.1]:9")));
    }
}
