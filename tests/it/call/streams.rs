//! Hold music over HTTP, to those who read it and from live streams.

use std::collections::VecDeque;
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use std::time::Duration;

use afterbeep::audio::wav;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::hold::{HIGH, LOW, MIDDLE, add, call, lengths, listen, told, tone, tones};
use super::{DEAF, decoded, share_at};
use crate::house::House;
use crate::phone::Call;

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

#[tokio::test]
async fn what_is_said_between_the_music_is_heard_by_who_reads_it_too() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 5_000)]);
    let file = tone(&house, "patience", HIGH, 600);
    house.run(&["announcement", "set", "patience", "--file", file.to_str().unwrap()]);
    house.run(&["moh", "set", "--announcement", "patience", "--every", "1"]);
    let (_, file) = read(&house, "/moh/default.wav", Duration::from_secs(4)).await;
    let sound = afterbeep::decode::worker::decoded(file).unwrap();
    let heard = afterbeep::audio::resample::resample(&sound, 16_000, 8_000);
    assert_eq!(told(&heard)[..4], [LOW, HIGH, LOW, HIGH], "{:?}", lengths(&heard));
}

/// Streams have no end, so there are only so many, and never so many that nobody else gets in.
#[tokio::test]
async fn however_many_read_music_everybody_else_gets_in() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 1_000)]);
    let browser = crate::house::browser();
    let url = format!("http://{}/moh/default.wav", house.http);
    let mut readers = Vec::new();
    loop {
        let answer = browser.get(&url).send().await.unwrap();
        if answer.status() != 200 {
            assert_eq!(answer.status(), 503);
            assert_eq!(answer.headers()["retry-after"], "5");
            break;
        }
        readers.push(answer);
    }
    assert_eq!(readers.len(), 200);
    assert_eq!(house.get("/livez").await.0, 200);
    assert_eq!(house.get("/login").await.0, 200);
}

/// What comes of a stream within a time, and what it says it is.
pub(super) async fn read(house: &House, path: &str, time: Duration) -> (String, Vec<u8>) {
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
pub(crate) struct Radio {
    pub(crate) address: std::net::SocketAddr,
    mood: Arc<AtomicU8>,
}

pub(crate) const PLAYING: u8 = 0;
pub(crate) const SILENT: u8 = 1;
pub(crate) const AWAY: u8 = 2;
/// It plays something else.
const CHANGED: u8 = 3;

impl Radio {
    pub(crate) async fn start(hz: f64) -> Self {
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

    pub(crate) fn is(&self, mood: u8) {
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
        let hz = if mood.load(Ordering::Relaxed) == CHANGED { LOW } else { hz };
        let turn = std::f64::consts::TAU * hz / 8_000.0;
        let samples = (0..800).map(|at| f64::from(step * 800 + at) * turn);
        let bytes = samples.flat_map(|it| ((it.sin() * loud) as i16).to_le_bytes());
        stream.write_all(&bytes.collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Listens until the last second of what is heard is this tone.
pub(super) async fn until(call: &mut Call, hz: f64) -> Duration {
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

/// As on the radio: what is said is heard in place of the stream, which is heard again where it then is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_is_heard_again_and_again_in_a_live_stream_and_holds_it_up_for_nobody() {
    let radio = Radio::start(MIDDLE).await;
    let house = House::start(&format!("{DEAF}[music]\nstreams = [\"{}\"]\n", radio.address));
    // What would stand in for the stream sounds as the announcement does, but for longer.
    add(&house, "radio", &[("high", HIGH, 4_000)]);
    let file = tone(&house, "patience", HIGH, 1_300);
    house.run(&["announcement", "set", "patience", "--file", file.to_str().unwrap()]);
    let url = format!("http://{}/live.wav", radio.address);
    let said = ["--stream", &url, "--announcement", "patience", "--every", "2"];
    house.run(&[&["moh", "set", "--class", "radio"][..], &said].concat());

    let mut first = call(&house, "moh-radio").await;
    until(&mut first, MIDDLE).await;
    let mut second = call(&house, "moh-radio").await;
    let (heard, same) = tokio::join!(listen(&mut first, 10_500), listen(&mut second, 10_500));
    // Whoever comes in the middle hears what all hear.
    assert_eq!(told(&heard), told(&same));
    let inner = tones(&heard);
    let inner = &inner[1..inner.len() - 1];
    assert!(inner.len() >= 4, "{inner:?}");
    for (tone, ms) in inner {
        let expected = if *tone == HIGH { 1_300 } else { 2_000 };
        assert!(ms.abs_diff(expected) <= 100, "{inner:?}");
    }
    // After three of them the stream is no further behind than at first.
    radio.is(CHANGED);
    let behind = until(&mut first, LOW).await;
    assert!(behind < Duration::from_secs(6), "{behind:?}");
    first.hang_up().await.unwrap();
    second.hang_up().await.unwrap();
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
