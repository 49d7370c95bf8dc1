//! A call that is up: one small task per dialog, told of by [`Signal`]s.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use sipx_sip::{HeaderName, Method, Request, Response, TransactionKey, TuEvent, Uri};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

use super::{
    desk::{Arrival, Desk, DialogId, Place, retry, sequence, wrong_body, wrong_type},
    digits,
    identity::party,
    path::{Path, contact, contact_of, routes},
    reply::{reply, with, with_abilities, with_sdp},
    sdp::{Media, Offer, Session},
    wire::{Way, Wire},
};

/// A call that is up. Dropping it hangs up.
#[derive(Debug)]
pub struct Dialog {
    /// What was agreed on when it was answered; later changes are signalled.
    pub media: Media,
    /// Its Call-ID.
    pub call_id: String,
    signals: mpsc::Receiver<Signal>,
    orders: mpsc::Sender<()>,
}

/// What happens during a call.
pub enum Signal {
    /// The sound changed (hold, resume, another address). It is answered already, with the same
    /// address on our side.
    Media(Media),
    /// A key, sent as SIP INFO.
    Digit(char),
    /// The caller hung up. The 200 goes out when this is answered or dropped, or after 10 s.
    Bye(Farewell),
    /// The call is over without a hang-up of theirs: no ACK came, or our own hang-up is through.
    Over,
}

/// A BYE that waits for its 200; copies of it are absorbed meanwhile.
#[derive(Debug)]
pub struct Farewell {
    answer: oneshot::Sender<oneshot::Sender<()>>,
}

/// Signals not yet taken by the driver; more are dropped.
const SIGNALS: usize = 64;
/// A BYE is answered after so long, whether what was said is safe or not.
const PATIENCE: Duration = Duration::from_secs(10);

impl Dialog {
    /// What happens next; after [`Signal::Bye`] or [`Signal::Over`] always `Over`. Safe to cancel.
    pub async fn next(&mut self) -> Signal {
        self.signals.recv().await.unwrap_or(Signal::Over)
    }

    /// Hangs up; [`Signal::Over`] tells when the other side knows.
    pub async fn bye(&self) {
        // An error means it is over already.
        let _ = self.orders.send(()).await;
    }
}

impl fmt::Debug for Signal {
    /// Keys are not told: they are PINs as often as not, and this ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signal::Media(media) => f.debug_tuple("Media").field(media).finish(),
            Signal::Digit(_) => f.write_str("Digit"),
            Signal::Bye(_) => f.write_str("Bye"),
            Signal::Over => f.write_str("Over"),
        }
    }
}

impl Farewell {
    /// Sends the 200.
    pub async fn answer(self) {
        let (done, sent) = oneshot::channel();
        if self.answer.send(done).is_ok() {
            let _ = sent.await;
        }
    }
}

/// Our end of a dialog: the task's own state.
#[derive(Debug)]
pub(super) struct Leg {
    wire: Wire,
    desk: Arc<Desk>,
    id: DialogId,
    path: Path,
    contact: String,
    session: Session,
    media: Option<Media>,
    /// `CSeq` of the last request they sent.
    heard: Option<u32>,
    unacked: Option<Unacked>,
    /// A call we placed: copies of its 200, each of which wants the ACK again.
    placed: Option<(mpsc::Receiver<TuEvent>, Request, Way)>,
    signals: mpsc::Sender<Signal>,
    /// Told once what is spoken, when the INVITE did not say.
    agreed: Option<oneshot::Sender<Media>>,
    leaving: bool,
    place: Option<Place>,
}

/// A 200 to an INVITE, sent again until its ACK comes (RFC 3261 §13.3.1.4).
#[derive(Debug)]
struct Unacked {
    key: TransactionKey,
    response: Response,
    sequence: u32,
    interval: Duration,
    next: Instant,
    give_up: Instant,
    /// The offer was ours: the ACK brings the answer.
    asks: bool,
}

enum Step {
    Stay,
    Leave,
    Farewell(Box<Arrival>),
    Over,
}

impl Leg {
    /// Answers an INVITE. `None` when we had to make the offer and no answer to it came.
    pub(super) async fn answer(
        arrival: Arrival,
        tag: &str,
        session: Session,
        offer: Option<Offer>,
        desk: Arc<Desk>,
        place: Place,
    ) -> Option<Dialog> {
        let headers = &arrival.request.headers;
        let value = |name| headers.value(name).map(|it| Bytes::from(it.into_owned()));
        let call = value(&HeaderName::CallId)?;
        let theirs = party(headers, &HeaderName::From)?.tag.unwrap_or_default();
        let id = DialogId { call: call.to_vec(), ours: tag.into(), theirs };
        let fallback = Uri::parse(format!("sip:{}", arrival.source).into()).ok();
        let response = reply(&arrival.request, 200, tag)?;
        let path = Path {
            call,
            ours: Bytes::from(response.headers.value(&HeaderName::To)?.into_owned()),
            theirs: value(&HeaderName::From)?,
            routes: routes(headers),
            target: contact_of(headers).or(fallback)?,
            sequence: 0,
            source: arrival.source,
            transport: arrival.transport,
        };
        let contact = contact(arrival.request.uri.user(), arrival.local, arrival.transport);
        let (agreed, agreement) = oneshot::channel();
        let wire = arrival.wire.clone();
        let (mut leg, signals) = Self::new(wire, desk, id, path, contact, session);
        leg.heard = sequence(&arrival.request);
        leg.place = Some(place);
        leg.media = offer.as_ref().map(Offer::media);
        leg.agreed = leg.media.is_none().then_some(agreed);
        let media = leg.media;

        let inbox = leg.desk.open(leg.id.clone());
        let mut response = response;
        for route in headers.get_all(&HeaderName::RecordRoute) {
            response = with(response, HeaderName::RecordRoute, route.value().into_owned());
        }
        leg.agree_to(arrival.key, &arrival.request, response, offer.as_ref()).await;
        let call_id = String::from_utf8_lossy(&leg.path.call).into_owned();
        let (orders, told) = mpsc::channel(1);
        tokio::spawn(leg.run(inbox, told));
        let media = match media {
            Some(media) => media,
            None => agreement.await.ok()?,
        };
        Some(Dialog { media, call_id, signals, orders })
    }

    /// Takes up a call we placed, after its 200: sends the ACK.
    pub(super) async fn placed(
        (wire, desk): (Wire, Arc<Desk>),
        id: DialogId,
        path: Path,
        contact: String,
        (session, media): (Session, Media),
        responses: mpsc::Receiver<TuEvent>,
    ) -> Option<Dialog> {
        let call_id = String::from_utf8_lossy(&path.call).into_owned();
        let (mut leg, signals) = Self::new(wire, desk, id, path, contact, session);
        leg.media = Some(media);
        leg.place = Some(leg.desk.own_place());
        let inbox = leg.desk.open(leg.id.clone());
        let (ack, way) = leg.path.request(Method::Ack, &leg.wire).await?;
        leg.wire.acknowledge(ack.clone(), way.clone()).await;
        leg.placed = Some((responses, ack, way));
        let (orders, told) = mpsc::channel(1);
        tokio::spawn(leg.run(inbox, told));
        Some(Dialog { media, call_id, signals, orders })
    }

    fn new(
        wire: Wire,
        desk: Arc<Desk>,
        id: DialogId,
        path: Path,
        contact: String,
        session: Session,
    ) -> (Self, mpsc::Receiver<Signal>) {
        let (signals, told) = mpsc::channel(SIGNALS);
        let leg = Self {
            wire,
            desk,
            id,
            path,
            contact,
            session,
            media: None,
            heard: None,
            unacked: None,
            placed: None,
            signals,
            agreed: None,
            leaving: false,
            place: None,
        };
        (leg, told)
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Arrival>, mut orders: mpsc::Receiver<()>) {
        loop {
            let resend = self.unacked.as_ref().map(|it| it.next);
            let step = tokio::select! {
                arrival = inbox.recv() => match arrival {
                    Some(arrival) => self.take(arrival).await,
                    None => Step::Over,
                },
                _ = orders.recv(), if !self.leaving => {
                    // Before the ACK there is nothing to hang up yet (RFC 3261 §15).
                    self.leaving = true;
                    if self.unacked.is_none() { Step::Leave } else { Step::Stay }
                }
                () = sleep_until(resend.unwrap_or_else(Instant::now)), if resend.is_some() => {
                    self.resend().await
                }
                answered = next(&mut self.placed), if self.placed.is_some() => {
                    self.answered(answered).await
                }
            };
            match step {
                Step::Stay => {}
                Step::Leave => break self.leave(&mut inbox).await,
                Step::Farewell(bye) => break self.farewell(*bye).await,
                Step::Over => break,
            }
        }
        self.desk.close(&self.id);
        let _ = self.signals.try_send(Signal::Over);
        // What came in between is not left without an answer.
        inbox.close();
        while let Some(arrival) = inbox.recv().await {
            self.decline(arrival).await;
        }
    }

    async fn take(&mut self, arrival: Arrival) -> Step {
        let request = &arrival.request;
        let number = sequence(request).unwrap_or_default();
        if request.method == Method::Ack {
            return self.acknowledged(number, request);
        }
        if self.heard.is_some_and(|heard| number < heard) {
            self.respond(&arrival, reply(request, 500, "")).await;
            return Step::Stay;
        }
        self.heard = Some(number);
        match request.method {
            Method::Bye => return Step::Farewell(Box::new(arrival)),
            Method::Invite | Method::Update => self.renegotiate(arrival).await,
            Method::Info => self.info(arrival).await,
            _ => self.respond(&arrival, reply(request, 200, "").map(with_abilities)).await,
        }
        Step::Stay
    }

    fn acknowledged(&mut self, number: u32, ack: &Request) -> Step {
        let Some(unacked) = self.unacked.take_if(|it| it.sequence == number) else {
            return Step::Stay;
        };
        if unacked.asks {
            match self.session.agree(ack.body(), self.path.source.ip()) {
                Ok(media) => self.change(media),
                // Without a first agreement there is no call; later the old one stays.
                Err(_) if self.media.is_none() => return Step::Leave,
                Err(_) => {}
            }
        }
        if self.leaving { Step::Leave } else { Step::Stay }
    }

    /// A new offer in a call that is up: hold, resume, another address, or just a sign of life.
    async fn renegotiate(&mut self, arrival: Arrival) {
        let request = &arrival.request;
        if let Some(response) = wrong_body(request) {
            return self.respond(&arrival, Some(response)).await;
        }
        let offer = match request.body() {
            body if body.is_empty() => None,
            _ if self.unacked.as_ref().is_some_and(|it| it.asks) => {
                // Our own offer is still open; two at once cannot be told apart.
                return self.respond(&arrival, retry(request, 500, 1)).await;
            }
            body => match Offer::read(body, arrival.source.ip()) {
                Ok(offer) => Some(offer),
                Err(_) => return self.respond(&arrival, reply(request, 488, "")).await,
            },
        };
        let Some(response) = reply(request, 200, "") else { return };
        if let Some(target) = contact_of(&request.headers) {
            self.path.target = target;
        }
        self.agree_to(arrival.key, &arrival.request, response, offer.as_ref()).await;
        if let Some(offer) = offer {
            self.change(offer.media());
        }
    }

    /// Sends a 200 with our answer, or our offer where theirs is missing.
    async fn agree_to(
        &mut self,
        key: TransactionKey,
        request: &Request,
        response: Response,
        offer: Option<&Offer>,
    ) {
        let is_invite = request.method == Method::Invite;
        let sdp = match (offer, self.media) {
            (Some(offer), _) => Some(offer.answer(&mut self.session)),
            (None, _) if !is_invite => None,
            (None, Some(media)) => Some(self.session.offer(&[media.codec])),
            (None, None) => {
                Some(self.session.offer(&[crate::audio::Codec::Pcmu, crate::audio::Codec::Pcma]))
            }
        };
        let response = with(response, HeaderName::Contact, self.contact.clone());
        let mut response = with_abilities(response);
        if let Some(sdp) = sdp {
            response = with_sdp(response, &sdp);
        }
        self.wire.respond(key.clone(), response.clone()).await;
        if is_invite {
            let t1 = self.wire.timers.t1;
            let now = Instant::now();
            self.unacked = Some(Unacked {
                key,
                response,
                sequence: sequence(request).unwrap_or_default(),
                interval: t1,
                next: now + t1,
                give_up: now + self.wire.timers.timeout(),
                asks: offer.is_none(),
            });
        }
    }

    async fn info(&mut self, arrival: Arrival) {
        let request = &arrival.request;
        let accepted = ["dtmf-relay", "dtmf"];
        if let Some(response) = wrong_type(request, &accepted, digits::ACCEPTED) {
            return self.respond(&arrival, Some(response)).await;
        }
        if let Some(key) = digits::key(request.body()) {
            let _ = self.signals.try_send(Signal::Digit(key));
        }
        self.respond(&arrival, reply(request, 200, "")).await;
    }

    fn change(&mut self, media: Media) {
        if let Some(agreed) = self.agreed.take() {
            let _ = agreed.send(media);
        } else if self.media != Some(media) {
            let _ = self.signals.try_send(Signal::Media(media));
        }
        self.media = Some(media);
    }

    async fn resend(&mut self) -> Step {
        let Some(unacked) = &mut self.unacked else { return Step::Stay };
        let now = Instant::now();
        if now >= unacked.give_up {
            tracing::info!("a call ended because its caller never acknowledged the answer");
            self.unacked = None;
            let _ = self.signals.try_send(Signal::Over);
            return Step::Leave;
        }
        unacked.interval = (unacked.interval * 2).min(self.wire.timers.t2);
        unacked.next = (now + unacked.interval).min(unacked.give_up);
        let (key, response) = (unacked.key.clone(), unacked.response.clone());
        self.wire.respond(key, response).await;
        Step::Stay
    }

    /// Another copy of the 200 to a call of ours: the ACK was lost.
    async fn answered(&mut self, event: Option<TuEvent>) -> Step {
        match (event, &self.placed) {
            (Some(TuEvent::Response(response)), Some((_, ack, way))) => {
                let to = party(&response.headers, &HeaderName::To).and_then(|it| it.tag);
                if to.as_deref() == Some(&self.id.theirs[..]) {
                    self.wire.acknowledge(ack.clone(), way.clone()).await;
                }
            }
            (None, _) => self.placed = None,
            _ => {}
        }
        Step::Stay
    }

    /// They hung up: the 200 waits until what was said is safe.
    async fn farewell(&mut self, bye: Arrival) {
        self.desk.close(&self.id);
        // Whoever still waits for an agreement learns that there will be none.
        self.agreed = None;
        let (answer, answered) = oneshot::channel();
        let told = async {
            let _ = self.signals.send(Signal::Bye(Farewell { answer })).await;
            answered.await.ok()
        };
        let done = timeout(PATIENCE, told).await.ok().flatten();
        self.respond(&bye, reply(&bye.request, 200, "")).await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    /// We hang up, and hear out what crosses our BYE on the way.
    async fn leave(&mut self, inbox: &mut mpsc::Receiver<Arrival>) {
        self.place = None;
        let Some((bye, way)) = self.path.request(Method::Bye, &self.wire).await else { return };
        let mut responses = self.wire.request(bye, way).await;
        loop {
            tokio::select! {
                event = responses.recv() => match event {
                    Some(TuEvent::Response(it)) if it.status.is_provisional() => {}
                    _ => return,
                },
                Some(arrival) = inbox.recv() => self.decline(arrival).await,
            }
        }
    }

    async fn decline(&self, arrival: Arrival) {
        let code = if arrival.request.method == Method::Bye { 200 } else { 481 };
        if arrival.request.method != Method::Ack {
            self.respond(&arrival, reply(&arrival.request, code, "")).await;
        }
    }

    async fn respond(&self, arrival: &Arrival, response: Option<Response>) {
        if let Some(response) = response {
            arrival.wire.respond(arrival.key.clone(), response).await;
        }
    }
}

async fn next(placed: &mut Option<(mpsc::Receiver<TuEvent>, Request, Way)>) -> Option<TuEvent> {
    placed.as_mut()?.0.recv().await
}
