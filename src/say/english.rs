//! English: what varies in a sentence, as clips.

use jiff::civil::{Date, Time};

use super::{grammar::Unit, moment, number::english as number, ordinal};
use crate::mailbox::{Folder, settings::Hours};

/// `one of them urgent`.
pub(super) fn of_them_urgent(urgent: u32) -> Vec<&'static str> {
    [number(urgent), vec!["of-them-urgent"]].concat()
}

/// `two saved messages`.
pub(super) fn messages(folder: Folder, count: u32) -> Vec<&'static str> {
    let noun = match folder {
        _ if count == 1 => message(folder),
        Folder::New => "new-messages",
        Folder::Saved => "saved-messages",
        Folder::Work => "work-messages",
        Folder::Family => "family-messages",
        Folder::Friends => "friends-messages",
        Folder::Fifth => "fifth-messages",
        Folder::Sixth => "sixth-messages",
        Folder::Deleted => "deleted-messages",
    };
    [number(count), vec![noun]].concat()
}

/// `saved message`.
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

/// `June twelfth`.
pub(super) fn day(date: Date) -> Vec<&'static str> {
    let day = ordinal::english(date.day().unsigned_abs().into()).unwrap_or_default();
    [vec![moment::month(date)], day].concat()
}

/// `three fifteen p m`, `three o five p m`, `three p m`; nobody agrees on what twelve a.m. is, so
/// those two are `midnight` and `noon`. Of 24 hours: `fifteen fifteen`, `fifteen o five`,
/// `fifteen hundred hours`.
pub(super) fn time(time: Time, hours: Hours) -> Vec<&'static str> {
    let (hour, minute) = (time.hour().unsigned_abs().into(), time.minute().unsigned_abs().into());
    let past = match minute {
        0 => Vec::new(),
        1..=9 => [vec!["o"], number(minute)].concat(),
        _ => number(minute),
    };
    match (hours, hour, minute) {
        (Hours::Twelve, 0, 0) => vec!["midnight"],
        (Hours::Twelve, 12, 0) => vec!["noon"],
        (Hours::Twelve, ..) => {
            let half = if hour < 12 { "a-m" } else { "p-m" };
            [number((hour + 11) % 12 + 1), past, vec![half]].concat()
        }
        (Hours::TwentyFour, _, 0) => [number(hour), vec!["hundred", "hours"]].concat(),
        (Hours::TwentyFour, ..) => [number(hour), past].concat(),
    }
}

/// `two minutes`.
pub(super) fn units(count: u32, unit: Unit) -> Vec<&'static str> {
    let noun = match (unit, count) {
        (Unit::Hour, 1) => "hour",
        (Unit::Hour, _) => "hours",
        (Unit::Minute, 1) => "minute",
        (Unit::Minute, _) => "minutes",
        (Unit::Second, 1) => "second",
        (Unit::Second, _) => "seconds",
    };
    [number(count), vec![noun]].concat()
}
