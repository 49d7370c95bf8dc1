//! Before the answer: sound already (early media), and answers that have to be acknowledged
//! themselves (RFC 3262).

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use sipx_sip::{
    HeaderName, Method, Response,
    rel::{MAX_FIRST_RSEQ, OPTION_TAG, RAck},
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    leg::{Copies, Leg, Step},
    timer,
};
use crate::sip::{
    desk::{Arrival, sequence, wrong_body},
    reply::{opening, reply, with, with_sdp},
    sdp::{NotAcceptable, Offer},
};

/// A call is answered after so long, whatever is being said: proxies give up after three minutes
/// (RFC 3261 §16.6, timer C).
const AT_MOST: Duration = Duration::from_secs(120);

/// An INVITE that has no final answer yet.
#[derive(Debug)]
pub(super) struct Early {
    invite: Arrival,
    tag: String,
    offer: Option<Offer>,
    cancelled: oneshot::Receiver<()>,
    /// The answer is wanted, by these.
    wanted: Option<Vec<oneshot::Sender<()>>>,
    unpracked: Option<Unpracked>,
    /// Offer and answer are exchanged for good: the 200 has neither.
    settled: bool,
    until: Instant,
}

/// A 183 that waits for its PRACK.
#[derive(Debug)]
struct Unpracked {
    number: u32,
    copies: Copies,
}

impl Early {
    pub(super) fn new(
        invite: Arrival,
        tag: String,
        offer: Option<Offer>,
        cancelled: oneshot::Receiver<()>,
    ) -> Self {
        let until = Instant::now() + AT_MOST;
        Self { invite, tag, offer, cancelled, wanted: None, unpracked: None, settled: false, until }
    }

    pub(super) fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// Our own offer waits for its answer.
    pub(super) fn asks(&self) -> bool {
        self.unpracked.is_some() && self.offer.is_none()
    }

    /// Their offer waits for an answer that counts.
    pub(super) fn owes(&self) -> bool {
        !self.settled && self.offer.is_some()
    }

    /// Whoever waits for the answer; from now on it is wanted.
    pub(super) fn wanted(&mut self) -> oneshot::Receiver<()> {
        let (done, answered) = oneshot::channel();
        self.wanted.get_or_insert_default().push(done);
        answered
    }

    pub(super) fn due(&self) -> Instant {
        self.unpracked.as_ref().map_or(self.until, |it| it.copies.next)
    }
}

/// Waits until the caller gives up.
pub(super) async fn cancelled(early: &mut Option<Box<Early>>) {
    if let Some(early) = early {
        // Its other end goes with the INVITE's entry at the desk, and that only with a CANCEL:
        // whoever answers takes this away too.
        let _ = (&mut early.cancelled).await;
    }
}

impl Leg {
    /// Sends a 183 with our part of the description. If it is reliable it is sent again until its
    /// PRACK comes, and no answer is given before.
    pub(super) async fn announce(&mut self, mut early: Early, is_reliable: bool) {
        let sdp = self.describe(early.offer.as_ref());
        if let Some(mut response) = self.opening(&early, 183) {
            if is_reliable {
                let number = rand::random_range(1..=MAX_FIRST_RSEQ);
                response = with(response, HeaderName::Require, OPTION_TAG);
                response = with(response, HeaderName::RSeq, number.to_string());
                response = with_sdp(response, &sdp);
                let (key, farthest) = (early.invite.key.clone(), self.wire.timers.timeout());
                let copies = Copies::new(key, response.clone(), farthest, &self.wire);
                early.unpracked = Some(Unpracked { number, copies });
            } else {
                response = with_sdp(response, &sdp);
            }
            self.wire.respond(early.invite.key.clone(), response).await;
        }
        self.early = Some(Box::new(early));
    }

    /// The answer is wanted now.
    pub(super) async fn answer_now(&mut self, done: oneshot::Sender<()>) -> Step {
        let Some(early) = &mut self.early else {
            let _ = done.send(());
            return Step::Stay;
        };
        early.wanted.get_or_insert_default().push(done);
        if early.unpracked.is_some() { Step::Stay } else { self.answer_early().await }
    }

    /// A PRACK, which may bring an answer to our offer, or another offer (RFC 3262 §5).
    pub(super) async fn pracked(&mut self, prack: Arrival) -> Step {
        let request = &prack.request;
        let rack = request.headers.typed::<RAck>().and_then(Result::ok);
        let early = self.early.as_mut().filter(|it| rack.is_some_and(|rack| it.is_meant(&rack)));
        let Some(early) = early else {
            self.respond(&prack, reply(request, 481, "")).await;
            return Step::Stay;
        };
        if let Some(refusal) = wrong_body(request) {
            self.respond(&prack, Some(refusal)).await;
            return Step::Stay;
        }
        let asked = early.offer.is_none() && !early.settled;
        early.unpracked = None;
        early.settled = true;
        let is_wanted = early.wanted.is_some();
        let answer = match request.body() {
            body if body.is_empty() && asked => Err(NotAcceptable::NoOffer),
            body if body.is_empty() => Ok(None),
            body if asked => {
                self.session.agree(body, prack.source.ip()).map(|it| (it, None)).map(Some)
            }
            body => Offer::read(body, prack.source.ip(), self.terms()).map(|offer| {
                let sdp = offer.answer(&mut self.session);
                Some((offer.agreed(&mut self.session), Some(sdp)))
            }),
        };
        let response = reply(request, if answer.is_ok() { 200 } else { 488 }, "");
        let response = match &answer {
            Ok(Some((_, Some(sdp)))) => response.map(|it| with_sdp(it, sdp)),
            _ => response,
        };
        self.respond(&prack, response).await;
        match answer {
            Ok(agreed) => agreed.into_iter().for_each(|(media, _)| self.change(media)),
            Err(why) if asked => {
                tracing::info!(%why, "a call was refused because its caller did not take our offer");
                return self.give_up(488).await;
            }
            Err(_) => {}
        }
        if is_wanted { self.answer_early().await } else { Step::Stay }
    }

    pub(super) async fn on_early_time(&mut self, now: Instant) -> Step {
        let Some(early) = &mut self.early else { return Step::Stay };
        let Some(unpracked) = &mut early.unpracked else {
            return self.answer_early().await;
        };
        if unpracked.copies.send(now).await {
            return Step::Stay;
        }
        tracing::info!("a call was refused because its caller never acknowledged the 183");
        self.give_up(504).await
    }

    async fn answer_early(&mut self) -> Step {
        let Some(early) = self.early.take() else { return Step::Stay };
        if self.conclude(*early).await { Step::Stay } else { Step::Over }
    }

    /// Sends the 200; `false` if the caller gave up before.
    pub(super) async fn conclude(&mut self, early: Early) -> bool {
        if !self.desk.settle(&early.invite.key) {
            return false;
        }
        let Some(response) = self.opening(&early, 200) else { return false };
        self.desk.counters.answered.fetch_add(1, Relaxed);
        let request = &early.invite.request;
        let asked = timer::asked(&request.headers, self.desk.wish);
        let mut response = self.timed(asked, request, response);
        if !early.settled {
            response = with_sdp(response, &self.describe(early.offer.as_ref()));
        }
        let asks = !early.settled && early.offer.is_none();
        self.accept(&early.invite, response, asks).await;
        for done in early.wanted.into_iter().flatten() {
            let _ = done.send(());
        }
        true
    }

    /// Refuses a call that is not answered yet.
    pub(super) async fn give_up(&mut self, code: u16) -> Step {
        self.refuse(code, None).await;
        Step::Over
    }

    /// The same, perhaps naming somebody else to call; `false` if the caller gave up before.
    pub(super) async fn refuse(&mut self, code: u16, contact: Option<String>) -> bool {
        let Some(early) = self.early.take() else { return false };
        if !self.desk.settle(&early.invite.key) {
            return false;
        }
        let Some(mut response) = reply(&early.invite.request, code, &early.tag) else {
            return false;
        };
        if let Some(contact) = contact {
            response = with(response, HeaderName::Contact, contact);
        }
        self.wire.respond(early.invite.key, response).await;
        true
    }

    /// An answer that makes a dialog (RFC 3261 §12.1.1).
    fn opening(&self, early: &Early, code: u16) -> Option<Response> {
        Some(self.within(opening(&early.invite.request, code, &early.tag)?))
    }
}

impl Early {
    /// Whether a PRACK is about the 183 that waits for one.
    fn is_meant(&self, rack: &RAck) -> bool {
        let waits = self.unpracked.as_ref().is_some_and(|it| it.number == rack.rseq);
        let is_ours = rack.method == Method::Invite.as_bytes();
        waits && is_ours && sequence(&self.invite.request) == Some(rack.cseq)
    }
}
