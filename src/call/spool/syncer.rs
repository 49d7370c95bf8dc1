//! A thread for what a disk may take its time over: syncing, and making removals last.
//!
//! A sync usually takes milliseconds and sometimes seconds, when others use the disk. What is being
//! spoken must reach the system meanwhile, so the spool's own thread never waits for the disk
//! without looking after its rings.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

type Work = Box<dyn FnOnce() + Send>;

/// The way to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Syncer {
    work: SyncSender<Work>,
}

impl Syncer {
    pub(super) fn start() -> io::Result<Self> {
        let (work, inbox) = sync_channel::<Work>(1);
        std::thread::Builder::new()
            .name("spool-sync".into())
            .spawn(move || inbox.into_iter().for_each(|work| work()))?;
        Ok(Self { work })
    }

    /// Begins the work; how it went comes out of the receiver.
    pub(super) fn begin(
        &self,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Receiver<io::Result<()>> {
        let (tell, told) = sync_channel(1);
        // A thread that is gone drops the work, and the receiver says so.
        let _ = self.work.send(Box::new(move || {
            let _ = tell.send(work());
        }));
        told
    }
}
