//! An S3 server in this process, that can be taken away and brought back.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use afterbeep::blobs::Settings;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// The key's name, and its secret.
pub const KEY: (&str, &str) = ("AFTERBEEPTEST", "the secret of the key");

pub struct S3 {
    dir: TempDir,
    address: SocketAddr,
    running: Option<AbortHandle>,
}

impl S3 {
    /// With one bucket, `voicemail`.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("voicemail")).unwrap();
        std::fs::write(dir.path().join("secret"), format!("{}\n", KEY.1)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { dir, address, running: None };
        server.begin().await;
        server
    }

    /// Comes back where it was, with what it had.
    pub async fn begin(&mut self) {
        let files = s3s_fs::FileSystem::new(self.dir.path()).unwrap();
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY.0, KEY.1));
        let service = service.build();
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                connections.spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    server.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        self.running = Some(serving.abort_handle());
    }

    /// Goes away, in the middle of whatever it is saying.
    pub fn stop(&mut self) {
        self.running.take().unwrap().abort();
    }

    pub fn settings(&self) -> Settings {
        Settings {
            url: Some("s3://voicemail/house".into()),
            endpoint: Some(format!("http://{}", self.address)),
            access_key: Some(KEY.0.into()),
            secret_key_file: Some(self.dir.path().join("secret")),
            ..Settings::default()
        }
    }

    /// The same as lines of a settings file.
    pub fn section(&self, with_url: bool) -> String {
        let settings = self.settings();
        let url = if with_url { "url = \"s3://voicemail/house\"\n" } else { "" };
        format!(
            "[blobs]\n{url}endpoint = {:?}\naccess_key = {:?}\nsecret_key_file = {:?}\n",
            settings.endpoint.unwrap(),
            KEY.0,
            settings.secret_key_file.unwrap()
        )
    }

    /// The keys of everything it has.
    pub fn keys(&self) -> BTreeSet<String> {
        let house = self.folder();
        let mut keys = BTreeSet::new();
        let mut folders = vec![house.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "wav") {
                    let key = path.strip_prefix(&house).unwrap();
                    keys.insert(key.to_str().unwrap().to_owned());
                }
            }
        }
        keys
    }

    pub fn file(&self, key: &str) -> PathBuf {
        self.folder().join(Path::new(key))
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("voicemail/house")
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}
