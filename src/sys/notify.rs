//! What the service manager is told (sd_notify(3)): a word in a datagram, to the socket it names.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// How far we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls are taken.
    Ready,
    /// New calls are refused, and running ones end.
    Stopping,
}

/// Tells the service manager, if one started us and wants to know.
pub fn tell(state: State) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let word = match state {
        State::Ready => "READY=1",
        State::Stopping => "STOPPING=1",
    };
    let address = match name.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(OsStr::from_bytes(name.as_bytes()))?,
    };
    UnixDatagram::unbound()?.send_to_addr(word.as_bytes(), &address).map(drop)
}
