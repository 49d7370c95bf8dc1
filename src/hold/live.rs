//! Live streams: read for as long as somebody listens, watched, and read again when they break off.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures::TryStreamExt;
use reqwest::{Client, Response, Url, header::LOCATION, redirect};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::icy::Open;
use crate::{
    app::App,
    audio::{Clip, relay::Relay},
    decode,
    mailbox::Timestamp,
};

/// Pieces that may wait to be heard, of half a second each.
const WAITING: usize = 8;
/// Ticks of a piece.
const PIECE: usize = decode::live::PIECE / 2;
/// After so many silent pieces the stream counts as silent: three seconds.
const SILENT: u32 = 6;
/// Below this part of full scale a piece is silent: -60 dBFS.
const SOFTEST: i16 = 33;
/// How long the other side may take to be reached, and to say anything.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries, at first and at the most.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// How often one place may send us on to another.
const REDIRECTS: usize = 3;

/// How a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being reached.
    Connecting,
    /// It plays.
    Playing,
    /// Nothing is to be heard in it.
    Silent,
    /// It broke off, or was never there; it is tried again and again.
    Failed,
}

/// A stream that somebody listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How it is.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Whether the tracks are heard in its place.
    pub stands_in: bool,
    /// Why it broke off last, if it did.
    pub problem: Option<String>,
}

/// Where it is told how the stream of a bed is; it may have none, or no longer.
pub(super) type Told = Arc<watch::Sender<Option<Status>>>;

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connecting, Self::Playing, Self::Silent, Self::Failed];

    /// For programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Playing => "playing",
            Self::Silent => "silent",
            Self::Failed => "failed",
        }
    }
}

impl Status {
    pub(super) fn begun(now: Timestamp) -> Self {
        Self { state: State::Connecting, since: now, stands_in: false, problem: None }
    }

    /// Notes that it is like this now; `false` if it was before.
    fn is(&mut self, state: State, now: Timestamp) -> bool {
        let is_new = self.state != state;
        if is_new {
            (self.state, self.since) = (state, now);
        }
        is_new
    }
}

/// Notes how a stream is, as long as there is one.
fn note(told: &Told, state: State, now: Timestamp) {
    told.send_if_modified(|it| it.as_mut().is_some_and(|it| it.is(state, now)));
}

/// A stream that is being read. Dropping it ends that.
pub(super) struct Live {
    pieces: mpsc::Receiver<Arc<Clip>>,
    told: Told,
    task: AbortHandle,
    /// Ticks of what is still to come that nobody will hear.
    unheard: usize,
}

impl Live {
    pub(super) fn begin(app: App, url: String, told: Told) -> Self {
        let (to, pieces) = mpsc::channel(WAITING);
        told.send_replace(Some(Status::begun(app.clock.now())));
        let task = tokio::spawn(run(app, url, to, told.clone())).abort_handle();
        Self { pieces, told, task, unheard: 0 }
    }

    /// The next piece, if it is there within this time.
    pub(super) async fn next(&mut self, within: Duration) -> Option<Arc<Clip>> {
        let coming = async {
            while self.unheard >= PIECE {
                self.pieces.recv().await?;
                self.unheard -= PIECE;
            }
            self.pieces.recv().await
        };
        let piece = timeout(within, coming).await.ok().flatten();
        if piece.is_none() {
            // It broke off, and begins where it then is.
            self.unheard = 0;
        }
        piece
    }

    /// For so many ticks something else is heard, and the stream goes on meanwhile.
    pub(super) fn pass_over(&mut self, ticks: usize) {
        self.unheard += ticks;
        while self.unheard >= PIECE && self.pieces.try_recv().is_ok() {
            self.unheard -= PIECE;
        }
    }

    /// How many pieces wait.
    pub(super) fn waiting(&self) -> usize {
        self.pieces.len()
    }

    /// Notes whether something is heard in its place.
    pub(super) fn stands_in(&self, stands_in: bool) {
        self.told.send_if_modified(|it| {
            it.as_mut()
                .is_some_and(|it| std::mem::replace(&mut it.stands_in, stands_in) != stands_in)
        });
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(app: App, url: String, to: mpsc::Sender<Arc<Clip>>, told: Told) {
    let mut wait = AGAIN[0];
    loop {
        let mut heard = false;
        let error = match read(&app, &url, &to, &told, &mut heard).await {
            Ok(()) => return,
            Err(error) => error,
        };
        let problem = format!("{error:#}");
        tracing::warn!(url, "a live stream broke off: {problem}; tried again in {wait:?}");
        told.send_if_modified(|it| {
            let Some(it) = it else { return false };
            it.problem = Some(problem);
            it.is(State::Failed, app.clock.now());
            true
        });
        wait = if heard { AGAIN[0] } else { wait };
        // Whoever has a bad moment is not asked again at once.
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN[1]);
    }
}

/// Reads until it breaks off; without an error only when nobody listens any more.
async fn read(
    app: &App,
    url: &str,
    to: &mpsc::Sender<Arc<Clip>>,
    told: &Told,
    heard: &mut bool,
) -> anyhow::Result<()> {
    let stream = open(url, &app.config.music.streams).await?;
    let (pieces, mut decoded) = mpsc::channel(1);
    let decoding = app.studio.relay(stream.sound().map_err(drop), &pieces);
    let passing = async {
        let (mut relay, mut silent) = (Relay::default(), 0);
        while let Some(piece) = decoded.recv().await {
            silent = if is_silent(&piece) { silent + 1 } else { 0 };
            if silent >= SILENT {
                note(told, State::Silent, app.clock.now());
                continue;
            }
            *heard = true;
            note(told, State::Playing, app.clock.now());
            let encoding = tokio::task::spawn_blocking(move || {
                let clip = relay.clip("live", &piece);
                (relay, clip)
            });
            let clip;
            (relay, clip) = encoding.await?;
            if to.send(Arc::new(clip)).await.is_err() {
                break;
            }
        }
        anyhow::Ok(())
    };
    tokio::select! {
        ended = decoding => Err(ended.err().map_or_else(|| anyhow::anyhow!("ended"), Into::into)),
        passed = passing => passed,
    }
}

fn is_silent(piece: &[i16]) -> bool {
    piece.iter().all(|it| it.unsigned_abs() < SOFTEST.unsigned_abs())
}

/// Opens a stream, where it may be opened.
pub async fn open(url: &str, allowed: &[String]) -> anyhow::Result<Open> {
    let mut url: Url = url.parse().context("that is no address")?;
    for _ in 0..=REDIRECTS {
        let answer = ask(&url, allowed).await?;
        let status = answer.status();
        if status.is_success() {
            return Open::of(answer, PATIENCE * 2).await;
        }
        let next = answer.headers().get(LOCATION).filter(|_| status.is_redirection());
        let Some(next) = next.and_then(|it| it.to_str().ok()) else {
            bail!("{} answers {status}", host(&url));
        };
        url = url.join(next).context("it leads to what is no address")?;
    }
    bail!("it leads from one place to the next")
}

/// Asks one place, at the very address that was looked at.
async fn ask(url: &Url, allowed: &[String]) -> anyhow::Result<Response> {
    let to = permitted(url, allowed).await?;
    // Whoever came first has set it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .user_agent("Afterbeep")
        // What is said then is looked at: it has to be SHOUTcast.
        .http09_responses()
        .resolve(host(url), to)
        .build()
        .context("no way to read streams")?;
    let asking = client.get(url.clone()).send();
    timeout(PATIENCE * 2, asking)
        .await
        .context("it does not answer")?
        .with_context(|| format!("{} cannot be reached", host(url)))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// Where a stream may be read from: any public place by its usual ways, and other places if they are
/// named as `HOST:PORT` in the settings.
async fn permitted(url: &Url, allowed: &[String]) -> anyhow::Result<SocketAddr> {
    let port = url.port_or_known_default();
    let Some(port) = port.filter(|_| matches!(url.scheme(), "http" | "https")) else {
        bail!("streams begin with http:// or https://");
    };
    let name = host(url);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let named = allowed.iter().any(|it| it.eq_ignore_ascii_case(&format!("{name}:{port}")));
    let looking = timeout(PATIENCE, tokio::net::lookup_host((bare, port)));
    let found = looking.await.context("its name cannot be looked up")?;
    let all: Vec<_> = found.with_context(|| format!("there is no {name}"))?.collect();
    let fine = all.iter().find(|it| named || is_public(it.ip()));
    fine.copied().with_context(|| {
        format!(
            "{name} is no public place; name \"{name}:{port}\" in [music] streams if it may be read"
        )
    })
}

/// Whether an address is one of the open network.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special = a == 0 || a >= 240 || (a, b) == (198, 18) || (a, b) == (198, 19);
            let here = ip.is_private() || ip.is_loopback() || ip.is_link_local();
            !(here || shared || special || ip.is_multicast() || ip.is_documentation())
                && ip.octets()[..3] != [192, 0, 0]
        }
        // What is delegated to networks, and of that not what carries IPv4 addresses or examples.
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            first & 0xe000 == 0x2000
                && first != 0x2002
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_network_is_public() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "151.101.1.1", "2606:4700::1111", "2a00:1450:4001::1"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[tokio::test]
    async fn what_is_inside_has_to_be_named_with_its_port() {
        let url: Url = "http://127.0.0.1:8000/a".parse().unwrap();
        assert!(permitted(&url, &[]).await.is_err());
        assert!(permitted(&url, &["127.0.0.1:9000".into()]).await.is_err());
        assert!(permitted(&url, &["127.0.0.1".into()]).await.is_err());
        assert!(permitted(&url, &["127.0.0.1:8000".into()]).await.is_ok());
        let url: Url = "file:///etc/passwd".parse().unwrap();
        assert!(permitted(&url, &[]).await.is_err());
    }
}
