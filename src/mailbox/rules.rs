//! Greeting rules: which greeting goes with which reason, presence and time. They are data, read from
//! one line; one function decides for the call and explains.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Profile, Reason, Timestamp,
    greeting::{Kind, Recorded},
    schedule::{Frame, as_text},
};

/// Rules in order, `reason:busy=busy, time:closed+presence:lunch=closed, unavailable`: the first whose
/// conditions all hold and whose greeting is recorded and valid decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rules(Vec<Rule>);

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All of these have to hold; none always do.
    pub when: Vec<Condition>,
    /// What is played then.
    pub kind: Kind,
}

/// Something that holds for a call, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Why it comes.
    Reason(Reason),
    /// What the owner is doing.
    Presence(Profile),
    /// When it comes.
    Time(Frame),
}

/// What is known of a call.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Why it comes.
    pub reason: Reason,
    /// What the owner is doing.
    pub presence: Profile,
    /// When it comes, by the mailbox's hours.
    pub frame: Frame,
    /// What its owner recorded.
    pub recorded: &'a [Recorded],
    /// When it comes.
    pub now: Timestamp,
}

/// What a rule comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its greeting is played.
    Chosen,
    /// This does not hold.
    Fails(Condition),
    /// It would apply, but there is no such greeting.
    NotRecorded,
    /// It would apply, but its greeting is over.
    Expired,
    /// A rule before it was chosen.
    NotAsked,
}

/// The most rules of one mailbox.
const MOST: usize = 50;

/// What the tenant's and the mailbox's settings start from. Whoever does not want to be disturbed, by
/// the phone system's word or by the presence profile, has callers hear the busy greeting; on holiday
/// that would promise too much.
const DEFAULT: &str = "temporary, presence:on-holiday=absence, reason:away=absence, \
    reason:busy=busy, reason:do-not-disturb=busy, presence:away=busy, presence:comfort=busy, \
    presence:in-a-meeting=busy, presence:lunch=busy, presence:out-of-the-office=busy, \
    time:holiday=closed, time:closed=closed, reason:closed=closed, unavailable";

impl Rules {
    /// What each rule comes to for a call, in order.
    pub fn decide<'a>(&'a self, facts: &Facts<'_>) -> Vec<(&'a Rule, Verdict)> {
        let mut chosen = false;
        let verdict = |rule: &'a Rule| {
            let verdict = if chosen { Verdict::NotAsked } else { rule.verdict(facts) };
            chosen |= verdict == Verdict::Chosen;
            (rule, verdict)
        };
        self.0.iter().map(verdict).collect()
    }

    /// The greeting that is played; `None` if a sentence has to do.
    pub fn chosen(&self, facts: &Facts<'_>) -> Option<Kind> {
        self.0.iter().find(|it| it.verdict(facts) == Verdict::Chosen).map(|it| it.kind)
    }

    /// The kind a sentence stands in for, where nothing fitting is recorded. That of the busy one says
    /// that somebody is on the phone, which is known from the call alone: a presence may mean lunch.
    pub fn wanted(&self, facts: &Facts<'_>) -> Kind {
        let applies = |it: &&Rule| !it.when.is_empty() && it.failing(facts).is_none();
        match self.0.iter().find(applies).map(|it| it.kind) {
            Some(Kind::Busy) if !facts.reason.is_busy() => Kind::Unavailable,
            kind => kind.unwrap_or(Kind::Unavailable),
        }
    }
}

impl Rule {
    fn failing(&self, facts: &Facts<'_>) -> Option<Condition> {
        self.when.iter().copied().find(|it| !it.holds(facts))
    }

    fn verdict(&self, facts: &Facts<'_>) -> Verdict {
        if let Some(condition) = self.failing(facts) {
            return Verdict::Fails(condition);
        }
        match facts.recorded.iter().find(|it| it.kind == self.kind) {
            None => Verdict::NotRecorded,
            Some(it) if it.until.is_some_and(|until| until <= facts.now) => Verdict::Expired,
            Some(_) => Verdict::Chosen,
        }
    }
}

impl Condition {
    fn holds(self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Reason(reason) => reason == facts.reason,
            Self::Presence(profile) => profile == facts.presence,
            Self::Time(frame) => frame == facts.frame,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        DEFAULT.parse().expect("a test reads the rules")
    }
}

impl FromStr for Rules {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self::default());
        }
        let rules = text.split(',').map(|it| it.trim().parse()).collect::<Result<Vec<_>, _>>()?;
        match rules.len() <= MOST {
            true => Ok(Self(rules)),
            false => Err(format!("{MOST} rules at most")),
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (when, kind) = text.split_once('=').map_or(("", text), |(when, kind)| (when, kind));
        let named = when.split('+').map(str::trim).filter(|it| !it.is_empty());
        Ok(Self {
            when: named.map(str::parse).collect::<Result<_, _>>()?,
            kind: kind.trim().parse()?,
        })
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let frame = |word: &str| Frame::ALL.into_iter().find(|it| it.as_str() == word);
        match text.split_once(':') {
            Some(("reason", word)) => Ok(Self::Reason(word.parse()?)),
            Some(("presence", word)) => Ok(Self::Presence(word.parse()?)),
            Some(("time", word)) => frame(word)
                .map(Self::Time)
                .ok_or_else(|| format!("no time is {word:?}; it is open, closed or holiday")),
            _ => Err(format!(
                "{text:?} is no condition; write reason:busy, presence:lunch or time:closed"
            )),
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("default");
        }
        let rules: Vec<_> = self.0.iter().map(Rule::to_string).collect();
        f.write_str(&rules.join(", "))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when: Vec<_> = self.when.iter().map(Condition::to_string).collect();
        f.write_str(&when.join("+"))?;
        f.write_str(if when.is_empty() { "" } else { "=" })?;
        self.kind.fmt(f)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason(reason) => write!(f, "reason:{reason}"),
            Self::Presence(profile) => write!(f, "presence:{profile}"),
            Self::Time(frame) => write!(f, "time:{}", frame.as_str()),
        }
    }
}

as_text!(Rules);
