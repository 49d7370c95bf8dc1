//! Mailboxes and their settings.

use std::time::Duration;

use afterbeep::{
    mailbox::{MailboxId, Timestamp, lamp::Fate},
    store::lamps::{self, Settled},
};
use axum::{body::Body, http::Method};
use serde_json::json;

use super::{NOW, Stand, all};

#[tokio::test]
async fn a_mailbox_is_added_changed_listed_and_removed() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let added = client.post("/mailboxes", json!({ "number": "1000" })).await.is(201);
    assert_eq!(added.json()["name"], "1000", "as the verb has it");
    let place = added.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    client.post("/mailboxes", json!({ "number": "1000" })).await.refused(409, "taken");
    for number in ["1003", "1001", "1002"] {
        client.mailbox(number).await;
    }
    let numbers = all(&client, "/mailboxes", 2, "number").await;
    assert_eq!(numbers, ["1000", "1001", "1002", "1003"]);

    let patch = json!({ "name": "Reception", "settings": { "limit": 5, "spoken": "de" } });
    let changed = client.patch(&place, patch).await.is(200).json();
    assert_eq!(changed["settings"], json!({ "limit": 5, "spoken": "de" }));
    client.patch(&place, json!({ "settings": { "limit": null } })).await.is(200);
    let shown = client.get(&place).await.is(200).json();
    assert_eq!(shown["settings"], json!({ "spoken": "de" }), "what is not named stays");
    assert_eq!(shown["name"], "Reception");

    let empty = json!({
        "new": 0, "saved": 0, "work": 0, "family": 0, "friends": 0, "fifth": 0, "sixth": 0,
        "deleted": 0, "limit": 100,
    });
    assert_eq!(client.get(&format!("{place}/usage")).await.is(200).json(), empty);
    client.delete(&place).await.is(204);
    client.get(&place).await.refused(404, "not_found");
}

#[tokio::test]
async fn messages_are_removed_with_their_mailbox_only_when_that_is_said() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let message = stand.message(&mailbox, 0, b"sound").await;
    let path = format!("/mailboxes/{mailbox}");
    client.delete(&path).await.refused(409, "in_use");
    client.get(&format!("/messages/{message}")).await.is(200);
    client.delete(&format!("{path}?with_messages=true")).await.is(204);
    client.get(&format!("/messages/{message}")).await.refused(404, "not_found");
    assert_eq!(stand.blobs.list().await.unwrap(), [""; 0], "no sound is left behind");
}

#[tokio::test]
async fn settings_tell_where_they_come_from() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let tenants = client.get("/tenants").await.json();
    let tenant = format!("/tenants/{}", tenants["items"][0]["id"].as_str().unwrap());
    client.patch(&tenant, json!({ "settings": { "limit": 50, "hours": "12" } })).await.is(200);
    let mailbox = format!("/mailboxes/{}", client.mailbox("1000").await);
    let named = json!({ "settings": { "limit": 20, "notify_to": ["Bob@acme.example"] } });
    client.patch(&mailbox, named).await.is(200);
    let all = client.get(&format!("{mailbox}/effective-settings")).await.is(200).json();
    assert_eq!(all["limit"], json!({ "value": 20, "from": "mailbox" }));
    assert_eq!(all["hours"], json!({ "value": "12", "from": "tenant" }));
    assert_eq!(all["attach"], json!({ "value": "wav", "from": "default" }));
    assert_eq!(all["notify_to"]["value"], json!(["Bob@acme.example"]));
    let follows = json!({ "value": false, "from": "mailbox" });
    assert_eq!(all["use_login_email"], follows, "who is named gets mail, as with the verb");
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let path = format!("/mailboxes/{}", client.mailbox("1000").await);
    let tag = client.get(&path).await.header("etag").to_owned();
    let change = async |tag: &str, name: &str| {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        let body = json!({ "name": name }).to_string();
        client.ask(Method::PATCH, &path, &headers, body).await
    };
    let changed = change(&tag, "Ann").await.is(200);
    assert_ne!(changed.header("etag"), tag);
    change(&tag, "Bob").await.refused(412, "changed");
    assert_eq!(client.get(&path).await.json()["name"], "Ann");
    change(&format!("\"other\", {}", changed.header("etag")), "Bob").await.is(200);
    change("*", "Eve").await.is(200);
    change("W/\"weak\"", "Ann").await.refused(412, "changed");

    let mailbox = path.rsplit('/').next().unwrap();
    let tag = client.get(&path).await.header("etag").to_owned();
    stand.message(mailbox, 0, b"sound").await;
    change(&tag, "Ann").await.is(200);
}

#[tokio::test]
async fn changes_at_the_same_moment_are_all_kept() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let path = format!("/mailboxes/{}", client.mailbox("1000").await);
    let (limit, hours, name) = tokio::join!(
        client.patch(&path, json!({ "settings": { "limit": 7 } })),
        client.patch(&path, json!({ "settings": { "hours": "12" } })),
        client.patch(&path, json!({ "name": "Ann" })),
    );
    for answer in [limit, hours, name] {
        answer.is(200);
    }
    let shown = client.ask(Method::GET, &path, &[], Body::empty()).await.json();
    assert_eq!(shown["settings"], json!({ "limit": 7, "hours": "12" }));
    assert_eq!(shown["name"], "Ann");
}

#[tokio::test]
async fn resync_forgets_what_the_phones_of_the_mailbox_were_told_and_of_no_other() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mut ids = Vec::new();
    for number in ["1000", "1001"] {
        let id = client.mailbox(number).await;
        let mailbox = MailboxId(id.clone());
        lamps::add_target(&stand.db, &id, &mailbox, "sip:a@192.0.2.1", Timestamp(NOW))
            .await
            .unwrap();
        ids.push(id);
    }
    let told = async |at| {
        let now = Timestamp(at);
        let due = lamps::claim(&stand.db, now, 9, Duration::from_secs(60)).await.unwrap();
        let settled = due.iter().map(|it| Settled {
            id: it.id.clone(),
            sequence: it.sequence,
            fate: Fate::Told,
            problem: None,
        });
        lamps::settle(&stand.db, &settled.collect::<Vec<_>>(), now).await.unwrap();
        due.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(told(NOW).await.len(), 2);
    let path = format!("/mailboxes/{}/lamp/resync", ids[1]);
    let answer = client.post(&path, json!(null)).await.is(200).json();
    assert_eq!(answer, json!({ "lamps": 1 }));
    assert_eq!(told(NOW + 1_000).await, [ids[1].clone()]);
    stand.of("zeta").await.post(&path, json!(null)).await.refused(404, "not_found");
}
