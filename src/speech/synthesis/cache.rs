//! What was spoken, kept in a folder by engine, voice and text.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::audio::wav;
use crate::speech::RATE;

/// Longest sound that is read back, in seconds.
const LONGEST: u64 = 600;

/// What files of voices end with.
pub(super) const VOICE: &str = "bin";

/// A folder of WAV files, the oldest of which go when it holds too much.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Bytes it may hold.
    most: u64,
}

/// The name of what was spoken by an engine, in a language, by a voice, of a text: no text is ever
/// part of a path.
pub(super) fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|it| format!("{it:02x}")).collect()
}

impl Cache {
    pub(super) fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most }
    }

    /// What cannot be read is not there.
    pub(super) async fn get(&self, key: String) -> Option<Vec<i16>> {
        let path = self.folder.join(key);
        let read = tokio::task::spawn_blocking(move || {
            let sound = wav::from_wav(&fs::read(path).ok()?, LONGEST).ok()?;
            (sound.rate == RATE && !sound.samples.is_empty()).then_some(sound.samples)
        });
        read.await.ok().flatten()
    }

    pub(super) async fn put(&self, key: String, samples: &[i16]) -> io::Result<()> {
        let (cache, file) = (self.clone(), wav::to_wav(samples, RATE));
        tokio::task::spawn_blocking(move || cache.write(&key, &file)).await?
    }

    fn write(&self, key: &str, file: &[u8]) -> io::Result<()> {
        if file.len() as u64 > self.most {
            return Ok(());
        }
        place(&self.folder, key, file)?;
        self.make_room()
    }

    /// Another process may do the same at the same time: what is gone already is gone.
    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Voices lie here too, unpacked; a voice is no recording.
            let Ok(about) = entry.metadata() else { continue };
            if entry.path().extension().is_some_and(|it| it == VOICE) {
                continue;
            }
            files.push((about.modified()?, about.len(), entry.path()));
        }
        files.sort();
        let mut held: u64 = files.iter().map(|it| it.1).sum();
        for (_, length, path) in files {
            if held <= self.most {
                break;
            }
            fs::remove_file(path).or_else(gone)?;
            held -= length;
        }
        Ok(())
    }
}

/// Writes a file of which a reader finds all or nothing.
pub(super) fn place(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    make_private(folder)?;
    let part = folder.join(format!("{name}.{}.part", rand::random::<u32>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&part)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&part, folder.join(name)));
    if written.is_err() {
        fs::remove_file(&part).ok();
    }
    written
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_go_when_the_folder_holds_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("voice"), 5_000);
        for (at, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let samples = vec![at as i16 + 1; 800];
            cache.put(key(&[name]), &samples).await.unwrap();
            assert_eq!(cache.get(key(&[name])).await, Some(samples));
        }
        let left = fs::read_dir(dir.path().join("voice")).unwrap().count();
        assert_eq!(left, 3, "four of 1,644 bytes are more than 5,000");
        assert_eq!(cache.get(key(&["a"])).await, None);
    }

    #[test]
    fn what_is_spoken_differently_has_another_name() {
        assert_ne!(key(&["en", "a b"]), key(&["en a", "b"]));
        assert!(key(&["../../etc/passwd"]).bytes().all(|it| it.is_ascii_hexdigit()));
    }
}
