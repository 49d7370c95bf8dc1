//! What lies under the spool: the machine's disk, or a test's, which fails when told to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::sys;

/// Where segments are written.
#[derive(Debug, Clone, Default)]
pub enum Disk {
    /// The machine's.
    #[default]
    Real,
    /// The machine's, with trouble on demand.
    Troubled(Arc<Trouble>),
}

/// What goes wrong on a [`Disk::Troubled`], from now until it is taken back.
#[derive(Debug, Default)]
pub struct Trouble {
    /// There is no room: half of what is written arrives, then writing fails.
    pub full: AtomicBool,
    /// Syncing fails.
    pub broken: AtomicBool,
    /// Only the next sync fails.
    pub broken_once: AtomicBool,
    /// Syncing does not come to an end.
    pub stuck: AtomicBool,
    /// Whether a sync is stuck right now.
    pub is_stuck: AtomicBool,
}

impl Disk {
    /// Makes a file; that it is there lasts once its folder is synced.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)
    }

    pub(super) fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        if let Disk::Troubled(trouble) = self
            && trouble.full.load(Ordering::Relaxed)
        {
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(bytes)
    }

    /// Returns once what was written is on the disk.
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        if let Disk::Troubled(trouble) = self {
            while trouble.stuck.load(Ordering::Relaxed) {
                trouble.is_stuck.store(true, Ordering::Relaxed);
                // A disk that hangs, for tests only: whoever holds it up says when it goes on.
                std::thread::sleep(Duration::from_millis(5));
            }
            trouble.is_stuck.store(false, Ordering::Relaxed);
        }
        if let Disk::Troubled(trouble) = self
            && (trouble.broken.load(Ordering::Relaxed)
                || trouble.broken_once.swap(false, Ordering::Relaxed))
        {
            return Err(io::Error::other("the disk does not answer (a test says so)"));
        }
        file.sync_data()
    }

    /// Returns once files made and removed in the folder stay so.
    pub(super) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    /// Removes a file; one that is not there is removed already.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        path.parent().map_or(Ok(()), |folder| self.sync_folder(folder))
    }

    /// Bytes that may still be written.
    pub(super) fn free(&self, folder: &Path) -> io::Result<u64> {
        sys::disk::free(folder)
    }

    /// Whether a little can be written again: an empty file proves nothing on a full disk.
    pub(super) fn probe(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join("probe");
        let file = File::create(&path)?;
        let tried = self.write(&file, &[0; 256 * 1024]).and_then(|()| self.sync(&file));
        let removed = self.remove(&path);
        tried.and(removed)
    }
}
