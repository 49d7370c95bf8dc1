//! Turning takes into messages, many at a time when many callers hang up at once.
//!
//! The order on disk is the promise: the take was sealed and synced before it comes here, then the
//! recording is written and synced, then the row and its jobs are committed together, and only
//! then may the take go. A step that fails leaves everything before it, and is tried again.

use std::error::Error;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::spool::{Kept, Spool, SpoolError};
use crate::app::App;
use crate::audio::{Codec, wav};
use crate::blobs::{self, BlobError};
use crate::mailbox::{Envelope, MessageId};
use crate::speech::Readiness;
use crate::store::messages::{self, Filed, Filing};
use crate::store::{StoreError, mailboxes};

/// How many takes become messages in one transaction.
const GROUP: usize = 64;
/// How many takes wait for the filer before `file` refuses; they stay in the spool.
const WAITING: usize = 4_096;
/// How long a take that could not be filed waits for another try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause before filing is tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a take could not be filed. The take stays in the spool until it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The spool cannot give the take back.
    #[error("the take could not be read back")]
    Spool(#[from] SpoolError),
    /// The recording cannot be written.
    #[error("the recording could not be written")]
    Blob(#[from] BlobError),
    /// The message cannot be written.
    #[error("the message could not be written")]
    Store(#[from] StoreError),
}

impl FileError {
    /// Whether the same takes may be filed later without anybody's doing.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Spool(_) => false,
            Self::Blob(error) => error.is_temporary(),
            Self::Store(error) => error.is_temporary(),
        }
    }
}

/// Files takes. A cheap handle on the one task that does it.
#[derive(Debug, Clone)]
pub struct Filer {
    queue: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    kept: Kept,
    reply: Option<oneshot::Sender<bool>>,
}

impl Filer {
    /// Starts the task. It ends once every handle is gone and nothing waits any more, or at
    /// `stop` if filing keeps failing; what is unfiled then lies in the spool.
    pub fn start(app: App, spool: Spool, stop: watch::Receiver<bool>) -> (Self, JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(WAITING);
        (Self { queue }, tokio::spawn(work(app, spool, requests, stop)))
    }

    /// Files a sealed take. The reply is `true` once the message is committed, `false` as soon as
    /// it is clear that this will take longer.
    pub fn file(&self, kept: Kept, reply: oneshot::Sender<bool>) {
        self.submit(Request { kept, reply: Some(reply) });
    }

    /// Files what nobody waits for: what a failure, or an earlier run of the server, left behind.
    pub fn recover(&self, kept: Kept) {
        self.submit(Request { kept, reply: None });
    }

    fn submit(&self, request: Request) {
        // A request that finds no place is not lost: its take is in the spool until the next start.
        if let Err(refused) = self.queue.try_send(request) {
            tracing::error!("too many takes wait to be filed: {refused}");
        }
    }
}

async fn work(
    app: App,
    spool: Spool,
    mut requests: mpsc::Receiver<Request>,
    mut stop: watch::Receiver<bool>,
) {
    let mut refused = Refused::default();
    loop {
        let mut group = Vec::new();
        let waits = !refused.takes.is_empty();
        let more = !requests.is_closed() || !requests.is_empty();
        tokio::select! {
            arrived = requests.recv_many(&mut group, GROUP), if more || !waits => {
                match arrived {
                    0 if waits => continue,
                    0 => return,
                    _ => {}
                }
                let left = attempt(&app, &spool, group).await;
                refused.add(left);
            }
            () = tokio::time::sleep_until(refused.due), if waits => {
                group.extend(refused.takes.drain(..refused.takes.len().min(GROUP)));
                let left = attempt(&app, &spool, group).await;
                refused.tried(left);
            }
            () = stopped(&mut stop), if waits => return,
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|it| *it).await.ok();
}

/// Takes that wait for another try, so that new ones need not wait with them.
struct Refused {
    takes: Vec<Request>,
    tries: u32,
    due: Instant,
}

impl Default for Refused {
    fn default() -> Self {
        Self { takes: Vec::new(), tries: 0, due: Instant::now() }
    }
}

impl Refused {
    fn add(&mut self, left: Vec<Request>) {
        if self.takes.is_empty() {
            (self.tries, self.due) = (0, Instant::now() + FIRST_PAUSE);
        }
        self.takes.extend(left);
    }

    fn tried(&mut self, left: Vec<Request>) {
        self.tries = if left.is_empty() { 0 } else { self.tries + 1 };
        let pause = FIRST_PAUSE * 2_u32.pow(self.tries.min(6));
        let pause = if left.is_empty() { Duration::ZERO } else { pause.min(PATIENCE) };
        self.due = Instant::now() + pause;
        self.takes.extend(left);
    }
}

/// Files a group and tells who waits for it; what is left must be tried again. A take that cannot
/// be filed must not keep the others from it, so if trying the same again is no use, each is filed
/// for itself.
async fn attempt(app: &App, spool: &Spool, group: Vec<Request>) -> Vec<Request> {
    let error = match file(app, spool, &group).await {
        Ok(()) => {
            for reply in group.into_iter().filter_map(|it| it.reply) {
                reply.send(true).ok();
            }
            app.bell.notify_waiters();
            return Vec::new();
        }
        Err(error) => error,
    };
    if group.len() > 1 && !error.is_temporary() {
        let mut left = Vec::new();
        for request in group {
            left.extend(Box::pin(attempt(app, spool, vec![request])).await);
        }
        return left;
    }
    if let FileError::Spool(SpoolError::Gone(id)) = &error {
        tracing::debug!(message = %id, "a take was filed or discarded already");
        return Vec::new();
    }
    tracing::error!(
        error = &error as &dyn Error,
        takes = group.len(),
        "what was recorded cannot be filed and stays in the spool; trying again"
    );
    metrics::counter!("afterbeep_filing_failures_total").increment(1);
    let late = |mut it: Request| {
        it.reply.take().map(|it| it.send(false));
        it
    };
    group.into_iter().map(late).collect()
}

/// Files a group: all recordings, then all rows in one transaction, then the takes may go.
async fn file(app: &App, spool: &Spool, group: &[Request]) -> Result<(), FileError> {
    let written = group.iter().map(|it| write(app, spool, it.kept.take.id));
    futures::future::try_join_all(written).await?;

    let mut filings = Vec::with_capacity(group.len());
    for request in group {
        filings.push(filing(app, &request.kept).await?);
    }
    let filed = messages::file(&app.db, &filings, app.clock.now()).await?;

    for (request, filed) in group.iter().zip(filed) {
        let take = &request.kept.take;
        match filed {
            Filed::New => {
                let seconds = take.length.as_secs_f64();
                tracing::info!(message = %take.id, "message of {seconds:.1} s filed");
                metrics::counter!("afterbeep_messages_total").increment(1);
            }
            Filed::Already => {}
            Filed::Purged => remove(app, &blobs::message(&take.id)).await?,
            Filed::NoMailbox => tracing::error!(message = %take.id,
                "the mailbox was removed during the call; the recording is kept as {}",
                blobs::message(&take.id)),
        }
        spool.filed(take.id).await;
    }
    Ok(())
}

/// The recording of a message that was purged has just been written again.
async fn remove(app: &App, blob: &str) -> Result<(), FileError> {
    if !messages::has_blob(&app.db, blob).await? {
        app.blobs.delete(blob).await?;
    }
    Ok(())
}

async fn write(app: &App, spool: &Spool, id: MessageId) -> Result<(), FileError> {
    let spool = spool.clone();
    let file = tokio::task::spawn_blocking(move || {
        spool.read(id).map(|samples| wav::to_wav(&samples, Codec::RATE))
    });
    let file = file.await.unwrap_or(Err(SpoolError::Closed))?;
    app.blobs.put(&blobs::message(&id), file.into()).await?;
    Ok(())
}

async fn filing(app: &App, kept: &Kept) -> Result<Filing, FileError> {
    let Kept { take, label, interrupted, .. } = kept;
    let mailbox = mailboxes::held(&app.db, &label.tenant, &label.mailbox).await?;
    let transcribe = mailbox.as_ref().is_some_and(|it| it.transcribe);
    // Without a model there is nothing to wait for.
    let ready = matches!(app.speech.readiness(), Readiness::Ready { .. });
    let wait = if transcribe && ready { app.config.mail_within } else { Duration::ZERO };
    Ok(Filing {
        id: take.id,
        mailbox: label.mailbox.clone(),
        envelope: Envelope {
            caller: label.caller.clone(),
            received: label.received,
            length: take.length,
            interrupted: *interrupted,
        },
        blob: blobs::message(&take.id),
        transcribe,
        notify_due: app.clock.now() + wait,
        recipients: mailbox.map(|it| it.recipients).unwrap_or_default(),
    })
}
