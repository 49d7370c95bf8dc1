//! Our end of a dialog: it hears what comes, answers it and keeps the time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sipx_sip::{HeaderName, Headers, Method, Request, Response, TransactionKey, TuEvent, Uri};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Attended, Dialog, ORDERS, Order, Running, SIGNALS, Signal,
    early::{self, Early},
    refer::{self, Referred},
    vital::{self, Vital},
};
use crate::audio::Codec;
use crate::sip::{
    desk::{Arrival, Desk, DialogId, Place, lists, sequence, wrong_type},
    digits,
    identity::party,
    invitation::Gone,
    path::{Path, contact_in, contact_of, routes},
    reply::{reply, with, with_abilities},
    sdp::{Media, NotAcceptable, Offer, Session},
    wire::{Way, Wire},
};

/// Our end of a dialog: its own state.
#[derive(Debug)]
pub(in crate::sip) struct Leg {
    pub(super) wire: Wire,
    pub(super) desk: Arc<Desk>,
    pub(super) id: DialogId,
    pub(super) path: Path,
    pub(super) contact: String,
    pub(super) session: Session,
    pub(super) media: Option<Media>,
    /// `CSeq` of the last request they sent.
    pub(super) heard: Option<u32>,
    /// The INVITE, until it is answered.
    // Boxed, like all that a call has for a moment only.
    pub(super) early: Option<Box<Early>>,
    pub(super) unacked: Option<Box<Unacked>>,
    /// A call we placed, or an INVITE of ours in this one: copies of its 200, each of which wants
    /// the ACK again.
    pub(super) placed: Option<Box<Placed>>,
    /// A request of ours that waits for its answer.
    pub(super) asked: Option<vital::Asked>,
    /// A REFER of ours whose outcome is not known yet.
    pub(super) referred: Option<Referred>,
    /// When the next sign of life is due; `None` where none was agreed on.
    pub(super) vital: Option<Vital>,
    /// They take UPDATE.
    pub(super) updates: bool,
    /// Nothing else is spoken any more.
    pub(super) only: Option<Codec>,
    pub(super) signals: mpsc::Sender<Box<Signal>>,
    /// Told once what is spoken, when the INVITE did not say.
    pub(super) agreed: Option<oneshot::Sender<Media>>,
    pub(super) leaving: bool,
    pub(super) place: Option<Place>,
}

/// Copies of the 200 to an INVITE of ours, and the ACK that each wants, with its way.
pub(super) type Placed = (mpsc::Receiver<TuEvent>, Request, Way);

/// A 200 to an INVITE, sent again until its ACK comes (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) copies: Copies,
    pub(super) sequence: u32,
    /// The offer was ours: the ACK brings the answer.
    pub(super) asks: bool,
}

/// An answer that is sent again, at growing distance, until it is acknowledged.
#[derive(Debug)]
pub(super) struct Copies {
    wire: Wire,
    key: TransactionKey,
    response: Response,
    interval: Duration,
    farthest: Duration,
    pub(super) next: Instant,
    give_up: Instant,
}

/// A call as it arrived, to be answered.
#[derive(Debug)]
pub(in crate::sip) struct Caught {
    pub(in crate::sip) arrival: Arrival,
    pub(in crate::sip) tag: String,
    pub(in crate::sip) desk: Arc<Desk>,
    pub(in crate::sip) place: Place,
    pub(in crate::sip) cancelled: oneshot::Receiver<()>,
}

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) struct Manner {
    /// The sound begins before the answer.
    pub(in crate::sip) is_early: bool,
    /// What comes before the answer has to be acknowledged (RFC 3262).
    pub(in crate::sip) is_reliable: bool,
    /// Whoever takes the call runs our end as well.
    pub(in crate::sip) is_attended: bool,
}

pub(super) enum Step {
    Stay,
    Leave,
    Farewell(Box<Arrival>),
    Over,
}

impl Leg {
    /// Answers an INVITE, or begins to, and waits until it is known what is spoken. With
    /// `is_early` that may be long before the answer; without, the answer is out.
    pub(in crate::sip) async fn answer(
        caught: Caught,
        session: Session,
        offer: Option<Offer>,
        manner: Manner,
    ) -> Result<Dialog, Gone> {
        let (mut leg, signals, mut early) = Self::open(caught, session, offer)?;
        let (agreed, agreement) = oneshot::channel();
        let media = early.offer().map(|it| it.agreed(&mut leg.session));
        leg.media = media;
        leg.agreed = media.is_none().then_some(agreed);
        let inbox = leg.desk.open(leg.id.clone(), leg.path.source.ip());
        let call_id = String::from_utf8_lossy(&leg.path.call).into_owned();
        let (orders, told) = mpsc::channel(ORDERS);

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
        let mut running: Running = Box::pin(Box::new(leg).run(inbox, told));
        let agreeing = async {
            if let Some(answered) = answered {
                answered.await.ok()?;
            }
            match media {
                Some(media) => Some(media),
                None => agreement.await.ok(),
            }
        };
        let agreed = tokio::select! {
            biased;
            agreed = agreeing => agreed,
            () = &mut running => return Err(Gone::Incomplete),
        };
        // It goes on by itself also where nothing was agreed on: it has something to send yet.
        let attended = match agreed.is_some() && manner.is_attended {
            true => Attended::new(running),
            false => {
                tokio::spawn(running);
                Attended::default()
            }
        };
        let media = agreed.ok_or(Gone::Incomplete)?;
        Ok(Dialog { media, call_id, is_early: manner.is_early, signals, orders, attended })
    }

    /// Our end of a call that came in, and its INVITE.
    fn open(
        caught: Caught,
        session: Session,
        offer: Option<Offer>,
    ) -> Result<(Self, mpsc::Receiver<Box<Signal>>, Early), Gone> {
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
                proven: arrival.account.is_some(),
            };
            Some((id, path))
        };
        let (id, path) = read().ok_or(Gone::Incomplete)?;
        let contact = contact_in(&arrival.request, arrival.local, arrival.transport);
        let wire = arrival.wire.clone();
        let (mut leg, signals) = Self::new(wire, desk, id, path, contact, session);
        leg.heard = sequence(&arrival.request);
        leg.updates = takes_update(headers);
        leg.place = Some(place);
        let early = Early::new(arrival, tag, offer, cancelled);
        Ok((leg, signals, early))
    }

    /// Takes up a call we placed, after its 200: sends the ACK.
    pub(in crate::sip) async fn placed(
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
        leg.placed = Some(Box::new((responses, ack, way)));
        let (orders, told) = mpsc::channel(ORDERS);
        tokio::spawn(Box::new(leg).run(inbox, told));
        let attended = Attended::default();
        Some(Dialog { media, call_id, is_early: false, signals, orders, attended })
    }

    fn new(
        wire: Wire,
        desk: Arc<Desk>,
        id: DialogId,
        path: Path,
        contact: String,
        session: Session,
    ) -> (Self, mpsc::Receiver<Box<Signal>>) {
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
            referred: None,
            vital: None,
            updates: false,
            only: None,
            signals,
            agreed: None,
            leaving: false,
            place: None,
        };
        (leg, told)
    }

    async fn run(
        mut self: Box<Self>,
        mut inbox: mpsc::Receiver<Box<Arrival>>,
        mut orders: mpsc::Receiver<Order>,
    ) {
        loop {
            let due = self.due();
            let step = tokio::select! {
                arrival = inbox.recv() => match arrival {
                    // Boxed, so that a call needs the room only while something happens.
                    Some(arrival) => Box::pin(self.take(*arrival)).await,
                    None => Step::Over,
                },
                order = orders.recv(), if !self.leaving => Box::pin(self.follow(order)).await,
                () = early::cancelled(&mut self.early), if self.early.is_some() => Step::Over,
                event = next(&mut self.placed), if self.placed.is_some() => {
                    Box::pin(self.answered(event)).await
                }
                event = vital::heard(&mut self.asked), if self.asked.is_some() => {
                    Box::pin(self.reassured(event)).await
                }
                event = refer::heard(&mut self.referred) => self.refer_answered(event),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    Box::pin(self.on_time()).await
                }
            };
            match step {
                Step::Stay => {}
                Step::Leave => break Box::pin(self.leave(&mut inbox)).await,
                Step::Farewell(bye) => break Box::pin(self.farewell(*bye)).await,
                Step::Over => break,
            }
        }
        Box::pin(self.close(inbox)).await;
    }

    async fn follow(&mut self, order: Option<Order>) -> Step {
        match order {
            Some(Order::Answer(done)) => self.answer_now(done).await,
            Some(Order::KeepCodec) => {
                self.only = self.media.map(|it| it.codec);
                Step::Stay
            }
            Some(Order::SendOn(to, done)) => self.send_on(&to, done).await,
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
            let step = self.acknowledged(number, request);
            if self.unacked.is_none() {
                self.send_refer().await;
            }
            return step;
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
            Method::Notify => self.notified(arrival).await,
            _ => self.respond(&arrival, reply(request, 200, "").map(with_abilities)).await,
        }
        Step::Stay
    }

    fn acknowledged(&mut self, number: u32, ack: &Request) -> Step {
        let Some(unacked) = self.unacked.take_if(|it| it.sequence == number) else {
            return Step::Stay;
        };
        unacked.copies.end();
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
            let _ = self.signals.try_send(Box::new(Signal::Digit(key)));
        }
        self.respond(&arrival, reply(request, 200, "")).await;
    }

    pub(super) fn change(&mut self, media: Media) {
        if let Some(agreed) = self.agreed.take() {
            let _ = agreed.send(media);
        } else if self.media != Some(media) {
            let _ = self.signals.try_send(Box::new(Signal::Media(media)));
        }
        self.media = Some(media);
    }

    /// When something is next to be done without anybody asking.
    fn due(&self) -> Option<Instant> {
        let unacked = self.unacked.as_ref().map(|it| it.copies.next);
        let early = self.early.as_ref().map(|it| it.due());
        let vital = self.vital.as_ref().map(|it| it.due(self.asked.is_some()));
        let referred = self.referred.as_ref().map(Referred::due);
        [unacked, early, vital, referred].into_iter().flatten().min()
    }

    async fn on_time(&mut self) -> Step {
        let now = Instant::now();
        if self.early.as_ref().is_some_and(|it| it.due() <= now) {
            return self.on_early_time(now).await;
        }
        if self.referred.as_ref().is_some_and(|it| it.due() <= now) {
            return self.on_refer_time();
        }
        if let Some(unacked) = self.unacked.as_mut().filter(|it| it.copies.next <= now) {
            if !unacked.copies.send(now).await {
                tracing::info!("a call ended because its caller never acknowledged the answer");
                self.unacked = None;
                let _ = self.signals.try_send(Box::new(Signal::Over));
                return Step::Leave;
            }
            return Step::Stay;
        }
        self.on_vital_time(now).await
    }

    /// Another copy of the 200 to a call of ours: the ACK was lost.
    async fn answered(&mut self, event: Option<TuEvent>) -> Step {
        match (event, self.placed.as_deref()) {
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

    pub(super) async fn respond(&self, arrival: &Arrival, response: Option<Response>) {
        if let Some(response) = response {
            arrival.wire.respond(arrival.key.clone(), response).await;
        }
    }

    /// An answer of ours with what every one that concerns the call says.
    pub(super) fn within(&self, response: Response) -> Response {
        with_abilities(with(response, HeaderName::Contact, self.contact.clone()))
    }
}

impl Copies {
    /// Copies of what has just been sent, at most `farthest` from each other.
    pub(super) fn new(
        key: TransactionKey,
        response: Response,
        farthest: Duration,
        wire: &Wire,
    ) -> Self {
        let (t1, now) = (wire.timers.t1, Instant::now());
        let give_up = now + wire.timers.timeout();
        let (wire, next) = (wire.clone(), now + t1);
        Self { wire, key, response, interval: t1, farthest, next, give_up }
    }

    /// Sends another copy; `false` when it has been long enough.
    pub(super) async fn send(&mut self, now: Instant) -> bool {
        if now >= self.give_up {
            return false;
        }
        self.interval = (self.interval * 2).min(self.farthest);
        self.next = (now + self.interval).min(self.give_up);
        self.wire.respond(self.key.clone(), self.response.clone()).await;
        true
    }

    /// The 200 to an INVITE was acknowledged.
    fn end(&self) {
        self.wire.acknowledged(self.key.clone());
    }
}

/// Whether they say that they take UPDATE; silence means no (RFC 3311 §4).
pub(super) fn takes_update(headers: &Headers) -> bool {
    lists(headers, &HeaderName::Allow, "UPDATE")
}

async fn next(placed: &mut Option<Box<Placed>>) -> Option<TuEvent> {
    placed.as_mut()?.0.recv().await
}
