//! What sounds in a call, and what has to be waited for before it does: clips, the answer, somebody
//! else's phone.

use std::future::pending;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::bridge::{Bridge, Connecting};
use super::{Setting, Stage};
use crate::audio::{Clip, Codec};
use crate::call::listening::Listening;
use crate::call::opening::{self, Opening};
use crate::call::visit::Visit;
use crate::flow::{Event, OperatorBy, Prompt};
use crate::mailbox::greeting;
use crate::say::Phrase;

pub(super) enum Sounding {
    Nothing,
    Loading(JoinHandle<Option<Loaded>>),
    Playing(u64),
    Pausing(Instant),
    Answering(JoinHandle<bool>),
    SendingOn(JoinHandle<bool>),
    CallingBack(JoinHandle<CallBack>),
    Connecting(Connecting),
}

/// What comes of an owner's wish to call somebody back.
pub(super) enum CallBack {
    /// Whatever was done, it is done.
    Settled(Event),
    /// They may, and this number is to be called for them.
    Wanted(String),
}

/// Callers who wanted the operator, and owners who wanted to call back.
const OPERATOR: &str = "afterbeep_operator_total";
pub(super) const CALL_BACKS: &str = "afterbeep_call_backs_total";

/// What is to be played next.
pub(super) struct Loaded {
    pub(super) clips: Vec<Arc<Clip>>,
    pub(super) listening: Option<Listening>,
}

/// What was waited for.
pub(super) enum Ready {
    Clips(Loaded),
    /// There is nothing to be heard of it, and the flow has to know.
    Unplayable,
    /// A pause is over.
    Over,
    Answered,
    Unanswered,
    /// Whether the caller goes elsewhere.
    SentOn(bool),
    /// What came of calling back whoever left a message.
    CalledBack(Event),
    /// This number is to be called for the owner.
    CallBack(String),
    /// Whoever was called for the caller, if they answered.
    Connected(Option<Box<Bridge>>),
}

/// Waits until clips are loaded, the call is answered, or for the end of a pause.
pub(super) async fn ready(sounding: &mut Sounding) -> Ready {
    match sounding {
        Sounding::Loading(loading) => match loading.await {
            Ok(Some(loaded)) => Ready::Clips(loaded),
            _ => Ready::Unplayable,
        },
        Sounding::Answering(answered) => match answered.await {
            Ok(true) => Ready::Answered,
            _ => Ready::Unanswered,
        },
        Sounding::SendingOn(sent) => Ready::SentOn(matches!(sent.await, Ok(true))),
        Sounding::CallingBack(asked) => match asked.await {
            Ok(CallBack::Settled(event)) => Ready::CalledBack(event),
            Ok(CallBack::Wanted(number)) => Ready::CallBack(number),
            Err(_) => Ready::CalledBack(Event::Done(false)),
        },
        Sounding::Connecting(connecting) => Ready::Connected(connecting.await),
        Sounding::Pausing(until) => {
            sleep_until(*until).await;
            Ready::Over
        }
        Sounding::Nothing | Sounding::Playing(_) => pending().await,
    }
}

impl Stage {
    /// Has the call answered, if it is not yet.
    pub(super) fn answer(&self) -> Sounding {
        match self.answering.clone() {
            Some(it) => Sounding::Answering(tokio::spawn(async move { it.answer().await })),
            None => Sounding::Nothing,
        }
    }

    /// Has a number called that a setting allows, by the owner's phone system or by us.
    pub(super) fn call_back(&self, number: String) -> Sounding {
        let sending = self.setting.sending_on.clone();
        let owner = self.setting.visit.as_ref().and_then(Visit::mailbox).cloned();
        let by = self.setting.policy.operator_by;
        let desk = self.desk.clone();
        Sounding::CallingBack(tokio::spawn(async move {
            match desk.may_call_back(owner.as_ref()).await {
                Ok(true) if by == OperatorBy::Bridge => return CallBack::Wanted(number),
                Ok(true) => {}
                Ok(false) => {
                    tracing::info!("an owner has had as many call-backs today as there may be");
                    metrics::counter!(CALL_BACKS, "outcome" => "too_many").increment(1);
                    return CallBack::Settled(Event::Refused);
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "call-backs cannot be counted, so none is made");
                    return CallBack::Settled(Event::OutOfReach);
                }
            }
            let Some(sending) = sending else { return CallBack::Settled(Event::Done(false)) };
            let sent = sending.send_to(&number).await;
            let outcome = if sent { "sent" } else { "refused" };
            tracing::info!(number, "an owner who wanted to call back was {outcome}");
            metrics::counter!(CALL_BACKS, "outcome" => outcome).increment(1);
            CallBack::Settled(Event::Done(sent))
        }))
    }

    /// Sends the caller to whom the mailbox names, which no caller can change, or calls there.
    pub(super) fn send_on(&mut self) -> Sounding {
        let sending = self.setting.sending_on.clone();
        let to = self.setting.reached.as_ref().and_then(|it| it.operator.clone());
        if self.setting.policy.operator_by == OperatorBy::Bridge
            && let Some(to) = to
        {
            return self.connect_with(to, OPERATOR);
        }
        Sounding::SendingOn(tokio::spawn(async move {
            let (Some(sending), Some(to)) = (sending, to) else { return false };
            let sent = sending.send_to(&to).await;
            let outcome = if sent { "sent" } else { "refused" };
            tracing::info!("a caller who wanted the operator was {outcome}");
            metrics::counter!(OPERATOR, "outcome" => outcome).increment(1);
            sent
        }))
    }

    /// The clips of a prompt, encoded for this call. What cannot be loaded is left out: a missing
    /// clip drops no call. `None` for a message of which nothing can be played.
    pub(super) fn load(&mut self, prompt: Prompt) -> JoinHandle<Option<Loaded>> {
        let codec = self.codec;
        let desk = self.desk.clone();
        let Setting { reached, visit, language, .. } = &self.setting;
        let owner = visit.as_ref().and_then(Visit::mailbox).cloned();
        let language = owner.as_ref().map_or(language, |it| &it.settings.prompts).clone();
        let made = reached.as_ref().map(|it| (it.wanted, it.number.clone()));
        let greeting = match prompt {
            Prompt::Greeting => self.setting.greeting.take(),
            _ => None,
        };
        let heard = self.listening.clone();
        tokio::spawn(async move {
            let say = |phrase| desk.say(&language, phrase);
            let mut listening = None;
            let clips = match prompt {
                Prompt::Beep => vec![desk.app.prompts.beep()],
                Prompt::Say(phrase) => say(phrase).await,
                Prompt::Take(take) => desk.playback(take).await.into_iter().collect(),
                Prompt::Greeting => match (opening::found(greeting).await, made) {
                    (Opening::Recorded(clip), _) => vec![clip],
                    (_, None) => Vec::new(),
                    (opening, Some((wanted, number))) => {
                        let name = if let Opening::Named(it) = opening { Some(it) } else { None };
                        let made = || greeting::made(wanted, &number);
                        desk.say_named(&language, &greeting::named(wanted), name, made)
                    }
                },
                Prompt::Spoken(what) => match desk.spoken(owner.as_ref(), what).await {
                    Some(clip) => vec![clip],
                    None => say(Phrase::NothingRecorded).await,
                },
                Prompt::Message { id, from, pace } => {
                    let before = heard.filter(|it| it.id == id);
                    let begun = match before {
                        Some(heard) => Some(heard),
                        None => {
                            let sound = desk.sound(owner.as_ref(), id).await;
                            sound.map(|it| Listening::new(id, it))
                        }
                    };
                    listening = begun.map(|it| it.from(from, pace));
                    vec![rest(listening.clone()).await?]
                }
            };
            let clips = encoded(clips, codec).await;
            let is_heard = listening.is_none() || !clips.is_empty();
            is_heard.then_some(Loaded { clips, listening })
        })
    }
}

async fn rest(listening: Option<Listening>) -> Option<Arc<Clip>> {
    let listening = listening?;
    let rest = tokio::task::spawn_blocking(move || listening.rest());
    rest.await.ok().map(Arc::new)
}

/// Encodes what no call in this codec was played yet, which may take a while.
async fn encoded(clips: Vec<Arc<Clip>>, codec: Codec) -> Vec<Arc<Clip>> {
    if clips.iter().all(|it| it.ready(codec).is_some()) {
        return clips;
    }
    let preparing = clips.clone();
    let prepare = move || preparing.iter().for_each(|it| it.prepare(codec));
    if let Err(error) = tokio::task::spawn_blocking(prepare).await {
        tracing::error!(%error, "what was to be played could not be encoded");
        return Vec::new();
    }
    clips
}
