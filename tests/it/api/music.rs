//! Hold music and announcements by program.

use afterbeep::{
    admin::{self, music::Source},
    audio::wav,
    music::LONGEST_NAME,
    store::{StoreError, tenants},
};
use axum::{body::Body, http::Method};
use futures::future::join_all;
use serde_json::json;
use sqlx::{Connection, Executor, SqliteConnection};

use super::{Client, Stand, studio};
use crate::pages::{FORM, form};

/// A second of a tone.
pub(super) fn tone() -> Vec<u8> {
    let turn = std::f64::consts::TAU * 440.0 / 16_000.0;
    let samples: Vec<_> =
        (0..16_000).map(|at| ((turn * f64::from(at)).sin() * 8_000.0) as i16).collect();
    wav::to_wav(&samples, 16_000)
}

async fn send(client: &Client, class: &str, query: &str, sound: Vec<u8>) -> super::Answer {
    let kind = [("content-type", "audio/wav")];
    client.ask(Method::POST, &format!("/music/{class}/tracks?{query}"), &kind, sound).await
}

#[tokio::test]
async fn a_track_is_sent_made_heard_changed_ordered_and_taken_away() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let class = client.post("/music", json!({ "name": "jazz", "shuffle": true })).await;
    let class = class.is(201).id();
    let named = "file=Blue%20Train.wav&licence=CC0";
    let first = send(&client, &class, named, tone()).await.is(201).json();
    assert_eq!(first["name"], "Blue Train");
    assert_eq!((&first["state"], &first["duration_ms"]), (&json!("waiting"), &json!(null)));
    let first = first["id"].as_str().unwrap().to_owned();
    let second = send(&client, &class, "name=Two", tone()).await.is(201).id();
    let preview = format!("/music/{class}/tracks/{first}/preview");
    client.get(&preview).await.refused(404, "not_found");

    stand.make_music().await;
    let made = client.get(&format!("/music/{class}/tracks/{first}")).await.is(200).json();
    assert_eq!(made["state"], "ready");
    // What lasts 20 ms more is the silence that the encoders need.
    assert_eq!(made["duration_ms"], 1_020);
    assert!((-30.0..-10.0).contains(&made["loudness"].as_f64().unwrap()), "{made}");
    let sound = wav::from_wav(&client.get(&preview).await.is(200).body, 10).unwrap();
    assert_eq!((sound.rate, sound.samples.len()), (8_000, 8_160));
    let part = client.ask(Method::GET, &preview, &[("range", "bytes=0-43")], Body::empty()).await;
    assert_eq!(part.is(206).body.len(), 44);

    let order = format!("/music/{class}/order");
    let list = client.post(&order, json!({ "tracks": [second] })).await.is(200).json();
    let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&json!(second), &json!(first)]);
    client.post(&order, json!({ "tracks": ["nobody"] })).await.refused(422, "invalid");
    client.post(&order, json!({})).await.refused(422, "invalid");
    let track = format!("/music/{class}/tracks/{second}");
    let changed = client.patch(&track, json!({ "name": "Deux", "description": "slow" })).await;
    assert_eq!(changed.is(200).json()["name"], "Deux");
    client.delete(&track).await.is(204);
    client.get(&track).await.refused(404, "not_found");
    client.delete(&format!("/music/{class}")).await.is(204);
    assert_eq!(stand.blobs.list().await.unwrap(), [""; 0], "sound is left behind");
}

#[tokio::test]
async fn a_file_that_is_no_music_says_what_is_wrong_with_it() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let class = client.post("/music", json!({ "name": "jazz" })).await.is(201).id();
    let page = b"<!doctype html><title>Not found</title>".to_vec();
    let id = send(&client, &class, "file=song.mp3", page).await.is(201).id();
    stand.make_music().await;
    let track = client.get(&format!("/music/{class}/tracks/{id}")).await.is(200).json();
    assert_eq!(track["state"], "failed");
    assert!(!track["problem"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn announcements_are_made_and_used_and_what_is_used_stays() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let class = client.post("/music", json!({ "name": "default" })).await.is(201).id();
    let class = format!("/music/{class}");
    let intro = json!({ "intro": "welcome" });
    client.patch(&class, intro.clone()).await.refused(422, "invalid");
    let kind = [("content-type", "audio/wav")];
    let made = client.ask(Method::PUT, "/announcements/welcome", &kind, tone()).await.is(200);
    assert_eq!(made.json()["duration_ms"], 1_020);
    assert_eq!(client.patch(&class, intro).await.is(200).json()["intro"], "welcome");
    client.delete("/announcements/welcome").await.refused(409, "in_use");
    client.patch(&class, json!({ "intro": null })).await.is(200);
    client.delete("/announcements/welcome").await.is(204);
    client.delete("/announcements/welcome").await.refused(404, "not_found");
    assert_eq!(stand.blobs.list().await.unwrap(), [""; 0], "sound is left behind");
}

#[tokio::test]
async fn a_class_says_who_uses_it() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    client.mailbox("1000").await;
    let mailbox = client.mailbox("1001").await;
    let queues = json!({ "name": "jazz", "queues": ["support"] });
    let jazz = client.post("/music", queues).await.is(201).id();
    let settings = json!({ "settings": { "hold_music": "jazz" } });
    client.patch(&format!("/mailboxes/{mailbox}"), settings).await.is(200);
    let used = client.get(&format!("/music/{jazz}")).await.is(200).json()["used_by"].clone();
    assert_eq!(used, json!(["mailbox 1001", "queue support"]));
    client.post("/music", json!({ "name": "jazz" })).await.refused(409, "taken");
    client.post("/music", json!({ "name": "Jazz!" })).await.refused(422, "invalid");
    client.post("/music", json!({ "name": "waltz", "every": 0 })).await.refused(422, "invalid");
}

#[tokio::test]
async fn of_changes_to_a_class_at_the_same_moment_none_is_lost() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let class = client.post("/music", json!({ "name": "jazz" })).await.is(201).id();
    let path = format!("/music/{class}");
    let changes = json!({ "enabled": false, "shuffle": true, "shared": true, "every": 90 });
    let changes = changes.as_object().unwrap();
    let all = changes.iter().map(|(field, value)| client.patch(&path, json!({ field: value })));
    for answer in join_all(all).await {
        answer.is(200);
    }
    let class = client.get(&path).await.is(200).json();
    for (field, value) in changes {
        assert_eq!(&class[field], value, "{field}");
    }
}

#[tokio::test]
async fn a_class_keeps_its_own_greeting_and_its_users_under_another_name() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let mailbox = client.mailbox("1001").await;
    let settings = json!({ "settings": { "hold_music": "jazz" } });
    client.patch(&format!("/mailboxes/{mailbox}"), settings).await.is(200);
    let class = client.post("/music", json!({ "name": "jazz" })).await.is(201).id();
    let path = format!("/music/{class}");
    let (greeting, kind) = ("/announcements/intro-jazz", [("content-type", "audio/wav")]);
    client.ask(Method::PUT, greeting, &kind, tone()).await.is(200);
    client.patch(&path, json!({ "intro": "intro-jazz" })).await.is(200);

    let renamed = client.patch(&path, json!({ "name": "smooth" })).await.is(200).json();
    assert_eq!((&renamed["name"], &renamed["intro"]), (&json!("smooth"), &json!("intro-smooth")));
    assert_eq!(renamed["used_by"], json!(["mailbox 1001"]));
    // Another class has the old name, and a greeting called after it.
    client.post("/music", json!({ "name": "jazz" })).await.is(201);
    client.ask(Method::PUT, greeting, &kind, tone()).await.is(200);
    assert_eq!(client.get(&path).await.json()["intro"], "intro-smooth");
    client.get("/announcements/intro-smooth").await.is(200);
    client.patch(&path, json!({ "name": "jazz" })).await.refused(409, "taken");
    let too_long = json!({ "name": "a".repeat(LONGEST_NAME + 1) });
    client.patch(&path, too_long.clone()).await.refused(422, "invalid");
    client.post("/music", too_long).await.refused(422, "invalid");

    client.delete(&path).await.is(204);
    client.get("/announcements/intro-smooth").await.refused(404, "not_found");
    client.get(greeting).await.is(200);
    assert_eq!(stand.blobs.list().await.unwrap().len(), 1, "sound is left behind");
}

#[tokio::test]
async fn no_sound_goes_while_nobody_knows_what_became_of_its_announcement() {
    let stand = Stand::new().await;
    let tenant = tenants::named(&stand.db, "acme").await.unwrap().unwrap().id;
    let (file, studio) = (tone(), studio(&stand.dir));
    let announce = async || {
        let house = (&stand.db, &stand.blobs, &stand.clock);
        let source = Source::File(&file, "tone.wav");
        admin::music::announce(house, &studio, &tenant, "closed", source).await
    };
    let database = stand.dir.path().join("afterbeep.db");
    let mut other = SqliteConnection::connect(database.to_str().unwrap()).await.unwrap();
    other.execute("begin immediate").await.unwrap();
    let error = announce().await.unwrap_err();
    let may_pass = error.downcast_ref::<StoreError>().is_some_and(StoreError::is_temporary);
    assert!(may_pass, "{error:#}");
    assert_eq!(stand.blobs.list().await.unwrap().len(), 1, "a row may name it");
    other.execute("rollback").await.unwrap();
    let made = announce().await.unwrap();
    assert!(stand.blobs.list().await.unwrap().contains(&made.blob));
}

async fn send_form(client: &Client, class: &str, parts: &[(&str, &str, &[u8])]) -> super::Answer {
    let kind = [("content-type", FORM)];
    client.ask(Method::POST, &format!("/music/{class}/tracks"), &kind, form(parts)).await
}

#[tokio::test]
async fn a_track_can_be_sent_as_a_form() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let class = client.post("/music", json!({ "name": "jazz" })).await.is(201).id();
    // Larger than what a framework takes by itself.
    let sound = tone().repeat(100);
    let file = ("file", "Blue Train.wav", &*sound);
    let told: [(&str, _, &[u8]); 2] =
        [("description", "", b"slow"), ("licence", "", "© CC0".as_bytes())];
    let track = send_form(&client, &class, &[told[0], file, told[1]]).await.is(201);
    let id = track.id();
    let place = format!("/api/v1/music/{class}/tracks/{id}");
    assert_eq!(track.header("location"), place);
    let track = track.json();
    assert_eq!((&track["name"], &track["description"]), (&json!("Blue Train"), &json!("slow")));
    assert_eq!(track["licence"], "© CC0");
    let original = format!("originals/{id}.file");
    assert_eq!(stand.blobs.get(&original).await.unwrap(), sound);
    let named = [file, ("name", "", b"Other".as_slice())];
    let named = send_form(&client, &class, &named).await.is(201).json();
    assert_eq!(named["name"], "Other");

    let count = stand.blobs.list().await.unwrap().len();
    let pointer = async |parts: &[(&str, &str, &[u8])]| {
        let refused = send_form(&client, &class, parts).await.refused(422, "invalid");
        refused["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(pointer(&[told[0]]).await, "/file");
    assert_eq!(pointer(&[("file", "", b"text")]).await, "/file");
    assert_eq!(pointer(&[file, file]).await, "/file");
    assert_eq!(pointer(&[("name", "name.wav", b"x"), file]).await, "/name");
    assert_eq!(pointer(&[("a/b", "", b"x"), file]).await, "/a~1b");
    send_form(&client, &class, &[("name", "", b"\0"), file]).await.refused(422, "invalid");
    let kind = [("content-type", "multipart/form-data")];
    let edgeless = client.ask(Method::POST, &format!("/music/{class}/tracks"), &kind, "x").await;
    edgeless.refused(400, "malformed");
    let kind = [("content-type", FORM)];
    let half =
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf";
    let half = client.ask(Method::POST, &format!("/music/{class}/tracks"), &kind, half).await;
    half.refused(400, "malformed");
    assert_eq!(
        stand.blobs.list().await.unwrap().len(),
        count,
        "something is left of what was refused"
    );
}

#[tokio::test]
async fn a_class_with_a_live_stream_that_nobody_hears_says_so() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let stream = json!({ "name": "radio", "stream": "http://radio.example/live.mp3" });
    let class = client.post("/music", stream).await.is(201).json();
    let idle = json!({ "state": "idle", "since": null, "stands_in": false, "problem": null });
    assert_eq!(class["live"], idle);
    let path = format!("/music/{}", class["id"].as_str().unwrap());
    let none = client.patch(&path, json!({ "stream": null })).await.is(200).json();
    assert_eq!(none["live"], json!(null));
}
