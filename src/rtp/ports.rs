//! The ports of the media plane: RTP on an even one, RTCP on the next (RFC 3550 §11).

use std::{
    collections::VecDeque,
    fmt, io,
    net::{IpAddr, SocketAddr, UdpSocket},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

/// What the system may hold for a leg: over a second of packets, as the kernel counts them.
const RECEIVE_BUFFER: usize = 256 * 1024;
/// What may wait to leave a socket that thousands are sent to by.
const SEND_BUFFER: usize = 1024 * 1024;
/// Expedited forwarding (RFC 3246), as the IP header carries it.
const VOICE: u32 = 46 << 2;

/// The ports for media, as `10000-19999`; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// Why something is not a range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a range of ports with an even and an odd one, such as 10000-19999")]
pub struct NotPorts(String);

/// Ports nobody uses, the one longest unused first: what is still under way to a call that ended
/// should not meet the next one.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Mutex<VecDeque<u16>>>);

/// A pair of ports, given back when dropped.
#[derive(Debug)]
pub(super) struct Pair {
    even: u16,
    pool: Pool,
}

/// The sockets of one leg, or of all that only send from an address. They are dropped before their ports
/// are given back.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    _pair: Pair,
}

/// Whether anything that comes to a socket is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Both,
    Sending,
}

impl FromStr for Ports {
    type Err = NotPorts;

    fn from_str(text: &str) -> Result<Self, NotPorts> {
        let range = text.split_once('-').and_then(|(first, last)| {
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            Some(Self { first, last })
        });
        range.filter(|it| it.evens().next().is_some()).ok_or_else(|| NotPorts(text.into()))
    }
}

impl TryFrom<String> for Ports {
    type Error = NotPorts;

    fn try_from(text: String) -> Result<Self, NotPorts> {
        text.parse()
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> Self {
        ports.to_string()
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Ports {
    /// How many calls there is room for.
    pub fn pairs(self) -> usize {
        self.evens().count()
    }

    fn evens(self) -> impl Iterator<Item = u16> {
        (self.first.max(1)..self.last).filter(|port| port % 2 == 0)
    }
}

impl Pool {
    pub(super) fn new(ports: Ports) -> Self {
        Self(Arc::new(Mutex::new(ports.evens().collect())))
    }

    /// Opens a pair of sockets; `None` when every pair is in use, by us or by others.
    pub(super) fn open(&self, local: IpAddr, what: Use) -> io::Result<Option<Sockets>> {
        let tries = self.free().len();
        for _ in 0..tries {
            let Some(even) = self.free().pop_front() else { break };
            let _pair = Pair { even, pool: self.clone() };
            let bound = |port| bind(SocketAddr::new(local, port), what);
            let opened = bound(even).and_then(|rtp| Ok((rtp, bound(even + 1)?)));
            match opened {
                Ok((rtp, rtcp)) => return Ok(Some(Sockets { rtp, rtcp, _pair })),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn free(&self) -> std::sync::MutexGuard<'_, VecDeque<u16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.pool.free().push_back(self.even);
    }
}

fn bind(address: SocketAddr, what: Use) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    // None of these is worth refusing a call for.
    let _ = match what {
        Use::Both => socket.set_recv_buffer_size(RECEIVE_BUFFER),
        // What nobody reads should not be kept.
        Use::Sending => {
            socket.set_recv_buffer_size(0).and(socket.set_send_buffer_size(SEND_BUFFER))
        }
    };
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        let _ = socket.set_tclass_v6(VOICE);
    } else {
        let _ = socket.set_tos_v4(VOICE);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_and_shown() {
        let ports: Ports = "10000-19999".parse().unwrap();
        assert_eq!((ports.first, ports.last, ports.evens().count()), (10_000, 19_999, 5_000));
        assert_eq!(ports.to_string(), "10000-19999");
        for wrong in ["", "1", "20000-10000", "5-5", "7-8", "1-99999", "a-b"] {
            assert!(wrong.parse::<Ports>().is_err(), "{wrong}");
        }
    }
}
