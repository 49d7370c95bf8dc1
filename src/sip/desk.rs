//! The desk: where requests arrive, are found wanting, or are handed to whom they concern.
//!
//! Everything here is decided without waiting, inside the wire's task. What is answered at once
//! comes back as the response; calls go to the driver as [`Invitation`]s, requests within a call to
//! its dialog.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use sipx_sip::{
    CSeq, Finding, HeaderName, Headers, Method, Request, Response, Scheme, TransactionKey,
    TypedHeader,
    headers::{ContentType, ProxyRequire, Require},
    rel::Offered,
    validate_request,
};
use sipx_transport::TransportKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{
    Settings,
    dialog::timer::{self, Wish},
    gate::Network,
    identity,
    invitation::Invitation,
    lamp::{self, Subscribe},
    reply::{self, new_tag, reply, with, with_abilities},
    sdp::{Secrecy, Terms},
    wire::Wire,
};
use crate::{audio::Codec, srtp};

/// A request that came in and waits for its answer.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) key: TransactionKey,
    pub(super) request: Request,
    pub(super) source: SocketAddr,
    pub(super) transport: TransportKind,
    /// Our address as that peer reaches it.
    pub(super) local: SocketAddr,
    /// For a CANCEL: the transaction it is about, if there is one.
    pub(super) cancels: Option<TransactionKey>,
    /// Whose password it was proved with, if it had to be.
    pub(super) account: Option<Arc<str>>,
    pub(super) wire: Wire,
}

/// Names a dialog (RFC 3261 §12).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DialogId {
    pub(super) call: Vec<u8>,
    pub(super) ours: Vec<u8>,
    pub(super) theirs: Vec<u8>,
}

/// What went wrong and what was turned away, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls handed to the driver.
    pub invitations: u64,
    /// Calls answered.
    pub answered: u64,
    /// Calls refused because too many were up, or because we are stopping.
    pub turned_away: u64,
    /// Requests and connections of peers that are not allowed.
    pub strangers: u64,
    /// Requests that had to be made again with a password.
    pub challenged: u64,
    /// Requests with a wrong password, or a name that is no account's.
    pub wrong_passwords: u64,
    /// Requests of known scanners.
    pub scanners: u64,
    /// Datagrams and streams that are not SIP.
    pub malformed: u64,
    /// Requests and connections refused because there were too many.
    pub overflowed: u64,
    /// Requests refused because one source had too many within a short time.
    pub hurried: u64,
    /// Calls up, and those not answered yet.
    pub calls: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) invitations: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) strangers: AtomicU64,
    pub(super) challenged: AtomicU64,
    pub(super) wrong_passwords: AtomicU64,
    pub(super) scanners: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) overflowed: AtomicU64,
    pub(super) hurried: AtomicU64,
}

/// The dialogs, the calls not answered yet, and the room for more.
#[derive(Debug)]
pub(super) struct Desk {
    invitations: mpsc::Sender<Invitation>,
    /// Who hears of those who want to be told of a mailbox.
    subscribes: OnceLock<mpsc::Sender<Subscribe>>,
    table: Mutex<Table>,
    room: Arc<Semaphore>,
    most_calls: usize,
    /// Callers that can are asked to acknowledge what comes before the answer.
    prack: bool,
    pub(super) wish: Wish,
    /// What may be spoken.
    pub(super) codecs: Vec<Codec>,
    /// What may be encrypted, and whether keys may come where they can be read.
    srtp: (srtp::Policy, bool),
    /// Whose word counts on whose phone it is.
    believed: Vec<Network>,
    draining: AtomicBool,
    pub(super) counters: Counts,
}

/// A call's place among [`super::Settings::most_calls`]; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Place {
    desk: Arc<Desk>,
    origin: Option<Origin>,
    _permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Default)]
struct Table {
    dialogs: HashMap<DialogId, Line>,
    /// INVITEs without a final answer. Who takes the entry out decides the call: the one that
    /// accepts, refuses or cancels.
    waiting: HashMap<TransactionKey, Waiting>,
    /// INVITEs of the calls that are up, to know one that came twice by different ways.
    origins: HashMap<Origin, TransactionKey>,
}

/// The way to a dialog.
#[derive(Debug)]
struct Line {
    /// Boxed, as all that waits is: a queue has room for 32 things from its first one on.
    inbox: mpsc::Sender<Box<Arrival>>,
    /// Where its other side was when it began.
    peer: IpAddr,
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    tag: String,
    wire: Wire,
    /// Dropped when the caller gives up.
    _patience: oneshot::Sender<()>,
}

/// What stays the same in every copy of an INVITE (RFC 3261 §8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Origin {
    call: Vec<u8>,
    tag: Vec<u8>,
    sequence: u32,
}

/// Seconds after which a turned-away caller may ask again.
const RETRY_AFTER: u32 = 10;
/// Requests waiting for one dialog.
pub(super) const INBOX: usize = 8;
/// SUBSCRIBEs not yet taken by the driver; further ones are refused with 503.
const SUBSCRIBES: usize = 1_024;

impl Desk {
    pub(super) fn new(
        invitations: mpsc::Sender<Invitation>,
        settings: &Settings,
        believed: Vec<Network>,
    ) -> Self {
        let most_calls = settings.most_calls;
        Self {
            invitations,
            subscribes: OnceLock::new(),
            table: Mutex::default(),
            room: Arc::new(Semaphore::new(most_calls)),
            most_calls,
            prack: settings.prack,
            wish: Wish { usual: settings.session, least: settings.shortest_session() },
            codecs: settings.codecs.clone(),
            srtp: (settings.srtp, settings.srtp_without_tls),
            believed,
            draining: AtomicBool::new(false),
            counters: Counts::default(),
        }
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    pub(super) fn counters(&self) -> Counters {
        let read = |it: &AtomicU64| it.load(Relaxed);
        let counts = &self.counters;
        Counters {
            invitations: read(&counts.invitations),
            answered: read(&counts.answered),
            turned_away: read(&counts.turned_away),
            strangers: read(&counts.strangers),
            challenged: read(&counts.challenged),
            wrong_passwords: read(&counts.wrong_passwords),
            scanners: read(&counts.scanners),
            malformed: read(&counts.malformed),
            overflowed: read(&counts.overflowed),
            hurried: read(&counts.hurried),
            calls: self.most_calls.saturating_sub(self.room.available_permits()) as u64,
        }
    }

    /// Takes a request; `Some` is its answer, `None` means somebody will give it or none is due.
    pub(super) fn hear(self: &Arc<Self>, arrival: Arrival) -> Option<Response> {
        let request = &arrival.request;
        if request.method != Method::Ack
            && let Some(fault) = fault(request)
        {
            return Some(fault);
        }
        let to = identity::party(&request.headers, &HeaderName::To)?;
        match (to.tag, &request.method) {
            (_, Method::Cancel) => self.cancel(&arrival),
            (_, Method::Subscribe) => self.subscribe(arrival),
            (Some(_), _) => self.within(arrival),
            (None, Method::Invite) => self.invite(arrival),
            (None, Method::Options) => match self.is_draining() {
                true => self.turn_away(request),
                false => Some(with_abilities(reply(request, 200, &new_tag())?)),
            },
            (None, Method::Ack) => None,
            (None, _) => reply(request, 481, &new_tag()),
        }
    }

    /// Takes the INVITE out of the waiting ones. `false`: the caller cancelled it before.
    pub(super) fn settle(&self, key: &TransactionKey) -> bool {
        self.table().waiting.remove(key).is_some()
    }

    /// Opens a dialog: from now on its requests come out of the receiver.
    pub(super) fn open(&self, id: DialogId, peer: IpAddr) -> mpsc::Receiver<Box<Arrival>> {
        let (inbox, arrivals) = mpsc::channel(INBOX);
        self.table().dialogs.insert(id, Line { inbox, peer });
        arrivals
    }

    /// Whether a request belongs to a dialog whose other side is at that address. Its tags are
    /// secrets of those two, so it needs no other proof.
    pub(super) fn is_within(&self, request: &Request, from: IpAddr) -> bool {
        let id = DialogId::of(request);
        id.is_some_and(|id| self.table().dialogs.get(&id).is_some_and(|it| it.peer == from))
    }

    /// Whether sound may be encrypted whose description comes that way.
    pub(super) fn secrecy(&self, transport: TransportKind) -> Secrecy {
        let (policy, without_tls) = self.srtp;
        let is_safe = transport.is_secure() || without_tls;
        Secrecy {
            plain: policy != srtp::Policy::Required,
            secret: policy != srtp::Policy::Off && is_safe,
        }
    }

    /// What may be agreed on in descriptions that come that way.
    pub(super) fn terms(&self, transport: TransportKind) -> Terms<'_> {
        Terms { codecs: &self.codecs, secrecy: self.secrecy(transport) }
    }

    /// Whether what comes before the answer to this INVITE has to be acknowledged (RFC 3262 §3).
    pub(super) fn is_reliable(&self, invite: &Request) -> bool {
        let Offered { supported, required } = Offered::in_request(invite);
        required || supported && self.prack
    }

    /// 422 for a session timer that we could not bear (RFC 4028 §6).
    pub(super) fn too_short(&self, request: &Request) -> Option<Response> {
        let response = reply(request, 422, &new_tag())?;
        Some(with(response, HeaderName::MinSe, self.wish.least.as_secs().to_string()))
    }

    /// Closes a dialog: its requests get 481.
    pub(super) fn close(&self, id: &DialogId) {
        self.table().dialogs.remove(id);
    }

    /// A place for a call we make ourselves: outside the count, which is about callers.
    pub(super) fn own_place(self: &Arc<Self>) -> Place {
        Place { desk: self.clone(), origin: None, _permit: None }
    }

    fn within(&self, arrival: Arrival) -> Option<Response> {
        let request = &arrival.request;
        let id = DialogId::of(request)?;
        let inbox = self.table().dialogs.get(&id).map(|it| it.inbox.clone());
        let Some(inbox) = inbox else {
            return if request.method == Method::Ack { None } else { reply(request, 481, "") };
        };
        match inbox.try_send(Box::new(arrival)) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(it)) => match it.request.method {
                // A lost ACK comes again with the next copy of the 200.
                Method::Ack => None,
                _ => retry(&it.request, 500, 1),
            },
            Err(mpsc::error::TrySendError::Closed(it)) => reply(&it.request, 481, ""),
        }
    }

    fn cancel(&self, arrival: &Arrival) -> Option<Response> {
        let Some(key) = &arrival.cancels else {
            return reply(&arrival.request, 481, &new_tag());
        };
        let Some(call) = self.table().waiting.remove(key) else {
            // Too late, and no harm: the answer to the INVITE is on its way (RFC 3261 §9.2).
            return reply(&arrival.request, 200, &new_tag());
        };
        if let Some(response) = reply(&call.request, 487, &call.tag) {
            call.wire.try_respond(key.clone(), response);
        }
        reply(&arrival.request, 200, &call.tag)
    }

    fn invite(self: &Arc<Self>, arrival: Arrival) -> Option<Response> {
        let request = &arrival.request;
        let origin = Origin::of(request)?;
        if self.table().origins.contains_key(&origin) {
            return reply(request, 482, &new_tag());
        }
        if let Some(response) = wrong_body(request) {
            return Some(response);
        }
        if timer::asked(&request.headers, self.wish) == timer::Asked::TooShort {
            return self.too_short(request);
        }
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let (Ok(permit), false) = (permit, self.is_draining()) else {
            return self.turn_away(request);
        };
        let tag = new_tag();
        let (patience, cancelled) = oneshot::channel();
        {
            let mut table = self.table();
            let key = arrival.key.clone();
            let (request, wire) = (request.clone(), arrival.wire.clone());
            let waiting = Waiting { request, tag: tag.clone(), wire, _patience: patience };
            table.waiting.insert(key.clone(), waiting);
            table.origins.insert(origin.clone(), key);
        }
        let key = arrival.key.clone();
        let place = Place { desk: self.clone(), origin: Some(origin), _permit: Some(permit) };
        let invitation = Invitation::new(arrival, tag, cancelled, self.clone(), place);
        match self.invitations.try_send(invitation) {
            Ok(()) => {
                self.counters.invitations.fetch_add(1, Relaxed);
                None
            }
            Err(refused) => {
                // Taken out here, the invitation's own end has nothing left to answer.
                let waiting = self.table().waiting.remove(&key);
                drop(refused);
                self.turn_away(&waiting?.request)
            }
        }
    }

    /// Opens the way for those who want to be told of a mailbox.
    pub(super) fn subscribes(&self) -> mpsc::Receiver<Subscribe> {
        let (sender, receiver) = mpsc::channel(SUBSCRIBES);
        // A second one is dropped here, so its receiver hears nothing.
        let _ = self.subscribes.set(sender);
        receiver
    }

    /// Whether a peer's word counts on whose phone it is.
    pub(super) fn believes(&self, from: IpAddr) -> bool {
        self.believed.iter().any(|it| it.contains(from))
    }

    fn subscribe(&self, arrival: Arrival) -> Option<Response> {
        if let Some(fault) = lamp::fault(&arrival.request) {
            return Some(fault);
        }
        let believed = self.believes(arrival.source.ip());
        let subscribe = Subscribe::new(arrival, believed);
        let refused = match self.subscribes.get() {
            Some(driver) if !self.is_draining() => match driver.try_send(subscribe) {
                Ok(()) => return None,
                Err(refused) => refused.into_inner(),
            },
            _ => subscribe,
        };
        retry(&refused.into_request()?, 503, RETRY_AFTER)
    }

    fn turn_away(&self, request: &Request) -> Option<Response> {
        self.counters.turned_away.fetch_add(1, Relaxed);
        retry(request, 503, RETRY_AFTER)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is held; if something did, the maps would still be whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DialogId {
    /// The dialog a request says it belongs to.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let headers = &request.headers;
        Some(Self {
            call: headers.value(&HeaderName::CallId)?.into_owned(),
            ours: identity::party(headers, &HeaderName::To)?.tag?,
            theirs: identity::party(headers, &HeaderName::From)?.tag.unwrap_or_default(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(origin) = &self.origin {
            self.desk.table().origins.remove(origin);
        }
    }
}

impl Origin {
    fn of(request: &Request) -> Option<Self> {
        Some(Self {
            call: request.headers.value(&HeaderName::CallId)?.into_owned(),
            tag: identity::party(&request.headers, &HeaderName::From)?.tag.unwrap_or_default(),
            sequence: sequence(request)?,
        })
    }
}

/// The number in `CSeq`.
pub(super) fn sequence(request: &Request) -> Option<u32> {
    Some(request.headers.typed::<CSeq>()?.ok()?.sequence)
}

/// 415, if a body is something else than a session description we can read.
pub(super) fn wrong_body(request: &Request) -> Option<Response> {
    wrong_type(request, &["sdp"], reply::SDP)
}

/// 415 with `accept`, unless the body is one of these subtypes of `application`.
pub(super) fn wrong_type(request: &Request, subtypes: &[&str], accept: &str) -> Option<Response> {
    if request.body().is_empty() {
        return None;
    }
    let encoding = request.headers.value(&HeaderName::ContentEncoding);
    if encoding.is_some_and(|it| !it.trim_ascii().eq_ignore_ascii_case(b"identity")) {
        let response = reply(request, 415, &new_tag())?;
        return Some(with(response, HeaderName::AcceptEncoding, "identity"));
    }
    let kind = request.headers.typed::<ContentType>();
    let right = kind
        .and_then(Result::ok)
        .is_some_and(|kind| subtypes.iter().any(|it| kind.is("application", it)));
    if right {
        return None;
    }
    let response = reply(request, 415, &new_tag())?;
    Some(with(response, HeaderName::Accept, accept.to_owned()))
}

/// An answer that says when to ask again.
pub(super) fn retry(request: &Request, code: u16, seconds: u32) -> Option<Response> {
    let response = reply(request, code, &new_tag())?;
    Some(with(response, HeaderName::RetryAfter, seconds.to_string()))
}

/// What makes a request unanswerable whatever it is about, in the order of RFC 3261 §8.2.
pub(super) fn fault(request: &Request) -> Option<Response> {
    let findings = validate_request(request);
    if findings.contains(&Finding::UnsupportedVersion) {
        return reply(request, 505, &new_tag());
    }
    let forgiven = |finding: &Finding| match finding {
        // Names that break the grammar are common, and the address in them is still clear.
        Finding::MalformedRequiredHeader("From") => legible(request, &HeaderName::From),
        Finding::MalformedRequiredHeader("To") => legible(request, &HeaderName::To),
        other => other.is_repairable(),
    };
    if !findings.iter().all(forgiven) {
        return reply(request, 400, &new_tag());
    }
    if !reply::is_allowed(&request.method) {
        let response = reply(request, 405, &new_tag())?;
        return Some(with(response, HeaderName::Allow, reply::ALLOW));
    }
    if !matches!(request.uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
        return reply(request, 416, &new_tag());
    }
    if request.method == Method::Cancel {
        return None;
    }
    let unknown = [required::<Require>(request), required::<ProxyRequire>(request)].concat();
    if unknown.is_empty() {
        return None;
    }
    let response = reply(request, 420, &new_tag())?;
    Some(with(response, HeaderName::Unsupported, unknown.join(&b", "[..])))
}

fn legible(request: &Request, name: &HeaderName) -> bool {
    identity::party(&request.headers, name).is_some()
}

/// Extensions the request insists on and we do not speak.
fn required<H>(request: &Request) -> Vec<Vec<u8>>
where
    H: TypedHeader + std::ops::Deref<Target = sipx_sip::headers::misc::TokenList>,
{
    let lists = request.headers.typed_all::<H>().filter_map(Result::ok);
    let tags = lists.flat_map(|it| it.0.clone());
    let known = |tag: &Vec<u8>| {
        reply::SUPPORTED.split(", ").any(|it| tag.eq_ignore_ascii_case(it.as_bytes()))
    };
    tags.filter(|it| !known(it)).collect()
}

/// Whether headers of that name list a token.
pub(super) fn lists(headers: &Headers, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).any(|header| {
        let value = header.value();
        value
            .split(|it| *it == b',')
            .any(|it| it.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    })
}
