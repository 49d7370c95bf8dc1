//! The spool: takes on disk while they are spoken, until they are filed.
//!
//! One thread writes them all to one append-only log. The media plane pushes encoded bytes into a
//! ring per take and never waits; the thread empties the rings every 400 ms, lets a
//! [`Listener`](crate::audio::listener::Listener) judge what came, and has it synced once a second for
//! all calls, at once when a take is complete or taken back. A slow sync holds up what waits for
//! it, not the emptying of rings. What a crash leaves is found by [`Spool::open`]: sealed takes whole,
//! others up to their last good block.
//!
//! It ends where a take is filed. It knows no mailbox beyond the label it was given, no database
//! and no call; it never decides that a take is kept or not.

mod block;
mod disk;
mod error;
mod keeper;
mod log;
mod recover;
mod settings;
mod shelf;
mod stretch;
mod syncer;
mod take;

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

pub use self::{
    disk::{Disk, Trouble},
    error::SpoolError,
    settings::Settings,
};
use self::{
    keeper::{Keeper, Order},
    shelf::Shelf,
};
use crate::{
    audio::{
        Codec,
        listener::{Rules, Verdict},
        ring,
        wav::Sound,
    },
    mailbox::{Caller, MailboxId, MessageId, Reason, Said, Take, TenantId, Timestamp},
};

/// The most takes recorded at the same time. One in G.722 counts as two, one in Opus as four, for
/// all that is recorded is decoded and listened to by one thread.
pub const MOST_TAKES: usize = 4_000;
/// The most takes that wait to be filed; beyond, no new ones are begun.
pub const MOST_KEPT: usize = 50_000;
/// Changes of codec in one take that may wait for the thread.
const MOST_CHANGES: usize = 8;
/// Orders that may wait for the thread; who has more waits with them.
const MOST_ORDERS: usize = 1_024;

/// What a take needs to be filed after a crash, when nothing else is known of its call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where it goes.
    pub mailbox: MailboxId,
    /// Whose mailbox that is.
    pub tenant: TenantId,
    /// Who called.
    pub caller: Caller,
    /// When the beep was.
    pub received: Timestamp,
    /// The Call-ID, to find it in logs; at most 255 characters of it are kept.
    pub call: String,
    /// Why it came to the mailbox. Labels of the first version do not tell.
    #[serde(default)]
    pub reason: Reason,
    /// An owner spoke it for something else than a message. With nobody in charge it is discarded.
    #[serde(default)]
    pub dictated: bool,
    /// What the caller said of it, which is known only later: see [`Spool::say`].
    #[serde(skip)]
    pub said: Said,
}

/// A take that is on disk and waits to be filed or discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its id, its length without a closing silence or tone, and how much of it is voice.
    pub take: Take,
    /// What it was begun with.
    pub label: Label,
    /// What it was spoken in when it began.
    pub codec: Codec,
    /// Its end is missing: the server or the disk failed while it was spoken.
    pub interrupted: bool,
}

/// What happens to a take while it is recorded.
#[derive(Debug, Clone)]
pub enum TakeEvent {
    /// It is over: whoever writes the ring should let go of it. Nothing more is kept.
    Verdict(Verdict),
    /// It is whole, and on disk. The last event.
    Sealed(Kept),
    /// It could not be written, or was discarded. The last event.
    Failed {
        /// What happened.
        why: SpoolError,
        /// What is on disk of it all the same; it waits to be filed or discarded.
        kept: Option<Kept>,
    },
}

/// What the spool has done since it was opened, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Takes being recorded.
    pub recording: usize,
    /// Takes that wait to be filed or discarded.
    pub kept: usize,
    /// Segments on disk.
    pub segments: usize,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes of them known to be on disk.
    pub safe: u64,
    /// Syncs of a segment.
    pub syncs: u64,
    /// Writes and syncs that failed.
    pub failures: u64,
    /// Takes that could not be written to their end.
    pub failed_takes: u64,
    /// Bytes the disk had left within the last second.
    pub free: u64,
}

/// The way to the spool. Clones lead to the same one; it closes when the last is gone.
#[derive(Debug, Clone)]
pub struct Spool {
    orders: SyncSender<Order>,
    shelf: Arc<Shelf>,
    least_free: u64,
}

/// One take while it is recorded. Dropped, the take goes on until its writer is; nobody hears of
/// it then but [`Spool::left`].
#[derive(Debug)]
pub struct Recording {
    id: MessageId,
    events: mpsc::Receiver<Box<TakeEvent>>,
    over: bool,
    spool: Spool,
    sequel: take::Sequel,
    /// As long as this lives, somebody is in charge of the take.
    _charge: Arc<()>,
}

impl Spool {
    /// Opens the spool, and answers what was in it: takes to be filed, oldest first. They are there
    /// again the next time unless they are filed or discarded.
    pub fn open(settings: &Settings) -> Result<(Self, Vec<Kept>), SpoolError> {
        Self::open_on(settings, Disk::Real)
    }

    /// The same on a disk of one's choice.
    pub fn open_on(settings: &Settings, disk: Disk) -> Result<(Self, Vec<Kept>), SpoolError> {
        settings.check()?;
        let (keeper, shelf) = Keeper::open(settings, disk)?;
        let found = shelf.all();
        let (orders, inbox) = sync_channel(MOST_ORDERS);
        std::thread::Builder::new()
            .name("spool".into())
            .spawn(move || keeper.run(&inbox))
            .map_err(|cause| SpoolError::Open(settings.directory.clone(), cause.into()))?;
        Ok((Self { orders, shelf, least_free: settings.least_free }, found))
    }

    /// Begins a take, at the beep. The writer goes to whoever has the sound: in G.711 a byte a
    /// sample, else whole [pieces](crate::audio::piece); letting go of it ends the take. Does not wait
    /// for the disk.
    pub fn begin(
        &self,
        id: MessageId,
        mut label: Label,
        codec: Codec,
        rules: Rules,
    ) -> Result<(ring::Writer, Recording), SpoolError> {
        let place = self.shelf.reserve(self.least_free, codec)?;
        label.call = label.call.chars().take(255).collect();
        let begun = Begun { label, codec };
        let json = serde_json::to_vec(&begun).map_err(|_| SpoolError::Label)?;
        if json.len() > block::LONGEST {
            return Err(SpoolError::Label);
        }
        let (writer, ring) = ring::new();
        // A verdict and one last event: the thread never waits for room.
        let (sender, events) = mpsc::channel(4);
        let charge = Arc::new(());
        let watch = Arc::downgrade(&charge);
        let sequel = take::Sequel::default();
        let ends = (ring, sequel.clone());
        let take = take::Recorded::new(id, begun, ends, &rules, sender, watch, place);
        self.order(Order::Begin(Box::new(take), json))?;
        let spool = self.clone();
        Ok((writer, Recording { id, events, over: false, spool, sequel, _charge: charge }))
    }

    /// The sound of a take that waits to be filed: at 16,000 samples a second if any of it was
    /// spoken in wideband, else at 8,000. Reads the disk and decodes.
    pub fn read(&self, id: MessageId) -> Result<Sound, SpoolError> {
        self.shelf.read(id)
    }

    /// The same as it was recorded, and the codec it begins in: of G.711 a byte a sample, of others
    /// pieces, the last of which may reach beyond the take's end.
    pub fn read_encoded(&self, id: MessageId) -> Result<(Codec, Vec<u8>), SpoolError> {
        self.shelf.read_encoded(id)
    }

    /// Notes what the caller says of a take that waits, so that it is known whenever it is filed. It is
    /// on disk a moment later.
    pub fn say(&self, id: MessageId, said: Said) -> Result<(), SpoolError> {
        self.order(Order::Say(id, said))
    }

    /// Forgets a take for good, also one that is still recorded. Returns once that is on disk; a
    /// take that is not there is forgotten already. Begun once, it happens even if nobody waits.
    pub async fn discard(&self, id: MessageId) -> Result<(), SpoolError> {
        let (reply, done) = oneshot::channel();
        self.tell(Order::Discard(id, reply)).await?;
        done.await.unwrap_or(Err(SpoolError::Closed))
    }

    /// The take lies in a mailbox: it may go. Should that be forgotten in a crash, the take is
    /// found again, and filing it again changes nothing.
    pub async fn filed(&self, id: MessageId) {
        // Closed: the take stays until the next start, as above.
        let _ = self.tell(Order::Filed(id)).await;
    }

    /// Takes that wait to be filed and whose [`Recording`] is gone: nobody is in charge of them.
    pub fn left(&self) -> Vec<Kept> {
        self.shelf.left()
    }

    /// Whether new takes can be written.
    pub fn healthy(&self) -> bool {
        self.check().is_ok()
    }

    /// Why new takes cannot be written, if so.
    pub fn check(&self) -> Result<(), SpoolError> {
        self.shelf.check(self.least_free)
    }

    /// What it has done and holds, as of the last tenth of a second.
    pub fn counters(&self) -> Counters {
        self.shelf.counters()
    }

    /// Writes what there is and stops. Takes still recorded are found as interrupted at the next
    /// start.
    pub async fn close(self) {
        let (reply, done) = oneshot::channel();
        if self.tell(Order::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    fn order(&self, order: Order) -> Result<(), SpoolError> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => SpoolError::Busy,
            TrySendError::Disconnected(_) => SpoolError::Closed,
        })
    }

    async fn tell(&self, mut order: Order) -> Result<(), SpoolError> {
        loop {
            match self.orders.try_send(order) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(SpoolError::Closed),
                Err(TrySendError::Full(same)) => order = same,
            }
            // The thread takes orders by the thousand; a full queue is empty again in a moment, and tells nobody.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Recording {
    /// The next event. Cancel-safe; never answers again after the last one.
    pub async fn next(&mut self) -> TakeEvent {
        if self.over {
            return std::future::pending().await;
        }
        let closed = TakeEvent::Failed { why: SpoolError::Closed, kept: None };
        let event = self.events.recv().await.map_or(closed, |it| *it);
        self.over = !matches!(event, TakeEvent::Verdict(_));
        event
    }

    /// The caller speaks in another codec from now on: where that goes. The take goes on with it
    /// once its present writer is dropped, so ask for this before that. `None` when callers change
    /// their codec faster than the thread follows.
    pub fn go_on(&self, codec: Codec) -> Option<ring::Writer> {
        let mut sequel = self.sequel.lock().unwrap_or_else(PoisonError::into_inner);
        if sequel.len() >= MOST_CHANGES {
            return None;
        }
        let (writer, ring) = ring::new();
        sequel.push_back(take::Source { codec, ring });
        Some(writer)
    }

    /// Says that the writer is or will presently be dropped, so that the thread seals the take
    /// within milliseconds instead of at its next round.
    pub fn ends(&self) {
        // With too many orders waiting, the next round will do.
        let _ = self.spool.order(Order::Ends(self.id));
    }

    /// Which take this is.
    pub fn id(&self) -> MessageId {
        self.id
    }
}

/// What a take's first block says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Begun {
    label: Label,
    codec: Codec,
}

/// How many takes are being recorded, and how many of the [`MOST_TAKES`] that makes.
#[derive(Debug, Default)]
struct Taken {
    takes: AtomicUsize,
    places: AtomicUsize,
}

/// The place of one take; given back when it is dropped.
#[derive(Debug)]
struct Reservation {
    taken: Arc<Taken>,
    places: usize,
}

impl Reservation {
    fn new(taken: &Arc<Taken>, places: usize) -> Option<Self> {
        let more = |it: usize| Some(it + places).filter(|it| *it <= MOST_TAKES);
        taken.places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        taken.takes.fetch_add(1, Ordering::Relaxed);
        Some(Self { taken: taken.clone(), places })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.taken.takes.fetch_sub(1, Ordering::Relaxed);
        self.taken.places.fetch_sub(self.places, Ordering::Relaxed);
    }
}
