//! Made-up messages, for trying templates and for showing what a letter looks like.

use std::time::Duration;

use minijinja::{Value, context};
use uuid::Uuid;

use super::{
    letter::{self, News, Text, Translated},
    links::Ways,
    templates::{Part, TemplateError, Templates},
    words,
};
use crate::mailbox::{
    Caller, Envelope, Mailbox, MailboxId, MessageId, Preferences, Reason, Said, Segment, TenantId,
    Timestamp, Transcript,
    room::{MadeRoom, Rotated},
    settings::Hours,
};

/// Monday, 23 November 2026, 13:32:07 UTC.
pub const RECEIVED: Timestamp = Timestamp(1_795_440_727_000);

/// A message there could be.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Who left it.
    pub envelope: Envelope,
    /// What was said.
    pub text: Text,
    /// The same in another language.
    pub translated: Translated,
    /// How full the mailbox is.
    pub room: Option<MadeRoom>,
    /// What its caller said of it.
    pub said: Said,
    /// The number of the mailbox whose owner passed it on.
    pub forwarded_by: Option<String>,
}

impl Sample {
    /// One with something of everything.
    pub fn full() -> Self {
        let said = [("Hello, it's Marie.", 0.9), ("Call me back at 5 pm.", 0.4)];
        let segments = said.map(|(text, confidence)| Segment {
            start_ms: 0,
            end_ms: 1_000,
            text: text.into(),
            confidence,
        });
        let engine = "whisper tiny.en".into();
        let transcript = Transcript { language: "en".into(), segments: segments.into(), engine };
        let gone = |caller| Rotated {
            id: MessageId(Uuid::nil()),
            caller,
            received: Timestamp(1_793_540_327_000),
        };
        let rotated = vec![
            gone(Caller::claimed(Some("Paul Martin"), Some("+33556000000"))),
            gone(Caller::default()),
        ];
        Self {
            envelope: Envelope {
                caller: Caller::claimed(Some("Marie Dupont"), Some("+33556123456")),
                received: RECEIVED,
                length: Duration::from_secs(24),
                interrupted: true,
                reason: Reason::NoAnswer,
            },
            text: Text::Transcript(transcript),
            translated: Translated::Made {
                language: "fr".into(),
                text: "Bonjour, c'est Marie. Rappelle-moi.".into(),
                missing: vec!["5".into()],
                added: vec![],
            },
            room: Some(MadeRoom { used: 100, limit: 100, rotated }),
            said: Said::default(),
            forwarded_by: Some("1001".into()),
        }
    }

    /// One of which nothing is known.
    pub fn bare() -> Self {
        let full = Self::full();
        let envelope = Envelope { caller: Caller::default(), interrupted: false, ..full.envelope };
        let (text, translated) = (Text::Off, Translated::Off);
        Self { envelope, text, translated, room: None, said: Said::default(), forwarded_by: None }
    }

    /// What a letter about it tells.
    pub fn news<'a>(&'a self, mailbox: &'a Mailbox) -> News<'a> {
        News {
            id: MessageId(Uuid::nil()),
            mailbox,
            envelope: &self.envelope,
            filed: self.envelope.received,
            text: &self.text,
            translated: &self.translated,
            room: self.room.as_ref(),
            said: self.said,
            forwarded_by: self.forwarded_by.as_deref(),
            keep_trash: Duration::from_secs(30 * 24 * 3_600),
            too_large: false,
        }
    }

    fn all() -> Vec<Self> {
        let (full, bare) = (Self::full(), Self::bare());
        let room = MadeRoom { used: 80, limit: 100, rotated: vec![] };
        let not_made = Translated::NotMade("There is no model for it.".into());
        vec![
            Self { text: Text::NoSpeech, room: Some(room), ..full.clone() },
            Self { text: Text::NotTranscribed("It is late.".into()), ..bare.clone() },
            Self { said: Said { urgent: false, private: true }, ..bare.clone() },
            Self { said: Said { urgent: true, private: false }, ..full.clone() },
            Self { translated: not_made, ..full.clone() },
            full,
            bare,
        ]
    }
}

/// Where everything has an address.
pub fn ways() -> Ways {
    let below = |path: &str| Some(format!("https://voicemail.example{path}"));
    Ways { base_url: below(""), listen: below("/l/SAMPLE"), unsubscribe: below("/u/SAMPLE") }
}

/// What a part can be told, for every kind of message there is.
pub(super) fn facts(
    templates: &Templates,
    language: &str,
    part: Part,
) -> Result<Vec<Value>, TemplateError> {
    match part {
        Part::Date | Part::Moment | Part::Day => Ok(moments()),
        Part::Unsubscribe => Ok([false, true].map(taken_off).into()),
        Part::Gone => Ok(vec![context! {}]),
        Part::Locked => Ok([Some("+33556123456"), None].map(locked).into()),
        _ => {
            let mut all = Vec::new();
            for sample in Sample::all() {
                for (hours, rotates) in [(Hours::Twelve, true), (Hours::TwentyFour, false)] {
                    let mailbox = mailbox(language, hours, rotates);
                    let news = sample.news(&mailbox);
                    for (ways, file) in [(ways(), Some("sample.wav")), (Ways::default(), None)] {
                        all.push(letter::facts(templates, &news, &ways, file)?);
                    }
                }
            }
            Ok(all)
        }
    }
}

/// The names a part may ask for.
pub(super) fn names(part: Part) -> &'static [&'static str] {
    match part {
        Part::Date | Part::Moment | Part::Day => {
            &["weekday", "day", "month", "year", "hour", "minute", "twelve", "clock", "zone"]
        }
        Part::Unsubscribe => &["mailbox", "owner", "address", "done", "undo"],
        Part::Gone => &[],
        Part::Locked => &["mailbox", "owner", "at", "until", "source"],
        _ => &[
            "caller",
            "call_back",
            "date",
            "moment",
            "length",
            "seconds",
            "interrupted",
            "urgent",
            "private",
            "too_large",
            "forwarded_by",
            "mailbox",
            "owner",
            "file",
            "base_url",
            "listen",
            "unsubscribe",
            "translation",
            "room",
            "kind",
            "reason",
            "first_words",
            "opening",
            "unsure",
            "language",
            "said",
        ],
    }
}

fn moments() -> Vec<Value> {
    // A first of the month in a morning, and a last one in an evening.
    let times = [Timestamp(1_795_440_727_000), Timestamp(1_796_083_500_000), Timestamp(0)];
    let told = |time| {
        [Hours::Twelve, Hours::TwentyFour]
            .map(|hours| words::moment(&words::local(time, "UTC"), hours))
    };
    times.into_iter().flat_map(told).collect()
}

fn taken_off(done: bool) -> Value {
    context! {
        mailbox => "1000",
        owner => "Ann",
        address => "ann@example.org",
        done,
        undo => "afterbeep mailbox resubscribe 1000 ann@example.org",
    }
}

fn locked(source: Option<&str>) -> Value {
    let (at, until) = ("Monday, 23 November 2026 at 13:32", "Monday, 23 November 2026 at 14:32");
    context! { mailbox => "1000", owner => "Ann", at, until, source }
}

fn mailbox(language: &str, hours: Hours, rotates: bool) -> Mailbox {
    Mailbox {
        id: MailboxId("sample".into()),
        tenant: TenantId("sample".into()),
        number: "1000".into(),
        name: "Ann".into(),
        owner_email: None,
        settings: Preferences {
            pages: language.into(),
            disable_rotate: !rotates,
            hours,
            ..Preferences::default()
        },
    }
}
