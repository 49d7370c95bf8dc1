//! Greetings and names, given as files and as texts.

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
    let set = put(&client, &busy, "audio/wav", tone(8_000, 1)).await.is(200);
    let told = set.json();
    let id = told["id"].as_str().unwrap();
    let wanted = json!({
        "id": id, "kind": "busy", "label": "", "chosen": true, "duration_ms": 1_000, "until": null,
    });
    assert_eq!(told, wanted);
    put(&client, &busy, "audio/x-wav", tone(48_000, 2)).await.is(200);
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
    let file = tone(8_000, 1);
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
    let good = tone(8_000, 1);
    put(&client, &busy, "audio/wav", good.clone()).await.is(200);
    put(&client, &busy, "text/plain", "{}").await.refused(415, "media_type");
    for bad in [b"RIFF".to_vec(), Vec::new(), wav::to_wav(&[], 8_000), good[..60].to_vec()] {
        put(&client, &busy, "audio/wav", bad).await.refused(422, "invalid");
    }
    let long = tone(4_000, 301);
    let problem = put(&client, &busy, "audio/wav", long).await.refused(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("longer than 300 s"), "{problem}");
    let large = vec![0; (32 << 20) + 1];
    put(&client, &busy, "audio/wav", large).await.refused(413, "too_large");
    let kept = client.get(&busy).await.is(200).json();
    assert_eq!(kept["duration_ms"], 1_000);
}

#[tokio::test]
async fn an_mp3_is_a_greeting_like_any_other_and_a_page_is_none() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let greeting = format!("/mailboxes/{}/greetings/unavailable", client.mailbox("1000").await);
    let mp3 = include_bytes!("../../data/sounds/tone.mp3").to_vec();
    for kind in ["audio/mpeg", "audio/wav; codecs=1", "audio/anything"] {
        put(&client, &greeting, kind, mp3.clone()).await.is(200);
    }
    let page = put(&client, &greeting, "audio/mpeg", "<html>not found</html>").await;
    let problem = page.refused(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("the file is a web page"), "{problem}");
    put(&client, &greeting, "text/html", "<html>").await.refused(415, "media_type");
}

#[tokio::test]
async fn several_greetings_are_kept_by_label_and_one_is_chosen() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let one = format!("/mailboxes/{mailbox}/greetings/unavailable");
    let first = put(&client, &one, "audio/wav", tone(8_000, 1)).await.is(200).id();
    let summer = put(&client, &format!("{one}?label=Summer"), "audio/wav", tone(8_000, 2)).await;
    let summer = summer.is(200).id();
    assert_eq!(client.get(&one).await.is(200).json()["label"], "Summer");
    let kept = |id: &str| format!("/mailboxes/{mailbox}/kept-greetings/{id}");
    client.post(&format!("{}/choose", kept(&first)), json!({})).await.is(204);
    assert_eq!(client.get(&one).await.is(200).json()["duration_ms"], 1_000);
    let list = client.get(&format!("/mailboxes/{mailbox}/greetings")).await.is(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let heard = client.get(&format!("{}/recording", kept(&summer))).await.is(200);
    assert_eq!(wav::from_wav(&heard.body, 10).unwrap().samples.len(), 32_000);

    let other = client.mailbox("2000").await;
    let elsewhere = format!("/mailboxes/{other}/kept-greetings/{summer}");
    client.get(&elsewhere).await.refused(404, "not_found");
    client.delete(&elsewhere).await.refused(404, "not_found");
    client.post(&format!("{elsewhere}/choose"), json!({})).await.refused(404, "not_found");
    client.delete(&kept(&summer)).await.is(204);
    client.get(&kept(&summer)).await.refused(404, "not_found");
    assert_eq!(stand.blobs.list().await.unwrap().len(), 1);
    let long = format!("{one}?label={}", "x".repeat(41));
    put(&client, &long, "audio/wav", tone(8_000, 1)).await.refused(400, "bad_parameter");
}

#[cfg(feature = "pico")]
#[tokio::test]
async fn a_text_becomes_a_greeting_and_what_cannot_be_spoken_is_told() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1000").await;
    let (greeting, name) = (
        format!("/mailboxes/{mailbox}/greetings/busy"),
        format!("/mailboxes/{mailbox}/spoken-name"),
    );
    let say = async |path: &str, script: serde_json::Value| {
        put(&client, path, "application/json", script.to_string()).await
    };
    let set = say(&greeting, json!({ "text": "Bonjour.", "language": "fr" })).await.is(200).json();
    assert!(set["duration_ms"].as_u64().unwrap() > 300, "{set}");
    say(&name, json!({ "text": "Ann", "voice": "en-GB" })).await.is(200);
    for (script, pointer) in [
        (json!({ "text": "..." }), "/text"),
        (json!({ "text": "x ".repeat(2_000) }), "/text"),
        (json!({ "text": "Hej", "language": "sv" }), "/language"),
        (json!({ "text": "Hej", "voice": "nobody" }), "/voice"),
        (json!({ "voice": "en-GB" }), "/text"),
        (json!({ "text": "Hej", "speed": 2 }), "/speed"),
    ] {
        let problem = say(&greeting, script.clone()).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{script}: {problem}");
    }
    let tale = json!({ "text": "my name is a very long one indeed ".repeat(10) });
    let problem = say(&name, tale).await.refused(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("10 s at most"), "{problem}");
}

#[tokio::test]
async fn a_name_is_given_heard_and_taken_away() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let name = format!("/mailboxes/{}/spoken-name", client.mailbox("1000").await);
    client.get(&name).await.refused(404, "not_found");
    let set = put(&client, &name, "audio/wav", tone(8_000, 1)).await.is(200).json();
    assert_eq!(set, json!({ "duration_ms": 1_000 }));
    put(&client, &name, "audio/wav", tone(8_000, 2)).await.is(200);
    assert_eq!(stand.blobs.list().await.unwrap().len(), 1, "the one before is gone");
    let heard = client.get(&format!("{name}/recording")).await.is(200);
    assert_eq!(wav::from_wav(&heard.body, 10).unwrap().samples.len(), 32_000);
    put(&client, &name, "audio/wav", tone(8_000, 11)).await.refused(422, "invalid");
    client.delete(&name).await.is(204);
    client.delete(&name).await.refused(404, "not_found");
}

/// A file of 440 Hz.
fn tone(rate: u32, seconds: u32) -> Vec<u8> {
    let turn = std::f32::consts::TAU * 440.0 / rate as f32;
    let samples: Vec<i16> =
        (0..rate * seconds).map(|at| (4_000.0 * (turn * at as f32).sin()) as i16).collect();
    wav::to_wav(&samples, rate)
}
