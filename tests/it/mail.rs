//! Letters: what they say, that they arrive whole, and that no stranger can bend them.

use std::time::Duration;

use afterbeep::{
    mail::{Letter, News, Sound, Templates, Text, Translated, Ways},
    mailbox::{settings::Attach, *},
};
use bytes::Bytes;
use uuid::Uuid;

mod catching;
mod hostile;
mod links;
mod protected;
mod sending;
mod short;
pub(crate) mod sink;
mod templates;
mod translated;
mod writing;

/// Monday, 23 November 2026, 14:32:07 in Vienna.
const RECEIVED: Timestamp = Timestamp(1_795_440_727_000);
const ID: MessageId = MessageId(Uuid::from_u128(0x0192_3456_789a_7bcd_8def_0123_4567_89ab));

fn reception() -> Mailbox {
    Mailbox {
        id: MailboxId("m".into()),
        tenant: TenantId("t".into()),
        number: "1000".into(),
        name: "Reception".into(),
        owner_email: Some("ann@example.org".into()),
        settings: Preferences { time_zone: "Europe/Vienna".into(), ..Default::default() },
    }
}

fn from_marie() -> Envelope {
    Envelope {
        caller: Caller {
            name: Some("Marie Dupont".into()),
            number: Some("+33 5 56 12 34 56".into()),
        },
        received: RECEIVED,
        length: Duration::from_secs(24),
        interrupted: false,
        reason: Reason::Unknown,
    }
}

fn transcript(said: &[(&str, f32)]) -> Text {
    let segment = |&(text, confidence): &(&str, f32)| Segment {
        start_ms: 0,
        end_ms: 1000,
        text: text.into(),
        confidence,
    };
    Text::Transcript(Transcript {
        language: "en".into(),
        segments: said.iter().map(segment).collect(),
        engine: "whisper tiny.en".into(),
    })
}

/// Bytes no text encoding survives by luck.
fn sound() -> Bytes {
    (0..20_000u32).map(|it| (it * 7 + it / 256) as u8).collect()
}

fn wav() -> Sound {
    Sound { kind: Attach::Wav, bytes: sound() }
}

/// What there is to tell when nothing is special.
fn news<'a>(mailbox: &'a Mailbox, envelope: &'a Envelope, text: &'a Text) -> News<'a> {
    let (translated, room) = (&Translated::Off, None);
    let keep_trash = Duration::from_secs(30 * 24 * 3_600);
    let said = Said::default();
    News {
        id: ID,
        mailbox,
        envelope,
        filed: envelope.received,
        text,
        translated,
        said,
        forwarded_by: None,
        room,
        keep_trash,
        too_large: false,
    }
}

/// The full letter, written with the built-in templates.
fn written(news: &News<'_>, ways: &Ways) -> Letter {
    Letter::full(&Templates::built_in(), news, ways, Some(wav())).unwrap()
}

fn letter(envelope: &Envelope, text: &Text) -> Letter {
    written(&news(&reception(), envelope, text), &Ways::default())
}

fn html(letter: &Letter) -> &str {
    letter.html.as_deref().unwrap()
}

/// Where everything has an address.
fn ways() -> Ways {
    let below = |path: &str| Some(format!("https://voicemail.example{path}"));
    Ways { base_url: below(""), listen: below("/l/AAAA"), unsubscribe: below("/u/BBBB") }
}

fn set(name: &str, word: &str) -> Mailbox {
    let mut own = Settings::default();
    own.set("time_zone", "Europe/Vienna").unwrap();
    own.set(name, word).unwrap();
    Mailbox { settings: Preferences::of(own, Settings::default()), ..reception() }
}
