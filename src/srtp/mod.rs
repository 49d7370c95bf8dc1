//! SRTP (RFC 3711): sound that nobody on the way can hear or change, with keys that come in the
//! session description (SDES, RFC 4568).
//!
//! Pure: keys and bytes in, bytes out. A [`Sealer`] encrypts what leaves, an [`Opener`] takes only what
//! the other side's key has made, each packet once. Neither allocates after it was made. AES in
//! counter mode with HMAC-SHA1; no MKI, no key derivation rate, no AEAD.

mod keys;
mod opener;
mod sealer;
mod session;
mod window;

pub use keys::{Key, Keys, Policy, Seed, Suite};
pub use opener::Opener;
pub use sealer::Sealer;

/// What sealing adds to a packet of RTP at most.
pub const OVERHEAD: usize = session::TAG;
/// What it adds to RTCP: the packet's number and the tag.
pub const RTCP_OVERHEAD: usize = session::TAG + 4;
