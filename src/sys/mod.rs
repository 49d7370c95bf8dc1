//! The only place with `unsafe`: what the operating system offers and no crate of ours wraps.
//!
//! `media` is batched socket calls and the sleeping tick, `process` is priorities and limits.
#![allow(unsafe_code, reason = "every call below is a system call with its arguments checked here")]

pub mod media;
