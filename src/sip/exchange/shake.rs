//! TLS at an address of ours: agreeing on it with those who connect, beside everything else, and dialling.

use std::{net::SocketAddr, sync::atomic::Ordering::Relaxed, time::Duration};

use bytes::Bytes;
use sipx_transport::{Pool, TransportKind, target::ConnectionKey};
use tokio::{
    net::TcpStream,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_rustls::server::TlsStream;

use super::Exchange;
use crate::sip::tls::Identity;

/// How long agreeing may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// With so many at once.
const MOST_SHAKING: usize = 64;

/// Those with whom TLS is being agreed on; what comes of it.
pub(super) type Shaking = JoinSet<(SocketAddr, Option<TlsStream<TcpStream>>)>;

impl Exchange {
    pub(super) fn kind(&self) -> TransportKind {
        if self.identity.is_some() { TransportKind::Tls } else { TransportKind::Tcp }
    }

    pub(super) fn shake(&mut self, identity: &Identity, stream: TcpStream, source: SocketAddr) {
        if self.shaking.len() >= MOST_SHAKING {
            self.desk.counters.overflowed.fetch_add(1, Relaxed);
            return;
        }
        self.connections.shakes(source, true);
        let agreeing = identity.acceptor().accept(stream);
        self.shaking.spawn(async move {
            match timeout(PATIENCE, agreeing).await {
                Ok(Ok(stream)) => (source, Some(stream)),
                Ok(Err(error)) => {
                    tracing::debug!(%error, %source, "TLS was not agreed on");
                    (source, None)
                }
                Err(_) => (source, None),
            }
        });
    }

    pub(super) fn shaken(
        &mut self,
        shaken: Result<(SocketAddr, Option<TlsStream<TcpStream>>), JoinError>,
    ) {
        let Ok((source, stream)) = shaken else { return };
        self.connections.shakes(source, false);
        match stream {
            Some(stream) => self.pool.accept_tls(stream, source),
            None => _ = self.desk.counters.malformed.fetch_add(1, Relaxed),
        }
    }

    /// The connection with a peer: the one they made, or one that we did.
    pub(super) fn open_with(&self, peer: SocketAddr, kind: TransportKind) -> ConnectionKey {
        let theirs = ConnectionKey::new(peer, kind);
        if self.pool.holds(&theirs) {
            return theirs;
        }
        let ours = self.dialled.iter().find(|it| it.peer == peer && self.pool.holds(it));
        ours.cloned().unwrap_or(theirs)
    }

    /// Looks whether there is a new certificate; files may be slow, so not here.
    pub(super) fn refresh_identity(&self) {
        if let Some(identity) = self.identity.clone() {
            tokio::task::spawn_blocking(move || identity.refresh());
        }
    }
}

/// Sends to a peer that has to prove its name, over a new connection if there is none.
pub(super) async fn dial_secretly(
    pool: &mut Pool,
    identity: &Identity,
    key: &ConnectionKey,
    bytes: Bytes,
) -> sipx_transport::Result<()> {
    let closed = || sipx_transport::Error::ConnectionClosed;
    let client = identity.client().ok_or_else(closed)?;
    let name = key.identity.as_deref().map_or_else(|| key.peer.ip().to_string(), str::to_owned);
    pool.send_tls(key, &name, client, bytes).await
}
