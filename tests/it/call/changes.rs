//! What changes while a call is up: hold, another address.

use std::time::Duration;

use super::{DEAF, assert_quiet, beeped, decoded, place, steadily, the_message, words};
use crate::house::House;
use crate::phone::Phone;

#[tokio::test]
async fn a_hold_in_the_middle_of_a_message_is_left_out_of_it_and_ends_nothing() {
    for hold in ["inactive", "sendonly", "recvonly"] {
        steadily(async || held(hold).await).await;
    }
}

/// Longer than silence, a message and a dead line may last.
async fn held(hold: &str) {
    let limits = "[deposit]\nsilence = \"2s\"\nlongest = \"6s\"\n[rtp]\ntimeout = \"2s\"\n";
    let house = House::start(&format!("{limits}{DEAF}"));
    let mut call = beeped(&house).await;
    let said = words(4);
    let (before, after) = said.split_at(16_000);
    call.speak(before).await.unwrap();
    call.renegotiate(hold).await.unwrap();
    if hold == "sendonly" {
        // Their phone system's music, which would be a message of its own.
        call.speak(&words(9)[40_000..]).await.unwrap();
    } else {
        call.wait(Duration::from_secs(4)).await;
    }
    call.renegotiate("sendrecv").await.unwrap();
    call.speak(after).await.unwrap();
    call.hang_up().await.unwrap();

    let stored = house.sound(the_message(&house).await.id);
    let first = place(&decoded(before), &stored).expect("what was said before the hold");
    let second = place(&decoded(after), &stored).expect("what was said after it");
    let between = second - first - before.len();
    assert!(between < 4_000, "{hold}: {between} samples of the hold are in the message");
    assert_quiet(&stored[first + before.len()..second], 8_000);
    assert_quiet(&stored[second + after.len()..], 8_000);
}

/// What phones held with before there were directions (RFC 2543, RFC 3264 §8.4).
#[tokio::test]
async fn a_hold_by_an_empty_address_is_one_too_and_by_update_as_well() {
    steadily(async || {
        let house = House::start(&format!("[deposit]\nsilence = \"1s\"\n{DEAF}"));
        let mut call = beeped(&house).await;
        let said = words(4);
        let (before, after) = said.split_at(16_000);
        call.speak(before).await.unwrap();
        let here = call.description("sendrecv").unwrap();
        let empty = here.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
        for method in ["INVITE", "UPDATE"] {
            let answer = call.offer_as(method, &empty).await.unwrap();
            assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
            assert!(answer.contains("a=recvonly"), "{answer}");
            call.wait(Duration::from_millis(1_500)).await;
            let answer = call.offer_as(method, &here).await.unwrap();
            assert!(answer.contains("a=sendrecv"), "{answer}");
        }
        call.speak(after).await.unwrap();
        call.hang_up().await.unwrap();
        let stored = house.sound(the_message(&house).await.id);
        let first = place(&decoded(before), &stored).expect("what was said before the hold");
        let second = place(&decoded(after), &stored).expect("what was said after it");
        assert_quiet(&stored[first + before.len()..second], 8_000);
    })
    .await;
}

/// The music of their phone system has keys in it, as far as a listener for tones can tell; one of them
/// would end the message, and another log in.
#[tokio::test]
async fn keys_in_the_music_of_a_hold_are_nobodys() {
    steadily(async || {
        let house = House::start(DEAF);
        let toneless = |it: String| it.replace("telephone-event/8000", "telephone-horse/8000");
        let phone = Phone::new().await.unwrap();
        let mut call = phone.call_with(house.sip, "1000", toneless).await.unwrap().unwrap();
        call.sound('#').await.unwrap();
        call.until_beep_is_over().await.unwrap();
        let said = words(4);
        let (before, after) = said.split_at(16_000);
        call.speak(before).await.unwrap();
        let [hold, resume] =
            ["sendonly", "sendrecv"].map(|it| toneless(call.description(it).unwrap()));
        call.offer_as("INVITE", &hold).await.unwrap();
        for key in ['#', '*', '1', '0'] {
            call.sound(key).await.unwrap();
        }
        call.offer_as("INVITE", &resume).await.unwrap();
        call.speak(after).await.unwrap();
        call.hang_up().await.unwrap();
        let stored = house.sound(the_message(&house).await.id);
        let first = place(&decoded(before), &stored).expect("what was said before the hold");
        let second = place(&decoded(after), &stored).expect("what was said after it");
        assert_quiet(&stored[first + before.len()..second], 8_000);
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_never_resumed_ends_by_itself() {
    steadily(async || {
    let house = House::start(
        "[deposit]\nsilence = \"0s\"\n[rtp]\nheld = \"2s\"\n[speech]\nmodels = \"/nonexistent\"\n",
    );
    let mut call = beeped(&house).await;
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.renegotiate("inactive").await.unwrap();
    call.until_hung_up().await.unwrap();
    let stored = house.sound(the_message(&house).await.id);
    assert!(place(&decoded(&said), &stored).is_some(), "what was said is not there");
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_moves_is_heard_from_the_new_address() {
    steadily(async || {
        let house = House::start(DEAF);
        let mut call = beeped(&house).await;
        let said = words(4);
        let (before, after) = said.split_at(16_000);
        call.speak(before).await.unwrap();
        call.move_sound().await.unwrap();
        call.speak(after).await.unwrap();
        call.press('#').await.unwrap();
        let heard = call.listen(Duration::from_millis(500)).await.unwrap();
        assert!(heard.len() > 8_000, "the new address heard only {} samples", heard.len());
        call.until_hung_up().await.unwrap();
        let stored = house.sound(the_message(&house).await.id);
        let first = place(&decoded(before), &stored).expect("what was said before the move");
        let second = place(&decoded(after), &stored).expect("what was said after it");
        assert_quiet(&stored[first + before.len()..second], 8_000);
        assert_quiet(&stored[second + after.len()..], 8_000);
    })
    .await;
}
