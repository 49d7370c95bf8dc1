//! Calls that were sent on: the mailbox they are for, and the greeting that fits.

use afterbeep::audio::{Codec, wav};
use afterbeep::mailbox::Reason;
use afterbeep::prompts::Prompts;
use afterbeep::say::Phrase;

use super::{DEAF, decoded, share_at, the_message, words};
use crate::house::House;
use crate::phone::{Call, Phone};

const BUSY: &str = "Diversion: <sip:1000@pbx.example>;reason=user-busy";
const UNTAKEN: &str = "Diversion: <sip:1000@pbx.example>;reason=no-answer";
const DISTURBED: &str = "Diversion: <sip:1000@pbx.example>;reason=do-not-disturb";

/// A call with one more header line.
async fn sent_on(house: &House, number: &str, line: &str) -> Result<Call, u16> {
    let change = |invite: String| invite.replacen("From:", &format!("{line}\r\nFrom:"), 1);
    let call = Phone::new().await.unwrap().call_with(house.sip, number, change).await.unwrap();
    call.map_err(|it| it.status)
}

/// All that is heard up to the beep.
async fn greeted(house: &House, line: &str) -> Vec<i16> {
    let mut call = sent_on(house, "1000", line).await.unwrap();
    let heard = call.listen_to_beep().await.unwrap().concat();
    call.hang_up().await.unwrap();
    decoded(&heard)
}

/// The middle of the last clip of a sentence, as it is heard.
fn heard_as(language: &str, phrase: Phrase) -> Vec<i16> {
    let clips = Prompts::load(None).unwrap().clips(language, &phrase);
    let last = clips.last().unwrap().encoded(Codec::Pcmu);
    decoded(&last[last.len() / 3..][..800])
}

fn is_in(part: &[i16], heard: &[i16]) -> bool {
    super::place(part, heard).is_some()
}

#[tokio::test]
async fn the_greeting_fits_the_reason_and_the_temporary_one_overrides() {
    let house = House::start(DEAF);
    record(&house, "unavailable", 500.0, &[]);
    record(&house, "busy", 800.0, &[]);
    let tone = async |line| {
        let heard = greeted(&house, line).await;
        [500.0, 800.0, 1_300.0].into_iter().find(|&hz| share_at(hz, &heard[1_600..8_000]) > 0.9)
    };
    assert_eq!(tone(UNTAKEN).await, Some(500.0));
    assert_eq!(tone(BUSY).await, Some(800.0));
    assert_eq!(tone(DISTURBED).await, Some(800.0));

    record(&house, "temporary", 1_300.0, &["--until", "2100-01-01"]);
    assert_eq!(tone(UNTAKEN).await, Some(1_300.0));
    assert_eq!(tone(BUSY).await, Some(1_300.0));

    house.run(&["greeting", "rm", "--mailbox", "1000", "--kind", "temporary"]);
    assert_eq!(tone(BUSY).await, Some(800.0));
}

#[tokio::test]
async fn a_made_up_greeting_says_whether_somebody_is_on_the_phone() {
    let house = House::start(DEAF);
    let number = || "1000".to_owned();
    let on_the_phone = heard_as("en", Phrase::OnThePhone { number: number() });
    let not_available = heard_as("en", Phrase::NotAvailable { number: number() });
    let busy = greeted(&house, BUSY).await;
    assert!(is_in(&on_the_phone, &busy) && !is_in(&not_available, &busy));
    let untaken = greeted(&house, UNTAKEN).await;
    assert!(is_in(&not_available, &untaken) && !is_in(&on_the_phone, &untaken));
}

#[tokio::test]
async fn a_mailbox_speaks_its_own_language() {
    let house = House::start(DEAF);
    house.run(&["mailbox", "set", "1000", "--language", "fr"]);
    let heard = greeted(&house, BUSY).await;
    assert!(is_in(&heard_as("fr", Phrase::OnThePhone { number: "1000".into() }), &heard));
    assert!(is_in(&heard_as("fr", Phrase::Instructions), &heard));
}

#[tokio::test]
async fn the_reason_is_kept_with_the_message_and_shown() {
    let house = House::start(DEAF);
    let mut call = sent_on(&house, "1000", BUSY).await.unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    let message = the_message(&house).await;
    assert_eq!(message.envelope.reason, Reason::Busy);
    let shown = house.run(&["message", "show", &message.id.to_string()]);
    assert!(shown.contains("Reason:   busy\n"), "{shown}");
}

#[tokio::test]
async fn the_reason_survives_a_crash_with_what_was_said() {
    let mut house = House::start(DEAF);
    let mut call = sent_on(&house, "1000", DISTURBED).await.unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(4)).await.unwrap();
    house.kill();
    house.restart();
    let message = the_message(&house).await;
    assert_eq!(
        (message.envelope.reason, message.envelope.interrupted),
        (Reason::DoNotDisturb, true)
    );
}

#[tokio::test]
async fn every_mailbox_is_reached_through_one_number() {
    let house = House::start(DEAF);
    let mut call = sent_on(&house, "voicemail", UNTAKEN).await.unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    assert_eq!(the_message(&house).await.envelope.reason, Reason::NoAnswer);

    let to_itself = "Diversion: <sip:voicemail@pbx.example>;reason=unconditional";
    let nobodys = "Diversion: <sip:4711@pbx.example>;reason=user-busy";
    for (number, line) in [("voicemail", to_itself), ("voicemail", nobodys), ("4711", BUSY)] {
        assert_eq!(sent_on(&house, number, line).await.err(), Some(404), "{number}, {line}");
    }
}

#[tokio::test]
async fn the_target_of_rfc_4458_is_the_mailbox() {
    let house = House::start(DEAF);
    let uri = ";target=sip:1000%40pbx.example;cause=486 SIP/2.0\r\n";
    let change = |invite: String| invite.replacen(" SIP/2.0\r\n", uri, 1);
    let phone = Phone::new().await.unwrap();
    let mut call = phone.call_with(house.sip, "anything", change).await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    assert_eq!(the_message(&house).await.envelope.reason, Reason::Busy);
}

/// Gives mailbox 1000 a greeting: two seconds of a tone.
fn record(house: &House, kind: &str, hz: f64, more: &[&str]) {
    let turn = std::f64::consts::TAU * hz / 8_000.0;
    let tone: Vec<i16> =
        (0..16_000).map(|n| ((f64::from(n) * turn).sin() * 8_000.0) as i16).collect();
    let file = house.dir.path().join(format!("{kind}.wav"));
    std::fs::write(&file, wav::to_wav(&tone, 8_000)).unwrap();
    let file = file.to_str().unwrap();
    let set = ["greeting", "set", "--mailbox", "1000", "--file", file, "--kind", kind];
    house.run(&[&set, more].concat());
}
