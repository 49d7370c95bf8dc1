//! The thread that writes the spool: rounds of emptying rings, and what is asked for in between.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

use super::{
    Begun, Counters, Disk, Kept, Settings, SpoolError,
    block::{Block, Kind, Seal, said_to_bytes},
    log::{Log, Place},
    recover::{Found, Scan},
    shelf::{Shelf, Shelved},
    take::Recorded,
};
use crate::{
    audio::listener::length_of,
    clock,
    mailbox::{MessageId, Said, Take},
};

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// A take begins, with this in its first block.
    Begin(Box<Recorded>, Vec<u8>),
    /// The writer of this take is about to go.
    Ends(MessageId),
    /// What its caller says of a take that waits.
    Say(MessageId, Said),
    Discard(MessageId, oneshot::Sender<Result<(), SpoolError>>),
    Filed(MessageId),
    Close(oneshot::Sender<()>),
}

/// Everything the thread works with.
#[derive(Debug)]
pub(super) struct Keeper {
    log: Log,
    shelf: Arc<Shelf>,
    sync_every: Duration,
    /// Those being recorded, and those sealed but not synced.
    takes: HashMap<MessageId, Box<Recorded>>,
    /// Those of them whose end is looked for, and those that are sealed.
    ending: Vec<MessageId>,
    sealed: Vec<MessageId>,
    ended: Vec<Ended>,
    failing: Option<Arc<io::Error>>,
    counters: Counters,
    /// When rings were emptied, the log synced, and the house swept for the last time.
    drained: Instant,
    synced: Instant,
    swept: Instant,
    /// Since when somebody waits for a sync.
    awaited: Option<Instant>,
}

/// A take whose end-mark is not synced yet.
#[derive(Debug)]
struct Ended {
    id: MessageId,
    kind: Kind,
    reply: Option<oneshot::Sender<Result<(), SpoolError>>>,
}

/// Rings are emptied this often: each time costs, and what is lost with this process is what came since.
const ROUND: Duration = Duration::from_millis(400);
/// A take whose end is announced is looked at this often, and a sync somebody waits for waits so
/// long for others to join it.
const SOON: Duration = Duration::from_millis(2);
/// Segments are removed, room is measured and a failing disk is tried this often.
const SWEEP: Duration = Duration::from_secs(1);

impl Keeper {
    /// Opens the log and puts on the shelf what is in it.
    pub(super) fn open(settings: &Settings, disk: Disk) -> Result<(Self, Arc<Shelf>), SpoolError> {
        let mut scan = Scan::default();
        let log = Log::open(settings, disk, |number, bytes| {
            let (segment, unread) = scan.read(number, bytes);
            if unread > 0 {
                warn!("segment {number} of the spool ends in {unread} bytes that are not whole");
            }
            segment
        })?;
        let shelf = Arc::new(Shelf::new(settings.directory.clone()));
        for (id, found) in scan.finish() {
            recover(&shelf, id, found);
        }
        let now = clock::instant();
        let mut keeper = Self {
            log,
            shelf: shelf.clone(),
            sync_every: settings.sync_every,
            takes: HashMap::new(),
            ending: Vec::new(),
            sealed: Vec::new(),
            ended: Vec::new(),
            failing: None,
            counters: Counters::default(),
            drained: now,
            synced: now,
            swept: now,
            awaited: None,
        };
        keeper.measure();
        keeper.report();
        Ok((keeper, shelf))
    }

    /// Works until the spool is closed or nobody holds it any more.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let wait = self.due().saturating_duration_since(clock::instant());
            let mut next = match orders.recv_timeout(wait) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            };
            while let Some(order) = next {
                if let Order::Close(reply) = order {
                    self.finish();
                    let _ = reply.send(());
                    return;
                }
                self.obey(order);
                next = orders.try_recv().ok();
            }
            self.work(clock::instant());
        }
    }

    fn due(&self) -> Instant {
        let mut due = self.swept + SWEEP;
        if !self.takes.is_empty() {
            due = due.min(self.drained + ROUND);
        }
        if self.log.is_dirty() {
            due = due.min(self.synced + self.sync_every);
        }
        if let Some(since) = self.awaited {
            due = due.min(since + SOON);
        }
        if !self.ending.is_empty() {
            due = due.min(clock::instant() + SOON);
        }
        due
    }

    fn obey(&mut self, order: Order) {
        let now = clock::instant();
        match order {
            Order::Begin(take, json) => self.begin(*take, &json),
            Order::Ends(id) => {
                if let Some(take) = self.takes.get_mut(&id) {
                    take.ends(now);
                    self.ending.push(id);
                }
            }
            Order::Say(id, said) => {
                if self.shelf.say(id, said) && self.failing.is_none() {
                    let payload = &said_to_bytes(said);
                    let (kind, codec, number) = (Kind::Said, None, 0);
                    self.log.append(&Block { kind, codec, take: id, number, payload });
                    self.awaited.get_or_insert(now);
                }
            }
            Order::Discard(id, reply) => self.discard(id, reply, now),
            Order::Filed(id) => {
                if self.take_away(id) {
                    self.end(Ended { id, kind: Kind::Filed, reply: None });
                }
            }
            Order::Close(_) => {}
        }
    }

    fn begin(&mut self, mut take: Recorded, json: &[u8]) {
        if let Some(cause) = &self.failing {
            return take.fail(SpoolError::Failing(cause.clone()), |_| false, |_| {});
        }
        take.begin(&mut self.log, json);
        self.takes.insert(take.id, Box::new(take));
    }

    fn discard(
        &mut self,
        id: MessageId,
        reply: oneshot::Sender<Result<(), SpoolError>>,
        now: Instant,
    ) {
        let was_there = self.take_away(id);
        if let Some(cause) = &self.failing {
            // The mark is written when the disk is back, but nobody should count on it.
            let _ = reply.send(Err(SpoolError::Failing(cause.clone())));
            if was_there {
                self.end(Ended { id, kind: Kind::Discard, reply: None });
            }
        } else if was_there {
            self.end(Ended { id, kind: Kind::Discard, reply: Some(reply) });
            self.awaited.get_or_insert(now);
        } else if let Some(ended) = self.ended.iter_mut().find(|it| it.id == id) {
            ended.reply = Some(reply);
            self.awaited.get_or_insert(now);
        } else {
            let _ = reply.send(Ok(()));
        }
    }

    /// Takes it off the shelf or out of the recording; whether it was there.
    fn take_away(&mut self, id: MessageId) -> bool {
        match self.takes.remove(&id) {
            Some(take) => {
                self.sealed.retain(|it| *it != id);
                take.forget();
                true
            }
            None => self.shelf.remove(id),
        }
    }

    fn end(&mut self, ended: Ended) {
        if self.failing.is_none() {
            self.mark(ended.id, ended.kind);
        }
        self.ended.push(ended);
    }

    fn mark(&mut self, take: MessageId, kind: Kind) {
        self.log.append(&Block { kind, codec: None, take, number: 0, payload: &[] });
    }

    fn work(&mut self, now: Instant) {
        let round = now >= self.drained + ROUND;
        if round {
            self.drained = now;
        }
        let before = self.sealed.len();
        if round {
            self.drain_all();
        } else {
            for id in &self.ending {
                if let Some(take) = self.takes.get_mut(id)
                    && take.is_ending(now)
                    && take.is_over()
                    && take.drain(&mut self.log)
                {
                    self.sealed.push(*id);
                }
            }
        }
        let takes = &self.takes;
        self.ending.retain(|it| takes.get(it).is_some_and(|it| it.is_ending(now)));
        if self.sealed.len() > before {
            self.awaited.get_or_insert(now);
        }
        let awaited = self.awaited.is_some_and(|since| now >= since + SOON);
        if awaited || now >= self.synced + self.sync_every {
            self.sync(now);
        } else if let Err(cause) = self.log.flush() {
            self.try_elsewhere(&cause);
        }
        if now >= self.swept + SWEEP {
            self.swept = now;
            self.sweep();
        }
        self.report();
    }

    fn drain_all(&mut self) {
        for (id, take) in &mut self.takes {
            if take.drain(&mut self.log) {
                self.sealed.push(*id);
            }
        }
    }

    fn sync(&mut self, now: Instant) {
        (self.synced, self.awaited) = (now, None);
        match self.write_out() {
            Ok(()) => self.settle(),
            Err(cause) => self.try_elsewhere(&cause),
        }
    }

    /// Returns once what was appended is on disk. Rings are emptied meanwhile, but no take is sealed:
    /// whoever waits for the sync is told of what was there before.
    fn write_out(&mut self) -> io::Result<()> {
        let takes = &mut self.takes;
        self.log.sync(&mut |log| takes.values_mut().for_each(|it| _ = it.listen(log)))
    }

    /// Everything appended is on disk: whoever waits for that is told.
    fn settle(&mut self) {
        for id in self.sealed.drain(..) {
            if let Some(take) = self.takes.remove(&id) {
                take.settle(|it| self.shelf.put(it));
            }
        }
        for ended in self.ended.drain(..) {
            if let Some(reply) = ended.reply {
                let _ = reply.send(Ok(()));
            }
        }
    }

    /// A write or a sync failed: what is not known to be on disk is written to a new segment.
    fn try_elsewhere(&mut self, cause: &io::Error) {
        self.counters.failures += 1;
        warn!(%cause, "the spool could not be written; going on in a new segment");
        let moved = self.log.move_on();
        self.takes.values_mut().for_each(|it| it.follow(moved));
        match self.write_out() {
            Ok(()) => self.settle(),
            Err(cause) => self.fail(cause),
        }
    }

    fn fail(&mut self, cause: io::Error) {
        self.counters.failures += 1;
        error!(%cause, "the spool cannot write; messages are refused until it can");
        let cause = Arc::new(cause);
        let is_there = self.log.give_up();
        self.failing = Some(cause.clone());
        self.awaited = None;
        // Whoever is told below may look at once.
        self.report();
        self.sealed.clear();
        for (_, take) in self.takes.drain() {
            self.counters.failed_takes += 1;
            let why = SpoolError::Failing(cause.clone());
            take.fail(why, &is_there, |it| self.shelf.put(it));
        }
        for reply in self.ended.iter_mut().filter_map(|it| it.reply.take()) {
            let _ = reply.send(Err(SpoolError::Failing(cause.clone())));
        }
    }

    /// Tries the disk again; end-marks that could not be written are written first.
    fn heal(&mut self) {
        if let Err(cause) = self.log.probe() {
            debug!(%cause, "the spool still cannot write");
            return;
        }
        for at in 0..self.ended.len() {
            let Ended { id, kind, .. } = self.ended[at];
            self.mark(id, kind);
        }
        match self.write_out() {
            Ok(()) => {
                info!("the spool can write again");
                self.failing = None;
                self.settle();
            }
            Err(cause) => self.fail(cause),
        }
    }

    fn sweep(&mut self) {
        self.measure();
        if self.failing.is_some() {
            return self.heal();
        }
        let busy = self.takes.keys().copied().chain(self.ended.iter().map(|it| it.id));
        let busy: HashSet<_> = busy.collect();
        let lives = |id: &MessageId| busy.contains(id) || self.shelf.holds(id);
        let takes = &mut self.takes;
        let mut meanwhile = |log: &mut Log| takes.values_mut().for_each(|it| _ = it.listen(log));
        if let Err(cause) = self.log.sweep(lives, &mut meanwhile) {
            self.try_elsewhere(&cause);
        }
    }

    fn measure(&mut self) {
        match self.log.free() {
            Ok(free) => self.counters.free = free,
            Err(cause) => warn!(%cause, "the room left for the spool cannot be measured"),
        }
    }

    fn report(&mut self) {
        self.counters.segments = self.log.segments();
        (self.counters.syncs, self.counters.bytes) = (self.log.syncs, self.log.bytes);
        self.counters.safe = self.log.safe;
        self.shelf.report(self.counters, self.failing.as_ref());
    }

    fn finish(mut self) {
        self.drain_all();
        self.sync(clock::instant());
        self.sweep();
        self.report();
    }
}

/// Puts a take that was found on the shelf, unless there is nothing to it.
fn recover(shelf: &Shelf, id: MessageId, found: Found) {
    let Some(begun) = found.begun else {
        warn!("take {id} in the spool has lost its beginning and cannot be filed");
        return;
    };
    let written: u64 = found.places.iter().map(Place::samples).sum();
    let (samples, voiced) = match found.seal {
        Some(Seal { samples, voiced }) => (samples.min(written), voiced.min(samples)),
        None => (written, 0),
    };
    if samples == 0 && found.seal.is_none() {
        return;
    }
    let is_whole = found.seal.is_some_and(|it| it.samples <= written) && !found.has_gap;
    let take = Take { id, length: length_of(samples), voiced: length_of(voiced) };
    let Begun { mut label, codec } = begun;
    label.said = found.said;
    let kept = Kept { take, label, codec, interrupted: !is_whole };
    let mut shelved = Shelved { kept, places: found.places, charge: std::sync::Weak::new() };
    if found.seal.is_none() {
        // Unreadable here means unreadable when it is filed, and is told then.
        shelved.kept.take.voiced = shelf.voiced(&shelved).unwrap_or_default();
    }
    shelf.put(shelved);
}
