//! The sockets of one address.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::net::{TcpListener, UdpSocket};

/// The address packets to a peer leave from. No packet is sent to learn it.
pub(super) fn route(any: IpAddr, peer: IpAddr) -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((peer, 5060)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// UDP and TCP on one port.
pub(super) fn bind(
    address: SocketAddr,
) -> Result<(UdpSocket, TcpListener), (&'static str, io::Error)> {
    // A free UDP port may be taken for TCP: another one is asked for then.
    for _ in 0..16 {
        let udp = udp(address).map_err(|it| ("UDP", it))?;
        let bound = udp.local_addr().map_err(|it| ("UDP", it))?;
        match tcp(bound) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(("TCP", error)),
        }
    }
    Err(("TCP", io::ErrorKind::AddrInUse.into()))
}

/// TCP for TLS.
pub(super) fn bind_tls(address: SocketAddr) -> Result<TcpListener, (&'static str, io::Error)> {
    tcp(address).map_err(|it| ("TLS", it))
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(address, socket2::Type::DGRAM)?;
    // Room for a burst of calls; what the system grants is enough.
    let _ = socket.set_recv_buffer_size(1 << 20);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, socket2::Type::STREAM)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    TcpListener::from_std(socket.into())
}

fn socket(address: SocketAddr, kind: socket2::Type) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` may both be listened on, each for its own family.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}
