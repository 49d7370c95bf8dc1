//! What plays next.
//!
//! Time is counted in ticks of 125 µs. Music is cut for an announcement only between two packets of
//! Opus, so that every codec can be.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::TrackId;
use crate::audio::opus_packet::FRAME_TICKS;

/// Decides what follows what, for one bed.
#[derive(Debug, Clone)]
pub struct Programme {
    shuffle: bool,
    /// Music between two announcements.
    pause: Option<u64>,
    /// Music since the last one.
    since: u64,
    /// What was cut, and where it goes on.
    cut: Option<(TrackId, u64)>,
    /// The tracks of this round that are still to come, the next one last.
    round: Vec<TrackId>,
    last: Option<TrackId>,
    chance: StdRng,
}

/// Tracks that can be played, in their order, and how long they are.
type Tracks<'a> = [(&'a TrackId, u64)];

/// A stretch of what is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A track, from one tick to another.
    Track {
        /// Which one of those there are.
        index: usize,
        /// Where it begins.
        from: u64,
        /// Where it ends.
        until: u64,
    },
    /// The announcement.
    Announcement,
}

impl Programme {
    /// Begins with a track; announcements come after so much music. The same seed makes the same
    /// programme.
    pub fn new(shuffle: bool, pause: Option<Duration>, seed: u64) -> Self {
        Self {
            shuffle,
            pause: ticks(pause),
            since: 0,
            cut: None,
            round: Vec::new(),
            last: None,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    /// From now on it is played like this. What was cut goes on where it was.
    pub fn change(&mut self, shuffle: bool, pause: Option<Duration>) {
        let pause = ticks(pause);
        if self.pause != pause {
            (self.pause, self.since) = (pause, 0);
        }
        if self.shuffle != shuffle {
            self.shuffle = shuffle;
            self.round.clear();
        }
    }

    /// What comes next among these tracks; `None` if none of them lasts. They may have come and gone, and
    /// have another order, since it was last asked.
    pub fn next(&mut self, tracks: &Tracks<'_>) -> Option<Item> {
        if self.pause.is_some_and(|it| self.since >= it) {
            self.since = 0;
            return Some(Item::Announcement);
        }
        if !tracks.iter().any(|it| it.1 > 0) {
            // What was cut stays so.
            return None;
        }
        let cut = self.cut.take().and_then(|(id, at)| Some((place(tracks, &id)?, at)));
        let cut = cut.filter(|(index, at)| tracks[*index].1 > *at);
        let (index, from) = cut.unwrap_or_else(|| (self.choose(tracks), 0));
        let (id, whole) = tracks[index];
        let until = match self.pause {
            Some(pause) => whole.min(from + pause - self.since),
            None => whole,
        };
        self.since += until - from;
        if until < whole {
            self.cut = Some((id.clone(), until));
        }
        self.last = Some(id.clone());
        Some(Item::Track { index, from, until })
    }

    /// Where the next one is. At least one of them lasts.
    fn choose(&mut self, tracks: &Tracks<'_>) -> usize {
        let last = self.last.as_ref().and_then(|it| place(tracks, it));
        // What follows it by now. Where it is gone, what followed it then.
        if let Some(last) = last.filter(|_| !self.shuffle) {
            self.round = backwards(&tracks[last + 1..]);
        }
        loop {
            let Some(id) = self.round.pop() else {
                self.begin_round(tracks);
                continue;
            };
            if let Some(index) = place(tracks, &id).filter(|it| tracks[*it].1 > 0) {
                return index;
            }
        }
    }

    /// No track is heard twice in a row, not even where one round follows another.
    fn begin_round(&mut self, tracks: &Tracks<'_>) {
        self.round = backwards(tracks);
        if !self.shuffle {
            return;
        }
        self.round.shuffle(&mut self.chance);
        let count = self.round.len();
        if count > 1 && self.round.last() == self.last.as_ref() {
            let other = self.chance.random_range(0..count - 1);
            self.round.swap(count - 1, other);
        }
    }
}

/// Whole packets of Opus; `None` where nothing is announced.
fn ticks(pause: Option<Duration>) -> Option<u64> {
    let ticks = (pause?.as_millis() as u64 * 8).next_multiple_of(FRAME_TICKS as u64);
    Some(ticks).filter(|it| *it > 0)
}

fn place(tracks: &Tracks<'_>, id: &TrackId) -> Option<usize> {
    tracks.iter().position(|it| it.0 == id)
}

fn backwards(tracks: &Tracks<'_>) -> Vec<TrackId> {
    tracks.iter().rev().map(|it| it.0.clone()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 8_000;

    /// What comes next among tracks of these lengths, which stay the same ones.
    fn next(items: &mut Programme, lengths: &[u64]) -> Option<Item> {
        let ids: Vec<_> = (0..lengths.len()).map(|it| TrackId(it.to_string())).collect();
        let tracks: Vec<_> = ids.iter().zip(lengths.iter().copied()).collect();
        items.next(&tracks)
    }

    fn tracks(items: &mut Programme, lengths: &[u64], count: usize) -> Vec<usize> {
        let mut heard = Vec::new();
        while heard.len() < count {
            if let Some(Item::Track { index, .. }) = next(items, lengths) {
                heard.push(index);
            }
        }
        heard
    }

    /// Which of the tracks of these names, of three seconds each, comes next, and from which second on.
    fn named(items: &mut Programme, names: [&'static str; 3]) -> (&'static str, u64) {
        let ids = names.map(|it| TrackId(it.to_owned()));
        // One without a name is not there.
        let tracks: Vec<_> =
            ids.iter().filter(|it| !it.0.is_empty()).map(|it| (it, 3 * SECOND)).collect();
        loop {
            if let Item::Track { index, from, .. } = items.next(&tracks).unwrap() {
                let at = ids.iter().position(|it| it == tracks[index].0).unwrap();
                return (names[at], from / SECOND);
            }
        }
    }

    fn each_second() -> Programme {
        Programme::new(false, Some(Duration::from_secs(1)), 1)
    }

    #[test]
    fn tracks_follow_each_other_and_begin_again() {
        let mut ordered = Programme::new(false, None, 1);
        assert_eq!(tracks(&mut ordered, &[5, 5, 5], 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn an_announcement_cuts_the_music_which_then_goes_on_where_it_was() {
        let mut announced = Programme::new(false, Some(Duration::from_secs(30)), 1);
        let lengths = [50 * SECOND, 20 * SECOND];
        let heard: Vec<_> = (0..7).map_while(|_| next(&mut announced, &lengths)).collect();
        let track = |index, from: u64, until: u64| Item::Track {
            index,
            from: from * SECOND,
            until: until * SECOND,
        };
        let expected = [
            track(0, 0, 30),
            Item::Announcement,
            track(0, 30, 50),
            track(1, 0, 10),
            Item::Announcement,
            track(1, 10, 20),
            track(0, 0, 20),
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn a_track_that_was_taken_away_while_it_was_cut_is_not_missed() {
        let mut announced = each_second();
        next(&mut announced, &[5 * SECOND, 5 * SECOND]);
        assert_eq!(next(&mut announced, &[]), Some(Item::Announcement));
        assert_eq!(next(&mut announced, &[]), None);
        assert!(next(&mut announced, &[SECOND / 2]).is_some());
    }

    #[test]
    fn whatever_is_taken_away_what_was_cut_goes_on_where_it_was_and_the_rest_follows() {
        let mut announced = each_second();
        for expected in [("a", 0), ("a", 1), ("a", 2), ("b", 0)] {
            assert_eq!(named(&mut announced, ["a", "b", "c"]), expected);
        }
        for expected in [("b", 1), ("b", 2), ("c", 0)] {
            assert_eq!(named(&mut announced, ["", "b", "c"]), expected);
        }

        let mut announced = each_second();
        for expected in [("a", 0), ("a", 1), ("a", 2), ("b", 0)] {
            assert_eq!(named(&mut announced, ["a", "b", "c"]), expected);
        }
        // What was cut is gone itself.
        assert_eq!(named(&mut announced, ["a", "", "c"]), ("c", 0));
    }

    #[test]
    fn in_another_order_what_was_cut_goes_on_and_what_follows_is_what_now_follows() {
        let mut announced = each_second();
        assert_eq!(named(&mut announced, ["a", "b", "c"]), ("a", 0));
        for expected in [("a", 1), ("a", 2), ("b", 0)] {
            assert_eq!(named(&mut announced, ["c", "a", "b"]), expected);
        }
        for expected in [("b", 1), ("b", 2), ("a", 0)] {
            assert_eq!(named(&mut announced, ["c", "b", "a"]), expected);
        }
    }

    #[test]
    fn in_another_manner_what_was_cut_goes_on_where_it_was() {
        let all = ["a", "b", "c"];
        for (shuffle, pause) in [(false, 1), (false, 2), (true, 1), (false, 0)] {
            let mut changed = each_second();
            for expected in [("a", 0), ("a", 1), ("a", 2), ("b", 0)] {
                assert_eq!(named(&mut changed, all), expected);
            }
            changed.change(shuffle, Some(Duration::from_secs(pause)));
            assert_eq!(named(&mut changed, all), ("b", 1), "{shuffle}, {pause}");
        }
    }

    /// Where the tracks of a class are none, they are looked for before those of the house, each time.
    #[test]
    fn where_nothing_is_in_between_what_was_cut_goes_on_where_it_was() {
        let mut announced = each_second();
        next(&mut announced, &[3 * SECOND]);
        assert_eq!(next(&mut announced, &[]), Some(Item::Announcement));
        assert_eq!(next(&mut announced, &[]), None);
        let rest = Item::Track { index: 0, from: SECOND, until: 2 * SECOND };
        assert_eq!(next(&mut announced, &[3 * SECOND]), Some(rest));
    }

    proptest! {
        #[test]
        fn by_chance_every_track_comes_once_a_round_and_none_twice_in_a_row(
            count in 2_usize..9, seed: u64,
        ) {
            let mut shuffled = Programme::new(true, None, seed);
            let lengths = vec![SECOND; count];
            let heard = tracks(&mut shuffled, &lengths, count * 6);
            for round in heard.chunks(count) {
                let mut all = round.to_vec();
                all.sort_unstable();
                prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
            }
            prop_assert!(heard.windows(2).all(|it| it[0] != it[1]));
        }

        #[test]
        fn no_music_is_lost_or_heard_twice_around_announcements(
            lengths in prop::collection::vec(1_u64..400_000, 1..5), pause in 1_u64..60, seed: u64,
        ) {
            let mut announced = Programme::new(true, Some(Duration::from_secs(pause)), seed);
            let mut at = vec![0; lengths.len()];
            for _ in 0..200 {
                let Some(item) = next(&mut announced, &lengths) else { break };
                if let Item::Track { index, from, until } = item {
                    prop_assert_eq!(from, at[index]);
                    prop_assert!(from < until && until <= lengths[index]);
                    at[index] = if until == lengths[index] { 0 } else { until };
                }
            }
        }
    }
}
