//! Who is let in, to what, and to whose things.

use std::{sync::atomic::Ordering, time::Duration};

use afterbeep::store::tokens::{self, Scope};
use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use super::{Client, NOW, Stand, document::described, music::tone, some_id};

/// Method and path of everything that is described, with the scope it says it is for.
fn everything() -> Vec<(Method, String, Option<Scope>)> {
    let mut all = Vec::new();
    for (path, methods) in described()["paths"].as_object().unwrap() {
        for (method, it) in methods.as_object().unwrap() {
            let method = method.to_ascii_uppercase().parse().unwrap();
            let says = it["description"].as_str().unwrap_or_default();
            let scope = says.split('`').nth(1).map(|it| it.parse().unwrap());
            all.push((method, path.clone(), scope));
        }
    }
    assert!(all.len() > 30, "{all:?}");
    all
}

/// A path with ids that are nobody's in it.
fn filled(path: &str) -> String {
    let path = path.replace("{kind}", "busy").replace("{job}", "notify:none:1");
    path.split('/')
        .map(|it| if it.starts_with('{') { some_id() } else { it.to_owned() })
        .collect::<Vec<_>>()
        .join("/")
}

/// Asks with a body that would do.
async fn ask(client: &Client, method: &Method, path: &str) -> super::Answer {
    let kind = match method {
        &Method::PUT => "audio/wav",
        _ => "application/json",
    };
    client.ask(method.clone(), path, &[("content-type", kind)], "{}").await
}

#[tokio::test]
async fn who_shows_no_good_token_gets_one_answer_everywhere() {
    let stand = Stand::new().await;
    let expired = stand.client_for(None, &Scope::ALL, Some(Duration::from_secs(1))).await;
    let revoked = stand.platform().await;
    let all = tokens::list(&stand.db).await.unwrap();
    let last = all.iter().max_by_key(|it| it.id.clone()).unwrap();
    tokens::revoke(&stand.db, &last.id, afterbeep::mailbox::Timestamp(NOW)).await.unwrap();
    stand.time.fetch_add(1_000, Ordering::Relaxed);
    let with =
        |token: Option<&str>| Client { site: stand.site.clone(), token: token.map(str::to_owned) };
    let strangers = [
        with(None),
        with(Some("")),
        with(Some("ab_nothing")),
        with(Some(&"x".repeat(5_000))),
        expired,
        revoked,
    ];
    let first = strangers[0].get("/tenants").await;
    assert_eq!(first.header("www-authenticate"), "Bearer realm=\"afterbeep\"");
    for (method, path, _) in everything().iter().filter(|it| it.2.is_some()) {
        for stranger in &strangers {
            let answer = ask(stranger, method, &filled(path)).await.is(401);
            assert_eq!(answer.header("www-authenticate"), first.header("www-authenticate"));
            if method != Method::HEAD {
                assert_eq!(answer.body, first.body, "{method} {path}");
            }
        }
    }
    let basic = [("authorization", "Basic YWJfbm90aGluZzo=")];
    with(None).ask(Method::GET, "/tenants", &basic, Body::empty()).await.is(401);
}

#[tokio::test]
async fn a_token_is_good_for_its_scopes_alone() {
    let stand = Stand::new().await;
    let mut counted = 0;
    for scope in Scope::ALL {
        let client = stand.client(Some("acme"), &[scope]).await;
        for (method, path, needed) in everything() {
            let Some(needed) = needed else { continue };
            let reads_too = (scope, needed) == (Scope::MessagesWrite, Scope::MessagesRead);
            let answer = ask(&client, &method, &filled(&path)).await;
            let code = match method {
                Method::HEAD => Value::Null,
                _ => {
                    serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["code"].take()
                }
            };
            if needed == scope || reads_too {
                assert_ne!(code, "scope_missing", "{scope}: {method} {path}");
                assert_ne!(answer.status, 401, "{scope}: {method} {path}");
            } else {
                assert_eq!(answer.status, 403, "{scope}: {method} {path}");
                counted += 1;
            }
        }
    }
    assert!(counted > 100, "{counted}");
}

/// A table over all that is described, so that no new path is forgotten: what has an id in it is
/// asked for with the ids of another tenant, and answers as if there were none.
#[tokio::test]
async fn another_tenants_things_are_not_there() {
    let stand = Stand::new().await;
    let (acme, zeta) = (stand.of("acme").await, stand.of("zeta").await);
    let user = acme.post("/users", json!({ "email": "ann@acme.example" })).await.is(201).id();
    let mailbox = acme.mailbox("1000").await;
    let message = stand.message(&mailbox, 0, b"sound").await;
    let wav = afterbeep::audio::wav::to_wav(&[1_000; 8_000], 8_000);
    let kind = [("content-type", "audio/wav")];
    let greeting = format!("/mailboxes/{mailbox}/greetings/busy");
    let kept = acme.ask(Method::PUT, &greeting, &kind, wav.clone()).await.is(200).id();
    let name = format!("/mailboxes/{mailbox}/spoken-name");
    acme.ask(Method::PUT, &name, &kind, wav.clone()).await.is(200);
    let class = acme.post("/music", json!({ "name": "jazz" })).await.is(201).id();
    let tracks = format!("/music/{class}/tracks?file=tone.wav");
    let sent = acme.ask(Method::POST, &tracks, &kind, tone()).await;
    let track = sent.is(201).id();
    stand.make_music().await;
    let more = [("upload-complete", "?0")];
    let uploads = format!("/music/{class}/uploads");
    let upload = acme.ask(Method::POST, &uploads, &more, Body::empty()).await.is(201).id();
    acme.ask(Method::PUT, "/announcements/closed", &kind, tone()).await.is(200);
    let tenant = acme.get("/tenants").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let jobs = acme.get("/jobs").await.is(200).json();
    let job = jobs["items"][0]["id"].as_str().unwrap().to_owned();
    let ids = [
        ("{tenant}", &tenant),
        ("{user}", &user),
        ("{mailbox}", &mailbox),
        ("{message}", &message),
        ("{job}", &job),
        ("{greeting}", &kept),
        ("{class}", &class),
        ("{track}", &track),
        ("{upload}", &upload),
        ("{name}", &"closed".to_owned()),
        ("{kind}", &"busy".to_owned()),
    ];
    let mut asked = 0;
    // Names are each tenant's own: with this, another makes something of their own.
    let made =
        |it: &(Method, String, _)| (&it.0, &*it.1) == (&Method::PUT, "/announcements/{name}");
    let everything = everything();
    for (method, path, _) in everything.iter().filter(|it| it.1.contains('{') && !made(it)) {
        let theirs = ids.iter().fold(path.clone(), |path, (name, id)| path.replace(name, id));
        assert!(!theirs.contains('{'), "nobody says here what {path} is about");
        let answer = ask(&zeta, method, &theirs).await;
        let unknown = ask(&zeta, method, &filled(path)).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.body, unknown.body, "{method} {path}");
        if method == Method::GET {
            ask(&acme, method, &theirs).await.is(200);
        }
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    for list in ["/users", "/mailboxes", "/jobs", "/music", "/announcements"] {
        assert_eq!(zeta.get(list).await.is(200).json()["items"], json!([]), "{list}");
    }
}

#[tokio::test]
async fn a_token_for_every_tenant_says_whose_things_it_means() {
    let stand = Stand::new().await;
    let (platform, acme) = (stand.platform().await, stand.of("acme").await);
    let mailbox = acme.mailbox("1000").await;
    let id = acme.get("/tenants").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    platform.get("/mailboxes").await.refused(400, "tenant_needed");
    for whose in ["acme", &id] {
        let list = platform.get(&format!("/mailboxes?tenant={whose}")).await.is(200).json();
        assert_eq!(list["items"][0]["id"], mailbox);
        let header = [("tenant", whose)];
        let path = format!("/mailboxes/{mailbox}");
        platform.ask(Method::GET, &path, &header, Body::empty()).await.is(200);
        acme.ask(Method::GET, &path, &header, Body::empty()).await.is(200);
    }
    let zetas = format!("/mailboxes/{mailbox}?tenant=zeta");
    platform.get(&zetas).await.refused(404, "not_found");
    acme.get(&zetas).await.refused(404, "not_found");
    acme.get("/mailboxes?tenant=zeta").await.refused(404, "not_found");
    platform.get("/mailboxes?tenant=no%00body").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_tenants_token_leaves_names_and_domains_to_the_platform() {
    let stand = Stand::new().await;
    let acme = stand.of("acme").await;
    let tenants = acme.get("/tenants").await.is(200).json();
    assert_eq!(tenants["items"].as_array().unwrap().len(), 1, "it sees itself alone");
    let path = format!("/tenants/{}", tenants["items"][0]["id"].as_str().unwrap());
    acme.patch(&path, json!({ "settings": { "limit": 7 } })).await.is(200);
    let taken = json!({ "sip_domain": "zeta.example" });
    acme.patch(&path, taken).await.refused(403, "platform_only");
    acme.patch(&path, json!({ "name": "other" })).await.refused(403, "platform_only");
    acme.post("/tenants", json!({ "name": "new" })).await.refused(403, "platform_only");
    acme.delete(&path).await.refused(403, "platform_only");
}

#[tokio::test]
async fn the_database_holds_no_token_and_notes_when_one_was_used() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let secret = client.token.clone().unwrap();
    assert!(secret.starts_with("ab_") && secret.len() == 46, "{}", secret.len());
    let print = tokens::fingerprint(&secret);
    let used = async || {
        let now = stand.clock.now();
        let token = tokens::good(&stand.db, &print, now).await.unwrap().unwrap();
        token.used.map(|it| it.0)
    };
    assert_eq!(used().await, None);
    client.get("/mailboxes").await.is(200);
    assert_eq!(used().await, Some(NOW));
    stand.time.store(NOW + 59_000, Ordering::Relaxed);
    client.get("/mailboxes").await.is(200);
    assert_eq!(used().await, Some(NOW), "once a minute is enough");
    stand.time.store(NOW + 60_000, Ordering::Relaxed);
    client.get("/mailboxes").await.is(200);
    assert_eq!(used().await, Some(NOW + 60_000));
    let mut snapshot = stand.db.snapshot().await.unwrap();
    for table in snapshot.tables() {
        let (lines, mut read) = tokio::sync::mpsc::channel(1_000);
        snapshot.read(&table, lines).await.unwrap();
        while let Some(line) = read.recv().await {
            assert!(!line.contains(&secret), "{}", table.name);
        }
    }
}
