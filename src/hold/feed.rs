//! What keeps a bed going.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::{
    Bed,
    live::{Live, Status},
    shelf::{PATIENCE, Shelf},
};
use crate::{
    audio::{Clip, bed::Segment},
    clock,
    mailbox::TenantId,
    music::{Class, Item, Programme, State},
    store::{self, music, tracks},
};

/// What comes next is there so long before it is heard: longer than a database that is away is asked.
const AHEAD: Duration = Duration::from_secs(10);
/// While a live stream is heard, how often it is looked whether it still is to be.
const LOOKS: Duration = Duration::from_secs(5);
/// The same of a live stream.
const AHEAD_LIVE: Duration = Duration::from_millis(800);
/// How long the next piece of a live stream is waited for before something else is heard.
const LATE: Duration = Duration::from_millis(500);
/// How long a live stream may take to begin.
const BEGINS: Duration = Duration::from_secs(3);
/// So many pieces of a live stream wait before it is heard again after it broke off.
const BACK: usize = 3;
/// What stands in for a live stream is heard in stretches of so many ticks, so that it can come back.
const STRETCH: usize = 8_000;
/// A live stream is read for so long after the last listener went: the next one may come soon.
const LINGER: Duration = Duration::from_secs(20);
/// Between two tries, while what comes next cannot be loaded.
const AGAIN: Duration = Duration::from_secs(1);

/// Keeps one bed going for as long as somebody holds it.
pub struct Feed {
    shelf: Arc<Shelf>,
    bed: Weak<Bed>,
    tenant: TenantId,
    /// `None` plays the music of the house.
    class: Option<Class>,
    programme: Programme,
    ends: Instant,
    live: Option<Live>,
    /// Whether something stands in for the live stream, and what of it is still to be heard.
    stands_in: bool,
    rest: Option<Arc<Segment>>,
    /// The bed of a live stream, which is not given up at once.
    kept: Option<(Arc<Bed>, Instant)>,
    /// What could be heard when the database was last reached, and when it was asked.
    known: Vec<Ready>,
    looked: Instant,
}

/// A track that can be heard.
struct Ready {
    blob: String,
    ticks: u64,
}

impl Feed {
    /// Begins a bed. Fails if nothing of it can be played, the music of the house included.
    pub(super) async fn begin(
        shelf: Arc<Shelf>,
        tenant: TenantId,
        class: Option<Class>,
    ) -> anyhow::Result<(Arc<Bed>, Self)> {
        let manner = class.as_ref().map(|it| it.manner.clone()).unwrap_or_default();
        let programme = Programme::new(manner.shuffle, manner.pause(), rand::random());
        let ends = clock::instant();
        let live = manner.stream.map(|url| Live::begin(shelf.app.clone(), url));
        let mut feed = Self {
            shelf,
            bed: Weak::new(),
            tenant,
            class,
            programme,
            ends,
            live,
            stands_in: false,
            rest: None,
            kept: None,
            known: Vec::new(),
            looked: ends,
        };
        let first = feed.next(BEGINS).await?;
        let now = clock::instant();
        feed.ends = now + Duration::from_micros(first.ticks() as u64 * 125);
        let bed = Arc::new(Bed::new(first, now));
        feed.bed = Arc::downgrade(&bed);
        feed.kept = feed.live.as_ref().map(|_| (bed.clone(), clock::instant()));
        Ok((bed, feed))
    }

    /// Feeds until nobody holds the bed any more.
    pub async fn run(mut self) {
        loop {
            let ahead = if self.live.is_some() { AHEAD_LIVE } else { AHEAD };
            sleep_until((self.ends - ahead).into()).await;
            self.let_go();
            if self.bed.strong_count() == 0 {
                return;
            }
            match self.next(LATE).await {
                Ok(segment) => {
                    let Some(bed) = self.bed.upgrade() else { return };
                    self.ends = bed.append(segment, clock::instant());
                }
                Err(error) => {
                    tracing::warn!("hold music may break off: {error:#}");
                    // What failed just now would fail again.
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// How the live stream is, if there is one.
    pub(super) fn status(&self) -> Option<watch::Receiver<Status>> {
        self.live.as_ref().map(Live::status)
    }

    /// Gives the bed of a live stream up once nobody has listened for long enough.
    fn let_go(&mut self) {
        if let Some((bed, heard)) = &mut self.kept {
            if Arc::strong_count(bed) > 1 {
                *heard = clock::instant();
            } else if heard.elapsed() > LINGER {
                self.kept = None;
            }
        }
    }

    /// What comes next. A live stream is waited for so long, and then something stands in for it.
    async fn next(&mut self, patience: Duration) -> anyhow::Result<Arc<Segment>> {
        if self.live.is_some() && self.looked.elapsed() > LOOKS {
            self.look().await;
        }
        let Some(live) = &mut self.live else { return self.track().await };
        if (!self.stands_in || live.waiting() >= BACK)
            && let Some(piece) = live.next(patience).await
        {
            self.stands_in = false;
            return Ok(Segment::whole(piece));
        }
        self.stands_in = true;
        let track = match self.rest.take() {
            Some(rest) => rest,
            None => self.track().await?,
        };
        let (clip, from, until) = (track.clip(), track.from(), track.until());
        let end = until.min(from + STRETCH);
        if end < until {
            self.rest = Some(Segment::new(clip.clone(), end, until));
        }
        Ok(Segment::new(clip.clone(), from, end))
    }

    /// The next stretch of a track; the music of the house where the class has none.
    async fn track(&mut self) -> anyhow::Result<Arc<Segment>> {
        self.look().await;
        if self.class.is_some() {
            let lengths: Vec<u64> = self.known.iter().map(|it| it.ticks).collect();
            for _ in 0..lengths.len() + 1 {
                let Some(item) = self.programme.next(&lengths) else { break };
                match self.segment(item).await {
                    Ok(Some(segment)) => return Ok(segment),
                    Ok(None) => {}
                    Err(error) => tracing::warn!("hold music is left out: {error:#}"),
                }
            }
        }
        let house = self.shelf.house().await?;
        let lengths: Vec<u64> = house.iter().map(|it| it.ticks() as u64).collect();
        let house = |index: usize| house.get(index).cloned();
        loop {
            match self.programme.next(&lengths).context("there is no music in the house")? {
                Item::Announcement => {}
                Item::Track { index, from, until } => {
                    return Ok(cut(house(index).context("a track is gone")?, from, until));
                }
            }
        }
    }

    /// What the class and its tracks have become since they were last looked at. While the database is
    /// away they stay as they were.
    async fn look(&mut self) {
        self.looked = clock::instant();
        let Some(class) = self.class.clone() else { return };
        let db = &self.shelf.app.db;
        let looking = async {
            let now = music::get(db, &self.tenant, &class.id).await?;
            Ok((now, tracks::of(db, &class.id).await?))
        };
        let (now, tracks) = match store::within(PATIENCE, looking).await {
            Ok(found) => found,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return tracing::warn!(error, "hold music goes on as it was");
            }
        };
        let ready = tracks.into_iter().filter_map(|it| match it.state {
            State::Ready { blob, length, .. } => {
                Some(Ready { blob, ticks: length.as_millis() as u64 * 8 })
            }
            State::Waiting | State::Failed { .. } => None,
        });
        self.known = ready.collect();
        let was = class.manner;
        if let Some(Class { manner, .. }) = now.as_ref().filter(|it| it.manner != was) {
            // A stream is read once for all who hear it, and never once for each.
            if manner.stream != was.stream && was.is_shared() {
                let begin = |url: &String| Live::begin(self.shelf.app.clone(), url.clone());
                self.live = manner.stream.as_ref().map(begin);
            }
            self.programme = Programme::new(manner.shuffle, manner.pause(), rand::random());
        }
        if now.is_none() {
            self.live = None;
        }
        self.class = now;
    }

    async fn segment(&self, item: Item) -> anyhow::Result<Option<Arc<Segment>>> {
        match item {
            Item::Track { index, from, until } => {
                let Some(track) = self.known.get(index) else { return Ok(None) };
                Ok(Some(cut(self.shelf.clip(&track.blob).await?, from, until)))
            }
            Item::Announcement => {
                let name = self.class.as_ref().and_then(|it| it.manner.announcement.clone());
                let Some(name) = name else { return Ok(None) };
                let said = self.shelf.announcement(&self.tenant, &name).await?;
                Ok(said.map(Segment::whole))
            }
        }
    }
}

/// A stretch of a clip. Lengths in the database are of milliseconds, and the end is the clip's own.
fn cut(clip: Arc<Clip>, from: u64, until: u64) -> Arc<Segment> {
    let whole = clip.ticks();
    let (from, until) = ((from as usize).min(whole), until as usize);
    let until = if until + 8 >= whole { whole } else { until };
    Segment::new(clip, from, until)
}
