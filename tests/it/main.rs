//! All tests that use the server from outside, in one program so that it links once.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "these are tests")]
#![allow(missing_docs, unreachable_pub, reason = "nobody uses a test program from outside")]

mod api;
mod architecture;
mod asterisk;
mod audio;
mod blobs;
mod call;
mod certificate;
mod cli;
mod config;
mod decode;
mod demo;
mod docker;
mod doctor;
mod engines;
mod filing;
mod flows;
mod growth;
mod guests;
mod health;
mod house;
mod http;
mod jobs;
mod lamp;
mod mail;
mod model;
mod numbers;
mod page;
mod pages;
#[path = "../phone/mod.rs"]
mod phone;
mod pin;
mod postgres;
mod prompts;
mod reason;
mod recovery;
mod room;
mod rtp;
mod s3;
mod say;
mod service;
mod settings;
mod sip;
mod sipp;
mod speech;
mod spool;
mod store;
