//! What the database last said, for when it says nothing: whoever is on hold is to hear something all the
//! same, and soon.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{
    clock,
    store::{self, StoreError},
};

/// How long a caller waits for the database where nothing is known yet.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// The same where its last answer would do.
const HURRY: Duration = Duration::from_secs(1);
/// After so long a database that did not answer is asked again, where its last answer would do.
const AGAIN: Duration = Duration::from_secs(5);
/// Answers of one kind that are known at a time. Beyond, all are forgotten.
const MOST: usize = 500;

/// Answers of one kind, by what was asked.
pub(super) struct Memory<K, V>(Mutex<HashMap<K, V>>);

/// Since when the database has not answered.
#[derive(Default)]
pub(super) struct Silence(Mutex<Option<Instant>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    /// What the database says, or last said if it does not.
    pub(super) async fn ask(
        &self,
        silence: &Silence,
        what: K,
        asking: impl Future<Output = Result<V, StoreError>>,
    ) -> Result<V, StoreError> {
        let known = self.known().get(&what).cloned();
        let Some(known) = known else {
            let said = store::within(PATIENCE, asking).await?;
            self.keep(what, said.clone());
            return Ok(said);
        };
        if silence.is_recent(clock::instant()) {
            return Ok(known);
        }
        match store::within(HURRY, asking).await {
            Ok(said) => {
                silence.note(None);
                self.keep(what, said.clone());
                Ok(said)
            }
            Err(error) => {
                silence.note(Some(clock::instant()));
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "hold music goes on as it was");
                Ok(known)
            }
        }
    }

    fn keep(&self, what: K, said: V) {
        let mut known = self.known();
        if known.len() >= MOST && !known.contains_key(&what) {
            known.clear();
        }
        known.insert(what, said);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Silence {
    fn is_recent(&self, now: Instant) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|it| now.saturating_duration_since(it) < AGAIN)
    }

    fn note(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_said_counts_while_nothing_is_said_and_only_then() {
        let (memory, silence) = (Memory::default(), Silence::default());
        assert!(memory.ask(&silence, 1, pending::<Result<u8, _>>()).await.is_err());
        assert_eq!(memory.ask(&silence, 1, ready(Ok(7))).await.unwrap(), 7);
        assert_eq!(memory.ask(&silence, 1, ready(Ok(8))).await.unwrap(), 8);
        let began = tokio::time::Instant::now();
        assert_eq!(memory.ask(&silence, 1, pending()).await.unwrap(), 8);
        assert_eq!(began.elapsed(), HURRY);
        // The next one does not wait at all.
        assert_eq!(memory.ask(&silence, 1, pending()).await.unwrap(), 8);
        assert_eq!(began.elapsed(), HURRY);
        // What nobody knows is asked for all the same.
        assert_eq!(memory.ask(&silence, 2, ready(Ok(9))).await.unwrap(), 9);
    }

    #[tokio::test]
    async fn no_more_is_known_than_may_be() {
        let (memory, silence) = (Memory::default(), Silence::default());
        for what in 0..3 * MOST {
            memory.ask(&silence, what, ready(Ok(what))).await.unwrap();
        }
        assert!(memory.known().len() <= MOST);
    }
}
