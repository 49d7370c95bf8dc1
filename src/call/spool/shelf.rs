//! What everyone may know of the spool at any time: the takes that wait, and how the thread fares.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use super::{
    Counters, Kept, MOST_KEPT, Reservation, SpoolError, Taken,
    log::{self, Place},
    stretch::{self, Stretch},
};
use crate::{
    audio::{
        Codec,
        listener::{Listener, Rules, samples_in},
        wav::Sound,
    },
    mailbox::{MessageId, Said},
};

/// Shared by the thread and everyone who holds a [`Spool`](super::Spool). Locks are held for
/// moments.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    takes: Mutex<HashMap<MessageId, Arc<Shelved>>>,
    recording: Arc<Taken>,
    status: Mutex<Status>,
}

/// A take that waits, and where its blocks lie.
#[derive(Debug, Clone)]
pub(super) struct Shelved {
    pub(super) kept: Kept,
    pub(super) places: Vec<Place>,
    /// Alive as long as the take's `Recording` is.
    pub(super) charge: Weak<()>,
}

#[derive(Debug, Default)]
struct Status {
    counters: Counters,
    failing: Option<Arc<io::Error>>,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf) -> Self {
        let (takes, status) = (Mutex::default(), Mutex::default());
        Self { folder, takes, recording: Arc::default(), status }
    }

    pub(super) fn put(&self, take: Shelved) {
        lock(&self.takes).insert(take.kept.take.id, Arc::new(take));
    }

    /// Whether it was there.
    pub(super) fn remove(&self, id: MessageId) -> bool {
        lock(&self.takes).remove(&id).is_some()
    }

    /// Notes what the caller says of a take; whether it is there.
    pub(super) fn say(&self, id: MessageId, said: Said) -> bool {
        let mut takes = lock(&self.takes);
        let Some(take) = takes.get_mut(&id) else { return false };
        Arc::make_mut(take).kept.label.said = said;
        true
    }

    pub(super) fn holds(&self, id: &MessageId) -> bool {
        lock(&self.takes).contains_key(id)
    }

    /// Everything that waits, oldest first.
    pub(super) fn all(&self) -> Vec<Kept> {
        self.these(|_| true)
    }

    /// What waits with nobody in charge.
    pub(super) fn left(&self) -> Vec<Kept> {
        self.these(|it| it.charge.strong_count() == 0)
    }

    /// The sound of a take, up to its length.
    pub(super) fn read(&self, id: MessageId) -> Result<Sound, SpoolError> {
        let (stretches, ticks) = self.stretches(id)?;
        let sound = stretch::sound(&stretches, ticks);
        sound.map_err(|cause| SpoolError::Unreadable(id, io::Error::other(cause).into()))
    }

    /// The same as it was recorded.
    pub(super) fn read_encoded(&self, id: MessageId) -> Result<(Codec, Vec<u8>), SpoolError> {
        let codec = lock(&self.takes).get(&id).ok_or(SpoolError::Gone(id))?.kept.codec;
        let (stretches, ticks) = self.stretches(id)?;
        let mut bytes: Vec<u8> = stretches.into_iter().flat_map(|it| it.bytes).collect();
        if codec.law().is_some() {
            bytes.truncate(usize::try_from(ticks).unwrap_or(usize::MAX));
        }
        Ok((codec, bytes))
    }

    /// How much of a take is voice, by hearing it.
    pub(super) fn voiced(&self, take: &Shelved) -> io::Result<Duration> {
        let samples = stretch::narrow(&self.read_places(take)?).map_err(io::Error::other)?;
        let mut listener = Listener::new(&Rules::endless());
        listener.hear(&samples);
        Ok(listener.voiced(samples.len() as u64))
    }

    /// A place among those recorded at the same time, if a take may be begun now.
    pub(super) fn reserve(&self, least_free: u64, codec: Codec) -> Result<Reservation, SpoolError> {
        self.check(least_free)?;
        if lock(&self.takes).len() >= MOST_KEPT {
            return Err(SpoolError::Busy);
        }
        Reservation::new(&self.recording, places(codec)).ok_or(SpoolError::Busy)
    }

    /// Why no take may be begun now, if so.
    pub(super) fn check(&self, least: u64) -> Result<(), SpoolError> {
        let status = lock(&self.status);
        if let Some(cause) = &status.failing {
            return Err(SpoolError::Failing(cause.clone()));
        }
        let free = status.counters.free;
        if free < least { Err(SpoolError::NoRoom { free, least }) } else { Ok(()) }
    }

    pub(super) fn counters(&self) -> Counters {
        let kept = lock(&self.takes).len();
        let recording = self.recording.takes.load(Ordering::Relaxed);
        Counters { recording, kept, ..lock(&self.status).counters }
    }

    /// Tells how the thread fares.
    pub(super) fn report(&self, counters: Counters, failing: Option<&Arc<io::Error>>) {
        *lock(&self.status) = Status { counters, failing: failing.cloned() };
    }

    fn these(&self, wanted: impl Fn(&Shelved) -> bool) -> Vec<Kept> {
        let takes = lock(&self.takes);
        let mut kept: Vec<_> =
            takes.values().filter(|it| wanted(it)).map(|it| it.kept.clone()).collect();
        kept.sort_by_key(|it| it.take.id);
        kept
    }

    /// What was recorded, and how many ticks of it count.
    fn stretches(&self, id: MessageId) -> Result<(Vec<Stretch>, u64), SpoolError> {
        let take = lock(&self.takes).get(&id).cloned().ok_or(SpoolError::Gone(id))?;
        let stretches = self.read_places(&take).map_err(|cause| {
            // It may have been filed, and its segment removed, while it was read.
            match self.holds(&id) {
                true => SpoolError::Unreadable(id, cause.into()),
                false => SpoolError::Gone(id),
            }
        })?;
        Ok((stretches, samples_in(take.kept.take.length)))
    }

    fn read_places(&self, take: &Shelved) -> io::Result<Vec<Stretch>> {
        let ticks = samples_in(take.kept.take.length);
        let (mut stretches, mut read) = (Vec::<Stretch>::new(), 0);
        // Nearly always there is one stretch; of many, each would ask for the whole.
        let mut room = take.places.iter().map(Place::bytes).sum();
        let mut open: Option<(u32, File)> = None;
        for place in &take.places {
            if read >= ticks {
                break;
            }
            let file = match open.take() {
                Some((segment, file)) if segment == place.segment => file,
                _ => File::open(log::path(&self.folder, place.segment))?,
            };
            let codec = place.codec.unwrap_or(take.kept.codec);
            if stretches.last().is_none_or(|it| it.codec != codec) {
                let bytes = Vec::with_capacity(std::mem::take(&mut room));
                stretches.push(Stretch { codec, bytes });
            }
            if let Some(stretch) = stretches.last_mut() {
                place.read(&file, take.kept.take.id, &mut stretch.bytes)?;
            }
            read += place.samples();
            open = Some((place.segment, file));
        }
        Ok(stretches)
    }
}

/// How many takes in G.711 a take costs as much as: what it costs to hear it, more or less.
fn places(codec: Codec) -> usize {
    match codec {
        Codec::Pcmu | Codec::Pcma => 1,
        Codec::G722 => 2,
        Codec::Opus => 4,
    }
}

/// A thread that panicked with a lock held leaves nothing half-done behind it here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
