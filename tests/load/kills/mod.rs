//! Killing the server at random moments while callers leave messages, and accounting for each call.
//!
//! A few phones call again and again. Rounds differ: with and without the review menu, with and
//! without a speech model, killed at work or while starting up on what the last kill left.

mod account;
mod caller;
mod ledger;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterbeep::store::jobs;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use super::post::Post;
use crate::house::House;
use crate::phone::FRAME;
#[allow(unused_imports, reason = "tests/it uses it")]
pub use account::kept;
use caller::Known;
#[allow(unused_imports, reason = "the other figures use it")]
pub use ledger::words;
use ledger::{Call, Entry, Plan, STALLED, Stall};

/// The time a frame takes.
pub const FRAME_TIME: Duration = Duration::from_millis(20);
/// Silence between the beep and the first word.
const LEAD: Duration = Duration::from_millis(300);
/// How long everything left to do may take after the last kill.
const PATIENCE: Duration = Duration::from_secs(180);

/// How a run is made.
pub struct Options {
    pub rounds: u32,
    pub phones: u32,
    pub seed: u64,
    /// Where `tiny.en` lies, for every fourth round; `None`: no round transcribes.
    pub models: Option<PathBuf>,
    /// Tells how far it is.
    pub progress: fn(&str),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub rounds: u32,
    pub killed_while_starting: u32,
    pub calls: u64,
    pub farewells: u64,
    pub saved: u64,
    pub deleted: u64,
    pub cut: u64,
    pub cut_while_speaking: u64,
    pub messages: u64,
    pub interrupted: u64,
    pub both_takes: u64,
    /// Recordings of phones that paused themselves, so that nothing can be said of their samples.
    pub stalled: u64,
    pub letters: u64,
    pub mailed_twice: u64,
    pub errors_logged: u64,
    pub lacking: Vec<Duration>,
    pub ready: Vec<Duration>,
    pub took: Duration,
    /// Who was wronged, and how.
    pub wrongs: Vec<String>,
}

/// What callers know of the server.
#[derive(Debug, Clone, Copy)]
enum Server {
    Up { review: bool },
    Down { since: Instant },
    Closed,
}

/// Makes the rounds, then waits until everything is filed and mailed, and compares.
pub async fn run(options: Options) -> Report {
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut report = Report { rounds: options.rounds, ..Report::default() };
    let post = Post::open().await.unwrap();
    let mut house = House::start(&settings(&post, None, false));
    let (state, watched) = watch::channel(Server::Up { review: false });
    let ledger: Arc<Mutex<Vec<Entry>>> = Arc::default();
    let office = Arc::new(Office {
        known: Arc::new(Known::load()),
        ledger: ledger.clone(),
        next: AtomicU64::new(7_000_000),
        server: house.sip,
    });
    let phones: Vec<_> = (0..options.phones)
        .map(|_| tokio::spawn(office.clone().phone(watched.clone(), random.random())))
        .collect();

    let stalls: Arc<Mutex<Vec<Stall>>> = Arc::default();
    tokio::spawn(watch_for_stalls(stalls.clone()));
    for round in 1..=options.rounds {
        let work = Duration::from_millis(random.random_range(500..10_000));
        tokio::time::sleep(work).await;
        kill(&mut house, &state).await;

        let review = round % 2 == 1;
        let models = options.models.as_ref().filter(|_| round % 4 >= 2);
        house.configure(&settings(&post, models, review));
        if round % 5 == 0 {
            report.killed_while_starting += 1;
            house.begin();
            let moment = Duration::from_millis(random.random_range(0..600));
            tokio::time::sleep(moment).await;
            house.kill();
        }
        let start = Instant::now();
        house.restart();
        report.ready.push(start.elapsed());
        state.send_replace(Server::Up { review });
        let calls = ledger.lock().unwrap().len();
        (options.progress)(&format!("round {round}: {calls} calls so far"));
    }
    state.send_replace(Server::Closed);
    for phone in phones {
        phone.await.unwrap();
    }
    // Ended well, it has filed everything; started again, nothing is left but mail.
    end(&mut house, &mut report);
    house.restart();
    wait_for_mail(&house, &mut report).await;
    end(&mut house, &mut report);
    let log = std::fs::read_to_string(house.dir.path().join("log")).unwrap();
    report.errors_logged = log.lines().filter(|it| it.contains("ERROR")).count() as u64;
    for line in log.lines().filter(|it| it.contains("panicked")) {
        report.wrong("the server", line.to_owned());
    }
    let entries = std::mem::take(&mut *ledger.lock().unwrap());
    let stalls = stalls.lock().unwrap().clone();
    account::settle(&house, &entries, &stalls, &post.letters(), &mut report).await;
    report.took = began.elapsed();
    report
}

/// Notes when this process was kept from the processor, and the phones with it.
async fn watch_for_stalls(stalls: Arc<Mutex<Vec<Stall>>>) {
    let mut since = Instant::now();
    loop {
        tokio::time::sleep(FRAME_TIME).await;
        let until = Instant::now();
        if until - since >= STALLED {
            stalls.lock().unwrap().push(Stall { since, until });
        }
        since = until;
    }
}

async fn kill(house: &mut House, state: &watch::Sender<Server>) {
    let since = Instant::now();
    house.kill();
    // What the server said with its last breath is still on its way to the phones.
    tokio::time::sleep(Duration::from_millis(30)).await;
    state.send_replace(Server::Down { since });
}

fn end(house: &mut House, report: &mut Report) {
    house.terminate();
    if !house.ended(PATIENCE) {
        report.wrong("the server", "did not end as it should".into());
    }
}

async fn wait_for_mail(house: &House, report: &mut Report) {
    let db = house.db().await;
    let until = Instant::now() + PATIENCE;
    while let Some(due) = jobs::next_due(&db, jobs::Kind::Notify).await.unwrap() {
        if Instant::now() > until {
            report.wrong("the mail", format!("is still to be sent, due {}", due.0));
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    db.close().await;
}

fn settings(post: &Post, models: Option<&PathBuf>, review: bool) -> String {
    let speech = match models {
        Some(models) => format!("models = \"{}\"\nmodel = \"tiny.en\"\n", models.display()),
        None => "models = \"/nonexistent\"\n".into(),
    };
    let (mail, menu) = (post.settings(), format!("review = {review}\npatience = \"5s\"\n"));
    format!("mail_within = \"4s\"\n[deposit]\n{menu}[speech]\n{speech}{mail}")
}

/// What all phones share.
struct Office {
    known: Arc<Known>,
    ledger: Arc<Mutex<Vec<Entry>>>,
    next: AtomicU64,
    server: SocketAddr,
}

impl Office {
    /// One phone: calls whenever the server is there.
    async fn phone(self: Arc<Self>, mut state: watch::Receiver<Server>, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        loop {
            let now = *state.borrow_and_update();
            let review = match now {
                Server::Closed => return,
                Server::Up { review } => review,
                Server::Down { .. } => {
                    state.changed().await.unwrap();
                    continue;
                }
            };
            let wait = Duration::from_millis(random.random_range(0..400));
            tokio::time::sleep(wait).await;
            if state.has_changed().unwrap() {
                continue;
            }
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let entry = Entry::new(number.to_string(), plan(&mut random, review));
            let length = Duration::from_millis(random.random_range(100..300) * 20);
            let call = caller::place(&entry, number, length, self.server, &self.known);
            let mut watched = state.clone();
            tokio::select! {
                biased;
                outcome = call => {
                    if let Err(error) = outcome {
                        blame(&entry, state.clone(), error).await;
                    }
                }
                since = killed(&mut watched) => entry.note().cut = Some(since),
            }
            self.ledger.lock().unwrap().push(entry);
        }
    }
}

/// A call broke off: because the server was killed, or for a reason of its own.
async fn blame(entry: &Entry, mut state: watch::Receiver<Server>, error: std::io::Error) {
    let soon = Duration::from_millis(100);
    match tokio::time::timeout(soon, killed(&mut state)).await {
        Ok(since) => entry.note().cut = Some(since),
        Err(_) => entry.note().failed = Some(error.to_string()),
    }
}

/// Waits for the server's death.
async fn killed(state: &mut watch::Receiver<Server>) -> Instant {
    loop {
        if state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if let Server::Down { since } = *state.borrow() {
            return since;
        }
    }
}

fn plan(random: &mut StdRng, review: bool) -> Plan {
    match (random.random_range(0..100), review) {
        (..4, _) => Plan::Greeting,
        (4..9, _) => Plan::Short,
        (9..30, true) | (9..60, false) => Plan::HangUp,
        (30..45, true) => Plan::Keep,
        (45..55, true) => Plan::Leave,
        (55..78, true) => Plan::Delete,
        (78..93, true) => Plan::Again,
        (_, true) => Plan::AgainShort,
        (_, false) => Plan::Pound,
    }
}

impl Report {
    fn wrong(&mut self, who: &str, what: String) {
        self.wrongs.push(format!("{who}: {what}"));
    }

    fn count(&mut self, call: &Call) {
        self.calls += 1;
        self.farewells += u64::from(call.farewell);
        self.saved += u64::from(call.saved);
        self.deleted += u64::from(call.deleted);
        self.cut += u64::from(call.cut.is_some());
        // Until the phone heard of the kill it went on speaking.
        let went_on = |it: &ledger::Spoken| it.until(call.cut) < it.sent.len() * FRAME;
        let speaking = call.cut.is_some() && call.takes.last().is_some_and(went_on);
        self.cut_while_speaking += u64::from(speaking);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = |of: &[Duration]| of.iter().max().copied().unwrap_or_default();
        let rows = [
            ("kills at work", self.rounds.to_string()),
            ("kills while starting", self.killed_while_starting.to_string()),
            ("calls", self.calls.to_string()),
            ("  BYE answered with 200", self.farewells.to_string()),
            ("  heard \"saved\"", self.saved.to_string()),
            ("  heard \"deleted\"", self.deleted.to_string()),
            ("  cut by a kill", self.cut.to_string()),
            ("  cut while speaking", self.cut_while_speaking.to_string()),
            ("messages", self.messages.to_string()),
            ("  interrupted", self.interrupted.to_string()),
            ("  calls with two takes kept", self.both_takes.to_string()),
            ("  not compared, phone stalled", self.stalled.to_string()),
            ("most a message lacks", format!("{:?}", most(&self.lacking))),
            ("letters", self.letters.to_string()),
            ("  messages mailed twice", self.mailed_twice.to_string()),
            ("slowest start", format!("{:.0?}", most(&self.ready))),
            ("errors in the log", self.errors_logged.to_string()),
            ("wrongs", self.wrongs.len().to_string()),
            ("took", format!("{:.0?}", self.took)),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<30} {value:>10}")?;
        }
        for wrong in &self.wrongs {
            writeln!(f, "WRONG {wrong}")?;
        }
        Ok(())
    }
}
