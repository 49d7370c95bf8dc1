//! Registrations: telling telephone systems that want it where calls to us go (RFC 3261 §10).
//!
//! One task each: it registers, renews at half time, tries again at growing distance after a failure
//! and takes its registration back at the end. A password is shown, as a digest, only to the server
//! the settings name, and only when it asks in answer to a REGISTER of ours.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use sipx_sip::{
    HeaderName, Headers, Method, Request, RequestBuilder, Response, TuEvent, Uri,
    auth::{Challenge, Credentials, respond, strongest},
    headers::ContactValue,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    accounts::Registration,
    gate::Registrars,
    path::{Missing, contact, via, way_to},
    reply::new_tag,
    wire::{Way, Wire},
};

/// How a registration is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// As in the settings.
    pub server: String,
    /// Who we are there.
    pub user: String,
    /// Calls come.
    pub is_up: bool,
    /// Why not, if that is known yet.
    pub problem: Option<String>,
}

/// What a registration needs to log in.
pub(super) struct Login {
    uri: Uri,
    contact_user: String,
    expires: Duration,
    credentials: Credentials,
    server: String,
}

/// All registrations.
#[derive(Debug)]
pub(super) struct Registrations {
    states: Vec<Arc<Mutex<Registered>>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Why a registration failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Failure {
    #[error("its address cannot be found")]
    Lookup,
    #[error("it is reached by no address of sip.listen, or over TLS by none of sip.tls")]
    NoWay,
    #[error("it does not answer")]
    NoAnswer,
    #[error("it does not accept the password")]
    Password,
    #[error("it asks for the password in a way we do not speak")]
    Challenge,
    #[error("it answers {code} {reason}")]
    Refused { code: u16, reason: String, retry_after: Option<Duration> },
}

/// Requests of one attempt: a password asked for, a stale nonce, an interval too brief.
const MOST_ROUNDS: usize = 4;
/// How long taking a registration back may hold up the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// Longest a registrar may let us wait, or hold a registration.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

impl Login {
    pub(super) fn new(settings: &Registration, uri: Uri, password: String) -> Self {
        let contact_user = settings.contact_user.as_ref().unwrap_or(&settings.user).clone();
        Self {
            uri,
            contact_user,
            expires: settings.expires,
            credentials: Credentials::new(settings.user.clone(), password),
            server: settings.server.clone(),
        }
    }
}

impl Registrations {
    /// Begins to register.
    pub(super) fn begin(
        logins: Vec<Login>,
        wires: &Arc<[Wire]>,
        registrars: &Arc<Registrars>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (mut states, mut tasks) = (Vec::new(), Vec::new());
        for login in logins {
            let state = Arc::new(Mutex::new(Registered {
                server: login.server.clone(),
                user: login.credentials.username.clone(),
                is_up: false,
                problem: None,
            }));
            states.push(state.clone());
            let agent = Agent {
                login,
                wires: wires.clone(),
                registrars: registrars.clone(),
                state,
                admitted: None,
                call: new_tag(),
                tag: new_tag(),
                sequence: 0,
                challenge: None,
            };
            tasks.push(tokio::spawn(agent.run(stopped.clone())));
        }
        Self { states, stop, tasks: Mutex::new(tasks) }
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until registrars know that we are away, or do not listen.
    pub(super) async fn ended(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        let _ = timeout(FAREWELL * 2, futures::future::join_all(tasks)).await;
    }

    pub(super) fn told(&self) -> Vec<Registered> {
        self.states.iter().map(|it| lock(it).clone()).collect()
    }
}

/// One registration at work.
struct Agent {
    login: Login,
    wires: Arc<[Wire]>,
    registrars: Arc<Registrars>,
    state: Arc<Mutex<Registered>>,
    /// The registrar's address that calls may come from.
    admitted: Option<IpAddr>,
    call: String,
    tag: String,
    sequence: u32,
    /// The last challenge, and how often it was answered.
    challenge: Option<(Challenge, u32)>,
}

impl Agent {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failures = 0;
        let mut over = stop.clone();
        loop {
            let attempt = self.register(self.login.expires);
            let outcome = tokio::select! {
                outcome = attempt => outcome,
                _ = stop.wait_for(|it| *it) => break,
            };
            let pause = match &outcome {
                Ok(granted) => {
                    failures = 0;
                    *granted / 2
                }
                Err(failure) => {
                    failures += 1;
                    failure.pause(failures, self.t1())
                }
            };
            self.tell(&outcome, pause);
            tokio::select! {
                () = sleep(pause) => {}
                _ = over.wait_for(|it| *it) => break,
            }
        }
        if lock(&self.state).is_up {
            let _ = timeout(FAREWELL, self.register(Duration::ZERO)).await;
            lock(&self.state).is_up = false;
        }
    }

    /// One attempt; how long the registration lasts.
    async fn register(&mut self, mut expires: Duration) -> Result<Duration, Failure> {
        let (wire, way) = self.way().await?;
        let mut fresh = false;
        for _ in 0..MOST_ROUNDS {
            let request = self.request(&wire, &way, expires).ok_or(Failure::NoWay)?;
            let response = answer(&wire, request, way.clone()).await.ok_or(Failure::NoAnswer)?;
            match response.status.code() {
                200..=299 => return Ok(self.granted(&response.headers, &wire, &way, expires)),
                401 | 407 => {
                    let challenge = challenge(&response).ok_or(Failure::Challenge)?;
                    if fresh && !challenge.stale {
                        return Err(Failure::Password);
                    }
                    fresh = true;
                    self.challenge = Some((challenge, 0));
                }
                423 => match seconds(&response.headers, &HeaderName::MinExpires) {
                    Some(least) if least > expires && least <= LONGEST => expires = least,
                    _ => return Err(Failure::of(&response)),
                },
                _ => return Err(Failure::of(&response)),
            }
        }
        Err(Failure::Challenge)
    }

    /// Where the registrar is. From now on calls may come from there.
    async fn way(&mut self) -> Result<(Wire, Way), Failure> {
        let found = way_to(&self.wires, &self.login.uri).await;
        let (wire, way) = found.map_err(|missing| match missing {
            Missing::Lookup => Failure::Lookup,
            Missing::NoWay => Failure::NoWay,
        })?;
        let address = way.target.addr.ip();
        if self.admitted != Some(address) {
            self.registrars.replace(self.admitted, address);
            self.admitted = Some(address);
        }
        Ok((wire, way))
    }

    fn request(&mut self, wire: &Wire, way: &Way, expires: Duration) -> Option<Request> {
        self.sequence += 1;
        let uri = self.login.uri.clone();
        let local = wire.local_for(way.target.addr.ip());
        let us = format!("<sip:{}@{}>", self.login.credentials.username, uri.host()?);
        let method = Method::Register;
        let mut request = RequestBuilder::new(method.clone(), uri.clone())
            .header(HeaderName::Via, via(&way.target, local))
            .ok()?
            .max_forwards(70)
            .header(HeaderName::From, format!("{us};tag={}", self.tag))
            .ok()?
            .header(HeaderName::To, us)
            .ok()?
            .header(HeaderName::CallId, self.call.clone())
            .ok()?
            .cseq(self.sequence, &method)
            .ok()?
            .header(HeaderName::Contact, self.contact(wire, way))
            .ok()?
            .header(HeaderName::Expires, expires.as_secs().to_string())
            .ok()?;
        if let Some((challenge, count)) = &mut self.challenge {
            *count += 1;
            let (uri, chance) = (uri.to_string(), format!("{:016x}", rand::random::<u64>()));
            let credentials = &self.login.credentials;
            let proof = respond(challenge, credentials, "REGISTER", &uri, *count, &chance);
            request = request.header(challenge.response_header(), proof).ok()?;
        }
        Some(request.build())
    }

    fn contact(&self, wire: &Wire, way: &Way) -> String {
        let local = wire.local_for(way.target.addr.ip());
        contact(Some(self.login.contact_user.as_bytes()), local, way.target.transport)
    }

    /// How long the registrar keeps our address, which it tells beside it, or for all.
    fn granted(&self, headers: &Headers, wire: &Wire, way: &Way, asked: Duration) -> Duration {
        let ours = self.contact(wire, way);
        let ours = Uri::parse(Bytes::from(ours.trim_matches(['<', '>']).to_owned())).ok();
        let contacts = headers.typed_all::<ContactValue>().filter_map(Result::ok);
        let beside = contacts.into_iter().find_map(|it| match it {
            ContactValue::Address(it) => {
                let ours = ours.as_ref()?;
                let same = it.uri.user() == ours.user()
                    && it.uri.host().map(|it| it.to_bytes()) == ours.host().map(|it| it.to_bytes())
                    && it.uri.port() == ours.port();
                let expires = it.param("expires").filter(|_| same)?;
                std::str::from_utf8(expires).ok()?.parse().ok().map(Duration::from_secs)
            }
            ContactValue::Wildcard => None,
        });
        let granted = beside.or_else(|| seconds(headers, &HeaderName::Expires)).unwrap_or(asked);
        granted.clamp(Duration::from_secs(2), LONGEST)
    }

    fn t1(&self) -> Duration {
        self.wires.first().map_or(Duration::from_millis(500), |it| it.timers.t1)
    }

    /// Says once what changed.
    fn tell(&self, outcome: &Result<Duration, Failure>, pause: Duration) {
        let mut state = lock(&self.state);
        let problem = outcome.as_ref().err().map(ToString::to_string);
        if (state.is_up, &state.problem) != (problem.is_none(), &problem) {
            let (server, user) = (&state.server, &state.user);
            match &problem {
                None => tracing::info!(%server, %user, "registered"),
                Some(why) => tracing::warn!(
                    %server, %user, "not registered, so no calls come from there: {why}; \
                    tried again in {pause:?}"
                ),
            }
        }
        (state.is_up, state.problem) = (problem.is_none(), problem);
    }
}

impl Failure {
    fn of(response: &Response) -> Self {
        let reason = String::from_utf8_lossy(&response.reason);
        Self::Refused {
            code: response.status.code(),
            // It ends up in the log.
            reason: reason.chars().filter(|it| !it.is_control()).take(80).collect(),
            retry_after: seconds(&response.headers, &HeaderName::RetryAfter),
        }
    }

    /// How long to wait: 5 s at the usual T1, twice as long each time, up to 5 minutes. A wrong
    /// password is not offered often, since registrars lock out those who do.
    fn pause(&self, failures: u32, t1: Duration) -> Duration {
        let (first, most) = (t1 * 10, t1 * 600);
        let grown = first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(most);
        match self {
            Self::Refused { retry_after: Some(asked), .. } => (*asked).clamp(grown, LONGEST),
            Self::Password => most,
            _ => grown,
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The final answer.
pub(super) async fn answer(wire: &Wire, request: Request, way: Way) -> Option<Response> {
    let mut responses = wire.request(request, way).await;
    loop {
        match responses.recv().await? {
            TuEvent::Response(it) if it.status.is_final() => return Some(*it),
            TuEvent::Response(_) => {}
            _ => return None,
        }
    }
}

/// The best way of proving the password that is asked for and that we speak.
pub(super) fn challenge(response: &Response) -> Option<Challenge> {
    let from_proxy = response.status.code() == 407;
    let name = if from_proxy { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
    let challenges = response.headers.get_all(&name).take(8);
    strongest(challenges.filter_map(|it| Challenge::parse(&it.value(), from_proxy)).collect())
}

/// A number of seconds in a header.
pub(super) fn seconds(headers: &Headers, name: &HeaderName) -> Option<Duration> {
    let value = headers.value(name)?;
    let text = std::str::from_utf8(&value).ok()?;
    // What may follow a number is a comment or a parameter.
    let number = text.trim().split([' ', ';', '(']).next()?.parse::<u32>().ok()?;
    Some(Duration::from_secs(number.into()))
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
