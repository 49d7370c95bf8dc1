//! Bringing one file over HTTP, going on where an earlier try stopped.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use reqwest::header::RANGE;
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::{FetchError, Model, Progress, Stage, hex};

/// How often a transfer that was cut is taken up again.
const TRIES: u32 = 5;
/// How long to wait before that where the source is gone altogether.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a connection may take to come about, and then to say something.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is there of a file, and what it sums up to.
pub(super) struct Partial {
    file: File,
    length: u64,
    digest: Sha256,
}

impl Partial {
    /// Opens a part for this process alone, and sums up what an earlier try left in it.
    pub(super) fn open(path: &Path) -> Result<Self, FetchError> {
        let mut options = File::options();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FetchError::UnderWay),
            Err(TryLockError::Error(cause)) => return Err(cause.into()),
        }
        let (mut digest, mut length) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let more = file.read(&mut buffer)?;
            if more == 0 {
                return Ok(Self { file, length, digest });
            }
            digest.update(&buffer[..more]);
            length += more as u64;
        }
    }

    /// Forgets what is there.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.length, self.digest) = (0, Sha256::new());
        Ok(())
    }

    /// Writes to disk for good and tells the checksum.
    pub(super) fn seal(self) -> io::Result<String> {
        self.file.sync_all()?;
        Ok(hex(self.digest))
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.digest.update(&bytes[..length]);
        self.length += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Brings the rest of a model's file from `url`; whether it is the right one is not yet known.
///
/// # Errors
/// `Unreachable` when the source does not answer or has no such file; `Cut` when it stopped in the
/// middle too often: what came is kept.
pub(super) async fn download(
    url: &str,
    model: &Model,
    part: &mut Partial,
    progress: &mut impl FnMut(Progress),
) -> Result<(), FetchError> {
    let client = client(url)?;
    let before = part.length;
    let mut size = model.size;
    for _ in 0..TRIES {
        if part.length >= size {
            break;
        }
        let response = client.get(url).header(RANGE, format!("bytes={}-", part.length));
        let response = match response.send().await {
            Ok(response) => response,
            Err(_) if part.length > before => {
                // A connection that broke is given a moment before the next.
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(cause) => return Err(unreachable(url)(cause)),
        };
        size = accept(response, url, model, part, progress).await?;
    }
    if part.length < size {
        return Err(FetchError::Cut { have: part.length, size });
    }
    Ok(())
}

/// What asks sources.
pub(super) fn client(url: &str) -> Result<Client, FetchError> {
    // A second installation is refused, and then there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).build();
    client.map_err(unreachable(url))
}

/// Takes in what one answer brings, and tells how long the whole file is; an answer that breaks off
/// is no error.
async fn accept(
    response: Response,
    url: &str,
    model: &Model,
    part: &mut Partial,
    progress: &mut impl FnMut(Progress),
) -> Result<u64, FetchError> {
    let mut response = match response.status() {
        StatusCode::PARTIAL_CONTENT => response,
        // It does not go on in the middle, or has nothing there: from the beginning, then.
        StatusCode::OK => {
            part.clear()?;
            response
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            part.clear()?;
            return Ok(model.size);
        }
        _ => {
            return Err(response.error_for_status().map_or_else(unreachable(url), |odd| {
                FetchError::Odd { url: url.to_owned(), status: odd.status().as_u16() }
            }));
        }
    };
    let whole = response.content_length().map(|rest| part.length.saturating_add(rest));
    let remade = model.remake.map(|it| it.size).filter(|it| Some(*it) == whole);
    let size = remade.unwrap_or(model.size);
    while let Ok(Some(bytes)) = response.chunk().await {
        part.write_all(&bytes)?;
        progress(Progress { stage: Stage::Downloading, done: part.length, total: size });
        if part.length > size {
            break;
        }
    }
    Ok(size)
}

pub(super) fn unreachable(url: &str) -> impl Fn(reqwest::Error) -> FetchError {
    let url = url.to_owned();
    move |cause| FetchError::Unreachable { url: url.clone(), cause: cause.without_url() }
}
