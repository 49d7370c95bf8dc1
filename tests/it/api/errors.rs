//! What is answered when something is wrong.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use super::{Client, Stand, some_id};

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_done_are_told_alike_to_everybody() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let stranger = Client { token: None, ..client.clone() };
    for path in ["/nothing", "/mailboxes/1/2/3/4", "", "/"] {
        client.get(path).await.refused(404, "not_found");
        stranger.get(path).await.refused(404, "not_found");
    }
    let answer = client.ask(Method::PUT, "/mailboxes", &[], Body::empty()).await;
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
    answer.refused(405, "method_not_allowed");
    for id in ["1", "%00", "%ff", &"a".repeat(36), &some_id().replace('-', "")] {
        client.get(&format!("/mailboxes/{id}")).await.refused(404, "not_found");
        client.get(&format!("/jobs/{id}")).await.refused(404, "not_found");
    }
    assert_eq!(client.get("/mailboxes").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_body_that_is_not_what_is_wanted_is_refused_before_anything_is_done() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let sent = |kind: &'static str, body: String| {
        let client = client.clone();
        async move { client.ask(Method::POST, "/mailboxes", &[("content-type", kind)], body).await }
    };
    let body = json!({ "number": "1000" }).to_string();
    sent("text/plain", body.clone()).await.refused(415, "media_type");
    client.ask(Method::POST, "/mailboxes", &[], body).await.refused(415, "media_type");
    for malformed in ["", "{", "{\"number\": 1000", "\u{0}", &"[".repeat(10_000)] {
        sent("application/json", malformed.into()).await.refused(400, "malformed");
    }
    let long = json!({ "number": "1".repeat(70_000) }).to_string();
    sent("application/json; charset=utf-8", long).await.refused(413, "too_large");
    sent("application/json", "[1]".into()).await.refused(422, "invalid");
    assert_eq!(client.get("/mailboxes").await.json()["items"], json!([]));
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_and_where() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let wrong = json!({
        "number": "no/good",
        "nmae": "Ann",
        "owner": some_id(),
        "settings": {
            "limit": -1, "limt": 5, "time_zone": "Europe/Wien", "notify_to": ["nobody"],
            "hours": 12, "a/b": 1,
        },
    });
    let problem = client.post("/mailboxes", wrong).await.refused(422, "invalid");
    let told = |pointer: &str| {
        let all = problem["errors"].as_array().unwrap();
        let found = all.iter().find(|it| it["pointer"] == pointer);
        found.map_or("", |it| it["detail"].as_str().unwrap())
    };
    assert!(told("/number").contains("use 1 to 64 letters"), "{problem}");
    assert!(told("/nmae").ends_with("did you mean \"name\"?"), "{problem}");
    assert!(told("/owner").contains("no user of this id"), "{problem}");
    assert!(told("/settings/limt").ends_with("did you mean \"limit\"?"), "{problem}");
    assert!(told("/settings/time_zone").contains("Europe/Vienna"), "{problem}");
    assert!(told("/settings/notify_to").contains("not an email address"), "{problem}");
    assert!(!told("/settings/limit").is_empty(), "{problem}");
    assert!(!told("/settings/hours").is_empty(), "{problem}");
    assert!(!told("/settings/a~1b").is_empty(), "{problem}");
    let nothing = client.post("/mailboxes", json!({})).await.refused(422, "invalid");
    assert_eq!(nothing["errors"][0], json!({ "pointer": "/number", "detail": "this is missing" }));
    let many: Value = (0..5_000).map(|it| (format!("x{it}"), json!(1))).collect();
    let many = client.post("/mailboxes", many).await.refused(422, "invalid");
    assert_eq!(many["errors"].as_array().unwrap().len(), 20, "not a long list for a long list");
}

#[tokio::test]
async fn parameters_are_known_and_there_once() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=",
        "limit=1&limit=1",
        "cursor=%21",
        "cursor=",
        "cursor=AA",
        "nothing=1",
        "limt=5",
    ] {
        client.get(&format!("/mailboxes?{query}")).await.refused(400, "bad_parameter");
    }
    let near = client.get("/mailboxes?limt=5").await.json();
    assert!(near["detail"].as_str().unwrap().ends_with("did you mean \"limit\"?"), "{near}");
    let mailbox = client.mailbox("1000").await;
    for query in ["folder=old", "cursor=MTIz"] {
        let path = format!("/mailboxes/{mailbox}/messages?{query}");
        client.get(&path).await.refused(400, "bad_parameter");
    }
    let path = format!("/mailboxes/{mailbox}?with_messages=maybe");
    client.delete(&path).await.refused(400, "bad_parameter");
}
