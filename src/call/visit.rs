//! An owner at the phone: what the flow asks of the store is done one after the other, in a task of
//! its own, so that neither a key nor a hang-up undoes what was begun.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, OnceLock},
};

use jiff::tz::TimeZone;
use tokio::sync::{Mutex, Semaphore, mpsc};

use super::{Desk, PATIENCE};
use crate::audio::wav::{self, Sound};
use crate::flow::{Action, Contents, Event, Letter, Policy, Spoken};
use crate::mailbox::{Folder, Guesses, Mailbox, MailboxId, MessageId, Pin, TenantId, Timestamp};
use crate::say::Who;
use crate::store::{
    self, StoreError, greetings, mailboxes,
    messages::{self, Heading},
    names,
    pins::{self, Subject},
};

/// Somebody at a number that owners call.
pub(super) struct Visitor {
    /// Whose number it is.
    pub(super) tenant: TenantId,
    /// What prompts are spoken in until an owner has logged in.
    pub(super) language: String,
    /// Who calls, as a peer that is believed says; wrong PINs are counted against them.
    pub(super) caller: Option<String>,
    /// The mailbox whose own phone this has proved to be.
    pub(super) owner: Option<Mailbox>,
    /// The announcement they are to speak, and nothing else, where that is what the number is for.
    pub(super) announcement: Option<String>,
}

/// The way there and back.
pub(super) struct Visit {
    ask: mpsc::Sender<Action>,
    told: mpsc::Receiver<Told>,
    owed: usize,
    mailbox: Arc<OnceLock<Mailbox>>,
    addressee: Option<Mailbox>,
}

/// What became of an action, and whom the owner speaks to from then on.
struct Told(Event, Option<Mailbox>);

/// No flow has more on its way; one that has loses what it asks for next.
const UNDER_WAY: usize = 16;

/// Argon2 takes memory and time, so this many at once and no more.
static HASHING: Semaphore = Semaphore::const_new(2);

impl Visit {
    pub(super) fn begin(desk: Desk, visitor: Visitor) -> Self {
        let (ask, mut asked) = mpsc::channel(UNDER_WAY);
        let (tell, told) = mpsc::channel(UNDER_WAY);
        let mailbox = Arc::new(OnceLock::new());
        if let Some(owner) = visitor.owner.clone() {
            mailbox.get_or_init(|| owner);
        }
        let clerk = Clerk { desk, visitor, mailbox: mailbox.clone(), copies: Mutex::default() };
        tokio::spawn(async move {
            while let Some(action) = asked.recv().await {
                let told = clerk.carry_out(action).await;
                // What was asked for is done even if nobody waits for it any more.
                tell.send(told).await.ok();
            }
        });
        Self { ask, told, owed: 0, mailbox, addressee: None }
    }

    /// Has an action of the flow carried out; its event comes from [`Visit::next`].
    pub(super) fn ask(&mut self, action: Action) {
        match self.ask.try_send(action) {
            Ok(()) => self.owed += 1,
            Err(_) => tracing::error!("a call asks faster than the store answers"),
        }
    }

    /// Whether something is still to be carried out.
    pub(super) fn is_at_work(&self) -> bool {
        self.owed > 0
    }

    /// What became of the next thing asked for. Safe to cancel; never comes if nothing was.
    pub(super) async fn next(&mut self) -> Event {
        if self.owed == 0 {
            std::future::pending::<()>().await;
        }
        let told = self.told.recv().await;
        self.owed -= 1;
        let Some(Told(event, addressee)) = told else { return Event::OutOfReach };
        if addressee.is_some() {
            self.addressee = addressee;
        }
        event
    }

    /// Whose messages are heard, once that is known.
    pub(super) fn mailbox(&self) -> Option<&Mailbox> {
        self.mailbox.get()
    }

    /// Whom the owner leaves a message for.
    pub(super) fn addressee(&self) -> Option<&Mailbox> {
        self.addressee.as_ref()
    }
}

pub(super) struct Clerk {
    pub(super) desk: Desk,
    pub(super) visitor: Visitor,
    pub(super) mailbox: Arc<OnceLock<Mailbox>>,
    /// What names the copies of a message in others' mailboxes until each of them has its own, so that
    /// passing it on once more doubles nothing for those who have.
    pub(super) copies: Mutex<HashMap<(MessageId, MailboxId), MessageId>>,
}

impl Clerk {
    async fn carry_out(&self, action: Action) -> Told {
        let done = match action {
            Action::Reach(number) => match self.reach(&number).await {
                Ok(addressee) => {
                    return Told(Event::Reached(addressee.is_some()), addressee);
                }
                Err(error) => Err(error),
            },
            Action::LogIn { number, pin } => self.log_in(&number, pin).await,
            Action::Move { message, folder } => {
                let done = self.move_to(message, folder).await;
                done.or_else(|error| {
                    tracing::error!(%message, error = &error as &dyn Error, "cannot move a message");
                    Ok(Event::Moved { message, folder, done: false })
                })
            }
            Action::Find(numbers) => self.find(numbers).await,
            Action::ChangePin(pin) => self.change_pin(pin).await.map(Event::Done),
            Action::Keep { take, what, days } => Ok(done(self.keep(take.id, what, days).await)),
            Action::Announce(take) => Ok(done(self.announce(take.id).await)),
            Action::Remove(what) => Ok(done(self.remove(what).await)),
            Action::Forward { message, to, intro } => {
                Ok(done(self.forward(message, to, intro.map(|it| it.id)).await))
            }
            _ => self.open().await,
        };
        let event = done.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn Error, "an owner's mailbox is out of reach");
            Event::OutOfReach
        });
        Told(event, None)
    }

    /// Whatever is wrong, the same work is done and the same is answered.
    async fn log_in(&self, number: &str, pin: Pin) -> Result<Event, StoreError> {
        let app = &self.desk.app;
        let (db, tenant, now) = (&app.db, &self.visitor.tenant, app.clock.now());
        let mailbox = store::within(PATIENCE, mailboxes::at(db, tenant, number)).await?;
        let caller = self.visitor.caller.as_deref();

        let mut counts = true;
        if let Some(caller) = caller {
            let by = Subject::Caller(caller);
            let tried = self.tried(by, now).await?;
            // Even the right PIN does not end this lock.
            tell_of_lock(by, tried, now);
            counts = tried.is_some();
        }
        // Whoever is not heard any more locks nobody's mailbox either.
        let subject = match &mailbox {
            Some(mailbox) if counts => Subject::Mailbox(&mailbox.id),
            _ => Subject::Nobody(tenant),
        };
        let tried = self.tried(subject, now).await?;
        counts &= tried.is_some();
        let hash = match &mailbox {
            Some(mailbox) => store::within(PATIENCE, pins::of(db, &mailbox.id)).await?,
            None => None,
        };
        if !(self.matches(pin, hash).await && counts) {
            self.refuse(subject, tried, now).await?;
            return Ok(Event::Refused);
        }
        let Some(mailbox) = mailbox else { return Ok(Event::Refused) };
        let proven = pins::right(db, Subject::Mailbox(&mailbox.id), caller.map(Subject::Caller));
        store::within(PATIENCE, proven).await?;
        tracing::info!(mailbox = %mailbox.id, "an owner has logged in");
        self.mailbox.get_or_init(|| mailbox);
        Ok(Event::LoggedIn)
    }

    /// Counts a try before it is known whether it is right; `None` if it gets no answer.
    async fn tried(
        &self,
        subject: Subject<'_>,
        now: Timestamp,
    ) -> Result<Option<Guesses>, StoreError> {
        let trying = pins::tried(&self.desk.app.db, subject, now);
        store::within(PATIENCE, trying).await
    }

    /// Tells of the lock that a wrong PIN brought about, if it did. Of the right one there is nothing to
    /// tell: it ends the lock its own try began.
    async fn refuse(
        &self,
        subject: Subject<'_>,
        tried: Option<Guesses>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tell_of_lock(subject, tried, now);
        if let (Subject::Mailbox(id), Some(guesses)) = (subject, tried)
            && guesses.locked_until > now
        {
            let app = &self.desk.app;
            let noting = pins::note_source(&app.db, id, self.visitor.caller.as_deref());
            store::within(PATIENCE, noting).await?;
            // Its owner is told by mail.
            app.bell.ring_all();
        }
        Ok(())
    }

    async fn matches(&self, pin: Pin, hash: Option<String>) -> bool {
        let _permit = HASHING.acquire().await;
        let pepper = self.desk.app.pepper.clone();
        let matching = tokio::task::spawn_blocking(move || match hash {
            Some(hash) => pin.matches(&pepper, &hash),
            None => {
                pin.hash(&pepper, &[0; 16]);
                false
            }
        });
        matching.await.unwrap_or(false)
    }

    /// `None` when the server is about to stop.
    pub(super) async fn hash(&self, pin: Pin) -> Option<String> {
        let _permit = HASHING.acquire().await;
        let pepper = self.desk.app.pepper.clone();
        let salt = rand::random();
        let hashing = tokio::task::spawn_blocking(move || pin.hash(&pepper, &salt));
        hashing.await.ok()
    }

    async fn open(&self) -> Result<Event, StoreError> {
        let Some(mailbox) = self.mailbox.get() else { return Ok(Event::OutOfReach) };
        let app = &self.desk.app;
        let headings = store::within(PATIENCE, messages::headings(&app.db, mailbox)).await?;
        let settings = &mailbox.settings;
        let zone = TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC);
        let local = |time: Timestamp| {
            let time = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
            time.to_zoned(zone.clone()).datetime()
        };
        let letter = |it: Heading| Letter {
            id: it.id,
            folder: it.folder,
            urgent: it.urgent,
            received: local(it.received),
            who: who(it.caller_number.clone(), it.internal, it.named),
            number: it.caller_number,
            internal: it.internal,
            private: it.private,
            sent_by: it.sent_by,
            length: it.length,
        };
        let greetings = store::within(PATIENCE, greetings::of(&app.db, &mailbox.id)).await?;
        let name = store::within(PATIENCE, names::of(&app.db, &mailbox.id)).await?;
        let greetings = greetings.iter().map(|it| Spoken::Greeting(it.recorded.kind));
        let spoken = greetings.chain(name.map(|_| Spoken::Name)).collect();
        let first_use = store::within(PATIENCE, pins::is_given(&app.db, &mailbox.id)).await?;
        Ok(Event::Opened(Contents {
            number: mailbox.number.clone(),
            spoken,
            first_use,
            letters: headings.into_iter().map(letter).collect(),
            today: local(app.clock.now()).date(),
            hours: settings.hours,
            play_envelope: settings.play_envelope,
            play_cid: settings.play_cid,
            newest_first: settings.newest_first,
            confirm_delete: settings.confirm_delete,
            announces: settings.speaks_announcements,
        }))
    }

    async fn move_to(&self, message: MessageId, folder: Folder) -> Result<Event, StoreError> {
        let Some(mailbox) = self.mailbox.get() else {
            return Ok(Event::Moved { message, folder, done: false });
        };
        let app = &self.desk.app;
        let moving = messages::move_to(
            &app.db,
            &mailbox.id,
            &message,
            folder,
            "the owner, by phone",
            app.clock.now(),
        );
        let done = store::within(PATIENCE, moving).await?;
        Ok(Event::Moved { message, folder, done })
    }
}

/// A failure is told here, and by voice.
fn done(result: anyhow::Result<()>) -> Event {
    if let Err(error) = &result {
        tracing::error!("what an owner asked for by phone could not be done: {error:#}");
    }
    Event::Done(result.is_ok())
}

fn tell_of_lock(subject: Subject<'_>, tried: Option<Guesses>, now: Timestamp) {
    let Some(Guesses { locked_until, .. }) = tried else { return };
    if locked_until > now {
        let minutes = (locked_until.0 - now.0) / 60_000;
        metrics::counter!("afterbeep_pin_locks_total").increment(1);
        match subject {
            Subject::Mailbox(id) => {
                tracing::warn!(mailbox = %id, "too many wrong PINs: locked for {minutes} minutes");
            }
            _ => tracing::warn!(
                "too many wrong PINs from one caller: not heard for {minutes} minutes"
            ),
        }
    }
}

fn who(number: Option<String>, internal: bool, named: Option<MailboxId>) -> Who {
    match number {
        None => Who::Unknown,
        Some(number) if let Some(mailbox) = named => Who::Mailbox { mailbox, number },
        Some(number) if internal => Who::Extension(number),
        Some(number) if number.chars().all(|it| it.is_ascii_digit() || it == '+') => {
            Who::Phone(number)
        }
        Some(number) => Who::Extension(number),
    }
}

impl Desk {
    /// The sound of a message, if it lies in this mailbox.
    pub(super) async fn sound(
        &self,
        mailbox: Option<&Mailbox>,
        id: MessageId,
    ) -> Option<Arc<Sound>> {
        match self.message_sound(mailbox?, id).await {
            Ok(sound) => sound,
            Err(error) => {
                tracing::error!(message = %id, "a message cannot be played: {error:#}");
                None
            }
        }
    }

    async fn message_sound(
        &self,
        mailbox: &Mailbox,
        id: MessageId,
    ) -> anyhow::Result<Option<Arc<Sound>>> {
        let found = messages::get(&self.app.db, &mailbox.tenant, &id);
        let Some((message, of)) = store::within(PATIENCE, found).await? else { return Ok(None) };
        if of.id != mailbox.id {
            return Ok(None);
        }
        let file = tokio::time::timeout(PATIENCE, self.app.blobs.get(&message.blob)).await??;
        let read =
            tokio::task::spawn_blocking(move || wav::from_wav(&file, Policy::LIMIT.as_secs()));
        Ok(Some(Arc::new(read.await??)))
    }
}
