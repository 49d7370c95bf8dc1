//! The only place that reads the time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::mailbox::{MessageId, Timestamp};

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    Real,
    /// A test's own, in milliseconds since 1970.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The time of day.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Clock::Set(time) => Timestamp(time.load(Ordering::Relaxed)),
        }
    }

    /// A new id: time-ordered and unguessable (UUIDv7).
    pub fn message_id(&self) -> MessageId {
        MessageId(Uuid::now_v7())
    }
}

/// A moment on the clock that never jumps, for measuring how long something took.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
pub fn instant() -> Instant {
    Instant::now()
}
