//! Connections that others opened: how many, whose, and which of them bring nothing.

use std::{
    collections::HashMap,
    net::{Shutdown, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpStream, time::Instant};

use crate::sip::gate::household;

/// Connections of strangers who might know a password,
const MOST_GUESTS: usize = 64;
/// and of one of them.
const MOST_GUESTS_EACH: usize = 8;
/// Connections of one peer; behind one address there may be many phones.
const MOST_EACH: usize = 128;
/// Whoever connects must say something we take within this long.
const SILENT: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(super) struct Connections {
    open: HashMap<SocketAddr, Connection>,
    silent: Duration,
}

#[derive(Debug)]
struct Connection {
    since: Instant,
    is_guest: bool,
    /// TLS is not agreed on yet.
    is_shaking: bool,
    /// What ends it from outside, until it brought something.
    end: Option<socket2::Socket>,
}

impl Connections {
    /// `t1` scales the patience with those who say nothing, as it does all others.
    pub(super) fn new(t1: Duration) -> Self {
        let silent = SILENT.mul_f64(t1.as_secs_f64() / 0.5).max(Duration::from_secs(1));
        Self { open: HashMap::new(), silent }
    }

    /// Whether there is room for another connection from there.
    pub(super) fn has_room_for(&self, source: SocketAddr, is_guest: bool) -> bool {
        let home = household(source.ip());
        let (mut guests, mut same) = (0, 0);
        for (at, connection) in &self.open {
            guests += usize::from(connection.is_guest);
            same += usize::from(household(at.ip()) == home);
        }
        if is_guest { guests < MOST_GUESTS && same < MOST_GUESTS_EACH } else { same < MOST_EACH }
    }

    /// Somebody connected.
    pub(super) fn open(&mut self, stream: &TcpStream, source: SocketAddr, is_guest: bool) {
        let end = socket2::SockRef::from(stream).try_clone().ok();
        let since = Instant::now();
        let connection = Connection { since, is_guest, is_shaking: false, end };
        self.open.insert(source, connection);
    }

    /// TLS is being agreed on, or was.
    pub(super) fn shakes(&mut self, source: SocketAddr, is_shaking: bool) {
        if let Some(connection) = self.open.get_mut(&source) {
            connection.is_shaking = is_shaking;
        }
    }

    /// Something came on it that was taken.
    pub(super) fn welcome(&mut self, source: SocketAddr) {
        if let Some(connection) = self.open.get_mut(&source) {
            connection.end = None;
        }
    }

    /// It is closed.
    pub(super) fn forget(&mut self, source: SocketAddr) {
        self.open.remove(&source);
    }

    /// Forgets those that are closed, and closes those that brought nothing.
    pub(super) fn sweep(&mut self, is_open: impl Fn(&SocketAddr) -> bool) {
        self.open.retain(|at, it| it.is_shaking || is_open(at));
        for connection in self.open.values_mut().filter(|it| it.since.elapsed() > self.silent) {
            if let Some(end) = connection.end.take() {
                // The connection's own task sees it closed, and says so.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }
}
