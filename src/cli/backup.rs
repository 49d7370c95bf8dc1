//! `afterbeep backup` and `afterbeep restore`: everything in the database and every recording, in a
//! folder of plain files, the same whatever database and storage they came from.
//!
//! ```text
//! manifest.json        what is there, with counts and hashes; written last, so it is the backup
//! tables-TIME/         one file a table, one row a line (JSON), and the list of recordings
//! blobs/               recordings and greetings, under their keys
//! ```
//!
//! A second backup to the same folder copies only recordings that are new, and replaces the first
//! in the moment its manifest does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{moving::hex, progress::Progress, serve};
use crate::blobs::{BlobError, Blobs};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::rows::{self, Snapshot, Sum, Sums, Table};
use crate::store::{Db, messages};

/// How these folders are laid out.
const FORMAT: u32 = 1;
/// The manifest's name.
const MANIFEST: &str = "manifest.json";
/// The name of the list of recordings.
const LIST: &str = "blobs.jsonl";
/// Recordings under way at once; each is held in memory.
const AT_ONCE: usize = 4;
/// Lines under way from the database to the disk.
const LINES: usize = 256;

#[derive(Debug, Args)]
pub(super) struct Place {
    /// The folder; a backup that is in it already is brought up to date
    dir: PathBuf,
}

/// What a backup has in it.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Which version of the tables it is.
    schema: i64,
    /// Which Afterbeep made it.
    afterbeep: String,
    /// When, in milliseconds since 1970.
    taken: i64,
    /// The folder of the tables.
    part: String,
    tables: BTreeMap<String, Count>,
    recordings: Count,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    rows: u64,
    sha256: String,
}

/// A recording in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recording {
    key: String,
    bytes: u64,
    sha256: String,
}

impl From<Sum> for Count {
    fn from(Sum { rows, sha256 }: Sum) -> Self {
        Self { rows, sha256 }
    }
}

/// Writes everything there is to a folder, while the server runs or not.
pub(super) async fn backup(
    place: Place,
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let dir = place.dir;
    let before = begin(&dir)?;
    let taken = clock.now().0;
    let part = format!("tables-{taken}");
    make(&dir.join(&part))?;
    let mut snapshot = db.snapshot().await?;
    let mut tables = BTreeMap::new();
    for table in snapshot.tables() {
        let to = dir.join(&part).join(format!("{}.jsonl", table.name));
        tables.insert(table.name.to_owned(), write(&mut snapshot, &table, &to).await?.into());
    }
    let keys = snapshot.blobs().await?;
    drop(snapshot);

    let (list, missing) = copy(&dir, db, blobs, &keys, before.as_ref()).await?;
    let recordings = write_list(&dir.join(&part).join(LIST), &list)?.into();
    let (rows, sounds) = (tables.values().map(|it: &Count| it.rows).sum::<u64>(), list.len());
    let afterbeep = env!("CARGO_PKG_VERSION").to_owned();
    let schema = rows::schema();
    File::open(dir.join(&part))?.sync_all()?;
    let manifest = Manifest { format: FORMAT, schema, afterbeep, taken, part, tables, recordings };
    finish(&dir, &manifest)?;
    tidy(&dir, &manifest, &keys)?;
    writeln!(out, "{} holds {rows} rows and {sounds} recordings.", dir.display())?;
    if let Some(first) = missing.first() {
        let count = missing.len();
        bail!(
            "{count} recording(s) are missing though there are messages or greetings with them, \
             {first} among them; the backup has everything else"
        );
    }
    Ok(())
}

/// Makes the folder, or finds the backup that is in it.
fn begin(dir: &Path) -> anyhow::Result<Option<Manifest>> {
    make(dir)?;
    if let Some(manifest) = read(dir)? {
        return Ok(Some(manifest));
    }
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        // What a backup that was interrupted has left is ours.
        let ours = name == "blobs" || name.starts_with("tables-") || name.starts_with(MANIFEST);
        ensure!(ours, "{} holds something else; name an empty or a new folder", dir.display());
    }
    Ok(None)
}

fn make(dir: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("the folder {} cannot be made", dir.display()))
}

fn read(dir: &Path) -> anyhow::Result<Option<Manifest>> {
    let path = dir.join(MANIFEST);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    let manifest: Manifest = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not the manifest of a backup", path.display()))?;
    ensure!(manifest.format == FORMAT, "{} is of another Afterbeep", path.display());
    let strange = !manifest.part.starts_with("tables-") || manifest.part.contains('/');
    ensure!(!strange, "{} names a folder that is none of a backup's", path.display());
    Ok(Some(manifest))
}

/// Writes a table to a file, which is on disk when this returns.
async fn write(snapshot: &mut Snapshot, table: &Table, to: &Path) -> anyhow::Result<Sum> {
    let mut file = BufWriter::new(File::create(to)?);
    let (lines, mut arriving) = mpsc::channel::<String>(LINES);
    let writing = async {
        let mut sums = Sums::default();
        while let Some(line) = arriving.recv().await {
            sums.add(&line);
            writeln!(file, "{line}")?;
        }
        // Whoever reads must not wait for ever for a place.
        drop(arriving);
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        io::Result::Ok(sums.finish())
    };
    let (read, written) = tokio::join!(snapshot.read(table, lines), writing);
    let sum = written.with_context(|| format!("{} cannot be written", to.display()))?;
    read?;
    Ok(sum)
}

/// Copies the recordings that are not there yet; what is there then, and what could not be found
/// though it should be.
async fn copy(
    dir: &Path,
    db: &Db,
    blobs: &Blobs,
    keys: &BTreeSet<String>,
    before: Option<&Manifest>,
) -> anyhow::Result<(Vec<Recording>, Vec<String>)> {
    let mut known = BTreeMap::new();
    if let Some(manifest) = before {
        for it in read_list(&dir.join(&manifest.part).join(LIST), &manifest.recordings)? {
            known.insert(it.key.clone(), it);
        }
    }
    let progress = Progress::new("recordings", keys.len() as u64)?;
    let copying = stream::iter(keys.iter().map(|key| {
        let (to, known) = (dir.join("blobs").join(key), known.get(key).cloned());
        async move { (key, one(blobs, key, to, known).await) }
    }));
    let mut copying = copying.buffered(AT_ONCE);
    let (mut list, mut missing) = (Vec::with_capacity(keys.len()), Vec::new());
    while let Some((key, copied)) = copying.next().await {
        match copied? {
            Some(recording) => list.push(recording),
            None if messages::has_blob(db, key).await? => missing.push(key.clone()),
            // It was deleted since we looked.
            None => {}
        }
        progress.add(1);
    }
    progress.end();
    Ok((list, missing))
}

/// Copies one recording, unless it is there already as the last backup left it.
async fn one(
    blobs: &Blobs,
    key: &str,
    to: PathBuf,
    known: Option<Recording>,
) -> anyhow::Result<Option<Recording>> {
    if let Some(known) = known {
        let there = to.clone();
        let hash = tokio::task::spawn_blocking(move || fs::read(there).map(Sha256::digest)).await?;
        if hash.is_ok_and(|it| hex(&it) == known.sha256) {
            return Ok(Some(known));
        }
    }
    let sound = match blobs.get(key).await {
        Err(BlobError::Missing(_)) => return Ok(None),
        other => other?,
    };
    let (bytes, sha256) = (sound.len() as u64, hex(&Sha256::digest(&sound)));
    let written = tokio::task::spawn_blocking(move || keep(&to, &sound)).await?;
    written.with_context(|| format!("the recording {key} cannot be written"))?;
    Ok(Some(Recording { key: key.to_owned(), bytes, sha256 }))
}

/// Writes a file whole or not at all.
fn keep(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let half = to.with_extension("new");
    let mut file = File::create(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(half, to)?;
    File::open(folder)?.sync_all()
}

fn write_list(to: &Path, list: &[Recording]) -> anyhow::Result<Sum> {
    let (mut sums, mut text) = (Sums::default(), String::new());
    for it in list {
        let line = serde_json::to_string(it)?;
        sums.add(&line);
        text += &line;
        text.push('\n');
    }
    keep(to, text.as_bytes()).with_context(|| format!("{} cannot be written", to.display()))?;
    Ok(sums.finish())
}

fn read_list(from: &Path, count: &Count) -> anyhow::Result<Vec<Recording>> {
    check(from, count)?;
    let lines = BufReader::new(File::open(from)?).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// Compares a file of lines with what the manifest says of it.
fn check(file: &Path, count: &Count) -> anyhow::Result<()> {
    let name = file.display();
    let lines = BufReader::new(File::open(file).with_context(|| format!("{name} is missing"))?);
    let mut sums = Sums::default();
    for line in lines.lines() {
        sums.add(&line.with_context(|| format!("{name} cannot be read"))?);
    }
    ensure!(Count::from(sums.finish()) == *count, "{name} is damaged: its hash is another one");
    Ok(())
}

/// From here on it is the backup.
fn finish(dir: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let path = dir.join(MANIFEST);
    let written = keep(&path, &serde_json::to_vec_pretty(manifest)?);
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Removes what belonged to the backup before.
fn tidy(dir: &Path, manifest: &Manifest, keys: &BTreeSet<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("tables-") && *text != manifest.part {
            fs::remove_dir_all(dir.join(&name))?;
        }
    }
    let blobs = dir.join("blobs");
    let mut folders = vec![blobs.clone()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            let key = path.strip_prefix(&blobs)?.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !keys.contains(&key) {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}

/// Puts a backup into a house that has nothing in it.
pub(super) async fn restore(
    place: Place,
    config: &Config,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let dir = place.dir;
    let manifest = read(&dir)?;
    let manifest = manifest.with_context(|| format!("there is no backup in {}", dir.display()))?;
    ensure!(
        manifest.schema == rows::schema(),
        "the backup was made by Afterbeep {} and its tables differ from those of this version; \
         restore it with that version and then start this one on it",
        manifest.afterbeep
    );
    serve::make_private(&config.data)?;
    let db = Db::connect(&config.store, &config.database()).await?;
    let _tenure = db.occupy().await.context("stop the server first")?;
    let mut snapshot = db.snapshot().await?;
    let tables = snapshot.tables();
    for table in &tables {
        let count = snapshot.count(table).await?;
        ensure!(
            count == 0,
            "the database {} is in use: its table {} has {count} row(s); a backup is restored into \
             an empty database only",
            db.place(),
            table.name
        );
    }
    drop(snapshot);
    let part = dir.join(&manifest.part);
    for (name, count) in &manifest.tables {
        check(&part.join(format!("{name}.jsonl")), count)?;
    }
    let list = read_list(&part.join(LIST), &manifest.recordings)?;
    let blobs = Blobs::connect(&config.blobs, &config.blobs())?;
    give_back(&dir, &blobs, &list).await?;
    let rows = fill(&part, &db, &tables, &manifest).await?;
    let sounds = list.len();
    writeln!(out, "{rows} rows and {sounds} recordings are restored; counts and hashes agree.")?;
    Ok(())
}

/// Puts the recordings back; each is compared with its hash.
async fn give_back(dir: &Path, blobs: &Blobs, list: &[Recording]) -> anyhow::Result<()> {
    let progress = Progress::new("recordings", list.len() as u64)?;
    let putting = stream::iter(list.iter().map(async |it| {
        let from = dir.join("blobs").join(&it.key);
        let sound = tokio::fs::read(&from).await;
        let sound = sound.with_context(|| format!("{} cannot be read", from.display()))?;
        let whole = hex(&Sha256::digest(&sound)) == it.sha256;
        ensure!(whole, "{} is damaged: its hash is another one", from.display());
        blobs.put(&it.key, Bytes::from(sound)).await?;
        anyhow::Ok(())
    }));
    let mut putting = putting.buffer_unordered(AT_ONCE);
    while putting.try_next().await?.is_some() {
        progress.add(1);
    }
    progress.end();
    Ok(())
}

/// Puts all rows in, in one transaction that is committed only if they are the manifest's.
async fn fill(part: &Path, db: &Db, tables: &[Table], manifest: &Manifest) -> anyhow::Result<u64> {
    let all = manifest.tables.values().map(|it| it.rows).sum();
    let progress = Progress::new("rows", all)?;
    let mut filling = db.fill().await?;
    for table in tables {
        progress.stage(table.name);
        let file = File::open(part.join(format!("{}.jsonl", table.name)))
            .with_context(|| format!("the backup has no table {}", table.name))?;
        for line in BufReader::new(file).lines() {
            filling.insert(table, &line?).await?;
            progress.add(1);
        }
    }
    progress.stage("comparing");
    let (filling, sums) = filling.sums().await?;
    for (table, sum) in sums {
        let wanted = manifest.tables.get(table.name);
        ensure!(
            wanted.is_some_and(|it| *it == Count::from(sum)),
            "table {} did not come out as it is in the backup; nothing was changed",
            table.name
        );
    }
    filling.commit().await?;
    progress.end();
    Ok(all)
}
