//! Who is let in: peers by address, never by what they say of themselves.
//!
//! A stranger gets one answer whatever was asked, a few times, and then silence: the address on a
//! datagram is easily forged, and an answer to a forged one hits somebody else.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A network in CIDR notation, e.g. `192.0.2.0/24`; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    base: IpAddr,
    bits: u8,
}

/// What to do with a request, going by where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A peer: hear it.
    Welcome,
    /// A stranger: refuse. `first` is the first time in a while, worth a line in the log.
    Refuse { first: bool },
    /// A stranger who does not stop: no answer.
    Ignore,
}

/// The list of peers, and what strangers did lately.
#[derive(Debug)]
pub(super) struct Gate {
    allowed: Vec<Network>,
    registrars: Arc<Registrars>,
    rules: Rules,
    strangers: HashMap<IpAddr, Visits>,
}

/// What strangers may do.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Wrong passwords of one of them before none is heard any more.
    pub(super) guesses: u32,
    /// How long the silence lasts after the last answer counted.
    pub(super) silence: Duration,
    /// Whose `User-Agent` has one of these in it is not answered at all.
    pub(super) scanners: Vec<String>,
}

#[derive(Debug)]
struct Visits {
    since: Instant,
    count: u32,
    /// Wrong passwords among them, which nobody can send in another's name.
    wrong: u32,
}

/// Where we are registered: calls from there are what we registered for.
#[derive(Debug, Default)]
pub(super) struct Registrars(Mutex<Vec<IpAddr>>);

/// Strangers remembered at once; beyond it new ones are ignored.
const MOST_STRANGERS: usize = 4096;
/// Answers to one stranger before silence.
const MOST_ANSWERS: u32 = 5;
/// Answers are counted over this long.
const WINDOW: Duration = Duration::from_secs(60);
/// User agents of programs that look for telephone systems to abuse.
pub(super) const SCANNERS: [&str; 8] = [
    "friendly-scanner",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sundayddr",
    "vaxsipuseragent",
    "pplsip",
    "iwar",
];

impl Gate {
    pub(super) fn new(allowed: Vec<Network>, registrars: Arc<Registrars>, rules: Rules) -> Self {
        Self { allowed, registrars, rules, strangers: HashMap::new() }
    }

    /// Whether a `User-Agent` is that of a known scanner.
    pub(super) fn is_scanner(&self, agent: &[u8]) -> bool {
        let agent = String::from_utf8_lossy(agent).to_ascii_lowercase();
        self.rules
            .scanners
            .iter()
            .any(|it| !it.is_empty() && agent.contains(&it.to_ascii_lowercase()))
    }

    pub(super) fn admits(&self, from: IpAddr) -> bool {
        self.allowed.iter().any(|it| it.contains(from)) || self.registrars.table().contains(&from)
    }

    /// A stranger whose password was right starts anew.
    pub(super) fn forgive(&mut self, from: IpAddr) {
        self.strangers.remove(&household(from));
    }

    /// Counts a wrong password; the visit itself is judged as any other.
    pub(super) fn guessed(&mut self, from: IpAddr) {
        if let Some(visits) = self.strangers.get_mut(&household(from)) {
            visits.wrong = visits.wrong.saturating_add(1);
        }
    }

    /// Whether the passwords of a stranger who was just judged are still listened to: of those we
    /// cannot keep in mind none is.
    pub(super) fn listens(&self, from: IpAddr) -> bool {
        self.strangers.get(&household(from)).is_some_and(|it| it.wrong < self.rules.guesses)
    }

    pub(super) fn judge(&mut self, from: IpAddr, now: Instant) -> Verdict {
        if self.admits(from) { Verdict::Welcome } else { self.visit(from, now) }
    }

    /// Counts a visit as a stranger's, for those who have to know a password wherever they are.
    pub(super) fn visit(&mut self, from: IpAddr, now: Instant) -> Verdict {
        let (from, rules) = (household(from), &self.rules);
        if self.strangers.len() >= MOST_STRANGERS && !self.strangers.contains_key(&from) {
            self.strangers.retain(|_, it| !it.forgotten(now, rules));
            if self.strangers.len() >= MOST_STRANGERS {
                return Verdict::Ignore;
            }
        }
        let visits =
            self.strangers.entry(from).or_insert(Visits { since: now, count: 0, wrong: 0 });
        if visits.forgotten(now, rules) {
            *visits = Visits { since: now, count: 0, wrong: 0 };
        }
        visits.count = visits.count.saturating_add(1);
        match visits.count {
            1 => Verdict::Refuse { first: true },
            2..=MOST_ANSWERS => Verdict::Refuse { first: false },
            _ => Verdict::Ignore,
        }
    }
}

impl Visits {
    fn forgotten(&self, now: Instant, rules: &Rules) -> bool {
        let age = now.saturating_duration_since(self.since);
        let stops = self.count <= MOST_ANSWERS && self.wrong < rules.guesses;
        age > if stops { WINDOW } else { rules.silence }
    }
}

impl Registrars {
    /// Takes an address in place of another.
    pub(super) fn replace(&self, old: Option<IpAddr>, new: IpAddr) {
        let mut table = self.table();
        if let Some(place) = old.and_then(|old| table.iter().position(|it| *it == old)) {
            table.swap_remove(place);
        }
        table.push(new);
    }

    fn table(&self) -> MutexGuard<'_, Vec<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one source: of IPv6 a whole network, for whoever has one address there has all.
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) if !it.is_loopback() => {
            IpAddr::V6((u128::from(it) & (u128::MAX << 64)).into())
        }
        other => other,
    }
}

impl Network {
    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(it)) => {
                let mask = u32::MAX.checked_shl(u32::from(32 - self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(it) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(it)) => {
                let mask = u128::MAX.checked_shl(u32::from(128 - self.bits)).unwrap_or(0);
                u128::from(base) & mask == u128::from(it) & mask
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = base.trim().parse().map_err(drop)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |it| it.trim().parse().map_err(drop))?;
        if bits <= most { Ok(Self { base, bits }) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const MOST_GUESSES: u32 = 5;
    const SILENCE: Duration = Duration::from_secs(600);

    fn rules() -> Rules {
        let scanners = vec!["sipvicious".into(), String::new()];
        Rules { guesses: MOST_GUESSES, silence: SILENCE, scanners }
    }

    fn gate(allowed: &[&str]) -> Gate {
        Gate::new(allowed.iter().map(|it| it.parse().unwrap()).collect(), Arc::default(), rules())
    }

    #[test]
    fn networks_hold_the_addresses_they_name() {
        for (network, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(ip(address)), inside, "{network:?} {address}");
        }
        for wrong in ["", "10.0.0.0/33", "::1/129", "pbx.example.com", "10.0.0.0/x", "1/2/3"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stranger_is_refused_a_few_times_and_then_ignored_until_forgotten() {
        let mut gate = gate(&["10.0.0.0/8"]);
        let start = Instant::now();
        let stranger = ip("192.0.2.1");
        assert_eq!(gate.judge(ip("10.9.9.9"), start), Verdict::Welcome);
        assert_eq!(gate.judge(stranger, start), Verdict::Refuse { first: true });
        for _ in 1..MOST_ANSWERS {
            assert_eq!(gate.judge(stranger, start), Verdict::Refuse { first: false });
        }
        assert_eq!(gate.judge(stranger, start), Verdict::Ignore);
        assert_eq!(gate.judge(stranger, start + WINDOW * 2), Verdict::Ignore);
        assert_eq!(gate.judge(ip("192.0.2.2"), start), Verdict::Refuse { first: true });
        let later = start + SILENCE + Duration::from_secs(1);
        assert_eq!(gate.judge(stranger, later), Verdict::Refuse { first: true });
    }

    #[test]
    fn a_few_wrong_passwords_and_none_is_heard_for_a_while() {
        let mut gate = gate(&[]);
        let (start, stranger) = (Instant::now(), ip("192.0.2.1"));
        for _ in 0..MOST_GUESSES {
            gate.judge(stranger, start);
            assert!(gate.listens(stranger));
            gate.guessed(stranger);
        }
        for (address, later, heard) in [
            (stranger, start, false),
            (stranger, start + WINDOW * 2, false),
            (ip("192.0.2.2"), start, true),
            (stranger, start + SILENCE + Duration::from_secs(1), true),
        ] {
            gate.judge(address, later);
            assert_eq!(gate.listens(address), heard, "{address}");
        }
        gate.forgive(stranger);
        assert_eq!(gate.judge(stranger, start), Verdict::Refuse { first: true });
    }

    #[test]
    fn where_we_are_registered_calls_may_come_from_until_it_moves() {
        let registrars = Arc::new(Registrars::default());
        let gate = Gate::new(vec![], registrars.clone(), rules());
        let (old, new) = (ip("192.0.2.1"), ip("192.0.2.2"));
        registrars.replace(None, old);
        registrars.replace(None, old);
        registrars.replace(Some(old), new);
        assert!(gate.admits(old) && gate.admits(new), "the other registration is still there");
        registrars.replace(Some(old), new);
        assert!(!gate.admits(old) && gate.admits(new));
    }

    #[test]
    fn who_has_a_network_of_ipv6_has_no_more_tries_than_others() {
        let mut gate = gate(&[]);
        let now = Instant::now();
        for host in 1..=MOST_ANSWERS {
            let verdict = gate.judge(ip(&format!("2001:db8::{host:x}")), now);
            assert_ne!(verdict, Verdict::Ignore);
        }
        assert_eq!(gate.judge(ip("2001:db8::ffff"), now), Verdict::Ignore);
        assert_ne!(gate.judge(ip("2001:db8:0:1::1"), now), Verdict::Ignore);
    }

    #[test]
    fn scanners_are_known_by_what_they_call_themselves() {
        let gate = gate(&[]);
        assert!(gate.is_scanner(b"SIPVicious 0.3"));
        assert!(!gate.is_scanner(b"baresip v1.0.0"));
    }

    #[test]
    fn the_memory_of_strangers_is_bounded() {
        let mut gate = gate(&[]);
        let now = Instant::now();
        for n in 0..u32::try_from(MOST_STRANGERS).unwrap() + 100 {
            gate.judge(IpAddr::V4(n.into()), now);
        }
        assert_eq!(gate.strangers.len(), MOST_STRANGERS);
        assert_eq!(gate.judge(ip("203.0.113.1"), now), Verdict::Ignore);
    }
}
