//! Keys during a call.

use std::time::Duration;

use super::{DEAF, assert_heard, beeped, decoded, place, steadily, the_message, words};
use crate::house::House;
use crate::phone::{Call, Phone};

const REVIEW: &str = "[deposit]\nreview = true\n[speech]\nmodels = \"/nonexistent\"\n";
const QUIET: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_key_sent_as_sip_info_skips_the_greeting() {
    let house = House::start(DEAF);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.inform('#').await.unwrap();
    let heard = call.listen_to_beep().await.unwrap().concat();
    assert!(heard.len() < 2 * 8_000, "{} samples before the end of the beep", heard.len());
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_second_pound_during_the_beep_does_not_cost_the_message() {
    let house = House::start(DEAF);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.press('#').await.unwrap();
    call.press('#').await.unwrap();
    call.until_beep_is_over().await.unwrap();
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_caller_hears_what_they_said_and_keeps_it() {
    let house = House::start(REVIEW);
    let mut call = beeped(&house).await;
    let said = words(3);
    reviewed(&mut call, &said).await;
    call.press('2').await.unwrap();
    let heard = decoded(&call.listen(QUIET).await.unwrap());
    assert!(place(&decoded(&said), &heard).is_some(), "that is not what was said");
    call.press('1').await.unwrap();
    call.until_hung_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_message_recorded_again_takes_the_place_of_the_first() {
    let house = House::start(REVIEW);
    let mut call = beeped(&house).await;
    reviewed(&mut call, &words(2)).await;
    call.press('3').await.unwrap();
    call.until_beep_is_over().await.unwrap();
    let better = words(3);
    call.speak(&better).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &better);
}

#[tokio::test]
async fn a_caller_who_leaves_before_recording_again_leaves_the_first_message() {
    let house = House::start(REVIEW);
    let mut call = beeped(&house).await;
    let said = words(2);
    reviewed(&mut call, &said).await;
    call.press('3').await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_deleted_message_never_comes_back() {
    let mut house = House::start(REVIEW);
    let mut call = beeped(&house).await;
    reviewed(&mut call, &words(2)).await;
    call.press('*').await.unwrap();
    call.until_hung_up().await.unwrap();
    house.kill();
    house.restart();

    // Messages are filed in order: had the deleted one been filed, it would be there by now.
    let mut call = beeped(&house).await;
    let said = words(3);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn where_no_telephone_events_are_agreed_on_keys_are_heard_in_the_sound() {
    steadily(async || {
        let house = House::start(REVIEW);
        // As long as the right name, so that the length stays.
        let unknown = |it: String| it.replace("telephone-event/8000", "telephone-horse/8000");
        let phone = Phone::new().await.unwrap();
        let mut call = phone.call_with(house.sip, "1000", unknown).await.unwrap().unwrap();
        call.sound('#').await.unwrap();
        call.until_beep_is_over().await.unwrap();
        let said = words(3);
        call.speak(&said).await.unwrap();
        call.sound('#').await.unwrap();
        let menu = call.listen(QUIET).await.unwrap();
        assert!(menu.len() > 8_000, "no menu was heard");
        call.sound('1').await.unwrap();
        call.until_hung_up().await.unwrap();

        // The key that ended it is not in it: 100 ms of the loudest there is would be.
        let stored = house.sound(the_message(&house).await.id);
        let spoken = decoded(&said);
        let begin = place(&spoken[..20_000], &stored).expect("the beginning was said");
        let rest = &stored[begin + spoken.len().min(stored.len() - begin)..];
        assert!(rest.len() < 400, "{} samples of the key are stored", rest.len());
        assert!(stored.len() - begin > spoken.len() - 400, "too much was cut off");
    })
    .await;
}

#[tokio::test]
async fn a_tone_is_no_key_where_telephone_events_are_agreed_on() {
    let house = House::start(DEAF);
    let mut call = beeped(&house).await;
    call.speak(&words(1)).await.unwrap();
    call.sound('#').await.unwrap();
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    let stored = house.sound(the_message(&house).await.id);
    assert!(place(&decoded(&said), &stored).is_some(), "the tone ended the message");
}

/// Speaks, and ends in the review menu, heard to its end.
async fn reviewed(call: &mut Call, said: &[u8]) {
    call.speak(said).await.unwrap();
    call.press('#').await.unwrap();
    let menu = call.listen(QUIET).await.unwrap();
    assert!(menu.len() > 8_000, "no menu was heard");
}
