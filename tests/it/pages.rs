//! The pages behind the login, asked in-process: who gets in, who stays out, and what forms do.

use std::sync::{Arc, atomic::AtomicI64};

use afterbeep::{
    app::Studio,
    audio::wav,
    blobs::Blobs,
    clock::Clock,
    config::Config,
    http::{self, Api, Pages, Readiness, Site},
    mailbox::{Guesses, Password, Settings, TenantId, Timestamp, UserId},
    music::State,
    store::{
        Db, announcements, logins, music,
        people::{self, Person},
        sessions,
        tenants::{self, Tenant},
        tracks,
    },
};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tower::ServiceExt;

const NOW: Timestamp = Timestamp(1_795_440_727_000);
const PEPPER: &[u8] = b"pepper";
const ANN: &str = "ann@acme.example";
const PASSWORD: &str = "tulips in a vase";

struct Open {
    _dir: TempDir,
    db: Db,
    tenant: TenantId,
    time: Arc<AtomicI64>,
    router: Router,
}

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

/// Somebody's browser.
#[derive(Default)]
struct Browser {
    cookie: String,
    token: String,
}

async fn open(names: &[&str]) -> Open {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("afterbeep.db")).await.unwrap();
    let blobs = Blobs::open(&dir.path().join("blobs")).unwrap();
    let config = Config { data: dir.path().into(), ..Config::default() };
    let time = Arc::new(AtomicI64::new(NOW.0));
    for name in names {
        let (id, name) = (TenantId((*name).into()), (*name).into());
        let settings = Settings::default();
        let tenant = Tenant { id: id.clone(), name, sip_domain: None, settings };
        tenants::add(&db, &tenant, NOW).await.unwrap();
        let person = Person {
            id: UserId(format!("ann of {id}")),
            tenant: id,
            name: "<b>Ann</b>".into(),
            email: ANN.into(),
        };
        people::add(&db, &person, NOW).await.unwrap();
        let hash = Password::new(PASSWORD.into()).hash(PEPPER, &[7; 16]);
        logins::set(&db, &person, &hash, NOW).await.unwrap();
    }
    let api = Api {
        db: db.clone(),
        blobs,
        clock: Clock::Set(time.clone()),
        bell: afterbeep::bell::Bell::default(),
        studio: Studio::new(&config, env!("CARGO_BIN_EXE_afterbeep").into()),
        beds: None,
    };
    let router = http::router(Site {
        metrics: Arc::new(String::new),
        ready: Arc::new(Readiness::default),
        caught: None,
        names: vec!["voicemail.example".into()],
        guests: None,
        api: None,
        beds: None,
        pages: Some(Pages::new(api, PEPPER.into())),
    });
    let tenant = TenantId(names.first().copied().unwrap_or("none").into());
    Open { _dir: dir, db, tenant, time, router }
}

impl Open {
    async fn ask(&self, request: Request<Body>) -> Page {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 16 << 20).await.unwrap();
        Page { status, headers, text: String::from_utf8_lossy(&body).into_owned() }
    }

    async fn get(&self, browser: &Browser, path: &str) -> Page {
        let request = Request::get(path).header("host", "localhost:8080");
        self.ask(request.header("cookie", &browser.cookie).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = ("token", browser.token.as_str());
        self.post_as(browser, path, &[], &[fields, &[token]].concat()).await
    }

    async fn post_as(
        &self,
        browser: &Browser,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Page {
        let mut request = Request::post(path)
            .header("cookie", &browser.cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in [("host", "localhost:8080")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let escape = |text: &str| text.bytes().map(|it| format!("%{it:02X}")).collect::<String>();
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escape(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.ask(request.body(Body::from(body)).unwrap()).await
    }

    async fn log_in(&self, email: &str, password: &str) -> Page {
        let fields = [("email", email), ("password", password)];
        self.post_as(&Browser::default(), "/login", &[], &fields).await
    }

    async fn browser(&self) -> Browser {
        let entered = self.log_in(ANN, PASSWORD).await;
        assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, "/music"));
        let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
        let mut browser = Browser { cookie, token: String::new() };
        let page = self.get(&browser, "/music").await;
        let (_, rest) = page.text.split_once("name=\"token\" value=\"").unwrap();
        browser.token = rest.split('"').next().unwrap().to_owned();
        browser
    }

    async fn upload(&self, browser: &Browser, path: &str, parts: &[(&str, &str, &[u8])]) -> Page {
        let request = Request::post(path)
            .header("host", "localhost:8080")
            .header("cookie", &browser.cookie)
            .header("content-type", FORM);
        self.ask(request.body(Body::from(form(parts))).unwrap()).await
    }
}

/// What a form is sent as.
pub(crate) const FORM: &str = "multipart/form-data; boundary=edge";

/// A form as browsers and curl send it: fields, and files where they have a file name.
pub(crate) fn form(parts: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        let file = match *file {
            "" => String::new(),
            file => format!("; filename=\"{file}\""),
        };
        let head =
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

fn tone() -> Vec<u8> {
    let samples: Vec<i16> = (0..8_000).map(|at| ((at as f32 / 4.0).sin() * 9e3) as i16).collect();
    wav::to_wav(&samples, 8_000)
}

#[tokio::test]
async fn nobody_sees_hold_music_who_has_not_logged_in() {
    let site = open(&["acme"]).await;
    let stranger =
        Browser { cookie: format!("afterbeep={}", "A".repeat(43)), ..Browser::default() };
    for path in ["/music", "/music/default", "/music/default/state", "/music/a/intro.wav"] {
        for browser in [&Browser::default(), &stranger] {
            let page = site.get(browser, path).await;
            assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/login"));
        }
    }
    let posted = site.post(&stranger, "/music", &[("name", "default")]).await;
    assert_eq!(posted.header("location"), "/login");
    assert!(music::list(&site.db, &site.tenant).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_password_opens_the_pages_until_its_owner_logs_out() {
    let site = open(&["acme"]).await;
    let entered = site.log_in("Ann@ACME.example", PASSWORD).await;
    let cookie = entered.header("set-cookie");
    for part in ["afterbeep=", "; HttpOnly", "; SameSite=Lax", "; Path=/;"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let browser = site.browser().await;
    let page = site.get(&browser, "/music").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("&lt;b&gt;Ann"), "a name is no markup: {}", page.text);
    let guard = page.header("content-security-policy");
    assert!(guard.starts_with("default-src 'none'") && !guard.contains("unsafe"), "{guard}");
    assert!(!page.text.contains("style=") && !page.text.contains("onclick"), "{}", page.text);

    let left = site.post(&browser, "/logout", &[]).await;
    assert_eq!(left.header("location"), "/login");
    assert_eq!(site.get(&browser, "/music").await.header("location"), "/login");
    let (_, idle) = (site.browser().await, site.browser().await);
    site.time.fetch_add(sessions::IDLE.as_millis() as i64, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(site.get(&idle, "/music").await.header("location"), "/login");
}

/// An open page has its script look how things are, every second, also where nobody sits before it.
#[tokio::test]
async fn a_page_that_only_lies_open_keeps_nobody_logged_in() {
    let site = open(&["acme"]).await;
    let (idle, busy) = (site.browser().await, site.browser().await);
    site.post(&busy, "/music", &[("name", "default")]).await;
    let looks = async |browser: &Browser| {
        let request = Request::get("/music/default/state")
            .header("host", "localhost:8080")
            .header("accept", "application/json")
            .header("cookie", &browser.cookie);
        site.ask(request.body(Body::empty()).unwrap()).await
    };
    let half = sessions::IDLE.as_millis() as i64 / 2;
    site.time.fetch_add(half, std::sync::atomic::Ordering::Relaxed);
    for browser in [&idle, &busy] {
        assert_eq!(looks(browser).await.status, StatusCode::OK);
    }
    assert_eq!(site.get(&busy, "/music/default").await.status, StatusCode::OK);
    site.time.fetch_add(half, std::sync::atomic::Ordering::Relaxed);
    let told = looks(&idle).await;
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
    assert!(told.text.contains("You have been logged out."), "{}", told.text);
    assert_eq!(looks(&busy).await.status, StatusCode::OK);
}

#[tokio::test]
async fn over_https_the_cookie_is_one_that_no_other_site_can_set() {
    let site = open(&["acme"]).await;
    for header in [("x-forwarded-proto", "https"), ("origin", "https://localhost:8080")] {
        let fields = [("email", ANN), ("password", PASSWORD)];
        let page = site.post_as(&Browser::default(), "/login", &[header], &fields).await;
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("__Host-afterbeep="), "{cookie}");
        assert!(cookie.ends_with("; Secure") && cookie.contains("; Path=/;"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let page = site.get(&Browser { cookie, ..Browser::default() }, "/music").await;
        assert_eq!(page.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer_and_only_so_many() {
    let site = open(&["acme"]).await;
    let blank = |page: &Page, email: &str| page.text.replace(email, "");
    let (one, other) = ("ann@acme.example", "bob@acme.example");
    for at in 0..Guesses::MOST {
        let known = site.log_in(one, &format!("wrong {at} password")).await;
        let unknown = site.log_in(other, &format!("wrong {at} password")).await;
        assert_eq!((known.status, unknown.status), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN));
        assert_eq!(blank(&known, one), blank(&unknown, other));
    }
    let locked = site.log_in(one, PASSWORD).await;
    assert_eq!(
        (locked.status, locked.header("retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, "3600")
    );
    // From this machine came twenty by now, so it is not heard any more for anybody.
    let third = site.log_in("eve@acme.example", PASSWORD).await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn where_nobody_has_a_password_the_page_says_how_to_give_one() {
    let site = open(&[]).await;
    let page = site.get(&Browser::default(), "/login").await;
    assert!(page.text.contains("afterbeep user password"), "{}", page.text);
    let site = open(&["acme"]).await;
    let page = site.get(&Browser::default(), "/login").await;
    assert!(!page.text.contains("Nobody has a password"), "{}", page.text);
    assert!(!page.text.contains("name=\"tenant\""), "there is only one: {}", page.text);
}

#[tokio::test]
async fn the_same_address_at_two_tenants_is_two_people() {
    let site = open(&["acme", "other"]).await;
    let page = site.get(&Browser::default(), "/login").await;
    assert!(page.text.contains("name=\"tenant\""), "{}", page.text);
    assert_eq!(site.log_in(ANN, PASSWORD).await.status, StatusCode::FORBIDDEN);
    for tenant in ["acme", "other"] {
        let fields = [("email", ANN), ("password", PASSWORD), ("tenant", tenant)];
        let page = site.post_as(&Browser::default(), "/login", &[], &fields).await;
        let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
        let page = site.get(&Browser { cookie, ..Browser::default() }, "/music").await;
        assert!(page.text.contains(&format!("<span class=\"where\">{tenant}")), "{}", page.text);
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_or_without_its_token_does_nothing() {
    let site = open(&["acme"]).await;
    let browser = site.browser().await;
    let good = [("name", "default"), ("token", &browser.token)];
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
    ] {
        let page = site.post_as(&browser, "/music", headers, &good).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    for token in ["", "x", &"0".repeat(64)] {
        let fields = [("name", "default"), ("token", token)];
        let page = site.post_as(&browser, "/music", &[], &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{token:?}");
    }
    assert!(music::list(&site.db, &site.tenant).await.unwrap().is_empty());
    // By another name nobody sees anything at all.
    let request = Request::get("/login").header(header::HOST, "rebound.example");
    let page = site.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(
        site.post(&browser, "/music", &[("name", "default")]).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn forms_alone_make_a_class_fill_it_and_put_it_in_order() {
    let site = open(&["acme"]).await;
    let browser = site.browser().await;
    let made = site.post(&browser, "/music", &[("name", "default")]).await;
    assert_eq!(made.header("location"), "/music/default?done=made");
    let again = site.post(&browser, "/music", &[("name", "default")]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text.contains("There is already a class"), "{}", again.text);

    let token = browser.token.as_bytes();
    let path = "/music/default/tracks";
    let parts: &[(&str, &str, &[u8])] =
        &[("token", "", token), ("file", "<i>One.wav", &tone()), ("file", "Two.wav", &tone())];
    let sent = site.upload(&browser, path, parts).await;
    assert_eq!(sent.header("location"), "/music/default?done=sent", "{}", sent.text);
    let class = music::named(&site.db, &site.tenant, "default").await.unwrap().unwrap();
    let tracks = async || tracks::of(&site.db, &class.id).await.unwrap();
    let names = async || tracks().await.into_iter().map(|it| it.name).collect::<Vec<_>>();
    assert_eq!(names().await, ["<i>One", "Two"]);
    assert!(tracks().await.iter().all(|it| it.state == State::Waiting));
    let page = site.get(&browser, "/music/default?done=sent").await;
    assert!(page.text.contains("&lt;i&gt;One") && page.text.contains("are being prepared"));

    let id = tracks().await[0].id.0.clone();
    let one = format!("{path}/{id}");
    site.post(&browser, &format!("{one}/move"), &[("to", "down")]).await;
    assert_eq!(names().await, ["Two", "<i>One"]);
    let fields = [("name", "First"), ("description", "Calm"), ("licence", "CC0")];
    assert_eq!(
        site.post(&browser, &one, &fields).await.header("location"),
        "/music/default?done=saved"
    );
    let unnamed = site.post(&browser, &one, &[("name", " ")]).await;
    assert_eq!(unnamed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(names().await, ["Two", "First"]);
    site.post(&browser, &format!("{one}/remove"), &[]).await;
    assert_eq!(names().await, ["Two"]);

    for field in ["shuffle", "shared"] {
        site.post(&browser, "/music/default/manner", &[(field, "yes")]).await;
    }
    site.post(&browser, "/music/default/manner", &[("enabled", "no")]).await;
    let class = music::named(&site.db, &site.tenant, "default").await.unwrap().unwrap();
    let manner = class.manner;
    assert_eq!((manner.enabled, manner.shuffle, manner.shared), (false, true, true));
    site.post(&browser, "/music/default/remove", &[]).await;
    assert!(music::list(&site.db, &site.tenant).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_with_a_long_name_is_a_track_whose_name_is_cut() {
    let site = open(&["acme"]).await;
    let browser = site.browser().await;
    site.post(&browser, "/music", &[("name", "default")]).await;
    let long = format!("{}.wav", "é".repeat(180));
    let parts: &[(&str, &str, &[u8])] =
        &[("token", "", browser.token.as_bytes()), ("file", &long, &tone())];
    let sent = site.upload(&browser, "/music/default/tracks", parts).await;
    assert_eq!(sent.header("location"), "/music/default?done=sent", "{}", sent.text);
    let class = music::named(&site.db, &site.tenant, "default").await.unwrap().unwrap();
    let found = tracks::of(&site.db, &class.id).await.unwrap();
    assert_eq!(found[0].name, "é".repeat(100));
}

#[tokio::test]
async fn a_refusal_names_the_file_and_says_that_those_before_it_were_kept() {
    let site = open(&["acme"]).await;
    let browser = site.browser().await;
    site.post(&browser, "/music", &[("name", "default")]).await;
    let file = tone();
    let parts: &[(&str, &str, &[u8])] = &[
        ("token", "", browser.token.as_bytes()),
        ("file", "One.wav", &file),
        // Without its ending nothing is left to call it by.
        ("file", "  .wav", &file),
        ("file", "Three.wav", &file),
    ];
    let sent = site.upload(&browser, "/music/default/tracks", parts).await;
    assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(sent.text.contains("“  .wav”: "), "{}", sent.text);
    assert!(sent.text.contains("The file before it was kept"), "{}", sent.text);
    let class = music::named(&site.db, &site.tenant, "default").await.unwrap().unwrap();
    let found = tracks::of(&site.db, &class.id).await.unwrap();
    assert_eq!(found.into_iter().map(|it| it.name).collect::<Vec<_>>(), ["One"]);
}

#[tokio::test]
async fn files_without_the_token_before_them_are_not_taken() {
    let site = open(&["acme"]).await;
    let browser = site.browser().await;
    site.post(&browser, "/music", &[("name", "default")]).await;
    let (file, token) = (tone(), browser.token.as_bytes());
    let cases: [&[(&str, &str, &[u8])]; 3] = [
        &[("file", "one.wav", &file)],
        &[("file", "one.wav", &file), ("token", "", token)],
        &[("token", "", b"wrong"), ("file", "one.wav", &file)],
    ];
    for parts in cases {
        let page = site.upload(&browser, "/music/default/tracks", parts).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    }
    let class = music::named(&site.db, &site.tenant, "default").await.unwrap().unwrap();
    assert!(tracks::of(&site.db, &class.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn another_tenants_music_is_not_there() {
    let site = open(&["acme", "other"]).await;
    let fields = [("email", ANN), ("password", PASSWORD), ("tenant", "acme")];
    let page = site.post_as(&Browser::default(), "/login", &[], &fields).await;
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let browser = Browser { cookie, ..Browser::default() };
    let class = afterbeep::music::Class {
        id: afterbeep::music::ClassId("c".into()),
        tenant: TenantId("other".into()),
        name: "secret".into(),
        manner: Default::default(),
    };
    music::add(&site.db, &class, NOW).await.unwrap();
    for path in ["/music/secret", "/music/secret/state", "/music/secret/tracks/c"] {
        assert_eq!(site.get(&browser, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let page = site.get(&browser, "/music").await;
    assert!(!page.text.contains("secret"), "{}", page.text);
}

#[tokio::test]
async fn a_greeting_of_its_own_that_a_class_does_not_begin_with_any_more_is_not_lost() {
    let site = open(&["acme"]).await;
    let browser = site.browser().await;
    site.post(&browser, "/music", &[("name", "default")]).await;
    let (path, token) = ("/music/default/intro", ("token", "", browser.token.as_bytes()));
    let (sound, file) = (tone(), ("way", "", b"file".as_slice()));
    let sent = site.upload(&browser, path, &[token, file, ("file", "a.wav", &sound)]).await;
    assert_eq!(sent.header("location"), "/music/default?done=saved", "{}", sent.text);
    let intro = async || {
        let class = music::named(&site.db, &site.tenant, "default").await.unwrap().unwrap();
        class.manner.intro
    };
    assert_eq!(intro().await.as_deref(), Some("intro-default"));
    // Without another file the one that is there stays.
    let again = site.upload(&browser, path, &[token, file]).await;
    assert_eq!(again.header("location"), "/music/default?done=saved", "{}", again.text);

    site.upload(&browser, path, &[token, ("way", "", b"off")]).await;
    assert_eq!(intro().await, None);
    let kept = announcements::named(&site.db, &site.tenant, "intro-default").await.unwrap();
    assert!(kept.is_some(), "a recording is gone without a question");
    let none = site.upload(&browser, path, &[token, file]).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.text.contains("Choose a sound file first"), "{}", none.text);
}

#[tokio::test]
async fn what_others_change_while_a_greeting_arrives_stays_changed() {
    let site = open(&["acme"]).await;
    let browser = site.browser().await;
    site.post(&browser, "/music", &[("name", "default")]).await;
    let (sound, token) = (tone(), browser.token.as_bytes());
    let body = form(&[("token", "", token), ("way", "", b"file"), ("file", "a.wav", &sound)]);
    let (to, mut from) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let body = (Bytes::copy_from_slice(&body[..200]), Bytes::copy_from_slice(&body[200..]));
    let stream = futures::stream::poll_fn(move |context| from.poll_recv(context));
    let request = Request::post("/music/default/intro")
        .header("host", "localhost:8080")
        .header("cookie", &browser.cookie)
        .header("content-type", FORM)
        .body(Body::from_stream(stream))
        .unwrap();
    let meanwhile = async {
        to.send(Ok(body.0)).await.unwrap();
        // There is room for it once the page reads the form, and has seen the class.
        to.send(Ok(Bytes::new())).await.unwrap();
        site.post(&browser, "/music/default/manner", &[("enabled", "no")]).await;
        to.send(Ok(body.1)).await.unwrap();
        drop(to);
    };
    let (saved, ()) = tokio::join!(site.ask(request), meanwhile);
    assert_eq!(saved.header("location"), "/music/default?done=saved", "{}", saved.text);
    let class = music::named(&site.db, &site.tenant, "default").await.unwrap().unwrap();
    assert_eq!(class.manner.intro.as_deref(), Some("intro-default"));
    assert!(!class.manner.enabled, "it was switched on again");
}
