//! The web side, asked in-process and once over a real socket.

use std::{path::Path, sync::Arc, time::Duration};

use afterbeep::{
    config::Http,
    http::{self, Readiness, Site},
    mail::{Letter, Mailer, News, Sound, Templates, Text, Translated, Ways, folder},
    mailbox::{settings::Attach, *},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tower::ServiceExt;
use uuid::Uuid;

const NAME: &str = "<script>alert(1)</script>";

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Page {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

fn site(caught: Option<&Path>, reasons: &[&str]) -> Router {
    http::router(all(caught, reasons))
}

fn all(caught: Option<&Path>, reasons: &[&str]) -> Site {
    let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    Site {
        metrics: Arc::new(|| "afterbeep_calls 0\n".into()),
        ready: Arc::new(move || Readiness { reasons: reasons.clone() }),
        caught: caught.map(Into::into),
        names: vec!["voicemail.example".into()],
        guests: None,
        api: None,
        beds: None,
        pages: None,
    }
}

async fn ask(site: &Router, request: axum::http::request::Builder) -> Page {
    let answer = site.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = to_bytes(answer.into_body(), 16 << 20).await.unwrap().to_vec();
    Page { status, headers, body }
}

async fn get(site: &Router, path: &str) -> Page {
    ask(site, Request::get(path).header(header::HOST, "127.0.0.1:8080")).await
}

async fn range(site: &Router, path: &str, range: &str) -> Page {
    let request = Request::get(path).header(header::HOST, "localhost");
    ask(site, request.header(header::RANGE, range)).await
}

fn sound() -> Vec<u8> {
    (0..10_000u32).map(|it| (it % 251) as u8).collect()
}

/// Catches one letter and gives its id.
async fn catch(data: &Path, number: u128) -> String {
    catch_one(data, number, Attach::Wav, false).await
}

async fn catch_one(data: &Path, number: u128, kind: Attach, short: bool) -> String {
    let mailbox = Mailbox {
        id: MailboxId("m".into()),
        tenant: TenantId("t".into()),
        number: "1000".into(),
        name: "Reception".into(),
        owner_email: Some("ann@example.org".into()),
        settings: Preferences { time_zone: "Europe/Vienna".into(), ..Default::default() },
    };
    let envelope = Envelope {
        caller: Caller { name: Some(NAME.into()), number: Some("5551234".into()) },
        received: Timestamp(1_795_440_727_000),
        length: Duration::from_secs(24),
        interrupted: false,
        reason: Reason::Unknown,
    };
    let id = MessageId(Uuid::from_u128(number));
    let news = News {
        id,
        mailbox: &mailbox,
        envelope: &envelope,
        filed: envelope.received,
        text: &Text::NoSpeech,
        translated: &Translated::Off,
        room: None,
        said: Default::default(),
        forwarded_by: None,
        keep_trash: Duration::ZERO,
        too_large: false,
    };
    let sound = Some(Sound { kind, bytes: sound().into() }).filter(|_| !short);
    let (templates, ways) = (Templates::built_in(), Ways::default());
    let letter = match short {
        true => Letter::short(&templates, &news, &ways).unwrap(),
        false => Letter::full(&templates, &news, &ways, sound).unwrap(),
    };
    let mailer = Mailer::open(&Default::default(), data).unwrap();
    mailer.send(&letter, "ann@example.org").await.unwrap();
    folder::list(mailer.caught().unwrap(), 1).unwrap().pop().unwrap().id
}

#[tokio::test]
async fn machines_learn_whether_it_lives_and_is_ready() {
    let ready = site(None, &[]);
    assert_eq!(get(&ready, "/livez").await.status, StatusCode::OK);
    let page = get(&ready, "/readyz").await;
    assert_eq!((page.status, page.text()), (StatusCode::OK, r#"{"ready":true,"reasons":[]}"#));

    let broken = site(None, &["The disk is full.", "There is no \"model\"."]);
    assert_eq!(get(&broken, "/livez").await.status, StatusCode::OK);
    let page = get(&broken, "/readyz").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    let told: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    assert_eq!(told["reasons"][1], "There is no \"model\".");
}

#[tokio::test]
async fn figures_are_told_as_prometheus_reads_them() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let metrics = Arc::new(move || handle.render());
    ::metrics::with_local_recorder(&recorder, || ::metrics::counter!("calls_total").increment(3));
    let ready = Arc::new(Readiness::default);
    let site = http::router(Site {
        metrics,
        ready,
        caught: None,
        names: vec![],
        guests: None,
        api: None,
        beds: None,
        pages: None,
    });
    let page = get(&site, "/metrics").await;
    assert!(page.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert!(page.text().lines().any(|line| line == "calls_total 3"), "{}", page.text());
}

#[tokio::test]
async fn caught_letters_are_listed_and_shown() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("mail");
    let site = site(Some(&folder), &[]);
    assert!(get(&site, "/mail").await.text().contains("Nothing yet"));
    assert_eq!(get(&site, "/").await.header("location"), "/mail");

    let first = catch(data.path(), 1).await;
    let second = catch(data.path(), 2).await;
    let list = get(&site, "/mail").await;
    assert_eq!(list.status, StatusCode::OK);
    let place = |id: &str| list.text().find(&format!("href=\"/mail/{id}\"")).unwrap();
    assert!(place(&second) < place(&first), "the newest comes first");

    let page = get(&site, &format!("/mail/{first}")).await;
    for part in [
        "voicemail@localhost",
        "ann@example.org",
        "No speech, 24 s.",
        "Mon 23 Nov 2026, 13:32 UTC",
        "<audio controls",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    for page in [&list, &page] {
        assert!(!page.text().contains(NAME), "what a caller says is text: {}", page.text());
        assert!(page.text().contains("&lt;script&gt;"), "{}", page.text());
    }
    for link in ["/mail/style.css".into(), format!("/mail/{first}/recording.wav")] {
        assert!(page.text().contains(&format!("\"{link}\"")), "{link}");
        assert_eq!(get(&site, &link).await.status, StatusCode::OK, "{link}");
    }
    let whole = get(&site, &format!("/mail/{first}/letter.eml")).await;
    assert_eq!(whole.header("content-type"), "message/rfc822");
    assert!(whole.header("content-disposition").starts_with("attachment"));
    assert!(whole.text().contains("Message-ID:"));
}

#[tokio::test]
async fn a_player_can_jump_in_the_recording() {
    let data = tempfile::tempdir().unwrap();
    let path = format!("/mail/{}/recording.wav", catch(data.path(), 1).await);
    let site = site(Some(&data.path().join("mail")), &[]);
    let sound = sound();

    let all = get(&site, &path).await;
    assert_eq!((all.status, all.header("content-type")), (StatusCode::OK, "audio/wav"));
    assert_eq!((all.body, all.headers["accept-ranges"].as_bytes()), (sound.clone(), &b"bytes"[..]));

    let part = range(&site, &path, "bytes=4000-4999").await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header("content-range"), "bytes 4000-4999/10000");
    assert_eq!(part.body, sound[4000..5000]);

    let rest = range(&site, &path, "bytes=9000-").await;
    assert_eq!((rest.status, rest.body), (StatusCode::PARTIAL_CONTENT, sound[9000..].to_vec()));
    let tail = range(&site, &path, "bytes=-10").await;
    assert_eq!(tail.header("content-range"), "bytes 9990-9999/10000");

    let beyond = range(&site, &path, "bytes=10000-").await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header("content-range"), "bytes */10000");

    let request = Request::get(&path).header(header::HOST, "[::1]:8080");
    let request = request.header(header::RANGE, "bytes=1-2").header(header::IF_RANGE, "\"tag\"");
    assert_eq!(ask(&site, request).await.status, StatusCode::OK);
    let head = ask(&site, Request::head(&path).header(header::HOST, "localhost")).await;
    assert_eq!((head.header("content-length"), head.body.len()), ("10000", 0));
}

#[tokio::test]
async fn short_letters_and_mp3s_are_shown_as_what_they_are() {
    let data = tempfile::tempdir().unwrap();
    let short = catch_one(data.path(), 1, Attach::Wav, true).await;
    let mp3 = catch_one(data.path(), 2, Attach::Mp3, false).await;
    let site = site(Some(&data.path().join("mail")), &[]);
    let page = get(&site, &format!("/mail/{short}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text().contains("<audio"), "{}", page.text());
    assert!(page.text().contains("letter.eml"), "{}", page.text());
    let none = get(&site, &format!("/mail/{short}/recording.wav")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);

    let path = format!("/mail/{mp3}/recording.mp3");
    let page = get(&site, &format!("/mail/{mp3}")).await;
    assert!(page.text().contains(&format!("src=\"{path}\"")), "{}", page.text());
    let recording = get(&site, &path).await;
    assert_eq!(recording.header("content-type"), "audio/mpeg");
    assert_eq!(recording.body, sound());
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let data = tempfile::tempdir().unwrap();
    let id = catch(data.path(), 1).await;
    std::fs::write(data.path().join("secret.json"), "{}").unwrap();
    let site = site(Some(&data.path().join("mail")), &[]);
    let long = "a".repeat(5_000);
    let upper = id.to_uppercase();
    let other = "0".repeat(id.len());
    for bad in [
        "..",
        ".",
        "..%2f..%2fsecret",
        "%2e%2e%2fsecret",
        "..%5c..%5csecret",
        "%00",
        "%2fetc%2fpasswd",
        "%c0%ae%c0%ae",
        "nothing",
        &long,
        &other,
        &format!("{id}%00"),
        &format!("{id}.json"),
        &format!("..%2fpage%2f{id}"),
        if upper == id { "-" } else { &upper },
    ] {
        for rest in ["", "/recording.wav", "/letter.eml"] {
            let page = get(&site, &format!("/mail/{bad}{rest}")).await;
            assert!(page.status.is_client_error(), "{bad}{rest}: {}", page.status);
            let text = String::from_utf8_lossy(&page.body);
            assert!(!text.contains(data.path().to_str().unwrap()), "{text}");
        }
    }
}

#[tokio::test]
async fn every_answer_forbids_what_is_not_needed() {
    let data = tempfile::tempdir().unwrap();
    let id = catch(data.path(), 1).await;
    let site = site(Some(&data.path().join("mail")), &[]);
    for path in ["/mail", &format!("/mail/{id}"), "/mail/none", "/livez", "/nowhere"] {
        let page = get(&site, path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        let text = page.text();
        assert!(!text.contains("<script") && !text.contains(" style="), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_page_elsewhere_cannot_read_along_under_its_own_name() {
    let site = site(Some(Path::new("nowhere")), &[]);
    for (host, known) in [
        ("127.0.0.1:8080", true),
        ("[::1]:8080", true),
        ("192.168.7.9", true),
        ("LocalHost:8080", true),
        ("voicemail.example", true),
        ("evil.example:8080", false),
        ("127.0.0.1.evil.example", false),
        ("localhost.evil.example", false),
        ("", false),
    ] {
        let page = ask(&site, Request::get("/mail").header(header::HOST, host)).await;
        let expected = if known { StatusCode::OK } else { StatusCode::MISDIRECTED_REQUEST };
        assert_eq!(page.status, expected, "{host}");
    }
    assert_eq!(ask(&site, Request::get("/mail")).await.status, StatusCode::MISDIRECTED_REQUEST);
    let probe = ask(&site, Request::get("/livez").header(header::HOST, "afterbeep:8080")).await;
    assert_eq!(probe.status, StatusCode::OK, "there is nothing to read along here");
}

#[tokio::test]
async fn without_a_folder_there_is_no_page_of_letters() {
    let site = site(None, &[]);
    for path in ["/", "/mail", "/mail/style.css"] {
        assert_eq!(get(&site, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn it_serves_until_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap() };
    let server = tokio::spawn(http::serve(listener, site(None, &[]), shutdown));
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET /livez HTTP/1.1\r\nhost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), server).await;
    ended.expect("a silent connection does not hold the end up").unwrap().unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_silent_do_not_keep_others_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(http::serve(listener, site(None, &[]), std::future::pending()));
    let mut silent = Vec::new();
    for _ in 0..350 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        silent.push(stream);
    }
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET /livez HTTP/1.1\r\nhost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    let answered = tokio::time::timeout(Duration::from_secs(300), stream.read_exact(&mut answer));
    answered.await.expect("there is a place in time").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn where_phone_systems_read_music_is_nothing_else() {
    let music = http::music(all(None, &[]));
    let none = get(&music, "/moh/default.wav").await;
    assert_eq!(none.text(), "there is no hold music of that name\n");
    for path in ["/livez", "/readyz", "/metrics", "/music", "/login", "/api/v1/openapi.json"] {
        let page = get(&music, path).await;
        assert_eq!((page.status, page.text()), (StatusCode::NOT_FOUND, ""), "{path}");
    }
}

#[test]
fn it_listens_on_this_machine_only_unless_told() {
    assert!(Http::default().listen.ip().is_loopback());
    assert!(toml::from_str::<Http>("listne = '0.0.0.0:80'").is_err());
}
