//! The JSON API, asked in-process, and by schemathesis over a real socket.

mod access;
mod document;
mod errors;
mod greetings;
mod jobs;
mod mailboxes;
mod messages;
mod music;
mod schemathesis;
mod tenants;
mod uploads;
mod verbs;

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use afterbeep::{
    admin::{
        self,
        token::{self, Wanted},
    },
    app::Studio,
    blobs::{self, Blobs},
    clock::Clock,
    config::Config,
    http::{self, Api, Readiness, Site},
    mailbox::*,
    store::{
        Db, mailboxes as boxes,
        messages::{Filing, file},
        tenants as houses,
        tokens::Scope,
    },
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

const NOW: i64 = 1_790_000_000_000;

/// A server's API with the tenants acme and zeta in it.
struct Stand {
    dir: TempDir,
    db: Db,
    blobs: Blobs,
    time: Arc<AtomicI64>,
    clock: Clock,
    site: Router,
}

/// Somebody with a token, or without.
#[derive(Clone)]
struct Client {
    site: Router,
    token: Option<String>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Stand {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("afterbeep.db")).await.unwrap();
        let blobs = Blobs::open(&dir.path().join("blobs")).unwrap();
        let time = Arc::new(AtomicI64::new(NOW));
        let clock = Clock::Set(time.clone());
        let api = Api {
            db: db.clone(),
            blobs: blobs.clone(),
            clock: clock.clone(),
            bell: afterbeep::bell::Bell::default(),
            studio: studio(&dir),
            beds: None,
        };
        let site = http::router(Site {
            metrics: Arc::new(String::new),
            ready: Arc::new(Readiness::default),
            caught: None,
            names: vec![],
            guests: None,
            api: Some(api),
            beds: None,
            pages: None,
        });
        let stand = Self { dir, db, blobs, time, clock, site };
        let platform = stand.platform().await;
        for name in ["acme", "zeta"] {
            platform.post("/tenants", json!({ "name": name })).await.is(201);
        }
        stand
    }

    /// Whoever may do everything, for every tenant.
    async fn platform(&self) -> Client {
        self.client(None, &Scope::ALL).await
    }

    /// Whoever may do everything for one tenant.
    async fn of(&self, tenant: &str) -> Client {
        self.client(Some(tenant), &Scope::ALL).await
    }

    async fn client(&self, tenant: Option<&str>, scopes: &[Scope]) -> Client {
        self.client_for(tenant, scopes, None).await
    }

    async fn client_for(
        &self,
        tenant: Option<&str>,
        scopes: &[Scope],
        lasts: Option<Duration>,
    ) -> Client {
        let tenant = match tenant {
            Some(name) => Some(houses::named(&self.db, name).await.unwrap().unwrap().id),
            None => None,
        };
        let scopes = scopes.iter().copied().collect();
        let wanted = Wanted { name: "test".into(), tenant, scopes, lasts };
        let token = token::add(&self.db, &self.clock, wanted).await.unwrap();
        Client { site: self.site.clone(), token: Some(token) }
    }

    /// Makes sound of all tracks that wait for it.
    async fn make_music(&self) {
        let studio = studio(&self.dir);
        while admin::music::make(&self.db, &self.blobs, &self.clock, &studio).await.unwrap() {}
    }

    /// Files a message of so many bytes of sound; its id.
    async fn message(&self, mailbox: &str, after: i64, sound: &[u8]) -> String {
        let id = self.clock.message_id();
        let blob = blobs::message(&id);
        self.blobs.put(&blob, sound.to_vec().into()).await.unwrap();
        let mailbox = boxes::linked(&self.db, &MailboxId(mailbox.into())).await.unwrap().unwrap();
        let filing = Filing {
            id,
            mailbox: mailbox.id.clone(),
            envelope: Envelope {
                caller: Caller::claimed(Some("Marie"), Some("+33556123456")),
                received: Timestamp(NOW + after),
                length: Duration::from_millis(12_340),
                interrupted: false,
                reason: Reason::Busy,
            },
            blob,
            limit: 100,
            rotates: true,
            transcribe: true,
            notify_due: Timestamp(NOW + 60_000),
            recipients: vec![Recipient { address: "ann@acme.example".into(), kind: Notice::Full }],
            marks: Default::default(),
            copies: false,
            origin: None,
        };
        file(&self.db, &[filing], Timestamp(NOW)).await.unwrap();
        id.to_string()
    }
}

impl Client {
    /// Asks for something below `/api/v1`.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.site.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 64 << 20).await.unwrap().to_vec();
        Answer { status, headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], Body::empty()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, &[], Body::empty()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let kind = [("content-type", "application/json")];
        self.ask(Method::POST, path, &kind, body.to_string()).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        let kind = [("content-type", "application/merge-patch+json")];
        self.ask(Method::PATCH, path, &kind, body.to_string()).await
    }

    /// Adds a mailbox; its id.
    async fn mailbox(&self, number: &str) -> String {
        self.post("/mailboxes", json!({ "number": number })).await.is(201).id()
    }
}

impl Answer {
    #[track_caller]
    fn is(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        self
    }

    /// It is a refusal as all of them look, with this code.
    #[track_caller]
    fn refused(self, status: u16, code: &str) -> Value {
        let told = self.is(status);
        assert_eq!(told.header("content-type"), "application/problem+json");
        let problem = told.json();
        assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)));
        for field in ["type", "title", "detail"] {
            assert!(problem[field].is_string(), "{problem}");
        }
        problem
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

/// The values of a field of everything in a list, page after page of `limit`.
async fn all(client: &Client, path: &str, limit: usize, field: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    let mark = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = client.get(&format!("{path}{mark}limit={limit}{cursor}")).await.is(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit, "{page}");
        found.extend(items.iter().map(|it| it[field].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// Where recordings are made, by workers of the real program.
fn studio(dir: &TempDir) -> Studio {
    let config = Config { data: dir.path().into(), ..Config::default() };
    Studio::new(&config, env!("CARGO_BIN_EXE_afterbeep").into())
}

fn some_id() -> String {
    Uuid::now_v7().to_string()
}
