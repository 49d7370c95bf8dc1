//! Every sentence that can be said, against the clips there are.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use afterbeep::{
    mailbox::{Folder, settings::Hours},
    say::{Choice, Phrase, Phrases, Who},
};
use jiff::{
    ToSpan,
    civil::{Date, Time, date},
};

const FOLDERS: [Folder; 3] = [Folder::New, Folder::Saved, Folder::Deleted];

/// A language with the files in its folder.
struct Walk {
    phrases: Phrases,
    files: BTreeSet<String>,
}

fn walks() -> [Walk; 2] {
    ["en", "fr"].map(|language| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts").join(language);
        let files = fs::read_dir(&folder).unwrap();
        let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
        let phrases = fs::read_to_string(folder.join("phrases.toml")).unwrap();
        Walk {
            phrases: Phrases::parse(&phrases).unwrap(),
            files: names.filter_map(|it| Some(it.strip_suffix(".wav")?.to_owned())).collect(),
        }
    })
}

/// Says all of them in every language. That a clip may be needed is known beforehand, too: an
/// operator is told at start if it is missing.
fn walk(phrases: impl Fn() -> Vec<Phrase>) {
    for Walk { phrases: language, files } in &walks() {
        let known = language.names();
        for phrase in phrases() {
            let clips = language.clips(&phrase);
            assert!(!clips.is_empty(), "nothing is said for {phrase:?}");
            for clip in clips {
                assert!(files.contains(clip), "{clip}.wav of {phrase:?} is missing");
                assert!(known.contains(clip), "{clip} of {phrase:?} was not foreseen");
            }
        }
    }
}

#[test]
fn every_clip_is_of_some_use() {
    for Walk { phrases, files } in walks() {
        let known: BTreeSet<_> = phrases.names().into_iter().map(str::to_owned).collect();
        assert_eq!(known, files);
    }
}

#[test]
fn every_count_has_its_clips() {
    let counts = |it| [(it, 0, 0), (it, it / 2, it), (it, it, 1), (0, 0, it), (it, it.min(1), 0)];
    let total = |(new, urgent, saved)| Phrase::Counts { new, urgent, saved };
    walk(|| (0..=2_000).flat_map(counts).map(total).collect());
    let folder = |count| FOLDERS.map(|folder| Phrase::InFolder { folder, count });
    walk(|| (0..=2_000).chain([999_999, 1_000_000, u32::MAX]).flat_map(folder).collect());
}

#[test]
fn every_place_has_its_clips() {
    let message = |(place, folder)| {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(last, urgent)| Phrase::Message { place, last, folder, urgent })
    };
    let place = |place| FOLDERS.map(|folder| (place, folder));
    walk(|| (0..=300).flat_map(place).flat_map(message).collect());
}

/// Seen from a day in the middle of them, so that most are of another year.
#[test]
fn every_day_has_its_clips() {
    let today = date(2028, 2, 29);
    let days = date(2027, 1, 1).series(1.day()).take(366 + 365);
    let received =
        |day: Date| Phrase::Received { at: day.at(15, 15, 0, 0), today, hours: Hours::TwentyFour };
    walk(|| days.clone().map(received).collect());
    walk(|| [Date::MIN, Date::MAX, date(1970, 1, 1), date(2099, 12, 31)].map(received).into());
}

#[test]
fn every_minute_has_its_clips_on_both_clocks() {
    let day = date(2026, 11, 27);
    let received = |time: Time| {
        [Hours::Twelve, Hours::TwentyFour].map(|hours| Phrase::Received {
            at: day.to_datetime(time),
            today: day,
            hours,
        })
    };
    let minutes = || (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute)));
    walk(|| minutes().flat_map(|(h, m)| received(Time::constant(h, m, 0, 0))).collect());
}

#[test]
fn every_choice_has_its_clips_on_every_key() {
    let keys = |what| "0123456789*#".chars().map(move |key| Phrase::Choice { what, key });
    walk(|| Choice::ALL.into_iter().flat_map(keys).collect());
}

#[test]
fn every_length_and_caller_has_its_clips() {
    walk(|| (0..=7_300).map(|it| Phrase::Length(Duration::from_secs(it))).collect());
    walk(|| vec![Phrase::Length(Duration::MAX), Phrase::From(Who::Unknown)]);
    let signs = "0123456789+-._*#abcdefghijklmnopqrstuvwxyz";
    let number = |it: char| [Who::Phone(format!("555123456{it}")), Who::Extension(it.into())];
    walk(|| signs.chars().flat_map(number).map(Phrase::From).collect());
}
