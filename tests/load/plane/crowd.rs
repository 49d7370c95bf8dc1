//! Thousands of callers on one thread: a step each millisecond, sockets shared by many calls, and packets
//! moved in batches, so that one processor is enough for more calls than the server takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use super::ear::{Ear, Heard};
use super::net::{self, Inbox, Outbox};
use super::signal::{FRAME, FRAMES, signal};
use super::text::{self, Names};

/// Callers speak in this many turns, a millisecond apart.
const PHASES: usize = 20;
/// Sockets for sound in each of them.
const DOORS: usize = 4;
/// Every socket for sound is looked at once in so many steps: the kernel notes when packets came.
const LOOKS: usize = 5;
/// The first repetition of a request comes after this many steps, each later one after twice as many.
const T1: u64 = 500;
/// A request is repeated so often.
const TRIES: u32 = 6;
/// A step later than this means that this tool, and not the server, is overloaded.
const BEHIND_NS: u64 = 10_000_000;
const MS: u64 = 1_000_000;
/// `#` for 100 ms (RFC 4733).
const PRESS: [[u8; 4]; 7] = [
    [11, 10, 0, 160],
    [11, 10, 1, 64],
    [11, 10, 1, 224],
    [11, 10, 2, 128],
    [11, 0x8a, 3, 32],
    [11, 0x8a, 3, 32],
    [11, 0x8a, 3, 32],
];

/// What a caller does.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// The numbers called, one after the other.
    pub numbers: Vec<String>,
    pub speaks: bool,
    /// Presses `#` first, which skips a greeting.
    pub skips: bool,
    /// What comes is checked to be the tone.
    pub listens: bool,
    /// Hangs up after so long; else stays until told.
    pub length: Option<Duration>,
    /// Calls again after that.
    pub again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Asking,
    Up,
    Leaving,
}

struct Call {
    state: State,
    role: usize,
    /// Which call in this place it is: what comes for an earlier one is not for it.
    round: u32,
    asked: u64,
    tries: u32,
    to: String,
    target: String,
    port: u16,
    sequence: u16,
    timestamp: u32,
    frame: usize,
    /// Packets of a press that were sent.
    pressed: usize,
    ear: Option<Ear>,
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
    /// Whose the server's port is.
    by_port: Vec<Option<usize>>,
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
    signal: &'static [u8],
    pub seen: Seen,
    pub up: usize,
    /// Calls that came to their end as they should.
    pub done: u64,
    /// Names the calls of this run among those of others.
    seed: u64,
}

impl Crowd {
    /// Callers at addresses of their own on this machine.
    pub fn new(server: SocketAddrV4) -> io::Result<Self> {
        let ip = Ipv4Addr::new(127, 0, 77, 1);
        let sip = net::bind(ip, 30_998)?;
        let doors = (0..PHASES * DOORS).map(|n| {
            let port = 30_000 + 2 * n as u16;
            Ok((net::bind(ip, port)?, net::bind(ip, port + 1)?))
        });
        Ok(Self {
            server,
            here: SocketAddrV4::new(ip, 30_998),
            sip,
            doors: doors.collect::<io::Result<_>>()?,
            roles: Vec::new(),
            calls: Vec::new(),
            phases: vec![Vec::new(); PHASES],
            by_port: vec![None; 1 << 16],
            waiting: VecDeque::new(),
            rate: 100,
            credit: 0,
            timers: BinaryHeap::new(),
            step: 0,
            origin: net::monotonic(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            signal: signal(),
            seen: Seen::default(),
            up: 0,
            done: 0,
            seed: net::now() / MS,
        })
    }

    /// More callers, who call one after the other at the rate.
    pub fn add(&mut self, count: usize, role: Role) {
        self.roles.push(role);
        for _ in 0..count {
            let place = self.calls.len();
            self.calls.push(Call::new(self.roles.len() - 1));
            self.phases[place % PHASES].push(place);
            self.waiting.push_back(place);
        }
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

    fn ask(&mut self, place: usize) {
        let call = &mut self.calls[place];
        *call = Call { state: State::Asking, round: call.round + 1, ..Call::new(call.role) };
        call.asked = net::now();
        call.frame = place * 37 % FRAMES;
        self.seen.asked += 1;
        self.send_invite(place);
        let round = self.calls[place].round;
        self.timers.push(Reverse((self.step + T1, place, round, What::Repeat)));
    }

    fn send_invite(&self, place: usize) {
        let role = &self.roles[self.calls[place].role];
        let direction = if role.speaks { "sendrecv" } else { "recvonly" };
        let sound = SocketAddrV4::new(*self.here.ip(), 30_000 + 2 * door_of(place) as u16);
        let text = self.named(place, |it| text::invite(it, sound, direction));
        let _ = self.sip.send_to(text.as_bytes(), self.server);
    }

    fn send_within(&self, place: usize, method: &str, number: u32) {
        let call = &self.calls[place];
        let text = self.named(place, |it| text::within(method, number, &call.target, it, &call.to));
        let _ = self.sip.send_to(text.as_bytes(), self.server);
    }

    fn named(&self, place: usize, write: impl Fn(&Names<'_>) -> String) -> String {
        let call = &self.calls[place];
        let numbers = &self.roles[call.role].numbers;
        let called = &numbers[(place + call.round as usize) % numbers.len()];
        let id = format!("{place}.{}.{}", call.round, self.seed);
        let (here, server, caller) = (self.here, self.server, 20_000 + place as u32);
        write(&Names { here, server, called, caller, id: &id })
    }

    /// A request that was not answered is said again, or given up.
    fn repeat(&mut self, place: usize) {
        let call = &mut self.calls[place];
        if !matches!(call.state, State::Asking | State::Leaving) {
            return;
        }
        call.tries += 1;
        let (tries, round, state) = (call.tries, call.round, call.state);
        if tries > TRIES {
            self.seen.dropped += 1;
            return self.over(place);
        }
        self.seen.repeated += 1;
        match state {
            State::Asking => self.send_invite(place),
            _ => self.send_within(place, "BYE", 2),
        }
        let next = self.step + (T1 << tries).min(4_000);
        self.timers.push(Reverse((next, place, round, What::Repeat)));
    }

    fn hang_up(&mut self, place: usize) {
        let call = &mut self.calls[place];
        if call.state != State::Up {
            return;
        }
        (call.state, call.tries, call.asked) = (State::Leaving, 0, net::now());
        let round = call.round;
        self.up -= 1;
        self.send_within(place, "BYE", 2);
        self.timers.push(Reverse((self.step + T1, place, round, What::Repeat)));
    }

    fn over(&mut self, place: usize) {
        let call = &mut self.calls[place];
        self.up -= usize::from(call.state == State::Up);
        call.state = State::Idle;
        call.round += 1;
        if call.port > 0 && self.by_port[usize::from(call.port)] == Some(place) {
            self.by_port[usize::from(call.port)] = None;
        }
        if self.roles[call.role].again {
            self.waiting.push_back(place);
        }
    }

    fn answers(&mut self) {
        loop {
            let count = self.inbox.receive(&self.sip);
            for at in 0..count {
                let (from, stamp, bytes) = self.inbox.datagram(at);
                let text = String::from_utf8_lossy(bytes).into_owned();
                self.answer(from, stamp, &text);
            }
            if count < net::BATCH {
                return;
            }
        }
    }

    fn answer(&mut self, from: SocketAddrV4, stamp: u64, text: &str) {
        let id = text::header(text, "Call-ID").unwrap_or_default();
        let mut parts = id.split('.').map(str::parse::<u64>);
        let (Some(Ok(place)), Some(Ok(round)), Some(Ok(seed))) =
            (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let place = place as usize;
        let known = seed == self.seed
            && self.calls.get(place).is_some_and(|it| u64::from(it.round) == round);
        let Some(status) = text::status(text) else {
            let _ = self.sip.send_to(text::agreed(text).as_bytes(), from);
            if known && text.starts_with("BYE ") && self.calls[place].state == State::Up {
                self.seen.dropped += 1;
                self.over(place);
            }
            return;
        };
        if !known || status < 200 {
            return;
        }
        let is_invite = text::header(text, "CSeq").is_some_and(|it| it.ends_with("INVITE"));
        let took = stamp.saturating_sub(self.calls[place].asked);
        match (self.calls[place].state, is_invite, status) {
            (State::Asking, true, 200) => {
                self.seen.set_up.push(took);
                self.answered(place, text);
            }
            (State::Asking, true, _) => {
                // Whoever was refused has to acknowledge that as well.
                self.seen.refused += 1;
                self.calls[place].to = text::header(text, "To").unwrap_or_default().to_owned();
                self.calls[place].target = format!("sip:{}", self.server);
                self.send_within(place, "ACK", 1);
                self.over(place);
            }
            (State::Up, true, 200) => self.send_within(place, "ACK", 1),
            (State::Leaving, false, _) => {
                self.seen.ended.push(took);
                self.done += 1;
                self.over(place);
            }
            _ => {}
        }
    }

    fn answered(&mut self, place: usize, text: &str) {
        let port = text::media_port(text).unwrap_or(0);
        let length = self.roles[self.calls[place].role].length;
        let call = &mut self.calls[place];
        call.to = text::header(text, "To").unwrap_or_default().to_owned();
        call.target = text::uri(text::header(text, "Contact").unwrap_or_default()).to_owned();
        call.state = State::Up;
        call.port = port;
        (call.sequence, call.timestamp) = (place as u16, place as u32 * 7_919);
        let round = call.round;
        self.up += 1;
        self.by_port[usize::from(port)] = Some(place);
        self.send_within(place, "ACK", 1);
        if let Some(length) = length {
            let end = self.step + length.as_millis() as u64;
            self.timers.push(Reverse((end, place, round, What::HangUp)));
        }
    }

    /// Everybody whose turn it is says the next packet.
    fn speak(&mut self) {
        let phase = self.step as usize % PHASES;
        for door in 0..DOORS {
            for &place in self.phases[phase].iter().filter(|it| *it / PHASES % DOORS == door) {
                let call = &mut self.calls[place];
                if call.state != State::Up || !self.roles[call.role].speaks {
                    continue;
                }
                let from = call.frame * FRAME;
                let to = SocketAddrV4::new(*self.server.ip(), call.port);
                let mut header = call.next_header(place as u32);
                let key = PRESS.get(call.pressed).filter(|_| self.roles[call.role].skips);
                if let Some(event) = key {
                    header[1] = 101 | if call.pressed == 0 { 0x80 } else { 0 };
                    let began = call.timestamp.wrapping_sub((FRAME * (call.pressed + 1)) as u32);
                    header[4..8].copy_from_slice(&began.to_be_bytes());
                    call.pressed += 1;
                    self.outbox.push(to, header, event);
                } else {
                    self.outbox.push(to, header, &self.signal[from..from + FRAME]);
                    call.frame = (call.frame + 1) % FRAMES;
                }
                self.seen.sent += 1;
            }
            self.seen.unsent += self.outbox.flush(&self.doors[phase * DOORS + door].0) as u64;
        }
    }

    fn listen(&mut self, door: usize) {
        loop {
            let count = self.inbox.receive(&self.doors[door].0);
            for at in 0..count {
                let (from, stamp, bytes) = self.inbox.datagram(at);
                let Some(place) = self.by_port[usize::from(from.port())] else { continue };
                let call = &mut self.calls[place];
                let tone = self.roles[call.role].listens;
                if tone && call.state == State::Up {
                    self.seen.heard.take(&mut call.ear, stamp, bytes, tone);
                }
            }
            if count < net::BATCH {
                break;
            }
        }
        // Reports are only counted by the kernel; nobody here needs what they say.
        while self.step % 100 < LOOKS as u64 && self.inbox.receive(&self.doors[door].1) > 0 {}
    }
}

impl Call {
    fn new(role: usize) -> Self {
        Self {
            state: State::Idle,
            role,
            round: 0,
            asked: 0,
            tries: 0,
            to: String::new(),
            target: String::new(),
            port: 0,
            sequence: 0,
            timestamp: 0,
            frame: 0,
            pressed: 0,
            ear: None,
        }
    }

    fn next_header(&mut self, ssrc: u32) -> [u8; 12] {
        let mut header = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header[8..].copy_from_slice(&ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        header
    }
}

/// The socket of the caller in a place: one of those of its phase.
fn door_of(place: usize) -> usize {
    place % PHASES * DOORS + place / PHASES % DOORS
}
