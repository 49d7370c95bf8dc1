//! The only place with `unsafe`: what the operating system offers and no crate of ours wraps.
//!
//! `disk` is what files need to be safe, `media` batched socket calls and the sleeping tick,
//! `process` priorities and limits, `notify` what the service manager is told.
#![allow(unsafe_code, reason = "every call below is a system call with its arguments checked here")]

pub mod disk;
pub mod media;
pub mod notify;
pub mod process;
