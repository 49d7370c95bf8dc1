//! Turning takes into messages, many at a time when many callers hang up at once.
//!
//! The order on disk is the promise: the take was sealed and synced before it comes here, then the
//! recording is written and synced, then the row and its jobs are committed together, and only
//! then may the take go. A step that fails leaves everything before it, and is tried again.

use std::error::Error;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

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
    let mut waiting: Vec<Request> = Vec::new();
    let mut failures = 0;
    loop {
        let room = GROUP.saturating_sub(waiting.len()).max(1);
        let pause = Duration::from_millis(500) * 2_u32.pow(failures.min(6));
        tokio::select! {
            arrived = requests.recv_many(&mut waiting, room) => {
                if arrived == 0 && waiting.is_empty() {
                    return;
                }
                if arrived == 0 {
                    tokio::time::sleep(pause.min(PATIENCE)).await;
                }
            }
            () = tokio::time::sleep(pause.min(PATIENCE)), if failures > 0 => {}
            () = stopped(&mut stop), if failures > 0 => return,
        }
        let group: Vec<_> = waiting.drain(..waiting.len().min(GROUP)).collect();
        match file(&app, &spool, &group).await {
            Ok(()) => {
                failures = 0;
                for reply in group.into_iter().filter_map(|it| it.reply) {
                    reply.send(true).ok();
                }
                app.bell.notify_waiters();
            }
            Err(error) => {
                failures += 1;
                tracing::error!(
                    error = &error as &dyn Error,
                    "{} takes cannot be filed and stay in the spool; trying again",
                    group.len()
                );
                metrics::counter!("afterbeep_filing_failures_total").increment(1);
                waiting.extend(group.into_iter().map(|mut it| {
                    it.reply.take().map(|it| it.send(false).ok());
                    it
                }));
            }
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|it| *it).await.ok();
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
            Filed::Already | Filed::Purged => {}
            Filed::NoMailbox => tracing::error!(message = %take.id,
                "the mailbox was removed during the call; the recording is kept as {}",
                blobs::message(&take.id)),
        }
        spool.filed(take.id).await;
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
