//! What a caller sends: a packet every 20 ms from the answer until the call is over, with loud noise
//! that is different in every one of them, `#` to skip the greeting, and a way to lose and delay them.

use std::collections::BTreeMap;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::Receiver;
use std::thread::sleep;
use std::time::{Duration, Instant};

use afterbeep::audio::Codec;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::tape::{Frame, Tape};
use crate::phone::FRAME;

/// The time of one packet.
const TICK: Duration = Duration::from_millis(20);
/// Packets after which a call that does not end is given up: 45 s.
const MOST: usize = 45 * 50;
/// Packets of words before the greeting is skipped: 300 ms.
const BEFORE: usize = 15;
/// So many packets without sound from the server, and its beep is over: 300 ms.
const QUIET: usize = 15;
/// Packets of words from then on: 3 s.
const WORDS: usize = 150;
/// The payload type of digits in the offers of the scenarios.
const EVENT: u8 = 101;
/// Packets of a digit; the last three say that it is over, after 100 ms.
const DIGIT: usize = 8;
/// In thousandths of a millisecond, how long a poor network takes at most: 20 ms, and 20 more.
const SLOWEST: u64 = 40_000;

/// What happens to packets on their way.
#[derive(Debug, Clone, Copy)]
pub enum Network {
    Perfect,
    /// 5 % are lost; the others come up to 20 ms before or after their time, and overtake others.
    Poor(u64),
}

/// How a caller ends the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Hangs up.
    Bye,
    /// Presses `#`.
    Pound,
}

/// One caller's mouth and ear.
pub struct Voice {
    pub codec: Codec,
    pub ending: Ending,
    pub network: Network,
    pub socket: UdpSocket,
    /// Different noise for every caller.
    pub seed: u64,
}

/// Where a call has got to, with the number of the packet it began at.
#[derive(Clone, Copy)]
enum Part {
    Greeting,
    Skipping(usize),
    Beep(usize),
    Speaking(usize),
    Ending(usize),
}

impl Voice {
    /// Speaks to `to` until `over` comes; `hang_up` is called when the last word was sent.
    pub fn speak(self, to: SocketAddr, over: &Receiver<()>, mut hang_up: impl FnMut()) -> Tape {
        self.socket.set_nonblocking(true).unwrap();
        let mut line = Line::new(&self, to);
        let mut words = Words::new(self.codec, self.seed);
        let mut tape = Tape::new(self.codec);
        let (mut part, mut heard) = (Part::Greeting, None);
        let began = Instant::now();
        let (mut looked, mut beep) = (began, began);
        for tick in 0..MOST {
            line.send_until(began + TICK * tick as u32);
            let before = mem::replace(&mut looked, Instant::now());
            if line.hears() {
                (heard, beep) = (Some(tick), before);
            }
            if over.try_recv().is_ok() {
                (tape.over, tape.overtaken) = (Instant::now(), line.overtaken);
                return tape;
            }
            let next = part.next(tick, heard);
            if let (Part::Speaking(_), Part::Ending(_)) = (part, next) {
                (tape.beep, tape.last_word) = (beep, tick);
                if self.ending == Ending::Bye {
                    line.flush();
                    hang_up();
                }
            }
            part = next;
            let sound = match part {
                Part::Skipping(since) => Err(tick - since),
                Part::Ending(since) if self.ending == Ending::Pound && tick - since < DIGIT => {
                    Err(tick - since)
                }
                Part::Ending(_) => Ok(vec![self.codec.silence(); FRAME]),
                _ => Ok(words.frame()),
            };
            let leaves = match &sound {
                Ok(sound) => line.sound(tick, sound),
                Err(step) => line.pound(tick, *step),
            };
            tape.frames.push(Frame { sound: sound.ok(), leaves });
        }
        panic!("the call was never over");
    }
}

impl Part {
    fn next(self, tick: usize, heard: Option<usize>) -> Self {
        match (self, heard) {
            (Part::Greeting, Some(_)) if tick >= BEFORE => Part::Skipping(tick),
            (Part::Skipping(since), _) if tick == since + DIGIT => Part::Beep(since),
            (Part::Beep(since), Some(at)) if at > since && tick > at + QUIET => {
                Part::Speaking(tick)
            }
            (Part::Speaking(since), _) if tick == since + WORDS => Part::Ending(tick),
            _ => self,
        }
    }
}

/// Packets on their way.
struct Line<'a> {
    voice: &'a Voice,
    to: SocketAddr,
    chance: StdRng,
    ssrc: u32,
    sequence: u16,
    /// The last one sent.
    newest: u16,
    /// Packets that were sent behind one that follows them.
    overtaken: usize,
    /// By the time they leave, and in order.
    waiting: BTreeMap<(Instant, u16), Vec<u8>>,
}

impl<'a> Line<'a> {
    fn new(voice: &'a Voice, to: SocketAddr) -> Self {
        let mut chance = StdRng::seed_from_u64(match voice.network {
            Network::Perfect => voice.seed,
            Network::Poor(seed) => seed,
        });
        let ssrc = chance.random();
        let waiting = BTreeMap::new();
        Self { voice, to, chance, ssrc, sequence: 0, newest: 0, overtaken: 0, waiting }
    }

    /// Puts a frame on its way. When it leaves; a lost one never does.
    fn sound(&mut self, tick: usize, sound: &[u8]) -> Option<Instant> {
        let payload_type = match self.voice.codec {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        };
        self.packet(payload_type, tick, sound)
    }

    /// One of the packets of a `#` (RFC 4733 §2.3): all carry the time at which it was pressed.
    fn pound(&mut self, tick: usize, step: usize) -> Option<Instant> {
        let (first, last) = (step == 0, step >= DIGIT - 3);
        let length = (FRAME * (step + 1).min(DIGIT - 3)) as u16;
        let [high, low] = length.to_be_bytes();
        let payload = [11, if last { 0x8a } else { 0x0a }, high, low];
        self.packet(EVENT | if first { 0x80 } else { 0 }, tick - step, &payload)
    }

    fn packet(&mut self, payload_type: u8, tick: usize, payload: &[u8]) -> Option<Instant> {
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp(tick).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        let (lost, late) = match self.voice.network {
            Network::Perfect => (false, 0),
            Network::Poor(_) => {
                (self.chance.random_ratio(5, 100), self.chance.random_range(0..SLOWEST))
            }
        };
        let leaves = Instant::now() + Duration::from_micros(late);
        if !lost {
            self.waiting.insert((leaves, self.sequence), packet);
        }
        self.sequence += 1;
        self.send();
        (!lost).then_some(leaves)
    }

    /// Sends what is due, as it becomes due, until this moment.
    fn send_until(&mut self, until: Instant) {
        while let Some(due) = self.waiting.keys().next().map(|it| it.0).filter(|it| *it < until) {
            sleep(due.saturating_duration_since(Instant::now()));
            self.send();
        }
        sleep(until.saturating_duration_since(Instant::now()));
    }

    fn flush(&mut self) {
        let last = self.waiting.keys().next_back().map(|it| it.0);
        if let Some(last) = last {
            self.send_until(last + Duration::from_micros(1));
        }
    }

    fn send(&mut self) {
        while let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= Instant::now()
        {
            let sequence = entry.key().1;
            self.voice.socket.send_to(&entry.remove(), self.to).unwrap();
            self.overtaken += usize::from(sequence < self.newest);
            self.newest = self.newest.max(sequence);
        }
    }

    /// Whether sound has come from the server; the packets that only keep the way open are none.
    fn hears(&self) -> bool {
        let (mut packet, mut heard) = ([0; 2_048], false);
        while let Ok((length, from)) = self.voice.socket.recv_from(&mut packet) {
            let sound = &packet[..length][12.min(length)..];
            heard |= from == self.to && sound.iter().any(|it| *it != sound[0]);
        }
        heard
    }
}

/// The RTP time of a packet: from just before it wraps.
fn timestamp(tick: usize) -> u32 {
    (u32::MAX - 40_000).wrapping_add((tick * FRAME) as u32)
}

/// Something that is loud, never twice the same, and no tone.
struct Words {
    codec: Codec,
    noise: StdRng,
    spoken: usize,
}

impl Words {
    fn new(codec: Codec, seed: u64) -> Self {
        Self { codec, noise: StdRng::seed_from_u64(seed), spoken: 0 }
    }

    fn frame(&mut self) -> Vec<u8> {
        let samples = (self.spoken..self.spoken + FRAME).map(|n| {
            let swell = 0.2 + 0.8 * (n as f64 / 900.0).sin().abs();
            (f64::from(self.noise.random::<i16>()) * 0.3 * swell) as i16
        });
        let frame = samples.map(|it| self.codec.encode(it)).collect();
        self.spoken += FRAME;
        frame
    }
}
