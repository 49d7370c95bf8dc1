//! Leaving a message: greeting, beep, recording, review.
//!
//! A mailbox that takes no messages says so before its greeting, or plays its greeting and no more.
//! The last good take is given up only for a better one or by the caller's own word, so a caller
//! who leaves while recording again still leaves the message they had.

use std::{mem, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Ended, Event, Prompt};
use crate::mailbox::{Said, Take, room::Door};
use crate::say::Phrase;

/// `[deposit]`: how messages are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Anything shorter is a caller who changed their mind, not a message.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub shortest: Duration,

    /// Recording stops here; what was said is kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub longest: Duration,

    /// Recording stops after this long without a voice; `0s` never stops it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub silence: Duration,

    /// Whether a caller who ends with `#` may listen, record again or delete before it is kept.
    pub review: bool,

    /// How long the menus wait for a key before the message is kept as it is.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub patience: Duration,

    /// How often a caller is asked to speak before the call is ended.
    pub tries: u32,

    /// How a caller who presses 0 is sent to the mailbox's operator; with `bridge` owners who call back
    /// are connected that way as well.
    pub operator_by: OperatorBy,

    /// With `bridge`: how long the operator's phone rings.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub operator_within: Duration,
}

/// How a caller is sent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperatorBy {
    /// Their phone system is asked to call there (REFER); the call is answered for it.
    #[default]
    Refer,
    /// As long as the call is not answered (`[sip] early_media`) it is redirected (302); later as with
    /// `refer`.
    Redirect,
    /// We call there ourselves (`[sip.outbound]`), and stay between the two as long as they speak. For
    /// phone systems that allow neither.
    Bridge,
}

/// Nobody reaches a phone faster, and proxies let none ring longer (RFC 3261 §16.6, timer C).
const SHORTEST_RING: Duration = Duration::from_secs(5);
const LONGEST_RING: Duration = Duration::from_secs(180);

/// What a mailbox lets its callers do besides leaving a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offers {
    /// 0 reaches somebody.
    pub operator: bool,
    /// `*` asks for the owner's PIN.
    pub log_in: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            shortest: Duration::from_millis(1_500),
            longest: Duration::from_secs(300),
            silence: Duration::from_secs(8),
            review: false,
            patience: Duration::from_secs(5),
            tries: 3,
            operator_by: OperatorBy::default(),
            operator_within: Duration::from_secs(30),
        }
    }
}

impl Policy {
    /// What contradicts itself, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.shortest >= self.longest {
            let (shortest, longest) = (self.shortest, self.longest);
            return Err(format!("shortest ({shortest:?}) must be below longest ({longest:?})"));
        }
        if self.longest > Self::LIMIT {
            return Err(format!("longest can be {:?} at most", Self::LIMIT));
        }
        if self.tries == 0 {
            return Err("tries must be at least 1".into());
        }
        if !(SHORTEST_RING..=LONGEST_RING).contains(&self.operator_within) {
            return Err("operator_within must be 5s to 3m".into());
        }
        Ok(())
    }

    /// No message is longer than this, whatever the settings say.
    pub const LIMIT: Duration = Duration::from_secs(3_600);

    /// A take with less voice than this is silence to the caller's ear.
    pub const AUDIBLE: Duration = Duration::from_millis(300);
}

/// One caller leaving one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    policy: Policy,
    door: Door,
    offers: Offers,
    said: Said,
    tries: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Greeting,
    /// Hearing the greeting of a mailbox that takes no messages, or why it takes none.
    Telling,
    /// Hearing the beep, or what comes before it. Keys are ignored: one that came a moment too late
    /// to skip the greeting should not cut short what has not begun.
    Beeping(Option<Take>),
    /// Speaking, perhaps for a better take than the one kept.
    Recording(Option<Take>),
    /// The caller left while speaking; the take is on its way.
    Leaving(Option<Take>),
    /// The caller wants the operator; the take is on its way.
    Breaking(Option<Take>),
    Reviewing(Take),
    /// On the way to the operator; the take is filed once the caller is there, or gone.
    SendingOn(Option<Take>),
    /// With the operator, through us.
    Talking,
    Filing,
    Over,
}

impl Deposit {
    /// A call that has just been answered by a mailbox with room.
    pub fn new(policy: Policy) -> Self {
        Self::at(Door::Open, policy)
    }

    /// A call that has just been answered.
    pub fn at(door: Door, policy: Policy) -> Self {
        let (offers, said) = (Offers::default(), Said::default());
        Self { policy, door, offers, said, tries: 0, state: State::Greeting }
    }

    /// The same, where its caller may do this besides.
    pub fn offering(self, offers: Offers) -> Self {
        Self { offers, ..self }
    }

    /// Takes the next step.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        let state = mem::replace(&mut self.state, State::Over);
        let (next, actions) = self.step(state, event);
        self.state = next;
        actions
    }

    /// The whole flow, one line per thing that can happen.
    fn step(&mut self, state: State, event: Event) -> (State, Vec<Action>) {
        use Event::{
            Connected, Filed, HungUp, Idle, Key, NotRecorded, Parted, Recorded, SentOn, Start,
        };
        use State::{
            Beeping, Breaking, Filing, Greeting, Leaving, Over, Recording, Reviewing, SendingOn,
            Talking, Telling,
        };

        match (state, event) {
            (Greeting, Start) => self.greet(),
            (Telling, Idle | Key('#')) => (Over, farewell(None)),
            (Greeting, Idle | Key('#')) => (Beeping(None), self.record()),
            (Greeting | Telling, Key('0')) if self.offers.operator => send_on(None),
            (Greeting | Telling, Key('*')) if self.offers.log_in => (Over, vec![Action::LetIn]),

            (Beeping(kept), Event::Recording) => (Recording(kept), vec![]),
            (Beeping(kept), HungUp) => (Over, self.filed(kept)),
            (Beeping(kept), NotRecorded) => (Filing, self.not_saved(kept)),

            (Recording(kept), Key('#')) => (Recording(kept), vec![Action::StopRecording]),
            (Recording(kept), Key('0')) if self.offers.operator => {
                (Breaking(kept), vec![Action::StopRecording])
            }
            (Recording(kept), HungUp) => (Leaving(kept), vec![Action::StopRecording]),
            (Recording(kept) | Breaking(kept), Recorded(take, Ended::Tone)) => {
                self.gone(kept, take)
            }
            (Recording(kept), Recorded(take, _)) if !self.audible(&take) => self.again(kept, take),
            (Recording(kept), Recorded(take, _)) => self.recorded(kept, take),
            (Recording(kept), NotRecorded) => (Filing, self.not_saved(kept)),

            (Breaking(kept), Recorded(take, _)) => self.broken_off(kept, take),
            (Breaking(kept), NotRecorded) => send_on(kept),
            (Breaking(kept), HungUp) => (Leaving(kept), vec![]),

            (Leaving(kept), Recorded(take, _)) => self.left(kept, take),
            // The line died, and then the caller hung up as well: the take is still on its way.
            (Leaving(kept), HungUp) => (Leaving(kept), vec![]),
            (Leaving(kept), NotRecorded) => (Over, self.filed(kept)),

            (Reviewing(take), HungUp) => (Over, self.filed(Some(take))),
            (Reviewing(take), Idle) => (Filing, self.filed(Some(take))),
            (Reviewing(take), Key(key)) if self.policy.review => self.reviewed(take, key),

            (SendingOn(kept), SentOn(true)) => {
                (Over, [self.filed(kept), vec![Action::HangUp]].concat())
            }
            (SendingOn(kept), SentOn(false) | Connected(false)) => self.back(kept),
            (SendingOn(kept), Connected(true)) => (Talking, self.filed(kept)),
            (SendingOn(kept), HungUp) => (Over, self.filed(kept)),

            (Talking, Parted) => (Over, vec![Action::HangUp]),

            (Filing, Filed(true)) => (Over, farewell(Some(Phrase::Saved))),
            (Filing, Filed(false)) => (Over, farewell(None)),

            (_, HungUp) => (Over, vec![]),
            (state, _) => (state, vec![]),
        }
    }

    /// What each key of the review does.
    fn reviewed(&mut self, take: Take, key: char) -> (State, Vec<Action>) {
        let Said { urgent, private } = self.said;
        match key {
            '1' => (State::Filing, self.filed(Some(take))),
            '2' => (State::Reviewing(take.clone()), self.listen(take)),
            '3' => (State::Beeping(Some(take)), self.record()),
            '4' => self.say_of(take, Said { urgent: !urgent, private }, Phrase::Urgent(!urgent)),
            '5' => self.say_of(take, Said { urgent, private: !private }, Phrase::Private(!private)),
            '0' if self.offers.operator => send_on(Some(take)),
            '*' => (State::Over, delete(take)),
            _ => (State::Reviewing(take), vec![]),
        }
    }

    fn say_of(&mut self, take: Take, said: Said, told: Phrase) -> (State, Vec<Action>) {
        self.said = said;
        let told = vec![Action::Mark(take.clone(), said), Action::Play(Prompt::Say(told))];
        (State::Reviewing(take), [told, self.review()].concat())
    }

    fn greet(&self) -> (State, Vec<Action>) {
        let greeting = Action::Play(Prompt::Greeting);
        match self.door {
            Door::Open => {
                let instructions = Action::Play(Prompt::Say(Phrase::Instructions));
                (State::Greeting, vec![greeting, instructions])
            }
            Door::Announcement => (State::Telling, vec![greeting]),
            // Keys count until the goodbye is over.
            Door::Full => (State::Telling, farewell(Some(Phrase::MailboxFull))),
            Door::Off => (State::Telling, farewell(Some(Phrase::SwitchedOff))),
        }
    }

    /// A take that is worth keeping: the caller is asked, or it is filed.
    fn recorded(&self, kept: Option<Take>, take: Take) -> (State, Vec<Action>) {
        let mut actions: Vec<_> = kept.into_iter().map(Action::Discard).collect();
        if self.policy.review {
            // What was said of the one before counts for this one.
            let marked = Some(self.said).filter(|it| *it != Said::default());
            actions.extend(marked.map(|it| Action::Mark(take.clone(), it)));
            actions.extend(self.review());
            return (State::Reviewing(take), actions);
        }
        actions.extend(self.filed(Some(take)));
        (State::Filing, actions)
    }

    /// A take too short or too quiet: said so, and offered again.
    fn again(&mut self, kept: Option<Take>, take: Take) -> (State, Vec<Action>) {
        let reason = if self.long_enough(&take) { Phrase::NothingHeard } else { Phrase::TooShort };
        let mut actions = vec![Action::Discard(take), Action::Play(Prompt::Say(reason))];

        if let Some(kept) = kept {
            actions.extend(self.review());
            return (State::Reviewing(kept), actions);
        }
        if self.tries >= self.policy.tries {
            actions.extend(farewell(None));
            return (State::Over, actions);
        }
        actions.push(Action::Play(Prompt::Say(Phrase::TryAgain)));
        actions.extend(self.record());
        (State::Beeping(None), actions)
    }

    /// The line behind the caller is dead: the call ends with what there is.
    fn gone(&self, kept: Option<Take>, take: Take) -> (State, Vec<Action>) {
        let (_, mut actions) = self.left(kept, take);
        actions.push(Action::HangUp);
        (State::Over, actions)
    }

    /// The caller left while speaking.
    fn left(&self, kept: Option<Take>, take: Take) -> (State, Vec<Action>) {
        let (kept, discarded) = self.better(kept, take);
        let discard = discarded.into_iter().map(Action::Discard);
        (State::Over, self.filed(kept).into_iter().chain(discard).collect())
    }

    /// The caller wanted the operator while speaking.
    fn broken_off(&self, kept: Option<Take>, take: Take) -> (State, Vec<Action>) {
        let (kept, discarded) = self.better(kept, take);
        let (state, actions) = send_on(kept);
        (state, discarded.into_iter().map(Action::Discard).chain(actions).collect())
    }

    /// Which take stays of two, and which goes. Even a silent one stays if it is long enough and all
    /// there is: perhaps the owner hears what we did not.
    fn better(&self, kept: Option<Take>, take: Take) -> (Option<Take>, Option<Take>) {
        let better = if kept.is_some() { self.audible(&take) } else { self.long_enough(&take) };
        if better { (Some(take), kept) } else { (kept, Some(take)) }
    }

    /// The operator was not reached: on from where the caller was.
    fn back(&mut self, kept: Option<Take>) -> (State, Vec<Action>) {
        let told = vec![Action::Play(Prompt::Say(Phrase::NotDone))];
        match kept {
            Some(take) if self.policy.review => {
                (State::Reviewing(take), [told, self.review()].concat())
            }
            // Kept as it is once that was said.
            Some(take) => (State::Reviewing(take), told),
            None if self.door == Door::Open && self.tries < self.policy.tries => {
                (State::Beeping(None), [told, self.record()].concat())
            }
            None => (State::Over, [told, farewell(None)].concat()),
        }
    }

    /// A message is made of the take, with what its caller said of it.
    fn filed(&self, take: Option<Take>) -> Vec<Action> {
        take.into_iter().map(|it| Action::File(it, self.said)).collect()
    }

    fn not_saved(&self, kept: Option<Take>) -> Vec<Action> {
        match kept {
            Some(_) => self.filed(kept),
            None => farewell(Some(Phrase::NotSaved)),
        }
    }

    fn long_enough(&self, take: &Take) -> bool {
        take.length >= self.policy.shortest
    }

    fn audible(&self, take: &Take) -> bool {
        self.long_enough(take) && take.voiced >= Policy::AUDIBLE
    }

    fn record(&mut self) -> Vec<Action> {
        self.tries += 1;
        vec![Action::Play(Prompt::Beep), Action::Record]
    }

    fn review(&self) -> Vec<Action> {
        let mut menu = vec![Action::Play(Prompt::Say(Phrase::ReviewMenu))];
        if self.offers.operator {
            menu.push(Action::Play(Prompt::Say(Phrase::ReachOperator)));
        }
        menu.push(Action::Pause(self.policy.patience));
        menu
    }

    fn listen(&self, take: Take) -> Vec<Action> {
        [vec![Action::Play(Prompt::Take(take))], self.review()].concat()
    }
}

fn delete(take: Take) -> Vec<Action> {
    [vec![Action::Discard(take)], farewell(Some(Phrase::Deleted))].concat()
}

fn send_on(kept: Option<Take>) -> (State, Vec<Action>) {
    (State::SendingOn(kept), vec![Action::Play(Prompt::Say(Phrase::OneMoment)), Action::SendOn])
}

fn farewell(first: Option<Phrase>) -> Vec<Action> {
    let said = first.into_iter().chain([Phrase::Goodbye]).map(|it| Action::Play(Prompt::Say(it)));
    said.chain([Action::HangUp]).collect()
}
