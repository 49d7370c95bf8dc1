//! Sound that goes on while it is heard: a row of segments that grows at its end.
//!
//! Whoever feeds it appends a segment before the last one is over. Whoever hears it holds the segment
//! it hears and needs no lock to find the next; what all have heard is freed.

use std::sync::{Arc, OnceLock};

use super::Clip;

/// A stretch of a clip, and what follows it.
#[derive(Debug)]
pub struct Segment {
    clip: Arc<Clip>,
    from: usize,
    until: usize,
    next: OnceLock<Arc<Segment>>,
}

impl Segment {
    /// A clip from one tick of 125 µs to another.
    pub fn new(clip: Arc<Clip>, from: usize, until: usize) -> Arc<Self> {
        Arc::new(Self { clip, from, until: until.max(from), next: OnceLock::new() })
    }

    /// All of a clip.
    pub fn whole(clip: Arc<Clip>) -> Arc<Self> {
        let ticks = clip.ticks();
        Self::new(clip, 0, ticks)
    }

    /// What is heard.
    pub fn clip(&self) -> &Arc<Clip> {
        &self.clip
    }

    /// Where in the clip it begins.
    pub fn from(&self) -> usize {
        self.from
    }

    /// Where in the clip it ends.
    pub fn until(&self) -> usize {
        self.until
    }

    /// How long it lasts, in ticks.
    pub fn ticks(&self) -> usize {
        self.until - self.from
    }

    /// What follows, as far as that is known.
    pub fn next(&self) -> Option<&Arc<Segment>> {
        self.next.get()
    }

    /// Says what follows; said a second time, nothing changes.
    pub fn then(&self, next: Arc<Segment>) {
        let _ = self.next.set(next);
    }
}

/// Nobody's stack is as deep as a row is long that one listener held up.
impl Drop for Segment {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut segment) = next.and_then(Arc::into_inner) {
            next = segment.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_any_length_is_freed_and_what_is_held_is_not() {
        let clip = Arc::new(Clip::new("tone", &[0; 160]));
        let first = Segment::whole(clip.clone());
        let mut last = first.clone();
        let mut held = None;
        for at in 0..200_000 {
            let next = Segment::whole(clip.clone());
            last.then(next.clone());
            last = next;
            if at == 100_000 {
                held = Some(last.clone());
            }
        }
        drop(first);
        let held = held.unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(held.next().is_some());
        assert_eq!(held.ticks(), 160);
    }
}
