//! Hold music as it plays: beds that many hear, and beds of one's own.
//!
//! A bed is a row of [segments](crate::audio::bed), written a few seconds ahead of those who hear it.
//! What a class shares is fed by one task for as long as anybody listens; nobody feeds what nobody
//! hears. Where everybody begins at the beginning, whoever listens feeds their own.

mod feed;
mod house;
mod icy;
mod live;
mod memory;
mod shelf;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

pub use feed::Feed;
pub use icy::Open;
use live::Told;
pub use live::{State, Status, open};
use shelf::Shelf;

use crate::{
    app::App,
    audio::{Clip, bed::Segment},
    clock,
    mailbox::TenantId,
    music::{Class, ClassId},
    store::{Db, StoreError, tenants::Tenant},
};

/// A segment is kept for so long after it is over.
const LET_GO: Duration = Duration::from_secs(10);

/// All beds of a server. Clones are the same ones.
#[derive(Clone)]
pub struct Beds(Arc<Inner>);

struct Inner {
    shelf: Arc<Shelf>,
    shared: Mutex<HashMap<ClassId, Arc<Place>>>,
}

/// Where the bed of one class is. Held while it begins: who asks at the same time waits for the same bed.
type Place = tokio::sync::Mutex<Option<Shared>>;

/// A bed that many hear, for as long as they do.
struct Shared {
    bed: Weak<Bed>,
    /// How its live stream is.
    told: Told,
}

/// What is being played to somebody.
#[derive(Debug)]
pub struct Bed {
    playing: Mutex<VecDeque<Playing>>,
}

#[derive(Debug, Clone)]
struct Playing {
    segment: Arc<Segment>,
    ends: Instant,
}

/// What a caller is played.
pub struct Listening {
    /// What they hear first.
    pub intro: Option<Arc<Clip>>,
    /// What they hear then.
    pub bed: Arc<Bed>,
    /// To be waited for while they listen, where the bed is their own.
    pub feed: Option<Box<Feed>>,
}

/// Why there is nothing to hear.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The class is turned off.
    #[error("the hold music {0:?} is turned off")]
    Off(String),
    /// The database cannot be asked.
    #[error("hold music cannot be looked up")]
    Store(#[from] StoreError),
    /// Nothing of it can be played.
    #[error("no hold music can be played")]
    Silent(#[source] anyhow::Error),
}

impl Beds {
    /// Nothing plays yet.
    pub fn new(app: App) -> Self {
        Self(Arc::new(Inner { shelf: Arc::new(Shelf::new(app)), shared: Default::default() }))
    }

    /// Makes the music of the house ready, some time after the start.
    pub async fn prepare(self) {
        house::prepare(self.0.shelf.app.clone()).await;
    }

    /// The class that is meant by a name at a tenant, or without one; `None` if the tenant has no
    /// music and hears that of the house.
    pub async fn meant(
        &self,
        tenant: &Tenant,
        name: Option<&str>,
    ) -> Result<Option<Class>, StoreError> {
        self.0.shelf.meant(tenant, name).await
    }

    /// The tenant whose calls come to this host.
    pub async fn tenant(&self, host: &str) -> Result<Option<Tenant>, StoreError> {
        self.0.shelf.tenant(host).await
    }

    /// Begins to listen: to what others hear where that is shared, else to the beginning.
    pub async fn listen(
        &self,
        tenant: &TenantId,
        class: Option<Class>,
    ) -> Result<Listening, HoldError> {
        if let Some(class) = class.as_ref().filter(|it| !it.manner.enabled) {
            return Err(HoldError::Off(class.name.clone()));
        }
        let intro = match class.as_ref().and_then(|it| it.manner.intro.as_ref()) {
            Some(name) => self.announcement(tenant, name).await.unwrap_or_else(|error| {
                tracing::warn!(name, "an introductory greeting is left out: {error:#}");
                None
            }),
            None => None,
        };
        let begin = |class| Feed::begin(self.0.shelf.clone(), tenant.clone(), class);
        let shared = class.as_ref().filter(|it| it.manner.is_shared()).map(|it| it.id.clone());
        let Some(id) = shared else {
            let (bed, feed) = begin(class).await.map_err(HoldError::Silent)?;
            return Ok(Listening { intro, bed, feed: Some(feed) });
        };
        let place = self.place(&id);
        let mut shared = place.lock().await;
        if let Some(bed) = shared.as_ref().and_then(|it| it.bed.upgrade()) {
            return Ok(Listening { intro, bed, feed: None });
        }
        let (bed, feed) = begin(class).await.map_err(HoldError::Silent)?;
        *shared = Some(Shared { bed: Arc::downgrade(&bed), told: feed.told() });
        tokio::spawn(feed.run());
        Ok(Listening { intro, bed, feed: None })
    }

    /// The place of a class; those where nothing plays any more are forgotten.
    fn place(&self, class: &ClassId) -> Arc<Place> {
        let mut places = self.0.shared.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|id, it| {
            let plays =
                |it: &Option<Shared>| it.as_ref().is_some_and(|it| it.bed.strong_count() > 0);
            id == class || Arc::strong_count(it) > 1 || it.try_lock().is_ok_and(|it| plays(&it))
        });
        places.entry(class.clone()).or_default().clone()
    }

    /// How the live stream of a class is; `None` while nobody listens to it.
    pub fn status(&self, class: &ClassId) -> Option<Status> {
        let place = self.place(class);
        // While it begins, it is being reached.
        let Ok(shared) = place.try_lock() else {
            return Some(Status::begun(self.0.shelf.app.clock.now()));
        };
        let it = shared.as_ref().filter(|it| it.bed.strong_count() > 0)?;
        it.told.borrow().clone()
    }

    /// Where what they play is looked up.
    pub fn db(&self) -> &Db {
        &self.0.shelf.app.db
    }

    /// What a tenant has said under this name, if it has.
    pub async fn announcement(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> anyhow::Result<Option<Arc<Clip>>> {
        self.0.shelf.announcement(tenant, name).await
    }
}

impl Bed {
    /// One that begins with this segment now.
    fn new(first: Arc<Segment>, now: Instant) -> Self {
        let bed = Self { playing: Mutex::default() };
        bed.append(first, now);
        bed
    }

    /// Goes on with this segment, or begins again with it where it had broken off. Answers when that will
    /// be over. What is over is let go, some time after its last listener has left it, so that it is
    /// not they who free it.
    fn append(&self, segment: Arc<Segment>, now: Instant) -> Instant {
        let mut playing = self.playing();
        while playing.len() > 1 && playing.front().is_some_and(|it| it.ends + LET_GO <= now) {
            playing.pop_front();
        }
        if let Some(last) = playing.back() {
            last.segment.then(segment.clone());
        }
        let begins = playing.back().map_or(now, |it| it.ends.max(now));
        let ends = begins + Duration::from_micros(segment.ticks() as u64 * 125);
        playing.push_back(Playing { segment, ends });
        ends
    }

    /// Where it is now.
    pub fn place(&self) -> (Arc<Segment>, usize) {
        self.place_at(clock::instant())
    }

    fn place_at(&self, now: Instant) -> (Arc<Segment>, usize) {
        let playing = self.playing();
        let now_playing = playing.iter().find(|it| it.ends > now).or(playing.back());
        let Playing { segment, ends } = now_playing.expect("a bed begins with a segment");
        let left = ends.saturating_duration_since(now).as_micros() as usize / 125;
        (segment.clone(), segment.until().saturating_sub(left).max(segment.from()))
    }

    fn playing(&self) -> std::sync::MutexGuard<'_, VecDeque<Playing>> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of one second each.
    fn segment() -> Arc<Segment> {
        Segment::whole(Arc::new(Clip::new("second", &[0; 8_000])))
    }

    #[test]
    fn a_bed_that_plays_for_a_day_holds_no_more_than_one_that_plays_for_a_minute() {
        let begun = clock::instant();
        let bed = Bed::new(segment(), begun);
        for second in 1..86_400 {
            bed.append(segment(), begun + Duration::from_secs(second - 1));
        }
        assert!(bed.playing().len() < 20, "{}", bed.playing().len());
    }

    #[test]
    fn whoever_comes_hears_the_moment_that_all_hear() {
        let begun = clock::instant();
        let bed = Bed::new(segment(), begun);
        let second = segment();
        bed.append(second.clone(), begun);
        let (heard, at) = bed.place_at(begun + Duration::from_millis(1_250));
        assert!(Arc::ptr_eq(&heard, &second));
        assert_eq!(at, 2_000);
    }

    #[test]
    fn what_comes_too_late_begins_when_it_comes() {
        let begun = clock::instant();
        let bed = Bed::new(segment(), begun);
        let late = begun + Duration::from_secs(5);
        assert_eq!(bed.append(segment(), late), late + Duration::from_secs(1));
    }
}
