//! Pages that links in letters open: to hear one message, and to get no more mail.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use afterbeep::{
    audio::wav,
    blobs::{self, Blobs},
    clock::Clock,
    http::{self, Guests, Readiness, Site},
    mail::{Links, Reader, Templates, key_as_text},
    mailbox::*,
    store::{
        Db,
        mailboxes::{self, Entry},
        messages::{self, Filing},
        tenants::{self, Tenant},
        transcripts, translations, unsubscribed,
    },
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use tempfile::TempDir;
use tower::ServiceExt;

const NOW: Timestamp = Timestamp(1_795_440_727_000);
const DAY: i64 = 86_400_000;

struct Open {
    _dir: TempDir,
    db: Db,
    blobs: Blobs,
    time: Arc<AtomicI64>,
    links: Links,
    public: Router,
    mailbox: Mailbox,
}

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

async fn site(settings: &[(&str, &str)]) -> Open {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("afterbeep.db")).await.unwrap();
    let blobs = Blobs::open(&dir.path().join("blobs")).unwrap();
    let tenant = Tenant {
        id: TenantId("t".into()),
        name: "default".into(),
        sip_domain: None,
        settings: Settings::default(),
    };
    tenants::add(&db, &tenant, NOW).await.unwrap();
    let mut own = Settings::default();
    for (name, word) in settings {
        own.set(name, word).unwrap();
    }
    let entry = Entry { name: "Ann".into(), owner: None, settings: own };
    let id = MailboxId("m".into());
    mailboxes::add(&db, &tenant.id, &id, "1000", &entry, NOW).await.unwrap();
    let mailbox = mailboxes::at(&db, &tenant.id, "1000").await.unwrap().unwrap();
    let week = Duration::from_secs(7 * 86_400);
    let links = Links::below("https://voicemail.example", &key_as_text([7; 32]), week).unwrap();
    let time = Arc::new(AtomicI64::new(NOW.0));
    let guests = Guests {
        links: links.clone(),
        templates: Arc::new(Templates::built_in()),
        db: db.clone(),
        blobs: blobs.clone(),
        clock: Clock::Set(time.clone()),
    };
    let public = http::public(pages(Some(guests)));
    Open { _dir: dir, db, blobs, time, links, public, mailbox }
}

fn pages(guests: Option<Guests>) -> Site {
    Site {
        metrics: Arc::new(String::new),
        ready: Arc::new(Readiness::default),
        caught: None,
        names: vec![],
        guests,
        api: None,
        beds: None,
        pages: None,
    }
}

impl Open {
    async fn message(&self, said: Option<&str>) -> MessageId {
        let id = Clock::Real.message_id();
        let blob = blobs::message(&id);
        self.blobs.put(&blob, sound().into()).await.unwrap();
        let filing = Filing {
            id,
            mailbox: self.mailbox.id.clone(),
            envelope: Envelope {
                caller: Caller::claimed(Some("<b>Marie</b>"), Some("+33556123456")),
                received: NOW,
                length: Duration::from_secs(24),
                interrupted: false,
                reason: Reason::Unknown,
            },
            blob,
            limit: 100,
            rotates: true,
            transcribe: true,
            notify_due: NOW,
            recipients: vec![],
            marks: Default::default(),
            copies: false,
            origin: None,
        };
        messages::file(&self.db, &[filing], NOW).await.unwrap();
        if let Some(text) = said {
            let (start_ms, end_ms, confidence) = (0, 900, 0.9);
            let segment = Segment { start_ms, end_ms, text: text.into(), confidence };
            let (language, engine) = ("en".into(), "test".into());
            let transcript = Transcript { language, segments: vec![segment], engine };
            transcripts::save(&self.db, &id, &transcript, NOW).await.unwrap();
        }
        id
    }

    async fn ask(&self, request: axum::http::request::Builder) -> Page {
        let request = request.body(Body::empty()).unwrap();
        let answer = self.public.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 16 << 20).await.unwrap().to_vec();
        Page { status, headers, body }
    }

    async fn get(&self, path: &str) -> Page {
        self.ask(Request::get(path)).await
    }

    fn listen(&self, id: MessageId) -> String {
        format!("/l/{}", self.links.listen(id, NOW))
    }

    fn leave(&self, address: &str) -> String {
        let reader = Reader { mailbox: self.mailbox.id.clone(), address: address.into() };
        format!("/u/{}", self.links.unsubscribe(&reader))
    }

    /// Everything a request could change.
    async fn state(&self) -> String {
        let all = messages::list(&self.db, &self.mailbox.id, None, messages::Page::first(9)).await;
        let gone = unsubscribed::of(&self.db, &self.mailbox.id).await;
        format!("{all:?} {gone:?}")
    }
}

fn sound() -> Vec<u8> {
    let samples: Vec<i16> = (0..8_000).map(|it| (it % 251) as i16 * 50).collect();
    wav::to_wav(&samples, 8_000)
}

#[tokio::test]
async fn a_link_lets_its_holder_read_and_hear_one_message() {
    let site = site(&[("time_zone", "Europe/Vienna")]).await;
    let id = site.message(Some("Call <i>me</i>.")).await;
    let path = site.listen(id);
    let page = site.get(&path).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    for part in [
        "<h1>Voicemail from <bdi>&lt;b&gt;Marie&lt;&#x2f;b&gt; (+33556123456)</bdi></h1>",
        "Monday, 23 November 2026, 14:32 CET",
        "<dd>0:24</dd>",
        "1000 (Ann)",
        "Call &lt;i&gt;me&lt;&#x2f;i&gt;.",
        "<audio controls",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    // The links in it are relative, so a proxy may put the pages below any path.
    let token = path.strip_prefix("/l/").unwrap();
    let audio = format!("src=\"{token}&#x2f;audio\"");
    assert!(page.text().contains(&audio), "{}", page.text());
    assert!(!page.text().contains("=\"/"), "{}", page.text());
    assert_eq!(site.get("/l/style.css").await.status, StatusCode::OK);

    let heard = site.get(&format!("{path}/audio")).await;
    assert_eq!((heard.status, heard.header("content-type")), (StatusCode::OK, "audio/wav"));
    assert_eq!(heard.body, sound());
    let part =
        site.ask(Request::get(format!("{path}/audio")).header(header::RANGE, "bytes=100-199"));
    let part = part.await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header("content-range"), format!("bytes 100-199/{}", sound().len()));
    assert_eq!(part.body, sound()[100..200]);
    let beyond = Request::get(format!("{path}/audio")).header(header::RANGE, "bytes=99999999-");
    assert_eq!(site.ask(beyond).await.status, StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let site = site(&[]).await;
    let id = site.message(None).await;
    let (listen, leave) = (site.listen(id), site.leave("bob@example.org"));
    let before = site.state().await;
    for path in [listen.clone(), format!("{listen}/audio"), leave.clone()] {
        for method in [Method::GET, Method::HEAD] {
            let page = site.ask(Request::builder().method(&method).uri(&path)).await;
            assert_eq!(page.status, StatusCode::OK, "{method} {path}");
            assert_eq!(page.body.is_empty(), method == Method::HEAD);
        }
    }
    for (method, path) in
        [(Method::POST, &listen), (Method::PUT, &leave), (Method::DELETE, &listen)]
    {
        let page = site.ask(Request::builder().method(&method).uri(path)).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
    assert_eq!(site.state().await, before);
}

#[tokio::test]
async fn links_that_are_wrong_ended_or_to_what_is_gone_cannot_be_told_apart() {
    let site = site(&[("pages", "fr")]).await;
    let (here, gone) = (site.message(None).await, site.message(None).await);
    messages::purge(&site.db, &site.mailbox.id, &gone, NOW).await.unwrap();
    let fine = site.listen(here);
    let reader = Reader { mailbox: MailboxId("nowhere".into()), address: "a@example.org".into() };
    let mut pages = Vec::new();
    for path in [
        site.listen(gone),
        format!("{}/audio", site.listen(gone)),
        format!("{fine}A"),
        format!("/l/{}", &fine[4..]),
        "/l/AAAA".into(),
        "/l/%00".into(),
        format!("/l/{}", "A".repeat(5_000)),
        format!("/u/{}", &fine[3..]),
        format!("/u/{}", site.links.unsubscribe(&reader)),
    ] {
        let page = site.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        pages.push(page);
    }
    assert_eq!(site.get(&fine).await.status, StatusCode::OK);
    site.time.store(NOW.0 + 7 * DAY, std::sync::atomic::Ordering::Relaxed);
    pages.push(site.get(&fine).await);
    assert!(pages[0].text().contains("This link leads nowhere"), "{}", pages[0].text());
    for page in &pages {
        assert_eq!((&page.body, &page.headers), (&pages[0].body, &pages[0].headers));
    }
    let french =
        Request::get("/l/AAAA").header(header::ACCEPT_LANGUAGE, "de, fr-CH;q=0.9, en;q=0.8");
    let page = site.ask(french).await;
    assert!(page.text().contains("<html lang=\"fr\">"), "{}", page.text());
}

#[tokio::test]
async fn a_recording_that_is_missing_is_a_link_that_leads_nowhere() {
    let site = site(&[]).await;
    let id = site.message(None).await;
    site.blobs.delete(&blobs::message(&id)).await.unwrap();
    assert_eq!(site.get(&format!("{}/audio", site.listen(id))).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_post_takes_an_address_off_as_often_as_it_is_said() {
    let site = site(&[]).await;
    let (bob, path) = ("Bob+vm@Example.org", site.leave("Bob+vm@Example.org"));
    let asked = site.get(&path).await;
    assert!(asked.text().contains("<form method=\"post\">"), "{}", asked.text());
    assert!(asked.text().contains("<button>"), "{}", asked.text());
    assert!(asked.text().contains(bob) && asked.text().contains("mailbox 1000 (Ann)"));
    for body in ["List-Unsubscribe=One-Click", "", "anything else"] {
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post(&path).header(header::CONTENT_TYPE, kind);
        let answer = site.public.clone().oneshot(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK, "{body}");
        let gone = unsubscribed::of(&site.db, &site.mailbox.id).await.unwrap();
        assert!(gone.has(bob) && !gone.has("eve@example.org"));
    }
    let done = site.get(&path).await;
    assert!(done.text().contains("No more mails"), "{}", done.text());
    assert!(!done.text().contains("<form"), "{}", done.text());
    let undo = format!("<code>afterbeep mailbox resubscribe 1000 {bob}</code>");
    assert!(done.text().contains(&undo), "{}", done.text());
    // Another's link is another's.
    let other = site.get(&site.leave("eve@example.org")).await;
    assert!(other.text().contains("<form"), "{}", other.text());
}

#[tokio::test]
async fn pages_speak_the_owners_language() {
    let site = site(&[("pages", "fr")]).await;
    let id = site.message(None).await;
    let listen = site.get(&site.listen(id)).await;
    assert!(
        listen.text().contains("La transcription n’est pas encore prête."),
        "{}",
        listen.text()
    );
    let leave = site.get(&site.leave("bob@example.org")).await;
    for page in [listen, leave] {
        assert!(page.text().contains("<html lang=\"fr\">"), "{}", page.text());
    }
}

#[tokio::test]
async fn a_page_says_what_is_still_being_made_and_keeps_what_operators_read_to_them() {
    let site = site(&[]).await;
    let id = site.message(None).await;
    let transcript = Transcript { language: "en".into(), segments: vec![], engine: "test".into() };
    transcripts::save_to_translate(&site.db, &id, &transcript, NOW).await.unwrap();
    let page = site.get(&site.listen(id)).await;
    assert!(page.text().contains("The translation is not ready yet."), "{}", page.text());
    let why = "the translation model en-fr is missing; fetch it";
    translations::give_up(&site.db, &id, why, NOW).await.unwrap();
    let other = site.message(None).await;
    transcripts::give_up(&site.db, &other, "the speech worker was lost", NOW).await.unwrap();
    for (id, said) in [(id, "No translation. "), (other, "No transcript. ")] {
        let page = site.get(&site.listen(id)).await;
        let said = format!("{said}The server could not make one.");
        assert!(page.text().contains(&said), "{}", page.text());
        assert!(!page.text().contains("missing") && !page.text().contains("worker"));
    }
}

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need_and_is_found_by_no_search_engine() {
    let site = site(&[]).await;
    let id = site.message(Some("Hello.")).await;
    let leave = site.leave("bob@example.org");
    for path in [site.listen(id), format!("{}/audio", site.listen(id)), leave, "/l/AAAA".into()] {
        let page = site.get(&path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script"), "{path}: {policy}");
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
        ] {
            assert_eq!(page.header(name), value, "{path}");
        }
        let text = String::from_utf8_lossy(&page.body);
        assert!(!text.contains("<script") && !text.contains(" style="), "{path}: {text}");
    }
}

/// What may be reached from outside is these pages and nothing else.
#[tokio::test]
async fn the_public_side_has_nothing_but_the_pages_of_links() {
    let site = site(&[]).await;
    for path in
        ["/", "/livez", "/readyz", "/metrics", "/mail", "/mail/style.css", "/api/v1", "/l", "/u/"]
    {
        assert_eq!(site.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn without_links_every_link_leads_nowhere() {
    let router = http::router(pages(None));
    for path in ["/l/AAAA", "/u/AAAA", "/l/AAAA/audio"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
