//! A SUBSCRIBE that waits for its answer.

use std::{net::SocketAddr, time::Duration};

use sha2::{Digest, Sha256};
use sipx_sip::{HeaderName, Request, Response, headers::Expires};

use super::{Subscription, event};
use crate::sip::{
    desk::{Arrival, DialogId, retry, sequence},
    identity::{self, Called, party},
    path::{contact, contact_of, routes},
    reply::{new_tag, opening, reply, with},
};

/// Somebody who wants to be told of a mailbox. Whoever drops it says that it cannot be done now.
#[derive(Debug)]
pub struct Subscribe {
    /// The mailbox.
    pub called: Called,
    /// The account whose password came with it; `None` for a peer known by its address.
    pub account: Option<String>,
    /// It comes from a peer in [`Settings::identity_from`](crate::sip::Settings::identity_from).
    pub believed: bool,
    /// Whose phone it is, as that peer says.
    pub asserted: Option<String>,
    /// Names the subscription it belongs to; `None` begins one.
    pub within: Option<String>,
    /// For how long they want to be told; zero is once more, and no more.
    pub wanted: Option<Duration>,
    /// Where it came from.
    pub source: SocketAddr,
    tag: String,
    held: Option<Arrival>,
}

/// Why somebody is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// 403: it is not theirs.
    Forbidden,
    /// 404: there is no such mailbox.
    NotFound,
    /// 423: they have to ask for this long at least.
    TooBrief(Duration),
    /// 481: there is no such subscription (any more).
    Unknown,
    /// 500: a later one was heard before it.
    Overtaken,
    /// 503: not now; ask again after so many seconds.
    Unavailable(u32),
}

/// Seconds after which somebody may ask again when nobody could decide.
const RETRY_AFTER: u32 = 10;

impl Subscribe {
    pub(in crate::sip) fn new(arrival: Arrival, believed: bool) -> Self {
        let request = &arrival.request;
        let expires = request.headers.typed::<Expires>().and_then(Result::ok);
        let to = party(&request.headers, &HeaderName::To).and_then(|it| it.tag);
        Self {
            called: identity::called(request),
            account: arrival.account.as_deref().map(str::to_owned),
            believed,
            asserted: identity::asserted_number(&request.headers).filter(|_| believed),
            within: to.as_ref().and(DialogId::of(request)).map(|it| name(&it)),
            wanted: expires.map(|it| Duration::from_secs(it.0.into())),
            source: arrival.source,
            tag: to.map_or_else(new_tag, |it| String::from_utf8_lossy(&it).into_owned()),
            held: Some(arrival),
        }
    }

    /// The subscription that begins with it, and its name; `None` if it lacks what one needs.
    pub fn begin(&self) -> Option<(String, Subscription)> {
        let arrival = self.held.as_ref()?;
        let request = &arrival.request;
        let headers = &request.headers;
        let text = |name| headers.value(name).map(|it| String::from_utf8_lossy(&it).into_owned());
        let theirs = party(headers, &HeaderName::From)?.tag?;
        let call = text(&HeaderName::CallId)?;
        let ours = reply(request, 200, &self.tag)?;
        let ours = ours.headers.value(&HeaderName::To)?.into_owned();
        let id = DialogId { call: call.clone().into(), ours: self.tag.clone().into(), theirs };
        let account = format!("sip:{}@{}", self.called.user, self.called.host);
        let subscription = Subscription {
            call,
            ours: String::from_utf8_lossy(&ours).into_owned(),
            theirs: text(&HeaderName::From)?,
            routes: routes(headers).iter().map(|it| it.uri.to_string()).collect(),
            target: target(request, arrival.source),
            account,
            event: event(request)?,
            heard: sequence(request)?,
            login: self.account.clone(),
            node: arrival.wire.bound(),
            source: arrival.source,
            transport: arrival.transport.as_str().to_owned(),
        };
        Some((name(&id), subscription))
    }

    /// The subscription with what this one says anew.
    ///
    /// # Errors
    /// When it comes from somebody else, or a later one came before it.
    pub fn renew(&self, old: &Subscription) -> Result<Subscription, Denial> {
        let arrival = self.held.as_ref().ok_or(Denial::Unknown)?;
        let heard = sequence(&arrival.request).unwrap_or_default();
        if self.account != old.login || self.account.is_none() && !self.believed {
            return Err(Denial::Forbidden);
        }
        if heard <= old.heard {
            return Err(Denial::Overtaken);
        }
        Ok(Subscription {
            target: contact_of(&arrival.request.headers)
                .map_or_else(|| old.target.clone(), |it| it.to_string()),
            heard,
            node: arrival.wire.bound(),
            source: arrival.source,
            transport: arrival.transport.as_str().to_owned(),
            ..old.clone()
        })
    }

    /// They are told from now on, for so long.
    pub async fn accept(mut self, lasts: Duration) {
        let Some(arrival) = self.held.take() else { return };
        let Arrival { key, request, wire, local, transport, .. } = arrival;
        let Some(response) = opening(&request, 200, &self.tag) else { return };
        let response = with(response, HeaderName::Expires, lasts.as_secs().to_string());
        let contact = contact(request.uri.user(), local, transport);
        wire.respond(key, with(response, HeaderName::Contact, contact)).await;
    }

    /// They are not told.
    pub async fn deny(mut self, denial: Denial) {
        let Some(Arrival { key, request, wire, .. }) = self.held.take() else { return };
        if let Some(response) = refusal(&request, denial, &self.tag) {
            wire.respond(key, response).await;
        }
    }

    /// The request, to be answered by whoever takes it out.
    pub(in crate::sip) fn into_request(mut self) -> Option<Request> {
        self.held.take().map(|it| it.request)
    }
}

impl Drop for Subscribe {
    fn drop(&mut self) {
        let Some(Arrival { key, request, wire, .. }) = self.held.take() else { return };
        if let Some(response) = retry(&request, 503, RETRY_AFTER) {
            wire.try_respond(key, response);
        }
    }
}

/// Where NOTIFY goes: the `Contact`, or where it came from if there is none that can be read.
fn target(request: &Request, source: SocketAddr) -> String {
    contact_of(&request.headers).map_or_else(|| format!("sip:{source}"), |it| it.to_string())
}

fn refusal(request: &Request, denial: Denial, tag: &str) -> Option<Response> {
    match denial {
        Denial::Forbidden => reply(request, 403, tag),
        Denial::NotFound => reply(request, 404, tag),
        Denial::TooBrief(least) => {
            let response = reply(request, 423, tag)?;
            Some(with(response, HeaderName::MinExpires, least.as_secs().to_string()))
        }
        Denial::Unknown => reply(request, 481, tag),
        Denial::Overtaken => reply(request, 500, tag),
        Denial::Unavailable(seconds) => retry(request, 503, seconds),
    }
}

/// Names a subscription to those who keep it, and tells them nothing that a stranger could use.
fn name(id: &DialogId) -> String {
    let mut hash = Sha256::new();
    for part in [&id.call, &id.ours, &id.theirs] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|it| format!("{it:02x}")).collect()
}
