//! Which language's rules put words in order.

use std::time::Duration;

use jiff::civil::{Date, Time};
use serde::Deserialize;

use super::{english, french, number, ordinal, spell};
use crate::mailbox::{Folder, settings::Hours};

/// A language's rules. One without rules of its own borrows those of the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grammar {
    /// `two minutes`, `June twelfth`, `three fifteen p m`.
    English,
    /// `deux minutes`, `douze juin`, `quinze heures quinze`.
    French,
}

/// What lengths are told in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Hour,
    Minute,
    Second,
}

impl Grammar {
    /// What lies in the mailbox; at least one message.
    pub(super) fn counts(self, new: u32, urgent: u32, saved: u32) -> Vec<&'static str> {
        let mut clips = Vec::new();
        if new > 0 {
            clips.extend(self.messages(Folder::New, new));
            clips.extend(match (self, urgent.min(new)) {
                (_, 0) => Vec::new(),
                (_, 1) if new == 1 => vec!["which-is-urgent"],
                (_, urgent) if urgent == new => vec!["all-urgent"],
                (Self::English, urgent) => english::of_them_urgent(urgent),
                (Self::French, urgent) => french::of_them_urgent(urgent),
            });
        }
        if new > 0 && saved > 0 {
            clips.push("and");
        }
        if saved > 0 {
            clips.extend(self.messages(Folder::Saved, saved));
        }
        clips
    }

    /// `two saved messages`.
    pub(super) fn messages(self, folder: Folder, count: u32) -> Vec<&'static str> {
        match self {
            Self::English => english::messages(folder, count),
            Self::French => french::messages(folder, count),
        }
    }

    /// `second new message`, `last new message`, and beyond the ordinals `message 45`. The only one
    /// is neither first nor last.
    pub(super) fn message(self, place: u32, last: bool, folder: Folder) -> Vec<&'static str> {
        let (ordinal, one) = match self {
            Self::English => (ordinal::english(place), english::message(folder)),
            Self::French => (ordinal::french(place), french::message(folder)),
        };
        match (ordinal, last) {
            (_, true) if place == 1 => vec![one],
            (_, true) => vec!["last", one],
            (Some(ordinal), false) => [ordinal, vec![one]].concat(),
            (None, false) => [vec!["message"], self.number(place)].concat(),
        }
    }

    /// `June twelfth`, and the year if it is not `this` one.
    pub(super) fn date(self, date: Date, this: i16) -> Vec<&'static str> {
        let mut clips = match self {
            Self::English => english::day(date),
            Self::French => french::day(date),
        };
        if date.year() != this {
            clips.extend(self.number(date.year().unsigned_abs().into()));
        }
        clips
    }

    /// `three fifteen p m`, `fifteen fifteen`.
    pub(super) fn time(self, time: Time, hours: Hours) -> Vec<&'static str> {
        match self {
            Self::English => english::time(time, hours),
            Self::French => french::time(time, hours),
        }
    }

    /// The two largest units: nobody wants the seconds of an hour. Nothing is
    /// shorter than one.
    pub(super) fn length(self, length: Duration) -> Vec<&'static str> {
        let seconds = length.saturating_add(Duration::from_millis(500)).as_secs().max(1);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let units = [
            (seconds / 3_600, Unit::Hour),
            (seconds / 60 % 60, Unit::Minute),
            (seconds % 60, Unit::Second),
        ];
        let largest = units.into_iter().skip_while(|(count, _)| *count == 0).take(2);
        let told = largest.filter(|(count, _)| *count > 0);
        told.flat_map(|(count, unit)| match self {
            Self::English => english::units(count, unit),
            Self::French => french::units(count, unit),
        })
        .collect()
    }

    /// A telephone number as people group it: 3, 3 and 4 digits, or in pairs.
    pub(super) fn groups(self, number: &str) -> Vec<Vec<&'static str>> {
        match self {
            Self::English => spell::groups(number, 3, 4),
            Self::French => spell::groups(number, 2, 2),
        }
    }

    fn number(self, count: u32) -> Vec<&'static str> {
        match self {
            Self::English => number::english(count),
            Self::French => number::french(count, number::Gender::Masculine),
        }
    }
}
