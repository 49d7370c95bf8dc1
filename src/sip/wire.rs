//! The wire: how everybody else sends on one of our addresses. The work is its [`Exchange`]'s.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use sipx_sip::{Request, Response, Timers, TransactionKey, TuEvent};
use sipx_transport::target::Target;
use tokio::sync::{mpsc, oneshot};

use super::{
    desk::Desk,
    digest::Guard,
    exchange::Exchange,
    gate::Gate,
    sockets::{bind, bind_tls, route},
    tls::Identity,
};

/// Sends on one address. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    commands: mpsc::Sender<Command>,
    bound: SocketAddr,
    advertise: Option<IpAddr>,
    pub(super) timers: Timers,
    is_secure: bool,
}

/// How much is taken at an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Transactions at once.
    pub(super) transactions: usize,
    /// New requests a second from one source; 0 is any number.
    pub(super) requests: u32,
}

/// Where a request of ours goes.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) target: Target,
    /// The far end of a TCP or TLS connection the dialog already has: used while it is open, since many
    /// peers cannot be dialled back.
    pub(super) reuse: Option<SocketAddr>,
}

/// What the exchange is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Answer a request.
    Respond(TransactionKey, Box<Response>),
    /// Send a request and tell what comes back.
    Request(Box<Request>, Way, mpsc::Sender<TuEvent>),
    /// The 2xx to this INVITE was acknowledged.
    Acknowledged(TransactionKey),
    /// Send an ACK.
    Acknowledge(Box<Request>, Way),
    /// Close the sockets.
    Stop(oneshot::Sender<()>),
}

/// Commands waiting for the task.
pub(super) const COMMANDS: usize = 1024;

impl Wire {
    /// Opens UDP and TCP on one port, or with an identity TLS; port 0 asks for any that is free.
    pub(super) fn open(
        address: SocketAddr,
        advertise: Option<IpAddr>,
        (timers, bounds, identity): (Timers, Bounds, Option<Arc<Identity>>),
        (gate, guard): (Gate, Option<Arc<Guard>>),
        desk: Arc<Desk>,
    ) -> Result<Self, (&'static str, io::Error)> {
        let (udp, tcp) = match &identity {
            None => bind(address).map(|(udp, tcp)| (Some(udp), tcp))?,
            Some(_) => (None, bind_tls(address)?),
        };
        let bound = tcp.local_addr().map_err(|it| ("TCP", it))?;
        let (commands, orders) = mpsc::channel(COMMANDS);
        let wire = Self { commands, bound, advertise, timers, is_secure: identity.is_some() };
        let sockets = (udp, tcp, identity);
        let exchange = Exchange::new(wire.clone(), sockets, bounds, (gate, guard), desk);
        tokio::spawn(exchange.run(orders));
        Ok(wire)
    }

    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Whether it speaks TLS, and nothing else.
    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Our address as that peer reaches it.
    pub(super) fn local_for(&self, peer: IpAddr) -> SocketAddr {
        let advertised = self
            .advertise
            .filter(|ip| !peer.is_loopback() && ip.is_ipv4() == peer.to_canonical().is_ipv4());
        SocketAddr::new(advertised.unwrap_or_else(|| self.own_for(peer)), self.bound.port())
    }

    /// The address of this machine that packets to and from that peer have; behind NAT, it is
    /// not the one the peer knows.
    pub(super) fn own_for(&self, peer: IpAddr) -> IpAddr {
        match self.bound.ip() {
            any if any.is_unspecified() => route(any, peer).unwrap_or(any),
            ip => ip,
        }
    }

    /// Answers a request.
    pub(super) async fn respond(&self, key: TransactionKey, response: Response) {
        // An error means the server has stopped; there is nobody left to tell.
        let _ = self.commands.send(Command::Respond(key, Box::new(response))).await;
    }

    /// The same without waiting, for a place that cannot: the peer asks again if it is lost.
    pub(super) fn try_respond(&self, key: TransactionKey, response: Response) {
        let _ = self.commands.try_send(Command::Respond(key, Box::new(response)));
    }

    /// The 2xx to an INVITE was acknowledged. Should there be no room for the news, all of it is remembered
    /// for its time.
    pub(super) fn acknowledged(&self, key: TransactionKey) {
        let _ = self.commands.try_send(Command::Acknowledged(key));
    }

    /// Sends a request; its responses, or `Timeout` or `TransportError`, come out of the receiver.
    pub(super) async fn request(&self, request: Request, way: Way) -> mpsc::Receiver<TuEvent> {
        let (events, responses) = mpsc::channel(32);
        let _ = self.commands.send(Command::Request(Box::new(request), way, events)).await;
        responses
    }

    /// Sends the ACK of a 2xx, which no transaction repeats.
    pub(super) async fn acknowledge(&self, request: Request, way: Way) {
        let _ = self.commands.send(Command::Acknowledge(Box::new(request), way)).await;
    }

    /// Whether its task still runs.
    pub(super) fn is_alive(&self) -> bool {
        !self.commands.is_closed()
    }

    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advertised_is_told_to_peers_outside_and_bound_by_nobody() {
        let wire = Wire {
            commands: mpsc::channel(1).0,
            bound: "192.0.2.1:5060".parse().unwrap(),
            advertise: Some("203.0.113.9".parse().unwrap()),
            timers: Timers::default(),
            is_secure: false,
        };
        let (near, far) = ("127.0.0.1".parse().unwrap(), "198.51.100.7".parse().unwrap());
        assert_eq!(wire.local_for(far), "203.0.113.9:5060".parse().unwrap());
        assert_eq!(wire.local_for(near), wire.bound);
        assert_eq!(wire.own_for(far), wire.bound.ip());
    }
}
