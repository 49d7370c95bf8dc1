//! Thousands of callers on one thread: a step each millisecond, sockets shared by many calls, and packets
//! moved in batches, so that one processor is enough for more calls than the server takes.

mod call;
mod signalling;
mod sound;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::time::Duration;

use call::{Call, State};
pub use sound::{ONE, POUND, Press};

use super::ear::{Heard, Hears};
use super::net::{self, Inbox, Outbox};
use super::usage::{self, Dropped};

/// Callers speak in this many turns, a millisecond apart.
const PHASES: usize = 20;
/// Sockets for sound in each of them.
const DOORS: usize = 4;
/// Every socket for sound is looked at once in so many steps: the kernel notes when packets came.
const LOOKS: usize = 5;
/// A step later than this means that this tool, and not the server, is overloaded.
const BEHIND_NS: u64 = 10_000_000;
const MS: u64 = 1_000_000;
/// Where their signalling comes from, and the first of their ports for sound.
const SIP: u16 = 30_998;
const SOUND: u16 = 30_000;

/// What a caller does.
#[derive(Clone)]
pub struct Role {
    /// The numbers called, one after the other.
    pub numbers: Vec<String>,
    /// Another line of the INVITE's header.
    pub claims: Option<String>,
    /// What is said, over and over; `None` only listens.
    pub says: Option<&'static [u8]>,
    /// Keys, and how many packets come before each.
    pub keys: &'static [(u32, &'static Press)],
    pub hears: Hears,
    /// Hangs up after so long; else stays until told.
    pub length: Option<Duration>,
    /// Calls again after that.
    pub again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Repeat,
    HangUp,
}

/// What was seen since [`Crowd::forget`].
#[derive(Default)]
pub struct Seen {
    pub heard: Heard,
    /// From INVITE to 200, in nanoseconds.
    pub set_up: Vec<u64>,
    /// From BYE to 200.
    pub ended: Vec<u64>,
    pub asked: u64,
    pub repeated: u64,
    pub refused: u64,
    /// Calls the server ended, or that were never answered.
    pub dropped: u64,
    /// Calls in which the message was not heard.
    pub unheard: u64,
    pub sent: u64,
    pub unsent: u64,
    /// Steps in which this tool came too late, and the latest.
    pub behind: u64,
    pub latest_ns: u64,
}

/// See the module.
pub struct Crowd {
    server: SocketAddrV4,
    here: SocketAddrV4,
    sip: UdpSocket,
    doors: Vec<(UdpSocket, UdpSocket)>,
    roles: Vec<Role>,
    calls: Vec<Call>,
    phases: Vec<Vec<usize>>,
    /// Whose a stream is, by the server's port and its SSRC, and in which of their calls.
    streams: HashMap<(u16, u32), (usize, u32)>,
    /// Calls that have heard nothing yet, by the server's port and the socket they listen at.
    silent: HashMap<(u16, usize), VecDeque<(usize, u32)>>,
    waiting: VecDeque<usize>,
    /// New calls a second.
    pub rate: u32,
    /// Thousandths of a call that may be placed now.
    credit: u64,
    timers: BinaryHeap<Reverse<(u64, usize, u32, What)>>,
    step: u64,
    origin: u64,
    inbox: Inbox,
    outbox: Outbox,
    pub seen: Seen,
    pub up: usize,
    /// Calls that came to their end as they should, by role.
    pub done: Vec<u64>,
    /// Names the calls of this run among those of others.
    seed: u64,
}

impl Crowd {
    /// Callers at addresses of their own on this machine.
    pub fn new(server: SocketAddrV4) -> io::Result<Self> {
        let ip = net::own_address(78);
        let sip = net::bind(ip, SIP)?;
        let doors = (0..PHASES * DOORS).map(|n| {
            let port = SOUND + 2 * n as u16;
            Ok((net::bind(ip, port)?, net::bind(ip, port + 1)?))
        });
        Ok(Self {
            server,
            here: SocketAddrV4::new(ip, SIP),
            sip,
            doors: doors.collect::<io::Result<_>>()?,
            roles: Vec::new(),
            calls: Vec::new(),
            phases: vec![Vec::new(); PHASES],
            streams: HashMap::new(),
            silent: HashMap::new(),
            waiting: VecDeque::new(),
            rate: 100,
            credit: 0,
            timers: BinaryHeap::new(),
            step: 0,
            origin: net::monotonic(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            seen: Seen::default(),
            up: 0,
            done: Vec::new(),
            seed: net::now() / MS,
        })
    }

    /// One more thing that callers do; its place among them.
    pub fn role(&mut self, role: Role) -> usize {
        self.roles.push(role);
        self.done.push(0);
        self.roles.len() - 1
    }

    /// More callers, who call one after the other at the rate.
    pub fn add(&mut self, count: usize, role: usize) {
        for _ in 0..count {
            let place = self.calls.len();
            self.calls.push(Call::new(role));
            self.phases[place % PHASES].push(place);
            self.waiting.push_back(place);
        }
    }

    /// Packets that were dropped at sockets of theirs, or on the way between any.
    pub fn dropped(&self) -> Dropped {
        usage::dropped(*self.here.ip())
    }

    /// Begins to count anew.
    pub fn forget(&mut self) {
        self.seen = Seen::default();
    }

    /// Whether nobody waits to call any more, or to be answered.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && !self.calls.iter().any(|it| it.state == State::Asking)
    }

    /// Lets everybody go on for so long.
    pub fn run(&mut self, length: Duration) {
        self.run_until(length, |_| false);
    }

    /// The same until something is so; whether it came to be.
    pub fn run_until(&mut self, most: Duration, enough: impl Fn(&Self) -> bool) -> bool {
        // While nobody calls, time stands still.
        if self.calls.iter().all(|it| it.state == State::Idle) {
            self.origin = net::monotonic() - self.step * MS;
        }
        let end = self.step + most.as_millis() as u64;
        while self.step < end {
            self.step += 1;
            let due = self.origin + self.step * MS;
            net::sleep_until(due);
            let late = net::monotonic().saturating_sub(due);
            self.seen.behind += u64::from(late > BEHIND_NS);
            self.seen.latest_ns = self.seen.latest_ns.max(late);
            self.beat();
            if self.step.is_multiple_of(100) && enough(self) {
                return true;
            }
        }
        false
    }

    /// Nobody calls again, and everybody hangs up: at the end of what they have to say, where they know
    /// one. Whether all did within the time.
    pub fn leave(&mut self, within: Duration) -> bool {
        self.roles.iter_mut().for_each(|it| it.again = false);
        self.waiting.clear();
        let mut up = self.places(State::Up);
        up.retain(|it| self.roles[self.calls[*it].role].length.is_none());
        for some in up.chunks(200) {
            some.iter().for_each(|it| self.hang_up(*it));
            self.run(Duration::from_millis(200));
        }
        self.run_until(within, |it| it.calls.iter().all(|it| it.state == State::Idle))
    }

    fn places(&self, state: State) -> Vec<usize> {
        (0..self.calls.len()).filter(|it| self.calls[*it].state == state).collect()
    }

    fn beat(&mut self) {
        self.answers();
        while let Some(Reverse((at, place, round, what))) = self.timers.peek().copied()
            && at <= self.step
        {
            self.timers.pop();
            if self.calls[place].round == round {
                match what {
                    What::Repeat => self.repeat(place),
                    What::HangUp => self.hang_up(place),
                }
            }
        }
        self.speak();
        let turn = self.step as usize % LOOKS;
        for door in (turn..self.doors.len()).step_by(LOOKS) {
            self.listen(door);
        }
        self.credit = (self.credit + u64::from(self.rate)).min(20_000);
        while self.credit >= 1_000
            && let Some(place) = self.waiting.pop_front()
        {
            self.credit -= 1_000;
            self.ask(place);
        }
    }
}

/// The socket of the caller in a place: one of those of its phase.
fn door_of(place: usize) -> usize {
    place % PHASES * DOORS + place / PHASES % DOORS
}
