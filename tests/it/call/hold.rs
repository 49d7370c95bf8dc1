//! What callers hear who are put on hold, and announcements.

use std::path::PathBuf;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use afterbeep::audio::wav;
use tokio::net::TcpListener;

use super::{DEAF, decoded, share_at};
use crate::house::House;
use crate::phone::richer::Manner;
use crate::phone::{Call, FRAME, Phone};

/// The tones that tracks are made of.
pub(crate) const LOW: f64 = 440.0;
pub(crate) const MIDDLE: f64 = 800.0;
pub(crate) const HIGH: f64 = 1_240.0;

#[tokio::test]
async fn who_is_put_on_hold_hears_track_after_track_without_a_gap() {
    let house = House::start(DEAF);
    add(
        &house,
        "default",
        &[("low", LOW, 1_000), ("middle", MIDDLE, 1_500), ("high", HIGH, 2_000)],
    );

    for _ in 0..2 {
        let mut call = call(&house, "moh").await;
        let heard = listen(&mut call, 6_000).await;
        call.hang_up().await.unwrap();
        // Every call begins at the beginning, and what ends begins again.
        assert_eq!(told(&heard), [LOW, MIDDLE, HIGH, LOW, MIDDLE], "{:?}", lengths(&heard));
        let expected = [1_000, 1_500, 2_000];
        for (is, should) in lengths(&heard).into_iter().zip(expected) {
            assert!(is.abs_diff(should) <= 60, "{is} ms, not {should}");
        }
    }
}

#[tokio::test]
async fn by_chance_each_track_is_heard_once_a_round_and_none_twice_in_a_row() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 600), ("middle", MIDDLE, 600), ("high", HIGH, 600)]);
    house.run(&["moh", "set", "--shuffle", "yes"]);
    let mut orders = std::collections::HashSet::new();
    for _ in 0..3 {
        let mut call = call(&house, "moh").await;
        let heard = told(&listen(&mut call, 5_600).await);
        call.hang_up().await.unwrap();
        // Two of the same would sound as one.
        assert!(heard.len() >= 9, "{heard:?}");
        for round in heard[..9].chunks(3) {
            let mut all = round.to_vec();
            all.sort_by(f64::total_cmp);
            assert_eq!(all, [LOW, MIDDLE, HIGH], "{heard:?}");
            orders.insert(round.iter().map(|it| *it as u32).collect::<Vec<_>>());
        }
    }
    // Nine rounds are the same by chance once in a million times.
    assert!(orders.len() > 1, "it is always {orders:?}");
}

#[tokio::test]
async fn what_a_class_shares_is_the_same_moment_for_all() {
    let house = House::start(DEAF);
    add(&house, "radio", &[("low", LOW, 1_000), ("middle", MIDDLE, 1_000), ("high", HIGH, 1_000)]);
    house.run(&["moh", "set", "--class", "radio", "--shared", "yes"]);

    let mut first = call(&house, "moh-radio").await;
    let before = listen(&mut first, 1_500).await;
    assert_eq!(told(&before), [LOW, MIDDLE]);
    let mut second = call(&house, "moh-radio").await;
    let (one, other) = tokio::join!(listen(&mut first, 2_000), listen(&mut second, 2_000));
    assert_eq!(told(&one)[0], MIDDLE);
    assert_eq!(told(&one), told(&other));
    let (one, other) = (lengths(&one)[0], lengths(&other)[0]);
    assert!(one.abs_diff(other) <= 100, "{one} and {other} ms of the same tone were left");
}

#[tokio::test]
async fn a_greeting_comes_first_and_an_announcement_again_and_again() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 5_000)]);
    for (name, hz) in [("welcome", MIDDLE), ("patience", HIGH)] {
        let file = tone(&house, name, hz, 1_000);
        house.run(&["announcement", "set", name, "--file", file.to_str().unwrap()]);
    }
    let said = ["--intro", "welcome", "--announcement", "patience", "--every", "2"];
    house.run(&[&["moh", "set"][..], &said].concat());

    let mut call = call(&house, "moh").await;
    let heard = listen(&mut call, 7_500).await;
    call.hang_up().await.unwrap();
    assert_eq!(told(&heard), [MIDDLE, LOW, HIGH, LOW, HIGH, LOW], "{:?}", lengths(&heard));
    let lengths = lengths(&heard);
    assert!(lengths[1].abs_diff(2_000) <= 60 && lengths[3].abs_diff(2_000) <= 60, "{lengths:?}");
    // What hold music says cannot be taken away from it.
    let refused = house.refused(&["announcement", "rm", "welcome"]);
    assert!(refused.contains("default"), "{refused}");
}

/// Only what is about the music is heard of a change; all else goes on where it was.
#[tokio::test]
async fn a_change_of_something_else_is_not_heard() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 3_000), ("middle", MIDDLE, 3_000)]);
    let file = tone(&house, "patience", HIGH, 600);
    house.run(&["announcement", "set", "patience", "--file", file.to_str().unwrap()]);
    house.run(&["moh", "set", "--announcement", "patience", "--every", "1"]);

    let mut call = call(&house, "moh").await;
    let mut heard = Vec::new();
    for queues in ["support", "sales", "none"] {
        heard.extend(listen(&mut call, 1_600).await);
        house.run(&["moh", "set", "--queues", queues]);
    }
    // What comes next was there for ten seconds already.
    heard.extend(listen(&mut call, 14_000).await);
    call.hang_up().await.unwrap();
    let stretches = tones(&heard).into_iter().filter(|(hz, ms)| *hz != HIGH && *ms >= 200);
    let music: Vec<f64> = stretches.map(|it| it.0).collect();
    assert!(music.len() > 10, "{music:?}");
    for (at, hz) in music.iter().enumerate() {
        // Three of a second are a track.
        assert_eq!(*hz, [LOW, MIDDLE][at / 3 % 2], "{music:?}");
    }
}

/// Who hears music of their own goes on with the tracks; whoever calls then hears the stream with all others.
#[tokio::test]
async fn a_stream_that_is_named_meanwhile_is_not_read_once_for_each_who_listens() {
    let radio = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = radio.local_addr().unwrap();
    let house = House::start(&format!("{DEAF}[music]\nstreams = [\"{address}\"]\n"));
    let readers = Arc::new(AtomicUsize::new(0));
    let counted = readers.clone();
    tokio::spawn(async move {
        // They are let wait.
        let mut lines = Vec::new();
        while let Ok((line, _)) = radio.accept().await {
            lines.push(line);
            counted.store(lines.len(), Ordering::Relaxed);
        }
    });
    add(&house, "default", &[("low", LOW, 600), ("middle", MIDDLE, 600)]);

    let mut first = call(&house, "moh").await;
    let mut second = call(&house, "moh").await;
    for name in ["wrong", "right"] {
        house.run(&["moh", "set", "--stream", &format!("http://{address}/{name}")]);
        // The class is looked at whenever a track is chosen.
        let (one, other) = tokio::join!(listen(&mut first, 2_000), listen(&mut second, 2_000));
        assert!(told(&one).len() >= 3 && told(&other).len() >= 3);
    }
    // Before a call is answered its stream was reached, and waited for.
    let third = call(&house, "moh").await;
    assert_eq!(readers.load(Ordering::Relaxed), 1);
    for call in [first, second, third] {
        call.hang_up().await.unwrap();
    }
}

#[tokio::test]
async fn a_class_is_found_by_its_name_a_queue_or_the_mailbox_and_else_it_is_the_usual_one() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 1_000)]);
    add(&house, "jazz", &[("middle", MIDDLE, 1_000)]);
    add(&house, "waltz", &[("high", HIGH, 1_000)]);
    house.run(&["moh", "set", "--class", "jazz", "--queues", "support, sales"]);
    house.run(&["mailbox", "set", "1000", "--hold-music", "waltz"]);
    for (user, wish, expected) in [
        ("moh", "", LOW),
        ("moh-jazz", "", MIDDLE),
        ("moh", ";class=waltz", HIGH),
        ("moh-support", "", MIDDLE),
        ("moh-1000", "", HIGH),
        ("moh-nobody", "", LOW),
    ] {
        let mut call = call_wishing(&house, user, wish).await.unwrap();
        let heard = listen(&mut call, 400).await;
        call.hang_up().await.unwrap();
        assert_eq!(told(&heard), [expected], "{user}{wish}");
    }
}

#[tokio::test]
async fn hold_music_that_is_off_is_refused_so_that_the_phone_system_can_do_something_else() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 1_000)]);
    house.run(&["moh", "set", "--enabled", "no"]);
    let refused = Phone::new().await.unwrap().call(house.sip, "moh").await.unwrap().err().unwrap();
    assert_eq!(refused.status, 480);
}

#[tokio::test]
async fn an_announcement_is_said_as_often_as_the_address_says_and_then_the_call_ends() {
    let house = House::start(DEAF);
    let file = tone(&house, "closed", MIDDLE, 600);
    house.run(&["announcement", "set", "closed", "--file", file.to_str().unwrap()]);

    for (user, wish, times) in
        [("announce-closed", "", 1), ("annc", ";play=closed;repeat=2;delay=300", 2)]
    {
        let mut call = call_wishing(&house, user, wish).await.unwrap();
        let heard = decoded(&call.listen(Duration::from_millis(800)).await.unwrap());
        call.until_hung_up().await.unwrap();
        let said = heard.len() / 8;
        assert!(said.abs_diff(times * 600) <= 80, "{said} ms were said, not {times} times 600");
        assert_eq!(told(&heard), [MIDDLE]);
    }
    for (user, wish) in [
        ("announce-nothing", ""),
        ("annc", ""),
        ("annc", ";play=http://127.0.0.1/closed.wav"),
        ("annc", ";play=file:///etc/passwd"),
    ] {
        assert_eq!(call_wishing(&house, user, wish).await.err(), Some(404), "{user}{wish}");
    }
}

/// RFC 7088 §2: whoever holds may ask for music without an offer, so that the one on hold makes one.
#[tokio::test]
async fn music_can_be_asked_for_without_an_offer_and_is_only_sent() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 1_000)]);
    let manner = Manner { delayed: true, ..Manner::default() };
    let phone = Phone::new().await.unwrap();
    let mut call = phone.call_as(house.sip, "moh", manner).await.unwrap().unwrap();
    assert_eq!(told(&listen(&mut call, 400).await), [LOW]);
    let answer = call.renegotiated("recvonly").await.unwrap();
    assert!(answer.contains("a=sendonly"), "{answer}");
    let answer = call.renegotiated("sendrecv").await.unwrap();
    assert!(answer.contains("a=sendonly"), "{answer}");
    // Nobody listens to those who only send.
    let answer = call.renegotiated("sendonly").await.unwrap();
    assert!(answer.contains("a=inactive"), "{answer}");
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn music_waits_for_nobody_and_is_heard_again_where_it_then_is() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 2_000), ("middle", MIDDLE, 2_000)]);
    let mut call = call(&house, "moh").await;
    assert_eq!(told(&listen(&mut call, 500).await), [LOW]);
    call.renegotiate("inactive").await.unwrap();
    call.wait(Duration::from_millis(2_200)).await;
    call.renegotiate("sendrecv").await.unwrap();
    let heard = listen(&mut call, 600).await;
    call.hang_up().await.unwrap();
    assert_eq!(told(&heard).last(), Some(&MIDDLE));
}

#[tokio::test]
async fn music_can_be_heard_before_the_call_is_answered() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 1_000)]);
    let phone = Phone::new().await.unwrap();
    let manner = Manner::default();
    let mut ringing = phone.ring(house.sip, "moh;early-media=yes", manner).await.unwrap();
    ringing.sounding().await.unwrap();
    assert_eq!(ringing.give_up().await.unwrap(), 487);
}

#[tokio::test]
async fn no_mailbox_has_a_number_whose_calls_hear_music() {
    let house = House::start(DEAF);
    for number in ["moh", "MOH-jazz", "annc", "announce-closed", "record-closed"] {
        let refused = house.refused(&["mailbox", "add", number, "--name", "Ann"]);
        assert!(refused.contains("music"), "{refused}");
    }
    house.run(&["mailbox", "add", "mohammed", "--name", "Mohammed"]);
}

/// Where hold music cannot be read, its owner is told in a sentence, and callers hear what there is.
#[tokio::test]
async fn a_file_that_is_no_music_is_refused_with_a_sentence() {
    let house = House::start(DEAF);
    let file = house.dir.path().join("page.mp3");
    std::fs::write(&file, "<!doctype html><title>Not found</title>").unwrap();
    let refused = house.refused(&["moh", "add", file.to_str().unwrap()]);
    assert!(refused.contains("became no music"), "{refused}");
    assert!(!house.run(&["moh", "list", "--class", "default"]).contains("page"));
}

pub(super) async fn call(house: &House, user: &str) -> Call {
    call_wishing(house, user, "").await.unwrap()
}

/// Calls `sip:USER@…` with parameters behind it; the status of a refusal.
async fn call_wishing(house: &House, user: &str, wish: &str) -> Result<Call, u16> {
    let called = Phone::new().await.unwrap().call(house.sip, &format!("{user}{wish}")).await;
    called.unwrap().map_err(|it| it.status)
}

/// Makes tracks of tones, of so many milliseconds each.
pub(crate) fn add(house: &House, class: &str, tracks: &[(&str, f64, usize)]) {
    for (name, hz, ms) in tracks {
        let file = tone(house, name, *hz, *ms);
        house.run(&["moh", "add", "--class", class, file.to_str().unwrap()]);
    }
}

pub(crate) fn tone(house: &House, name: &str, hz: f64, ms: usize) -> PathBuf {
    let turn = std::f64::consts::TAU * hz / 16_000.0;
    let samples = (0..ms * 16).map(|at| ((turn * at as f64).sin() * 8_000.0) as i16);
    let file = house.dir.path().join(format!("{name}.wav"));
    std::fs::write(&file, wav::to_wav(&samples.collect::<Vec<_>>(), 16_000)).unwrap();
    file
}

/// So many milliseconds of what is heard.
pub(crate) async fn listen(call: &mut Call, ms: usize) -> Vec<i16> {
    let mut heard = Vec::new();
    call.hear(|frame| {
        heard.extend_from_slice(frame);
        heard.len() >= ms * 8
    })
    .await
    .unwrap();
    decoded(&heard)
}

/// The tones that are heard one after the other, and for how many milliseconds each.
pub(super) fn tones(heard: &[i16]) -> Vec<(f64, usize)> {
    let mut tones: Vec<(f64, usize)> = Vec::new();
    for frame in heard.chunks_exact(FRAME) {
        let hz = [LOW, MIDDLE, HIGH].into_iter().find(|hz| share_at(*hz, frame) > 0.8);
        match (hz, tones.last_mut()) {
            (Some(hz), Some((last, ms))) if *last == hz => *ms += 20,
            (Some(hz), _) => tones.push((hz, 20)),
            // Where two tones meet.
            (None, _) => {}
        }
    }
    tones
}

pub(crate) fn told(heard: &[i16]) -> Vec<f64> {
    tones(heard).into_iter().map(|it| it.0).collect()
}

pub(super) fn lengths(heard: &[i16]) -> Vec<usize> {
    tones(heard).into_iter().map(|it| it.1).collect()
}
