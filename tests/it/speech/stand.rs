//! A service on this machine that says what it is told to say, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri, header};
use futures::stream::{self, StreamExt};
use tokio::net::TcpListener;

/// How it answers everybody.
#[derive(Debug, Clone)]
pub enum Manner {
    /// With a status and a text.
    Says(u16, String),
    /// With bytes.
    Gives(Vec<u8>),
    /// Never.
    Hangs,
    /// With spaces, without end.
    Huge,
    /// With a beginning, and then it is gone.
    Breaks,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

pub struct Stand {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Memory = (Manner, Arc<Mutex<Vec<Asked>>>);

impl Stand {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state((manner, asked.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn answer(
    State((manner, memory)): State<Memory>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    memory.lock().unwrap().push(Asked { path: uri.to_string(), headers, body: body.to_vec() });
    let response = Response::builder().header(header::LOCATION, "http://127.0.0.1:1/");
    match manner {
        Manner::Says(status, text) => response.status(status).body(text.into()).unwrap(),
        Manner::Gives(bytes) => response.body(bytes.into()).unwrap(),
        Manner::Hangs => std::future::pending().await,
        Manner::Huge => {
            let spaces = stream::repeat(Bytes::from(vec![b' '; 1 << 16]));
            response.body(Body::from_stream(spaces.map(Ok::<_, std::io::Error>))).unwrap()
        }
        Manner::Breaks => {
            let parts = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))];
            response.body(Body::from_stream(stream::iter(parts))).unwrap()
        }
    }
}
