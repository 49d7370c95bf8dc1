//! The description, which is what programs are made from.

use std::path::Path;

use afterbeep::http::api;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use super::{Client, Stand};

pub(super) fn described() -> Value {
    serde_json::from_str(api::document()).unwrap()
}

#[test]
fn the_file_in_the_repository_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/openapi.json");
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == api::document(),
        "the API has changed: `afterbeep openapi > assets/openapi.json` and look at what did"
    );
}

#[tokio::test]
async fn anybody_may_read_it() {
    let stand = Stand::new().await;
    let answer = Client { site: stand.site, token: None }.get("/openapi.json").await.is(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), described());
}

#[test]
fn every_reference_leads_somewhere() {
    let (text, all) = (api::document(), described());
    let mut count = 0;
    for place in text.split("\"#").skip(1).filter_map(|it| it.split('"').next()) {
        assert!(all.pointer(place).is_some_and(Value::is_object), "{place}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[tokio::test]
async fn the_pages_for_the_open_network_have_no_api() {
    let stand = Stand::new().await;
    let site = afterbeep::http::Site {
        metrics: std::sync::Arc::new(String::new),
        ready: std::sync::Arc::new(afterbeep::http::Readiness::default),
        caught: None,
        names: vec![],
        guests: None,
        api: Some(afterbeep::http::Api {
            db: stand.db.clone(),
            blobs: stand.blobs.clone(),
            clock: stand.clock.clone(),
            bell: afterbeep::bell::Bell::default(),
            studio: super::studio(&stand.dir),
            beds: None,
        }),
        beds: None,
        pages: None,
    };
    let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
    let answer = afterbeep::http::public(site).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}
