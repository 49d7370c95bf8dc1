//! Sounds of owners, and music, that are being heard: whoever calls meanwhile hears the same clip, read and encoded
//! once. What nobody hears any more is not kept.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use crate::audio::Clip;

/// Clips by their blobs, whose names are never used for another sound. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Clips(Arc<Mutex<HashMap<String, Entry>>>);

#[derive(Debug, Default)]
struct Entry {
    clip: Weak<Clip>,
    /// Held by whoever reads it: the others wait for that instead of reading it as well.
    reading: Arc<tokio::sync::Mutex<()>>,
}

/// Beyond so many names, those of clips that are gone are forgotten.
const NAMES: usize = 256;

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
        self.lock().entry(blob.to_owned()).or_default().clip = Arc::downgrade(&clip);
        Ok(clip)
    }

    fn find(&self, blob: &str) -> (Option<Arc<Clip>>, Arc<tokio::sync::Mutex<()>>) {
        let mut clips = self.lock();
        if clips.len() >= NAMES && !clips.contains_key(blob) {
            let is_read = |it: &Entry| Arc::strong_count(&it.reading) > 1;
            clips.retain(|_, it| it.clip.strong_count() > 0 || is_read(it));
        }
        let entry = clips.entry(blob.to_owned()).or_default();
        (entry.clip.upgrade(), entry.reading.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::atomic::AtomicUsize, sync::atomic::Ordering::Relaxed};

    use super::*;

    async fn get(clips: &Clips, blob: &str, reads: &AtomicUsize) -> Arc<Clip> {
        let read = async {
            reads.fetch_add(1, Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Clip::at("greeting", vec![1; 80], 8_000))
        };
        clips.get(blob, read).await.unwrap()
    }

    #[tokio::test]
    async fn callers_of_one_moment_share_a_clip_that_is_read_once() {
        let (clips, reads) = (Clips::default(), AtomicUsize::new(0));
        let (one, other) = tokio::join!(get(&clips, "a", &reads), get(&clips, "a", &reads));
        assert!(Arc::ptr_eq(&one, &other) && reads.load(Relaxed) == 1);
        drop((one, other));
        get(&clips, "a", &reads).await;
        assert_eq!(reads.load(Relaxed), 2, "what nobody hears is not kept");
    }

    #[tokio::test]
    async fn names_of_clips_that_are_gone_are_forgotten() {
        let (clips, reads) = (Clips::default(), AtomicUsize::new(0));
        for number in 0..3 * NAMES {
            get(&clips, &number.to_string(), &reads).await;
        }
        assert!(clips.lock().len() <= NAMES);
    }
}
