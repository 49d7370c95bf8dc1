//! Who is let in at an address of ours, and what the others are told.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use sipx_sip::{HeaderName, Message, Method, Request, TransactionKey};
use sipx_transport::{TransportKind, nat::apply_received_and_rport, target::Target};
use tokio::{net::TcpStream, time::timeout};

use super::{Exchange, Role, STALL, scans};
use crate::sip::{digest::Judgement, gate::Verdict, reply::reply};

/// Connections of strangers who might know a password,
const MOST_GUESTS: usize = 64;
/// and of one of them.
const MOST_GUESTS_EACH: usize = 8;

/// Whether a request is heard.
pub(super) enum Admission {
    /// It is, and in whose name.
    Welcome(Option<Arc<str>>),
    /// It is not, and what is said to that.
    Refused(Verdict),
    /// It has to come again with a password, or with a new proof of the same.
    Challenged { verdict: Verdict, is_stale: bool },
}

impl Exchange {
    /// Decides who is heard: peers by address, what belongs to a call or a transaction that is
    /// there, and whoever knows a password.
    pub(super) fn admit(&mut self, request: &Request, from: IpAddr) -> Admission {
        let is_peer = self.gate.admits(from) && !self.must_prove(request, from);
        if is_peer || self.is_known(request, from) {
            return Admission::Welcome(None);
        }
        let now = crate::clock::instant();
        let Some(guard) = self.guard.clone() else {
            return Admission::Refused(self.gate.judge(from, now));
        };
        // Neither can be sent again with a password (RFC 3261 §22.1).
        if matches!(request.method, Method::Ack | Method::Cancel) {
            return Admission::Refused(Verdict::Ignore);
        }
        let verdict = self.gate.visit(from, now);
        if !self.gate.listens(from) {
            return Admission::Refused(Verdict::Ignore);
        }
        let judgement = guard.judge(request, from, now);
        if let Judgement::Right(account) = judgement {
            self.gate.forgive(from);
            return Admission::Welcome(Some(account));
        }
        if judgement == Judgement::Wrong {
            self.gate.guessed(from);
            self.desk.counters.wrong_passwords.fetch_add(1, Relaxed);
            tracing::warn!(peer = %from, "a wrong password, or a name that is no account's");
        }
        Admission::Challenged { verdict, is_stale: judgement == Judgement::Stale }
    }

    /// Whether a peer has to know a password all the same: what waits in a mailbox is told to its
    /// owner's phone, and to nobody for being near.
    fn must_prove(&self, request: &Request, from: IpAddr) -> bool {
        request.method == Method::Subscribe && self.guard.is_some() && !self.desk.believes(from)
    }

    /// Whether a request is part of what was admitted before, and comes from the same address: a
    /// copy, a CANCEL, an ACK, or a request within a call.
    fn is_known(&self, request: &Request, from: IpAddr) -> bool {
        let key = match request.method {
            Method::Cancel => TransactionKey::for_cancelled_invite(request),
            _ => TransactionKey::from_request(request),
        };
        let peer = key.and_then(|key| self.peers.get(&(Role::Serving, key)));
        peer.is_some_and(|it| it.source == from) || self.desk.is_within(request, from)
    }

    /// What strangers get: nothing is kept, and it goes where the request came from.
    pub(super) async fn refuse(
        &mut self,
        mut request: Request,
        source: SocketAddr,
        transport: TransportKind,
        (verdict, challenge): (Verdict, Option<bool>),
    ) {
        if request.method == Method::Ack {
            return;
        }
        let counters = &self.desk.counters;
        let (counter, what) = match challenge {
            Some(_) => (&counters.challenged, "asked a peer for a password"),
            None => (&counters.strangers, "refused a peer that is not in sip.allow"),
        };
        counter.fetch_add(1, Relaxed);
        if verdict == (Verdict::Refuse { first: true }) {
            tracing::info!(peer = %source.ip(), "{what}");
        }
        if verdict == Verdict::Ignore || scans(&request) {
            return;
        }
        apply_received_and_rport(&mut request, source);
        request.headers.remove_all(&HeaderName::HistoryInfo);
        request.headers.remove_all(&HeaderName::Supported);
        let code = if challenge.is_some() { 401 } else { 403 };
        let Some(mut response) = reply(&request, code, "0") else { return };
        if let (Some(is_stale), Some(guard)) = (challenge, &self.guard) {
            let now = crate::clock::instant();
            response = guard.challenge(response, is_stale, source.ip(), now);
        }
        let bytes = Message::Response(response).to_bytes();
        if transport == TransportKind::Udp {
            let _ = self.udp.send_to(&bytes, source).await;
        } else {
            let key = Target::new(source, transport).connection();
            let _ = timeout(STALL, self.pool.send_on_existing(&key, bytes)).await;
        }
    }

    pub(super) fn accept(&mut self, stream: TcpStream, source: SocketAddr) {
        if !self.gate.admits(source.ip()) {
            if self.guard.is_none() || !self.has_room_for(source) {
                let verdict = self.gate.judge(source.ip(), crate::clock::instant());
                self.desk.counters.strangers.fetch_add(1, Relaxed);
                if verdict == (Verdict::Refuse { first: true }) {
                    tracing::info!(peer = %source.ip(), "refused a peer that is not in sip.allow");
                }
                return;
            }
            self.guests.insert(source);
        }
        let _ = stream.set_nodelay(true);
        self.pool.accept(stream, source);
    }

    /// Whether a stranger may have another connection: few, so that peers keep theirs.
    fn has_room_for(&self, source: SocketAddr) -> bool {
        let same = self.guests.iter().filter(|it| it.ip() == source.ip()).count();
        self.guests.len() < MOST_GUESTS && same < MOST_GUESTS_EACH
    }
}
