//! Where translation models are published: the list of those that Firefox uses, and their files.
//!
//! The list names the newest version of each pair with the SHA-256 of every file, packed and
//! unpacked, and is had over an encrypted connection; both sums are checked.

use std::io::Read;
use std::path::Path;

use reqwest::{Client, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::pair::{self, Files};
use super::{FetchError, Progress, Sources, Stage, download, hex};

/// A file in the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    source_language: String,
    target_language: String,
    file_type: String,
    version: String,
    /// Which programs may have it; empty for all.
    #[serde(default, rename = "filter_expression")]
    filter: String,
    #[serde(default)]
    decompressed_hash: Option<String>,
    #[serde(default)]
    decompressed_size: Option<u64>,
    attachment: Attachment,
}

#[derive(Debug, Clone, Deserialize)]
struct Attachment {
    hash: String,
    size: u64,
    location: String,
}

#[derive(Deserialize)]
struct Records {
    data: Vec<Record>,
}

/// Longest list; there are some hundred pairs of several files.
const LONGEST_LIST: u64 = 16 << 20;
/// Largest file, packed or not.
const LARGEST: u64 = 256 << 20;

/// Brings the files of a pair into a folder.
///
/// # Errors
/// `Unreachable` when the list or a file cannot be had at all.
pub(super) async fn bring(
    pair: &str,
    into: &Path,
    sources: &Sources,
    progress: &mut impl FnMut(Progress),
) -> Result<(), FetchError> {
    let client = download::client(&sources.records)?;
    let list = get(&client, &sources.records, LONGEST_LIST, &mut |_| {}).await?;
    let list: Records = serde_json::from_slice(&list)
        .map_err(|_| FetchError::BadList { url: sources.records.clone() })?;
    let chosen =
        choose(list.data, pair).ok_or_else(|| FetchError::NoSuchPair { pair: pair.to_owned() })?;
    let Files { model, source, target } = Files::of(into);
    let total: u64 = chosen.files().iter().map(|it| it.attachment.size).sum();
    let mut before = 0;
    for (record, path) in
        [(&chosen.model, &model), (&chosen.source, &source), (&chosen.target, &target)]
    {
        // Most pairs have their words in one file.
        if std::ptr::eq(path, &target)
            && chosen.target.attachment.hash == chosen.source.attachment.hash
        {
            let same = std::fs::read(&source)?;
            pair::write(path, &same)?;
            continue;
        }
        let url = format!("{}/{}", sources.attachments, record.attachment.location);
        let mut tell = |done| {
            progress(Progress { stage: Stage::Downloading, done: before + done, total });
        };
        let packed = get(&client, &url, record.attachment.size.min(LARGEST), &mut tell).await?;
        before += packed.len() as u64;
        let bytes = unpacked(record, packed)?;
        pair::write(path, &bytes)?;
    }
    Ok(())
}

/// The files of one version of a pair.
#[derive(Debug)]
struct Chosen {
    model: Record,
    source: Record,
    target: Record,
}

impl Chosen {
    fn files(&self) -> Vec<&Record> {
        let mut files = vec![&self.model, &self.source];
        if self.source.attachment.hash != self.target.attachment.hash {
            files.push(&self.target);
        }
        files
    }
}

/// The newest version of a pair that is for everybody and complete.
fn choose(records: Vec<Record>, pair: &str) -> Option<Chosen> {
    let (from, to) = pair.split_once('-')?;
    let of_pair = |it: &Record| it.source_language == from && it.target_language == to;
    let records: Vec<Record> = records
        .into_iter()
        .filter(|it| of_pair(it) && it.filter.is_empty() && version(&it.version).is_some())
        .collect();
    let mut versions: Vec<&str> = records.iter().map(|it| it.version.as_str()).collect();
    versions.sort_by_key(|it| std::cmp::Reverse(version(it)));
    versions.into_iter().find_map(|wanted| {
        let file = |kinds: &[&str]| {
            let of_kind =
                |it: &&Record| it.version == wanted && kinds.contains(&it.file_type.as_str());
            records.iter().find(of_kind).cloned()
        };
        Some(Chosen {
            model: file(&["model"])?,
            source: file(&["srcvocab", "vocab"])?,
            target: file(&["trgvocab", "vocab"])?,
        })
    })
}

/// `3.1`; versions with letters are trials.
fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Checks what came, and takes it out of its packing.
fn unpacked(record: &Record, packed: Vec<u8>) -> Result<Vec<u8>, FetchError> {
    check(&record.attachment.location, &packed, &record.attachment.hash)?;
    let Some(sum) = &record.decompressed_hash else { return Ok(packed) };
    let most = record.decompressed_size.unwrap_or(LARGEST).min(LARGEST);
    let damaged = |what: &str| FetchError::Conversion(std::io::Error::other(what.to_owned()));
    let reader = ruzstd::decoding::StreamingDecoder::new(packed.as_slice());
    let reader = reader.map_err(|_| damaged("a file is not packed as the list says"))?;
    let mut bytes = Vec::new();
    reader.take(most + 1).read_to_end(&mut bytes).map_err(FetchError::Conversion)?;
    if bytes.len() as u64 > most {
        return Err(damaged("a file is larger than the list says"));
    }
    check(&record.attachment.location, &bytes, sum)?;
    Ok(bytes)
}

fn check(what: &str, bytes: &[u8], wanted: &str) -> Result<(), FetchError> {
    let found = hex(Sha256::new_with_prefix(bytes));
    if found.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(FetchError::WrongSum { what: what.to_owned(), wanted: wanted.to_owned(), found })
}

/// One answer, whole.
async fn get(
    client: &Client,
    url: &str,
    most: u64,
    tell: &mut impl FnMut(u64),
) -> Result<Vec<u8>, FetchError> {
    let unreachable = download::unreachable(url);
    let response = client.get(url).send().await.and_then(Response::error_for_status);
    let mut response = response.map_err(&unreachable)?;
    let mut bytes = Vec::new();
    while let Some(more) = response.chunk().await.map_err(&unreachable)? {
        bytes.extend_from_slice(&more);
        if bytes.len() as u64 > most {
            let status = response.status().as_u16();
            return Err(FetchError::Odd { url: url.to_owned(), status });
        }
        tell(bytes.len() as u64);
    }
    Ok(bytes)
}
