//! One take while it is recorded: from its ring, past its listener, into the log.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    Begun, Kept, Reservation, SpoolError, TakeEvent,
    block::{Block, Kind, Seal},
    log::{Log, Moved, Place},
    shelf::Shelved,
};
use crate::{
    audio::listener::{Listener, Rules, Verdict, length_of, samples_in},
    mailbox::{MessageId, Take},
};

/// A take being recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) id: MessageId,
    begun: Begun,
    ring: rtrb::Consumer<u8>,
    listener: Listener,
    verdict: Option<Verdict>,
    events: mpsc::Sender<TakeEvent>,
    charge: Weak<()>,
    places: Vec<Place>,
    next: u32,
    /// Until when its end is looked for every few milliseconds.
    ends: Option<Instant>,
    is_sealed: bool,
    _place: Reservation,
}

/// How long an announced end is waited for before the take goes back to the ordinary rounds.
const PATIENCE: Duration = Duration::from_secs(1);

impl Recorded {
    pub(super) fn new(
        id: MessageId,
        begun: Begun,
        ring: rtrb::Consumer<u8>,
        rules: &Rules,
        events: mpsc::Sender<TakeEvent>,
        charge: Weak<()>,
        place: Reservation,
    ) -> Self {
        Self {
            id,
            begun,
            ring,
            listener: Listener::new(rules),
            verdict: None,
            events,
            charge,
            places: Vec::new(),
            next: 0,
            ends: None,
            is_sealed: false,
            _place: place,
        }
    }

    /// Writes its first block.
    pub(super) fn begin(&mut self, log: &mut Log, json: &[u8]) {
        self.append(log, Kind::Begin, json);
    }

    /// Its end was announced.
    pub(super) fn ends(&mut self, now: Instant) {
        self.ends = Some(now + PATIENCE);
    }

    /// Whether its end should be looked for sooner than in the next round.
    pub(super) fn is_ending(&self, now: Instant) -> bool {
        !self.is_sealed && self.ends.is_some_and(|until| now < until)
    }

    /// Whether its last block is written, though maybe not synced.
    pub(super) fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Whether the ring's producer is gone, with what it pushed still to be taken.
    pub(super) fn is_over(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// Empties the ring into the log, and seals the take if that was all.
    pub(super) fn drain(&mut self, log: &mut Log) {
        // Asked before the ring is emptied: what was pushed before the producer went is in it then.
        let over = self.is_over();
        self.listen(log);
        if over && !self.is_sealed {
            let samples = self.samples();
            let voiced = samples_in(self.listener.voiced(samples));
            self.append(log, Kind::Seal, &Seal { samples, voiced }.to_bytes());
            self.is_sealed = true;
        }
    }

    /// Empties the ring into the log.
    pub(super) fn listen(&mut self, log: &mut Log) {
        let waiting = self.ring.slots();
        if self.is_sealed || waiting == 0 {
            return;
        }
        if let Ok(chunk) = self.ring.read_chunk(waiting) {
            let (one, two) = chunk.as_slices();
            let bytes = [one, two].concat();
            chunk.commit_all();
            self.hear(log, &bytes);
        }
    }

    /// Its blocks moved.
    pub(super) fn follow(&mut self, moved: Moved) {
        self.places.iter_mut().for_each(|it| it.follow(moved));
    }

    /// Everything is on disk: puts it on the shelf by `put`, then says so.
    pub(super) fn settle(self, put: impl FnOnce(Shelved)) {
        let (kept, events) = self.shelve(false, put);
        tell(&events, TakeEvent::Sealed(kept));
    }

    /// It could not be written: what is on disk of it goes on the shelf.
    pub(super) fn fail(
        mut self,
        why: SpoolError,
        is_there: impl Fn(&Place) -> bool,
        put: impl FnOnce(Shelved),
    ) {
        self.places.retain(is_there);
        if self.places.is_empty() {
            return tell(&self.events, TakeEvent::Failed { why, kept: None });
        }
        let (kept, events) = self.shelve(true, put);
        tell(&events, TakeEvent::Failed { why, kept: Some(kept) });
    }

    /// It was discarded while it was recorded.
    pub(super) fn forget(self) {
        tell(&self.events, TakeEvent::Failed { why: SpoolError::Gone(self.id), kept: None });
    }

    fn hear(&mut self, log: &mut Log, bytes: &[u8]) {
        // After a verdict the sound goes nowhere, until the producer is dropped.
        if self.verdict.is_some() {
            return;
        }
        let place = self.append(log, Kind::Data, bytes);
        self.places.push(place);
        let codec = self.begun.codec;
        let samples: Vec<_> = bytes.iter().map(|&it| codec.decode(it)).collect();
        self.verdict = self.listener.hear(&samples);
        if let Some(verdict) = self.verdict {
            tell(&self.events, TakeEvent::Verdict(verdict));
        }
    }

    fn append(&mut self, log: &mut Log, kind: Kind, payload: &[u8]) -> Place {
        let number = self.next;
        self.next += 1;
        log.append(&Block { kind, take: self.id, number, payload })
    }

    /// How much of it counts.
    fn samples(&self) -> u64 {
        let written = self.places.iter().map(Place::samples).sum();
        self.verdict.map_or(written, |it| it.keep.min(written))
    }

    fn shelve(
        self,
        interrupted: bool,
        put: impl FnOnce(Shelved),
    ) -> (Kept, mpsc::Sender<TakeEvent>) {
        let samples = self.samples();
        let voiced = self.listener.voiced(samples);
        let take = Take { id: self.id, length: length_of(samples), voiced };
        let Begun { label, codec } = self.begun;
        let kept = Kept { take, label, codec, interrupted };
        put(Shelved { kept: kept.clone(), places: self.places, charge: self.charge });
        (kept, self.events)
    }
}

/// Nobody may be listening any more; the take goes its way all the same.
fn tell(events: &mpsc::Sender<TakeEvent>, event: TakeEvent) {
    let _ = events.try_send(event);
}
