//! Live streams: as SHOUTcast sends them, and what programs are told of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::DEAF;
use super::hold::{LOW, MIDDLE, add, call};
use super::streams::{AWAY, PLAYING, Radio, SILENT, until};
use crate::house::{House, PATIENCE, browser};

/// After so many bytes of sound come words.
const EVERY: usize = 1_000;

/// A server that speaks as SHOUTcast does, with a radio behind it. Where it is, and what it was asked.
async fn shoutcast(
    radio: SocketAddr,
    with_words: bool,
) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, asked) = std::sync::mpsc::channel();
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            tokio::spawn(relay(line, radio, with_words, told.clone()));
        }
    });
    (address, asked)
}

async fn relay(
    line: TcpStream,
    radio: SocketAddr,
    with_words: bool,
    told: std::sync::mpsc::Sender<String>,
) -> std::io::Result<()> {
    let mut line = BufReader::new(line);
    told.send(head(&mut line).await?).ok();
    let mut behind = BufReader::new(TcpStream::connect(radio).await?);
    behind.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    head(&mut behind).await?;
    let every = if with_words { format!("icy-metaint:{EVERY}\r\n") } else { String::new() };
    let start =
        ["IC", "Y 200 OK\r\nicy-name:Radio\r\ncontent-", "type:audio/wav\r\n", &every, "\r\n"];
    if with_words {
        // In pieces, as a slow network brings it.
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        for part in start {
            pace.tick().await;
            line.write_all(part.as_bytes()).await?;
        }
    } else {
        // At once with much of what follows.
        let mut start = start.concat().into_bytes();
        let head = start.len();
        start.resize(head + 12 * EVERY, 0);
        behind.read_exact(&mut start[head..]).await?;
        line.write_all(&start).await?;
    }
    let mut sound = vec![0; EVERY];
    loop {
        behind.read_exact(&mut sound).await?;
        line.write_all(&sound).await?;
        if with_words {
            let mut words = b"\x02StreamTitle='Blue Train';".to_vec();
            words.resize(1 + 2 * 16, 0);
            line.write_all(&words).await?;
        }
    }
}

async fn head(line: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if line.read_line(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

// The radio plays while a verb is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_shoutcast_is_heard_without_the_words_between() {
    let radio = Radio::start(MIDDLE).await;
    for with_words in [false, true] {
        let (address, asked) = shoutcast(radio.address, with_words).await;
        let house = House::start(&format!("{DEAF}[music]\nstreams = [\"{address}\"]\n"));
        let url = format!("http://{address}/");
        let said = house.run(&["moh", "check-stream", &url]);
        assert!(said.contains("audio/wav") && said.contains("Sound comes of it"), "{said}");
        let asked = asked.recv().unwrap().to_ascii_lowercase();
        assert!(asked.starts_with("get / http/1.1") && !asked.contains("icy-metadata"), "{asked}");
        add(&house, "radio", &[("low", LOW, 3_000)]);
        house.run(&["moh", "set", "--class", "radio", "--stream", &url]);
        let mut call = call(&house, "moh-radio").await;
        until(&mut call, MIDDLE).await;
        call.hang_up().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_stream_is_told_and_not_decoded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers =
        ["ICY 404 Resource Not Found\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "ICY 200 OK\r\n", "IC"];
    tokio::spawn(async move {
        for answer in answers {
            let (line, _) = listener.accept().await.unwrap();
            let mut line = BufReader::new(line);
            head(&mut line).await.unwrap();
            line.write_all(answer.as_bytes()).await.unwrap();
            line.shutdown().await.unwrap();
        }
    });
    let house = House::start(&format!("{DEAF}[music]\nstreams = [\"{address}\"]\n"));
    let url = format!("http://{address}/");
    for told in ["it answers 404", "no stream", "no stream", "no stream"] {
        let refused = house.refused(&["moh", "check-stream", &url]);
        assert!(refused.contains(told), "{refused}");
    }
}

/// What the API tells of the live stream of the one class there is, once it is like this.
async fn live(house: &House, token: &str, state: &str) -> Value {
    let gives_up = Instant::now() + PATIENCE;
    loop {
        let asked = browser().get(format!("http://{}/api/v1/music", house.http)).bearer_auth(token);
        let told: Value =
            serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap();
        let live = told["items"][0]["live"].clone();
        if live["state"] == state {
            return live;
        }
        assert!(Instant::now() < gives_up, "it is never {state}: {live}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

// The radio plays while a verb is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_are_told_how_a_live_stream_is_since_when_and_what_was_wrong() {
    let radio = Radio::start(MIDDLE).await;
    let house = House::start(&format!("{DEAF}[music]\nstreams = [\"{}\"]\n", radio.address));
    let said = house.run(&["token", "add", "test", "--tenant", "default", "--scope", "music"]);
    let token = said.lines().last().unwrap().to_owned();
    add(&house, "radio", &[("low", LOW, 3_000)]);
    let url = format!("http://{}/live.wav", radio.address);
    house.run(&["moh", "set", "--class", "radio", "--stream", &url]);
    assert_eq!(live(&house, &token, "idle").await["since"], Value::Null);

    let mut call = call(&house, "moh-radio").await;
    until(&mut call, MIDDLE).await;
    let playing = live(&house, &token, "playing").await;
    assert_eq!((&playing["stands_in"], &playing["problem"]), (&false.into(), &Value::Null));
    radio.is(AWAY);
    until(&mut call, LOW).await;
    let failed = live(&house, &token, "failed").await;
    assert_eq!(failed["stands_in"], true);
    assert!(!failed["problem"].as_str().unwrap().is_empty(), "{failed}");
    let moment = |it: &Value| it["since"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(moment(&failed) > moment(&playing), "{failed}");
    radio.is(PLAYING);
    until(&mut call, MIDDLE).await;
    let again = live(&house, &token, "playing").await;
    assert_eq!((&again["stands_in"], &again["problem"]), (&false.into(), &failed["problem"]));
    radio.is(SILENT);
    until(&mut call, LOW).await;
    assert_eq!(live(&house, &token, "silent").await["stands_in"], true);
    call.hang_up().await.unwrap();
}
