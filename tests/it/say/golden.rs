//! Everything an owner hears that varies, as it is spoken: `english.txt` and `french.txt` beside this
//! file are what a speaker of the language reads to judge them. A French clip is written as
//! it sounds, so `si` is six before a consonant, and one message stands for several.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use afterbeep::{
    mailbox::{Folder, settings::Hours},
    say::{Choice, Phrase, Phrases, Who},
};
use jiff::{
    ToSpan,
    civil::{Date, date},
};

use super::{ENGLISH, FRENCH};

const FOLDERS: [Folder; 3] = [Folder::New, Folder::Saved, Folder::Deleted];

#[test]
fn english_is_spoken_like_this() {
    assert_spoken(ENGLISH, include_str!("english.txt"));
}

#[test]
fn french_is_spoken_like_this() {
    assert_spoken(FRENCH, include_str!("french.txt"));
}

fn assert_spoken(language: &str, wanted: &str) {
    let transcript = transcript(&Language::of(language));
    for (spoken, wanted) in transcript.lines().zip(wanted.lines()) {
        assert_eq!(spoken, wanted);
    }
    assert_eq!(transcript.lines().count(), wanted.lines().count());
}

struct Language {
    phrases: Phrases,
    texts: BTreeMap<String, String>,
}

impl Language {
    fn of(toml: &str) -> Self {
        let table: toml::Table = toml.parse().unwrap();
        let texts = table["clips"].as_table().unwrap().iter();
        Self {
            phrases: Phrases::parse(toml).unwrap(),
            texts: texts
                .map(|(name, text)| (name.clone(), text.as_str().unwrap().into()))
                .collect(),
        }
    }

    fn spoken(&self, phrase: &Phrase) -> String {
        let clips = self.phrases.clips(phrase).into_iter();
        clips.map(|it| self.texts[it].trim_end_matches(',')).collect::<Vec<_>>().join(" ")
    }
}

/// A line for each sentence, under a heading for each kind.
fn transcript(language: &Language) -> String {
    let mut text = String::new();
    for (heading, phrases) in phrases() {
        writeln!(text, "# {heading}").unwrap();
        for (what, phrase) in phrases {
            writeln!(text, "{what}: {}", language.spoken(&phrase)).unwrap();
        }
    }
    text
}

type Lines = Vec<(String, Phrase)>;

fn phrases() -> [(&'static str, Lines); 8] {
    [
        ("counts: new, urgent, saved", counts()),
        ("folders", folders()),
        ("places, of new messages", places()),
        ("messages: place, last, urgent", messages()),
        ("days, seen from 2026-11-27", days()),
        ("times", times()),
        ("callers and lengths", callers().into_iter().chain(lengths()).collect()),
        ("choices", choices()),
    ]
}

fn counts() -> Lines {
    const SOME: [u32; 10] = [0, 1, 2, 6, 21, 71, 80, 81, 100, 1_000];
    let urgent = |new| [0, 1, new / 2 + 1, new];
    let new = SOME.into_iter().flat_map(|new| urgent(new).map(|it| (new, it.min(new), 0)));
    let mut all: Vec<_> = new.chain(SOME.map(|saved| (0, 0, saved))).collect();
    all.extend([(1, 0, 1), (1, 1, 2), (2, 1, 3), (2, 2, 1), (21, 8, 10), (3, 9, 0)]);
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .map(|(new, urgent, saved)| {
            (format!("{new} {urgent} {saved}"), Phrase::Counts { new, urgent, saved })
        })
        .collect()
}

fn folders() -> Lines {
    let mut lines: Lines = (0..=100).map(|it| of_folder(Folder::New, it)).collect();
    for folder in [Folder::Saved, Folder::Deleted] {
        lines.extend([0, 1, 2, 6, 8, 10, 1_000, 21_015].map(|count| of_folder(folder, count)));
    }
    lines
}

fn of_folder(folder: Folder, count: u32) -> (String, Phrase) {
    (format!("{folder:?} {count}"), Phrase::InFolder { folder, count })
}

fn places() -> Lines {
    let place = |place| {
        let phrase = Phrase::Message { place, last: false, folder: Folder::New, urgent: false };
        (place.to_string(), phrase)
    };
    (1..=40).map(place).collect()
}

fn messages() -> Lines {
    let mut lines = Lines::new();
    for folder in FOLDERS {
        for place in [1, 2, 45, 100] {
            for (last, urgent) in [(false, false), (false, true), (true, false), (true, true)] {
                let phrase = Phrase::Message { place, last, folder, urgent };
                lines.push((format!("{folder:?} {place} {last} {urgent}"), phrase));
            }
        }
    }
    lines
}

const TODAY: Date = date(2026, 11, 27);

fn received(day: Date, hour: i8, minute: i8, hours: Hours) -> Phrase {
    Phrase::Received { at: day.at(hour, minute, 0, 0), today: TODAY, hours }
}

fn days() -> Lines {
    let lately = (0..=7).map(|ago| TODAY - ago.days());
    let months = (1..=12).map(|month| date(2026, month, 12));
    let month = (1..=31).map(|day| date(2026, 10, day));
    let others = [
        date(2026, 11, 28), // a clock that is ahead
        date(2025, 11, 27),
        date(2025, 12, 31),
        date(2024, 2, 29),
        date(2027, 1, 1),
        date(1999, 12, 31),
    ];
    let all = lately.chain(months).chain(month).chain(others);
    all.map(|day| (day.to_string(), received(day, 15, 15, Hours::TwentyFour))).collect()
}

fn times() -> Lines {
    let mut lines = Lines::new();
    for hours in [Hours::Twelve, Hours::TwentyFour] {
        let whole = (0..24).flat_map(|hour| [(hour, 0), (hour, 1)]);
        for (hour, minute) in whole.chain((0..60).map(|minute| (15, minute))) {
            let what = format!("{hours:?} {hour:02}:{minute:02}");
            lines.push((what, received(TODAY, hour, minute, hours)));
        }
    }
    lines
}

fn callers() -> Lines {
    let extensions = ["1001", "7", "bob"].map(|it| Who::Extension(it.into()));
    let phones = ["5551234567", "+15551234567", "0556123456", "+33556123456", "911", "x_2"];
    let phones = phones.map(|it| Who::Phone(it.into()));
    let all = extensions.into_iter().chain(phones).chain([Who::Unknown]);
    all.map(|who| (format!("{who:?}"), Phrase::From(who))).collect()
}

fn lengths() -> Lines {
    const MILLISECONDS: [u64; 16] = [
        0, 499, 1_499, 1_500, 6_000, 59_499, 59_500, 61_000, 125_000, 480_000, 1_221_000,
        3_600_000, 3_601_000, 3_660_000, 7_265_000, 36_000_000,
    ];
    let length = |it| (format!("{it} ms"), Phrase::Length(Duration::from_millis(it)));
    MILLISECONDS.map(length).into()
}

fn choices() -> Lines {
    let keys = "0123456789*#".chars().cycle();
    let choice = |(what, key)| (format!("{what:?} {key}"), Phrase::Choice { what, key });
    Choice::ALL.into_iter().zip(keys).map(choice).collect()
}
