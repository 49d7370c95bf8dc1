//! Calls of all kinds, and several at once.

use std::net::{Ipv6Addr, SocketAddr};

use afterbeep::audio::g711;

use super::{DEAF, assert_heard, beeped, decoded, place, the_message, words};
use crate::house::House;
use crate::phone::Phone;

#[tokio::test]
async fn a_caller_who_speaks_a_law_is_stored_as_spoken() {
    let house = House::start(DEAF);
    let phone = Phone::at("127.0.0.1", 8).await.unwrap();
    let mut call = phone.call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    let said: Vec<u8> = decoded(&words(3)).into_iter().map(g711::alaw_from).collect();
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();

    let stored = house.sound(the_message(&house).await.id);
    let said: Vec<i16> = said.iter().map(|&it| g711::ALAW[usize::from(it)]).collect();
    assert!(place(&said, &stored).is_some(), "not every sample is as it was said");
    let more = stored.len() - said.len();
    assert!(more <= 16_000, "{more} samples too many");
}

#[tokio::test]
async fn a_call_over_ipv6_becomes_a_message() {
    let house = House::start(DEAF);
    let server = SocketAddr::from((Ipv6Addr::LOCALHOST, house.sip.port()));
    let mut call = Phone::at("::1", 0).await.unwrap().call(server, "1000").await.unwrap().unwrap();
    assert!(call.media().is_ipv6());
    call.skip_to_beep().await.unwrap();
    let said = words(3);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn two_calls_to_one_mailbox_are_two_messages() {
    let house = House::start(DEAF);
    let (short, long) = (words(2), words(4));
    let leave = async |said: &[u8]| {
        let mut call = beeped(&house).await;
        call.speak(said).await.unwrap();
        call.hang_up().await.unwrap();
    };
    tokio::join!(leave(&short), leave(&long));

    let mut messages = house.messages(2).await;
    assert_eq!(messages.len(), 2);
    messages.sort_by_key(|it| it.envelope.length);
    assert_heard(&house.sound(messages[0].id), &short);
    assert_heard(&house.sound(messages[1].id), &long);
}

#[tokio::test]
async fn a_caller_who_gives_up_before_the_answer_is_told_so_and_nothing_is_left() {
    let house = House::start(DEAF);
    let mut cancelled = false;
    for _ in 0..50 {
        let phone = Phone::new().await.unwrap();
        let status = phone.give_up(house.sip, "1000").await.unwrap();
        assert!(matches!(status, 200 | 487), "{status}");
        cancelled |= status == 487;
    }
    assert!(cancelled, "no call was cancelled in time");
    house.page("/metrics", "afterbeep_rtp_legs 0").await;
    house.page("/metrics", "afterbeep_sip_calls 0").await;
    // Their ports and places are free again.
    let mut call = beeped(&house).await;
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert!(place(&decoded(&said), &house.sound(the_message(&house).await.id)).is_some());
}
