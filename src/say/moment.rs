//! Days and times as they are told, whatever the language.

use std::{iter, time::Duration};

use jiff::{
    ToSpan,
    civil::{Date, Time, Weekday},
};

/// How a day is called, seen from today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// By that word.
    Today,
    /// By that word.
    Yesterday,
    /// By its weekday, which is not today's: two to six days ago.
    Lately,
    /// By its date.
    Other,
}

impl Day {
    /// What `day` is on `today`.
    pub(super) fn of(day: Date, today: Date) -> Self {
        match today.since(day).map(|it| it.get_days()) {
            Ok(0) => Self::Today,
            Ok(1) => Self::Yesterday,
            Ok(2..=6) => Self::Lately,
            _ => Self::Other,
        }
    }
}

/// The clip of a day's weekday.
pub(super) fn weekday(day: Date) -> &'static str {
    match day.weekday() {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}

/// The clip of a day's month.
pub(super) fn month(day: Date) -> &'static str {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    MONTHS[day.month() as usize - 1]
}

/// Every day of a year.
pub(super) fn year(year: i16) -> impl Iterator<Item = Date> {
    let first = Date::new(year, 1, 1).ok();
    iter::successors(first, |it| it.tomorrow().ok()).take_while(move |it| it.year() == year)
}

/// Every minute of a day.
pub(super) fn minutes() -> impl Iterator<Item = Time> {
    iter::successors(Some(Time::midnight()), |it| it.checked_add(1.minute()).ok())
}

/// Lengths with every word there is for one.
pub(super) fn lengths() -> impl Iterator<Item = Duration> {
    (1..=3_600).chain((1..60).map(|it| it * 3_661)).map(Duration::from_secs)
}
