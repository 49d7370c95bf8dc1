//! From the call to the mail: a real server process, a phone, a mail server, a real model.

use std::path::Path;
use std::time::{Duration, Instant};

use afterbeep::audio::{g711, resample::resample};
use afterbeep::mailbox::MessageId;
use afterbeep::store::deliveries::{self, Delivery, State};
use afterbeep::store::jobs::{self, Kind, Listed};
use afterbeep::store::{Db, transcripts};
use mail_parser::{Message as Letter, MessageParser};

use crate::house::{House, PATIENCE, models};
use crate::mail::sink::{Received, Sink};
use crate::phone::{FRAME, Phone};

mod holding;
mod mailing;
mod options;
mod telling;
mod transcribing;
mod translating;

/// No speech model and no wait for one: the mail goes out at once.
const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

/// The settings of a house that hands its mails in there, and does not wait long when refused.
fn mailing_to(sink: &Sink) -> String {
    let port = sink.addr.port();
    format!(
        "[mail]\nretry_first = \"200ms\"\n\
         [mail.server]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n"
    )
}

/// The settings of a house with ears.
fn hearing() -> String {
    format!("[speech]\nmodel = \"tiny.en\"\nmodels = \"{}\"\n", models().display())
}

/// Calls, says it after the beep, and hangs up; the message it became.
async fn leave(house: &House, sound: &[u8]) -> MessageId {
    let before = house.messages(0).await.len();
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(sound).await.unwrap();
    call.hang_up().await.unwrap();
    house.messages(before + 1).await[0].id
}

/// A recording as a phone sends it (PCMU).
fn spoken(path: &str) -> Vec<u8> {
    let mut wav = hound::WavReader::open(path).unwrap_or_else(|cause| {
        panic!("{path}: {cause}; install pocketsphinx-testdata and asterisk-core-sounds-en-wav")
    });
    let rate = wav.spec().sample_rate;
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    let mut bytes: Vec<u8> =
        resample(&samples, rate, 8_000).into_iter().map(g711::ulaw_from).collect();
    bytes.resize(bytes.len().next_multiple_of(FRAME), 0xff);
    bytes
}

/// A volunteer reads from a novel: "... Mr. John Dashwood had then leisure to consider how much
/// there might be prudently in his power to do for them."
fn novel() -> Vec<u8> {
    spoken(
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
    )
}

fn parsed(letter: &Received) -> Letter<'_> {
    MessageParser::default().parse(&letter.bytes).unwrap()
}

/// Asks again and again until there is an answer.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let gives_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < gives_up, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A message's job of a kind, if there still is one.
async fn job(db: &Db, kind: Kind, id: MessageId) -> Option<Listed> {
    let all = jobs::list(db).await.unwrap();
    all.into_iter().find(|it| it.job.kind == kind && it.job.subject == id)
}

/// The deliveries of a message once nothing is left to do about them.
async fn delivered(db: &Db, id: MessageId) -> Vec<Delivery> {
    until("the mails are settled", async || {
        job(db, Kind::Notify, id).await.is_none().then_some(())
    })
    .await;
    deliveries::of(db, &id).await.unwrap()
}

/// What was heard in a message, once that is known.
async fn heard(db: &Db, id: MessageId) -> String {
    until("a transcript is saved", async || transcripts::of(db, &id).await.unwrap()).await.text()
}

/// The processes a process has started: their numbers.
fn children(of: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
    numbers.filter(|&it| parent(it) == Some(of)).collect()
}

fn parent(of: u32) -> Option<u32> {
    let stat =
        std::fs::read_to_string(Path::new("/proc").join(of.to_string()).join("stat")).ok()?;
    // "42 (a name) S 17 ...": the name may have anything in it.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

fn signal(name: &str, process: u32) {
    let sent = std::process::Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.unwrap().success(), "kill {name} {process}");
}
