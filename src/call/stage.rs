//! Doing what a flow asked for, in order.
//!
//! What is only heard can be replaced at any time; a duty cannot. Filing, discarding and the end
//! of a recording begin the moment the flow asks for them, so no key and no hang-up undoes them.

mod bridge;
mod sounding;
mod taking;

use std::collections::VecDeque;
use std::error::Error;
use std::future::{Future, pending};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Timeout};

use super::keypad::Keypad;
use super::listening::Listening;
use super::opening::Opening;
use super::visit::{Visit, Visitor};
use super::{Desk, stream};
use crate::admin;
use crate::audio::{Clip, Codec};
use crate::flow::{Action, Cue, Ended, Event, Flow, OperatorBy, Policy, Prompt, Retrieval};
use crate::mailbox::{Caller, Mailbox, MailboxId, Reason, TenantId, Timestamp, greeting};
use crate::rtp::{Heard, Leg};
use crate::sip::{Answering, Media, SendingOn};
use bridge::{Bridge, far};
use sounding::{CALL_BACKS, Loaded, Ready, Sounding, ready};
use taking::{Held, Taking, taken};

/// The actions still to be done, what is under way, and the recording if there is one.
///
/// All progress lives here and none in the future of [`Stage::next`], which is dropped whenever
/// something else happens first.
pub(super) struct Stage {
    desk: Desk,
    leg: Leg,
    codec: Codec,
    media: Media,
    setting: Setting,
    /// How the call is answered, until it is.
    answering: Option<Answering>,
    queue: VecDeque<Step>,
    sounding: Sounding,
    /// What was last given to the leg to be played.
    played: Vec<Arc<Clip>>,
    marks: u64,
    recording: Option<Taking>,
    /// Sealed and neither filed nor discarded; two while a better take is being recorded.
    kept: Vec<Held>,
    filing: Option<Pin<Box<Timeout<oneshot::Receiver<bool>>>>>,
    discarding: Option<JoinHandle<()>>,
    /// The message its owner hears, or has just heard.
    listening: Option<Listening>,
    keypad: Keypad,
    /// Whom the caller speaks with.
    bridge: Option<Box<Bridge>>,
    idle_told: bool,
    caller_left: bool,
    hung_up: bool,
}

/// How long a call that could not be answered waits for signalling to say why.
const UNANSWERED: Duration = Duration::from_secs(60);

/// What is left of an action once its duty has begun.
enum Step {
    /// What comes next is for a call that is answered.
    Answer,
    Play(Prompt),
    Pause(Duration),
    Record,
    /// Record what becomes no message by itself.
    Dictate,
    /// Wait until what was discarded is gone for good.
    Settle,
    SendOn,
    CallBack(String),
    HangUp,
}

/// What a call begins with.
pub(super) struct Setting {
    /// Where a message may be left.
    pub(super) reached: Option<Reached>,
    /// What prompts are spoken in; an owner who has logged in hears their own.
    pub(super) language: String,
    /// What an owner asks of the store.
    pub(super) visit: Option<Visit>,
    /// Who this is once the owner's PIN is asked for, where it may be.
    pub(super) visitor: Option<Visitor>,
    /// What sends the caller to the operator.
    pub(super) sending_on: Option<SendingOn>,
    pub(super) caller: Caller,
    /// Why the call came to the mailbox.
    pub(super) reason: Reason,
    pub(super) call_id: String,
    /// The phone system the call came from.
    pub(super) home: String,
    pub(super) policy: Policy,
    /// Where the caller's signalling comes from.
    pub(super) peer: IpAddr,
    /// What the caller hears first; taken when it is played.
    pub(super) greeting: Option<JoinHandle<Opening>>,
}

/// What a call that is under way has to know of its mailbox: thousands may be.
pub(super) struct Reached {
    id: MailboxId,
    tenant: TenantId,
    number: String,
    /// Whom its callers may ask for.
    operator: Option<String>,
    /// What a sentence stands in for, if nothing is recorded.
    wanted: greeting::Kind,
}

impl Reached {
    pub(super) fn new(mailbox: &Mailbox, reason: Reason, now: Timestamp) -> Self {
        let facts = admin::greeting::facts(mailbox, reason, &[], now);
        Self {
            id: mailbox.id.clone(),
            tenant: mailbox.tenant.clone(),
            number: mailbox.number.clone(),
            operator: mailbox.settings.operator.address().map(str::to_owned),
            wanted: mailbox.settings.greetings.wanted(&facts),
        }
    }
}

impl Stage {
    /// With `answering` the call is heard, and not answered before it has to be.
    pub(super) fn new(
        desk: Desk,
        leg: Leg,
        media: &Media,
        setting: Setting,
        answering: Option<Answering>,
    ) -> Self {
        let mut stage = Self {
            desk,
            leg,
            codec: media.codec,
            media: *media,
            setting,
            answering,
            queue: VecDeque::new(),
            sounding: Sounding::Nothing,
            played: Vec::new(),
            marks: 0,
            recording: None,
            kept: Vec::new(),
            filing: None,
            discarding: None,
            listening: None,
            keypad: Keypad::default(),
            bridge: None,
            idle_told: false,
            caller_left: false,
            hung_up: false,
        };
        stage.connect(media);
        stage
    }

    /// The caller's end is there, or moved, or was put on hold, or speaks another codec.
    pub(super) fn connect(&mut self, media: &Media) {
        let media = Media { receive: self.hears(media), ..*media };
        self.media = media;
        let stream = stream(&media, self.setting.peer);
        let before = self.recording.as_ref().map(|it| it.codec);
        let connected = match self.recorder_for(media.codec) {
            Some(recorder) => self.leg.change(stream, recorder),
            None => self.leg.connect(stream),
        };
        if let Err(error) = connected {
            tracing::warn!(error = &error as &dyn Error, "the caller's sound cannot be reached");
            self.recording.iter_mut().zip(before).for_each(|(it, codec)| it.codec = codec);
        }
        if self.codec != media.codec {
            self.codec = media.codec;
            self.prepare();
        }
    }

    /// Whether what comes is the caller's. Who does not listen has put us on hold, and what comes then, if
    /// anything does, is the music of their phone system: for whoever they speak with, and for no message.
    fn hears(&self, media: &Media) -> bool {
        media.receive && (media.send || self.bridge.is_some())
    }

    /// A key that came by SIP INFO, unless it was heard before.
    pub(super) fn told(&mut self, key: char) -> Option<char> {
        self.keypad.told(key).filter(|key| !self.is_passed_on(*key))
    }

    /// Has what is played encoded in the call's codec where it is not; the leg waits for it.
    fn prepare(&self) {
        let codec = self.codec;
        if self.played.iter().any(|it| it.ready(codec).is_none()) {
            let clips = self.played.clone();
            tokio::task::spawn_blocking(move || clips.iter().for_each(|it| it.prepare(codec)));
        }
    }

    /// Drops what was still to be heard and begins with these instead.
    pub(super) fn replace(&mut self, actions: Vec<Action>) {
        if matches!(self.sounding, Sounding::Playing(_) | Sounding::Connecting(_)) {
            self.leg.hush();
        }
        self.sounding = Sounding::Nothing;
        self.listening.iter_mut().for_each(Listening::stand_still);
        self.played.clear();
        self.idle_told = false;
        self.queue.clear();
        for action in actions {
            self.take_up(action);
        }
    }

    /// Turns to somebody who says they are the owner: what is asked of the store is from now on asked
    /// for them. The flow their call goes on in, and what it begins with.
    pub(super) fn let_in(&mut self) -> Option<(Flow, Vec<Action>)> {
        let visitor = self.setting.visitor.take()?;
        let number = self.setting.reached.as_ref()?.number.clone();
        self.setting.visit = Some(Visit::begin(self.desk.clone(), visitor));
        let config = &self.desk.app.config;
        let flow = Retrieval::stranger(config.retrieval.clone(), config.deposit.clone());
        let mut flow = Flow::Retrieval(Box::new(flow));
        flow.on(Event::Start);
        // They are at their mailbox already: it is as if they had typed its number.
        let mut actions = Vec::new();
        for key in number.chars().chain(['#']) {
            actions = flow.on(Event::Key(key));
        }
        Some((flow, actions))
    }

    /// Nobody is listening any more; a recording still has to be finished.
    pub(super) fn empty(&mut self) {
        self.replace(vec![]);
        self.bridge = None;
        self.caller_left = true;
    }

    /// Whether a take is not yet sealed on disk, or not yet gone from there.
    pub(super) fn is_writing(&self) -> bool {
        self.recording.is_some() || self.discarding.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        let visited = self.setting.visit.as_ref().is_some_and(Visit::is_at_work);
        let at_work = self.is_writing() || self.filing.is_some() || visited;
        (self.hung_up || self.caller_left && self.queue.is_empty()) && !at_work
    }

    /// Does the next things asked for, until something happens that the flow should know.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            while self.is_free() {
                match self.queue.pop_front() {
                    Some(step) => {
                        if let Some(event) = self.begin(step) {
                            return event;
                        }
                    }
                    None => break,
                }
            }
            if self.is_over() {
                return Event::Idle;
            }
            if self.is_idle() {
                self.idle_told = true;
                return Event::Idle;
            }
            if let Some(event) = self.wait().await {
                return event;
            }
        }
    }

    /// Begins a duty at once and queues the rest.
    fn take_up(&mut self, action: Action) {
        let needed = match action {
            Action::SendOn => self.setting.policy.operator_by != OperatorBy::Redirect,
            _ => action.needs_answer(),
        };
        if self.answering.is_some() && needed {
            self.queue.push_back(Step::Answer);
        }
        match action {
            Action::Play(prompt) => {
                // What comes before it may be skipped, and with it the beginning.
                if let Prompt::Message { from: Cue::Start, .. } = prompt {
                    self.listening = None;
                }
                self.queue.push_back(Step::Play(prompt));
            }
            Action::Pause(time) => self.queue.push_back(Step::Pause(time)),
            Action::Record => self.queue.push_back(Step::Record),
            Action::Dictate => self.queue.push_back(Step::Dictate),
            Action::SendOn => self.queue.push_back(Step::SendOn),
            Action::CallBack(number) => self.queue.push_back(Step::CallBack(number)),
            Action::HangUp => self.queue.push_back(Step::HangUp),
            // The session turns to another flow for it.
            Action::LetIn => {}
            Action::StopRecording => self.stop_recording(Ended::Stopped),
            Action::File(take, said) => self.file(take, said),
            Action::Mark(take, said) => self.mark(take.id, said),
            Action::Discard(take) => {
                self.discard(take);
                self.queue.push_back(Step::Settle);
            }
            // A take that is kept or forwarded stays in our charge until that is done.
            Action::LogIn { .. }
            | Action::Open
            | Action::Move { .. }
            | Action::Keep { .. }
            | Action::Announce(_)
            | Action::Remove(_)
            | Action::ChangePin(_)
            | Action::Find(_)
            | Action::Forward { .. }
            | Action::Reach(_) => {
                if let Some(visit) = &mut self.setting.visit {
                    visit.ask(action);
                }
            }
        }
    }

    fn begin(&mut self, step: Step) -> Option<Event> {
        match step {
            Step::Answer => self.sounding = self.answer(),
            Step::Play(prompt) => self.sounding = Sounding::Loading(self.load(prompt)),
            Step::Pause(time) => self.sounding = Sounding::Pausing(Instant::now() + time),
            Step::Record | Step::Dictate if self.caller_left => {}
            Step::Record => return Some(self.record(false)),
            Step::Dictate => return Some(self.record(true)),
            Step::Settle => {}
            Step::SendOn => self.sounding = self.send_on(),
            Step::CallBack(number) => self.sounding = self.call_back(number),
            Step::HangUp => self.hung_up = true,
        }
        None
    }

    fn is_free(&self) -> bool {
        matches!(self.sounding, Sounding::Nothing)
            && !(self.discarding.is_some() && matches!(self.queue.front(), Some(Step::Settle)))
            && !self.hung_up
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && matches!(self.sounding, Sounding::Nothing)
            && self.recording.is_none()
            && self.bridge.is_none()
            && !self.setting.visit.as_ref().is_some_and(Visit::is_at_work)
            && !(self.idle_told || self.caller_left || self.hung_up)
    }

    /// Waits for whatever comes first of all that is under way.
    async fn wait(&mut self) -> Option<Event> {
        tokio::select! {
            heard = self.leg.next() => self.heard(heard),
            ready = ready(&mut self.sounding) => match ready {
                Ready::SentOn(sent) => {
                    self.sounding = Sounding::Nothing;
                    Some(Event::SentOn(sent))
                }
                Ready::CalledBack(event) => {
                    self.sounding = Sounding::Nothing;
                    Some(event)
                }
                Ready::CallBack(number) => {
                    self.sounding = self.connect_with(number, CALL_BACKS);
                    None
                }
                Ready::Connected(bridge) => Some(self.connected(bridge)),
                Ready::Unplayable => {
                    self.sounding = Sounding::Nothing;
                    Some(Event::Unplayable)
                }
                ready => {
                    self.sounding = self.go_on(ready);
                    None
                }
            },
            far = far(&mut self.bridge) => self.at_far_end(far),
            event = taken(&mut self.recording) => self.taken(event),
            event = visited(&mut self.setting.visit) => Some(event),
            filed = some(&mut self.filing) => {
                self.filing = None;
                Some(Event::Filed(matches!(filed, Ok(Ok(true)))))
            }
            _ = some(&mut self.discarding) => {
                self.discarding = None;
                // The session may have waited for this with its answer to BYE.
                self.caller_left.then_some(Event::Idle)
            }
        }
    }

    /// What sounds after something that had to be waited for.
    fn go_on(&mut self, ready: Ready) -> Sounding {
        match ready {
            Ready::Clips(Loaded { clips, listening }) => {
                if let Some(mut listening) = listening {
                    listening.begin();
                    self.listening = Some(listening);
                }
                self.marks += 1;
                self.played.clone_from(&clips);
                self.prepare();
                self.leg.play(clips, self.marks);
                Sounding::Playing(self.marks)
            }
            Ready::Answered => {
                self.answering = None;
                tracing::info!("call answered");
                super::count_answered();
                // Whoever was silent before the answer is given their time anew.
                self.leg.connect(stream(&self.media, self.setting.peer)).ok();
                Sounding::Nothing
            }
            Ready::Over
            | Ready::Unplayable
            | Ready::SentOn(_)
            | Ready::CalledBack(_)
            | Ready::CallBack(_)
            | Ready::Connected(_) => Sounding::Nothing,
            // Signalling says why in a moment; until then nothing may go on.
            Ready::Unanswered => Sounding::Pausing(Instant::now() + UNANSWERED),
        }
    }

    fn heard(&mut self, heard: Heard) -> Option<Event> {
        match heard {
            // Without telephone events it was a tone.
            Heard::Digit(key) if self.media.telephone_event_in.is_none() => {
                return self.keypad.sounded(key).map(Event::Key);
            }
            Heard::Digit(key) => return Some(Event::Key(key)),
            Heard::Played(mark) => {
                if matches!(self.sounding, Sounding::Playing(it) if it == mark) {
                    self.sounding = Sounding::Nothing;
                    self.listening.iter_mut().for_each(Listening::stand_still);
                }
            }
            // Many send nothing before they are answered.
            Heard::TimedOut if self.answering.is_some() => {}
            // A dead line is a caller who left without a word. The session says BYE for them.
            Heard::TimedOut | Heard::Stopped if !self.caller_left => {
                tracing::info!("no sound comes from the caller any more, ending the call");
                self.hung_up = true;
                return Some(Event::HungUp);
            }
            Heard::TimedOut | Heard::Stopped | Heard::RecordingDone => {}
            Heard::RecordingFailed => {
                tracing::error!("the spool was too slow to take up a recording");
                self.recording.iter_mut().for_each(|it| it.broken = true);
            }
        }
        None
    }
}

async fn visited(visit: &mut Option<Visit>) -> Event {
    match visit {
        Some(visit) => visit.next().await,
        None => pending().await,
    }
}

/// Waits for something that may not be under way, in which case nothing ever comes.
async fn some<F: Future + Unpin>(it: &mut Option<F>) -> F::Output {
    match it {
        Some(it) => it.await,
        None => pending().await,
    }
}
