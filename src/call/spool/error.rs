//! What can go wrong with the spool, in the words of who uses it.

use std::{io, path::PathBuf, sync::Arc};

use crate::mailbox::MessageId;

/// Why the spool does not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SpoolError {
    /// The setting makes no sense.
    #[error("[spool] {0}")]
    Settings(&'static str),
    /// The folder or what lies in it cannot be used.
    #[error("the spool in {0:?} cannot be opened")]
    Open(PathBuf, #[source] Arc<io::Error>),
    /// Another server runs on this folder.
    #[error("the spool in {0:?} is in use by another server")]
    InUse(PathBuf),
    /// The disk's reserve is reached.
    #[error("the disk has {free} bytes left; takes need {least}")]
    NoRoom {
        /// Bytes left.
        free: u64,
        /// [`Settings::least_free`](super::Settings::least_free).
        least: u64,
    },
    /// [`MOST_TAKES`](super::MOST_TAKES) are recorded, [`MOST_KEPT`](super::MOST_KEPT) wait, or the thread is far behind.
    #[error("no more takes at a time")]
    Busy,
    /// The label is longer than a block.
    #[error("the label of the take is too long")]
    Label,
    /// The disk fails. It is tried again every second.
    #[error("the spool cannot write to its disk")]
    Failing(#[source] Arc<io::Error>),
    /// The take cannot be read back as it was written.
    #[error("the take {0} cannot be read")]
    Unreadable(MessageId, #[source] Arc<io::Error>),
    /// The take is not in the spool: never begun, not sealed yet, filed or discarded.
    #[error("there is no take {0}")]
    Gone(MessageId),
    /// The spool was closed.
    #[error("the spool is closed")]
    Closed,
}
