//! The folder of recordings.

use std::{fs, os::unix::fs::PermissionsExt};

use afterbeep::{
    blobs::{self, BlobError, Blobs},
    clock::Clock,
};
use bytes::Bytes;

#[tokio::test]
async fn what_is_put_can_be_had_whole_in_part_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("blobs");
    let key = blobs::message(&Clock::Real.message_id());
    let kept = Blobs::open(&folder).unwrap();
    kept.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
    drop(kept);

    let kept = Blobs::open(&folder).unwrap();
    assert_eq!(kept.get(&key).await.unwrap(), "0123456789");
    assert_eq!(kept.get_range(&key, 2..5).await.unwrap(), "234");
    assert_eq!(kept.get_range(&key, 8..50).await.unwrap(), "89");
    assert_eq!(kept.size(&key).await.unwrap(), 10);
    assert_eq!(kept.list().await.unwrap(), std::slice::from_ref(&key));
    assert_eq!(fs::read(folder.join(&key)).unwrap(), b"0123456789");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn putting_and_deleting_again_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kept = Blobs::open(dir.path()).unwrap();
    let id = Clock::Real.message_id().0;
    for key in [blobs::greeting(&id), blobs::music(&id), blobs::original(&id)] {
        assert_eq!(blobs::id(&key), Some(id));
        for _ in 0..2 {
            kept.put(&key, Bytes::from_static(b"hello")).await.unwrap();
        }
        assert_eq!(kept.get(&key).await.unwrap(), "hello");
        assert_eq!(kept.list().await.unwrap(), std::slice::from_ref(&key));
        for _ in 0..2 {
            kept.delete(&key).await.unwrap();
        }
        assert!(matches!(kept.get(&key).await, Err(BlobError::Missing(it)) if it == key));
        assert!(matches!(kept.size(&key).await, Err(BlobError::Missing(_))));
        assert!(kept.list().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_key_that_leads_elsewhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("secret.wav");
    fs::write(&outside, b"secret").unwrap();
    let kept = Blobs::open(&dir.path().join("blobs")).unwrap();
    let strange = [
        "",
        "/",
        "secret.wav",
        "../secret.wav",
        "messages/../../secret.wav",
        "messages/ab/../../../secret.wav",
        "messages/ab/.wav",
        "messages/ab/1.wav/",
        "messages//1.wav",
        "messages/ab/%2e%2e.wav",
        "messages/ab/1.wav#1",
        "messages/ab/1\0.wav",
        "messages/../1.wav",
        "greetings/../1.wav",
        "greetings/1.mp3",
        "music/1.wav",
        "music/../1.music",
        "originals/1.music",
        "originals/1.file/2",
        "/etc/passwd",
        outside.to_str().unwrap(),
    ];
    for key in strange {
        let put = kept.put(key, Bytes::from_static(b"x")).await;
        assert!(matches!(put, Err(BlobError::Key(_))), "put {key:?}: {put:?}");
        let got = kept.get(key).await;
        assert!(matches!(got, Err(BlobError::Key(_))), "get {key:?}: {got:?}");
        let gone = kept.delete(key).await;
        assert!(matches!(gone, Err(BlobError::Key(_))), "delete {key:?}: {gone:?}");
    }
    assert_eq!(fs::read(&outside).unwrap(), b"secret");
    assert!(kept.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_half_written_file_of_a_crash_is_not_a_recording() {
    let dir = tempfile::tempdir().unwrap();
    let kept = Blobs::open(dir.path()).unwrap();
    let key = blobs::message(&Clock::Real.message_id());
    fs::write(dir.path().join(format!("{key}#1")), b"012").unwrap();
    assert!(kept.list().await.unwrap().is_empty());
    kept.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(kept.get(&key).await.unwrap(), "0123456789");
    assert_eq!(kept.list().await.unwrap(), [key]);
}

#[test]
fn keys_spread_over_folders_by_the_random_end_of_the_id() {
    let id = Clock::Real.message_id();
    let text = id.to_string();
    let key = blobs::message(&id);
    assert_eq!(key, format!("messages/{}/{text}.wav", &text[34..]));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Blobs::open(&file.join("blobs")).unwrap_err();
    assert!(error.to_string().contains("file/blobs"), "{error}");
    assert!(!error.is_temporary());
}
