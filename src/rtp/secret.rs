//! What encrypts a leg, if anything does.

use crate::srtp::{Keys, Opener, Sealer};

/// Both directions of a leg. The plain one leaves packets as they are.
#[derive(Debug, Default)]
pub(super) struct Secret(Option<Box<(Sealer, Opener)>>);

impl Secret {
    /// A new agreement. A direction whose key stays goes on where it was: its numbers must not be
    /// used again.
    pub(super) fn renew(&mut self, keys: Option<Keys>) {
        let Some(keys) = keys else {
            self.0 = None;
            return;
        };
        let fresh = || Box::new((Sealer::new(keys.ours), Opener::new(keys.theirs)));
        let (sealer, opener) = &mut **self.0.get_or_insert_with(fresh);
        if *sealer.key() != keys.ours {
            *sealer = Sealer::new(keys.ours);
        }
        if *opener.key() != keys.theirs {
            *opener = Opener::new(keys.theirs);
        }
    }

    /// A packet of RTP as it was before it was encrypted; `None` if their key did not make it.
    pub(super) fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        match &mut self.0 {
            Some(both) => both.1.open(datagram),
            None => Some(datagram),
        }
    }

    /// The same for RTCP.
    pub(super) fn open_report<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        match &mut self.0 {
            Some(both) => both.1.open_report(datagram),
            None => Some(datagram),
        }
    }

    /// Makes of the first `length` bytes what may leave, and answers how long that is.
    pub(super) fn seal(&mut self, buffer: &mut [u8], length: usize) -> usize {
        match &mut self.0 {
            Some(both) => both.0.seal(buffer, length),
            None => length,
        }
    }

    /// The same for RTCP.
    pub(super) fn seal_report(&mut self, buffer: &mut [u8], length: usize) -> usize {
        match &mut self.0 {
            Some(both) => both.0.seal_report(buffer, length),
            None => length,
        }
    }
}
