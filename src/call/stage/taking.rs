//! Takes: recorded, waited for, and then filed, discarded or left for the filer. None is forgotten.

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Setting, Stage};
use crate::audio::{Codec, listener::Why};
use crate::call::Desk;
use crate::call::spool::{Kept, Label, Recording, TakeEvent};
use crate::call::visit::Visit;
use crate::flow::{Ended, Event};
use crate::mailbox::{Caller, MessageId, Said, Take};
use crate::rtp::Recorder;

/// A take being recorded.
pub(super) struct Taking {
    pub(super) recording: Recording,
    /// What its sound is written in.
    pub(super) codec: Codec,
    /// Why it ends; `None` while nobody wants it to.
    pub(super) ended: Option<Ended>,
    /// The media plane lost the end of it.
    pub(super) broken: bool,
}

/// A take whose fate is the caller's to decide.
pub(super) struct Held {
    pub(super) kept: Kept,
    /// Says to the spool that somebody is in charge of it.
    _charge: Recording,
}

/// How long a caller waits for filing before the call ends without the word "saved".
const FILED_WITHIN: Duration = Duration::from_secs(5);

impl Stage {
    /// Where a recording goes on, if its caller speaks what it cannot be translated from.
    pub(super) fn recorder_for(&mut self, codec: Codec) -> Option<Recorder> {
        // One that ends just now must not begin again.
        let taking = self.recording.as_mut().filter(|it| it.ended.is_none())?;
        if taking.codec == codec || taking.codec.law().and(codec.law()).is_some() {
            return None;
        }
        let Some(ring) = taking.recording.go_on(codec) else {
            tracing::warn!("the caller changes codecs too fast; what is said now is not recorded");
            return None;
        };
        taking.codec = codec;
        Some(Recorder { ring, codec, at_most: u64::MAX })
    }

    pub(super) fn taken(&mut self, event: TakeEvent) -> Option<Event> {
        match event {
            TakeEvent::Verdict(verdict) => {
                let ended = match verdict.why {
                    Why::Silence => Ended::Silence,
                    Why::Tone => Ended::Tone,
                    Why::Longest => Ended::Longest,
                };
                self.stop_recording(ended);
                None
            }
            TakeEvent::Sealed(kept) => {
                let Taking { recording, ended, broken, .. } = self.recording.take()?;
                let Some(ended) = ended.filter(|_| !broken) else {
                    // It ended before anybody wanted it to: the caller may still be speaking.
                    self.leave(Kept { interrupted: true, ..kept });
                    return Some(Event::NotRecorded);
                };
                let take = kept.take.clone();
                self.kept.push(Held { kept, _charge: recording });
                Some(Event::Recorded(take, ended))
            }
            TakeEvent::Failed { why, kept } => {
                tracing::error!(error = &why as &dyn Error, "a recording broke off");
                self.recording = None;
                self.leg.stop_recording();
                // What is on disk all the same belongs to the owner.
                kept.into_iter().for_each(|it| self.desk.filer.recover(it));
                Some(Event::NotRecorded)
            }
        }
    }

    /// A message that broke off is one all the same; half a greeting is none.
    fn leave(&mut self, kept: Kept) {
        match kept.label.dictated {
            true => self.discard(kept.take),
            false => self.desk.filer.recover(kept),
        }
    }

    pub(super) fn record(&mut self, dictated: bool) -> Event {
        let Setting { reached, visit, caller, call_id, policy, reason, .. } = &self.setting;
        let own = visit.as_ref().and_then(Visit::mailbox);
        let addressee = visit.as_ref().and_then(Visit::addressee);
        let named = if dictated { own } else { addressee }.map(|it| (&it.id, &it.tenant));
        let reached = reached.as_ref().filter(|_| !dictated).map(|it| (&it.id, &it.tenant));
        let Some((mailbox, tenant)) = named.or(reached) else {
            return Event::NotRecorded;
        };
        let label = Label {
            mailbox: mailbox.clone(),
            tenant: tenant.clone(),
            // Who has logged in leaves a message as the owner of that mailbox.
            caller: own.map_or_else(
                || caller.clone(),
                |it| Caller::claimed(Some(&it.name), Some(&it.number)),
            ),
            dictated,
            received: self.desk.app.clock.now(),
            call: call_id.clone(),
            reason: *reason,
            said: Said::default(),
        };
        let id = self.desk.app.clock.message_id();
        match self.desk.spool.begin(id, label, self.codec, Desk::rules(policy, &self.media)) {
            Ok((ring, recording)) => {
                self.leg.record(Recorder { ring, codec: self.codec, at_most: u64::MAX });
                let codec = self.codec;
                self.recording = Some(Taking { recording, codec, ended: None, broken: false });
                Event::Recording
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "cannot record");
                Event::NotRecorded
            }
        }
    }

    /// What ended it first stays the reason.
    pub(super) fn stop_recording(&mut self, why: Ended) {
        self.leg.stop_recording();
        if let Some(taking) = &mut self.recording {
            taking.ended.get_or_insert(why);
            taking.recording.ends();
        }
    }

    pub(super) fn file(&mut self, take: Take, said: Said) {
        let Some(place) = self.kept.iter().position(|it| it.kept.take.id == take.id) else {
            return;
        };
        let (reply, filed) = oneshot::channel();
        let mut kept = self.kept.swap_remove(place).kept;
        kept.label.said = said;
        // It may be of a better take than the one that was marked.
        if said != Said::default() {
            self.mark(kept.take.id, said);
        }
        self.desk.filer.file(kept, reply);
        self.filing = Some(Box::pin(timeout(FILED_WITHIN, filed)));
    }

    pub(super) fn mark(&self, take: MessageId, said: Said) {
        if let Err(error) = self.desk.spool.say(take, said) {
            tracing::warn!(error = &error as &dyn Error, "a mark would be lost in a crash now");
        }
    }

    /// Discards follow each other, so that all of them are done when the last one is.
    pub(super) fn discard(&mut self, take: Take) {
        self.kept.retain(|it| it.kept.take.id != take.id);
        let (spool, before) = (self.desk.spool.clone(), self.discarding.take());
        self.discarding = Some(tokio::spawn(async move {
            if let Some(before) = before {
                before.await.ok();
            }
            if let Err(error) = spool.discard(take.id).await {
                tracing::error!(take = %take.id, error = &error as &dyn Error,
                    "a recording could not be discarded");
            }
        }));
    }
}

/// What becomes of a recording, if there is one.
pub(super) async fn taken(recording: &mut Option<Taking>) -> TakeEvent {
    match recording {
        Some(taking) => taking.recording.next().await,
        None => pending().await,
    }
}
