//! The media plane: its threads, its ports and its settings.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::sync_channel,
    },
    thread::JoinHandle,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{
    leg::{Leg, LegId},
    line::{Line, Manners},
    ports::{Pool, Ports, Sockets, Use},
    tally::{Counters, LiveStats, Tally},
    thread::{self, Command, Orders},
};
use crate::{audio::Codec, srtp, sys::media::Watch};

/// Orders that may wait for a thread; it takes them every few milliseconds.
const ORDERS: usize = 1_024;
/// What a leg has to tell and nobody took yet.
pub(super) const EVENTS: usize = 64;

/// `[rtp]`: how sound is sent and received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The UDP ports for media: two to a call, and two for all together who only listen. Keep them out of
    /// the system's ephemeral range.
    pub ports: Ports,
    /// What may be spoken, among `opus`, `g722`, `pcmu` and `pcma`. A caller's own order decides which
    /// of these it is; ours is the order in which we offer them.
    pub codecs: Vec<Codec>,
    /// Threads that move the packets; one carries some thousand calls.
    pub threads: usize,
    /// A call from which nothing arrives for so long is over; zero waits for ever.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// A call on hold from which nothing arrives for so long is over; zero waits for ever.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub held: Duration,
    /// How long a recording waits for a late packet; half a second at most.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub reorder: Duration,
    /// While nothing is played, a silent packet is sent so often; zero sends none.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep_alive: Duration,
    /// Packets are taken from the address in the SDP or that of the signalling only. When off, from
    /// whoever is first.
    pub strict: bool,
    /// Ask the system to run the media threads before all others.
    pub realtime: bool,
    /// Whether sound is encrypted (SRTP with SDES keys, RFC 4568): `off`, `offered` takes it where a
    /// caller offers it, `required` refuses all other calls.
    pub srtp: srtp::Policy,
    /// Keys are also taken from callers whose signalling is not encrypted, where whoever hears the call
    /// set up can hear the call as well.
    pub srtp_without_tls: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ports: Ports { first: 10_000, last: 19_999 },
            codecs: Codec::SPOKEN.to_vec(),
            threads: 1,
            timeout: Duration::from_secs(20),
            held: Duration::from_secs(300),
            reorder: Duration::from_millis(100),
            keep_alive: Duration::from_secs(5),
            strict: true,
            realtime: true,
            srtp: srtp::Policy::default(),
            srtp_without_tls: false,
        }
    }
}

impl Settings {
    /// What is wrong with them, if anything.
    pub fn check(&self) -> Result<(), String> {
        if self.codecs.is_empty() {
            return Err("codecs names none, so no call could be answered".into());
        }
        match self.codecs.iter().find(|it| !Codec::SPOKEN.contains(it)) {
            Some(_) => Err("this program was built without opus (feature `opus`)".into()),
            None => Ok(()),
        }
    }
}

/// Why the media plane does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// Every pair of ports is in use: the calls have reached the range's limit.
    #[error("every media port of {ports} is in use")]
    NoPort {
        /// The range.
        ports: Ports,
    },
    /// The system gives no socket, or the address is not ours.
    #[error("no socket for media on {local}")]
    Socket {
        /// The address asked for.
        local: IpAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A media thread could not be started.
    #[error("a media thread could not be started")]
    Thread(#[source] io::Error),
    /// The other side asked for its media where it must not go.
    #[error("media is not sent to {remote}: {why}")]
    Remote {
        /// The address.
        remote: SocketAddr,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The plane was stopped.
    #[error("the media plane was stopped")]
    Stopped,
}

/// Moves the packets of all calls. Clones are the same plane; it stops when the last one and all
/// its legs are gone, or by [`Plane::stop`].
#[derive(Debug, Clone)]
pub struct Plane(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    pool: Pool,
    /// What those who only listen are sent to by, for each thread and address of ours.
    halls: Mutex<HashMap<(usize, IpAddr), Weak<Sockets>>>,
    threads: Vec<Thread>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Thread {
    commands: Orders,
    tally: Arc<Tally>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Plane {
    /// Starts the threads; without calls they sleep.
    ///
    /// # Errors
    /// [`PlaneError::Thread`].
    pub fn start(settings: &Settings) -> Result<Self, PlaneError> {
        let threads = (0..settings.threads.max(1))
            .map(|number| Thread::start(number, settings.realtime))
            .collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Shared {
            settings: settings.clone(),
            pool: Pool::new(settings.ports),
            halls: Mutex::default(),
            threads,
            next: AtomicU64::new(0),
        })))
    }

    /// Opens a leg on a pair of ports of this address. It does nothing before
    /// [`Leg::connect`].
    ///
    /// # Errors
    /// [`PlaneError::NoPort`], [`PlaneError::Socket`] or [`PlaneError::Stopped`].
    pub fn open(&self, local: IpAddr) -> Result<Leg, PlaneError> {
        self.open_on(self.emptiest(), local)
    }

    /// Opens a leg that may be [bridged](Leg::bridge) with one of that thread.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(&self, thread: usize, local: IpAddr) -> Result<Leg, PlaneError> {
        let sockets = self.sockets(local, Use::Both)?;
        self.begin(thread, local, (Arc::new(sockets), Use::Both))
    }

    /// Opens a leg that hears nothing, whatever comes: it shares its ports with all others of that kind, so
    /// that one call of the system sends to many of them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_deaf(&self, local: IpAddr) -> Result<Leg, PlaneError> {
        let thread = self.emptiest();
        let mut halls = self.0.halls.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = match halls.get(&(thread, local)).and_then(Weak::upgrade) {
            Some(sockets) => sockets,
            None => {
                let sockets = Arc::new(self.sockets(local, Use::Sending)?);
                halls.insert((thread, local), Arc::downgrade(&sockets));
                sockets
            }
        };
        drop(halls);
        self.begin(thread, local, (sockets, Use::Sending))
    }

    fn emptiest(&self) -> usize {
        let load = |it: &usize| self.0.threads[*it].tally.legs.load(Relaxed);
        (0..self.0.threads.len()).min_by_key(load).unwrap_or(0)
    }

    fn sockets(&self, local: IpAddr, what: Use) -> Result<Sockets, PlaneError> {
        let opened = self.0.pool.open(local, what);
        let sockets = opened.map_err(|source| PlaneError::Socket { local, source })?;
        sockets.ok_or(PlaneError::NoPort { ports: self.0.settings.ports })
    }

    fn begin(
        &self,
        number: usize,
        local: IpAddr,
        by: (Arc<Sockets>, Use),
    ) -> Result<Leg, PlaneError> {
        let shared = &self.0;
        let here = by.0.rtp.local_addr();
        let local = here.map_err(|source| PlaneError::Socket { local, source })?;
        let id: LegId = shared.next.fetch_add(1, Relaxed);
        let (sender, events) = mpsc::channel(EVENTS);
        let stats = Arc::new(LiveStats::default());
        let line = Line::new(local, by, self.manners(), sender, stats.clone());
        let thread = shared.threads.get(number).ok_or(PlaneError::Stopped)?;
        thread.tally.legs.fetch_add(1, Relaxed);
        if thread.commands.send(Command::Open(id, Box::new(line))).is_err() {
            thread.tally.legs.fetch_sub(1, Relaxed);
            return Err(PlaneError::Stopped);
        }
        let reorder_ms = ms(shared.settings.reorder);
        let commands = thread.commands.clone();
        Ok(Leg { id, thread: number, local, reorder_ms, commands, events, stats, stopped: false })
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        self.0.threads.iter().for_each(|it| it.tally.add_to(&mut sum));
        sum
    }

    /// Closes every leg, with a BYE, and ends the threads; waits some milliseconds for them.
    pub fn stop(self) {
        for thread in &self.0.threads {
            let _ = thread.commands.hurry(Command::Stop);
        }
        for thread in &self.0.threads {
            let handle = thread.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
            if handle.is_some_and(|it| it.join().is_err()) {
                tracing::error!("a media thread had failed; its calls were lost");
            }
        }
    }

    fn manners(&self) -> Manners {
        let settings = &self.0.settings;
        Manners {
            strict: settings.strict,
            timeout_ms: ms(settings.timeout),
            held_ms: ms(settings.held),
            keep_alive_ms: ms(settings.keep_alive),
        }
    }
}

impl Thread {
    fn start(number: usize, realtime: bool) -> Result<Self, PlaneError> {
        let (commands, orders) = sync_channel(ORDERS);
        let tally = Arc::new(Tally::default());
        let watch = Watch::new().map_err(PlaneError::Thread)?;
        let handle = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn({
                let tally = tally.clone();
                move || thread::run(orders, watch, &tally, realtime)
            })
            .map_err(PlaneError::Thread)?;
        let commands = Orders::new(commands, handle.thread().clone());
        Ok(Self { commands, tally, handle: Mutex::new(Some(handle)) })
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_shown_and_what_is_left_out_is_as_usual() {
        let text = "ports = \"20000-29999\"\ntimeout = \"1m\"";
        let settings: Settings = toml::from_str(text).unwrap();
        let ports = Ports { first: 20_000, last: 29_999 };
        let expected = Settings { ports, timeout: Duration::from_secs(60), ..Settings::default() };
        assert_eq!(settings, expected);
        let shown = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<Settings>(&shown).unwrap(), settings);
        assert!(toml::from_str::<Settings>("port = \"1-2\"").is_err());
        let codecs: Settings = toml::from_str("codecs = [\"pcma\", \"g722\"]").unwrap();
        assert_eq!(codecs.codecs, [Codec::Pcma, Codec::G722]);
        assert!(codecs.check().is_ok() && Settings::default().check().is_ok());
        assert!(toml::from_str::<Settings>("codecs = []").unwrap().check().is_err());
        assert!(toml::from_str::<Settings>("codecs = [\"gsm\"]").is_err());
    }
}
