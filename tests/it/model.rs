//! `afterbeep model fetch`, as an operator types it, from a source on this machine.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::house::{PATIENCE, models};

/// Bytes of the model that are there when the first try is killed.
const HALF: usize = 31_000_000;

#[tokio::test]
async fn a_fetch_killed_half_way_goes_on_from_there() {
    let model = std::fs::read(models().join("ggml-tiny.en.bin")).unwrap();
    let mirror = Mirror::start(model.clone()).await;
    let dir = folder(&mirror);
    kill_half_way(&dir).await;

    mirror.limit.send_replace(usize::MAX);
    let fetched = finished(dir.path()).await;
    let said = String::from_utf8(fetched.stderr).unwrap();
    assert!(fetched.status.success(), "{said}");
    let out = String::from_utf8(fetched.stdout).unwrap();
    assert_eq!(out, "The model tiny.en is there: models/ggml-tiny.en.bin\n");
    assert!(std::fs::read(dir.path().join("models/ggml-tiny.en.bin")).unwrap() == model);
    assert_eq!(mirror.asked(), ["bytes=0-".to_owned(), format!("bytes={HALF}-")]);

    // A log sees how far it is, and that it did not begin anew.
    let lines: Vec<_> = said.lines().collect();
    let percents = [30, 40, 50, 60, 70, 80, 90, 100];
    let expected = percents.map(|it| format!("tiny.en: downloading, {it} % of 77 MB"));
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_model_with_a_wrong_checksum_is_refused() {
    let size = std::fs::metadata(models().join("ggml-tiny.en.bin")).unwrap().len();
    let mirror = Mirror::start(vec![7; usize::try_from(size).unwrap()]).await;
    let dir = folder(&mirror);
    kill_half_way(&dir).await;

    mirror.limit.send_replace(usize::MAX);
    let refused = finished(dir.path()).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("afterbeep: ggml-tiny.en.bin.part was refused: its SHA-256 is "),
        "{said}"
    );
    assert!(last.ends_with(" was expected"), "{said}");
    assert_eq!(refused.stdout, b"");
    assert_eq!(std::fs::read_dir(dir.path().join("models")).unwrap().count(), 0);
}

/// A source that knows ranges.
struct Mirror {
    base: String,
    /// How much of the file it gives before it falls silent.
    limit: watch::Sender<usize>,
    ranges: watch::Receiver<Vec<String>>,
}

impl Mirror {
    async fn start(file: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/whisper/", listener.local_addr().unwrap());
        let (limit, limits) = watch::channel(HALF);
        let (seen, ranges) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let limit = *limits.borrow();
                // Whoever asks may be killed meanwhile.
                answer(stream, &file, limit, &seen).await.ok();
            }
        });
        Self { base, limit, ranges }
    }

    fn asked(&self) -> Vec<String> {
        self.ranges.borrow().clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    file: &[u8],
    limit: usize,
    seen: &watch::Sender<Vec<String>>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8(request).unwrap();
    assert!(request.starts_with("GET /whisper/ggml-tiny.en.bin HTTP/1.1\r\n"), "{request}");
    let range = request.lines().find_map(|it| it.strip_prefix("range: ")).unwrap();
    seen.send_modify(|it| it.push(range.to_owned()));
    let start: usize = range["bytes=".len()..].trim_end_matches('-').parse().unwrap();
    let rest = &file[start..];
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        rest.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&rest[..rest.len().min(limit)]).await?;
    // Silent until the other side is gone.
    stream.read(&mut [0]).await.map(drop)
}

/// A folder with settings that name the mirror.
fn folder(mirror: &Mirror) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("[speech]\nmodels = \"models\"\nsource = \"{}\"\n", mirror.base);
    std::fs::write(dir.path().join("afterbeep.toml"), settings).unwrap();
    dir
}

fn fetch(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterbeep"));
    command.current_dir(dir).args(["--config", "afterbeep.toml", "model", "fetch", "tiny.en"]);
    command
}

async fn finished(dir: &Path) -> Output {
    let mut command = fetch(dir);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Fetches until half of the file is there, and kills the fetch.
async fn kill_half_way(dir: &TempDir) {
    let mut first = fetch(dir.path()).stderr(Stdio::null()).spawn().unwrap();
    let part = dir.path().join("models/ggml-tiny.en.bin.part");
    let gives_up = Instant::now() + PATIENCE;
    while std::fs::metadata(&part).map_or(0, |it| it.len()) < HALF as u64 {
        assert!(Instant::now() < gives_up, "half of the model never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.kill().unwrap();
    first.wait().unwrap();
}
