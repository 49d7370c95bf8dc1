//! What plays next.
//!
//! Time is counted in ticks of 125 µs. Music is cut for an announcement only between two packets of
//! Opus, so that every codec can be.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

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
    cut: Option<(usize, u64)>,
    /// The tracks of this round that are still to come, the next one last.
    round: Vec<usize>,
    last: Option<usize>,
    chance: StdRng,
}

/// A stretch of what is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A track, from one tick to another.
    Track {
        /// Which one.
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
        let ticks = |it: Duration| (it.as_millis() as u64 * 8).next_multiple_of(FRAME_TICKS as u64);
        Self {
            shuffle,
            pause: pause.map(ticks).filter(|it| *it > 0),
            since: 0,
            cut: None,
            round: Vec::new(),
            last: None,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    /// What comes next among tracks of these lengths; `None` if none of them lasts. Tracks may have
    /// come and gone since it was last asked.
    pub fn next(&mut self, tracks: &[u64]) -> Option<Item> {
        if self.pause.is_some_and(|it| self.since >= it) {
            self.since = 0;
            return Some(Item::Announcement);
        }
        let cut =
            self.cut.take().filter(|(index, at)| tracks.get(*index).is_some_and(|it| it > at));
        let (index, from) = match cut {
            Some(it) => it,
            None => (self.choose(tracks)?, 0),
        };
        let whole = tracks[index];
        let until = match self.pause {
            Some(pause) => whole.min(from + pause - self.since),
            None => whole,
        };
        self.since += until - from;
        if until < whole {
            self.cut = Some((index, until));
        }
        self.last = Some(index);
        Some(Item::Track { index, from, until })
    }

    fn choose(&mut self, tracks: &[u64]) -> Option<usize> {
        if !tracks.iter().any(|it| *it > 0) {
            return None;
        }
        loop {
            let Some(index) = self.round.pop() else {
                self.begin_round(tracks.len());
                continue;
            };
            if tracks.get(index).is_some_and(|it| *it > 0) {
                return Some(index);
            }
        }
    }

    /// No track is heard twice in a row, not even where one round follows another.
    fn begin_round(&mut self, count: usize) {
        self.round = (0..count).rev().collect();
        if !self.shuffle {
            return;
        }
        self.round.shuffle(&mut self.chance);
        if count > 1 && self.round.last().copied() == self.last {
            let other = self.chance.random_range(0..count - 1);
            self.round.swap(count - 1, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 8_000;

    fn tracks(items: &mut Programme, lengths: &[u64], count: usize) -> Vec<usize> {
        let mut heard = Vec::new();
        while heard.len() < count {
            if let Some(Item::Track { index, .. }) = items.next(lengths) {
                heard.push(index);
            }
        }
        heard
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
        let heard: Vec<_> = (0..7).map_while(|_| announced.next(&lengths)).collect();
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
        let mut announced = Programme::new(false, Some(Duration::from_secs(1)), 1);
        announced.next(&[5 * SECOND, 5 * SECOND]);
        assert_eq!(announced.next(&[]), Some(Item::Announcement));
        assert_eq!(announced.next(&[]), None);
        assert!(announced.next(&[SECOND / 2]).is_some());
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
                let Some(item) = announced.next(&lengths) else { break };
                if let Item::Track { index, from, until } = item {
                    prop_assert_eq!(from, at[index]);
                    prop_assert!(from < until && until <= lengths[index]);
                    at[index] = if until == lengths[index] { 0 } else { until };
                }
            }
        }
    }
}
