//! A call that is up, or about to be: one small task per dialog, told of by [`Signal`]s.

mod early;
mod end;
mod offers;
pub(super) mod timer;
mod vital;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use sipx_sip::{HeaderName, Headers, Method, Request, Response, TransactionKey, TuEvent, Uri};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use self::{early::Early, vital::Vital};
use super::{
    desk::{Arrival, Desk, DialogId, Place, lists, sequence, wrong_type},
    digits,
    identity::party,
    invitation::Gone,
    path::{Path, contact, contact_of, routes},
    reply::{reply, with, with_abilities},
    sdp::{Media, NotAcceptable, Offer, Session},
    wire::{Way, Wire},
};

/// A call that is up, or sounds already before it is answered. Dropping it hangs up.
#[derive(Debug)]
pub struct Dialog {
    /// What was agreed on at first; later changes are signalled.
    pub media: Media,
    /// Its Call-ID.
    pub call_id: String,
    is_early: bool,
    signals: mpsc::Receiver<Signal>,
    orders: mpsc::Sender<Order>,
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
    /// The call is over without a hang-up of theirs: they gave up before the answer, no ACK or no
    /// sign of life came, or our own hang-up is through.
    Over,
}

/// A BYE that waits for its 200; copies of it are absorbed meanwhile.
#[derive(Debug)]
pub struct Farewell {
    answer: oneshot::Sender<oneshot::Sender<()>>,
}

/// Answers a call that sounds already. It does not keep the call up.
#[derive(Debug, Clone)]
pub struct Answering {
    orders: mpsc::WeakSender<Order>,
}

/// What the driver asks for.
#[derive(Debug)]
enum Order {
    /// Send the 200, and tell when it is out.
    Answer(oneshot::Sender<()>),
    HangUp,
}

/// Signals not yet taken by the driver; more are dropped.
const SIGNALS: usize = 64;
/// Orders not yet taken by the task; a driver with more waits.
const ORDERS: usize = 4;

impl Dialog {
    /// What happens next; after [`Signal::Bye`] or [`Signal::Over`] always `Over`. Safe to cancel.
    pub async fn next(&mut self) -> Signal {
        self.signals.recv().await.unwrap_or(Signal::Over)
    }

    /// Hangs up, or refuses a call that was not answered yet; [`Signal::Over`] tells when the other
    /// side knows.
    pub async fn bye(&self) {
        // An error means it is over already.
        let _ = self.orders.send(Order::HangUp).await;
    }

    /// What answers this call, if it is not answered yet.
    pub fn answering(&self) -> Option<Answering> {
        self.is_early.then(|| Answering { orders: self.orders.downgrade() })
    }
}

impl Answering {
    /// Answers the call and waits until the 200 is sent; `false` when there is nobody to answer any
    /// more. Asked a second time, nothing more happens.
    pub async fn answer(&self) -> bool {
        let (done, answered) = oneshot::channel();
        let Some(orders) = self.orders.upgrade() else { return false };
        let told = orders.send(Order::Answer(done)).await.is_ok();
        // The call must not be kept up by this.
        drop(orders);
        told && answered.await.is_ok()
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
    /// The INVITE, until it is answered.
    early: Option<Early>,
    unacked: Option<Unacked>,
    /// A call we placed, or an INVITE of ours in this one: copies of its 200, each of which wants
    /// the ACK again.
    placed: Option<(mpsc::Receiver<TuEvent>, Request, Way)>,
    /// A request of ours that waits for its answer.
    asked: Option<vital::Asked>,
    /// When the next sign of life is due; `None` where none was agreed on.
    vital: Option<Vital>,
    /// They take UPDATE.
    updates: bool,
    signals: mpsc::Sender<Signal>,
    /// Told once what is spoken, when the INVITE did not say.
    agreed: Option<oneshot::Sender<Media>>,
    leaving: bool,
    place: Option<Place>,
}

/// A 200 to an INVITE, sent again until its ACK comes (RFC 3261 §13.3.1.4).
#[derive(Debug)]
struct Unacked {
    copies: Copies,
    sequence: u32,
    /// The offer was ours: the ACK brings the answer.
    asks: bool,
}

/// An answer that is sent again, at growing distance, until it is acknowledged.
#[derive(Debug)]
struct Copies {
    key: TransactionKey,
    response: Response,
    interval: Duration,
    farthest: Duration,
    next: Instant,
    give_up: Instant,
}

/// A call as it arrived, to be answered.
#[derive(Debug)]
pub(super) struct Caught {
    pub(super) arrival: Arrival,
    pub(super) tag: String,
    pub(super) desk: Arc<Desk>,
    pub(super) place: Place,
    pub(super) cancelled: oneshot::Receiver<()>,
}

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// The sound begins before the answer.
    pub(super) is_early: bool,
    /// What comes before the answer has to be acknowledged (RFC 3262).
    pub(super) is_reliable: bool,
}

enum Step {
    Stay,
    Leave,
    Farewell(Box<Arrival>),
    Over,
}

impl Leg {
    /// Answers an INVITE, or begins to, and waits until it is known what is spoken. With
    /// `is_early` that may be long before the answer; without, the answer is out.
    pub(super) async fn answer(
        caught: Caught,
        session: Session,
        offer: Option<Offer>,
        manner: Manner,
    ) -> Result<Dialog, Gone> {
        let (mut leg, signals, mut early) = Self::open(caught, session, offer)?;
        let (agreed, agreement) = oneshot::channel();
        let media = early.offer().map(Offer::media);
        leg.media = media;
        leg.agreed = media.is_none().then_some(agreed);
        let inbox = leg.desk.open(leg.id.clone(), leg.path.source.ip());
        let call_id = String::from_utf8_lossy(&leg.path.call).into_owned();
        let (orders, told) = mpsc::channel(ORDERS);
        let dialog = |media| Dialog {
            media,
            call_id,
            is_early: manner.is_early,
            signals,
            orders: orders.clone(),
        };

        let mut answered = None;
        if manner.is_early || manner.is_reliable {
            if !manner.is_early {
                answered = Some(early.wanted());
            }
            leg.announce(early, manner.is_reliable).await;
        } else if !leg.conclude(early).await {
            leg.desk.close(&leg.id);
            return Err(Gone::Cancelled);
        }
        tokio::spawn(leg.run(inbox, told));
        if let Some(answered) = answered {
            answered.await.map_err(|_| Gone::Incomplete)?;
        }
        let media = match media {
            Some(media) => media,
            None => agreement.await.map_err(|_| Gone::Incomplete)?,
        };
        Ok(dialog(media))
    }

    /// Our end of a call that came in, and its INVITE.
    fn open(
        caught: Caught,
        session: Session,
        offer: Option<Offer>,
    ) -> Result<(Self, mpsc::Receiver<Signal>, Early), Gone> {
        let Caught { arrival, tag, desk, place, cancelled } = caught;
        let headers = &arrival.request.headers;
        let value = |name| headers.value(name).map(|it| Bytes::from(it.into_owned()));
        let read = || {
            let call = value(&HeaderName::CallId)?;
            let theirs = party(headers, &HeaderName::From)?.tag.unwrap_or_default();
            let id = DialogId { call: call.to_vec(), ours: tag.clone().into(), theirs };
            let fallback = Uri::parse(format!("sip:{}", arrival.source).into()).ok();
            let response = reply(&arrival.request, 200, &tag)?;
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
            Some((id, path))
        };
        let (id, path) = read().ok_or(Gone::Incomplete)?;
        let contact = contact(arrival.request.uri.user(), arrival.local, arrival.transport);
        let wire = arrival.wire.clone();
        let (mut leg, signals) = Self::new(wire, desk, id, path, contact, session);
        leg.heard = sequence(&arrival.request);
        leg.updates = takes_update(headers);
        leg.place = Some(place);
        let early = Early::new(arrival, tag, offer, cancelled);
        Ok((leg, signals, early))
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
        let inbox = leg.desk.open(leg.id.clone(), leg.path.source.ip());
        let (ack, way) = leg.path.request(Method::Ack, &leg.wire).await?;
        leg.wire.acknowledge(ack.clone(), way.clone()).await;
        leg.placed = Some((responses, ack, way));
        let (orders, told) = mpsc::channel(ORDERS);
        tokio::spawn(leg.run(inbox, told));
        Some(Dialog { media, call_id, is_early: false, signals, orders })
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
            early: None,
            unacked: None,
            placed: None,
            asked: None,
            vital: None,
            updates: false,
            signals,
            agreed: None,
            leaving: false,
            place: None,
        };
        (leg, told)
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Arrival>, mut orders: mpsc::Receiver<Order>) {
        loop {
            let due = self.due();
            let step = tokio::select! {
                arrival = inbox.recv() => match arrival {
                    Some(arrival) => self.take(arrival).await,
                    None => Step::Over,
                },
                order = orders.recv(), if !self.leaving => self.follow(order).await,
                () = early::cancelled(&mut self.early), if self.early.is_some() => Step::Over,
                event = next(&mut self.placed), if self.placed.is_some() => {
                    self.answered(event).await
                }
                event = vital::heard(&mut self.asked), if self.asked.is_some() => {
                    self.reassured(event).await
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.on_time().await
                }
            };
            match step {
                Step::Stay => {}
                Step::Leave => break self.leave(&mut inbox).await,
                Step::Farewell(bye) => break self.farewell(*bye).await,
                Step::Over => break,
            }
        }
        self.close(inbox).await;
    }

    async fn follow(&mut self, order: Option<Order>) -> Step {
        match order {
            Some(Order::Answer(done)) => self.answer_now(done).await,
            Some(Order::HangUp) | None if self.early.is_some() => self.give_up(480).await,
            Some(Order::HangUp) | None => {
                // Before the ACK there is nothing to hang up yet (RFC 3261 §15).
                self.leaving = true;
                if self.unacked.is_none() { Step::Leave } else { Step::Stay }
            }
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
            Method::Bye => return self.told_bye(arrival).await,
            Method::Invite | Method::Update => self.renegotiate(arrival).await,
            Method::Prack => return self.pracked(arrival).await,
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
            let answer = match ack.body() {
                body if body.is_empty() => Err(NotAcceptable::NoOffer),
                body => self.session.agree(body, self.path.source.ip()),
            };
            match answer {
                Ok(media) => self.change(media),
                // Without a first agreement there is no call; later the old one stays.
                Err(why) if self.media.is_none() => {
                    tracing::info!(%why, "a call ended because its caller did not take our offer");
                    return Step::Leave;
                }
                Err(why) => tracing::info!(%why, "an offer of ours was not taken; nothing changes"),
            }
        }
        if self.leaving { Step::Leave } else { Step::Stay }
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

    /// When something is next to be done without anybody asking.
    fn due(&self) -> Option<Instant> {
        let unacked = self.unacked.as_ref().map(|it| it.copies.next);
        let early = self.early.as_ref().map(Early::due);
        let vital = self.vital.as_ref().map(|it| it.due(self.asked.is_some()));
        [unacked, early, vital].into_iter().flatten().min()
    }

    async fn on_time(&mut self) -> Step {
        let now = Instant::now();
        if self.early.as_ref().is_some_and(|it| it.due() <= now) {
            return self.on_early_time(now).await;
        }
        if let Some(unacked) = self.unacked.as_mut().filter(|it| it.copies.next <= now) {
            if !unacked.copies.send(&self.wire, now).await {
                tracing::info!("a call ended because its caller never acknowledged the answer");
                self.unacked = None;
                let _ = self.signals.try_send(Signal::Over);
                return Step::Leave;
            }
            return Step::Stay;
        }
        self.on_vital_time(now).await
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

    async fn respond(&self, arrival: &Arrival, response: Option<Response>) {
        if let Some(response) = response {
            arrival.wire.respond(arrival.key.clone(), response).await;
        }
    }

    /// An answer of ours with what every one that concerns the call says.
    fn within(&self, response: Response) -> Response {
        with_abilities(with(response, HeaderName::Contact, self.contact.clone()))
    }
}

impl Copies {
    /// Copies of what has just been sent, at most `farthest` from each other.
    fn new(key: TransactionKey, response: Response, farthest: Duration, wire: &Wire) -> Self {
        let (t1, now) = (wire.timers.t1, Instant::now());
        let give_up = now + wire.timers.timeout();
        Self { key, response, interval: t1, farthest, next: now + t1, give_up }
    }

    /// Sends another copy; `false` when it has been long enough.
    async fn send(&mut self, wire: &Wire, now: Instant) -> bool {
        if now >= self.give_up {
            return false;
        }
        self.interval = (self.interval * 2).min(self.farthest);
        self.next = (now + self.interval).min(self.give_up);
        wire.respond(self.key.clone(), self.response.clone()).await;
        true
    }
}

/// Whether they say that they take UPDATE; silence means no (RFC 3311 §4).
fn takes_update(headers: &Headers) -> bool {
    lists(headers, &HeaderName::Allow, "UPDATE")
}

async fn next(placed: &mut Option<(mpsc::Receiver<TuEvent>, Request, Way)>) -> Option<TuEvent> {
    placed.as_mut()?.0.recv().await
}
