//! The store, on a database of its own per test.

mod house;
mod jobs;
mod messages;
mod opening;
mod owners;
mod room;
