//! Who is let in at an address of ours, and what the others are told.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use sipx_sip::{HeaderName, Message, Method, Request, Response, TransactionKey};
use sipx_transport::{TransportKind, nat::apply_received_and_rport};
use tokio::{net::TcpStream, time::timeout};

use super::{Exchange, Role, STALL};
use crate::sip::{
    digest::Judgement,
    gate::Verdict,
    identity::party,
    reply::{reply, with},
};

/// Seconds after which somebody may ask again for whom there was no room.
const RETRY_AFTER: u32 = 2;

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
        key.and_then(|it| self.source_of(&it)) == Some(from) || self.desk.is_within(request, from)
    }

    /// Where a request came from that is being answered, or was.
    pub(super) fn source_of(&self, key: &TransactionKey) -> Option<IpAddr> {
        let peer = self.peers.get(&(Role::Serving, key.clone()));
        peer.map(|it| it.source).or_else(|| self.answered.source(key))
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
        if verdict == Verdict::Ignore || self.scans(&request) {
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
        self.answer_once(response, source, transport).await;
    }

    /// Whether a request is heard now. What belongs to a call or a transaction that is there always is.
    pub(super) fn has_room_for(&mut self, request: &Request, from: IpAddr) -> bool {
        let known = TransactionKey::from_request(request)
            .is_some_and(|key| self.serving.server_request(&key).is_some());
        if known || matches!(request.method, Method::Ack | Method::Cancel) {
            return true;
        }
        if self.serving.len().1 + self.answered.len() >= self.bounds.transactions {
            self.desk.counters.overflowed.fetch_add(1, Relaxed);
            return false;
        }
        let begins = party(&request.headers, &HeaderName::To).is_none_or(|it| it.tag.is_none());
        if begins && !self.pace.allows(from, crate::clock::instant()) {
            self.desk.counters.hurried.fetch_add(1, Relaxed);
            return false;
        }
        true
    }

    /// Says when to ask again. Nothing is kept of the request.
    pub(super) async fn turn_away(
        &mut self,
        request: &Request,
        source: SocketAddr,
        transport: TransportKind,
    ) {
        let Some(response) = reply(request, 503, "0") else { return };
        let response = with(response, HeaderName::RetryAfter, RETRY_AFTER.to_string());
        self.answer_once(response, source, transport).await;
    }

    /// Answers where the request came from, without a transaction: copies are answered anew.
    async fn answer_once(
        &mut self,
        response: Response,
        source: SocketAddr,
        transport: TransportKind,
    ) {
        let bytes = Message::Response(response).to_bytes();
        if let Some(udp) = self.udp.as_ref().filter(|_| transport == TransportKind::Udp) {
            let _ = udp.send_to(&bytes, source).await;
        } else {
            let key = self.open_with(source, transport);
            let _ = timeout(STALL, self.pool.send_on_existing(&key, bytes)).await;
        }
    }

    pub(super) fn scans(&self, request: &Request) -> bool {
        let agent = request.headers.value(&HeaderName::UserAgent);
        agent.is_some_and(|it| self.gate.is_scanner(&it))
    }

    pub(super) fn accept(&mut self, stream: TcpStream, source: SocketAddr) {
        let is_guest = !self.gate.admits(source.ip());
        let has_room = self.connections.has_room_for(source, is_guest);
        if is_guest && (self.guard.is_none() || !has_room) {
            let verdict = self.gate.judge(source.ip(), crate::clock::instant());
            self.desk.counters.strangers.fetch_add(1, Relaxed);
            if verdict == (Verdict::Refuse { first: true }) {
                tracing::info!(peer = %source.ip(), "refused a peer that is not in sip.allow");
            }
            return;
        }
        if !has_room {
            self.desk.counters.overflowed.fetch_add(1, Relaxed);
            return;
        }
        let _ = stream.set_nodelay(true);
        self.connections.open(&stream, source, is_guest);
        match self.identity.clone() {
            None => self.pool.accept(stream, source),
            Some(identity) => self.shake(&identity, stream, source),
        }
    }
}
