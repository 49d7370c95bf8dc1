//! Calls we place: for callers who want somebody else, for the demonstration and for tests. No early
//! sound, no forking.

mod placed;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use sipx_sip::{Uri, auth::Credentials};
use tokio::sync::oneshot;

use self::placed::Placed;
use super::{
    Endpoint,
    dialog::Dialog,
    path::{Missing, at, way_to},
    sdp::NotAcceptable,
    wire::{Way, Wire},
};
use crate::{audio::Codec, mailbox::Caller};

/// Why a call did not come up.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address is not `sip:user@host`, or the host is not known.
    #[error("{0:?} is not an address that can be called")]
    Address(String),
    /// No address of ours is of the same kind: IPv4 or IPv6, plain or TLS.
    #[error("we do not listen on an address from which {0:?} could be reached")]
    NoWay(String),
    /// The other side does not want it.
    #[error("the call was refused: {code} {reason}")]
    Refused {
        /// The SIP status.
        code: u16,
        /// What the other side says to it.
        reason: String,
    },
    /// They want a password, and have none of ours, or not the right one.
    #[error("the other side asks for a password, see [sip.outbound]")]
    Password,
    /// Nobody there, or nobody in time.
    #[error("no answer came")]
    NoAnswer,
    /// The answer makes no sense.
    #[error("the call was answered with something that cannot be spoken: {0}")]
    Answer(NotAcceptable),
}

/// Where a call of ours is to go, and on which way.
#[derive(Debug, Clone)]
pub struct Destination {
    uri: Uri,
    /// The proxy on the way, where the address does not name it.
    route: Option<Uri>,
    credentials: Option<Credentials>,
    wire: Wire,
    way: Way,
}

/// A call of ours on its way. Dropping it gives it up: CANCEL goes out, and what is answered all the
/// same is hung up.
#[derive(Debug)]
pub struct Ringing {
    told: oneshot::Receiver<Result<Dialog, CallError>>,
}

/// How a call of ours is placed.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Who calls, as the other side is to see it.
    pub from: &'a Caller,
    /// Where sound is expected: an address of [`Destination::local`].
    pub media: SocketAddr,
    /// What is offered, besides telephone events.
    pub codecs: &'a [Codec],
    /// The call is given up when nobody has answered for so long.
    pub within: Duration,
}

/// `[sip.outbound]` as it is used.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) uri: Uri,
    pub(super) credentials: Option<Credentials>,
}

/// How long our own demonstration rings: the time a proxy gives a phone (RFC 3261 §16.6, timer C).
const DEMONSTRATION: Duration = Duration::from_secs(180);

impl Endpoint {
    /// Places a call to `sip:1000@127.0.0.1:5060` (or `...;transport=tcp`), offering `codecs` and
    /// telephone events, with sound expected at `media`. `[sip.outbound]` is not asked.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(
        &self,
        to: &str,
        from: &Caller,
        media: SocketAddr,
        codecs: &[Codec],
    ) -> Result<Dialog, CallError> {
        let destination = self.direct(to).await?;
        let how = Outgoing { from, media, codecs, within: DEMONSTRATION };
        self.ring(destination, how).answered().await
    }

    /// Finds the way to an address, or to a number: by `[sip.outbound]` if that is set, else a number
    /// is one of the phone system at `home` ([`Invitation::home`](super::Invitation::home)).
    ///
    /// # Errors
    /// [`CallError::Address`] or [`CallError::NoWay`].
    pub async fn destination(&self, to: &str, home: &str) -> Result<Destination, CallError> {
        let Some(proxy) = &self.outbound else { return self.direct(&at(to, home)).await };
        let to = at(to, &proxy.uri.to_string());
        let uri = address(&to)?;
        let (wire, way) = self.way_to(&proxy.uri, &to).await?;
        let same = |it: &Uri| it.host().map(ToString::to_string);
        let route = Some(&proxy.uri).filter(|it| same(it) != same(&uri)).cloned();
        Ok(Destination { uri, route, credentials: proxy.credentials.clone(), wire, way })
    }

    /// Places a call.
    pub fn ring(&self, destination: Destination, how: Outgoing<'_>) -> Ringing {
        let (tell, told) = oneshot::channel();
        let placed = Placed::new(destination, how, self.desk.clone());
        tokio::spawn(placed.run(how.within, tell));
        Ringing { told }
    }

    async fn direct(&self, to: &str) -> Result<Destination, CallError> {
        let uri = address(to)?;
        let (wire, way) = self.way_to(&uri, to).await?;
        Ok(Destination { uri, route: None, credentials: None, wire, way })
    }

    async fn way_to(&self, uri: &Uri, to: &str) -> Result<(Wire, Way), CallError> {
        way_to(&self.wires, uri).await.map_err(|missing| match missing {
            Missing::Lookup => CallError::Address(to.to_owned()),
            Missing::NoWay => CallError::NoWay(to.to_owned()),
        })
    }
}

impl Destination {
    /// Our address on this machine towards it, where sound is best received.
    pub fn own(&self) -> IpAddr {
        self.wire.own_for(self.peer())
    }

    /// Our address as it is told there.
    pub fn local(&self) -> IpAddr {
        self.wire.local_for(self.peer()).ip()
    }

    /// Where its signalling comes from.
    pub fn peer(&self) -> IpAddr {
        self.way.target.addr.ip()
    }
}

impl Ringing {
    /// Waits for the answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn answered(self) -> Result<Dialog, CallError> {
        self.told.await.unwrap_or(Err(CallError::NoAnswer))
    }
}

fn address(text: &str) -> Result<Uri, CallError> {
    let uri = Uri::parse(Bytes::from(text.to_owned())).ok();
    let is_sip = |it: &Uri| it.scheme().is_sip() && it.host().is_some();
    uri.filter(is_sip).ok_or_else(|| CallError::Address(text.to_owned()))
}
