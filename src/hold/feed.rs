//! What keeps a bed going.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::sleep_until;

use super::{
    Bed,
    live::{Live, Told},
    shelf::{Ready, Shelf},
};
use crate::{
    audio::{Clip, bed::Segment},
    clock,
    mailbox::TenantId,
    music::{Class, Item, Manner, Programme, TrackId},
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
/// What is heard in place of a live stream is in stretches of so many ticks, so that it can come back.
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
    /// Whether all callers of the class hear this bed, and not one alone.
    is_shared: bool,
    programme: Programme,
    ends: Instant,
    live: Option<Live>,
    /// Where it is told how that is.
    told: Told,
    /// Whether something stands in for the live stream, and what of it is still to be heard.
    stands_in: bool,
    rest: Option<Arc<Segment>>,
    /// What is still to be heard of an announcement in a live stream, and ticks of music since the last.
    said: Option<Arc<Segment>>,
    since: u64,
    /// The bed of a live stream, which is not given up at once.
    kept: Option<(Arc<Bed>, Instant)>,
    /// What can be heard, and when that was last looked at.
    known: Vec<Ready>,
    looked: Instant,
}

impl Feed {
    /// Begins a bed. Fails if nothing of it can be played, the music of the house included.
    pub(super) async fn begin(
        shelf: Arc<Shelf>,
        tenant: TenantId,
        class: Option<Class>,
    ) -> anyhow::Result<(Arc<Bed>, Box<Self>)> {
        let manner = class.as_ref().map(|it| it.manner.clone()).unwrap_or_default();
        let is_shared = manner.is_shared();
        let pause = pause(&manner, manner.stream.is_some());
        let programme = Programme::new(manner.shuffle, pause, rand::random());
        let ends = clock::instant();
        let told = Told::default();
        let live = manner.stream.map(|url| Live::begin(shelf.app.clone(), url, told.clone()));
        let mut feed = Box::new(Self {
            shelf,
            bed: Weak::new(),
            tenant,
            class,
            is_shared,
            programme,
            ends,
            live,
            told,
            stands_in: false,
            rest: None,
            said: None,
            since: 0,
            kept: None,
            known: Vec::new(),
            looked: ends,
        });
        let first = feed.next(BEGINS).await?;
        let now = clock::instant();
        feed.ends = now + Duration::from_micros(first.ticks() as u64 * 125);
        let bed = Arc::new(Bed::new(first, now));
        feed.bed = Arc::downgrade(&bed);
        feed.kept = feed.live.as_ref().map(|_| (bed.clone(), clock::instant()));
        Ok((bed, feed))
    }

    /// Feeds until nobody holds the bed any more.
    pub async fn run(mut self: Box<Self>) {
        loop {
            let ahead = if self.live.is_some() { AHEAD_LIVE } else { AHEAD };
            sleep_until((self.ends - ahead).into()).await;
            self.let_go();
            if self.bed.strong_count() == 0 {
                return;
            }
            // Boxed, so that its room is needed only now and then.
            match Box::pin(self.next(LATE)).await {
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

    /// Where it is told how the live stream is.
    pub(super) fn told(&self) -> Told {
        self.told.clone()
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
        if self.live.is_none() {
            return self.track().await;
        }
        if let Some(said) = self.announcement().await {
            return Ok(said);
        }
        let music = self.stream(patience).await?;
        self.since += music.ticks() as u64;
        Ok(music)
    }

    /// The next piece of the live stream, or a stretch of what stands in for it.
    async fn stream(&mut self, patience: Duration) -> anyhow::Result<Arc<Segment>> {
        if let Some(live) = &mut self.live
            && (!self.stands_in || live.waiting() >= BACK)
            && let Some(piece) = live.next(patience).await
        {
            self.stands_in = false;
            live.stands_in(false);
            return Ok(Segment::whole(piece));
        }
        self.stands_in = true;
        if let Some(live) = &self.live {
            live.stands_in(true);
        }
        let track = match self.rest.take() {
            Some(rest) => rest,
            None => self.track().await?,
        };
        let (stretch, rest) = split(&track);
        self.rest = rest;
        Ok(stretch)
    }

    /// The next stretch of the announcement in a live stream, where one is due. The stream goes on behind it,
    /// as on the radio, and is heard again where it then is.
    async fn announcement(&mut self) -> Option<Arc<Segment>> {
        let pause = self.class.as_ref().and_then(|it| it.manner.pause());
        let is_due = pause.is_some_and(|it| self.since >= it.as_millis() as u64 * 8);
        if self.said.is_none() && is_due {
            self.since = 0;
            self.said = match self.segment(Item::Announcement).await {
                Ok(said) => said,
                Err(error) => {
                    tracing::warn!("an announcement is left out: {error:#}");
                    None
                }
            };
        }
        let said = self.said.take()?;
        let (stretch, rest) = split(&said);
        self.said = rest;
        if let Some(live) = self.live.as_mut().filter(|_| !self.stands_in) {
            live.pass_over(stretch.ticks());
        }
        Some(stretch)
    }

    /// The next stretch of a track; the music of the house where the class has none.
    async fn track(&mut self) -> anyhow::Result<Arc<Segment>> {
        self.look().await;
        if self.class.is_some() {
            let tracks: Vec<_> = self.known.iter().map(|it| (&it.id, it.ticks)).collect();
            for _ in 0..tracks.len() + 1 {
                let Some(item) = self.programme.next(&tracks) else { break };
                match self.segment(item).await {
                    Ok(Some(segment)) => return Ok(segment),
                    Ok(None) => {}
                    Err(error) => tracing::warn!("hold music is left out: {error:#}"),
                }
            }
        }
        let house = self.shelf.house().await?;
        let ids: Vec<_> = house.iter().map(|it| TrackId(it.name.to_string())).collect();
        let ticks = house.iter().map(|it| it.ticks() as u64);
        let tracks: Vec<_> = ids.iter().zip(ticks).collect();
        let house = |index: usize| house.get(index).cloned();
        loop {
            match self.programme.next(&tracks).context("there is no music in the house")? {
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
        let (now, known) = match self.shelf.class(&self.tenant, &class.id).await {
            Ok(found) => found,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return tracing::warn!(error, "what hold music has become is not known");
            }
        };
        self.known = known;
        let was = class.manner;
        if let Some(Class { manner, .. }) = now.as_ref().filter(|it| it.manner != was) {
            // A stream is read once for all who hear it, and never once for each.
            if manner.stream != was.stream && self.is_shared {
                let (app, told) = (&self.shelf.app, &self.told);
                let begin = |url: &String| Live::begin(app.clone(), url.clone(), told.clone());
                self.told.send_replace(None);
                self.live = manner.stream.as_ref().map(begin);
            }
            self.programme.change(manner.shuffle, pause(manner, self.live.is_some()));
        }
        if now.is_none() {
            self.told.send_replace(None);
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

/// Music of the programme between two announcements. In a live stream they come after so much of the stream,
/// and of what stands in for it, and are not the programme's.
fn pause(manner: &Manner, is_live: bool) -> Option<Duration> {
    manner.pause().filter(|_| !is_live)
}

/// The beginning of a segment, and what is left of it.
fn split(segment: &Segment) -> (Arc<Segment>, Option<Arc<Segment>>) {
    let (clip, from, until) = (segment.clip(), segment.from(), segment.until());
    let end = until.min(from + STRETCH);
    let rest = (end < until).then(|| Segment::new(clip.clone(), end, until));
    (Segment::new(clip.clone(), from, end), rest)
}

/// A stretch of a clip. Lengths in the database are of milliseconds, and the end is the clip's own.
fn cut(clip: Arc<Clip>, from: u64, until: u64) -> Arc<Segment> {
    let whole = clip.ticks();
    let (from, until) = ((from as usize).min(whole), until as usize);
    let until = if until + 8 >= whole { whole } else { until };
    Segment::new(clip, from, until)
}
