//! Calls we place: for the demonstration and for tests. No digest, no early sound, no forking.

use std::net::SocketAddr;

use bytes::Bytes;
use sipx_sip::{
    HeaderName, Method, Request, RequestBuilder, Response, TuEvent, Uri, headers::Address,
};
use sipx_transport::{TransportKind, target::Target};
use tokio::sync::mpsc;

use super::{
    Endpoint,
    desk::DialogId,
    dialog::{Dialog, Leg},
    identity::party,
    path::{Path, contact, contact_of, resolve, routes, via},
    reply::{ALLOW, SDP, new_tag},
    sdp::Session,
    wire::{Way, Wire},
};
use crate::{audio::Codec, mailbox::Caller};

/// Why a call did not come up.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address is not `sip:user@host`, or the host is not known.
    #[error("{0:?} is not an address that can be called")]
    Address(String),
    /// No address of ours is of the same kind, IPv4 or IPv6.
    #[error("we do not listen on an address from which {0} could be reached")]
    NoWay(SocketAddr),
    /// The other side does not want it.
    #[error("the call was refused: {code} {reason}")]
    Refused {
        /// The SIP status.
        code: u16,
        /// What the other side says to it.
        reason: String,
    },
    /// Nobody there.
    #[error("no answer came")]
    NoAnswer,
    /// The answer makes no sense.
    #[error("the call was answered with something that cannot be spoken")]
    Answer,
}

/// An INVITE on its way.
struct Placed {
    wire: Wire,
    way: Way,
    call: String,
    tag: String,
    from: String,
    contact: String,
    session: Session,
}

impl Endpoint {
    /// Places a call to `sip:1000@127.0.0.1:5060` (or `...;transport=tcp`), offering `codecs` and
    /// telephone events, with sound expected at `media`.
    pub async fn call(
        &self,
        to: &str,
        from: &Caller,
        media: SocketAddr,
        codecs: &[Codec],
    ) -> Result<Dialog, CallError> {
        let wrong = || CallError::Address(to.to_owned());
        let uri = Uri::parse(Bytes::from(to.to_owned())).map_err(|_| wrong())?;
        let address = resolve(&uri, media.ip()).await.ok_or_else(wrong)?;
        let transport = match uri.transport() {
            Some(it) if it.eq_ignore_ascii_case(b"tcp") => TransportKind::Tcp,
            _ => TransportKind::Udp,
        };
        let near = |it: &&Wire| !it.is_secure() && it.bound().is_ipv4() == address.is_ipv4();
        let wire = self.wires.iter().find(near).ok_or(CallError::NoWay(address))?.clone();
        let local = wire.local_for(address.ip());
        let tag = new_tag();
        let mut placed = Placed {
            way: Way { target: Target::new(address, transport), reuse: None },
            call: new_tag(),
            from: format!("{};tag={tag}", name_addr(from, local)),
            tag,
            contact: contact(None, local, transport),
            session: Session::new(rand::random(), media),
            wire,
        };
        let request = placed.invite(uri, local, codecs).ok_or_else(wrong)?;
        let mut responses = placed.wire.request(request, placed.way.clone()).await;
        let answer = answer(&mut responses).await?;
        placed.take_up(self, answer, responses).await
    }
}

impl Placed {
    fn invite(&mut self, uri: Uri, local: SocketAddr, codecs: &[Codec]) -> Option<Request> {
        let to = [b"<", &uri.to_bytes()[..], b">"].concat();
        let request = RequestBuilder::new(Method::Invite, uri)
            .header(HeaderName::Via, via(&self.way.target, local))
            .ok()?
            .max_forwards(70)
            .header(HeaderName::From, self.from.clone())
            .ok()?
            .header(HeaderName::To, to)
            .ok()?
            .header(HeaderName::CallId, self.call.clone())
            .ok()?
            .cseq(1, &Method::Invite)
            .ok()?
            .header(HeaderName::Contact, self.contact.clone())
            .ok()?
            .header(HeaderName::Allow, ALLOW)
            .ok()?
            .header(HeaderName::ContentType, SDP)
            .ok()?
            .body(self.session.offer(codecs));
        Some(request.build())
    }

    async fn take_up(
        mut self,
        endpoint: &Endpoint,
        answer: Response,
        responses: mpsc::Receiver<TuEvent>,
    ) -> Result<Dialog, CallError> {
        let source = self.way.target.addr;
        let to = answer.headers.value(&HeaderName::To).ok_or(CallError::Answer)?.into_owned();
        let theirs = party(&answer.headers, &HeaderName::To).and_then(|it| it.tag);
        let mut way_back: Vec<Address> = routes(&answer.headers);
        way_back.reverse();
        let mut path = Path {
            call: Bytes::from(self.call.clone()),
            ours: Bytes::from(self.from),
            theirs: Bytes::from(to),
            routes: way_back,
            target: contact_of(&answer.headers).ok_or(CallError::Answer)?,
            sequence: 1,
            source,
            transport: self.way.target.transport,
        };
        let Ok(media) = self.session.agree(answer.body(), source.ip()) else {
            // It is up all the same for the other side, and has to be taken down in order.
            if let Some((ack, way)) = path.request(Method::Ack, &self.wire).await {
                self.wire.acknowledge(ack, way).await;
            }
            if let Some((bye, way)) = path.request(Method::Bye, &self.wire).await {
                self.wire.request(bye, way).await;
            }
            return Err(CallError::Answer);
        };
        let call = self.call.into_bytes();
        let id = DialogId { call, ours: self.tag.into(), theirs: theirs.unwrap_or_default() };
        let ends = (self.wire, endpoint.desk.clone());
        let leg = Leg::placed(ends, id, path, self.contact, (self.session, media), responses);
        leg.await.ok_or(CallError::Answer)
    }
}

async fn answer(responses: &mut mpsc::Receiver<TuEvent>) -> Result<Response, CallError> {
    loop {
        match responses.recv().await {
            Some(TuEvent::Response(it)) if it.status.is_success() => return Ok(*it),
            Some(TuEvent::Response(it)) if it.status.is_final() => {
                let reason = String::from_utf8_lossy(&it.reason).into_owned();
                return Err(CallError::Refused { code: it.status.code(), reason });
            }
            Some(TuEvent::Response(_)) => {}
            _ => return Err(CallError::NoAnswer),
        }
    }
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
