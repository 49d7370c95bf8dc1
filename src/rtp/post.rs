//! Packets of one moment to those who only listen: they share their sockets, so that one call of the system
//! sends to many.

use std::{net::SocketAddr, sync::Arc};

use super::{
    ports::Sockets,
    speaker::LARGEST,
    tally::{Tally, add},
};
use crate::{srtp::OVERHEAD, sys::datagrams::Outbox};

/// Room for the largest packet, encrypted.
pub(super) type Sealed = [u8; LARGEST + OVERHEAD];

/// See the module.
#[derive(Default)]
pub(super) struct Post {
    outbox: Outbox<{ LARGEST + OVERHEAD }>,
    /// What they leave by.
    by: Option<Arc<Sockets>>,
}

impl Post {
    /// Where the next packet is written that is to leave by these sockets.
    pub(super) fn room(&mut self, by: &Arc<Sockets>, tally: &Tally) -> &mut Sealed {
        if self.outbox.is_full() || self.by.as_ref().is_some_and(|it| !Arc::ptr_eq(it, by)) {
            self.send(tally);
        }
        self.by.get_or_insert_with(|| by.clone());
        self.outbox.room()
    }

    /// So many bytes of what was written there go to that address.
    pub(super) fn add(&mut self, length: usize, to: SocketAddr) {
        self.outbox.post(length, to);
    }

    /// Sends what there is.
    pub(super) fn send(&mut self, tally: &Tally) {
        let Some(by) = self.by.take() else { return };
        let (sent, unsent) = self.outbox.send(&by.rtp);
        add(&tally.sent, sent);
        add(&tally.unsent, unsent);
    }
}
