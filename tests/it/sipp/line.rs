//! A caller's packets on their way: some are lost, some come late, and with them some too early.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use afterbeep::audio::g711::Law;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::phone::FRAME;

/// Packets of a digit; the last three say that it is over, after 100 ms.
pub const DIGIT: usize = 8;
/// The time of one packet.
const TICK: Duration = Duration::from_millis(20);
/// The payload type of digits in the offers of the scenarios.
const EVENT: u8 = 101;
/// How long a poor network takes at most: 20 ms, and 20 more.
const SLOWEST: Duration = Duration::from_millis(40);

/// What happens to packets on their way.
#[derive(Debug, Clone, Copy)]
pub enum Network {
    Perfect,
    /// 5 % are lost; the others come up to 20 ms before or after their time, and overtake others.
    Poor(u64),
}

/// See the module. Every tick has one packet, which has its number.
pub struct Line<'a> {
    /// When each packet left; those that were lost never did.
    pub sent: Vec<Option<Instant>>,
    /// Packets that were sent behind one that follows them.
    pub overtaken: usize,
    socket: &'a UdpSocket,
    to: SocketAddr,
    codec: Law,
    network: Network,
    chance: StdRng,
    ssrc: u32,
    began: Instant,
    /// By the time they are due, which does not depend on how busy this machine is.
    waiting: BTreeMap<(Instant, usize), Vec<u8>>,
    newest: usize,
}

impl<'a> Line<'a> {
    pub fn new(
        socket: &'a UdpSocket,
        to: SocketAddr,
        codec: Law,
        network: Network,
        seed: u64,
    ) -> Self {
        let mut chance = StdRng::seed_from_u64(match network {
            Network::Perfect => seed,
            Network::Poor(poor) => seed + (poor << 32),
        });
        Self {
            sent: Vec::new(),
            overtaken: 0,
            socket,
            to,
            codec,
            network,
            ssrc: chance.random(),
            chance,
            began: Instant::now(),
            waiting: BTreeMap::new(),
            newest: 0,
        }
    }

    /// Puts a frame on its way.
    pub fn sound(&mut self, tick: usize, sound: &[u8]) {
        let payload_type = match self.codec {
            Law::Mu => 0,
            Law::A => 8,
        };
        self.packet(tick, payload_type, tick, sound);
    }

    /// One of the packets of a `#` (RFC 4733 §2.3): all carry the time at which it was pressed.
    pub fn pound(&mut self, tick: usize, step: usize) {
        let (first, last) = (step == 0, step >= DIGIT - 3);
        let length = (FRAME * (step + 1).min(DIGIT - 3)) as u16;
        let [high, low] = length.to_be_bytes();
        let payload = [11, if last { 0x8a } else { 0x0a }, high, low];
        self.packet(tick, EVENT | if first { 0x80 } else { 0 }, tick - step, &payload);
    }

    /// Sends what is due until that packet is.
    pub fn send_until(&mut self, tick: usize) {
        let until = self.began + TICK * tick as u32;
        while let Some(due) = self.waiting.keys().next().map(|it| it.0).filter(|it| *it < until) {
            sleep(due.saturating_duration_since(Instant::now()));
            self.send();
        }
        sleep(until.saturating_duration_since(Instant::now()));
    }

    /// Sends all that is on its way.
    pub fn flush(&mut self) {
        while let Some((due, _)) = self.waiting.keys().next() {
            sleep(due.saturating_duration_since(Instant::now()));
            self.send();
        }
    }

    /// Whether sound has come from the server; the packets that only keep the way open are none.
    pub fn hears(&self) -> bool {
        let (mut packet, mut heard) = ([0; 2_048], false);
        while let Ok((length, from)) = self.socket.recv_from(&mut packet) {
            let sound = &packet[..length][12.min(length)..];
            heard |= from == self.to && sound.iter().any(|it| *it != sound[0]);
        }
        heard
    }

    fn packet(&mut self, sequence: usize, payload_type: u8, tick: usize, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type];
        packet.extend((sequence as u16).to_be_bytes());
        packet.extend(timestamp(tick).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        let (lost, late) = match self.network {
            Network::Perfect => (false, Duration::ZERO),
            Network::Poor(_) => {
                let late = self.chance.random_range(Duration::ZERO..SLOWEST);
                (self.chance.random_ratio(5, 100), late)
            }
        };
        self.sent.push(None);
        if !lost {
            let due = self.began + TICK * sequence as u32 + late;
            self.waiting.insert((due, sequence), packet);
        }
        self.send();
    }

    fn send(&mut self) {
        while let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= Instant::now()
        {
            let sequence = entry.key().1;
            self.sent[sequence] = Some(Instant::now());
            self.socket.send_to(&entry.remove(), self.to).unwrap();
            self.overtaken += usize::from(sequence < self.newest);
            self.newest = self.newest.max(sequence);
        }
    }
}

/// The RTP time of a packet: it wraps in the middle of a call.
fn timestamp(tick: usize) -> u32 {
    (u32::MAX - 20_000).wrapping_add((tick * FRAME) as u32)
}
