//! What the page of a class tells, as its template is given it. Pure.

use std::{fmt::Write, time::Duration};

use minijinja::{Value, context};

use crate::{
    admin::music::LONGEST_NOTE,
    decode::{LARGEST_MUSIC, LONGEST_MUSIC},
    hold::{State as Live, Status},
    mailbox::Preferences,
    music::{Class, ClassId, LONGEST_PAUSE, State, Track},
    speech::synthesis,
    store::{announcements::Announcement, tenants::Tenant},
};

/// Voices that are proposed: those that come with the program.
pub(super) const VOICES: [&str; 6] = ["en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT"];
/// Languages that are proposed: those of these voices.
const LANGUAGES: [(&str, &str); 5] =
    [("en", "English"), ("fr", "French"), ("de", "German"), ("it", "Italian"), ("es", "Spanish")];
/// Bars in the picture of a track.
const BARS: usize = 100;
/// Half the height of the picture, in its own units.
const MIDDLE: f64 = 20.0;

pub(super) fn classes(classes: &[Class], counts: &[(ClassId, i64)]) -> Vec<Value> {
    let count = |class: &Class| counts.iter().find(|it| it.0 == class.id).map_or(0, |it| it.1);
    let told = classes.iter().map(|it| {
        context! { name => &it.name, enabled => it.manner.enabled, count => count(it) }
    });
    told.collect()
}

pub(super) fn class(class: &Class, tracks: &[Track]) -> Value {
    let manner = &class.manner;
    context! {
        name => &class.name,
        summary => summary(class, tracks),
        enabled => manner.enabled,
        shuffle => manner.shuffle,
        shared => manner.shared,
        stream => &manner.stream,
        announcement => &manner.announcement,
        every => manner.every,
        queues => &manner.queues,
    }
}

/// How many tracks there are, how long they are together, and their order.
pub(super) fn summary(class: &Class, tracks: &[Track]) -> String {
    let lengths = tracks.iter().filter_map(|it| match &it.state {
        State::Ready { length, .. } => Some(*length),
        _ => None,
    });
    let order = if class.manner.shuffle { "in random order" } else { "in this order" };
    match tracks.len() {
        0 => "No tracks yet.".to_owned(),
        1 => format!("1 track, {}.", time(lengths.sum())),
        count => format!("{count} tracks, {} in all, {order}.", time(lengths.sum())),
    }
}

/// How a live stream is: a word for its colour, and a sentence.
pub(super) fn stream(status: Option<&Status>) -> (&'static str, String) {
    let Some(Status { state, problem, .. }) = status else {
        return ("still", "Nobody listens at the moment, so it is not being read.".to_owned());
    };
    let instead = |what: &str| {
        format!("{what}, so callers hear the tracks; where there are none, the music of the house.")
    };
    match state {
        Live::Connecting => ("still", "It is being reached.".to_owned()),
        Live::Playing => ("plays", "Callers hear it.".to_owned()),
        Live::Silent => ("silent", instead("Nothing is to be heard in it")),
        Live::Failed => {
            let why = problem.as_deref().unwrap_or("nobody knows why");
            ("silent", instead(&format!("It broke off ({why})")))
        }
    }
}

pub(super) fn track(track: &Track, progress: Option<u8>) -> Value {
    let Track { id, name, description, licence, state } = track;
    let about = context! {
        id => &id.0,
        name,
        description,
        licence,
        state => state.as_str(),
        percent => progress.unwrap_or(0),
    };
    let more = match state {
        State::Waiting => context! {},
        State::Failed { problem } => context! { problem => problem.trim_end_matches('.') },
        State::Ready { length, loudness, peaks, .. } => {
            let loudness = format!("originally {:.1} LUFS", *loudness as f64 / 100.0);
            let parts = [description.as_str(), licence, &loudness.replace('-', "\u{2212}")];
            let told: Vec<_> = parts.into_iter().filter(|it| !it.is_empty()).collect();
            context! {
                facts => told.join(" · "),
                length => time(*length),
                seconds => length.as_secs(),
                wave => wave(peaks),
            }
        }
    };
    context! { ..more, ..about }
}

pub(super) fn announcements(all: &[Announcement]) -> Vec<Value> {
    all.iter().map(|it| context! { name => &it.name, length => time(it.length) }).collect()
}

pub(super) fn languages(tenant: &Tenant) -> Vec<Value> {
    let usual = Preferences::of(Default::default(), tenant.settings.clone()).prompts;
    let known = LANGUAGES.iter().any(|it| it.0 == usual);
    let own = (!known).then_some((usual.as_str(), usual.as_str()));
    let all = own.iter().chain(&LANGUAGES);
    let told = all.map(|&(code, name)| context! { code, name, usual => code == usual });
    told.collect()
}

pub(super) fn limits() -> Value {
    context! {
        minutes => LONGEST_MUSIC.as_secs() / 60,
        mib => LARGEST_MUSIC >> 20,
        text => synthesis::LONGEST,
        note => LONGEST_NOTE,
        every => LONGEST_PAUSE,
    }
}

/// `3:07`, or `1:02:03`.
pub(super) fn time(length: Duration) -> String {
    let seconds = length.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A picture of how loud it is, from left to right: upright strokes in a field of 200 by 40, which the
/// loudest of them fills.
fn wave(peaks: &[u8]) -> String {
    let full = f64::from(peaks.iter().copied().max().unwrap_or(0).max(1));
    let mut path = String::with_capacity(BARS * 16);
    let width = 2.0 * MIDDLE * 5.0 / BARS as f64;
    for (at, part) in peaks.chunks(peaks.len().div_ceil(BARS).max(1)).enumerate() {
        let loudest = part.iter().copied().max().unwrap_or(0);
        // Silence is a line, not nothing.
        let half = 0.75 + f64::from(loudest) / full * (MIDDLE - 1.5);
        let x = (at as f64 + 0.5) * width;
        write!(path, "M{x:.1} {:.1}V{:.1}", MIDDLE - half, MIDDLE + half).ok();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_people_write_them() {
        for (seconds, told) in [(0, "0:00"), (7, "0:07"), (187, "3:07"), (3_723, "1:02:03")] {
            assert_eq!(time(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn a_picture_has_a_stroke_for_every_other_peak() {
        let path = wave(&[255; 200]);
        assert!(path.starts_with("M1.0 0.8V39.2M3.0 "), "{path}");
        assert_eq!(wave(&[60; 200]), path, "quiet ones are seen as well");
        assert_eq!(path.matches('M').count(), BARS);
        assert!(wave(&[0; 200]).contains("V20.8"));
        assert_eq!(wave(&[]), "");
    }
}
