//! Backups: made while the server runs, brought up to date, and put back somewhere else.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::call::{assert_heard, words};
use crate::house::{Bare, House, PATIENCE};
use crate::postgres;
use crate::s3::S3;

use super::{DEAF, leave, of_length, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_house_becomes_the_same_house_on_other_storage() {
    let mut house = House::start(DEAF);
    leave(&house, 2).await;
    let first = house.messages(1).await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("backup");
    let dir = dir.to_str().unwrap();
    let said = house.run(&["backup", dir]);
    assert!(said.contains("1 recordings"), "{said}");
    let copied = fs::metadata(Path::new(dir).join("blobs").join(&first.blob)).unwrap();

    // Brought up to date: what is new comes, what is there is not copied again.
    leave(&house, 3).await;
    house.messages(2).await;
    let said = house.run(&["backup", dir]);
    assert!(said.contains("2 recordings"), "{said}");
    let again = fs::metadata(Path::new(dir).join("blobs").join(&first.blob)).unwrap();
    assert_eq!(again.ino(), copied.ino());
    let tables = fs::read_dir(dir).unwrap();
    let tables =
        tables.filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().contains("tables"));
    assert_eq!(tables.count(), 1, "the backup before is still there");

    let why = house.refused(&["restore", dir]);
    assert!(why.contains("stop the server first"), "{why}");
    house.terminate();
    assert!(house.ended(PATIENCE));
    let why = house.refused(&["restore", dir]);
    assert!(why.contains("into an empty database only"), "{why}");

    let (s3, url) = (S3::start().await, postgres::database().await);
    let settings = format!("[store]\nurl = {url:?}\n{}{DEAF}", s3.section(true));
    let other = House::start_after(&settings, &["restore", dir]);
    leave(&other, 4).await;
    let messages = other.messages(3).await;
    assert!(messages.contains(&first), "it is not as it was: {messages:?}");
    until("all is in S3", async || s3.keys().len() == 3).await;
    for seconds in 2..=4 {
        let message = of_length(&messages, seconds);
        assert_heard(&other.sound(message.id), &words(seconds as usize));
    }
    // And from there back to a file and a folder.
    let back = folder.path().join("back");
    let back = back.to_str().unwrap();
    other.run(&["backup", back]);
    let last = House::start_after(DEAF, &["restore", back]);
    assert_eq!(last.messages(3).await, messages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_is_refused_and_changes_nothing() {
    let house = House::start(DEAF);
    leave(&house, 2).await;
    let message = house.messages(1).await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("backup");
    house.run(&["backup", dir.to_str().unwrap()]);
    let restore = ["restore", dir.to_str().unwrap()];
    let manifest = fs::read_to_string(dir.join("manifest.json")).unwrap();
    let part = manifest.split("\"part\": \"").nth(1).unwrap().split('"').next().unwrap();
    let other = Bare::new(DEAF);
    let files = [
        dir.join(part).join("message.jsonl"),
        dir.join(part).join("blobs.jsonl"),
        dir.join("blobs").join(&message.blob),
    ];
    for file in files {
        let whole = fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        fs::write(&file, &damaged).unwrap();
        let why = other.refused(&restore);
        assert!(why.contains("is damaged"), "{}: {why}", file.display());
        fs::remove_file(&file).unwrap();
        let why = other.refused(&restore);
        assert!(why.contains("is missing") || why.contains("cannot be read"), "{why}");
        fs::write(&file, &whole).unwrap();
    }
    let elsewhere = folder.path().join("nothing");
    let why = other.refused(&["restore", elsewhere.to_str().unwrap()]);
    assert!(why.contains("there is no backup"), "{why}");
    let why = house.refused(&["backup", folder.path().to_str().unwrap()]);
    assert!(why.contains("holds something else"), "{why}");
    let said = other.run(&restore);
    assert!(said.contains("1 recordings are restored; counts and hashes agree"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_is_missing_is_named_and_the_rest_is_backed_up() {
    let house = House::start(DEAF);
    leave(&house, 2).await;
    leave(&house, 3).await;
    let messages = house.messages(2).await;
    fs::remove_file(house.data().join("blobs").join(&messages[0].blob)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let why = house.refused(&["backup", dir.path().to_str().unwrap()]);
    assert!(why.contains(&messages[0].blob), "{why}");
    let restored = Bare::new(DEAF);
    let said = restored.run(&["restore", dir.path().to_str().unwrap()]);
    assert!(said.contains("1 recordings are restored"), "{said}");
}
