//! Greetings, given as files.

use afterbeep::audio::wav;
use axum::{body::Body, http::Method};
use serde_json::json;

use super::{Answer, Client, Stand};

async fn put(client: &Client, path: &str, kind: &str, file: impl Into<Body>) -> Answer {
    client.ask(Method::PUT, path, &[("content-type", kind)], file).await
}

#[tokio::test]
async fn a_greeting_is_given_heard_replaced_and_taken_away() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let all = format!("/mailboxes/{mailbox}/greetings");
    let busy = format!("{all}/busy");
    client.get(&busy).await.refused(404, "not_found");
    client.get(&format!("{all}/name")).await.refused(404, "not_found");
    let set = put(&client, &busy, "audio/wav", wav::to_wav(&[500; 8_000], 8_000)).await.is(200);
    assert_eq!(set.json(), json!({ "kind": "busy", "duration_ms": 1_000, "until": null }));
    put(&client, &busy, "audio/x-wav", wav::to_wav(&[500; 96_000], 48_000)).await.is(200);
    let list = client.get(&all).await.is(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["duration_ms"], 2_000);
    assert_eq!(stand.blobs.list().await.unwrap().len(), 1, "the one before is gone");

    let heard = client.get(&format!("{busy}/recording")).await.is(200);
    let sound = wav::from_wav(&heard.body, 10).unwrap();
    assert_eq!((sound.rate, sound.samples.len()), (16_000, 32_000));
    let part = [("range", "bytes=0-3")];
    let some = client.ask(Method::GET, &format!("{busy}/recording"), &part, Body::empty()).await;
    assert_eq!(some.is(206).body, b"RIFF");
    client.delete(&busy).await.is(204);
    client.delete(&busy).await.refused(404, "not_found");
    assert!(stand.blobs.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_temporary_greeting_ends_when_it_is_told_to() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let zone = json!({ "settings": { "time_zone": "Europe/Vienna" } });
    client.patch(&format!("/mailboxes/{mailbox}"), zone).await.is(200);
    let of =
        |kind: &str, until: &str| format!("/mailboxes/{mailbox}/greetings/{kind}?until={until}");
    let file = wav::to_wav(&[500; 8_000], 8_000);
    for (until, end) in [
        ("2026-12-24", "2026-12-24T23:00:00Z"),
        ("2026-12-24T13:00", "2026-12-24T12:00:00Z"),
        ("2026-12-24T13:00:00Z", "2026-12-24T13:00:00Z"),
    ] {
        let set = put(&client, &of("temporary", until), "audio/wav", file.clone()).await.is(200);
        assert_eq!(set.json()["until"], end, "{until}");
    }
    for (kind, until) in [("busy", "2026-12-24"), ("temporary", "2020-01-01"), ("temporary", "x")] {
        let set = put(&client, &of(kind, until), "audio/wav", file.clone()).await;
        set.refused(400, "bad_parameter");
    }
}

#[tokio::test]
async fn what_is_no_greeting_changes_nothing() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let busy = format!("/mailboxes/{}/greetings/busy", client.mailbox("1000").await);
    let good = wav::to_wav(&[500; 8_000], 8_000);
    put(&client, &busy, "audio/wav", good.clone()).await.is(200);
    put(&client, &busy, "application/json", "{}").await.refused(415, "media_type");
    for bad in [b"RIFF".to_vec(), Vec::new(), wav::to_wav(&[], 8_000), good[..60].to_vec()] {
        put(&client, &busy, "audio/wav", bad).await.refused(422, "invalid");
    }
    let long = wav::to_wav(&vec![0; 4_000 * 301], 4_000);
    let problem = put(&client, &busy, "audio/wav", long).await.refused(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("longer than 300 s"), "{problem}");
    let large = vec![0; (32 << 20) + 1];
    put(&client, &busy, "audio/wav", large).await.refused(413, "too_large");
    let kept = client.get(&busy).await.is(200).json();
    assert_eq!(kept["duration_ms"], 1_000);
}
