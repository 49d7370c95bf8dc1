//! Messages and their recordings.

use afterbeep::{
    mailbox::{MessageId, Segment, Timestamp, Transcript},
    store::{deliveries, transcripts},
};
use axum::{body::Body, http::Method};
use serde_json::json;

use super::{NOW, Stand, all};

#[tokio::test]
async fn a_message_tells_who_called_what_was_said_and_what_became_of_its_mail() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let id = stand.message(&mailbox, 0, b"sound").await;
    let message = MessageId(id.parse().unwrap());
    let segment = Segment { start_ms: 0, end_ms: 900, text: "Hello".into(), confidence: 0.5 };
    let transcript =
        Transcript { language: "en".into(), segments: vec![segment], engine: "test".into() };
    transcripts::save(&stand.db, &message, &transcript, Timestamp(NOW)).await.unwrap();
    deliveries::accepted(&stand.db, &message, "ann@acme.example", "250 ok", true).await.unwrap();

    let shown = client.get(&format!("/messages/{id}")).await.is(200).json();
    assert_eq!(shown["mailbox"], mailbox);
    assert_eq!(shown["caller_name"], "Marie");
    assert_eq!(shown["received_at"], "2026-09-21T14:13:20Z");
    assert_eq!(shown["duration_ms"], 12_340);
    assert_eq!(shown["reason"], "busy");
    let written = json!({
        "state": "done", "error": null, "language": "en", "text": "Hello", "engine": "test",
    });
    assert_eq!(shown["transcription"], written);
    assert_eq!(shown["segments"][0]["end_ms"], 900);
    assert_eq!(shown["translation"]["state"], "off");
    assert_eq!(shown["deliveries"][0]["state"], "accepted");
    assert_eq!(shown["deliveries"][0]["with_audio"], true);
    let listed = client.get(&format!("/mailboxes/{mailbox}/messages")).await.is(200).json();
    assert_eq!(listed["items"][0]["transcription"], written);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_the_newest_first() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let mut ids = Vec::new();
    for after in [0, 1, 1, 1, 2, 3, 3] {
        ids.push(stand.message(&mailbox, after, b"sound").await);
    }
    ids.reverse();
    let path = format!("/mailboxes/{mailbox}/messages");
    for limit in [1, 2, 3, 7, 200] {
        assert_eq!(all(&client, &path, limit, "id").await, ids, "{limit}");
    }
    client.patch(&format!("/messages/{}", ids[2]), json!({ "folder": "saved" })).await.is(200);
    let saved = all(&client, &format!("{path}?folder=saved"), 5, "id").await;
    assert_eq!(saved, [ids[2].clone()]);
    assert_eq!(all(&client, &format!("{path}?folder=new"), 2, "id").await.len(), 6);
}

#[tokio::test]
async fn a_message_is_moved_marked_and_fetched_back_from_the_trash() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let path = format!("/messages/{}", stand.message(&mailbox, 0, b"sound").await);
    let patch = json!({ "folder": "saved", "urgent": true, "held": true });
    let changed = client.patch(&path, patch).await.is(200).json();
    assert_eq!(changed["folder"], "saved");
    client.patch(&path, json!({ "urgent": false, "pinned": true })).await.is(200);
    let shown = client.get(&path).await.json();
    let marks = [&shown["urgent"], &shown["pinned"], &shown["held"]];
    assert_eq!(marks, [&json!(false), &json!(true), &json!(true)], "what is not named stays");
    assert_eq!(shown["folder"], "saved");

    client.delete(&path).await.is(204);
    let trashed = client.get(&path).await.is(200).json();
    assert_eq!((&trashed["folder"], &trashed["deleted_by"]), (&json!("deleted"), &json!("api")));
    client.patch(&path, json!({ "folder": "new" })).await.is(200);
    assert_eq!(client.get(&path).await.json()["deleted_by"], json!(null));
    client.patch(&path, json!({ "folder": "old" })).await.refused(422, "invalid");
    client.patch(&path, json!({ "urgent": "yes" })).await.refused(422, "invalid");
}

#[tokio::test]
async fn a_recording_is_heard_in_parts() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let sound: Vec<u8> = (0..10_000u32).map(|it| (it % 251) as u8).collect();
    let path = format!("/messages/{}/recording", stand.message(&mailbox, 0, &sound).await);
    let part = async |range: &str| {
        client.ask(Method::GET, &path, &[("range", range)], Body::empty()).await
    };
    let whole = client.get(&path).await.is(200);
    assert_eq!((whole.header("content-type"), &whole.body), ("audio/wav", &sound));
    assert_eq!(whole.header("cache-control"), "no-store");
    let some = part("bytes=4000-4999").await.is(206);
    assert_eq!(some.header("content-range"), "bytes 4000-4999/10000");
    assert_eq!(some.body, sound[4_000..5_000]);
    let beyond = part("bytes=10000-").await;
    assert_eq!(beyond.header("content-range"), "bytes */10000");
    beyond.refused(416, "range");
    let head = client.ask(Method::HEAD, &path, &[], Body::empty()).await.is(200);
    assert_eq!((head.header("content-length"), head.body.len()), ("10000", 0));
}

#[tokio::test]
async fn a_recording_that_is_lost_is_not_there() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let id = stand.message(&mailbox, 0, b"sound").await;
    let key = afterbeep::blobs::message(&MessageId(id.parse().unwrap()));
    stand.blobs.delete(&key).await.unwrap();
    client.get(&format!("/messages/{id}/recording")).await.refused(404, "not_found");
    client.get(&format!("/messages/{id}")).await.is(200);
}
