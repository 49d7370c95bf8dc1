//! The only place with `unsafe`: what the operating system offers and no crate of ours wraps.
//!
//! `datagrams` are socket calls for many at once, `disk` is what files need to be safe, `media` the sleeping
//! tick, `process` priorities and limits, `notify` what the service manager is told, `terminal` what is typed
//! unseen, `voice` the one call of a speech engine that trusts its caller.
#![allow(
    unsafe_code,
    reason = "every call below is a system call, or a library's, with its arguments checked here"
)]

pub mod datagrams;
pub mod disk;
pub mod media;
pub mod notify;
pub mod process;
pub mod terminal;
#[cfg(feature = "pico")]
pub mod voice;
