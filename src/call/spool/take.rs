//! One take while it is recorded: from its ring, past its listener, into the log.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
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
    audio::{
        Codec,
        decoder::{Decoder, Width},
        listener::{Listener, Rules, Verdict, length_of, samples_in},
        ring,
    },
    mailbox::{MessageId, Take},
};

/// Where a take's sound comes out, and what it is spoken in.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) codec: Codec,
    pub(super) ring: ring::Reader,
}

/// What a take goes on with once its present ring is at its end: it changed its codec.
pub(super) type Sequel = Arc<Mutex<VecDeque<Source>>>;

/// A take being recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) id: MessageId,
    begun: Begun,
    source: Source,
    sequel: Sequel,
    /// Makes of the ring what the listener hears; `None` where it cannot be heard, only kept.
    decoder: Option<Decoder>,
    listener: Listener,
    verdict: Option<Verdict>,
    events: mpsc::Sender<Box<TakeEvent>>,
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
        (ring, sequel): (ring::Reader, Sequel),
        rules: &Rules,
        events: mpsc::Sender<Box<TakeEvent>>,
        charge: Weak<()>,
        place: Reservation,
    ) -> Self {
        let codec = begun.codec;
        Self {
            id,
            begun,
            source: Source { codec, ring },
            sequel,
            decoder: Decoder::new(codec, Width::Narrow),
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
        self.append(log, Kind::Begin, None, json);
    }

    /// Its end was announced.
    pub(super) fn ends(&mut self, now: Instant) {
        self.ends = Some(now + PATIENCE);
    }

    /// Whether its end should be looked for sooner than in the next round.
    pub(super) fn is_ending(&self, now: Instant) -> bool {
        !self.is_sealed && self.ends.is_some_and(|until| now < until)
    }

    /// Whether nobody writes the ring any more. What is in it is still to be taken.
    pub(super) fn is_over(&self) -> bool {
        self.source.ring.is_abandoned()
    }

    /// Empties the ring into the log; goes on with the next, or seals the take if that was all. Whether
    /// it is sealed from now on.
    pub(super) fn drain(&mut self, log: &mut Log) -> bool {
        if self.is_sealed || !self.listen(log) {
            return false;
        }
        let samples = self.samples();
        let voiced = samples_in(self.listener.voiced(samples));
        self.append(log, Kind::Seal, None, &Seal { samples, voiced }.to_bytes());
        self.is_sealed = true;
        true
    }

    /// Empties the ring into the log, and those that follow it. Whether that was all.
    pub(super) fn listen(&mut self, log: &mut Log) -> bool {
        loop {
            // Asked before the ring is emptied: what was written before its writer went is in it then.
            let over = self.is_over();
            self.empty(log);
            if !over || !self.go_on() {
                return over;
            }
        }
    }

    fn empty(&mut self, log: &mut Log) {
        if self.is_sealed {
            return;
        }
        let bytes = self.source.ring.take();
        if !bytes.is_empty() {
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
        // After a verdict the sound goes nowhere, until the writer is dropped.
        if self.verdict.is_some() {
            return;
        }
        let place = self.append(log, Kind::Data, Some(self.source.codec), bytes);
        self.places.push(place);
        let mut samples = Vec::new();
        if let Some(decoder) = &mut self.decoder {
            // Whoever writes the ring writes whole pieces.
            let _ = decoder.decode(bytes, &mut samples);
        }
        self.judge(&samples);
    }

    fn judge(&mut self, samples: &[i16]) {
        self.verdict = self.listener.hear(samples);
        if let Some(verdict) = self.verdict {
            tell(&self.events, TakeEvent::Verdict(verdict));
        }
    }

    /// Goes on with another ring, if there is one.
    fn go_on(&mut self) -> bool {
        let mut sequel = self.sequel.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = sequel.pop_front() else { return false };
        drop(sequel);
        let mut rest = Vec::new();
        self.decoder.iter_mut().for_each(|it| it.finish(&mut rest));
        if self.verdict.is_none() {
            self.judge(&rest);
        }
        self.decoder = Decoder::new(next.codec, Width::Narrow);
        self.source = next;
        true
    }

    fn append(&mut self, log: &mut Log, kind: Kind, codec: Option<Codec>, payload: &[u8]) -> Place {
        let number = self.next;
        self.next += 1;
        log.append(&Block { kind, codec, take: self.id, number, payload })
    }

    /// How much of it counts.
    fn samples(&self) -> u64 {
        let written = self.places.iter().map(Place::samples).sum();
        let judged = self.verdict.map_or(written, |it| it.keep.min(written));
        self.listener.before_key().map_or(judged, |it| it.min(judged))
    }

    fn shelve(
        self,
        interrupted: bool,
        put: impl FnOnce(Shelved),
    ) -> (Kept, mpsc::Sender<Box<TakeEvent>>) {
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
fn tell(events: &mpsc::Sender<Box<TakeEvent>>, event: TakeEvent) {
    let _ = events.try_send(Box::new(event));
}
