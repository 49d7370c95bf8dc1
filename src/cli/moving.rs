//! `afterbeep store copy` and `afterbeep blobs copy`: to where there is more room.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::{progress::Progress, serve};
use crate::blobs::{Blobs, Bucket};
use crate::config::Config;
use crate::store::rows::Table;
use crate::store::{self, Db, tenants};

/// Rows copied in one transaction.
const BATCH: usize = 500;
/// Recordings under way at once; each is held in memory twice.
const AT_ONCE: usize = 4;

/// `afterbeep store`: the database as a whole.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Copy everything in the database to a PostgreSQL database; the server must not run
    ///
    /// If it is interrupted, say it again: it goes on where it was.
    Copy {
        /// Where to, without the password: postgres://USER@HOST/DATABASE
        #[arg(long, value_name = "URL")]
        to: String,
        /// A file with nothing but the password in it
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

/// `afterbeep blobs`: recordings and greetings as a whole.
#[derive(Debug, Subcommand)]
pub(super) enum Sounds {
    /// Copy all recordings and greetings to S3; the server may run
    ///
    /// The S3 server and its key are those of `[blobs]` in the settings. If it is interrupted, say it
    /// again: it goes on where it was.
    Copy {
        /// Where to: s3://BUCKET/PREFIX
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

pub(super) async fn store(
    command: Store,
    config: &Config,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Store::Copy { to, password_file } = command;
    let settings = store::Settings { url: Some(to), password_file };
    settings.check().map_err(|problem| anyhow::anyhow!("--to: {problem}"))?;
    ensure!(settings.url != config.store.url, "the database is there already");
    serve::make_private(&config.data)?;
    let from = Db::connect(&config.store, &config.database()).await?;
    let to = Db::connect(&settings, &config.database()).await?;
    let running = "stop the server first: what it writes meanwhile would be missing";
    let _here = from.occupy().await.context(running)?;
    let _there = to.occupy().await.context(running)?;
    same_house(&from, &to).await?;
    let rows = copy(&from, &to).await?;
    writeln!(
        out,
        "All {rows} rows of {} are in {}: counts and hashes agree.",
        from.place(),
        to.place()
    )?;
    writeln!(out, "Now set [store] url in the settings to the new address, and start the server.")?;
    Ok(())
}

/// Refuses a database in which somebody else's tenants are.
async fn same_house(from: &Db, to: &Db) -> anyhow::Result<()> {
    let ours: HashSet<_> = tenants::list(from).await?.into_iter().map(|it| it.id.0).collect();
    for tenant in tenants::list(to).await? {
        if !ours.contains(&tenant.id.0) {
            bail!(
                "the database {} already has a tenant {:?} that is not from here; name an empty one",
                to.place(),
                tenant.name
            );
        }
    }
    Ok(())
}

/// Copies all tables and compares them; how many rows there are.
async fn copy(from: &Db, to: &Db) -> anyhow::Result<u64> {
    let mut here = from.snapshot().await?;
    let tables = here.tables();
    let mut all = 0;
    for table in &tables {
        all += here.count(table).await?;
    }
    let progress = Progress::new("rows", all)?;
    for table in &tables {
        progress.stage(table.name);
        let sum = here.sum(table).await?;
        if sum == to.snapshot().await?.sum(table).await? {
            progress.add(sum.rows);
        } else {
            here.copy(table, to, BATCH, |rows| progress.add(rows)).await?;
        }
    }
    progress.stage("comparing");
    let mut there = to.snapshot().await?;
    for table in &tables {
        let (wanted, found) = (here.sum(table).await?, there.sum(table).await?);
        ensure!(wanted == found, different(table, wanted.rows, found.rows, &to.place()));
    }
    progress.end();
    Ok(all)
}

fn different(table: &Table, wanted: u64, found: u64, place: &str) -> String {
    let name = table.name;
    format!(
        "table {name} is not the same: {wanted} rows here, {found} in {place}; if somebody changed \
         it there, empty that database and copy again"
    )
}

pub(super) async fn sounds(
    command: Sounds,
    config: &Config,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Sounds::Copy { to } = command;
    ensure!(config.blobs.url.as_ref() != Some(&to), "the recordings go there already");
    let bucket = Bucket::open(&to, &config.blobs)?;
    let (db, blobs) = super::open(config).await?;
    let keys = db.snapshot().await?.blobs().await?;
    let list = Verified::open(&config.data, &to)?;
    let progress = Progress::new("recordings", keys.len() as u64)?;
    progress.add(list.done.len() as u64);
    let left = keys.iter().filter(|it| !list.done.contains(*it));
    let copying = stream::iter(left.map(|key| one(&blobs, &bucket, key)));
    let mut copying = copying.buffer_unordered(AT_ONCE);
    let (mut file, mut missing) = (&list.file, Vec::new());
    while let Some((key, hash)) = copying.try_next().await? {
        match hash {
            Some(hash) => writeln!(file, "{hash}  {key}")?,
            None => missing.push(key),
        }
        progress.add(1);
    }
    drop(copying);
    progress.end();
    let there = keys.len() - missing.len();
    if let Some(first) = missing.first() {
        let count = missing.len();
        bail!("{there} recordings are in {to}; {count} are missing here, {first} among them");
    }
    list.finish()?;
    writeln!(
        out,
        "All {there} recordings are in {to}; each was read back and has the same SHA-256."
    )?;
    writeln!(out, "Now set [blobs] url in the settings, and start the server again.")?;
    Ok(())
}

/// Copies one; its hash, or nothing if it is not here (any more).
async fn one(
    blobs: &Blobs,
    bucket: &Bucket,
    key: &str,
) -> anyhow::Result<(String, Option<String>)> {
    let sound = match blobs.get(key).await {
        Err(crate::blobs::BlobError::Missing(_)) => return Ok((key.to_owned(), None)),
        other => other?,
    };
    bucket.put(key, &sound).await?;
    Ok((key.to_owned(), Some(hex(&Sha256::digest(&sound)))))
}

/// A hash as people write it.
pub(super) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|it| format!("{it:02x}")).collect()
}

/// What an earlier copy to the same place has brought there: a file of hashes and keys.
struct Verified {
    path: PathBuf,
    file: File,
    done: HashSet<String>,
}

impl Verified {
    fn open(data: &Path, to: &str) -> anyhow::Result<Self> {
        let name = &hex(&Sha256::digest(to))[..16];
        let path = data.join(format!("blobs-copy-{name}.txt"));
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let file = file.with_context(|| format!("{} cannot be written", path.display()))?;
        let lines = BufReader::new(&file).lines().map_while(Result::ok);
        // The last line may have been cut off; no key that is cut off is one we look for.
        let done = lines.filter_map(|it| Some(it.split_once("  ")?.1.to_owned())).collect();
        Ok(Self { path, file, done })
    }

    fn finish(self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.path)?)
    }
}
