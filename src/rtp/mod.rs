//! Media: the packets of a call, and the plane that moves them.
//!
//! The [`Plane`] is a few threads of its own, beating in milliseconds. A [`Leg`] is one side of
//! a call on it: it plays [`Clip`](crate::audio::Clip)s, hears digits, and records into a ring that
//! somebody else empties. Nothing is decoded here: G.711 goes into the ring a byte a sample, G.722 and
//! Opus in [pieces](crate::audio::piece). Packets are taken from where signalling and SDP say, and from
//! nobody else; of an encrypted call, only what its key made ([`crate::srtp`]).
//!
//! What a packet means is decided in files without sockets or clocks: `packet`, `rtcp`,
//! `reception`, `telephone_event`, `jitter`, `parcels`, `source`.

mod ear;
mod in_band;
pub mod jitter;
mod leg;
mod line;
pub mod packet;
mod parcels;
mod plane;
mod ports;
mod post;
pub mod reception;
mod recording;
mod reports;
pub mod rtcp;
mod secret;
pub mod source;
mod speaker;
mod tally;
pub mod telephone_event;
mod thread;

pub use leg::{Heard, Leg, Recorder, Stream};
pub use plane::{Plane, PlaneError, Settings};
pub use ports::{NotPorts, Ports};
pub use tally::{Counters, LATENESS, Lateness, Stats};
