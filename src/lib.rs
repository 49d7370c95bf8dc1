//! Afterbeep: voicemail that is kept, transcribed and mailed.
//!
//! Read this list top to bottom: a module may use those above it. `ARCHITECTURE.md` is the longer
//! story, `tests/it/architecture.rs` keeps it true.

// Core: rules and state machines. No clock, no socket, no database.
pub mod audio;
pub mod flow;
pub mod mailbox;
pub mod music;
pub mod say;
pub mod srtp;

// Edges: one outside system each. They use the core, never one another.
pub mod bell;
pub mod blobs;
pub mod clock;
pub mod decode;
pub mod mail;
pub mod prompts;
pub mod rtp;
pub mod sip;
pub mod speech;
pub mod store;
pub mod sys;
pub mod worker;

// Wiring: the settings, and everything that was opened with them.
pub mod config;

pub mod app;

// Drivers: join the core to the edges.
pub mod admin;
pub mod call;
pub mod cli;
pub mod hold;
pub mod http;
pub mod jobs;
pub mod lamp;
