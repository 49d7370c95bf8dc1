//! New offers in a call (RFC 3264): hold, resume, another address, or just a sign of life.

use sipx_sip::{HeaderName, Method, Request, Response};

use super::{
    leg::{Copies, Leg, Unacked, takes_update},
    timer,
};
use crate::sip::{
    desk::{Arrival, retry, sequence, wrong_body},
    path::contact_of,
    reply::{reply, with, with_sdp},
    sdp::{Offer, Secrecy, Terms},
};

/// Longest that somebody is asked to wait whose request came too early, in seconds (RFC 3311 §5.2).
const PATIENCE: u32 = 10;

impl Leg {
    /// A re-INVITE or an UPDATE.
    pub(super) async fn renegotiate(&mut self, arrival: Arrival) {
        let request = &arrival.request;
        if let Some(refusal) = self.untimely(request).or_else(|| wrong_body(request)) {
            return self.respond(&arrival, Some(refusal)).await;
        }
        let offer = match request.body() {
            body if body.is_empty() => None,
            body => match Offer::read(body, arrival.source.ip(), self.terms()) {
                Ok(offer) => Some(offer),
                Err(_) => return self.respond(&arrival, reply(request, 488, "")).await,
            },
        };
        let asked = timer::asked(&request.headers, self.desk.wish);
        if asked == timer::Asked::TooShort {
            return self.respond(&arrival, self.desk.too_short(request)).await;
        }
        let Some(response) = reply(request, 200, "") else { return };
        if let Some(target) = contact_of(&request.headers) {
            self.path.target = target;
        }
        if request.headers.get(&HeaderName::Allow).is_some() {
            self.updates = takes_update(&request.headers);
        }
        let is_invite = request.method == Method::Invite;
        let sdp = match &offer {
            None if !is_invite => None,
            offer => Some(self.describe(offer.as_ref())),
        };
        let mut response = self.timed(asked, request, self.within(response));
        if let Some(sdp) = sdp {
            response = with_sdp(response, &sdp);
        }
        // Told first: their sound may come from its new address as soon as they have the answer.
        if let Some(offer) = &offer {
            let media = offer.agreed(&mut self.session);
            self.change(media);
        }
        if is_invite {
            self.accept(&arrival, response, offer.is_none()).await;
        } else {
            self.respond(&arrival, Some(response)).await;
        }
    }

    /// What a request must be told that comes while another is not settled: two offers at once
    /// cannot be told apart (RFC 3261 §14.2, RFC 3311 §5.2).
    fn untimely(&self, request: &Request) -> Option<Response> {
        let is_invite = request.method == Method::Invite;
        let early = self.early.as_ref();
        if is_invite && early.is_some() {
            return too_early(request);
        }
        let offers = is_invite || !request.body().is_empty();
        let open = self.unacked.as_ref().is_some_and(|it| it.asks)
            || early.is_some_and(|it| it.asks())
            || self.asked.as_ref().is_some_and(|it| it.method == Method::Invite);
        if offers && open {
            return reply(request, 491, "");
        }
        if offers && early.is_some_and(|it| it.owes()) {
            return too_early(request);
        }
        None
    }

    /// What a new offer in this call may be. What was encrypted stays so.
    pub(super) fn terms(&self) -> Terms<'_> {
        let terms = self.desk.terms(self.path.transport);
        let is_secret = self.media.is_some_and(|it| it.keys.is_some());
        let secrecy = Secrecy { plain: terms.secrecy.plain && !is_secret, ..terms.secrecy };
        let codecs = self.only.as_ref().map_or(terms.codecs, std::slice::from_ref);
        Terms { secrecy, codecs }
    }

    /// Our answer to their offer, or an offer of ours where theirs is missing: of all that is spoken here,
    /// as if the call were new (RFC 3261 §14.2), for it may be meant for somebody who was not in it so
    /// far. What is spoken now comes first.
    pub(super) fn describe(&mut self, offer: Option<&Offer>) -> String {
        if let Some(offer) = offer {
            return offer.answer(&mut self.session);
        }
        let spoken = self.media.map(|it| it.codec);
        let all = self.only.as_ref().map_or(&self.desk.codecs[..], std::slice::from_ref);
        let others = all.iter().copied().filter(|it| Some(*it) != spoken);
        let codecs: Vec<_> = spoken.into_iter().chain(others).collect();
        self.session.offer(&codecs)
    }

    /// An offer that changes nothing.
    pub(super) fn describe_again(&mut self) -> String {
        match self.media {
            Some(media) => self.session.offer(&[media.codec]),
            None => self.describe(None),
        }
    }

    /// Sends the 200 to an INVITE, and copies of it until the ACK comes.
    pub(super) async fn accept(&mut self, invite: &Arrival, response: Response, asks: bool) {
        // Within a call it may have come by another of our addresses.
        let Arrival { wire, key, .. } = invite;
        wire.respond(key.clone(), response.clone()).await;
        self.unacked = Some(Box::new(Unacked {
            copies: Copies::new(key.clone(), response, wire.timers.t2, wire),
            sequence: sequence(&invite.request).unwrap_or_default(),
            asks,
        }));
    }

    /// Adds what was agreed on for signs of life, which are counted from now on.
    pub(super) fn timed(
        &mut self,
        asked: timer::Asked,
        request: &Request,
        response: Response,
    ) -> Response {
        let timer::Asked::Timer(terms) = asked else {
            self.vital = None;
            return response;
        };
        // Before the answer there is no session that could end.
        if self.early.is_none() {
            self.live(terms);
        }
        let response = with(response, HeaderName::SessionExpires, terms.answered());
        match timer::is_known(&request.headers) {
            true => with(response, HeaderName::Require, sipx_sip::session::OPTION_TAG),
            false => response,
        }
    }
}

fn too_early(request: &Request) -> Option<Response> {
    retry(request, 500, rand::random_range(0..=PATIENCE))
}
