//! French: what varies in a sentence, as clips.

use jiff::civil::{Date, Time};

use super::{
    grammar::Unit,
    moment,
    number::{Gender, french as number},
};
use crate::mailbox::{Folder, settings::Hours};

const HOURS: [&str; 24] = [
    "hour-0", "hour-1", "hour-2", "hour-3", "hour-4", "hour-5", "hour-6", "hour-7", "hour-8",
    "hour-9", "hour-10", "hour-11", "hour-12", "hour-13", "hour-14", "hour-15", "hour-16",
    "hour-17", "hour-18", "hour-19", "hour-20", "hour-21", "hour-22", "hour-23",
];

/// `dont un urgent`.
pub(super) fn of_them_urgent(urgent: u32) -> Vec<&'static str> {
    [vec!["of-them"], number(urgent, Gender::Masculine), vec!["urgent-ones"]].concat()
}

/// `deux messages sauvegardés`.
pub(super) fn messages(folder: Folder, count: u32) -> Vec<&'static str> {
    [shortened(number(count, Gender::Masculine)), vec![message(folder)]].concat()
}

/// `message sauvegardé`; several sound the same.
pub(super) fn message(folder: Folder) -> &'static str {
    match folder {
        Folder::New => "new-message",
        Folder::Saved => "saved-message",
        Folder::Work => "work-message",
        Folder::Family => "family-message",
        Folder::Friends => "friends-message",
        Folder::Fifth => "fifth-message",
        Folder::Sixth => "sixth-message",
        Folder::Deleted => "deleted-message",
    }
}

/// `douze juin`, `premier juin`.
pub(super) fn day(date: Date) -> Vec<&'static str> {
    let day = match date.day() {
        1 => vec!["1st"],
        day => number(day.unsigned_abs().into(), Gender::Masculine),
    };
    [day, vec![moment::month(date)]].concat()
}

/// `quinze heures quinze`, `zéro heure`; of 12 hours: `trois heures quinze de l'après-midi`, which
/// begins at noon and ends at six, `midi`, `minuit quinze`. Hours are clips of their own, since
/// people bind the number to its noun: *deux-z-heures*.
pub(super) fn time(time: Time, hours: Hours) -> Vec<&'static str> {
    let hour = usize::from(time.hour().unsigned_abs()) % 24;
    let past = match time.minute() {
        0 => Vec::new(),
        minute => number(minute.unsigned_abs().into(), Gender::Feminine),
    };
    let (hour, half) = match (hours, hour) {
        (Hours::TwentyFour, _) => (HOURS[hour], None),
        (Hours::Twelve, 0) => ("midnight", None),
        (Hours::Twelve, 12) => ("noon", None),
        (Hours::Twelve, ..12) => (HOURS[hour], Some("in-the-morning")),
        (Hours::Twelve, ..18) => (HOURS[hour - 12], Some("in-the-afternoon")),
        (Hours::Twelve, _) => (HOURS[hour - 12], Some("in-the-evening")),
    };
    [vec![hour], past, Vec::from_iter(half)].concat()
}

/// `deux minutes`; several sound the same.
pub(super) fn units(count: u32, unit: Unit) -> Vec<&'static str> {
    let count = number(count, Gender::Feminine);
    match unit {
        Unit::Hour => [count, vec!["hours"]].concat(),
        Unit::Minute => [shortened(count), vec!["minutes"]].concat(),
        Unit::Second => [shortened(count), vec!["seconds"]].concat(),
    }
}

/// Before a consonant six, huit and dix lose their last sound: *si messages*.
fn shortened(mut count: Vec<&'static str>) -> Vec<&'static str> {
    if let Some(last) = count.last_mut() {
        *last = match *last {
            "6" => "6-short",
            "8" => "8-short",
            "10" => "10-short",
            other => other,
        };
    }
    count
}
