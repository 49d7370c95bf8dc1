//! A bell for each kind of work: whoever leaves some rings it, so that nobody has to wait for a poll.

use std::sync::Arc;

use tokio::sync::{Notify, futures::Notified};

/// What there may be to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// A message waits for its transcript.
    Transcripts,
    /// A transcript waits for its translation.
    Translations,
    /// A letter waits to be sent.
    Letters,
    /// A message waits to be copied to other mailboxes.
    Copies,
    /// A mailbox changed, and with it what its lamps should show.
    Lamps,
    /// A mailbox was locked, and its owner does not know.
    Locks,
    /// A file waits to become hold music.
    Music,
    /// A recording waits to be brought elsewhere, or may be let go of here.
    Blobs,
}

/// Bells. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<[Notify; Matter::COUNT]>);

impl Matter {
    const COUNT: usize = Self::Blobs as usize + 1;
}

impl Bell {
    /// There is something to do of that kind, now.
    pub fn ring(&self, matter: Matter) {
        self.0[matter as usize].notify_waiters();
    }

    /// There may be something to do of any kind.
    pub fn ring_all(&self) {
        self.0.iter().for_each(Notify::notify_waiters);
    }

    /// Waits until it is rung; what rings from this call on is not missed.
    pub fn rung(&self, matter: Matter) -> Notified<'_> {
        self.0[matter as usize].notified()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn only_those_hear_it_whose_work_there_is() {
        let bell = Bell::default();
        let [letters, lamps] = [Matter::Letters, Matter::Lamps].map(|it| bell.rung(it));
        bell.ring(Matter::Letters);
        assert!(letters.now_or_never().is_some());
        assert!(lamps.now_or_never().is_none());
        let lamps = bell.rung(Matter::Lamps);
        bell.ring_all();
        assert!(lamps.now_or_never().is_some());
    }
}
