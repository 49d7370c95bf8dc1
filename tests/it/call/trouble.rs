//! Calls in which something goes wrong.

use std::path::Path;
use std::time::Duration;

use afterbeep::prompts::Prompts;
use afterbeep::say::Phrase;

use super::{DEAF, assert_heard, beeped, decoded, place, the_message, words};
use crate::house::House;
use crate::phone::Phone;

const QUIET: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_caller_who_vanishes_leaves_what_was_said() {
    let house = House::start("[rtp]\ntimeout = \"2s\"\n[speech]\nmodels = \"/nonexistent\"\n");
    let mut call = beeped(&house).await;
    let said = words(3);
    call.speak(&said).await.unwrap();
    call.until_hung_up().await.unwrap();
    let stored = house.sound(the_message(&house).await.id);
    assert!(place(&decoded(&said), &stored).is_some(), "what was said is not there");
    let rest = stored.len() as f64 / 8_000.0 - 3.0;
    assert!((1.5..5.0).contains(&rest), "{rest} s of nothing");
    house.page("/metrics", "afterbeep_rtp_legs 0").await;
}

#[tokio::test]
async fn a_server_that_stands_still_for_two_seconds_loses_nothing_of_what_is_said_meanwhile() {
    let house = House::start(DEAF);
    let mut call = beeped(&house).await;
    let said = words(6);
    let (one, rest) = said.split_at(8_000);
    call.speak(one).await.unwrap();
    house.signal("STOP");
    call.speak(&rest[..16_000]).await.unwrap();
    house.signal("CONT");
    call.speak(&rest[16_000..]).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_caller_who_vanishes_during_the_greeting_does_not_stay() {
    let house = House::start("[rtp]\ntimeout = \"1s\"\n[speech]\nmodels = \"/nonexistent\"\n");
    let call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.until_hung_up().await.unwrap();
    house.page("/metrics", "afterbeep_rtp_legs 0").await;
}

#[tokio::test]
async fn with_the_disk_full_a_caller_hears_that_nothing_is_saved() {
    let house =
        House::start("disk_reserve_mib = 1_000_000_000\n[speech]\nmodels = \"/nonexistent\"\n");
    house.page("/readyz", "The disk is too full").await;
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.press('#').await.unwrap();
    let heard = seconds(call.listen(QUIET).await.unwrap().len());
    call.until_hung_up().await.unwrap();
    let expected = told(&[Phrase::NotSaved, Phrase::Goodbye]);
    assert!((expected..expected + 1.5).contains(&heard), "{heard} s heard, not {expected} s");
    assert!(house.messages(0).await.is_empty());
}

#[tokio::test]
async fn nobody_hears_saved_when_the_mailbox_was_removed_meanwhile() {
    let house = House::start(DEAF);
    let mut call = beeped(&house).await;
    house.run(&["mailbox", "rm", "1000"]);
    call.speak(&words(2)).await.unwrap();
    call.press('#').await.unwrap();
    let heard = seconds(call.listen(QUIET).await.unwrap().len());
    call.until_hung_up().await.unwrap();
    let expected = told(&[Phrase::Goodbye]);
    assert!((heard - expected).abs() < 0.2, "{heard} s heard, not {expected} s of goodbye");
}

#[tokio::test]
async fn a_take_that_cannot_be_read_back_holds_up_no_other() {
    let house = House::start("[deposit]\nreview = true\n[speech]\nmodels = \"/nonexistent\"\n");
    let mut call = beeped(&house).await;
    let lost = words(4);
    call.speak(&lost).await.unwrap();
    call.press('#').await.unwrap();
    call.listen(QUIET).await.unwrap();
    damage(&house.data().join("spool"), &lost[16_000..16_160]);
    call.hang_up().await.unwrap();

    let mut call = beeped(&house).await;
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    let stored = house.sound(the_message(&house).await.id);
    assert!(place(&decoded(&said), &stored).is_some(), "what was said is not there");
}

#[tokio::test]
async fn while_messages_cannot_be_filed_nobody_hears_saved_and_later_they_are() {
    let house = House::start(DEAF);
    let (recordings, away) = (house.data().join("blobs/messages"), house.data().join("away"));
    std::fs::rename(&recordings, &away).unwrap();
    std::fs::write(&recordings, "in the way").unwrap();
    let mut call = beeped(&house).await;
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.press('#').await.unwrap();
    let heard = seconds(call.listen(QUIET).await.unwrap().len());
    call.until_hung_up().await.unwrap();
    let expected = told(&[Phrase::Goodbye]);
    assert!((heard - expected).abs() < 0.2, "{heard} s heard, not {expected} s of goodbye");

    std::fs::remove_file(&recordings).unwrap();
    std::fs::rename(&away, &recordings).unwrap();
    let stored = house.sound(the_message(&house).await.id);
    assert!(place(&decoded(&said), &stored).is_some(), "what was said is not there");
}

/// Turns a bit of these bytes, wherever in the folder they lie.
fn damage(folder: &Path, bytes: &[u8]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut held = std::fs::read(&path).unwrap();
        if let Some(at) = held.windows(bytes.len()).position(|it| it == bytes) {
            held[at] ^= 1;
            return std::fs::write(path, held).unwrap();
        }
    }
    panic!("the take is not in the spool");
}

/// How long these phrases take to say.
fn told(phrases: &[Phrase]) -> f64 {
    let prompts = Prompts::load(None).unwrap();
    let clips = phrases.iter().flat_map(|it| prompts.clips("en", it));
    clips.map(|it| it.length().as_secs_f64()).sum()
}

fn seconds(samples: usize) -> f64 {
    samples as f64 / 8_000.0
}
