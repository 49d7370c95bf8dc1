//! (to come)

mod check;
mod table;

pub mod greeting;
pub mod mailbox;
pub mod message;
pub mod tenant;
pub mod user;
