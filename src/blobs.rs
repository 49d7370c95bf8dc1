//! Blobs: the sound of messages and greetings, one WAV each, in a folder.
//!
//! What [`Blobs::put`] has answered survives a loss of power. Nothing here knows what refers to a
//! blob: it is written before the row that names it, and deleted after.

use std::{
    fs::{DirBuilder, File},
    io,
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as Key};
use uuid::Uuid;

use crate::mailbox::MessageId;

/// Where blobs are. Clones share it.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: Arc<LocalFileSystem>,
}

/// Why a blob could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The folder could not be opened or made.
    #[error("the folder for recordings, {0}, cannot be used")]
    Folder(String, #[source] io::Error),
    /// Only keys made here are taken.
    #[error("{0:?} is not the key of a recording")]
    Key(String),
    /// Nothing is kept under this key.
    #[error("the recording {0} is missing")]
    Missing(String),
    /// The disk refused.
    #[error("the recording {0} cannot be written or read")]
    Disk(String, #[source] object_store::Error),
}

impl BlobError {
    /// Whether the same call may succeed later, when the disk has room or is back.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Disk(..))
    }
}

/// Where the sound of a message is kept. The folder comes from the end of the id: ids of one hour
/// begin alike.
pub fn message(id: &MessageId) -> String {
    let text = id.to_string();
    format!("messages/{}/{text}.wav", &text[text.len() - 2..])
}

/// Where a greeting is kept. Each recording of it has an id of its own.
pub fn greeting(id: &Uuid) -> String {
    format!("greetings/{id}.wav")
}

impl Blobs {
    /// Opens a folder, which is made if it is not there and can be entered by its owner only.
    pub fn open(dir: &Path) -> Result<Self, BlobError> {
        let failed = |error| BlobError::Folder(dir.display().to_string(), error);
        lay_out(dir).map_err(failed)?;
        let folder = LocalFileSystem::new_with_prefix(dir)
            .map_err(|error| failed(io::Error::other(error)))?
            .with_fsync(true);
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Keeps a sound, in place of what was there before. It is on disk when this returns.
    pub async fn put(&self, key: &str, sound: Bytes) -> Result<(), BlobError> {
        let place = checked(key)?;
        self.folder.put(&place, sound.into()).await.map_err(|error| refused(key, error))?;
        Ok(())
    }

    /// The whole of it.
    pub async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        let place = checked(key)?;
        let found = self.folder.get(&place).await.map_err(|error| refused(key, error))?;
        found.bytes().await.map_err(|error| refused(key, error))
    }

    /// These bytes of it; what lies beyond its end is left out.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        let place = checked(key)?;
        self.folder.get_range(&place, range).await.map_err(|error| refused(key, error))
    }

    /// How many bytes it has.
    pub async fn size(&self, key: &str) -> Result<u64, BlobError> {
        let place = checked(key)?;
        let found = self.folder.head(&place).await.map_err(|error| refused(key, error))?;
        Ok(found.size)
    }

    /// Removes it; that it is already gone is fine.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let place = checked(key)?;
        match self.folder.delete(&place).await.map_err(|error| refused(key, error)) {
            Err(BlobError::Missing(_)) => Ok(()),
            other => other,
        }
    }

    /// The keys of everything kept, in no order.
    pub async fn list(&self) -> Result<Vec<String>, BlobError> {
        let listed = self.folder.list(None).map_ok(|it| it.location.to_string());
        listed.try_collect().await.map_err(|error| refused("(list)", error))
    }
}

/// Makes every folder a blob can be in, once and synced, so that two first recordings in one
/// folder need not wait for each other's making it.
fn lay_out(dir: &Path) -> io::Result<()> {
    let messages = dir.join("messages");
    let mut make = DirBuilder::new();
    make.recursive(true).mode(0o700);
    make.create(dir.join("greetings"))?;
    for shard in 0..=u8::MAX {
        make.create(messages.join(format!("{shard:02x}")))?;
    }
    File::open(&messages)?.sync_all()?;
    File::open(dir)?.sync_all()?;
    match dir.canonicalize()?.parent() {
        Some(above) => File::open(above)?.sync_all(),
        None => Ok(()),
    }
}

/// Lets through `messages/xx/NAME.wav` and `greetings/NAME.wav`, where a name is what an id is made
/// of: no dots, no slashes, nothing that leads elsewhere.
fn checked(key: &str) -> Result<Key, BlobError> {
    let hex = |it: &str| it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let name = |it: &str| {
        it.strip_suffix(".wav").is_some_and(|it| (1..=64).contains(&it.len()) && hex(it))
    };
    let fine = match key.split('/').collect::<Vec<_>>()[..] {
        ["messages", shard, file] => shard.len() == 2 && hex(shard) && name(file),
        ["greetings", file] => name(file),
        _ => false,
    };
    match Key::parse(key) {
        Ok(place) if fine => Ok(place),
        _ => Err(BlobError::Key(key.to_owned())),
    }
}

fn refused(key: &str, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing(key.to_owned()),
        error => BlobError::Disk(key.to_owned(), error),
    }
}
