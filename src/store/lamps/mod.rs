//! Lamps: who is told how many messages lie in a mailbox, and what they were told last.
//!
//! A lamp is to be told when its mailbox has another version than it was told of, when its time is
//! over, when its mailbox is gone, or when nobody said in time how telling it went. That is looked up,
//! so it does not matter which process changed what. Whoever tells writes down first what is said, with
//! the number it is said under.

mod anew;
mod listing;
mod subscriptions;
mod targets;
mod telling;

pub use anew::{mend, resume, resync};
pub use listing::{Listed, count, list};
pub use subscriptions::{Kept, Limits, Renewed, Subscribed, kept, ready, renew, subscribe};
pub use targets::{add_target, remove_target};
pub use telling::{Due, Settled, Shown, claim, settle};

use super::StoreError;
use crate::mailbox::lamp::{Counts, Kind};

fn counts(new: i64, saved: i64, new_urgent: i64, saved_urgent: i64) -> Counts {
    let number = |it| u32::try_from(it).unwrap_or(u32::MAX);
    Counts {
        new: number(new),
        saved: number(saved),
        new_urgent: number(new_urgent),
        saved_urgent: number(saved_urgent),
    }
}

fn kind(word: String) -> Result<Kind, StoreError> {
    let found = [Kind::Subscription, Kind::Target].into_iter().find(|it| it.as_str() == word);
    found.ok_or(StoreError::Unreadable { wanted: "kind of lamp", found: word })
}
