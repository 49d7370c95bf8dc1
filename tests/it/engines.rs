//! What docs/engines tells: Kamailio runs with the configuration of its page, and the calls of the
//! others are replayed as they send them.

mod kamailio;
pub(crate) mod proxy;
mod replayed;
mod through;
