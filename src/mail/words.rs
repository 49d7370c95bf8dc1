//! Strangers' words made harmless, and facts in the shape templates want them. Pure.

use std::time::Duration;

use jiff::{Timestamp as Moment, Zoned, tz::TimeZone};
use minijinja::{Value, context};

use crate::mailbox::{Caller, Timestamp, settings::Hours};

/// Characters of the caller's number told in the file name.
const FILE_NUMBER: usize = 20;

/// A moment where the owner lives. An impossible one is in 1970, an unknown zone is UTC.
pub(super) fn local(at: Timestamp, zone: &str) -> Zoned {
    let moment = Moment::from_millisecond(at.0).unwrap_or_default();
    moment.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC))
}

/// What the templates of dates are told: numbers, for each language has its own names and order.
pub(super) fn moment(at: &Zoned, hours: Hours) -> Value {
    let clock = match hours {
        Hours::Twelve => at.strftime("%-I:%M %p"),
        Hours::TwentyFour => at.strftime("%H:%M"),
    };
    context! {
        weekday => at.weekday().to_monday_zero_offset(),
        day => at.day(),
        month => at.month(),
        year => at.year(),
        hour => at.hour(),
        minute => format!("{:02}", at.minute()),
        twelve => hours == Hours::Twelve,
        clock => clock.to_string(),
        zone => at.strftime("%Z").to_string(),
    }
}

/// `voicemail-2026-11-23-1432-from-5551234`, to which the kind of file is added.
pub(super) fn file_name(caller: &Caller, local: &Zoned) -> String {
    let number = caller.number.as_deref().unwrap_or_default();
    let safe = number.chars().filter(char::is_ascii_alphanumeric).take(FILE_NUMBER);
    let number = safe.collect::<String>();
    let number = if number.is_empty() { "unknown" } else { &number };
    format!("voicemail-{}-from-{number}", local.strftime("%Y-%m-%d-%H%M"))
}

/// The number as a `tel:` link may carry it, if it is one. A number with `*` or `#` in it is shown
/// but never linked: dialled on a mobile it can be an order to the phone rather than a call.
pub(super) fn dialable(number: &str) -> Option<String> {
    let separator = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')');
    let bare: String = number.chars().filter(|&c| !separator(c)).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    let good = digits.len() >= 2 && digits.bytes().all(|c| c.is_ascii_digit());
    good.then_some(bare)
}

/// `0:24`
pub(super) fn minutes(length: Duration) -> String {
    let seconds = length.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// A language as an attribute may carry it.
pub(super) fn code(language: &str) -> Option<&str> {
    let fine = |c: u8| c.is_ascii_alphabetic() || c == b'-';
    ((2..=8).contains(&language.len()) && language.bytes().all(fine)).then_some(language)
}

/// One line, however it came: no control or direction characters, single spaces.
pub(super) fn line(text: &str) -> String {
    let text = paragraph(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text with its line breaks (as `\n`) but without anything else that steers a screen.
pub(super) fn paragraph(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let kept = text.chars().filter_map(|c| match c {
        '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\n' => Some(c),
        c if c.is_control() => c.is_whitespace().then_some(' '),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' => None,
        '\u{2066}'..='\u{2069}' => None,
        c => Some(c),
    });
    kept.collect::<String>().trim().to_owned()
}

/// The first words of a line, with `…` where something was left out.
pub(super) fn cut(line: &str, longest: usize) -> String {
    let Some((end, _)) = line.char_indices().nth(longest) else {
        return line.to_owned();
    };
    let begin = &line[..end];
    let whole = begin.rfind(' ').filter(|&space| space > end / 2);
    format!("{}…", begin[..whole.unwrap_or(end)].trim_end_matches([' ', ',', ';', ':', '.', '-']))
}

/// Keeps words written from right to left from turning round what stands beside them (UAX #9).
pub(super) fn isolated(text: &str) -> String {
    let leftward = |c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    if text.contains(leftward) { format!("\u{2068}{text}\u{2069}") } else { text.to_owned() }
}
