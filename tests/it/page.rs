//! The pages in Debian's Chromium, used as people use them; axe looks at each, and pictures of them are
//! left in the tests' output folder (`target/tmp/page`).

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use afterbeep::{
    audio::wav,
    blobs::{self, Blobs},
    clock::Clock,
    mail::{Links, Reader, key_as_text},
    mailbox::{Caller, Envelope, MessageId, Reason, Segment, Transcript},
    store::{
        mailboxes,
        messages::{self, Filing},
        secrets, transcripts,
    },
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::{
    call::streams::{AWAY, PLAYING, Radio, SILENT},
    house::House,
};

const CHROMIUM: &str = "/usr/bin/chromium";

#[tokio::test]
async fn an_admin_fills_a_class_hears_it_and_puts_it_in_order() {
    let house = House::start("[speech]\nmodels = \"/nonexistent\"\n");
    house.run(&["user", "add", "ann@acme.example", "--name", "Ann Miller"]);
    let said = house.run(&["user", "password", "ann@acme.example"]);
    let (_, password) = said.lines().next().unwrap().rsplit_once(": ").unwrap();
    let files = house.dir.path().join("files");
    std::fs::create_dir(&files).unwrap();
    for (name, seconds, rate) in
        [("Morning over the lake", 40, 44_100), ("A slow walk home", 12, 16_000)]
    {
        std::fs::write(files.join(format!("{name}.wav")), melody(seconds, rate)).unwrap();
    }
    std::fs::write(files.join("index.mp3"), "<!doctype html><title>404</title>").unwrap();
    let facts = json!({
        "url": format!("http://{}", house.http),
        "email": "ann@acme.example",
        "password": password,
        "files": files,
    });
    browse("music.mjs", facts);
    let log = std::fs::read_to_string(house.dir.path().join("log")).unwrap();
    assert!(!log.contains(password), "a password is in the log");
}

/// A radio plays, and goes off the air when the browser asks for it to.
#[tokio::test]
async fn an_admin_sees_how_a_live_stream_is() {
    let radio = Radio::start(440.0).await;
    let settings = format!("[music]\nstreams = [\"{}\"]\n", radio.address);
    let house = House::start(&format!("[speech]\nmodels = \"/nonexistent\"\n{settings}"));
    house.run(&["user", "add", "ann@acme.example", "--name", "Ann Miller"]);
    let said = house.run(&["user", "password", "ann@acme.example"]);
    let (_, password) = said.lines().next().unwrap().rsplit_once(": ").unwrap();
    let stream = format!("http://{}/live.wav", radio.address);
    house.run(&["moh", "set", "--class", "radio", "--stream", &stream]);
    let switch = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let facts = json!({
        "url": format!("http://{}", house.http),
        "email": "ann@acme.example",
        "password": password,
        "stream": stream,
        "switch": format!("http://{}", switch.local_addr().unwrap()),
    });
    let browsing = tokio::task::spawn_blocking(move || browse("stream.mjs", facts));
    let switching = async {
        for mood in [AWAY, PLAYING, SILENT] {
            let (mut line, _) = switch.accept().await.unwrap();
            radio.is(mood);
            line.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = browsing => done.unwrap(),
        () = switching => {}
    }
}

#[tokio::test]
async fn the_pages_that_links_in_letters_open_are_for_everybody() {
    let settings = "[speech]\nmodels = \"/nonexistent\"\n[mail]\nbase_url = \"http://127.0.0.1\"\n";
    let house = House::start(settings);
    let db = house.db().await;
    let mailbox = mailboxes::reached(&db, "localhost", "1000").await.unwrap().unwrap();
    let (id, now) = (Clock::Real.message_id(), Clock::Real.now());
    let blob = blobs::message(&id);
    let blobs = Blobs::open(&house.data().join("blobs")).unwrap();
    blobs.put(&blob, melody(4, 8_000).into()).await.unwrap();
    let filing = Filing {
        id,
        mailbox: mailbox.id.clone(),
        envelope: Envelope {
            caller: Caller::claimed(Some("Marie Dupont"), Some("+33556123456")),
            received: now,
            length: Duration::from_secs(4),
            interrupted: false,
            reason: Reason::Unknown,
        },
        blob,
        limit: 100,
        rotates: true,
        transcribe: true,
        notify_due: now + Duration::from_secs(3_600),
        recipients: vec![],
        marks: Default::default(),
        copies: false,
        origin: None,
    };
    messages::file(&db, &[filing], now).await.unwrap();
    transcripts::save(&db, &id, &transcript(), now).await.unwrap();
    let key = secrets::of(&db, "links", &key_as_text([0; 32]), now).await.unwrap();
    let links = Links::below("http://127.0.0.1", &key, Duration::from_secs(86_400)).unwrap();
    let reader = Reader { mailbox: mailbox.id, address: "ann@localhost".into() };
    let facts = json!({
        "url": format!("http://{}", house.http),
        "listen": format!("/l/{}", links.listen(id, now)),
        "unsubscribe": format!("/u/{}", links.unsubscribe(&reader)),
        "gone": format!("/l/{}", links.listen(MessageId(uuid::Uuid::nil()), now)),
    });
    db.close().await;
    browse("guests.mjs", facts);
}

fn transcript() -> Transcript {
    let segment = |start_ms, end_ms, text: &str, confidence| Segment {
        start_ms,
        end_ms,
        text: text.into(),
        confidence,
    };
    let segments = vec![
        segment(0, 1_800, "Hello, it is Marie.", 0.95),
        segment(1_800, 4_000, "Could you call me back before noon?", 0.4),
    ];
    Transcript { language: "en".into(), segments, engine: "test".into() }
}

/// Runs a script of `tests/page` in the browser.
fn browse(script: &str, mut facts: Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = root.join("target/page/node_modules");
    for (part, place) in [
        ("playwright-core", modules.join("playwright-core")),
        ("axe-core", modules.join("axe-core")),
        ("Chromium", PathBuf::from(CHROMIUM)),
    ] {
        assert!(
            place.exists(),
            "{part} is not at {}; `make test-setup` brings it",
            place.display()
        );
    }
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&pictures).unwrap();
    facts["modules"] = json!(modules);
    facts["pictures"] = json!(pictures);
    facts["chromium"] = json!(CHROMIUM);
    let run = Command::new("node")
        .arg(root.join("tests/page").join(script))
        .env("AFTERBEEP_PAGE", facts.to_string())
        .output()
        .expect("node runs; `make test-setup` brings it");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
}

/// A few notes that come and go, so that the picture of it is one.
fn melody(seconds: u32, rate: u32) -> Vec<u8> {
    let notes = [262.0, 330.0, 392.0, 523.0, 440.0, 349.0];
    let samples = (0..seconds * rate).map(|at| {
        let time = f64::from(at) / f64::from(rate);
        let note = notes[time as usize % notes.len()];
        let loudness = (-2.5 * time.fract()).exp() * (0.6 + 0.4 * (time / 7.0).sin());
        ((time * note * std::f64::consts::TAU).sin() * loudness * 12_000.0) as i16
    });
    wav::to_wav(&samples.collect::<Vec<_>>(), rate)
}
