//! An INVITE of ours: sent, sent again with a password, taken back, or answered.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use sipx_sip::{
    HeaderName, Method, Request, RequestBuilder, Response, TuEvent, Uri,
    auth::{Challenge, respond},
    headers::Address,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use super::{CallError, Destination, Outgoing};
use crate::{
    audio::Codec,
    mailbox::Caller,
    sip::{
        desk::{Desk, DialogId},
        dialog::{Dialog, Leg},
        identity::party,
        path::{Path, bracketed, contact, contact_of, routes, via},
        register::challenge,
        reply::{ALLOW, SDP, new_tag},
        sdp::Session,
    },
    srtp::Seed,
};

/// See the module.
pub(super) struct Placed {
    to: Destination,
    desk: Arc<Desk>,
    call: String,
    tag: String,
    from: String,
    contact: String,
    local: SocketAddr,
    session: Session,
    codecs: Vec<Codec>,
    sequence: u32,
    /// The last challenge, and how often it was answered.
    challenge: Option<(Challenge, u32)>,
}

/// What comes of an INVITE.
enum Outcome {
    Answered(Box<Response>),
    Refused(Box<Response>),
    Nothing,
    /// Nobody waits any longer; whether the other side has been heard at all.
    GivenUp {
        is_known: bool,
    },
}

type Responses = mpsc::Receiver<TuEvent>;
type Told = oneshot::Sender<Result<Dialog, CallError>>;

/// INVITEs of one call: a password asked for, a stale nonce.
const MOST_ROUNDS: usize = 3;

impl Placed {
    pub(super) fn new(to: Destination, how: Outgoing<'_>, desk: Arc<Desk>) -> Self {
        let target = &to.way.target;
        let local = to.wire.local_for(target.addr.ip());
        let tag = new_tag();
        let secrecy = desk.secrecy(target.transport);
        let session = Session::new(rand::random(), how.media);
        Self {
            call: new_tag(),
            from: format!("{};tag={tag}", name_addr(how.from, local)),
            tag,
            contact: contact(None, local, target.transport),
            local,
            session: session.secretly(secrecy, Seed::new(rand::random())),
            codecs: how.codecs.to_vec(),
            sequence: 0,
            challenge: None,
            to,
            desk,
        }
    }

    /// Sees it through to the answer, and tells; or takes it back once nobody waits any longer.
    pub(super) async fn run(mut self, within: Duration, mut told: Told) {
        let until = Instant::now() + within;
        for _ in 0..MOST_ROUNDS {
            let Some(invite) = self.invite() else { break };
            let mut responses = self.to.wire.request(invite.clone(), self.to.way.clone()).await;
            match outcome(&mut responses, &mut told, until).await {
                Outcome::Answered(answer) => {
                    // A call that nobody takes any more is hung up by that.
                    let _ = told.send(self.take_up(&answer, responses).await);
                    return;
                }
                Outcome::Refused(response) => match response.status.code() {
                    401 | 407 if self.takes(&response) => {}
                    401 | 407 => return drop(told.send(Err(CallError::Password))),
                    code => {
                        let reason = String::from_utf8_lossy(&response.reason).into_owned();
                        return drop(told.send(Err(CallError::Refused { code, reason })));
                    }
                },
                Outcome::Nothing => break,
                Outcome::GivenUp { is_known } => {
                    let _ = told.send(Err(CallError::NoAnswer));
                    return self.take_back(&invite, responses, is_known).await;
                }
            }
        }
        let _ = told.send(Err(CallError::NoAnswer));
    }

    /// Whether the INVITE can be sent again with what it is refused for.
    fn takes(&mut self, response: &Response) -> bool {
        let Some(challenge) = challenge(response) else { return false };
        let fresh = self.challenge.is_none() || challenge.stale;
        self.challenge = Some((challenge, 0));
        fresh && self.to.credentials.is_some()
    }

    fn invite(&mut self) -> Option<Request> {
        self.sequence += 1;
        let (uri, method) = (self.to.uri.clone(), Method::Invite);
        let mut request = RequestBuilder::new(method.clone(), uri.clone())
            .header(HeaderName::Via, via(&self.to.way.target, self.local))
            .ok()?
            .max_forwards(70);
        if let Some(proxy) = &self.to.route {
            request = request.header(HeaderName::Route, loose(proxy)).ok()?;
        }
        request = request
            .header(HeaderName::From, self.from.clone())
            .ok()?
            .header(HeaderName::To, bracketed(&uri))
            .ok()?
            .header(HeaderName::CallId, self.call.clone())
            .ok()?
            .cseq(self.sequence, &method)
            .ok()?
            .header(HeaderName::Contact, self.contact.clone())
            .ok()?
            .header(HeaderName::Allow, ALLOW)
            .ok()?;
        if let (Some((challenge, count)), Some(credentials)) =
            (&mut self.challenge, &self.to.credentials)
        {
            *count += 1;
            let (uri, chance) = (uri.to_string(), format!("{:016x}", rand::random::<u64>()));
            let proof = respond(challenge, credentials, "INVITE", &uri, *count, &chance);
            request = request.header(challenge.response_header(), proof).ok()?;
        }
        let offer = self.session.offer(&self.codecs);
        Some(request.header(HeaderName::ContentType, SDP).ok()?.body(offer).build())
    }

    /// The CANCEL of an INVITE: everything of it that says which one is meant (RFC 3261 §9.1).
    fn cancel(&self, invite: &Request) -> Option<Request> {
        let mut request = RequestBuilder::new(Method::Cancel, invite.uri.clone()).max_forwards(70);
        for name in [
            HeaderName::Via,
            HeaderName::Route,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
        ] {
            if let Some(value) = invite.headers.value(&name) {
                request = request.header(name, value.into_owned()).ok()?;
            }
        }
        Some(request.cseq(self.sequence, &Method::Cancel).ok()?.build())
    }

    /// Takes the call back, which must wait for a first sign of the other side. An answer may cross
    /// that: such a call is hung up.
    async fn take_back(self, invite: &Request, mut responses: Responses, is_known: bool) {
        let gives_up = Instant::now() + self.to.wire.timers.timeout();
        let (mut is_known, mut cancelled) = (is_known, None);
        loop {
            if is_known && cancelled.is_none() {
                let Some(cancel) = self.cancel(invite) else { return };
                cancelled = Some(self.to.wire.request(cancel, self.to.way.clone()).await);
            }
            match timeout_at(gives_up, responses.recv()).await {
                Ok(Some(TuEvent::Response(it))) if it.status.is_provisional() => is_known = true,
                Ok(Some(TuEvent::Response(it))) if it.status.is_success() => {
                    return drop(self.take_up(&it, responses).await);
                }
                _ => return,
            }
        }
    }

    async fn take_up(
        mut self,
        answer: &Response,
        responses: Responses,
    ) -> Result<Dialog, CallError> {
        let Destination { wire, way, .. } = self.to;
        let source = way.target.addr;
        let to = answer.headers.value(&HeaderName::To).ok_or(CallError::NoAnswer)?.into_owned();
        let theirs = party(&answer.headers, &HeaderName::To).and_then(|it| it.tag);
        let mut way_back: Vec<Address> = routes(&answer.headers);
        way_back.reverse();
        let mut path = Path {
            call: Bytes::from(self.call.clone()),
            ours: Bytes::from(self.from),
            theirs: Bytes::from(to),
            routes: way_back,
            target: contact_of(&answer.headers).unwrap_or(self.to.uri),
            sequence: self.sequence,
            source,
            transport: way.target.transport,
            proven: false,
        };
        let media = match self.session.agree(answer.body(), source.ip()) {
            Ok(media) => media,
            Err(why) => {
                // It is up all the same for the other side, and has to be taken down in order.
                if let Some((ack, way)) = path.request(Method::Ack, &wire).await {
                    wire.acknowledge(ack, way).await;
                }
                if let Some((bye, way)) = path.request(Method::Bye, &wire).await {
                    wire.request(bye, way).await;
                }
                return Err(CallError::Answer(why));
            }
        };
        let call = self.call.into_bytes();
        let id = DialogId { call, ours: self.tag.into(), theirs: theirs.unwrap_or_default() };
        let leg = Leg::placed(
            (wire, self.desk),
            id,
            path,
            self.contact,
            (self.session, media),
            responses,
        );
        leg.await.ok_or(CallError::NoAnswer)
    }
}

async fn outcome(responses: &mut Responses, told: &mut Told, until: Instant) -> Outcome {
    let mut is_known = false;
    loop {
        let event = tokio::select! {
            event = responses.recv() => event,
            () = told.closed() => return Outcome::GivenUp { is_known },
            () = sleep_until(until) => return Outcome::GivenUp { is_known },
        };
        match event {
            Some(TuEvent::Response(it)) if it.status.is_success() => {
                return Outcome::Answered(it);
            }
            Some(TuEvent::Response(it)) if it.status.is_final() => return Outcome::Refused(it),
            Some(TuEvent::Response(_)) => is_known = true,
            _ => return Outcome::Nothing,
        }
    }
}

/// A proxy on the way, as `Route` names it.
fn loose(proxy: &Uri) -> String {
    format!("<{proxy};lr>")
}

fn name_addr(from: &Caller, local: SocketAddr) -> String {
    let name = from.name.as_deref().map(|it| {
        let escaped = it.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\" ")
    });
    // Whatever a user part may not have is left out rather than escaped: these are numbers.
    let plain = |it: &char| it.is_ascii_alphanumeric() || "+*#-_.".contains(*it);
    let user: String =
        from.number.as_deref().unwrap_or("anonymous").chars().filter(plain).collect();
    let user = user.replace('#', "%23");
    format!("{}<sip:{user}@{local}>", name.unwrap_or_default())
}
