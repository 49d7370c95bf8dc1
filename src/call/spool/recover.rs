//! What a spool holds when it is opened: read from its segments, whatever state they are in.

use std::collections::{HashMap, HashSet};

use super::{
    Begun,
    block::{Block, Kind, MAGIC, Seal, said_from_bytes},
    log::{Place, Segment},
};
use crate::mailbox::{MessageId, Said};

/// Reads segments one after the other, oldest first.
#[derive(Debug, Default)]
pub(super) struct Scan {
    takes: HashMap<MessageId, Found>,
    ended: HashSet<MessageId>,
}

/// A take that was found and has no end-mark.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) begun: Option<Begun>,
    pub(super) places: Vec<Place>,
    /// `None`: it was being spoken when everything stopped.
    pub(super) seal: Option<Seal>,
    /// What its caller said of it.
    pub(super) said: Said,
    /// A block between others is missing.
    pub(super) has_gap: bool,
    next: u32,
}

impl Scan {
    /// Reads a segment up to its end or its first bad block. Answers what it holds, and how many
    /// bytes at its end could not be read.
    pub(super) fn read(&mut self, number: u32, bytes: &[u8]) -> (Segment, usize) {
        let mut segment = Segment::default();
        let mut at = 0;
        while let Ok(Some((block, length))) = Block::read(&bytes[at..]) {
            segment.note(block.kind, block.take);
            if block.kind.is_end() {
                self.ended.insert(block.take);
            } else if block.kind == Kind::Said {
                let found = self.takes.entry(block.take).or_default();
                found.said = said_from_bytes(block.payload);
            } else {
                let place = Place::new(number, at as u64, &block);
                self.takes.entry(block.take).or_default().add(&block, place);
            }
            at += length;
        }
        if holds_more(&bytes[at..]) {
            segment.keep_aside();
        }
        (segment, bytes.len() - at)
    }

    /// The takes without an end-mark, oldest first: ids are time-ordered.
    pub(super) fn finish(self) -> Vec<(MessageId, Found)> {
        let mut takes: Vec<_> =
            self.takes.into_iter().filter(|(id, _)| !self.ended.contains(id)).collect();
        takes.sort_by_key(|(id, _)| *id);
        takes
    }
}

impl Found {
    /// Blocks of a take lie in order, but what could not be synced was written once more elsewhere.
    fn add(&mut self, block: &Block<'_>, place: Place) {
        if block.number < self.next {
            return;
        }
        self.has_gap |= block.number > self.next;
        self.next = block.number.saturating_add(1);
        match block.kind {
            Kind::Begin => self.begun = serde_json::from_slice(block.payload).ok(),
            Kind::Data => self.places.push(place),
            Kind::Seal => self.seal = Seal::from_bytes(block.payload),
            Kind::Discard | Kind::Filed | Kind::Said => {}
        }
    }
}

/// A power cut leaves a torn end; a whole block behind a bad one means that something else
/// happened, and a person may want to look at it.
fn holds_more(rest: &[u8]) -> bool {
    let later = (1..rest.len()).filter(|&at| rest[at..].starts_with(MAGIC));
    later.into_iter().any(|at| matches!(Block::read(&rest[at..]), Ok(Some(_))))
}
