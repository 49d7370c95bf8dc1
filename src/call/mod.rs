//! (to come)

pub mod spool;
