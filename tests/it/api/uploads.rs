//! Files of hold music that are sent in pieces.

use std::{sync::atomic::Ordering, time::Duration};

use afterbeep::{
    blobs, jobs,
    store::uploads::{LASTS, MOST},
};
use axum::{
    body::{Body, Bytes},
    http::Method,
};
use futures::channel::mpsc;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Answer, Client, Stand, music::tone};
use crate::house::{House, PATIENCE, browser};

const PIECE: (&str, &str) = ("content-type", "application/partial-upload");

impl Client {
    async fn class(&self) -> String {
        self.post("/music", json!({ "name": "jazz" })).await.is(201).id()
    }

    /// Begins an upload; where it is.
    async fn begin(&self, class: &str, query: &str) -> String {
        let more = [("upload-complete", "?0")];
        let path = format!("/music/{class}/uploads?{query}");
        let begun = self.ask(Method::POST, &path, &more, Body::empty()).await.is(201);
        assert_eq!(begun.header("upload-offset"), "0");
        assert!(begun.header("upload-limit").starts_with("max-size="));
        begun.header("location").strip_prefix("/api/v1").unwrap().to_owned()
    }

    async fn piece(&self, upload: &str, at: usize, last: bool, sound: impl Into<Body>) -> Answer {
        let (at, complete) = (at.to_string(), if last { "?1" } else { "?0" });
        let headers = [PIECE, ("upload-offset", &at), ("upload-complete", complete)];
        self.ask(Method::PATCH, upload, &headers, sound).await
    }

    /// How much has come, and whether that is all.
    async fn measured(&self, upload: &str) -> (usize, bool) {
        let told = self.ask(Method::HEAD, upload, &[], Body::empty()).await.is(204);
        (told.header("upload-offset").parse().unwrap(), told.header("upload-complete") == "?1")
    }
}

/// The files of which a part has come.
fn arriving(stand: &Stand) -> usize {
    std::fs::read_dir(stand.dir.path().join("blobs/arriving")).unwrap().count()
}

#[tokio::test]
async fn a_file_comes_in_pieces_and_is_the_track_that_was_sent() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let (class, sound) = (client.class().await, tone());
    let upload = client.begin(&class, "file=Blue%20Train.wav&licence=CC0").await;
    assert_eq!(client.measured(&upload).await, (0, false));
    let first = client.piece(&upload, 0, false, sound[..10_000].to_vec()).await.is(204);
    assert_eq!((first.header("upload-offset"), first.header("upload-complete")), ("10000", "?0"));
    assert_eq!(client.measured(&upload).await, (10_000, false));

    let told = client.piece(&upload, 9_000, false, "again").await;
    assert_eq!(told.header("upload-offset"), "10000");
    let problem = told.refused(409, "offset");
    let (expected, provided) = (&problem["expected-offset"], &problem["provided-offset"]);
    assert_eq!((expected, provided), (&json!(10_000), &json!(9_000)));
    assert_eq!(client.get(&format!("/music/{class}/tracks")).await.json()["items"], json!([]));

    let made = client.piece(&upload, 10_000, true, sound[10_000..].to_vec()).await.is(201);
    assert_eq!(made.header("upload-complete"), "?1");
    let (track, place) = (made.json(), made.header("location").to_owned());
    assert_eq!((&track["name"], &track["licence"]), (&json!("Blue Train"), &json!("CC0")));
    assert_eq!(track["state"], "waiting");
    assert_eq!(arriving(&stand), 0, "a piece is left behind");
    let original = format!("originals/{}.file", made.id());
    assert_eq!(stand.blobs.get(&original).await.unwrap(), sound);
    stand.make_music().await;
    let place = place.strip_prefix("/api/v1").unwrap();
    assert_eq!(client.get(place).await.is(200).json()["state"], "ready");

    // Whoever missed the answer learns that all is well.
    let told = client.ask(Method::HEAD, &upload, &[], Body::empty()).await.is(204);
    assert_eq!(told.header("upload-complete"), "?1");
    assert_eq!(told.header("upload-offset"), sound.len().to_string());
    assert_eq!(told.header("location").strip_prefix("/api/v1"), Some(place));
    client.piece(&upload, sound.len(), true, Body::empty()).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_cannot_be_a_piece_is_refused_and_changes_nothing() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let class = client.class().await;
    let all = format!("/music/{class}/uploads");
    let begin = async |headers: &[(&str, &str)], body: &'static str| {
        client.ask(Method::POST, &all, headers, body).await
    };
    begin(&[], "").await.refused(400, "bad_parameter");
    begin(&[("upload-complete", "?1")], "").await.refused(400, "bad_parameter");
    begin(&[("upload-complete", "?0")], "sound").await.refused(400, "bad_parameter");
    let large = [("upload-complete", "?0"), ("upload-length", "67108865")];
    begin(&large, "").await.refused(413, "too_large");
    let (nameless, more) = (format!("{all}?name=%00"), [("upload-complete", "?0")]);
    let nameless = client.ask(Method::POST, &nameless, &more, Body::empty()).await;
    nameless.refused(422, "invalid");
    let vague = [("upload-complete", "?0"), ("upload-length", "ten")];
    begin(&vague, "").await.refused(400, "bad_parameter");
    let ten = [("upload-complete", "?0"), ("upload-length", "10")];
    let begun = begin(&ten, "").await.is(201);
    assert_eq!(begun.header("upload-length"), "10");
    assert_eq!(begun.json()["length"], 10);
    let upload = begun.header("location").strip_prefix("/api/v1").unwrap().to_owned();

    let (start, more, last) =
        (("upload-offset", "0"), ("upload-complete", "?0"), ("upload-complete", "?1"));
    let send = async |headers: &[(&str, &str)], body: &'static str| {
        client.ask(Method::PATCH, &upload, headers, body).await
    };
    send(&[("content-type", "audio/wav"), start, more], "12345").await.refused(415, "media_type");
    send(&[PIECE, more], "12345").await.refused(400, "bad_parameter");
    send(&[PIECE, start], "12345").await.refused(400, "bad_parameter");
    send(&[PIECE, ("upload-offset", "-1"), more], "12345").await.refused(400, "bad_parameter");
    send(&[PIECE, start, more, ("upload-length", "11")], "1").await.refused(400, "bad_parameter");
    assert_eq!(client.measured(&upload).await, (0, false));
    send(&[PIECE, start, more], "12345678901").await.refused(413, "too_large");
    send(&[PIECE, start, last], "12345").await.refused(400, "bad_parameter");
    assert_eq!(client.measured(&upload).await, (5, false), "what was fine of it is kept");
    client.piece(&upload, 5, true, "67890").await.is(201);
}

#[tokio::test]
async fn of_two_who_send_at_once_one_is_refused_and_asking_ends_the_one_that_hangs() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let (class, sound) = (client.class().await, tone());
    let upload = client.begin(&class, "").await;
    let (pieces, body) = mpsc::unbounded::<Result<Bytes, std::io::Error>>();
    let hanging = tokio::spawn({
        let (client, upload) = (client.clone(), upload.clone());
        async move { client.piece(&upload, 0, true, Body::from_stream(body)).await }
    });
    pieces.unbounded_send(Ok(sound[..3_000].to_vec().into())).unwrap();
    let gives_up = std::time::Instant::now() + PATIENCE;
    while arriving(&stand) == 0 {
        assert!(std::time::Instant::now() < gives_up, "nothing comes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.piece(&upload, 0, false, "other").await.refused(409, "at_work");
    // Its connection may have broken long ago without anybody's noticing.
    let (at, complete) = client.measured(&upload).await;
    assert!(at <= 3_000 && !complete, "{at}");
    hanging.await.unwrap().refused(409, "at_work");
    client.piece(&upload, at, true, sound[at..].to_vec()).await.is(201);
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_kept_and_is_not_all() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let (class, sound) = (client.class().await, tone());
    let upload = client.begin(&class, "").await;
    let broken = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let pieces = [Ok(Bytes::from(sound[..2_000].to_vec())), broken];
    let body = Body::from_stream(futures::stream::iter(pieces));
    client.piece(&upload, 0, true, body).await.refused(400, "malformed");
    assert_eq!(client.measured(&upload).await, (2_000, false));
    let id = client.piece(&upload, 2_000, true, sound[2_000..].to_vec()).await.is(201).id();
    assert_eq!(stand.blobs.get(&format!("originals/{id}.file")).await.unwrap(), sound);
}

#[tokio::test]
async fn uploads_are_few_and_leave_nothing_behind() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let class = client.class().await;
    let first = client.begin(&class, "").await;
    client.piece(&first, 0, false, "12345").await.is(204);
    client.delete(&first).await.is(204);
    assert_eq!(arriving(&stand), 0);
    client.ask(Method::HEAD, &first, &[], Body::empty()).await.is(404);
    client.piece(&first, 5, false, "67890").await.refused(404, "not_found");
    client.delete(&first).await.refused(404, "not_found");

    let mut all = Vec::new();
    for _ in 0..MOST {
        all.push(client.begin(&class, "").await);
    }
    client.piece(&all[0], 0, false, "12345").await.is(204);
    let more = [("upload-complete", "?0")];
    let path = format!("/music/{class}/uploads");
    client.ask(Method::POST, &path, &more, Body::empty()).await.refused(409, "full");
    // Another tenant's are another's.
    let zeta = stand.of("zeta").await;
    let theirs = zeta.class().await;
    zeta.begin(&theirs, "").await;

    let sweep = async || jobs::remains::uploads(&stand.db, &stand.blobs, stand.clock.now()).await;
    assert_eq!(sweep().await.unwrap(), 0, "nobody has given up");
    assert_eq!(client.measured(&all[0]).await, (5, false));
    stand.time.fetch_add(LASTS.as_millis() as i64, Ordering::Relaxed);
    client.piece(&all[0], 5, true, "67890").await.refused(404, "not_found");
    assert_eq!((sweep().await.unwrap(), arriving(&stand)), (1, 0));
    client.begin(&class, "").await;
    // What is no longer there is not promised any more.
    let lost = client.begin(&class, "").await;
    client.piece(&lost, 0, false, "12345").await.is(204);
    let part = stand.dir.path().join("blobs/arriving").join(lost.rsplit('/').next().unwrap());
    std::fs::write(part, "123").unwrap();
    client.piece(&lost, 5, true, "67890").await.refused(404, "not_found");
    client.ask(Method::HEAD, &lost, &[], Body::empty()).await.is(404);
    assert_eq!((sweep().await.unwrap(), arriving(&stand)), (1, 0));
    // With its class it is over, too.
    let last = client.begin(&class, "").await;
    client.piece(&last, 0, false, "12345").await.is(204);
    client.delete(&format!("/music/{class}")).await.is(204);
    assert_eq!((sweep().await.unwrap(), arriving(&stand)), (1, 0));
}

/// A real server, and a program that sends 16 MiB to it by bad connections, during a crash.
#[tokio::test]
async fn a_file_is_whole_whatever_breaks_on_its_way() {
    let mut house = House::start("[speech]\nmodels = \"/nonexistent\"\n");
    let said = house.run(&["token", "add", "test", "--tenant", "default", "--scope", "music"]);
    let token = said.lines().last().unwrap().to_owned();
    let http = house.http;
    let ask = |method: Method, path: &str, headers: &[(&str, String)], body: Vec<u8>| {
        let mut request =
            browser().request(method, format!("http://{http}/api/v1{path}")).bearer_auth(&token);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        async move { request.body(body).send().await.unwrap() }
    };
    let kind = [("content-type", "application/json".to_owned())];
    let class = ask(Method::POST, "/music", &kind, json!({ "name": "jazz" }).to_string().into());
    let class: Value = serde_json::from_str(&class.await.text().await.unwrap()).unwrap();
    let class = class["id"].as_str().unwrap();
    let file: Vec<u8> =
        (0..16 << 20).map(|it: u32| (it.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let begin = [("upload-complete", "?0".to_owned()), ("upload-length", file.len().to_string())];
    let begun = ask(Method::POST, &format!("/music/{class}/uploads"), &begin, vec![]).await;
    assert_eq!(begun.status(), StatusCode::CREATED);
    let place = begun.headers()["location"].to_str().unwrap().to_owned();
    let upload = place.strip_prefix("/api/v1").unwrap();
    let part = house.data().join("blobs/arriving").join(upload.rsplit('/').next().unwrap());

    // Sends all that is left, and hangs up when so much of it has come.
    let break_off = async |from: usize, until: u64, cut: &mut dyn FnMut()| {
        let mut line = TcpStream::connect(http).await.unwrap();
        let head = format!(
            "PATCH {place} HTTP/1.1\r\nHost: {http}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/partial-upload\r\nUpload-Offset: {from}\r\n\
             Upload-Complete: ?1\r\nContent-Length: {}\r\n\r\n",
            file.len() - from
        );
        line.write_all(head.as_bytes()).await.unwrap();
        // The last byte never comes.
        let mut rest = &file[from..file.len() - 1];
        let gives_up = std::time::Instant::now() + PATIENCE;
        while std::fs::metadata(&part).map_or(0, |it| it.len()) < until {
            assert!(std::time::Instant::now() < gives_up, "it does not come");
            let (some, more) = rest.split_at(rest.len().min(100_000));
            line.write_all(some).await.unwrap();
            rest = more;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cut();
    };
    let measured = async || -> usize {
        let told = ask(Method::HEAD, upload, &[], vec![]).await;
        assert_eq!(told.status(), StatusCode::NO_CONTENT);
        assert_eq!(told.headers()["upload-complete"], "?0");
        told.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
    };
    break_off(0, 2_000_000, &mut || {}).await;
    let first = measured().await;
    assert!((2_000_000..file.len()).contains(&first), "{first}");
    break_off(first, first as u64 + 5_000_000, &mut || house.kill()).await;
    house.restart();
    let second = measured().await;
    // What a crash costs is what was not on disk for certain.
    assert!((first + (4 << 20)..file.len()).contains(&second), "{first} {second}");

    let last = [
        ("content-type", PIECE.1.to_owned()),
        ("upload-offset", second.to_string()),
        ("upload-complete", "?1".to_owned()),
    ];
    let made = ask(Method::PATCH, upload, &last, file[second..].to_vec()).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let track: Value = serde_json::from_str(&made.text().await.unwrap()).unwrap();
    let id = track["id"].as_str().unwrap().parse().unwrap();
    let original = std::fs::read(house.data().join("blobs").join(blobs::original(&id))).unwrap();
    assert!(Sha256::digest(&original) == Sha256::digest(&file), "it is not what was sent");
    assert!(!part.exists());
}
