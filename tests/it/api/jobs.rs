//! Work after calls.

use std::{sync::atomic::Ordering, time::Duration};

use afterbeep::{
    mailbox::Timestamp,
    store::jobs::{self, Kind},
};
use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use super::{Client, NOW, Stand, all};

async fn retry(client: &Client, id: &str) -> super::Answer {
    client.ask(Method::POST, &format!("/jobs/{id}/retry"), &[], Body::empty()).await
}

#[tokio::test]
async fn jobs_are_listed_as_they_are_due_each_tenant_its_own() {
    let stand = Stand::new().await;
    let (platform, acme, zeta) =
        (stand.platform().await, stand.of("acme").await, stand.of("zeta").await);
    let mailbox = acme.mailbox("1000").await;
    let first = stand.message(&mailbox, 0, b"sound").await;
    stand.message(&mailbox, 1, b"sound").await;
    let theirs = zeta.mailbox("1000").await;
    stand.message(&theirs, 2, b"sound").await;
    let found = all(&acme, "/jobs", 1, "kind").await;
    assert_eq!(found, ["transcribe", "transcribe", "notify", "notify"], "as they are due");
    assert_eq!(all(&zeta, "/jobs", 3, "kind").await.len(), 2);
    assert_eq!(all(&platform, "/jobs", 2, "kind").await.len(), 6);
    let listed = acme.get("/jobs").await.json();
    let job = listed["items"][0].clone();
    assert_eq!(job["message"], first);
    assert_eq!((&job["state"], &job["attempts"]), (&json!("waiting"), &json!(0)));
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(acme.get(&path).await.is(200).json(), job);
    zeta.get(&path).await.refused(404, "not_found");
    platform.get(&path).await.is(200);
}

#[tokio::test]
async fn what_was_given_up_and_what_waits_is_tried_again() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    stand.message(&mailbox, 0, b"sound").await;
    let of = async |kind: &str| -> Value {
        let all = client.get("/jobs").await.json();
        all["items"].as_array().unwrap().iter().find(|it| it["kind"] == kind).unwrap().clone()
    };
    let now = Timestamp(NOW);
    let lease = Duration::from_secs(60);
    let held = jobs::claim(&stand.db, Kind::Transcribe, now, lease).await.unwrap().unwrap();
    assert_eq!(of("transcribe").await["state"], "at_work");
    retry(&client, &held.id).await.refused(409, "at_work");
    jobs::bury(&stand.db, &held, "no model").await.unwrap();
    let buried = of("transcribe").await;
    assert_eq!((&buried["state"], &buried["error"]), (&json!("given_up"), &json!("no model")));
    stand.time.fetch_add(5, Ordering::Relaxed);
    retry(&client, &held.id).await.is(204);
    let anew = of("transcribe").await;
    assert_eq!((&anew["state"], &anew["attempts"]), (&json!("waiting"), &json!(0)));
    retry(&client, &held.id).await.refused(404, "not_found");

    let mail = of("notify").await;
    assert_eq!(mail["due_at"], "2026-09-21T14:14:20Z");
    retry(&client, mail["id"].as_str().unwrap()).await.is(204);
    assert_eq!(of("notify").await["due_at"], "2026-09-21T14:13:20.005Z");
}
