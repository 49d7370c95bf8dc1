//! A call that has come in and is not answered yet.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::sync::oneshot;

use super::{
    desk::{Arrival, Desk, Place},
    dialog::{Caught, Dialog, Leg, Manner},
    identity::{self, Called},
    path::home,
    reply::{Refusal, refuse, reply},
    sdp::{Media, NotAcceptable, Offer, Session, Terms},
};
use crate::{
    mailbox::{Caller, Redirected},
    srtp::Seed,
};

/// A call that waits for an answer. Dropping it refuses the call with 480.
#[derive(Debug)]
pub struct Invitation {
    /// Whom it is for.
    pub called: Called,
    /// Who calls.
    pub caller: Caller,
    /// How it was sent here.
    pub redirected: Redirected,
    /// The account whose password came with it; `None` for a peer known by its address.
    pub account: Option<String>,
    /// Whose phone it is, as a peer in [`Settings::identity_from`](super::Settings::identity_from) says.
    pub asserted: Option<String>,
    /// Where it came from.
    pub source: SocketAddr,
    /// Our address as that peer reaches it.
    pub local: SocketAddr,
    /// The same on this machine, where sound is best received. It differs from `local` when that
    /// is advertised in place of it.
    pub own: IpAddr,
    /// The phone system it came from, as an address without a user.
    pub home: String,
    /// Its Call-ID, for logs and for the telephone system's own records.
    pub call_id: String,
    offer: Result<Offer, NotAcceptable>,
    held: Option<Caught>,
    is_attended: bool,
}

/// How a call is taken.
#[derive(Debug, Clone, Copy)]
struct Style {
    /// Sound passes before the answer.
    is_early: bool,
    /// We only send.
    is_deaf: bool,
}

/// Answered, to speak and to listen.
const TALK: Style = Style { is_early: false, is_deaf: false };

/// Why a call could not be answered. The caller has been told, where there is one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The caller gave up first.
    #[error("the caller hung up before the call was answered")]
    Cancelled,
    /// It was refused with 488.
    #[error("the call cannot be spoken: {0}")]
    NotAcceptable(#[from] NotAcceptable),
    /// It was answered, and the caller never said what is to be spoken, or nothing we could.
    #[error("the caller did not complete the call")]
    Incomplete,
}

impl Invitation {
    pub(super) fn new(
        arrival: Arrival,
        tag: String,
        cancelled: oneshot::Receiver<()>,
        desk: Arc<Desk>,
        place: Place,
    ) -> Self {
        let request = &arrival.request;
        let call_id = request.headers.value(&sipx_sip::HeaderName::CallId).unwrap_or_default();
        Self {
            called: identity::called(request),
            caller: identity::caller(&request.headers),
            redirected: identity::redirected(request),
            asserted: identity::asserted_number(&request.headers)
                .filter(|_| desk.believes(arrival.source.ip())),
            account: arrival.account.as_deref().map(str::to_owned),
            source: arrival.source,
            local: arrival.local,
            own: arrival.wire.own_for(arrival.source.ip()),
            home: home(&request.headers, arrival.source, arrival.transport),
            call_id: String::from_utf8_lossy(&call_id).into_owned(),
            offer: offer(request.body(), arrival.source.ip(), desk.terms(arrival.transport)),
            held: Some(Caught { arrival, tag, desk, place, cancelled }),
            is_attended: false,
        }
    }

    /// What an answer would agree on. A call without an offer has none yet; it can be accepted all
    /// the same, and [`Dialog::media`] tells then.
    pub fn media(&self) -> Result<Media, NotAcceptable> {
        self.offer.as_ref().map(Offer::media).map_err(|it| *it)
    }

    /// Waits until the caller gives up. Safe to cancel.
    pub async fn cancelled(&mut self) {
        if let Some(held) = &mut self.held
            && !held.cancelled.is_terminated()
        {
            let _ = (&mut held.cancelled).await;
        }
    }

    /// Refuses the call.
    pub async fn reject(mut self, refusal: Refusal) {
        let Some(held) = self.held.take() else { return };
        let Arrival { key, request, wire, .. } = held.arrival;
        if !held.desk.settle(&key) {
            return;
        }
        if let Some(response) = refuse(&request, &refusal, &held.tag) {
            wire.respond(key, response).await;
        }
    }

    /// Whoever takes the call runs our end of it, by [`Dialog::attend`], instead of a task of its own.
    pub fn attended(mut self) -> Self {
        self.is_attended = true;
        self
    }

    /// Answers the call; sound is to be sent to `local_media`. Without an offer in the INVITE we
    /// make one, and this waits for the caller's answer to it.
    pub async fn accept(self, local_media: SocketAddr) -> Result<Dialog, Gone> {
        self.take_up(local_media, TALK).await
    }

    /// Lets sound pass before the call is answered, which [`Dialog::answering`] is for. A caller who
    /// made no offer, and takes none before the answer, is answered at once all the same.
    pub async fn progress(self, local_media: SocketAddr) -> Result<Dialog, Gone> {
        self.take_up(local_media, Style { is_early: true, ..TALK }).await
    }

    /// Answers the call, or with `early` only lets sound pass, and listens to nothing.
    pub async fn play(self, local_media: SocketAddr, early: bool) -> Result<Dialog, Gone> {
        self.take_up(local_media, Style { is_early: early, is_deaf: true }).await
    }

    async fn take_up(mut self, local_media: SocketAddr, style: Style) -> Result<Dialog, Gone> {
        let mut offer = self.offer.clone();
        if offer.as_ref().is_ok_and(|it| !it.reaches(local_media)) {
            offer = Err(NotAcceptable::Address);
        }
        if let Err(fault) = offer
            && fault != NotAcceptable::NoOffer
        {
            self.reject(Refusal::NotAcceptable).await;
            return Err(Gone::NotAcceptable(fault));
        }
        let held = self.held.take().filter(|it| !it.cancelled.is_terminated());
        let held = held.ok_or(Gone::Cancelled)?;
        let is_reliable = held.desk.is_reliable(&held.arrival.request);
        let is_early = style.is_early && (offer.is_ok() || is_reliable);
        let manner = Manner { is_early, is_reliable, is_attended: self.is_attended };
        let secrecy = held.desk.secrecy(held.arrival.transport);
        let session = Session::new(rand::random(), local_media).only_sending(style.is_deaf);
        let session = session.secretly(secrecy, Seed::new(rand::random()));
        Leg::answer(held, session, offer.ok(), manner).await
    }
}

impl Drop for Invitation {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let Arrival { key, request, wire, .. } = held.arrival;
        if held.desk.settle(&key)
            && let Some(response) = reply(&request, 480, &held.tag)
        {
            wire.try_respond(key, response);
        }
    }
}

fn offer(body: &[u8], source: IpAddr, terms: Terms<'_>) -> Result<Offer, NotAcceptable> {
    if body.is_empty() { Err(NotAcceptable::NoOffer) } else { Offer::read(body, source, terms) }
}
