//! When an owner is there: hours of the week, and the days that are none.

use std::{fmt, str::FromStr};

use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::{Deserialize, Serialize};

/// What a moment is by a mailbox's hours and holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Within its hours.
    Open,
    /// Outside of them.
    Closed,
    /// On one of its holidays.
    Holiday,
}

impl Frame {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Closed, Self::Holiday];

    /// The word used in greeting rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Holiday => "holiday",
        }
    }

    /// What this moment, where the mailbox is, falls into.
    pub fn at(moment: DateTime, opening: &Opening, holidays: &Holidays) -> Self {
        match () {
            () if holidays.0.iter().any(|it| it.has(moment.date())) => Self::Holiday,
            () if opening.has(moment) => Self::Open,
            () => Self::Closed,
        }
    }
}

/// Hours of the week, `mo-fr 09:00-17:30, sa 10:00-14:00`; none are `always`. Hours do not go beyond
/// midnight: `fr 22:00-24:00, sa 00:00-02:00`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Opening(Vec<Span>);

/// Some days of the week, Monday being 0, and the minutes of them from and until.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    days: (u8, u8),
    minutes: (u16, u16),
}

const DAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];
const MIDNIGHT: u16 = 24 * 60;
/// The most spans, or holidays, of one mailbox.
const MOST: usize = 50;

impl Opening {
    fn has(&self, moment: DateTime) -> bool {
        let day = day(moment.weekday());
        let minute = minutes(moment.time());
        let has = |it: &Span| {
            let (first, last) = it.days;
            let on = if first <= last {
                (first..=last).contains(&day)
            } else {
                day >= first || day <= last
            };
            on && (it.minutes.0..it.minutes.1).contains(&minute)
        };
        self.0.is_empty() || self.0.iter().any(has)
    }
}

fn day(weekday: Weekday) -> u8 {
    weekday.to_monday_zero_offset().unsigned_abs()
}

fn minutes(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

impl FromStr for Opening {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "always" {
            return Ok(Self::default());
        }
        let spans = text.split(',').map(|it| it.trim().parse()).collect::<Result<Vec<_>, _>>()?;
        match spans.len() <= MOST {
            true => Ok(Self(spans)),
            false => Err(format!("{MOST} spans of hours at most")),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} are no hours; write them like \"mo-fr 09:00-17:30\"");
        let (days, hours) = text.split_once(' ').ok_or_else(wrong)?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let day = |name: &str| DAYS.iter().position(|it| *it == name);
        let (Some(first), Some(last)) = (day(first), day(last)) else { return Err(wrong()) };
        let (from, until) = hours.trim().split_once('-').ok_or_else(wrong)?;
        let time = |text: &str| match text {
            "24:00" => Some(MIDNIGHT),
            _ => Time::strptime("%H:%M", text).ok().map(minutes),
        };
        match (time(from), time(until)) {
            (Some(from), Some(until)) if from < until => {
                Ok(Self { days: (first as u8, last as u8), minutes: (from, until) })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("always");
        }
        for (at, Span { days: (first, last), minutes: (from, until) }) in self.0.iter().enumerate()
        {
            let (first, last) = (usize::from(*first), usize::from(*last));
            f.write_str(if at > 0 { ", " } else { "" })?;
            f.write_str(DAYS[first])?;
            if first != last {
                write!(f, "-{}", DAYS[last])?;
            }
            let clock = |it: u16| format!("{:02}:{:02}", it / 60, it % 60);
            write!(f, " {}-{}", clock(*from), clock(*until))?;
        }
        Ok(())
    }
}

/// Days that are none of work: `12-25` of every year, `2026-12-24` of one,
/// `2026-12-24..2027-01-02` with both ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Holidays(Vec<Holiday>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holiday {
    /// Month and day.
    Yearly(i8, i8),
    Once(Date, Date),
}

impl Holiday {
    fn has(&self, date: Date) -> bool {
        match *self {
            Self::Yearly(month, day) => (date.month(), date.day()) == (month, day),
            Self::Once(first, last) => (first..=last).contains(&date),
        }
    }
}

impl FromStr for Holidays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::default());
        }
        let days = text.split(',').map(|it| it.trim().parse()).collect::<Result<Vec<_>, _>>()?;
        match days.len() <= MOST {
            true => Ok(Self(days)),
            false => Err(format!("{MOST} holidays at most")),
        }
    }
}

impl FromStr for Holiday {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A leap year has all days there are.
        let yearly = |text: &str| format!("2024-{text}").parse::<Date>().ok();
        if text.len() == 5
            && let Some(day) = yearly(text)
        {
            return Ok(Self::Yearly(day.month(), day.day()));
        }
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        match (first.parse::<Date>(), last.parse::<Date>()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self::Once(first, last)),
            _ => Err(format!(
                "{text:?} is no holiday; write it like 12-25, 2026-12-24 or 2026-12-24..2027-01-02"
            )),
        }
    }
}

impl fmt::Display for Holidays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, holiday) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            match holiday {
                Holiday::Yearly(month, day) => write!(f, "{month:02}-{day:02}")?,
                Holiday::Once(first, last) if first == last => write!(f, "{first}")?,
                Holiday::Once(first, last) => write!(f, "{first}..{last}")?,
            }
        }
        Ok(())
    }
}

/// Texts on the way in and out of JSON.
macro_rules! as_text {
    ($($type:ty),+) => {
        $(
            impl TryFrom<String> for $type {
                type Error = String;

                fn try_from(text: String) -> Result<Self, String> {
                    text.parse()
                }
            }

            impl From<$type> for String {
                fn from(it: $type) -> String {
                    it.to_string()
                }
            }
        )+
    };
}

pub(super) use as_text;

as_text!(Opening, Holidays);

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn hours_and_holidays_say_what_a_moment_is() {
        let opening: Opening = "mo-fr 09:00-17:30, sa 10:00-24:00".parse().unwrap();
        let holidays: Holidays = "12-25, 2026-12-28..2027-01-02".parse().unwrap();
        let at =
            |day: Date, hour, minute| Frame::at(day.at(hour, minute, 0, 0), &opening, &holidays);
        let (friday, saturday) = (date(2026, 11, 27), date(2026, 11, 28));
        assert_eq!(at(friday, 8, 59), Frame::Closed);
        assert_eq!(at(friday, 9, 0), Frame::Open);
        assert_eq!(at(friday, 17, 29), Frame::Open);
        assert_eq!(at(friday, 17, 30), Frame::Closed);
        assert_eq!(at(saturday, 23, 59), Frame::Open);
        assert_eq!(at(date(2026, 11, 29), 12, 0), Frame::Closed);
        assert_eq!(at(date(2031, 12, 25), 12, 0), Frame::Holiday);
        assert_eq!(at(date(2026, 12, 28), 12, 0), Frame::Holiday);
        assert_eq!(at(date(2027, 1, 3), 12, 0), Frame::Closed);
        let weekend: Opening = "sa-mo 08:00-09:00".parse().unwrap();
        let open = Frame::at(date(2026, 11, 30).at(8, 0, 0, 0), &weekend, &Holidays::default());
        assert_eq!(open, Frame::Open);
    }

    #[test]
    fn what_is_read_is_written_the_same_and_nonsense_is_refused() {
        for text in ["always", "mo-fr 09:00-17:30", "sa 00:00-24:00, su 10:00-11:00"] {
            assert_eq!(text.parse::<Opening>().unwrap().to_string(), text);
        }
        for text in ["none", "12-25", "02-29, 2026-12-24, 2026-12-28..2027-01-02"] {
            assert_eq!(text.parse::<Holidays>().unwrap().to_string(), text);
        }
        for text in ["", "mo", "mo 9-17", "xx 09:00-10:00", "mo 10:00-09:00", "mo 09:00-25:00"] {
            assert!(text.parse::<Opening>().is_err(), "{text}");
        }
        for text in ["", "13-01", "2026-02-30", "2026-12-28..2026-12-01", "christmas"] {
            assert!(text.parse::<Holidays>().is_err(), "{text}");
        }
    }
}
