//! Sounds of owners, and music, that are being heard: whoever calls meanwhile hears the same clip, read and encoded
//! once. Of what nobody hears any more only the last short ones are kept: a greeting is heard again soon.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use crate::audio::Clip;

/// Clips by their blobs, whose names are never used for another sound. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Clips(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<String, Entry>,
    /// Heard last, the latest at the end.
    kept: VecDeque<Arc<Clip>>,
}

#[derive(Debug, Default)]
struct Entry {
    clip: Weak<Clip>,
    /// Held by whoever reads it: the others wait for that instead of reading it as well.
    reading: Arc<tokio::sync::Mutex<()>>,
}

/// Beyond so many names, those of clips that are gone are forgotten.
const NAMES: usize = 256;
/// So many clips are kept that nobody hears, if they are no longer than this: 40 MB at most.
const KEPT: usize = 64;
const SHORT: Duration = Duration::from_secs(10);

impl Clips {
    /// The clip of a blob, by reading it if nobody hears it yet.
    pub async fn get<E>(
        &self,
        blob: &str,
        read: impl Future<Output = Result<Clip, E>>,
    ) -> Result<Arc<Clip>, E> {
        let (clip, reading) = self.find(blob);
        if let Some(clip) = clip {
            return Ok(clip);
        }
        let _reading = reading.lock().await;
        if let (Some(clip), _) = self.find(blob) {
            return Ok(clip);
        }
        let clip = Arc::new(read.await?);
        let mut table = self.lock();
        table.entries.entry(blob.to_owned()).or_default().clip = Arc::downgrade(&clip);
        table.keep(&clip);
        Ok(clip)
    }

    fn find(&self, blob: &str) -> (Option<Arc<Clip>>, Arc<tokio::sync::Mutex<()>>) {
        let mut table = self.lock();
        let entries = &mut table.entries;
        if entries.len() >= NAMES && !entries.contains_key(blob) {
            let is_read = |it: &Entry| Arc::strong_count(&it.reading) > 1;
            entries.retain(|_, it| it.clip.strong_count() > 0 || is_read(it));
        }
        let entry = entries.entry(blob.to_owned()).or_default();
        let (clip, reading) = (entry.clip.upgrade(), entry.reading.clone());
        clip.iter().for_each(|it| table.keep(it));
        (clip, reading)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Notes that a clip is heard, and lets go of the one heard longest ago if there are too many.
    fn keep(&mut self, clip: &Arc<Clip>) {
        match self.kept.iter().position(|it| Arc::ptr_eq(it, clip)) {
            Some(place) => _ = self.kept.remove(place),
            None if clip.length() > SHORT => return,
            None => {}
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(clip.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::atomic::AtomicUsize, sync::atomic::Ordering::Relaxed};

    use super::*;

    async fn get(clips: &Clips, blob: &str, seconds: usize, reads: &AtomicUsize) -> Arc<Clip> {
        let read = async {
            reads.fetch_add(1, Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Clip::at("greeting", vec![1; 8_000 * seconds], 8_000))
        };
        clips.get(blob, read).await.unwrap()
    }

    #[tokio::test]
    async fn callers_of_one_moment_share_a_clip_that_is_read_once() {
        let (clips, reads) = (Clips::default(), AtomicUsize::new(0));
        let (one, other) = tokio::join!(get(&clips, "a", 20, &reads), get(&clips, "a", 20, &reads));
        assert!(Arc::ptr_eq(&one, &other) && reads.load(Relaxed) == 1);
        drop((one, other));
        get(&clips, "a", 20, &reads).await;
        assert_eq!(reads.load(Relaxed), 2, "what nobody hears is not kept if it is long");
    }

    #[tokio::test]
    async fn a_greeting_that_is_called_again_is_not_read_again_unless_many_others_were_since() {
        let (clips, reads) = (Clips::default(), AtomicUsize::new(0));
        for _ in 0..3 {
            get(&clips, "a", 1, &reads).await;
        }
        assert_eq!(reads.load(Relaxed), 1);
        for number in 0..KEPT {
            get(&clips, &number.to_string(), 0, &reads).await;
        }
        get(&clips, "a", 1, &reads).await;
        assert_eq!(reads.load(Relaxed), 2 + KEPT);
    }

    #[tokio::test]
    async fn names_of_clips_that_are_gone_are_forgotten() {
        let (clips, reads) = (Clips::default(), AtomicUsize::new(0));
        for number in 0..3 * NAMES {
            get(&clips, &number.to_string(), 20, &reads).await;
        }
        assert!(clips.lock().entries.len() <= NAMES);
    }
}
