//! What changes while a call is up: hold, another address.

use std::time::{Duration, Instant};

use super::{DEAF, assert_quiet, beeped, decoded, place, steadily, the_message, words};
use crate::house::House;

#[tokio::test]
async fn on_hold_the_recording_goes_on_as_silence_and_nothing_times_out() {
    steadily(async || {
        let house = House::start("[rtp]\ntimeout = \"3s\"\n[speech]\nmodels = \"/nonexistent\"\n");
        let mut call = beeped(&house).await;
        let said = words(3);
        let (before, after) = said.split_at(16_000);
        call.speak(before).await.unwrap();
        let began = Instant::now();
        call.renegotiate("inactive").await.unwrap();
        call.wait(Duration::from_secs(4)).await;
        call.renegotiate("sendrecv").await.unwrap();
        let away = began.elapsed().as_secs_f64();
        call.speak(after).await.unwrap();
        call.hang_up().await.unwrap();

        let stored = house.sound(the_message(&house).await.id);
        let first = place(&decoded(before), &stored).expect("what was said before the hold");
        let second = place(&decoded(after), &stored).expect("what was said after it");
        let held = &stored[first + before.len()..second];
        assert!(held.iter().all(|&it| it == 0), "something was heard on hold");
        let seconds = held.len() as f64 / 8_000.0;
        assert!((seconds - away).abs() < 0.2, "{away} seconds on hold became {seconds}");
        assert_quiet(&stored[second + after.len()..], 8_000);
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
