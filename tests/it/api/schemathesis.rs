//! A server in a process of its own, asked by schemathesis for everything it describes, in ways it
//! allows and in ways it does not.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use afterbeep::{
    audio::wav,
    blobs::{self, Blobs},
    clock::Clock,
    mailbox::{Caller, Envelope, MailboxId, Reason},
    store::{
        mailboxes,
        messages::{Filing, file},
    },
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::{House, browser};

/// What it looks for. Not whether everything that fits the description is taken: that names are
/// not given twice, and that time zones and users exist, cannot be described.
const CHECKS: [&str; 9] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
];

/// A sound file is bytes like any other to it. What a form says is text, whatever it was meant as; and headers
/// that nobody knows are no fault.
const HOOKS: &str = r#"import schemathesis

for kind in ["audio/wav", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/flac", "application/partial-upload"]:
    schemathesis.serializer.alias(kind, "application/octet-stream")

@schemathesis.hook
def filter_case(context, case):
    form = case.body if case.media_type == "multipart/form-data" else {}
    told = form.values() if isinstance(form, dict) else []
    is_text = all(isinstance(it, (str, bytes)) for it in told)
    return is_text and "x-schemathesis-unknown-property" not in (case.headers or {})
"#;
const HOOKS_FILE: &str = "hooks.py";

#[tokio::test]
async fn schemathesis_finds_nothing_that_is_not_as_described() {
    let program = program();
    let house = House::start("[speech]\nmodels = \"/nonexistent\"\n");
    let scopes = "messages:write,greetings,music,mailboxes,tenants,jobs";
    let said = house.run(&["token", "add", "test", "--platform", "--scope", scopes]);
    let token = said.lines().last().unwrap().to_owned();
    let settings = house.dir.path().join("schemathesis.toml");
    std::fs::write(&settings, Seeds::sown(&house, &token).await.settings()).unwrap();
    std::fs::write(house.dir.path().join(HOOKS_FILE), HOOKS).unwrap();

    let run = Command::new(program)
        .current_dir(house.dir.path())
        .arg("--no-color")
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &format!("http://{}/api/v1/openapi.json", house.http)])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", &CHECKS.join(",")])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "20", "--seed", "1", "--no-shrink"])
        .args(["--generation-database", "none"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
}

fn program() -> PathBuf {
    let place = "target/schemathesis/bin/schemathesis";
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    assert!(program.exists(), "{} is missing; `make test-setup` brings it", program.display());
    program
}

/// Ids of what is there, so that requests reach more than a 404; and of what may be removed.
struct Seeds {
    tenant: String,
    user: String,
    mailbox: String,
    message: String,
    greeting: String,
    gone_greeting: String,
    class: String,
    track: String,
    upload: String,
    gone_track: String,
    gone_upload: String,
    gone_class: String,
    job: String,
    gone_tenant: String,
    gone_user: String,
    gone_mailbox: String,
}

impl Seeds {
    async fn sown(house: &House, token: &str) -> Self {
        let ask = async |method: Method, path: &str, kind: &str, body: Vec<u8>| -> Value {
            let address = format!("http://{}/api/v1{path}", house.http);
            let request = browser().request(method, address).bearer_auth(token);
            let answer = request
                .header("content-type", kind)
                .header("tenant", "default")
                .header("upload-complete", "?0")
                .body(body)
                .send()
                .await
                .unwrap();
            let text = answer.text().await.unwrap();
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"))
        };
        let id = |it: &Value| it["id"].as_str().unwrap_or_else(|| panic!("{it}")).to_owned();
        let add = async |path: &str, body: Value| {
            id(&ask(Method::POST, path, "application/json", body.to_string().into()).await)
        };
        let first = async |path: &str| {
            id(&ask(Method::GET, path, "application/json", vec![]).await["items"][0])
        };
        let mailbox = first("/mailboxes").await;
        let message = leave(house, &mailbox).await;
        let greeting = format!("/mailboxes/{mailbox}/greetings/unavailable");
        let tone: Vec<i16> = (0..8_000).map(|at| ((at as f32 / 4.0).sin() * 9e3) as i16).collect();
        let tone = || wav::to_wav(&tone, 8_000);
        let greeting = id(&ask(Method::PUT, &greeting, "audio/wav", tone()).await);
        let more = format!("/mailboxes/{mailbox}/greetings/unavailable?label=gone");
        let gone_greeting = id(&ask(Method::PUT, &more, "audio/wav", tone()).await);
        ask(Method::PUT, &format!("/mailboxes/{mailbox}/spoken-name"), "audio/wav", tone()).await;
        let class = add("/music", json!({ "name": "jazz" })).await;
        let tracks = format!("/music/{class}/tracks");
        let track = async || id(&ask(Method::POST, &tracks, "audio/wav", tone()).await);
        let uploads = format!("/music/{class}/uploads");
        let upload = async || id(&ask(Method::POST, &uploads, "audio/wav", vec![]).await);
        Self {
            track: track().await,
            upload: upload().await,
            gone_track: track().await,
            gone_upload: upload().await,
            class,
            gone_class: add("/music", json!({ "name": "gone" })).await,
            tenant: first("/tenants").await,
            user: add("/users", json!({ "email": "ann@example.org" })).await,
            mailbox,
            message,
            greeting,
            gone_greeting,
            job: first("/jobs").await,
            gone_tenant: add("/tenants", json!({ "name": "gone" })).await,
            gone_user: add("/users", json!({ "email": "gone@example.org" })).await,
            gone_mailbox: add("/mailboxes", json!({ "number": "gone" })).await,
        }
    }

    fn settings(&self) -> String {
        let mut text = format!(
            "hooks = \"{HOOKS_FILE}\"\n\
             [checks.negative_data_rejection]\n\
             expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422]\n\
             [parameters]\n\
             \"query.tenant\" = \"default\"\n\
             \"header.Tenant\" = \"default\"\n\
             \"path.tenant\" = \"{}\"\n\
             \"path.user\" = \"{}\"\n\
             \"path.mailbox\" = \"{}\"\n\
             \"path.message\" = \"{}\"\n\
             \"path.job\" = \"{}\"\n\
             \"path.greeting\" = \"{}\"\n\
             \"path.class\" = \"{}\"\n\
             \"path.track\" = \"{}\"\n\
             \"path.upload\" = \"{}\"\n\
             \"path.kind\" = \"unavailable\"\n",
            self.tenant,
            self.user,
            self.mailbox,
            self.message,
            self.job,
            self.greeting,
            self.class,
            self.track,
            self.upload,
        );
        for (operation, parameter, value) in [
            ("DELETE /tenants/{tenant}", "tenant", self.gone_tenant.as_str()),
            ("DELETE /users/{user}", "user", &self.gone_user),
            ("DELETE /mailboxes/{mailbox}", "mailbox", &self.gone_mailbox),
            ("DELETE /mailboxes/{mailbox}/greetings/{kind}", "kind", "busy"),
            ("DELETE /music/{class}", "class", &self.gone_class),
            ("DELETE /music/{class}/tracks/{track}", "track", &self.gone_track),
            ("DELETE /music/{class}/uploads/{upload}", "upload", &self.gone_upload),
            (
                "DELETE /mailboxes/{mailbox}/kept-greetings/{greeting}",
                "greeting",
                &self.gone_greeting,
            ),
        ] {
            text += &format!(
                "\n[[operations]]\n\
                 include-name = \"{operation}\"\n\
                 parameters = {{ \"path.{parameter}\" = \"{value}\" }}\n",
            );
        }
        text
    }
}

/// Leaves a message; its id.
async fn leave(house: &House, mailbox: &str) -> String {
    let (db, clock) = (house.db().await, Clock::Real);
    let id = clock.message_id();
    let blob = blobs::message(&id);
    let blobs = Blobs::open(&house.data().join("blobs")).unwrap();
    blobs.put(&blob, wav::to_wav(&[900; 80_000], 8_000).into()).await.unwrap();
    let mailbox = mailboxes::linked(&db, &MailboxId(mailbox.into())).await.unwrap().unwrap();
    let now = clock.now();
    let filing = Filing {
        id,
        mailbox: mailbox.id.clone(),
        envelope: Envelope {
            caller: Caller::claimed(Some("Marie"), None),
            received: now,
            length: Duration::from_secs(10),
            interrupted: false,
            reason: Reason::NoAnswer,
        },
        blob,
        limit: 100,
        rotates: true,
        transcribe: true,
        notify_due: now,
        recipients: mailbox.recipients(),
        marks: Default::default(),
        copies: false,
        origin: None,
    };
    file(&db, &[filing], now).await.unwrap();
    db.close().await;
    id.to_string()
}
