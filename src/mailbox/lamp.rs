//! The lamp: what it shows (RFC 3842), for how long somebody is told (RFC 6665), and what becomes of
//! it when telling goes wrong.

use std::time::Duration;

use super::Timestamp;

/// How many messages lie in a mailbox; the trash does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not heard yet, urgent ones among them.
    pub new: u32,
    /// Heard and kept, urgent ones among them.
    pub saved: u32,
    /// Urgent ones not heard yet.
    pub new_urgent: u32,
    /// Urgent ones heard and kept.
    pub saved_urgent: u32,
}

/// The bounds of how long a subscription lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whoever asks for less has to ask again.
    pub shortest: Duration,
    /// Whoever asks for more, or for no length at all, gets this.
    pub longest: Duration,
}

/// What is answered to somebody who wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// They are told for so long.
    For(Duration),
    /// They are told once, and no more.
    Once,
    /// They are to ask for longer.
    TooBrief,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody who subscribed: for as long as they renew it.
    Subscription,
    /// Somebody whom the operator named: for ever.
    Target,
}

/// How long they are told from now on (RFC 6665 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Until somebody says otherwise.
    Lasting,
    /// For so long.
    For(Duration),
    /// This was the last time.
    Over(Ending),
}

/// Why nobody is told any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The time was over, or they did not want to be told any more.
    Timeout,
    /// The mailbox is gone.
    NoResource,
}

/// How telling went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With this status, and perhaps a time after which to try again.
    Status {
        /// 200 and more.
        code: u16,
        /// From `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Nobody answered.
    None,
    /// There was no way there.
    NoWay,
}

/// What becomes of a lamp when it was told, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It shows what it was told.
    Told,
    /// It has to be told again, after so long.
    Again(Duration),
    /// Nobody is there to be told.
    Gone,
}

/// Shortest time between two tellings of one lamp.
pub const APART: Duration = Duration::from_secs(1);
/// How long a target that could not be told is left alone: twice as long each time,
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// up to this. What somebody asks for in `Retry-After` ends here, too.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

impl Terms {
    /// What is answered to this wish; `None` leaves it to us.
    pub fn grant(self, wanted: Option<Duration>) -> Grant {
        match wanted {
            Some(Duration::ZERO) => Grant::Once,
            Some(wanted) if wanted < self.shortest => Grant::TooBrief,
            wanted => Grant::For(wanted.map_or(self.longest, |it| it.min(self.longest))),
        }
    }
}

impl Kind {
    /// The word used in SQL and by verbs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Target => "target",
        }
    }

    /// What becomes of a lamp of this kind that could not be told `failures` times before. A
    /// subscription ends with the first refusal that names no time to come back (RFC 6665 §4.2.2):
    /// whoever lives will subscribe anew. A target is tried for as long as it is one.
    pub fn fate(self, answer: Answer, failures: u32) -> Fate {
        let retry_after = match answer {
            Answer::Status { code: 200..=299, .. } => return Fate::Told,
            Answer::Status { retry_after, .. } => retry_after,
            Answer::None | Answer::NoWay => None,
        };
        match (self, retry_after) {
            (_, Some(after)) => Fate::Again(after.clamp(APART, LONGEST_PAUSE)),
            (Self::Subscription, None) => Fate::Gone,
            (Self::Target, None) => {
                let grown = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
                Fate::Again(grown.min(LONGEST_PAUSE))
            }
        }
    }
}

impl Standing {
    /// How a lamp stands that is told until then, if `mailbox` is still there.
    pub fn at(now: Timestamp, expires: Option<Timestamp>, mailbox: bool) -> Self {
        match expires {
            _ if !mailbox => Self::Over(Ending::NoResource),
            None => Self::Lasting,
            Some(expires) if expires <= now => Self::Over(Ending::Timeout),
            Some(expires) => {
                let left = u64::try_from(expires.0.saturating_sub(now.0)).unwrap_or_default();
                Self::For(Duration::from_millis(left))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_subscription_lasts_as_long_as_asked_within_bounds() {
        let terms = Terms { shortest: s(60), longest: s(3_600) };
        for (wanted, granted) in [
            (None, Grant::For(s(3_600))),
            (Some(s(0)), Grant::Once),
            (Some(s(1)), Grant::TooBrief),
            (Some(s(59)), Grant::TooBrief),
            (Some(s(60)), Grant::For(s(60))),
            (Some(s(600)), Grant::For(s(600))),
            (Some(s(4_294_967_295)), Grant::For(s(3_600))),
        ] {
            assert_eq!(terms.grant(wanted), granted, "{wanted:?}");
        }
    }

    #[test]
    fn a_lamp_is_told_until_its_time_is_over_or_its_mailbox_is_gone() {
        let at = |expires, mailbox| Standing::at(Timestamp(10_000), expires, mailbox);
        assert_eq!(at(None, true), Standing::Lasting);
        assert_eq!(at(Some(Timestamp(70_000)), true), Standing::For(s(60)));
        assert_eq!(at(Some(Timestamp(10_000)), true), Standing::Over(Ending::Timeout));
        assert_eq!(at(Some(Timestamp(0)), true), Standing::Over(Ending::Timeout));
        assert_eq!(at(Some(Timestamp(70_000)), false), Standing::Over(Ending::NoResource));
        assert_eq!(at(None, false), Standing::Over(Ending::NoResource));
    }

    #[test]
    fn who_cannot_be_told_is_forgotten_or_tried_again() {
        let status = |code, retry_after| Answer::Status { code, retry_after };
        for (answer, subscription, target) in [
            (status(200, None), Fate::Told, Fate::Told),
            (status(202, Some(s(5))), Fate::Told, Fate::Told),
            (status(408, None), Fate::Gone, Fate::Again(s(15))),
            (status(481, None), Fate::Gone, Fate::Again(s(15))),
            (status(489, None), Fate::Gone, Fate::Again(s(15))),
            (status(503, Some(s(30))), Fate::Again(s(30)), Fate::Again(s(30))),
            (status(480, Some(s(0))), Fate::Again(s(1)), Fate::Again(s(1))),
            (status(500, Some(s(86_400))), Fate::Again(s(600)), Fate::Again(s(600))),
            (Answer::None, Fate::Gone, Fate::Again(s(15))),
            (Answer::NoWay, Fate::Gone, Fate::Again(s(15))),
        ] {
            assert_eq!(Kind::Subscription.fate(answer, 0), subscription, "{answer:?}");
            assert_eq!(Kind::Target.fate(answer, 0), target, "{answer:?}");
        }
        let pauses = [0, 1, 2, 5, 6, 1_000].map(|it| Kind::Target.fate(Answer::None, it));
        assert_eq!(pauses, [15, 30, 60, 480, 600, 600].map(|it| Fate::Again(s(it))));
    }
}
