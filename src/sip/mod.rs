//! Signalling: calls that come in over SIP (RFC 3261), on UDP, TCP and TLS, IPv4 and IPv6.
//!
//! An [`Endpoint`] listens and hands out [`Invitation`]s; an accepted one becomes a [`Dialog`], which
//! tells what happens in it. Messages and transactions are sipx's, the sockets and everything above
//! transactions are ours; only this module knows sipx. No sound passes here: [`Media`] says where it
//! goes. [`lamp`] tells phones what waits.

mod accounts;
mod call;
pub mod credentials;
mod desk;
mod dialog;
mod digest;
mod digits;
mod exchange;
mod gate;
mod identity;
mod invitation;
pub mod lamp;
mod path;
mod register;
mod reply;
pub mod sdp;
mod sockets;
mod tls;
mod wire;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    audio::Codec,
    mailbox::{Caller, Redirected},
    srtp,
};

pub use accounts::{Account, Outbound, PasswordError, Registration};
pub use call::{CallError, Destination, Outgoing, Ringing};
pub use desk::Counters;
pub use dialog::{Answering, Dialog, Farewell, Running, SendingOn, Signal};
pub use identity::Called;
pub use invitation::{Gone, Invitation};
pub use register::Registered;
pub use reply::Refusal;
pub use sdp::{Media, NotAcceptable};
pub use tls::{Tls, TlsError};

/// `[sip]`: where we listen, and to whom.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Addresses, each for both UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// The address to tell peers, if it is not the one they see (behind NAT).
    pub advertise: Option<IpAddr>,
    /// Networks in CIDR notation whose peers may call; the others are refused.
    pub allow: Vec<String>,
    /// Networks of phone systems that are believed when they say whose phone calls
    /// (`P-Asserted-Identity`, RFC 3325): it opens that mailbox without a PIN. Name only those that
    /// take the header away from what comes to them from outside.
    pub identity_from: Vec<String>,
    /// Numbers to which a phone system may send the calls of every mailbox: whose it is for is told
    /// by `Diversion` or `History-Info` then.
    pub access_numbers: Vec<String>,
    /// Calls at once; further ones are refused with 503 until there is room.
    pub most_calls: usize,
    /// Requests at once that are being answered, or were within the last half minute; further ones are
    /// refused with 503.
    pub most_transactions: usize,
    /// Requests a second from one address (of IPv6 one /64) that begin something; further ones are refused
    /// with 503. Five seconds' worth may come at once. 0 is any number.
    pub most_requests: u32,
    /// Wrong passwords from one address within a minute before it is not heard any more,
    pub most_wrong_passwords: u32,
    /// for so long.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub silence: Duration,
    /// Requests with one of these in their `User-Agent` are not answered.
    pub scanners: Vec<String>,
    /// T1, the estimated round trip that all repetitions are timed by (RFC 3261 §17.1.1.1).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub t1: Duration,
    /// A call whose other side gives no sign of life for this long is over (RFC 4028); asked of
    /// all who know session timers. `0s` asks for none, and keeps what the other side asks for.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub session: Duration,
    /// The greeting is heard before the call is answered, which is then only at the beep. Not every
    /// telephone network lets it through, so try it with yours.
    pub early_media: bool,
    /// Callers that can are asked to acknowledge what comes before the answer (RFC 3262). Those that
    /// insist on it always get their way.
    pub prack: bool,
    /// `[sip.tls]`: where calls are taken over TLS.
    pub tls: Option<Tls>,
    /// `[[sip.accounts]]`: who may call from any address, by a password.
    pub accounts: Vec<Account>,
    /// `[[sip.register]]`: telephone systems that want us to log in to them.
    pub register: Vec<Registration>,
    /// `[sip.outbound]`: where calls go that we place for our callers. Without it numbers are called at
    /// the phone system the caller came from, and addresses where they say.
    pub outbound: Option<Outbound>,
    /// `[sip.lamp]`: who is told how many messages wait, and how fast.
    pub lamp: lamp::Settings,
    /// What may be spoken: that of `[rtp] codecs`, for which there is no second setting here.
    #[serde(skip)]
    pub codecs: Vec<Codec>,
    /// What may be encrypted: that of `[rtp] srtp`.
    #[serde(skip)]
    pub srtp: srtp::Policy,
    /// That of `[rtp] srtp_without_tls`.
    #[serde(skip)]
    pub srtp_without_tls: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 5060))],
            advertise: None,
            allow: vec!["127.0.0.0/8".into(), "::1/128".into()],
            identity_from: Vec::new(),
            access_numbers: vec!["voicemail".into()],
            most_calls: 500,
            most_transactions: 10_000,
            most_requests: 100,
            most_wrong_passwords: 5,
            silence: Duration::from_secs(600),
            scanners: gate::SCANNERS.map(str::to_owned).to_vec(),
            t1: Duration::from_millis(500),
            session: Duration::from_secs(1_800),
            early_media: false,
            prack: false,
            tls: None,
            accounts: Vec::new(),
            register: Vec::new(),
            outbound: None,
            lamp: lamp::Settings::default(),
            codecs: Codec::SPOKEN.to_vec(),
            srtp: srtp::Policy::default(),
            srtp_without_tls: false,
        }
    }
}

impl Settings {
    /// What contradicts itself, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        let least = self.shortest_session();
        if !self.session.is_zero() && self.session < least {
            return Err(format!("session: must be {least:?} or longer, or 0s"));
        }
        self.lamp.check()?;
        if self.most_transactions == 0 || self.most_wrong_passwords == 0 {
            return Err("most_transactions and most_wrong_passwords must be 1 or more".into());
        }
        if self.tls.as_ref().is_some_and(|it| it.listen.is_empty()) {
            return Err("tls: listen names no address".into());
        }
        let mut users: Vec<_> = self.accounts.iter().map(|it| &it.user).collect();
        users.sort_unstable();
        if let Some(twice) = users.windows(2).find(|it| it[0] == it[1]) {
            return Err(format!("accounts: there are two of {:?}", twice[0]));
        }
        self.accounts.iter().try_for_each(Account::check)?;
        self.register.iter().try_for_each(Registration::check)?;
        self.outbound.as_ref().map_or(Ok(()), Outbound::check)
    }

    /// The shortest session timer we bear: 90 s at the usual T1 (RFC 4028 §4), in whole seconds.
    fn shortest_session(&self) -> Duration {
        Duration::from_secs((self.t1 * 180).as_secs_f64().ceil() as u64)
    }
}

/// Why we cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error(
        "{transport} port {} on {} is in use by another program; give sip.listen (or sip.tls) another one",
        address.port(),
        address.ip()
    )]
    InUse {
        /// As in the settings.
        address: SocketAddr,
        /// `UDP`, `TCP` or `TLS`.
        transport: &'static str,
    },
    /// The system does not give us the address.
    #[error("cannot listen on {address} ({transport})")]
    Address {
        /// As in the settings.
        address: SocketAddr,
        /// `UDP`, `TCP` or `TLS`.
        transport: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// There is something else than a network where one belongs.
    #[error("{found:?} in sip.{setting} is not a network such as 192.0.2.0/24")]
    Network {
        /// `allow` or `identity_from`.
        setting: &'static str,
        /// What is there.
        found: String,
    },
    /// `listen` is empty.
    #[error("sip.listen names no address")]
    Nowhere,
    /// A password cannot be had.
    #[error("the password of {user:?} in sip.{section} cannot be used")]
    Password {
        /// `accounts`, `register` or `outbound`.
        section: &'static str,
        /// Whose it is.
        user: String,
        /// What is wrong with it.
        source: PasswordError,
    },
    /// TLS cannot be spoken.
    #[error("[sip.tls] cannot be used")]
    Tls(#[from] TlsError),
    /// No address we listen on is of the kind a registrar needs.
    #[error("{0:?} in sip.register is not a server such as sip:pbx.example:5060")]
    Registrar(String),
    /// Calls of ours have nowhere to go.
    #[error("{0:?} in sip.outbound is not a server such as sip:pbx.example:5060")]
    Outbound(String),
}

/// Whether [`Endpoint::listen`] would succeed now. Nothing is said to anybody, and nothing kept.
///
/// # Errors
/// As there; [`ListenError::InUse`] comes last, when all else is right.
pub fn rehearse(settings: &Settings) -> Result<(), ListenError> {
    if settings.listen.is_empty() && settings.tls.is_none() {
        return Err(ListenError::Nowhere);
    }
    networks("allow", &settings.allow)?;
    networks("identity_from", &settings.identity_from)?;
    accounts::guard(&settings.accounts)?;
    accounts::logins(&settings.register)?;
    accounts::outbound(settings.outbound.as_ref())?;
    identity(settings)?;
    let tried = settings.listen.iter().map(|&address| {
        let failed = |(transport, source)| ListenError::new(address, transport, source);
        sockets::bind(address).map(drop).map_err(failed)
    });
    let secure = settings.tls.iter().flat_map(|it| &it.listen).map(|&address| {
        let failed = |(transport, source)| ListenError::new(address, transport, source);
        sockets::bind_tls(address).map(drop).map_err(failed)
    });
    let tried = tried.chain(secure);
    let (taken, wrong): (Vec<_>, Vec<_>) =
        tried.filter_map(Result::err).partition(|it| matches!(it, ListenError::InUse { .. }));
    wrong.into_iter().chain(taken).next().map_or(Ok(()), Err)
}

fn identity(settings: &Settings) -> Result<Option<Arc<tls::Identity>>, TlsError> {
    settings.tls.as_ref().map(tls::Identity::read).transpose().map(|it| it.map(Arc::new))
}

fn networks(setting: &'static str, said: &[String]) -> Result<Vec<gate::Network>, ListenError> {
    let network = |text: &String| {
        text.parse().map_err(|()| ListenError::Network { setting, found: text.clone() })
    };
    said.iter().map(network).collect()
}

/// Where calls arrive. Cheap to clone. It listens until [`Self::shutdown`], not until it is dropped.
#[derive(Debug, Clone)]
pub struct Endpoint {
    wires: Arc<[wire::Wire]>,
    addresses: Arc<[SocketAddr]>,
    desk: Arc<desk::Desk>,
    registrations: Arc<register::Registrations>,
    /// Where calls of ours go, if that is set.
    outbound: Option<Arc<call::Proxy>>,
}

/// Invitations not yet taken by the driver; further calls are refused with 503.
const INVITATIONS: usize = 256;

impl Endpoint {
    /// Starts to listen. Calls come out of the receiver.
    pub async fn listen(
        settings: &Settings,
    ) -> Result<(Self, mpsc::Receiver<Invitation>), ListenError> {
        if settings.listen.is_empty() && settings.tls.is_none() {
            return Err(ListenError::Nowhere);
        }
        let allowed = networks("allow", &settings.allow)?;
        let believed = networks("identity_from", &settings.identity_from)?;
        let guard = accounts::guard(&settings.accounts)?;
        let logins = accounts::logins(&settings.register)?;
        let outbound = accounts::outbound(settings.outbound.as_ref())?.map(Arc::new);
        let timers =
            sipx_sip::Timers { t1: settings.t1, t2: settings.t1 * 8, t4: settings.t1 * 10 };
        let (sender, invitations) = mpsc::channel(INVITATIONS);
        let desk = Arc::new(desk::Desk::new(sender, settings, believed));
        let registrars = Arc::new(gate::Registrars::default());
        let rules = gate::Rules {
            guesses: settings.most_wrong_passwords,
            silence: settings.silence,
            scanners: settings.scanners.clone(),
        };
        let identity = identity(settings)?;
        let plain = settings.listen.iter().map(|it| (*it, None));
        let secure = settings.tls.iter().flat_map(|it| &it.listen);
        let mut wires = Vec::new();
        for (address, identity) in plain.chain(secure.map(|it| (*it, identity.clone()))) {
            let gate = gate::Gate::new(allowed.clone(), registrars.clone(), rules.clone());
            let guards = (gate, guard.clone());
            let bounds = wire::Bounds {
                transactions: settings.most_transactions,
                requests: settings.most_requests,
            };
            let means = (timers, bounds, identity);
            match wire::Wire::open(address, settings.advertise, means, guards, desk.clone()) {
                Ok(wire) => wires.push(wire),
                Err((transport, source)) => {
                    // The ones opened before must not stay open behind an error.
                    futures::future::join_all(wires.iter().map(wire::Wire::stop)).await;
                    return Err(ListenError::new(address, transport, source));
                }
            }
        }
        let addresses = wires.iter().map(wire::Wire::bound).collect();
        let wires: Arc<[wire::Wire]> = wires.into();
        let registrations = register::Registrations::begin(logins, &wires, &registrars);
        let registrations = Arc::new(registrations);
        Ok((Self { wires, addresses, desk, registrations, outbound }, invitations))
    }

    /// The addresses we really listen on, in the order of the settings; those for TLS come last.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether all addresses are still answered on.
    pub fn is_alive(&self) -> bool {
        self.wires.iter().all(wire::Wire::is_alive)
    }

    /// From now on new calls are refused with 503, and registrars are told that we are away; calls
    /// that are up go on.
    pub fn drain(&self) {
        self.desk.drain();
        self.registrations.stop();
    }

    /// From now on those who want to be told of a mailbox come out of the receiver; before, and once
    /// it is dropped, they are refused. The first who asks hears them.
    pub fn subscribes(&self) -> mpsc::Receiver<lamp::Subscribe> {
        self.desk.subscribes()
    }

    /// How each of `[[sip.register]]` is doing, in their order.
    pub fn registrations(&self) -> Vec<Registered> {
        self.registrations.told()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.desk.counters()
    }

    /// Stops listening; calls that are still up lose their signalling.
    pub async fn shutdown(self) {
        self.registrations.stop();
        self.registrations.ended().await;
        futures::future::join_all(self.wires.iter().map(wire::Wire::stop)).await;
    }
}

/// Reads a datagram as far as a request can be read before anybody takes it: whom it is for, who
/// it is from, and by which detour. `None` for what is no request, or is refused for what it is.
pub fn read(datagram: &[u8]) -> Option<(Called, Caller, Redirected)> {
    let bytes = bytes::Bytes::copy_from_slice(datagram);
    let sipx_sip::Message::Request(request) =
        sipx_sip::parse_datagram(bytes, &sipx_sip::Limits::datagram()).ok()?
    else {
        return None;
    };
    let refused = desk::fault(&request).or_else(|| desk::wrong_body(&request));
    let answer = refused.or_else(|| reply::reply(&request, 200, "tag"))?;
    let headers = &request.headers;
    if !answer.status.is_success() {
        return None;
    }
    Some((identity::called(&request), identity::caller(headers), identity::redirected(&request)))
}

impl ListenError {
    fn new(address: SocketAddr, transport: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address, transport },
            _ => Self::Address { address, transport, source },
        }
    }
}
