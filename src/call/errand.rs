//! What owners change by phone: what callers hear, the PIN, and whom a message goes to.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use jiff::{Timestamp as Moment, ToSpan, civil::Date};

use super::opening;
use super::visit::Clerk;
use super::{Desk, PATIENCE};
use crate::admin::{self, music::Source};
use crate::app::RATE;
use crate::audio::{Clip, loudness::levelled, resample::resample, wav};
use crate::blobs;
use crate::flow::{Event, Spoken};
use crate::mailbox::{
    Mailbox, MessageId, Pin, Timestamp, copies::fan_out, greeting::Recorded, room::Door,
};
use crate::store::messages::{self, Copied, Copy, Filed, Recording};
use crate::store::{self, StoreError, call_backs, greetings, mailboxes, names, pins};

impl Clerk {
    /// Makes a take what callers hear; `days` counts from today, and the last of them is whole.
    pub(super) async fn keep(
        &self,
        take: MessageId,
        what: Spoken,
        days: Option<u32>,
    ) -> anyhow::Result<()> {
        let mailbox = self.mailbox.get().context("nobody has logged in")?;
        let Desk { app, spool, .. } = &self.desk;
        let reading = spool.clone();
        let sound = tokio::task::spawn_blocking(move || reading.read(take)).await??;
        let samples = resample(&sound.samples, sound.rate, RATE);
        let samples = levelled(RATE, &samples).context("nothing was spoken")?;
        match what {
            Spoken::Greeting(kind) => {
                let until = days.map(|it| end_of(it, mailbox, app.clock.now())).transpose()?;
                let recorded = Recorded { kind, until };
                admin::greeting::set(&app.db, &app.blobs, &app.clock, mailbox, recorded, &samples)
                    .await?;
            }
            Spoken::Name => {
                admin::greeting::set_name(&app.db, &app.blobs, &app.clock, mailbox, &samples)
                    .await?;
            }
        }
        tracing::info!(mailbox = %mailbox.id, ?what, "an owner spoke it by phone");
        self.discard(take).await;
        Ok(())
    }

    /// Makes a take the announcement this call is for; a class of hold music whose own greeting it is
    /// begins with it from now on.
    pub(super) async fn announce(&self, take: MessageId) -> anyhow::Result<()> {
        let mailbox = self.mailbox.get().context("nobody has logged in")?;
        let name = self.visitor.announcement.as_ref().context("nothing is announced here")?;
        ensure!(mailbox.settings.speaks_announcements, "this mailbox's owner may not");
        let Desk { app, spool, .. } = &self.desk;
        let reading = spool.clone();
        let sound = tokio::task::spawn_blocking(move || reading.read(take)).await??;
        let file = wav::to_wav(&sound.samples, sound.rate);
        let source = Source::File(&file, "spoken.wav");
        let house = (&app.db, &app.blobs, &app.clock);
        admin::music::announce(house, &app.studio, &mailbox.tenant, name, source).await?;
        admin::music::introduce(&app.db, &mailbox.tenant, name).await?;
        tracing::info!(mailbox = %mailbox.id, name, "an announcement was spoken by phone");
        self.discard(take).await;
        Ok(())
    }

    /// What stays in the spool is found at the next start, and goes then.
    async fn discard(&self, take: MessageId) {
        if let Err(error) = self.desk.spool.discard(take).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "a take could not be discarded");
        }
    }

    pub(super) async fn remove(&self, what: Spoken) -> anyhow::Result<()> {
        let mailbox = self.mailbox.get().context("nobody has logged in")?;
        let app = &self.desk.app;
        match what {
            Spoken::Greeting(kind) => {
                admin::greeting::remove(&app.db, &app.blobs, mailbox, kind).await?;
            }
            Spoken::Name => {
                admin::greeting::remove_name(&app.db, &app.blobs, mailbox).await?;
            }
        }
        Ok(())
    }

    /// Whether there is still such a mailbox. The PIN is then its owner's own.
    pub(super) async fn change_pin(&self, pin: Pin) -> Result<bool, StoreError> {
        let Some(mailbox) = self.mailbox.get() else { return Ok(false) };
        let app = &self.desk.app;
        let Some(hash) = self.hash(pin).await else { return Ok(false) };
        let changing = pins::change(&app.db, &mailbox.id, &hash, app.clock.now());
        let changed = store::within(PATIENCE, changing).await?;
        if changed {
            tracing::info!(mailbox = %mailbox.id, "an owner changed the PIN");
        }
        Ok(changed)
    }

    /// Which of the numbers have no mailbox.
    pub(super) async fn find(&self, numbers: Vec<String>) -> Result<Event, StoreError> {
        let mut missing = Vec::new();
        for number in numbers {
            if self.at(&number).await?.is_none() {
                missing.push(number);
            }
        }
        Ok(Event::Found(missing))
    }

    /// The mailbox with this number, if a message can be left there.
    pub(super) async fn reach(&self, number: &str) -> Result<Option<Mailbox>, StoreError> {
        let Some(mailbox) = self.at(number).await? else { return Ok(None) };
        let door = messages::door(&self.desk.app.db, &mailbox);
        let open = store::within(PATIENCE, door).await? == Door::Open;
        Ok(Some(mailbox).filter(|it| open && it.settings.takes_messages))
    }

    async fn at(&self, number: &str) -> Result<Option<Mailbox>, StoreError> {
        let Some(own) = self.mailbox.get() else { return Ok(None) };
        let finding = mailboxes::at(&self.desk.app.db, &own.tenant, number);
        store::within(PATIENCE, finding).await
    }

    /// Gives a message to others, each of whom gets a copy; fails if one of them could not. Asked for
    /// again, it goes to those who have none yet.
    pub(super) async fn forward(
        &self,
        message: MessageId,
        to: Vec<String>,
        intro: Option<MessageId>,
    ) -> anyhow::Result<()> {
        let own = self.mailbox.get().context("nobody has logged in")?;
        let sound = match intro {
            Some(intro) => Some(self.with_intro(own, message, intro).await?),
            None => None,
        };
        let listing = mailboxes::list(&self.desk.app.db, &own.tenant);
        let all = store::within(PATIENCE, listing).await?;
        let (mut given, mut missed) = (Vec::new(), 0);
        for number in to {
            let named = all.iter().find(|it| it.number == number);
            // A distribution list keeps nothing, so its members stand in for it.
            let others = match named {
                Some(list) if list.settings.distributes() => fan_out(list, &all).to,
                other => other.into_iter().collect(),
            };
            missed += usize::from(others.is_empty());
            for other in others {
                given.push(&other.id);
                missed += usize::from(!self.pass_on(own, message, other, sound.clone()).await);
            }
        }
        self.desk.app.bell.ring_all();
        self.clear_away(intro, sound).await;
        match missed {
            0 => {
                // Who passes it on to them once more means another copy.
                let mut copies = self.copies.lock().await;
                copies.retain(|(it, to), _| *it != message || !given.contains(&to));
                Ok(())
            }
            missed => bail!("{missed} of the mailboxes did not take the message"),
        }
    }

    /// Gives it to one; whether that has it.
    async fn pass_on(
        &self,
        own: &Mailbox,
        message: MessageId,
        other: &Mailbox,
        sound: Option<Recording>,
    ) -> bool {
        let app = &self.desk.app;
        let mut copies = self.copies.lock().await;
        let id = copies.entry((message, other.id.clone()));
        let id = *id.or_insert_with(|| app.clock.message_id());
        let notify_due = app.mail_due(other.settings.transcribe);
        let (from, by) = (&own.id, Some(&own.id));
        let copy = Copy { id, message, from, to: other, by, sound, past_limit: false, notify_due };
        let copied = match other.settings.takes_messages {
            true => {
                let copying = messages::copy(&app.db, &copy, app.clock.now());
                store::within(PATIENCE, copying).await
            }
            false => Ok(Copied::Full),
        };
        match copied {
            Ok(Copied::Settled(Filed::New | Filed::Already | Filed::Purged)) => {
                tracing::info!(message = %id, of = %message, mailbox = %other.id, "passed on");
                true
            }
            refused => {
                tracing::warn!(%message, mailbox = %other.id, ?refused, "not passed on");
                false
            }
        }
    }

    /// What is no longer needed goes. What is left by a failure is found later: the take by the filer,
    /// the recording by the sweep.
    async fn clear_away(&self, intro: Option<MessageId>, sound: Option<Recording>) {
        let Desk { app, spool, .. } = &self.desk;
        let clearing = async {
            if let Some(intro) = intro {
                spool.discard(intro).await?;
            }
            if let Some(sound) = sound
                && !store::within(PATIENCE, messages::has_blob(&app.db, &sound.blob)).await?
            {
                app.blobs.delete(&sound.blob).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = clearing.await {
            tracing::warn!("what an introduction left cannot be cleared away now: {error:#}");
        }
    }

    /// The introduction, a breath, and the message, written as a recording of its own.
    async fn with_intro(
        &self,
        own: &Mailbox,
        message: MessageId,
        intro: MessageId,
    ) -> anyhow::Result<Recording> {
        let Desk { app, spool, .. } = &self.desk;
        let original = self.desk.sound(Some(own), message).await.context("it cannot be read")?;
        let spool = spool.clone();
        let joined = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            let intro = spool.read(intro)?;
            let rate = original.rate;
            let mut samples = resample(&intro.samples, intro.rate, rate);
            samples.extend(std::iter::repeat_n(0, rate as usize / 2));
            samples.extend_from_slice(&original.samples);
            let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(rate));
            Ok((wav::to_wav(&samples, rate), length))
        });
        let (file, length) = joined.await??;
        let blob = blobs::message(&app.clock.message_id());
        app.blobs.put(&blob, file.into()).await?;
        Ok(Recording { blob, length })
    }
}

impl Desk {
    /// Whether an owner may call somebody back, which counts as one that was.
    pub(super) async fn may_call_back(&self, owner: Option<&Mailbox>) -> Result<bool, StoreError> {
        let Some(owner) = owner else { return Ok(false) };
        let now = Moment::from_millisecond(self.app.clock.now().0).unwrap_or_default();
        let today = now.to_zoned(admin::greeting::zone(owner)).date();
        let day = today.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
        let most = self.app.config.retrieval.call_backs_a_day;
        store::within(PATIENCE, call_backs::claim(&self.app.db, &owner.id, day, most)).await
    }

    /// What an owner has spoken for callers, if it can be had.
    pub(super) async fn spoken(&self, owner: Option<&Mailbox>, what: Spoken) -> Option<Arc<Clip>> {
        match self.spoken_sound(owner?, what).await {
            Ok(clip) => clip,
            Err(error) => {
                tracing::error!("what an owner recorded cannot be played: {error:#}");
                None
            }
        }
    }

    async fn spoken_sound(
        &self,
        owner: &Mailbox,
        what: Spoken,
    ) -> anyhow::Result<Option<Arc<Clip>>> {
        let blob = match what {
            Spoken::Greeting(kind) => {
                let all = store::within(PATIENCE, greetings::of(&self.app.db, &owner.id)).await?;
                all.into_iter().find(|it| it.recorded.kind == kind).map(|it| it.blob)
            }
            Spoken::Name => {
                let name = store::within(PATIENCE, names::of(&self.app.db, &owner.id)).await?;
                name.map(|it| it.blob)
            }
        };
        let Some(blob) = blob else { return Ok(None) };
        opening::load(self, "recording", &blob).await.map(Some)
    }
}

/// Midnight after so many days, where the mailbox is.
fn end_of(days: u32, mailbox: &Mailbox, now: Timestamp) -> anyhow::Result<Timestamp> {
    let now = Moment::from_millisecond(now.0)?.to_zoned(admin::greeting::zone(mailbox));
    let end = now.date().checked_add(i64::from(days).days())?;
    let end = end.to_zoned(now.time_zone().clone())?;
    Ok(Timestamp(end.timestamp().as_millisecond()))
}
