//! Files that arrive in pieces, until they are whole: each a file in a folder of its own, named by an id
//! of ours.
//!
//! Whoever adds to one holds it ([`Parts::hold`]), and nobody else can meanwhile. How much of it counts
//! is known by whoever knows its id: what lies behind that was left by a crash, and is cut off.

use std::{
    collections::HashMap,
    fs,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    sync::watch,
};
use uuid::Uuid;

use super::{BlobError, disk};

/// How long whoever holds a file may take to let it go.
const PATIENCE: Duration = Duration::from_secs(10);

/// The folder of them. Clones are the same one, and know the same holders.
#[derive(Debug, Clone)]
pub struct Parts {
    folder: Arc<PathBuf>,
    held: Arc<Held>,
}

/// Who is to be told when somebody else wants a file.
type Held = Mutex<HashMap<Uuid, watch::Sender<bool>>>;

/// A file that one adds to, and nobody else. Dropping it lets it go.
#[derive(Debug)]
pub struct Part {
    id: Uuid,
    parts: Parts,
    wanted: watch::Receiver<bool>,
    file: Option<File>,
}

impl Parts {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: Arc::new(folder.to_owned()), held: Arc::default() }
    }

    /// Holds a file, whether there is anything of it yet or not; `None` while somebody else does.
    pub fn hold(&self, id: Uuid) -> Option<Part> {
        let mut held = self.held();
        if held.contains_key(&id) {
            return None;
        }
        let (told, wanted) = watch::channel(false);
        held.insert(id, told);
        Some(Part { id, parts: self.clone(), wanted, file: None })
    }

    /// Asks whoever holds a file to let it go, and waits until they have, or for some seconds.
    pub async fn reclaim(&self, id: Uuid) {
        let Some(holder) = self.held().get(&id).cloned() else { return };
        holder.send_replace(true);
        // Whoever does not let go is still at work, and nothing wrong is known of the file.
        tokio::time::timeout(PATIENCE, holder.closed()).await.ok();
    }

    /// Removes a file; that there is none is fine.
    pub async fn remove(&self, id: Uuid) -> Result<(), BlobError> {
        match tokio::fs::remove_file(self.place(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(id, error)),
            _ => Ok(()),
        }
    }

    /// The ids of all that lie there.
    pub fn list(&self) -> Result<Vec<Uuid>, BlobError> {
        let listed = |error| disk("(uploads)", error);
        let mut ids = Vec::new();
        for entry in fs::read_dir(&*self.folder).map_err(listed)? {
            let name = entry.map_err(listed)?.file_name();
            ids.extend(name.to_str().and_then(|it| Uuid::parse_str(it).ok()));
        }
        Ok(ids)
    }

    fn place(&self, id: Uuid) -> PathBuf {
        self.folder.join(id.to_string())
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Uuid, watch::Sender<bool>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Opens it, to go on behind its first `arrived` bytes. [`BlobError::Missing`] if it has not as many.
    pub async fn open(&mut self, arrived: u64) -> Result<(), BlobError> {
        let id = self.id;
        let opening = async {
            let place = self.parts.place(id);
            let mut file = OpenOptions::new();
            let mut file = file.read(true).write(true).create(true).mode(0o600).open(place).await?;
            if arrived == 0 {
                // Its name has to last as well.
                File::open(&*self.parts.folder).await?.sync_all().await?;
            }
            if file.metadata().await?.len() < arrived {
                return Ok(None);
            }
            file.set_len(arrived).await?;
            file.seek(SeekFrom::Start(arrived)).await?;
            io::Result::Ok(Some(file))
        };
        match opening.await.map_err(|error| failed(id, error))? {
            None => Err(BlobError::Missing(key(id))),
            opened => {
                self.file = opened;
                Ok(())
            }
        }
    }

    /// Adds to it. It need not be on disk before [`Part::sync`].
    pub async fn add(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let mut file = self.opened()?;
        file.write_all(bytes).await.map_err(|error| failed(self.id, error))?;
        self.file = Some(file);
        Ok(())
    }

    /// Waits until all that was added is on disk.
    pub async fn sync(&mut self) -> Result<(), BlobError> {
        let mut file = self.opened()?;
        let syncing = async {
            file.flush().await?;
            file.sync_data().await
        };
        syncing.await.map_err(|error| failed(self.id, error))?;
        self.file = Some(file);
        Ok(())
    }

    /// All of it.
    pub async fn whole(&mut self) -> Result<Bytes, BlobError> {
        let mut file = self.opened()?;
        let mut bytes = Vec::new();
        let reading = async {
            file.rewind().await?;
            file.read_to_end(&mut bytes).await
        };
        reading.await.map_err(|error| failed(self.id, error))?;
        self.file = Some(file);
        Ok(bytes.into())
    }

    /// Removes it.
    pub async fn remove(self) -> Result<(), BlobError> {
        self.parts.remove(self.id).await
    }

    /// The file. A failure may be told later than it happened, so after one nothing more is done with
    /// it: [`BlobError::Missing`].
    fn opened(&mut self) -> Result<File, BlobError> {
        self.file.take().ok_or_else(|| BlobError::Missing(key(self.id)))
    }

    /// Waits until somebody else wants it.
    pub async fn wanted(&mut self) {
        if self.wanted.wait_for(|it| *it).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Whoever waits is told when the receiver goes, which is after this.
        self.parts.held().remove(&self.id);
    }
}

/// What it is called where something is wrong with it.
fn key(id: Uuid) -> String {
    format!("arriving/{id}")
}

fn failed(id: Uuid, error: io::Error) -> BlobError {
    disk(&key(id), error)
}
