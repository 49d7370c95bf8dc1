//! One of our addresses at work: its sockets, UDP and TCP or TLS, and the transactions on them.
//!
//! One task owns all of it, so nothing here is locked and no timer can be missed by somebody else's
//! waiting. Requests go to the [`Desk`], which never waits either. Strangers are refused before
//! anything is remembered about them.

mod answered;
mod connections;
mod door;
mod pace;
mod shake;

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use sipx_sip::{
    HeaderName, Limits, Message, Output, Request, Response, Timer, TransactionKey,
    TransactionLayer, TuEvent, Via, parse_datagram, transaction::Dispatch,
};
use sipx_transport::{
    Pool, PoolConfig, TransportKind,
    nat::apply_received_and_rport,
    target::{ConnectionKey, Target, response_destination},
    tcp::Event,
    timers::TimerQueue,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use self::{
    answered::Answered,
    connections::Connections,
    door::Admission,
    pace::Pace,
    shake::{Shaking, dial_secretly},
};
use super::{
    desk::{Arrival, Desk},
    digest::Guard,
    gate::Gate,
    tls::Identity,
    wire::{Bounds, COMMANDS, Command, Way, Wire},
};

/// TCP connections at once; the one longest unused makes room.
const MOST_CONNECTIONS: usize = 512;
/// A connection nothing was sent on for so long is closed.
const IDLE: Duration = Duration::from_secs(900);
/// Datagrams read before others get their turn.
const BURST: usize = 64;
/// A request that nobody answered for so long is forgotten.
const UNANSWERED: Duration = Duration::from_secs(180);
/// A connection whose peer does not read may hold the others up for so long,
const STALL: Duration = Duration::from_millis(50);
/// and nothing is sent on it for so long after.
const REST: Duration = Duration::from_secs(30);

/// Whose transaction it is. Keys alone do not say: who calls himself has both under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Serving,
    Asking,
}

#[derive(Debug)]
struct Peer {
    /// Where it was heard from, or where its answer is expected from.
    source: IpAddr,
    target: Target,
    /// Tried first, if it is still open.
    reuse: Option<SocketAddr>,
    /// For an answer whose connection has closed: where the peer says it listens.
    fallback: Option<Target>,
    since: Instant,
    answered: bool,
}

type Id = (Role, TransactionKey);

pub(super) struct Exchange {
    wire: Wire,
    /// None where TLS is spoken.
    udp: Option<UdpSocket>,
    tcp: TcpListener,
    identity: Option<Arc<Identity>>,
    /// Those with whom TLS is being agreed on.
    shaking: Shaking,
    accepting: bool,
    net: mpsc::Receiver<Event>,
    pool: Pool,
    /// Connections we made over TLS: the pool knows them by the name that was proved, too.
    dialled: HashSet<ConnectionKey>,
    /// Connections whose peers do not read what they are sent.
    stalled: HashMap<ConnectionKey, Instant>,
    serving: TransactionLayer,
    asking: TransactionLayer,
    timers: TimerQueue<(Id, Timer)>,
    peers: HashMap<Id, Peer>,
    answered: Answered,
    replies: HashMap<TransactionKey, mpsc::Sender<TuEvent>>,
    gate: Gate,
    /// Accounts, if there are any: strangers are then asked for a password.
    guard: Option<Arc<Guard>>,
    connections: Connections,
    pace: Pace,
    bounds: Bounds,
    desk: Arc<Desk>,
}

impl Exchange {
    pub(super) fn new(
        wire: Wire,
        (udp, tcp, identity): (Option<UdpSocket>, TcpListener, Option<Arc<Identity>>),
        bounds: Bounds,
        (gate, guard): (Gate, Option<Arc<Guard>>),
        desk: Arc<Desk>,
    ) -> Self {
        let (events, net) = mpsc::channel(COMMANDS);
        let pool = PoolConfig {
            max_connections: MOST_CONNECTIONS,
            idle_timeout: IDLE,
            reuse_inbound_for_outbound: false,
        };
        let timers = wire.timers;
        Self {
            wire,
            udp,
            tcp,
            identity,
            shaking: Shaking::new(),
            accepting: true,
            net,
            pool: Pool::new(pool, Limits::datagram(), events),
            dialled: HashSet::new(),
            stalled: HashMap::new(),
            serving: TransactionLayer::new(timers),
            asking: TransactionLayer::new(timers),
            timers: TimerQueue::new(),
            peers: HashMap::new(),
            answered: Answered::new(timers.timeout()),
            replies: HashMap::new(),
            gate,
            guard,
            connections: Connections::new(timers.t1),
            pace: Pace::new(bounds.requests, crate::clock::instant()),
            bounds,
            desk,
        }
    }

    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; 65_536];
        let mut sweep = interval(Duration::from_secs(1));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = self.timers.next_deadline();
            tokio::select! {
                received = receive(self.udp.as_ref(), &mut buffer) => match received {
                    Ok((length, source)) => {
                        let first = Bytes::copy_from_slice(&buffer[..length]);
                        self.datagram(first, source).await;
                        self.burst(&mut buffer).await;
                    }
                    Err(error) => tracing::debug!(%error, "a datagram could not be read"),
                },
                order = orders.recv() => match order {
                    Some(Command::Stop(done)) => {
                        self.pool.shutdown().await;
                        drop(self);
                        let _ = done.send(());
                        return;
                    }
                    Some(order) => self.order(order).await,
                    None => return,
                },
                Some(event) = self.net.recv() => self.stream(event).await,
                Some(shaken) = self.shaking.join_next() => self.shaken(shaken),
                accepted = self.tcp.accept(), if self.accepting => match accepted {
                    Ok((stream, source)) => self.accept(stream, source),
                    Err(error) => {
                        // Most likely out of descriptors: try again with the next sweep.
                        tracing::warn!(%error, "a TCP connection could not be accepted");
                        self.accepting = false;
                    }
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    for (id, timer) in self.timers.take_due(Instant::now()) {
                        let outputs = self.layer(id.0).on_timer(&id.1, timer);
                        self.perform(&id, outputs).await;
                    }
                }
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    async fn burst(&mut self, buffer: &mut [u8]) {
        for _ in 1..BURST {
            let received = self.udp.as_ref().map(|it| it.try_recv_from(buffer));
            let Some(Ok((length, source))) = received else { return };
            self.datagram(Bytes::copy_from_slice(&buffer[..length]), source).await;
        }
    }

    async fn datagram(&mut self, bytes: Bytes, source: SocketAddr) {
        if sipx_transport::stun::is_stun(&bytes) || bytes.trim_ascii().is_empty() {
            return;
        }
        match parse_datagram(bytes, &Limits::datagram()) {
            Ok(message) => self.message(message, source, TransportKind::Udp).await,
            Err(error) => {
                self.desk.counters.malformed.fetch_add(1, Relaxed);
                tracing::debug!(%error, %source, "a datagram is not SIP");
            }
        }
    }

    async fn stream(&mut self, event: Event) {
        match event {
            Event::Message { message, source, transport, .. } => {
                self.message(*message, source, transport).await;
            }
            Event::FramingFailed { .. } => {
                self.desk.counters.malformed.fetch_add(1, Relaxed);
            }
            Event::ConnectFailed { key, id, .. }
            | Event::HandshakeFailed { key, id, .. }
            | Event::Closed { key, id } => {
                self.lost(&key, id).await;
            }
            _ => {}
        }
    }

    /// Tells whoever waits for an answer on a connection that it will not come.
    async fn lost(&mut self, connection: &ConnectionKey, id: u64) {
        // An older connection to the same peer may report late: it has nobody waiting.
        if !self.pool.remove(connection, id) {
            return;
        }
        self.connections.forget(connection.peer);
        let waits = |id: &&Id, peer: &Peer| {
            id.0 == Role::Asking
                && peer.target.transport == connection.transport
                && (peer.reuse == Some(connection.peer) || peer.target.addr == connection.peer)
        };
        let lost = self.peers.iter().filter(|(id, peer)| waits(id, peer));
        for id in lost.map(|it| it.0.clone()).collect::<Vec<_>>() {
            let outputs = self.asking.on_transport_error(&id.1);
            self.perform(&id, outputs).await;
        }
    }

    async fn message(&mut self, message: Message, source: SocketAddr, transport: TransportKind) {
        match message {
            Message::Request(request) => match self.admit(&request, source.ip()) {
                Admission::Welcome(account) => {
                    self.connections.welcome(source);
                    self.request(request, (source, transport), account).await;
                }
                Admission::Refused(verdict) => {
                    self.refuse(request, source, transport, (verdict, None)).await;
                }
                Admission::Challenged { verdict, is_stale } => {
                    self.refuse(request, source, transport, (verdict, Some(is_stale))).await;
                }
            },
            Message::Response(response) => {
                let peer = TransactionKey::from_response(&response)
                    .and_then(|key| self.peers.get(&(Role::Asking, key)));
                let expected = peer.is_some_and(|it| it.source == source.ip());
                if !expected && !self.gate.admits(source.ip()) {
                    return;
                }
                let reliability = transport.reliability();
                let answer = self.asking.receive(Message::Response(response), reliability);
                if let Dispatch::Matched { key, outputs } = answer {
                    self.perform(&(Role::Asking, key), outputs).await;
                }
            }
        }
    }

    async fn request(
        &mut self,
        mut request: Request,
        (source, kind): (SocketAddr, TransportKind),
        account: Option<Arc<str>>,
    ) {
        if self.scans(&request) {
            self.desk.counters.scanners.fetch_add(1, Relaxed);
            return;
        }
        if !is_answerable(&request) {
            self.desk.counters.malformed.fetch_add(1, Relaxed);
            return;
        }
        let via = request.headers.typed::<Via>().and_then(Result::ok);
        apply_received_and_rport(&mut request, source);
        if self.is_answered(&request).await {
            return;
        }
        if !self.has_room_for(&request, source.ip()) {
            return self.turn_away(&request, source, kind).await;
        }
        let received = request
            .headers
            .typed::<Via>()
            .and_then(Result::ok)
            .or(via)
            .map(|via| response_destination(&via, source, kind));
        match self.serving.receive(Message::Request(request), kind.reliability()) {
            Dispatch::Created { key, outputs } => {
                let direct = Target::new(source, kind);
                let (target, fallback) = match kind {
                    TransportKind::Udp => (received.unwrap_or(direct), None),
                    _ => (direct, received),
                };
                let since = Instant::now();
                let source_ip = source.ip();
                let (reuse, answered) = (None, false);
                let peer = Peer { source: source_ip, target, reuse, fallback, since, answered };
                let id = (Role::Serving, key);
                self.peers.insert(id.clone(), peer);
                self.hear(id, outputs, (source, kind), account).await;
            }
            Dispatch::Matched { key, outputs } => {
                self.hear((Role::Serving, key), outputs, (source, kind), account).await;
            }
            // Only the ACK of a 2xx comes without a transaction.
            Dispatch::Unmatched(message) => {
                if let Message::Request(request) = *message
                    && let Some(key) = TransactionKey::from_request(&request)
                {
                    self.arrive(key, request, (source, kind), account);
                }
            }
        }
    }

    /// Performs what a request made of its transaction, and answers at once if the desk can.
    async fn hear(
        &mut self,
        id: Id,
        outputs: Vec<Output>,
        from: (SocketAddr, TransportKind),
        account: Option<Arc<str>>,
    ) {
        let mut others = Vec::with_capacity(outputs.len());
        let mut answer = None;
        for output in outputs {
            match output {
                Output::ToTu(event) => match *event {
                    TuEvent::Request(request) | TuEvent::Ack(request) => {
                        answer = self.arrive(id.1.clone(), *request, from, account.clone());
                    }
                    _ => {}
                },
                other => others.push(other),
            }
        }
        self.perform(&id, others).await;
        if let Some(response) = answer {
            self.respond(id.1, response).await;
        }
    }

    fn arrive(
        &self,
        key: TransactionKey,
        request: Request,
        (source, transport): (SocketAddr, TransportKind),
        account: Option<Arc<str>>,
    ) -> Option<Response> {
        let cancels = TransactionKey::for_cancelled_invite(&request)
            .filter(|key| self.source_of(key).is_some());
        let local = self.wire.local_for(source.ip());
        let wire = self.wire.clone();
        self.desk.hear(Arrival { key, request, source, transport, local, cancels, account, wire })
    }

    async fn respond(&mut self, key: TransactionKey, response: Response) {
        let id = (Role::Serving, key);
        if response.status.is_final()
            && let Some(peer) = self.peers.get_mut(&id)
        {
            peer.answered = true;
        }
        let outputs = self.serving.send_response(&id.1, response);
        self.answer(&id, outputs).await;
    }

    async fn order(&mut self, order: Command) {
        match order {
            Command::Respond(key, response) => self.respond(key, *response).await,
            Command::Request(request, way, events) => {
                let reliability = way.target.transport.reliability();
                let Some((key, outputs)) = self.asking.send_request(*request, reliability) else {
                    return;
                };
                self.replies.insert(key.clone(), events);
                let Way { target, reuse } = way;
                let since = Instant::now();
                let source = target.addr.ip();
                let peer = Peer { source, target, reuse, fallback: None, since, answered: true };
                let id = (Role::Asking, key);
                self.peers.insert(id.clone(), peer);
                self.perform(&id, outputs).await;
            }
            Command::Acknowledged(key) => self.acknowledged(&(Role::Serving, key)),
            Command::Acknowledge(request, way) => {
                let bytes = Message::Request(*request).to_bytes();
                if let Err(error) = self.transmit(bytes, &way.target, way.reuse, None).await {
                    tracing::debug!(%error, "an ACK could not be sent");
                }
            }
            Command::Stop(_) => {}
        }
    }

    /// Does what a transaction asks for, in order.
    async fn perform(&mut self, id: &Id, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(message) => {
                    if let Err(error) = self.send(id, *message).await {
                        tracing::debug!(%error, "a message could not be sent");
                        let outputs = self.layer(id.0).on_transport_error(&id.1);
                        return Box::pin(self.perform(id, outputs)).await;
                    }
                }
                Output::SetTimer { timer, after } => {
                    self.timers.set((id.clone(), timer), Instant::now(), after);
                }
                Output::ClearTimer(timer) => self.timers.clear(&(id.clone(), timer)),
                Output::ToTu(event) => {
                    if id.0 == Role::Asking
                        && let Some(events) = self.replies.get(&id.1)
                    {
                        // A full queue means a peer that answers one request 32 times.
                        let _ = events.try_send(*event);
                    }
                }
                Output::Terminated(_) => self.forget(id),
                _ => {}
            }
        }
    }

    async fn send(&mut self, id: &Id, message: Message) -> sipx_transport::Result<()> {
        let Some(peer) = self.peers.get(id) else { return Ok(()) };
        let (target, reuse, mut fallback) =
            (peer.target.clone(), peer.reuse, peer.fallback.clone());
        if id.0 == Role::Serving && fallback.is_none() {
            fallback = Some(target.clone());
        }
        self.transmit(message.to_bytes(), &target, reuse, fallback).await
    }

    /// `fallback` is set for answers: those go back on the connection the request came on.
    async fn transmit(
        &mut self,
        bytes: Bytes,
        target: &Target,
        reuse: Option<SocketAddr>,
        fallback: Option<Target>,
    ) -> sipx_transport::Result<()> {
        if target.transport == TransportKind::Udp {
            let udp = self.udp.as_ref().ok_or(sipx_transport::Error::ConnectionClosed)?;
            udp.send_to(&bytes, target.addr).await?;
            return Ok(());
        }
        let open = match (&fallback, reuse) {
            (Some(_), _) => Some(self.open_with(target.addr, target.transport)),
            (None, Some(peer)) => Some(self.open_with(peer, target.transport)),
            (None, None) => None,
        };
        let dial = fallback.as_ref().unwrap_or(target).connection();
        let key = open.as_ref().unwrap_or(&dial);
        if self.stalled.contains_key(key) {
            return Err(sipx_transport::Error::ConnectionClosed);
        }
        let sent = timeout(STALL, async {
            match &open {
                Some(open) if self.pool.send_on_existing(open, bytes.clone()).await => Ok(()),
                _ => match &self.identity {
                    None => self.pool.send(&dial, bytes).await,
                    Some(identity) => {
                        self.dialled.insert(dial.clone());
                        dial_secretly(&mut self.pool, identity, &dial, bytes).await
                    }
                },
            }
        });
        match sent.await {
            Ok(sent) => sent,
            Err(_) => {
                self.stalled.insert(key.clone(), Instant::now());
                Err(sipx_transport::Error::ConnectionClosed)
            }
        }
    }

    fn layer(&mut self, role: Role) -> &mut TransactionLayer {
        match role {
            Role::Serving => &mut self.serving,
            Role::Asking => &mut self.asking,
        }
    }

    fn forget(&mut self, id: &Id) {
        for timer in Timer::ALL {
            self.timers.forget(&(id.clone(), timer));
        }
        self.peers.remove(id);
        if id.0 == Role::Asking {
            // Dropping the sender is how the asker learns that nothing more will come.
            self.replies.remove(&id.1);
        }
    }

    fn sweep(&mut self) {
        self.accepting = true;
        self.pool.evict_idle();
        let (pool, kind) = (&self.pool, self.kind());
        self.dialled.retain(|it| pool.holds(it));
        self.connections.sweep(|it| pool.holds(&ConnectionKey::new(*it, kind)));
        self.refresh_identity();
        let now = Instant::now();
        self.answered.sweep(now);
        self.stalled.retain(|_, since| now.duration_since(*since) < REST);
        let stale = |peer: &Peer| !peer.answered && now.duration_since(peer.since) > UNANSWERED;
        let stale = self.peers.iter().filter(|it| stale(it.1)).map(|it| it.0.clone());
        for id in stale.collect::<Vec<_>>() {
            self.serving.abandon(&id.1);
            self.forget(&id);
        }
    }
}

/// Whether it has what every answer repeats; without, a transaction would wait in vain.
fn is_answerable(request: &Request) -> bool {
    use HeaderName::{CSeq, CallId, From, To, Via};
    [Via, From, To, CallId, CSeq].iter().all(|it| request.headers.get(it).is_some())
}

/// The next datagram, where there are any.
async fn receive(udp: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match udp {
        Some(udp) => udp.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}
