//! Media: the packets of a call, and the plane that moves them.
pub mod jitter;
pub mod packet;
pub mod reception;
pub mod rtcp;
pub mod source;
pub mod telephone_event;
