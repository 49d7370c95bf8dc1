//! Recordings and prompts.

use std::{collections::BTreeMap, path::PathBuf};

use bytes::Bytes;

use super::{
    finding::Finding,
    scene::{Database, Scene},
};
use crate::{
    blobs::{self, BlobError, Blobs, Bucket},
    prompts::{self, Prompts},
};

/// What is kept on trial: enough for a range to be a part of it.
const TRIAL: &[u8] = b"0123456789";

/// Keeps something where recordings are kept, reads it back whole and in part, and deletes it.
pub(super) async fn recordings(scene: &Scene) -> Vec<Finding> {
    let settings = &scene.config.blobs;
    let folder = scene.config.blobs();
    let mut found = Vec::new();
    if folder.is_dir() {
        let remedy = "See whose the folder is, and the disk it is on.";
        found.push(match in_folder(scene).await {
            Ok(()) => Finding::ok(format!("{} keeps them and gives them back.", folder.display())),
            Err(error) => Finding::error(error, remedy),
        });
    }
    if let Some(url) = &settings.url {
        let remedy = "See [blobs] in the settings, and whether the bucket is there.";
        found.push(match in_bucket(scene, url).await {
            Ok(()) => Finding::ok(format!("{url} keeps them and gives them back.")),
            Err(error) => Finding::error(error, remedy),
        });
    }
    if found.is_empty() {
        found.push(Finding::ok("There are none yet; the first start makes their folder."));
    }
    found
}

async fn in_folder(scene: &Scene) -> Result<(), BlobError> {
    // With the bucket behind it: a server that runs may move what lies there at any moment.
    let blobs = Blobs::connect(&scene.config.blobs, &scene.config.blobs())?;
    let key = blobs::message(&scene.clock.message_id());
    blobs.put(&key, Bytes::from_static(TRIAL)).await?;
    let read = compare(&key, blobs.get(&key).await, blobs.get_range(&key, 3..6).await);
    blobs.delete(&key).await?;
    read
}

async fn in_bucket(scene: &Scene, url: &str) -> Result<(), BlobError> {
    let bucket = Bucket::open(url, &scene.config.blobs)?;
    let key = blobs::message(&scene.clock.message_id());
    bucket.put(&key, &Bytes::from_static(TRIAL)).await?;
    let read = compare(&key, bucket.get(&key).await, bucket.get_range(&key, 3..6).await);
    bucket.delete(&key).await?;
    read
}

fn compare(
    key: &str,
    whole: Result<Bytes, BlobError>,
    part: Result<Bytes, BlobError>,
) -> Result<(), BlobError> {
    match whole? == TRIAL && part? == TRIAL[3..6] {
        true => Ok(()),
        false => Err(BlobError::Damaged(key.to_owned())),
    }
}

/// Whether everything callers may hear is there, in each mailbox's language.
pub(super) async fn prompts(scene: &Scene) -> Vec<Finding> {
    let folder = scene.config.prompts.clone();
    let looking = tokio::task::spawn_blocking(move || look(folder));
    let (mut found, spoken) = match looking.await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => {
            return vec![Finding::error(error, "Put it right; without it no server starts.")];
        }
        Err(error) => return vec![Finding::error(error, "Try it again.")],
    };
    found.extend(unspoken(scene, &spoken));
    if found.is_empty() {
        found.push(Finding::ok(format!("Complete in {}.", spoken.join(", "))));
    }
    found
}

/// What is wrong with a voice of one's own, and the languages that are spoken, in order.
fn look(folder: Option<PathBuf>) -> Result<(Vec<Finding>, Vec<String>), prompts::PromptError> {
    let mut spoken: Vec<_> =
        Prompts::load(folder.as_deref())?.languages().map(str::to_owned).collect();
    spoken.sort();
    let Some(folder) = folder else { return Ok((Vec::new(), spoken)) };
    let problems = prompts::check(&folder)?.findings;
    let first = problems.first().map(|it| {
        Finding::warn(
            format!("{} problem(s), the first: {} {}.", problems.len(), it.clip, it.problem),
            format!("See them all: afterbeep prompts check {}", folder.display()),
        )
    });
    Ok((first.into_iter().collect(), spoken))
}

/// Languages that mailboxes are set to and nobody speaks.
fn unspoken(scene: &Scene, spoken: &[String]) -> Vec<Finding> {
    let Database::Open { mailboxes, .. } = &scene.database else { return Vec::new() };
    let mut missing = BTreeMap::new();
    for it in mailboxes {
        let tag = it.settings.prompts.as_str();
        let broader = tag.split('-').next().unwrap_or_default();
        if !spoken.iter().any(|it| it == tag || it == broader) {
            missing.entry(tag).or_insert(&it.number);
        }
    }
    let finding = |(language, number)| {
        Finding::warn(
            format!("Callers of {number} hear English: nobody speaks {language}."),
            format!(
                "Add the language to a folder of your own ([prompts]), or afterbeep mailbox set {number} --prompts en"
            ),
        )
    };
    missing.into_iter().map(finding).collect()
}
