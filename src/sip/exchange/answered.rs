//! What was answered and may still be asked again. Of a transaction that waits for nothing but copies of its
//! request (RFC 3261 §17.2.2, RFC 6026 §7.1), which most at any moment do, the answer is kept and nothing else.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use sipx_sip::{
    Method, Request, Timer, TransactionKey,
    transaction::{Output, ServerState, sent_messages},
};
use sipx_transport::TransportKind;
use tokio::time::Instant;

use super::{Exchange, Id};

/// See the module.
#[derive(Debug)]
pub(super) struct Answered {
    kept: HashMap<TransactionKey, Answer>,
    /// How long copies may come.
    time: Duration,
}

#[derive(Debug)]
struct Answer {
    /// What a copy gets; nothing, where it was acknowledged.
    again: Option<Bytes>,
    source: IpAddr,
    to: SocketAddr,
    until: Instant,
}

impl Answered {
    pub(super) fn new(time: Duration) -> Self {
        Self { kept: HashMap::new(), time }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Who asked for what was answered.
    pub(super) fn source(&self, key: &TransactionKey) -> Option<IpAddr> {
        self.kept.get(key).map(|it| it.source)
    }

    /// Forgets what nobody asks again.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.kept.retain(|_, it| now < it.until);
    }
}

impl Exchange {
    /// Whether it is a copy of what was answered. Then it gets the same again.
    pub(super) async fn is_answered(&mut self, request: &Request) -> bool {
        // An ACK has the key of its INVITE, and is no copy of it.
        if request.method == Method::Ack {
            return false;
        }
        let key = TransactionKey::from_request(request);
        let Some(answer) = key.and_then(|it| self.answered.kept.get(&it)) else { return false };
        if let (Some(udp), Some(again)) = (&self.udp, &answer.again) {
            let _ = udp.send_to(again, answer.to).await;
        }
        true
    }

    /// Does what came of answering a request.
    pub(super) async fn answer(&mut self, id: &Id, mut outputs: Vec<Output>) {
        let is_over = self.serving.server_state(&id.1) == Some(ServerState::Completed);
        let request = self.serving.server_request(&id.1);
        let invites = request.is_some_and(|it| it.method == Method::Invite);
        let repeats = is_over && !invites && self.may_repeat(id);
        let sent = sent_messages(&outputs).first().copied().filter(|_| repeats);
        let again = sent.map(|it| it.to_bytes());
        if again.is_some() {
            // It would outlive what it is to end.
            outputs.retain(|it| !matches!(it, Output::SetTimer { timer: Timer::J, .. }));
        }
        self.perform(id, outputs).await;
        if again.is_some() {
            self.conclude(id, again);
        }
    }

    /// The 2xx to an INVITE was acknowledged.
    pub(super) fn acknowledged(&mut self, id: &Id) {
        let state = self.serving.server_state(&id.1);
        if state == Some(ServerState::Accepted) && self.may_repeat(id) {
            self.conclude(id, None);
        }
    }

    /// Whether copies may come: on a connection nothing comes twice, and transactions end by themselves.
    fn may_repeat(&self, id: &Id) -> bool {
        self.peers.get(id).is_some_and(|it| it.target.transport == TransportKind::Udp)
    }

    /// From now on copies get this.
    fn conclude(&mut self, id: &Id, again: Option<Bytes>) {
        // Where sending failed, all of it is forgotten already.
        let Some(peer) = self.peers.get(id) else { return };
        let until = Instant::now() + self.answered.time;
        let answer = Answer { again, source: peer.source, to: peer.target.addr, until };
        self.answered.kept.insert(id.1.clone(), answer);
        self.serving.abandon(&id.1);
        self.forget(id);
    }
}
