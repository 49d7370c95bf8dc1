//! What a caller says: a packet every 20 ms from the answer until the call is over, with loud noise
//! that is different in every one of them, and `#` to skip the greeting.

use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use afterbeep::audio::g711::Law;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::line::{DIGIT, Line, Network};
use super::tape::{Frame, Tape};
use crate::phone::FRAME;

/// Packets after which a call that does not end is given up: 45 s.
const MOST: usize = 45 * 50;
/// Packets of words before the greeting is skipped: 300 ms.
const BEFORE: usize = 15;
/// So many packets without sound from the server, and its beep is over: 300 ms.
const QUIET: usize = 15;
/// Packets of words from then on: 3 s.
const WORDS: usize = 150;
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
    pub codec: Law,
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
        let mut line = Line::new(&self.socket, to, self.codec, self.network, self.seed);
        let mut words = Words::new(self.codec, self.seed);
        let mut tape = Tape::new(self.codec);
        let (mut part, mut heard) = (Part::Greeting, None);
        let (mut looked, mut beep) = (Instant::now(), Instant::now());
        for tick in 0..MOST {
            line.send_until(tick);
            let before = mem::replace(&mut looked, Instant::now());
            if line.hears() {
                (heard, beep) = (Some(tick), before);
            }
            if over.try_recv().is_ok() {
                (tape.over, tape.overtaken) = (Instant::now(), line.overtaken);
                tape.frames.iter_mut().zip(line.sent).for_each(|(frame, sent)| frame.sent = sent);
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
            match &sound {
                Ok(sound) => line.sound(tick, sound),
                Err(step) => line.pound(tick, *step),
            }
            tape.frames.push(Frame { sound: sound.ok(), sent: None });
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

/// Something that is loud, never twice the same, and no tone.
struct Words {
    codec: Law,
    noise: StdRng,
    spoken: usize,
}

impl Words {
    fn new(codec: Law, seed: u64) -> Self {
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
