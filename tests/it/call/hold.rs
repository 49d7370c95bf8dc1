//! What callers hear who are put on hold, and announcements.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use std::time::Duration;

use afterbeep::audio::wav;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{DEAF, decoded, share_at};
use crate::house::House;
use crate::phone::richer::Manner;
use crate::phone::{Call, FRAME, Phone};

/// The tones that tracks are made of.
const LOW: f64 = 440.0;
const MIDDLE: f64 = 800.0;
const HIGH: f64 = 1_240.0;

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
    for number in ["moh", "MOH-jazz", "annc", "announce-closed"] {
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

async fn call(house: &House, user: &str) -> Call {
    call_wishing(house, user, "").await.unwrap()
}

/// Calls `sip:USER@…` with parameters behind it; the status of a refusal.
async fn call_wishing(house: &House, user: &str, wish: &str) -> Result<Call, u16> {
    let called = Phone::new().await.unwrap().call(house.sip, &format!("{user}{wish}")).await;
    called.unwrap().map_err(|it| it.status)
}

/// Makes tracks of tones, of so many milliseconds each.
fn add(house: &House, class: &str, tracks: &[(&str, f64, usize)]) {
    for (name, hz, ms) in tracks {
        let file = tone(house, name, *hz, *ms);
        house.run(&["moh", "add", "--class", class, file.to_str().unwrap()]);
    }
}

fn tone(house: &House, name: &str, hz: f64, ms: usize) -> PathBuf {
    let turn = std::f64::consts::TAU * hz / 16_000.0;
    let samples = (0..ms * 16).map(|at| ((turn * at as f64).sin() * 8_000.0) as i16);
    let file = house.dir.path().join(format!("{name}.wav"));
    std::fs::write(&file, wav::to_wav(&samples.collect::<Vec<_>>(), 16_000)).unwrap();
    file
}

/// So many milliseconds of what is heard.
async fn listen(call: &mut Call, ms: usize) -> Vec<i16> {
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
fn tones(heard: &[i16]) -> Vec<(f64, usize)> {
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

fn told(heard: &[i16]) -> Vec<f64> {
    tones(heard).into_iter().map(|it| it.0).collect()
}

fn lengths(heard: &[i16]) -> Vec<usize> {
    tones(heard).into_iter().map(|it| it.1).collect()
}

/// Phone systems read addresses as well: whatever they read, it is the same music, at its own pace.
#[tokio::test]
async fn hold_music_is_a_stream_without_end_in_three_forms() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 1_000), ("middle", MIDDLE, 1_000)]);
    add(&house, "jazz", &[("high", HIGH, 1_000)]);
    for (path, kind, expected) in [
        ("/moh/default.wav", "audio/wav", &[LOW, MIDDLE, LOW][..]),
        ("/moh/default.opus", "audio/ogg", &[LOW, MIDDLE, LOW]),
        ("/moh/default.mp3", "audio/mpeg", &[LOW, MIDDLE, LOW]),
        ("/moh/jazz.mp3?tenant=default", "audio/mpeg", &[HIGH]),
    ] {
        let began = std::time::Instant::now();
        let (told, file) = read(&house, path, Duration::from_secs(2)).await;
        assert_eq!(told, kind, "{path}");
        let sound = afterbeep::decode::worker::decoded(file).unwrap();
        let narrow = afterbeep::audio::resample::resample(&sound, 16_000, 8_000);
        let ms = narrow.len() / 8;
        let most = began.elapsed().as_millis() as usize + 1_500;
        assert!((2_200..most).contains(&ms), "{path}: {ms} ms of {most}");
        assert_eq!(self::told(&narrow), expected, "{path}: {:?}", lengths(&narrow));
    }
    for nowhere in
        ["/moh/waltz.wav", "/moh/default.au", "/moh/default", "/moh/default.wav?tenant=x"]
    {
        assert_eq!(house.get(nowhere).await.0, 404, "{nowhere}");
    }
}

/// What comes of a stream within a time, and what it says it is.
async fn read(house: &House, path: &str, time: Duration) -> (String, Vec<u8>) {
    let url = format!("http://{}{path}", house.http);
    let mut answer = crate::house::browser().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let told = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let mut file = Vec::new();
    let reading = async {
        while let Some(some) = answer.chunk().await.unwrap() {
            file.extend_from_slice(&some);
        }
    };
    assert!(tokio::time::timeout(time, reading).await.is_err(), "{path} ended");
    (told, file)
}

/// Somebody's radio: a tone without end, which can fall silent, go away and come back.
struct Radio {
    address: std::net::SocketAddr,
    mood: Arc<AtomicU8>,
}

const PLAYING: u8 = 0;
const SILENT: u8 = 1;
const AWAY: u8 = 2;

impl Radio {
    async fn start(hz: f64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(AtomicU8::new(PLAYING));
        let radio = Self { address, mood: mood.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, hz, mood.clone()));
            }
        });
        radio
    }

    fn is(&self, mood: u8) {
        self.mood.store(mood, Ordering::Relaxed);
    }
}

/// Sends a WAV at the pace it is heard, one second ahead.
async fn play(mut stream: TcpStream, hz: f64, mood: Arc<AtomicU8>) -> std::io::Result<()> {
    let (mut asked, mut some) = (Vec::new(), [0; 1_024]);
    while !asked.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut some).await?;
        asked.extend_from_slice(&some[..length]);
        if length == 0 {
            return Ok(());
        }
    }
    let mut head = wav::to_wav(&[], 8_000);
    for at in [4, 40] {
        head[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    }
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nConnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).await?;
    stream.write_all(&head).await?;
    let turn = std::f64::consts::TAU * hz / 8_000.0;
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for step in 0_u32.. {
        if step >= 10 {
            pace.tick().await;
        }
        let loud = match mood.load(Ordering::Relaxed) {
            AWAY => return Ok(()),
            SILENT => 0.0,
            _ => 5_000.0,
        };
        let samples = (0..800).map(|at| f64::from(step * 800 + at) * turn);
        let bytes = samples.flat_map(|it| ((it.sin() * loud) as i16).to_le_bytes());
        stream.write_all(&bytes.collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Listens until the last second of what is heard is this tone.
async fn until(call: &mut Call, hz: f64) -> Duration {
    let began = std::time::Instant::now();
    let mut last = VecDeque::new();
    call.hear(|frame| {
        last.extend(decoded(frame));
        let excess = last.len().saturating_sub(8_000);
        last.drain(..excess);
        excess > 0
            && told(last.make_contiguous()) == [hz]
            && share_at(hz, last.make_contiguous()) > 0.8
    })
    .await
    .unwrap();
    began.elapsed()
}

// The radio plays while a verb is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_stream_is_heard_and_the_tracks_while_it_is_silent_or_away() {
    let radio = Radio::start(MIDDLE).await;
    let house = House::start(&format!("{DEAF}[music]\nstreams = [\"{}\"]\n", radio.address));
    add(&house, "radio", &[("low", LOW, 3_000)]);
    let url = format!("http://{}/live.wav", radio.address);
    let said = house.run(&["moh", "check-stream", &url]);
    assert!(said.contains("Sound comes of it"), "{said}");
    house.run(&["moh", "set", "--class", "radio", "--stream", &url]);

    let mut call = call(&house, "moh-radio").await;
    until(&mut call, MIDDLE).await;
    radio.is(AWAY);
    let gone = until(&mut call, LOW).await;
    assert!(gone < Duration::from_secs(8), "{gone:?} until the tracks were heard");
    radio.is(PLAYING);
    until(&mut call, MIDDLE).await;
    radio.is(SILENT);
    until(&mut call, LOW).await;
    radio.is(PLAYING);
    until(&mut call, MIDDLE).await;
    // Who listens already hears it, too, when it is no longer wanted.
    house.run(&["moh", "set", "--class", "radio", "--stream", "none"]);
    until(&mut call, LOW).await;
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn a_stream_of_the_private_network_is_not_read_unless_it_is_named() {
    let radio = Radio::start(MIDDLE).await;
    let house = House::start(DEAF);
    let url = format!("http://{}/live.wav", radio.address);
    let refused = house.refused(&["moh", "check-stream", &url]);
    assert!(refused.contains("[music] streams"), "{refused}");
    assert!(house.refused(&["moh", "check-stream", "file:///etc/passwd"]).contains("http"));
}
