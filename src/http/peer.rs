//! Which machine asks, for counting what comes from it.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, connect_info::Connected},
    http::request::Parts,
    serve::IncomingStream,
};

use super::door::Door;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(SocketAddr);

/// The machine that asks, or its network where one may have many addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine(String);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Machine {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// A proxy on this machine says whom it asks for; nobody else is believed.
    fn of(peer: Option<IpAddr>, forwarded: Option<&str>) -> Self {
        let peer = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)).to_canonical();
        let told = forwarded.and_then(|it| it.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
        let ip = told.filter(|_| peer.is_loopback()).unwrap_or(peer).to_canonical();
        Self(match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Machine {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|it| it.0.0.ip());
        let told = parts.headers.get_all("x-forwarded-for").iter().next_back();
        Ok(Self::of(peer, told.and_then(|it| it.to_str().ok())))
    }
}

#[cfg(test)]
mod tests {
    use super::Machine;

    #[test]
    fn a_proxy_on_this_machine_is_believed_and_nobody_else() {
        for (peer, told, machine) in [
            ("192.0.2.1", None, "192.0.2.1"),
            ("192.0.2.1", Some("198.51.100.7"), "192.0.2.1"),
            ("127.0.0.1", None, "127.0.0.1"),
            ("127.0.0.1", Some("198.51.100.7"), "198.51.100.7"),
            ("::1", Some("203.0.113.9, 198.51.100.7"), "198.51.100.7"),
            ("127.0.0.1", Some("nonsense"), "127.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ] {
            let found = Machine::of(Some(peer.parse().unwrap()), told);
            assert_eq!(found.as_str(), machine, "{peer} {told:?}");
        }
    }
}
