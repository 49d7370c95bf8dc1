//! What owners change by phone: what callers hear, the PIN, and whom a message goes to.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use jiff::{Timestamp as Moment, ToSpan};

use super::opening;
use super::visit::Clerk;
use super::{Desk, PATIENCE};
use crate::admin;
use crate::app::RATE;
use crate::audio::{Clip, loudness::levelled, resample::resample, wav};
use crate::blobs;
use crate::flow::{Event, Spoken};
use crate::mailbox::{Mailbox, MessageId, Pin, Timestamp, greeting::Recorded, room::Door};
use crate::store::messages::{self, Copied, Copy, Filed, Recording};
use crate::store::{self, StoreError, greetings, mailboxes, names, pins};

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
        // What stays in the spool is found at the next start, and goes then.
        if let Err(error) = spool.discard(take).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a take could not be discarded"
            );
        }
        Ok(())
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
        let hash = self.hash(pin).await;
        let changing = pins::change(&app.db, &mailbox.id, &hash, app.clock.now());
        let changed = store::within(PATIENCE, changing).await?;
        tracing::info!(mailbox = %mailbox.id, "an owner changed the PIN");
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
        Ok(Some(mailbox).filter(|_| open))
    }

    async fn at(&self, number: &str) -> Result<Option<Mailbox>, StoreError> {
        let Some(own) = self.mailbox.get() else { return Ok(None) };
        let finding = mailboxes::at(&self.desk.app.db, &own.tenant, number);
        store::within(PATIENCE, finding).await
    }

    /// Gives a message to others, each of whom gets a copy; fails if one of them could not.
    pub(super) async fn forward(
        &self,
        message: MessageId,
        to: Vec<String>,
        intro: Option<MessageId>,
    ) -> anyhow::Result<()> {
        let own = self.mailbox.get().context("nobody has logged in")?;
        let Desk { app, spool, .. } = &self.desk;
        let sound = match intro {
            Some(intro) => Some(self.with_intro(own, message, intro).await?),
            None => None,
        };
        let mut missed = Vec::new();
        for number in to {
            let Some(other) = self.at(&number).await? else {
                missed.push(number);
                continue;
            };
            let copy = Copy {
                id: app.clock.message_id(),
                message,
                from: &own.id,
                to: &other,
                by: Some(&own.id),
                sound: sound.clone(),
                past_limit: false,
                notify_due: app.mail_due(other.settings.transcribe),
            };
            let copying = messages::copy(&app.db, &copy, app.clock.now());
            match store::within(PATIENCE, copying).await? {
                Copied::Settled(Filed::New | Filed::Already) => {
                    tracing::info!(message = %copy.id, of = %message, mailbox = %other.id, "passed on");
                }
                refused => {
                    tracing::warn!(%message, mailbox = %other.id, ?refused, "not passed on");
                    missed.push(number);
                }
            }
        }
        app.bell.notify_waiters();
        if let Some(intro) = intro {
            spool.discard(intro).await?;
        }
        if let Some(sound) = sound
            && !store::within(PATIENCE, messages::has_blob(&app.db, &sound.blob)).await?
        {
            app.blobs.delete(&sound.blob).await?;
        }
        if !missed.is_empty() {
            bail!("{} of the mailboxes did not take the message", missed.len());
        }
        Ok(())
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
        opening::load(&self.app, "recording", &blob).await.map(Some)
    }
}

/// Midnight after so many days, where the mailbox is.
fn end_of(days: u32, mailbox: &Mailbox, now: Timestamp) -> anyhow::Result<Timestamp> {
    let now = Moment::from_millisecond(now.0)?.to_zoned(admin::greeting::zone(mailbox));
    let end = now.date().checked_add(i64::from(days).days())?;
    let end = end.to_zoned(now.time_zone().clone())?;
    Ok(Timestamp(end.timestamp().as_millisecond()))
}
