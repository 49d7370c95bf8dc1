//! The loop of a media thread.
//!
//! Every leg has its turn in one of twenty phases, a millisecond apart, so that the packets of many calls
//! are spread over the time between two frames; few calls share few phases, for a thread that wakes costs
//! as much as some legs do. A leg that sends 10 or 30 ms has a second phase, half a round later. Phases
//! in which nobody needs a turn are slept through; without legs the thread sleeps until an order comes.
//!
//! In a beat there is no lock, no log and no allocation, except where an order asks for one, and once in a
//! recording when a packet is missing and when its [ring](crate::audio::ring) is not emptied in time.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, SendError, SyncSender, TryRecvError},
    },
    thread::Thread,
};

use super::{
    leg::{LegId, Stream},
    line::{Door, Kit, Line},
    recording::Recording,
    tally::Tally,
    telephone_event::Press,
};
use crate::{
    audio::{Clip, bed::Segment},
    sys::media::{self, Metronome, Watch},
};

/// Beats in a round.
const PHASES: usize = 20;
/// In this order they are made use of: each pair is half a round apart, and the first four are those at
/// which the thread wakes anyway.
const ORDER: [usize; PHASES] =
    [0, 10, 5, 15, 2, 12, 7, 17, 4, 14, 9, 19, 1, 11, 6, 16, 3, 13, 8, 18];
/// Legs that share a phase before another one is made use of; they take some tenths of a millisecond.
const COMPANY: usize = 64;
/// The longest sleep in beats while there are legs: what comes to watched sockets waits so long, and orders
/// for which nobody wakes the thread.
const NAP: u64 = 5;
/// After beats that were left out, every leg has had its turn within this.
const CATCHES_UP: u64 = 100;
/// Orders taken in one beat; the rest waits for the next.
const ORDERS_A_BEAT: usize = 256;

/// What a thread is told.
pub(super) enum Command {
    Open(LegId, Box<Line>),
    Tell(LegId, Order),
    Stop,
}

/// What a leg is told.
pub(super) enum Order {
    Connect(Box<Stream>),
    Change(Box<Stream>, Box<Recording>),
    Play(Vec<Arc<Clip>>, u64),
    Follow(Arc<Segment>, usize),
    Hush,
    Record(Box<Recording>),
    StopRecording,
    Press(Press),
    Bridge(LegId),
    Close,
}

/// The way to a media thread.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    queue: SyncSender<Command>,
    thread: Thread,
}

impl Orders {
    pub(super) fn new(queue: SyncSender<Command>, thread: Thread) -> Self {
        Self { queue, thread }
    }

    /// It is done within some milliseconds.
    pub(super) fn send(&self, command: Command) -> Result<(), SendError<Command>> {
        self.queue.send(command)
    }

    /// It is done at once: what comes meanwhile would be taken for a stranger's.
    pub(super) fn hurry(&self, command: Command) -> Result<(), SendError<Command>> {
        self.queue.send(command)?;
        self.thread.unpark();
        Ok(())
    }
}

/// Runs until told to stop, or until nobody is left to tell it anything.
pub(super) fn run(orders: Receiver<Command>, watch: Watch, tally: &Tally, realtime: bool) {
    if realtime && let Err(error) = media::run_first() {
        tracing::warn!(
            %error,
            "media threads run without real-time priority; sound may stutter while the machine is \
             busy (allow it with LimitRTPRIO=20 or CAP_SYS_NICE)"
        );
    }
    let mut lines = Lines::new(watch, tally);
    let mut metronome = Metronome::start();
    loop {
        if lines.index.is_empty() {
            let Ok(command) = orders.recv() else { return };
            metronome.resume();
            if !lines.obey(metronome.now(), command) {
                return;
            }
            continue;
        }
        let beat = metronome.wait(lines.nap(metronome.now()));
        let now = metronome.now();
        if let Some(beat) = beat {
            tally.tick(beat.late);
            if beat.late > Metronome::GIVE_UP {
                lines.kit.catches_up = now + CATCHES_UP;
            }
        }
        for _ in 0..ORDERS_A_BEAT {
            match orders.try_recv() {
                Ok(command) => {
                    if !lines.obey(now, command) {
                        return;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        if beat.is_some() {
            lines.turn(now);
        }
    }
}

/// The legs of a thread, by phase.
struct Lines<'a> {
    slots: Vec<Slot>,
    free: Vec<usize>,
    index: HashMap<LegId, usize>,
    phases: [Phase; PHASES],
    kit: Kit,
    tally: &'a Tally,
}

/// A leg, until when it needs no turn, and its first phase.
#[derive(Default)]
struct Slot {
    line: Option<Box<Line>>,
    rests: u64,
    phase: usize,
}

/// Who has a turn in a phase, and until when none of them needs one.
#[derive(Default)]
struct Phase {
    slots: Vec<usize>,
    rests: u64,
}

impl<'a> Lines<'a> {
    fn new(watch: Watch, tally: &'a Tally) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            phases: Default::default(),
            kit: Kit::new(watch),
            tally,
        }
    }

    /// How many beats may be slept through after this one.
    fn nap(&self, now: u64) -> u64 {
        let is_wanted = |beats: &u64| {
            let Phase { slots, rests } = &self.phases[(now + beats) as usize % PHASES];
            !slots.is_empty() && now + beats >= *rests
        };
        (1..NAP).find(is_wanted).unwrap_or(NAP)
    }

    /// The turn of all legs in this phase.
    fn turn(&mut self, now: u64) {
        for number in self.kit.watch.look() {
            let (slot, door) = Door::of(number);
            if let Some(Slot { line: Some(line), .. }) = self.slots.get_mut(slot) {
                line.wake(door);
                rouse(&mut self.slots, &mut self.phases, slot, now);
            }
        }
        let phase = &mut self.phases[now as usize % PHASES];
        if now < phase.rests {
            return;
        }
        phase.rests = u64::MAX;
        for (at, &slot) in phase.slots.iter().enumerate() {
            // Of thousands of legs none is in the processor's cache when its turn comes.
            if let Some(Slot { line: Some(line), rests, .. }) =
                phase.slots.get(at + 2).map(|it| &self.slots[*it])
                && now >= *rests
            {
                media::fetch(&**line);
            }
            if now >= self.slots[slot].rests
                && let Some((line, other)) = pair(&mut self.slots, slot)
            {
                let rests = line.turn(now, other, &mut self.kit, self.tally);
                self.slots[slot].rests = rests;
            }
            phase.rests = phase.rests.min(self.slots[slot].rests);
        }
        self.kit.post.send(self.tally);
    }

    /// Does what it is told; `false` when that is to stop.
    fn obey(&mut self, now: u64, command: Command) -> bool {
        match command {
            Command::Open(id, line) => self.open(id, line),
            Command::Tell(id, Order::Close) => self.close(now, id),
            Command::Tell(id, order) => self.tell(now, id, order),
            Command::Stop => {
                let all: Vec<_> = self.index.keys().copied().collect();
                all.into_iter().for_each(|id| self.close(now, id));
                return false;
            }
        }
        true
    }

    fn open(&mut self, id: LegId, mut line: Box<Line>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        line.settle(slot);
        self.index.insert(id, slot);
        let company = |phase: &usize| self.phases[*phase].slots.len();
        let roomy = ORDER.into_iter().find(|it| company(it) < COMPANY);
        let phase = roomy.or_else(|| (0..PHASES).min_by_key(company)).unwrap_or(0);
        self.phases[phase].slots.push(slot);
        self.slots[slot] = Slot { line: Some(line), rests: 0, phase };
        rouse(&mut self.slots, &mut self.phases, slot, 0);
    }

    fn close(&mut self, now: u64, id: LegId) {
        let Some(slot) = self.index.remove(&id) else { return };
        let phase = self.slots[slot].phase;
        for phase in [phase, other_half(phase)] {
            self.phases[phase].slots.retain(|it| *it != slot);
        }
        if let Some(mut line) = self.slots[slot].line.take() {
            line.close(now, &mut self.kit, self.tally);
            self.bridge(slot, line.bridged, None);
        }
        self.free.push(slot);
        self.tally.legs.fetch_sub(1, Relaxed);
    }

    /// The leg that is bridged with this one is from now on bridged with `to`.
    fn bridge(&mut self, slot: usize, other: Option<usize>, to: Option<usize>) {
        let other = other.filter(|it| *it != slot).and_then(|it| self.slots[it].line.as_mut());
        if let Some(other) = other {
            other.bridged = to;
        }
    }

    fn tell(&mut self, now: u64, id: LegId, order: Order) {
        let Some(&slot) = self.index.get(&id) else { return };
        if let Order::Bridge(other) = order {
            // Two legs that are free: what was bridged before is so until one of them is closed.
            let Some(&other) = self.index.get(&other) else { return };
            let free =
                |it: usize| self.slots[it].line.as_ref().is_some_and(|it| it.bridged.is_none());
            if slot != other && free(slot) && free(other) {
                self.bridge(slot, Some(other), Some(slot));
                self.bridge(other, Some(slot), Some(other));
                rouse(&mut self.slots, &mut self.phases, other, now);
            }
            rouse(&mut self.slots, &mut self.phases, slot, now);
            return;
        }
        rouse(&mut self.slots, &mut self.phases, slot, now);
        let Slot { line: Some(line), .. } = &mut self.slots[slot] else { return };
        let (kit, tally) = (&mut self.kit, self.tally);
        match order {
            Order::Connect(stream) => {
                let half = stream.ptime_ms % PHASES as u8 != 0;
                line.connect(now, *stream, None, kit, tally);
                self.halve(slot, half);
            }
            Order::Change(stream, recording) => {
                let half = stream.ptime_ms % PHASES as u8 != 0;
                line.connect(now, *stream, Some(recording), kit, tally);
                self.halve(slot, half);
            }
            Order::Play(sounds, mark) => line.play(sounds, mark),
            Order::Follow(segment, from) => line.follow(segment, from),
            Order::Hush => line.hush(),
            Order::Record(recording) => line.record(now, recording, kit, tally),
            Order::StopRecording => line.stop_recording(now, kit, tally),
            Order::Press(press) => line.press(press),
            Order::Bridge(_) | Order::Close => {}
        }
    }

    /// Gives a leg a second phase, or takes it away.
    fn halve(&mut self, slot: usize, half: bool) {
        let second = &mut self.phases[other_half(self.slots[slot].phase)];
        match second.slots.contains(&slot) {
            false if half => second.slots.push(slot),
            true if !half => second.slots.retain(|it| *it != slot),
            _ => {}
        }
        second.rests = 0;
    }
}

/// The phase half a round later.
fn other_half(phase: usize) -> usize {
    (phase + PHASES / 2) % PHASES
}

/// From `now` on a leg needs its turns.
fn rouse(slots: &mut [Slot], phases: &mut [Phase; PHASES], slot: usize, now: u64) {
    slots[slot].rests = now;
    let phase = slots[slot].phase;
    for phase in [phase, other_half(phase)] {
        phases[phase].rests = phases[phase].rests.min(now);
    }
}

/// A leg, and the one that it is bridged with.
fn pair(slots: &mut [Slot], slot: usize) -> Option<(&mut Line, Option<&mut Line>)> {
    let Some(other) = slots[slot].line.as_ref()?.bridged else {
        return slots[slot].line.as_deref_mut().map(|it| (it, None));
    };
    let [slot, other] = slots.get_disjoint_mut([slot, other]).ok()?;
    Some((slot.line.as_deref_mut()?, other.line.as_deref_mut()))
}
