//! Calls to a real server by a phone that shares nothing with it.

mod announcing;
mod baresip;
mod bridge;
mod changes;
mod copies;
pub(crate) mod hold;
mod holding;
mod keys;
mod kinds;
mod listeners;
mod options;
mod own;
mod owner;
mod reasons;
mod room;
mod secure;
mod shoutcast;
pub(crate) mod signalling;
mod spoken;
pub(crate) mod streams;
mod trouble;
mod walk;
pub(crate) mod wide;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use afterbeep::audio::{g711, wav};
use afterbeep::store::messages::Message;
use futures::FutureExt;

use crate::house::House;
use crate::phone::{Call, FRAME, Phone, stood_still};

/// No speech model and no wait for one: the mail goes out at once.
const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

#[tokio::test]
async fn a_call_becomes_a_message_with_every_sample_that_was_spoken() {
    steadily(async || {
        let house = House::start(DEAF);
        let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        let said = words(4);
        call.speak(&said).await.unwrap();
        call.hang_up().await.unwrap();

        let message = the_message(&house).await;
        assert_eq!(message.envelope.caller.name.as_deref(), Some("Marie Dupont"));
        assert_eq!(message.envelope.caller.number.as_deref(), Some("5551234"));
        assert_heard(&house.sound(message.id), &said);
    })
    .await;
}

#[tokio::test]
async fn the_caller_hears_greeting_and_beep() {
    let house = House::start(DEAF);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    let heard = decoded(&call.listen_to_beep().await.unwrap().concat());
    call.hang_up().await.unwrap();

    let seconds = heard.len() as f64 / 8_000.0;
    assert!((8.0..16.0).contains(&seconds), "greeting, instructions and beep took {seconds} s");
    // The beep is the last 400 ms: 1 kHz and nothing else, which the words before it are not.
    let beep = &heard[heard.len() - 2_400..heard.len() - 800];
    let words = &heard[heard.len() - 16_000..heard.len() - 14_400];
    assert!(share_at(1_000.0, beep) > 0.95, "no beep at the end");
    assert!(share_at(1_000.0, words) < 0.5, "the beep went on for seconds");
}

#[tokio::test]
async fn a_caller_who_presses_pound_hears_that_the_message_is_saved() {
    steadily(async || {
        let house = House::start(DEAF);
        let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        let said = words(3);
        call.speak(&said).await.unwrap();
        call.press('#').await.unwrap();
        let heard = call.listen(Duration::from_millis(500)).await.unwrap();
        assert!(heard.len() > 8_000, "only {} samples of \"saved\" and \"goodbye\"", heard.len());
        assert_eq!(house.messages(1).await.len(), 1, "saved was said before it was committed");
        call.until_hung_up().await.unwrap();

        let message = the_message(&house).await;
        assert_heard(&house.sound(message.id), &said);
    })
    .await;
}

#[tokio::test]
async fn eight_seconds_of_silence_end_the_message() {
    let house = House::start("[deposit]\nsilence = \"2s\"\n[speech]\nmodels = \"/nonexistent\"\n");
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    let quiet = vec![0xff; 3 * 8_000];
    call.speak(&[words(3), quiet].concat()).await.unwrap();
    call.until_hung_up().await.unwrap();

    let length = the_message(&house).await.envelope.length.as_secs_f64();
    assert!((3.0..4.1).contains(&length), "{length} s");
}

#[tokio::test]
async fn the_owners_greeting_is_heard() {
    let house = House::start(DEAF);
    let tone: Vec<i16> = (0..16_000)
        .map(|n| ((f64::from(n) * std::f64::consts::FRAC_PI_8).sin() * 8_000.0) as i16)
        .collect();
    let file = house.dir.path().join("greeting.wav");
    std::fs::write(&file, wav::to_wav(&tone, 8_000)).unwrap();
    house.run(&["greeting", "set", "--mailbox", "1000", "--file", file.to_str().unwrap()]);

    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    let heard = decoded(&call.listen(Duration::from_millis(500)).await.unwrap());
    call.hang_up().await.unwrap();
    assert!(share_at(500.0, &heard[1_600..8_000]) > 0.95, "that is not the owner's greeting");
}

#[tokio::test]
async fn a_number_without_a_mailbox_is_refused() {
    let house = House::start(DEAF);
    let refused = Phone::new().await.unwrap().call(house.sip, "4711").await.unwrap().err().unwrap();
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn hanging_up_during_the_greeting_leaves_nothing() {
    let house = House::start(DEAF);
    let call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.hang_up().await.unwrap();
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    assert_eq!(house.messages(1).await.len(), 1);
}

/// Does this, and when it fails though it was the phone that could not speak, once more. A machine so
/// busy is not what is asked about.
pub(crate) async fn steadily(test: impl AsyncFn()) {
    const TRIES: usize = 3;
    for _ in 1..TRIES {
        stood_still();
        match AssertUnwindSafe(test()).catch_unwind().await {
            Err(_) if stood_still() => {}
            Err(failure) => resume_unwind(failure),
            Ok(()) => return,
        }
    }
    test().await;
}

/// A call on the way from beep to hang-up.
pub(crate) async fn beeped(house: &House) -> Call {
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call
}

/// Where these samples begin in others.
fn place(of: &[i16], within: &[i16]) -> Option<usize> {
    within.windows(of.len()).position(|it| it == of)
}

async fn the_message(house: &House) -> Message {
    let mut messages = house.messages(1).await;
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

/// The silence between beep and first word, every sample that was spoken, and the silence until the
/// server heard that this was all.
#[track_caller]
pub(crate) fn assert_heard(stored: &[i16], said: &[u8]) {
    let said = decoded(said);
    let begin = place(&said, stored).expect("what is stored lacks something that was said");
    assert_quiet(&stored[..begin], 8_000);
    assert_quiet(&stored[begin + said.len()..], 8_000);
}

/// Nobody spoke, and not for longer than the machine may be busy: two seconds.
#[track_caller]
pub(crate) fn assert_quiet(stored: &[i16], rate: usize) {
    assert!(stored.len() <= 2 * rate, "{} samples too many", stored.len());
    assert!(stored.iter().all(|&it| it == 0), "something is stored that nobody said");
}

/// So many seconds of something that is loud, changes all the time and is no call-progress tone.
pub(crate) fn words(seconds: usize) -> Vec<u8> {
    let mut seed = 0x2545_f491_u32;
    let noise = (0..seconds * 8_000).map(|n| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        let swell = 0.2 + 0.8 * (n as f64 / 900.0).sin().abs();
        (f64::from(seed as i16) * 0.3 * swell) as i16
    });
    let bytes: Vec<u8> = noise.map(g711::ulaw_from).collect();
    assert_eq!(bytes.len() % FRAME, 0);
    bytes
}

pub(crate) fn decoded(bytes: &[u8]) -> Vec<i16> {
    bytes.iter().map(|&it| g711::ULAW[usize::from(it)]).collect()
}

/// How much of the sound's energy lies at one frequency.
fn share_at(hz: f64, samples: &[i16]) -> f64 {
    let step = std::f64::consts::TAU * hz / 8_000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (value, angle) = (f64::from(sample), step * n as f64);
        re += value * angle.cos();
        im += value * angle.sin();
        all += value * value;
    }
    2.0 * (re * re + im * im) / (all * samples.len() as f64)
}
