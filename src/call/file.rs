//! Turning takes into messages, many at a time when many callers hang up at once.
//!
//! The order on disk is the promise: the take was sealed and synced before it comes here, then the
//! recording is written and synced, then the row and its jobs are committed together, and only
//! then may the take go. A step that fails leaves everything before it, and is tried again. A take
//! that fails alone holds up no other one, and takes that nobody is in charge of are filed as well.

use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, interval_at, sleep_until};

use super::spool::{Kept, Spool, SpoolError};
use crate::app::App;
use crate::audio::wav;
use crate::bell::{Bell, Matter};
use crate::blobs::{self, BlobError};
use crate::flow::Policy;
use crate::mailbox::{Envelope, Mailbox, MessageId, Take};
use crate::store::messages::{self, Filed, Marks};
use crate::store::{self, StoreError, mailboxes};

/// How many takes become messages in one transaction.
const GROUP: usize = 64;
/// How many recordings are written at once; each is held in memory meanwhile.
const AT_ONCE: usize = 16;
/// How many takes wait for the filer; what finds no place is found in the spool later.
const WAITING: usize = 4_096;
/// Pause before filing is tried again: twice as long after each failure, up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A database that says nothing for so long has failed; what it did all the same is found then.
const SILENCE: Duration = Duration::from_secs(60);
/// How often the spool is asked for takes that nobody is in charge of.
const ROUND: Duration = Duration::from_secs(30);

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
        // Its caller hears no "saved"; the take is filed with what nobody is in charge of.
        if let Err(refused) = self.queue.try_send(request) {
            tracing::error!("too many takes wait to be filed: {refused}");
        }
    }
}

impl Request {
    fn answer(&mut self, saved: bool) {
        // A caller who left does not listen.
        self.reply.take().map(|it| it.send(saved).ok());
    }
}

/// The task's own state.
struct Filing {
    app: App,
    spool: Spool,
    /// What failed, and is tried again at `again`.
    failed: VecDeque<Request>,
    again: Instant,
    failures: u32,
    /// How much of `failed` is still to be tried this time.
    due: usize,
}

async fn work(
    app: App,
    spool: Spool,
    mut requests: mpsc::Receiver<Request>,
    mut stop: watch::Receiver<bool>,
) {
    let failed = VecDeque::new();
    let mut filing = Filing { app, spool, failed, again: Instant::now(), failures: 0, due: 0 };
    let mut rounds: Interval = interval_at(Instant::now() + ROUND, ROUND);
    let mut open = true;
    while open || !filing.failed.is_empty() {
        let mut group = Vec::new();
        tokio::select! {
            biased;
            arrived = requests.recv_many(&mut group, GROUP), if open => open = arrived > 0,
            () = stopped(&mut stop), if !filing.failed.is_empty() => return,
            () = std::future::ready(()), if filing.due > 0 => group = filing.next(),
            () = sleep_until(filing.again), if !filing.failed.is_empty() => filing.begin(),
            _ = rounds.tick() => {
                group = filing.ownerless().await;
                if group.len() == GROUP {
                    rounds.reset_immediately();
                }
            }
        }
        if !group.is_empty() {
            filing.file(group).await;
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|it| *it).await.ok();
}

impl Filing {
    /// Begins to try again what failed.
    fn begin(&mut self) {
        self.due = self.failed.len();
        self.pause();
    }

    /// The next of what failed.
    fn next(&mut self) -> Vec<Request> {
        let group: Vec<_> = self.failed.drain(..self.due.min(GROUP)).collect();
        self.due -= group.len();
        group
    }

    fn pause(&mut self) {
        self.failures = (self.failures + 1).min(16);
        self.again = Instant::now() + (PAUSE * 2_u32.pow(self.failures - 1)).min(LONGEST_PAUSE);
    }

    /// Takes whose calls ended without a word, or for which there was no place in the queue; as
    /// many as a group holds.
    async fn ownerless(&self) -> Vec<Request> {
        let known: HashSet<_> = self.failed.iter().map(|it| it.kept.take.id).collect();
        let mut group = Vec::new();
        for kept in self.spool.left().into_iter().filter(|it| !known.contains(&it.take.id)) {
            if group.len() < GROUP && keep(&self.spool, &self.app.config.deposit, &kept).await {
                group.push(Request { kept, reply: None });
            }
        }
        group
    }

    /// Files what can be filed of a group; the rest waits.
    async fn file(&mut self, group: Vec<Request>) {
        let written = stream::iter(group).map(async |it| {
            let written = write(&self.app, &self.spool, it.kept.take.id).await;
            (it, written)
        });
        let written: Vec<_> = written.buffered(AT_ONCE).collect().await;
        let mut there = Vec::new();
        for (mut request, written) in written {
            match written {
                Ok(()) => there.push(request),
                // It was filed before: by a round, or a copy of the request.
                Err(FileError::Spool(SpoolError::Gone(_))) => request.answer(true),
                Err(error) => self.put_off(vec![request], &error),
            }
        }
        if let Err(error) = self.commit(&mut there).await {
            self.part(there, &error).await;
        }
        if self.failed.is_empty() {
            self.failures = 0;
        }
    }

    /// What cannot be filed together is tried one by one, if trying the same again is no use: one
    /// take must not keep the others from their mailboxes.
    async fn part(&mut self, group: Vec<Request>, error: &FileError) {
        if group.len() == 1 || error.is_temporary() {
            return self.put_off(group, error);
        }
        for request in group {
            let mut alone = vec![request];
            if let Err(error) = self.commit(&mut alone).await {
                self.put_off(alone, &error);
            }
        }
    }

    /// All rows in one transaction; then the takes may go, and callers are told.
    async fn commit(&self, group: &mut [Request]) -> Result<(), FileError> {
        if group.is_empty() {
            return Ok(());
        }
        let mut filings = Vec::with_capacity(group.len());
        for request in &*group {
            filings.push(filing(&self.app, &request.kept).await?);
        }
        let filing = messages::file(&self.app.db, &filings, self.app.clock.now());
        let filed = store::within(SILENCE, filing).await?;
        let new = filings.iter().zip(&filed).filter(|it| *it.1 == Filed::New);
        new.for_each(|it| ring(&self.app.bell, it.0));
        for (request, filed) in group.iter_mut().zip(filed) {
            tell(&request.kept.take, filed);
            if filed == Filed::Purged {
                remove(&self.app, &blobs::message(&request.kept.take.id)).await?;
            }
            self.spool.filed(request.kept.take.id).await;
            request.answer(filed != Filed::NoMailbox);
        }
        Ok(())
    }

    fn put_off(&mut self, mut requests: Vec<Request>, error: &FileError) {
        tracing::error!(
            error = error as &dyn Error,
            "{} take(s) cannot be filed and stay in the spool; trying again",
            requests.len()
        );
        metrics::counter!("afterbeep_filing_failures_total").increment(1);
        requests.iter_mut().for_each(|it| it.answer(false));
        if self.failures == 0 {
            self.pause();
        }
        self.failed.extend(requests);
    }
}

/// Whether a take that nobody is in charge of becomes a message. It does if it was to be one and is
/// long enough; the others would not have been kept either, and are discarded.
pub(super) async fn keep(spool: &Spool, policy: &Policy, kept: &Kept) -> bool {
    // The last second of an interrupted take may be missing.
    let missing = Duration::from_secs(if kept.interrupted { 1 } else { 0 });
    if kept.take.length + missing >= policy.shortest && !kept.label.dictated {
        return true;
    }
    if let Err(error) = spool.discard(kept.take.id).await {
        tracing::error!(error = &error as &dyn Error, "a take could not be discarded");
    }
    false
}

/// Tells those who have work by a new message, and nobody else: there may be many a second.
fn ring(bell: &Bell, filing: &messages::Filing) {
    let always = [Matter::Lamps, Matter::Blobs];
    let wanted = [
        (Matter::Transcripts, filing.transcribe),
        (Matter::Letters, !filing.recipients.is_empty()),
        (Matter::Copies, filing.copies),
    ];
    let wanted = wanted.into_iter().filter(|it| it.1).map(|it| it.0);
    always.into_iter().chain(wanted).for_each(|it| bell.ring(it));
}

fn tell(take: &Take, filed: Filed) {
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
        spool.read(id).map(|sound| wav::to_wav(&sound.samples, sound.rate))
    });
    let file = file.await.unwrap_or(Err(SpoolError::Closed))?;
    app.blobs.put(&blobs::message(&id), file.into()).await?;
    Ok(())
}

async fn filing(app: &App, kept: &Kept) -> Result<messages::Filing, FileError> {
    let Kept { take, label, interrupted, .. } = kept;
    let said = label.said;
    let mailbox = mailboxes::held(&app.db, &label.tenant, &label.mailbox).await?;
    let (limit, rotates) =
        mailbox.as_ref().map_or((0, false), |it| (it.limit(), !it.settings.disable_rotate));
    // What is to be distributed stays nowhere: its copies are transcribed and mailed.
    let stays = mailbox.as_ref().filter(|it| !it.settings.distributes());
    Ok(messages::Filing {
        id: take.id,
        mailbox: label.mailbox.clone(),
        envelope: Envelope {
            caller: label.caller.clone(),
            received: label.received,
            length: take.length,
            interrupted: *interrupted,
            reason: label.reason,
        },
        blob: blobs::message(&take.id),
        limit,
        rotates,
        transcribe: stays.is_some_and(|it| it.settings.transcribe),
        notify_due: app.mail_due(stays.is_some_and(|it| it.settings.transcribe)),
        recipients: stays.map(Mailbox::recipients).unwrap_or_default(),
        marks: Marks { urgent: said.urgent, private: said.private, ..Marks::default() },
        copies: mailbox.as_ref().is_some_and(|it| it.settings.copies()),
        origin: None,
    })
}
