//! The lamps on the phones: kept as the mailboxes are.
//!
//! One task looks twice a second which lamps show something else than what lies in their mailbox, and
//! sooner when a message was filed. It asks the database, so it does not matter who changed the
//! mailbox. What is said is written down first and then sent, never faster than the settings allow.

mod attend;
mod pace;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use self::pace::Pace;
use crate::app::App;
use crate::bell::Matter;
use crate::clock;
use crate::mailbox::Timestamp;
use crate::mailbox::lamp::{Answer, Fate, Standing};
use crate::sip::{
    Endpoint,
    lamp::{Notice, Whom},
};
use crate::store::{
    StoreError,
    lamps::{self, Due, Settled},
};

/// How often it is looked whether a lamp has to be told.
const LOOK: Duration = Duration::from_millis(500);
/// The same while there is more to tell than may be told at once, or somebody rang.
const SOON: Duration = Duration::from_millis(100);
/// How long a lamp stays with whoever tells it: longer than an answer may take.
const LEASE: Duration = Duration::from_secs(60);
/// SUBSCRIBEs looked into at once.
const AT_ONCE: usize = 16;
/// Answers to NOTIFY that wait to be noted.
const WAITING: usize = 1_024;

/// Keeps the lamps until `stop` says so. What is being told then is told again by the next run.
pub async fn run(app: App, endpoint: Endpoint, mut stop: watch::Receiver<bool>) {
    let (settled, settling) = mpsc::channel(WAITING);
    let pace = Pace::new(app.config.sip.lamp.notifies);
    let now = clock::instant();
    let keeper = Keeper {
        next_check: now + app.config.sip.lamp.check,
        app,
        endpoint,
        settled,
        settling,
        pace,
        rung: Arc::new(Notify::new()),
        telling: JoinSet::new(),
        is_failing: false,
    };
    tokio::select! {
        () = keeper.run() => {}
        _ = stop.wait_for(|it| *it) => {}
    }
}

struct Keeper {
    app: App,
    endpoint: Endpoint,
    settled: mpsc::Sender<Settled>,
    settling: mpsc::Receiver<Settled>,
    pace: Pace,
    /// By those that changed what is to be told.
    rung: Arc<Notify>,
    telling: JoinSet<()>,
    next_check: std::time::Instant,
    is_failing: bool,
}

impl Keeper {
    async fn run(mut self) {
        let mut subscribes = self.endpoint.subscribes();
        let mut attending = JoinSet::new();
        while let Err(error) = lamps::resume(&self.app.db, self.app.clock.now()).await {
            self.complain(&error);
            // The database is away; nothing tells when it is back.
            tokio::time::sleep(LOOK).await;
        }
        let app = self.app.clone();
        let bell = app.bell.rung(Matter::Lamps);
        tokio::pin!(bell);
        let mut last = Instant::now();
        let mut next = last;
        loop {
            tokio::select! {
                Some(subscribe) = subscribes.recv(), if attending.len() < AT_ONCE => {
                    let (app, rung) = (self.app.clone(), self.rung.clone());
                    attending.spawn(async move {
                        if attend::attend(&app, subscribe, LEASE).await {
                            rung.notify_one();
                        }
                    });
                }
                Some(_) = attending.join_next() => {}
                Some(_) = self.telling.join_next() => {}
                () = &mut bell => {
                    bell.set(app.bell.rung(Matter::Lamps));
                    next = next.min(last + SOON);
                }
                () = self.rung.notified() => next = next.min(last + SOON),
                () = sleep_until(next) => {
                    last = Instant::now();
                    next = last + self.round().await;
                }
            }
        }
    }

    /// Notes what became of what was told, and tells what is to be told; how long until the next.
    async fn round(&mut self) -> Duration {
        match self.look().await {
            Ok(pause) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the lamps are kept again");
                }
                pause
            }
            Err(error) => {
                self.complain(&error);
                LOOK
            }
        }
    }

    async fn look(&mut self) -> Result<Duration, StoreError> {
        let (db, now) = (self.app.db.clone(), self.app.clock.now());
        let mut settled = Vec::new();
        while let Ok(it) = self.settling.try_recv() {
            settled.push(it);
        }
        if !settled.is_empty() {
            // What cannot be noted comes back with its lease.
            lamps::settle(&db, &settled, now).await?;
        }
        if clock::instant() >= self.next_check {
            self.check().await?;
        }
        let free = self.pace.free(clock::instant());
        if free == 0 {
            return Ok(SOON);
        }
        let due = lamps::claim(&db, now, free, LEASE).await?;
        let told = u32::try_from(due.len()).unwrap_or(u32::MAX);
        self.pace.spend(clock::instant(), told);
        for due in due {
            let (endpoint, settled) = (self.endpoint.clone(), self.settled.clone());
            self.telling.spawn(async move {
                if let Some(it) = tell(&endpoint, due, now).await {
                    let _ = settled.send(it).await;
                }
            });
        }
        Ok(if told == free { SOON } else { LOOK })
    }

    /// Compares what phones were told with what lies in the mailboxes.
    async fn check(&mut self) -> Result<(), StoreError> {
        self.next_check = clock::instant() + self.app.config.sip.lamp.check;
        let wrong = lamps::mend(&self.app.db).await?;
        metrics::counter!("afterbeep_lamp_drift_total").increment(wrong);
        if wrong > 0 {
            tracing::warn!(
                "{wrong} lamp(s) showed something else than what lay in their mailbox; \
                they are told anew"
            );
        }
        Ok(())
    }

    fn complain(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(error = error as &dyn Error, "the lamps cannot be kept; trying on");
        }
    }
}

/// Tells one; what became of it, if it is still there.
async fn tell(endpoint: &Endpoint, due: Due, now: Timestamp) -> Option<Settled> {
    let whom = match &due.dialog {
        None => Some(Whom::Target(due.place.clone())),
        // One that another version wrote ends here: its phone subscribes anew.
        Some(dialog) => serde_json::from_str(dialog).ok().map(Whom::Subscription),
    };
    let standing = Standing::at(now, due.expires, due.mailbox.is_some());
    let notice = Notice {
        counts: due.mailbox.as_ref().map(|it| it.counts).unwrap_or_default(),
        standing,
        sequence: due.sequence,
        number: due.mailbox.as_ref().map(|it| it.number.clone()).unwrap_or_default(),
        domain: due.mailbox.as_ref().and_then(|it| it.domain.clone()),
    };
    let answer = match &whom {
        Some(whom) => endpoint.notify(whom, &notice).await,
        None => Answer::NoWay,
    };
    let fate = due.kind.fate(answer, due.failures);
    let word = match fate {
        Fate::Told => "told",
        Fate::Again(_) => "later",
        Fate::Gone => "gone",
    };
    metrics::counter!("afterbeep_lamp_notifies_total", "outcome" => word).increment(1);
    let mailbox = due.mailbox.filter(|_| !matches!(standing, Standing::Over(_)))?.id;
    let problem = problem(answer);
    match &problem {
        Some(why) if fate == Fate::Gone => {
            tracing::info!(%mailbox, "a phone's subscription ended: {why}");
        }
        Some(why) if due.failures == 0 => {
            tracing::warn!(%mailbox, "a lamp could not be told: {why}; trying again");
        }
        _ => {}
    }
    Some(Settled { id: due.id, sequence: due.sequence, fate, problem })
}

/// Why a lamp was not told, if it was not.
fn problem(answer: Answer) -> Option<String> {
    match answer {
        Answer::Status { code: 200..=299, .. } => None,
        Answer::Status { code, .. } => Some(format!("it answers {code}")),
        Answer::None => Some("it does not answer".to_owned()),
        Answer::NoWay => Some("there is no way to its address".to_owned()),
    }
}
