//! Leaving a message: greeting, beep, recording, review.
//!
//! A mailbox that takes no messages says so before its greeting, or plays its greeting and no more.
//! The last good take is given up only for a better one or by the caller's own word, so a caller
//! who leaves while recording again still leaves the message they had.

use std::{mem, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Ended, Event, Prompt};
use crate::mailbox::{Take, room::Door};
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
    tries: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Greeting,
    /// Hearing the greeting of a mailbox that takes no messages.
    Telling,
    /// Hearing the beep, or what comes before it. Keys are ignored: one that came a moment too late
    /// to skip the greeting should not cut short what has not begun.
    Beeping(Option<Take>),
    /// Speaking, perhaps for a better take than the one kept.
    Recording(Option<Take>),
    /// The caller left while speaking; the take is on its way.
    Leaving(Option<Take>),
    Reviewing(Take),
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
        Self { policy, door, tries: 0, state: State::Greeting }
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
        use Event::{Filed, HungUp, Idle, Key, NotRecorded, Recorded, Start};
        use State::{Beeping, Filing, Greeting, Leaving, Over, Recording, Reviewing, Telling};

        match (state, event) {
            (Greeting, Start) => self.greet(),
            (Telling, Idle | Key('#')) => (Over, farewell(None)),
            (Greeting, Idle | Key('#')) => (Beeping(None), self.record()),

            (Beeping(kept), Event::Recording) => (Recording(kept), vec![]),
            (Beeping(kept), HungUp) => (Over, kept.into_iter().map(Action::File).collect()),
            (Beeping(kept), NotRecorded) => (Filing, not_saved(kept)),

            (Recording(kept), Key('#')) => (Recording(kept), vec![Action::StopRecording]),
            (Recording(kept), HungUp) => (Leaving(kept), vec![Action::StopRecording]),
            (Recording(kept), Recorded(take, Ended::Tone)) => self.gone(kept, take),
            (Recording(kept), Recorded(take, _)) if !self.audible(&take) => self.again(kept, take),
            (Recording(kept), Recorded(take, _)) => self.recorded(kept, take),
            (Recording(kept), NotRecorded) => (Filing, not_saved(kept)),

            (Leaving(kept), Recorded(take, _)) => self.left(kept, take),
            // The line died, and then the caller hung up as well: the take is still on its way.
            (Leaving(kept), HungUp) => (Leaving(kept), vec![]),
            (Leaving(kept), NotRecorded) => (Over, kept.into_iter().map(Action::File).collect()),

            (Reviewing(take), Key('1') | Idle) => (Filing, vec![Action::File(take)]),
            (Reviewing(take), HungUp) => (Over, vec![Action::File(take)]),
            (Reviewing(take), Key('2')) => (Reviewing(take.clone()), self.listen(take)),
            (Reviewing(take), Key('3')) => (Beeping(Some(take)), self.record()),
            (Reviewing(take), Key('4')) => (Over, delete(take)),

            (Filing, Filed(true)) => (Over, farewell(Some(Phrase::Saved))),
            (Filing, Filed(false)) => (Over, farewell(None)),

            (_, HungUp) => (Over, vec![]),
            (state, _) => (state, vec![]),
        }
    }

    fn greet(&self) -> (State, Vec<Action>) {
        let greeting = Action::Play(Prompt::Greeting);
        match self.door {
            Door::Open => {
                let instructions = Action::Play(Prompt::Say(Phrase::Instructions));
                (State::Greeting, vec![greeting, instructions])
            }
            Door::Announcement => (State::Telling, vec![greeting]),
            Door::Full => (State::Over, farewell(Some(Phrase::MailboxFull))),
        }
    }

    /// A take that is worth keeping: the caller is asked, or it is filed.
    fn recorded(&self, kept: Option<Take>, take: Take) -> (State, Vec<Action>) {
        let mut actions: Vec<_> = kept.into_iter().map(Action::Discard).collect();
        if self.policy.review {
            actions.extend(self.review());
            return (State::Reviewing(take), actions);
        }
        actions.push(Action::File(take));
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

    /// The caller left while speaking. Even a silent take is filed, if it is long enough: perhaps
    /// the owner hears what we did not.
    fn left(&self, kept: Option<Take>, take: Take) -> (State, Vec<Action>) {
        let better = if kept.is_some() { self.audible(&take) } else { self.long_enough(&take) };
        let (filed, discarded) = if better { (Some(take), kept) } else { (kept, Some(take)) };
        let file = filed.into_iter().map(Action::File);
        (State::Over, file.chain(discarded.into_iter().map(Action::Discard)).collect())
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
        let menu = Action::Play(Prompt::Say(Phrase::ReviewMenu));
        vec![menu, Action::Pause(self.policy.patience)]
    }

    fn listen(&self, take: Take) -> Vec<Action> {
        [vec![Action::Play(Prompt::Take(take))], self.review()].concat()
    }
}

fn delete(take: Take) -> Vec<Action> {
    [vec![Action::Discard(take)], farewell(Some(Phrase::Deleted))].concat()
}

fn not_saved(kept: Option<Take>) -> Vec<Action> {
    match kept {
        Some(take) => vec![Action::File(take)],
        None => farewell(Some(Phrase::NotSaved)),
    }
}

fn farewell(first: Option<Phrase>) -> Vec<Action> {
    let said = first.into_iter().chain([Phrase::Goodbye]).map(|it| Action::Play(Prompt::Say(it)));
    said.chain([Action::HangUp]).collect()
}
