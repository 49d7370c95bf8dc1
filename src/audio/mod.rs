//! Samples to samples: everything that happens to sound and needs nothing but the sound.
//!
//! Samples are 16-bit linear PCM unless a function says otherwise.

pub mod bed;
mod clip;
mod codec;
pub mod decoder;
pub mod dtmf;
pub mod g711;
pub mod g722;
pub mod gate;
pub mod gsm;
pub mod level;
pub mod listener;
pub mod loudness;
mod master;
pub mod mp3;
pub mod music;
pub mod ogg;
#[cfg(feature = "opus")]
pub mod opus;
#[cfg(not(feature = "opus"))]
#[path = "without_opus.rs"]
pub mod opus;
pub mod opus_packet;
pub mod piece;
pub mod relay;
pub mod resample;
pub mod ring;
pub mod stretch;
pub mod tones;
pub mod wav;

pub use clip::{Clip, Encoded};
pub use codec::Codec;
