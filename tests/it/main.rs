//! All tests that use the server from outside, in one program so that it links once.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "these are tests")]

mod architecture;
mod audio;
mod blobs;
mod call;
mod cli;
mod config;
mod flows;
mod http;
mod jobs;
mod mail;
mod prompts;
mod recovery;
mod rtp;
mod say;
mod sip;
mod sipp;
mod speech;
mod spool;
mod store;
