//! Blobs: the sound of messages and greetings, one WAV each, and hold music, in a folder, and from
//! there in S3.
//!
//! What [`Blobs::put`] has answered survives a loss of power. Nothing here knows what refers to a
//! blob: it is written before the row that names it, and deleted after.
//!
//! Nobody waits for S3 to keep a sound: it is written to the folder, and the folder is the list of
//! what is still to be moved. Whoever moves it asks [`Blobs::waiting`], calls [`Blobs::upload`], and
//! later [`Blobs::forget`]. In the folder are then:
//!
//! ```text
//! messages/ab/ID.wav  greetings/ID.wav
//! music/ID.music      originals/ID.file   known to be here only
//! kept/...                                copies of what is in S3
//! doomed/ID.wav                           names of what must still be deleted in S3
//! ```
//!
//! In `arriving/` lies what is no blob yet: files of which a part has come ([`Parts`]).

mod bucket;
mod parts;
mod settings;

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::{self, Write},
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as Key};
use uuid::Uuid;

pub use self::{
    bucket::Bucket,
    parts::{Part, Parts},
    settings::Settings,
};
use crate::mailbox::{MessageId, Timestamp};

/// Where blobs are. Clones share it.
#[derive(Debug, Clone)]
pub struct Blobs {
    root: Arc<PathBuf>,
    folder: Arc<LocalFileSystem>,
    bucket: Option<Bucket>,
    parts: Parts,
}

/// Why a blob could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The folder could not be opened or made.
    #[error("the folder for recordings, {0}, cannot be used")]
    Folder(String, #[source] io::Error),
    /// The settings make no sense.
    #[error("[blobs] {0}")]
    Settings(String),
    /// The file with the secret could not be read.
    #[error("[blobs] secret_key_file: {0} cannot be read")]
    Secret(String, #[source] io::Error),
    /// Only keys made here are taken.
    #[error("{0:?} is not the key of a recording")]
    Key(String),
    /// Nothing is kept under this key.
    #[error("the recording {0} is missing")]
    Missing(String),
    /// The disk refused.
    #[error("the recording {0} cannot be written or read")]
    Disk(String, #[source] object_store::Error),
    /// The S3 server refused, or was not reached.
    #[error("the S3 server cannot take, give or delete the recording {0}")]
    Remote(String, #[source] object_store::Error),
    /// The S3 server gave back something else than it was given.
    #[error("the S3 server does not give the recording {0} back as it was given it")]
    Damaged(String),
}

impl BlobError {
    /// Whether the same call may succeed later, when disk or server have room or are back.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Disk(..) | Self::Remote(..) | Self::Damaged(_))
    }
}

/// Where the sound of a message is kept. The folder comes from the end of the id: ids of one hour
/// begin alike.
pub fn message(id: &MessageId) -> String {
    let text = id.to_string();
    format!("messages/{}/{text}.wav", &text[text.len() - 2..])
}

/// Where a greeting or a spoken name is kept. Each recording of it has an id of its own.
pub fn greeting(id: &Uuid) -> String {
    format!("greetings/{id}.wav")
}

/// Where a track of hold music is kept, encoded.
pub fn music(id: &Uuid) -> String {
    format!("music/{id}.music")
}

/// Where the file is kept that a track was made from, as it was sent.
pub fn original(id: &Uuid) -> String {
    format!("originals/{id}.file")
}

/// The id a key was made of: a message's, that of one recording of a greeting or name, or a track's.
pub fn id(key: &str) -> Option<Uuid> {
    let (name, _) = key.rsplit('/').next()?.split_once('.')?;
    Uuid::parse_str(name).ok()
}

/// When the id was made that a key was made of (RFC 9562 §5.7).
pub fn born(key: &str) -> Option<Timestamp> {
    let (seconds, nanos) = id(key)?.get_timestamp()?.to_unix();
    let ms = seconds.checked_mul(1_000)?.checked_add(u64::from(nanos / 1_000_000))?;
    i64::try_from(ms).ok().map(Timestamp)
}

impl Blobs {
    /// Opens a folder, which is made if it is not there and can be entered by its owner only.
    pub fn open(dir: &Path) -> Result<Self, BlobError> {
        let failed = |error| BlobError::Folder(dir.display().to_string(), error);
        lay_out(dir).map_err(failed)?;
        let arriving = dir.join("arriving");
        DirBuilder::new().recursive(true).mode(0o700).create(&arriving).map_err(failed)?;
        let folder = LocalFileSystem::new_with_prefix(dir)
            .map_err(|error| failed(io::Error::other(error)))?
            .with_fsync(true);
        let (root, folder) = (Arc::new(dir.to_owned()), Arc::new(folder));
        Ok(Self { root, folder, bucket: None, parts: Parts::new(&arriving) })
    }

    /// The same with the S3 server of the settings behind it, if they name one. It is not asked
    /// for anything yet.
    pub fn connect(settings: &Settings, dir: &Path) -> Result<Self, BlobError> {
        let here = Self::open(dir)?;
        match &settings.url {
            None => Ok(here),
            Some(url) => here.backed_by(Bucket::open(url, settings)?),
        }
    }

    /// The same folder with a bucket behind it.
    pub fn backed_by(self, bucket: Bucket) -> Result<Self, BlobError> {
        let failed = |error| BlobError::Folder(self.root.display().to_string(), error);
        lay_out(&self.root.join(KEPT)).map_err(failed)?;
        DirBuilder::new().recursive(true).mode(0o700).create(self.doomed_at()).map_err(failed)?;
        Ok(Self { bucket: Some(bucket), ..self })
    }

    /// Files of which a part has come.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Whether recordings move on to an S3 server.
    pub fn is_remote(&self) -> bool {
        self.bucket.is_some()
    }

    /// Keeps a sound, in place of what was there before. It is on disk when this returns.
    pub async fn put(&self, key: &str, sound: Bytes) -> Result<(), BlobError> {
        let place = checked(key)?;
        if self.bucket.is_some() {
            self.spare(key)?;
        }
        self.folder.put(&place, sound.into()).await.map_err(|error| refused(key, error))?;
        Ok(())
    }

    /// The whole of it.
    pub async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        for place in [checked(key)?, kept(key)] {
            match self.folder.get(&place).await.map_err(|error| refused(key, error)) {
                Err(BlobError::Missing(_)) => {}
                found => {
                    let bytes = found?.bytes().await;
                    return bytes.map_err(|error| refused(key, error));
                }
            }
        }
        let sound = self.behind(key)?.get(key).await?;
        if is_played(key) {
            // The next caller must hear it whether S3 answers or not. If it cannot be kept, it
            // is fetched again.
            self.folder.put(&kept(key), sound.clone().into()).await.ok();
        }
        Ok(sound)
    }

    /// These bytes of it; what lies beyond its end is left out.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        for place in [checked(key)?, kept(key)] {
            let found = self.folder.get_range(&place, range.clone()).await;
            match found.map_err(|error| refused(key, error)) {
                Err(BlobError::Missing(_)) => {}
                other => return other,
            }
        }
        self.behind(key)?.get_range(key, range).await
    }

    /// How many bytes it has.
    pub async fn size(&self, key: &str) -> Result<u64, BlobError> {
        for place in [checked(key)?, kept(key)] {
            match self.folder.head(&place).await.map_err(|error| refused(key, error)) {
                Err(BlobError::Missing(_)) => {}
                found => return Ok(found?.size),
            }
        }
        self.behind(key)?.size(key).await
    }

    /// Removes it; that it is already gone is fine. While the S3 server is away, what it has is
    /// noted and deleted later.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let place = checked(key)?;
        if self.bucket.is_some() {
            self.doom(key).await?;
        }
        for place in [place, kept(key)] {
            match self.folder.delete(&place).await.map_err(|error| refused(key, error)) {
                Err(BlobError::Missing(_)) => {}
                other => other?,
            }
        }
        if self.bucket.is_some()
            && let Err(error) = self.retract(key).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "deleted from S3 later");
        }
        Ok(())
    }

    /// The keys of everything kept, in order.
    pub async fn list(&self) -> Result<Vec<String>, BlobError> {
        let mut all: BTreeSet<_> = self.listed("").await?.into_iter().collect();
        if let Some(bucket) = &self.bucket {
            all.extend(self.listed(KEPT).await?);
            all.extend(bucket.list(None).await?);
        }
        Ok(all.into_iter().collect())
    }

    /// The keys of the recordings in one of the 256 folders they are spread over, in order.
    pub async fn shard(&self, shard: u8) -> Result<Vec<String>, BlobError> {
        self.within(&format!("messages/{shard:02x}")).await
    }

    /// The keys of all hold music and announcements, and of the files they were made from, in order.
    pub async fn music(&self) -> Result<Vec<String>, BlobError> {
        let [music, originals] = [self.within("music").await?, self.within("originals").await?];
        Ok([music, originals].concat())
    }

    /// The keys that begin like a folder, here and in S3.
    async fn within(&self, folder: &str) -> Result<Vec<String>, BlobError> {
        let mut all: BTreeSet<_> = self.listed_in("", folder).await?.into_iter().collect();
        if let Some(bucket) = &self.bucket {
            all.extend(self.listed_in(KEPT, folder).await?);
            all.extend(bucket.list(Some(&Key::from(folder))).await?);
        }
        Ok(all.into_iter().collect())
    }

    /// The keys of what is not in S3 yet.
    pub async fn waiting(&self) -> Result<Vec<String>, BlobError> {
        self.listed("").await
    }

    /// Brings one to S3, and knows it is there. The copy here stays until it is forgotten.
    pub async fn upload(&self, key: &str) -> Result<(), BlobError> {
        let (place, bucket) = (checked(key)?, self.behind(key)?);
        let found = self.folder.get(&place).await.map_err(|error| refused(key, error))?;
        let sound = found.bytes().await.map_err(|error| refused(key, error))?;
        bucket.put(key, &sound).await?;
        let (from, to) = (self.root.join(key), self.root.join(KEPT).join(key));
        match fs::rename(from, to) {
            // It was deleted while it went; so it goes there, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.delete(key).await,
            Err(error) => Err(disk(key, error)),
            Ok(()) => Ok(()),
        }
    }

    /// The keys of recordings that are in S3 and of which there is still a copy here. Greetings and
    /// music are not among them: their copies stay, so that callers hear them when S3 is away.
    pub async fn kept(&self) -> Result<Vec<String>, BlobError> {
        let kept = self.listed(KEPT).await?;
        Ok(kept.into_iter().filter(|it| !is_played(it)).collect())
    }

    /// Removes the copy of what is in S3.
    pub async fn forget(&self, key: &str) -> Result<(), BlobError> {
        checked(key)?;
        let gone = self.folder.delete(&kept(key)).await;
        gone.map_err(|error| refused(key, error))
    }

    /// The keys of what must still be deleted in S3.
    pub fn doomed(&self) -> Result<Vec<String>, BlobError> {
        let failed = |error| disk("(deleted)", error);
        let mut keys = Vec::new();
        for entry in fs::read_dir(self.doomed_at()).map_err(failed)? {
            let key = fs::read_to_string(entry.map_err(failed)?.path()).map_err(failed)?;
            // One that a crash left half written was not answered for.
            if checked(&key).is_ok() {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Deletes in S3 what was deleted here.
    pub async fn retract(&self, key: &str) -> Result<(), BlobError> {
        self.behind(key)?.delete(key).await?;
        self.spare(key)
    }

    /// What the folder has, below one of its parts.
    async fn listed(&self, part: &str) -> Result<Vec<String>, BlobError> {
        let mut keys = self.listed_in(part, "messages").await?;
        for folder in FLAT {
            keys.extend(self.listed_in(part, folder).await?);
        }
        Ok(keys)
    }

    /// The keys it has that begin like this folder, below one of its parts.
    async fn listed_in(&self, part: &str, folder: &str) -> Result<Vec<String>, BlobError> {
        let steps = part.split('/').chain(folder.split('/'));
        let place = Key::from_iter(steps.filter(|it| !it.is_empty()));
        let found = self.folder.list(Some(&place)).map_ok(|it| it.location.to_string());
        let found: Vec<_> = found.try_collect().await.map_err(|error| refused("(list)", error))?;
        let key = |it: String| match part {
            "" => Some(it),
            part => Some(it.strip_prefix(part)?.strip_prefix('/')?.to_owned()),
        };
        Ok(found.into_iter().filter_map(key).filter(|it| checked(it).is_ok()).collect())
    }

    fn behind(&self, key: &str) -> Result<&Bucket, BlobError> {
        self.bucket.as_ref().ok_or_else(|| BlobError::Missing(key.to_owned()))
    }

    fn doomed_at(&self) -> PathBuf {
        self.root.join("doomed")
    }

    /// Notes that S3 must not keep it, so that a crash does not forget.
    async fn doom(&self, key: &str) -> Result<(), BlobError> {
        let (note, folder, text) = (self.note(key), self.doomed_at(), key.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            let mut file = File::create(note)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            File::open(folder)?.sync_all()
        });
        let written = written.await.unwrap_or_else(|error| Err(error.into()));
        written.map_err(|error| disk(key, error))
    }

    /// Takes that note away.
    fn spare(&self, key: &str) -> Result<(), BlobError> {
        match fs::remove_file(self.note(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(key, error)),
            _ => Ok(()),
        }
    }

    fn note(&self, key: &str) -> PathBuf {
        self.doomed_at().join(key.rsplit('/').next().unwrap_or_default())
    }
}

/// The folders that are not spread over others.
const FLAT: [&str; 3] = ["greetings", "music", "originals"];

/// Whether callers hear it, so that a copy of it stays here.
fn is_played(key: &str) -> bool {
    key.starts_with("greetings/") || key.starts_with("music/")
}

/// The part of the folder with copies of what is in S3.
const KEPT: &str = "kept";

/// Where such a copy is; the key is one that was checked.
fn kept(key: &str) -> Key {
    Key::from(format!("{KEPT}/{key}"))
}

/// Makes every folder a blob can be in, once and synced, so that two first recordings in one
/// folder need not wait for each other's making it.
fn lay_out(dir: &Path) -> io::Result<()> {
    let (new, messages) = (!dir.exists(), dir.join("messages"));
    let mut make = DirBuilder::new();
    make.recursive(true).mode(0o700);
    for folder in FLAT {
        make.create(dir.join(folder))?;
    }
    for shard in 0..=u8::MAX {
        make.create(messages.join(format!("{shard:02x}")))?;
    }
    File::open(&messages)?.sync_all()?;
    File::open(dir)?.sync_all()?;
    match dir.canonicalize()?.parent() {
        Some(above) if new => File::open(above)?.sync_all(),
        _ => Ok(()),
    }
}

/// Lets through the four kinds of keys that are made here, where a name is what an id is made of: no
/// dots, no slashes, nothing that leads elsewhere.
fn checked(key: &str) -> Result<Key, BlobError> {
    let hex = |it: &str| it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let name = |it: &str, ending: &str| {
        it.strip_suffix(ending).is_some_and(|it| (1..=64).contains(&it.len()) && hex(it))
    };
    let fine = match key.split('/').collect::<Vec<_>>()[..] {
        ["messages", shard, file] => shard.len() == 2 && hex(shard) && name(file, ".wav"),
        ["greetings", file] => name(file, ".wav"),
        ["music", file] => name(file, ".music"),
        ["originals", file] => name(file, ".file"),
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

fn disk(key: &str, error: io::Error) -> BlobError {
    let error = object_store::Error::Generic { store: "folder", source: Box::new(error) };
    BlobError::Disk(key.to_owned(), error)
}
