//! Letters caught in a maildir on this machine, for want of a mail server.
//!
//! `new/` holds the letters as any mail program reads them; `page/` holds beside each a note of
//! what a page shows of it, and its recording, so that nobody has to take letters apart again.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use lettre::{Message, message::Mailbox};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Accepted, Letter, MailError};
use crate::mailbox::{Timestamp, settings::Attach};

/// Letters kept; beyond it the oldest go. The messages they tell of are not touched.
pub const KEPT: usize = 10_000;
/// The folders of a maildir, and ours.
const FOLDERS: [&str; 4] = ["tmp", "new", "cur", "page"];
/// The files of one letter, in the order they are written: the note comes last, and what has a
/// note is complete.
const WAV: (&str, &str) = ("page", "wav");
const MP3: (&str, &str) = ("page", "mp3");
const LETTER: (&str, &str) = ("new", "eml");
const NOTE: (&str, &str) = ("page", "json");

/// A folder that takes letters instead of a server.
pub struct Folder {
    pub(super) from: Mailbox,
    pub(super) dir: PathBuf,
}

/// What is known of a caught letter without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caught {
    /// Names it in the folder: message and recipient, in `0-9a-f-`.
    pub id: String,
    /// The sender's address.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// The subject, decoded.
    pub subject: String,
    /// The letter's date.
    pub date: Timestamp,
    /// The plain text.
    pub text: String,
    /// What the recording is called in the letter; a short one has none.
    pub recording: Option<String>,
}

impl Folder {
    /// Puts a letter into the folder. The same letter to the same recipient is one file, however
    /// often it is put there.
    pub(super) async fn catch(
        &self,
        letter: &Letter,
        to: &str,
        message: &Message,
    ) -> Result<Accepted, MailError> {
        let caught = Caught {
            id: id(letter, to),
            from: self.from.email.to_string(),
            to: to.to_owned(),
            subject: letter.subject.clone(),
            date: letter.date,
            text: letter.text.clone(),
            recording: letter.recording.as_ref().map(|it| it.name.clone()),
        };
        let (dir, bytes) = (self.dir.clone(), message.formatted());
        let sound = letter.recording.as_ref().map(|it| it.sound.clone());
        let reply = format!("caught as {}", path(&dir, LETTER, &caught.id).display());
        self.blocking(move || {
            open(&dir)?;
            if let Some(sound) = sound {
                write(&dir, recording(sound.kind), &caught.id, &sound.bytes)?;
            }
            write(&dir, LETTER, &caught.id, &bytes)?;
            write(&dir, NOTE, &caught.id, &serde_json::to_vec(&caught)?)?;
            forget_oldest(&dir)
        })
        .await?;
        Ok(Accepted { reply })
    }

    /// Makes sure that letters can be put there.
    pub(super) async fn check(&self) -> Result<(), MailError> {
        let dir = self.dir.clone();
        self.blocking(move || {
            open(&dir)?;
            let trial = dir.join("tmp").join("check");
            fs::write(&trial, b"")?;
            fs::remove_file(trial)
        })
        .await
    }

    async fn blocking(
        &self,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), MailError> {
        let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|it| Err(it.into()));
        done.map_err(|cause| MailError::Folder(self.dir.clone(), cause))
    }
}

/// The newest letters of a folder, at most `limit`, the newest first. A folder that does not exist
/// has none.
pub fn list(dir: &Path, limit: usize) -> io::Result<Vec<Caught>> {
    let mut ids = ids(dir)?;
    ids.reverse();
    ids.truncate(limit);
    // What vanished or was damaged meanwhile is left out rather than hiding the rest.
    Ok(ids.iter().filter_map(|id| find(dir, id).ok().flatten()).collect())
}

/// One letter, or `None` if there is none of this id.
pub fn find(dir: &Path, id: &str) -> io::Result<Option<Caught>> {
    if !valid(id) {
        return Ok(None);
    }
    match fs::read(path(dir, NOTE, id)) {
        Ok(note) => Ok(Some(serde_json::from_slice(&note)?)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

impl Caught {
    /// The file with the whole letter.
    pub fn letter_file(&self, dir: &Path) -> PathBuf {
        path(dir, LETTER, &self.id)
    }

    /// The file with the recording, and what kind of file it is, if the letter has one.
    pub fn recording_file(&self, dir: &Path) -> Option<(PathBuf, Attach)> {
        let kind = match self.recording.as_ref()?.ends_with(".mp3") {
            true => Attach::Mp3,
            false => Attach::Wav,
        };
        Some((path(dir, recording(kind), &self.id), kind))
    }
}

/// Message ids begin with the time, so names sort by age.
fn id(letter: &Letter, to: &str) -> String {
    let recipient = Sha256::digest(to.as_bytes());
    let short: String = recipient[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{short}", letter.id)
}

/// Whether this can be an id of ours. Nothing else ever becomes part of a path.
fn valid(id: &str) -> bool {
    id.len() == 53 && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

fn recording(kind: Attach) -> (&'static str, &'static str) {
    match kind {
        Attach::Wav => WAV,
        Attach::Mp3 => MP3,
    }
}

fn path(dir: &Path, (folder, kind): (&str, &str), id: &str) -> PathBuf {
    // Mail programs take every file in `new` for a letter, whatever its name ends in.
    dir.join(folder).join(format!("{id}.{kind}"))
}

/// The ids of all complete letters, the oldest first.
fn ids(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir.join("page")) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
        ids.extend(id.filter(|id| valid(id)).map(str::to_owned));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn open(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true);
    FOLDERS.iter().try_for_each(|folder| builder.create(dir.join(folder)))
}

/// Written aside, synced, then moved to its place: a letter is there whole or not at all.
fn write(dir: &Path, part: (&str, &str), id: &str, bytes: &[u8]) -> io::Result<()> {
    let aside = dir.join("tmp").join(format!("{id}.{}", part.1));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path(dir, part, id))?;
    fs::File::open(dir.join(part.0))?.sync_all()
}

fn forget_oldest(dir: &Path) -> io::Result<()> {
    let ids = ids(dir)?;
    for id in &ids[..ids.len().saturating_sub(KEPT)] {
        for part in [NOTE, LETTER, WAV, MP3] {
            match fs::remove_file(path(dir, part, id)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
    }
    Ok(())
}
