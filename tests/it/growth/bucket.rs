//! The folder with a bucket behind it.

use std::fs;

use afterbeep::blobs::{self, BlobError, Blobs, Settings};
use afterbeep::clock::Clock;
use bytes::Bytes;
use tempfile::TempDir;

use crate::s3::S3;

struct Place {
    s3: S3,
    dir: TempDir,
    blobs: Blobs,
}

impl Place {
    async fn new() -> Self {
        let (s3, dir) = (S3::start().await, tempfile::tempdir().unwrap());
        let blobs = Blobs::connect(&s3.settings(), dir.path()).unwrap();
        Self { s3, dir, blobs }
    }

    fn is_here(&self, key: &str) -> bool {
        self.dir.path().join(key).exists() || self.dir.path().join("kept").join(key).exists()
    }

    /// What another machine with the same bucket has.
    fn elsewhere(&self) -> (TempDir, Blobs) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::connect(&self.s3.settings(), dir.path()).unwrap();
        (dir, blobs)
    }
}

fn message() -> String {
    blobs::message(&Clock::Real.message_id())
}

#[tokio::test]
async fn a_recording_goes_to_the_bucket_and_is_read_from_there_whole_and_in_part() {
    let place = Place::new().await;
    let key = message();
    place.blobs.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
    assert!(place.s3.keys().is_empty(), "nobody waits for S3");
    assert_eq!(place.blobs.waiting().await.unwrap(), std::slice::from_ref(&key));
    place.blobs.upload(&key).await.unwrap();
    assert_eq!(fs::read(place.s3.file(&key)).unwrap(), b"0123456789");
    assert!(place.blobs.waiting().await.unwrap().is_empty());
    assert_eq!(place.blobs.kept().await.unwrap(), std::slice::from_ref(&key));
    place.blobs.forget(&key).await.unwrap();
    assert!(!place.is_here(&key));

    assert_eq!(place.blobs.get(&key).await.unwrap(), "0123456789");
    assert_eq!(place.blobs.get_range(&key, 2..5).await.unwrap(), "234");
    assert_eq!(place.blobs.get_range(&key, 8..50).await.unwrap(), "89");
    assert_eq!(place.blobs.size(&key).await.unwrap(), 10);
    assert_eq!(place.blobs.list().await.unwrap(), [key]);
    let missing = place.blobs.get(&message()).await;
    assert!(matches!(missing, Err(BlobError::Missing(_))), "{missing:?}");
}

#[tokio::test]
async fn while_s3_is_away_everything_is_kept_here_and_nothing_is_forgotten() {
    let mut place = Place::new().await;
    let (before, after) = (message(), message());
    place.blobs.put(&before, "before".into()).await.unwrap();
    place.blobs.upload(&before).await.unwrap();
    place.s3.stop();

    place.blobs.put(&after, "after".into()).await.unwrap();
    let refused = place.blobs.upload(&after).await.unwrap_err();
    assert!(refused.is_temporary(), "{refused:?}");
    assert_eq!(place.blobs.get(&after).await.unwrap(), "after");
    assert_eq!(place.blobs.get(&before).await.unwrap(), "before");
    place.blobs.delete(&before).await.unwrap();
    assert!(!place.is_here(&before));
    assert_eq!(place.blobs.doomed().unwrap(), std::slice::from_ref(&before));
    let away = place.blobs.get(&message()).await.unwrap_err();
    assert!(away.is_temporary(), "it may be in S3: {away:?}");

    place.s3.begin().await;
    // A restart in between forgets neither.
    let blobs = Blobs::connect(&place.s3.settings(), place.dir.path()).unwrap();
    for key in blobs.waiting().await.unwrap() {
        blobs.upload(&key).await.unwrap();
    }
    for key in blobs.doomed().unwrap() {
        blobs.retract(&key).await.unwrap();
    }
    assert!(blobs.doomed().unwrap().is_empty());
    assert_eq!(place.s3.keys().into_iter().collect::<Vec<_>>(), [after]);
}

#[tokio::test]
async fn a_greeting_is_heard_when_s3_is_away_also_on_a_machine_that_fetched_it_once() {
    let mut place = Place::new().await;
    let key = blobs::greeting(&Clock::Real.message_id().0);
    place.blobs.put(&key, "hello".into()).await.unwrap();
    place.blobs.upload(&key).await.unwrap();
    assert!(place.blobs.kept().await.unwrap().is_empty(), "copies of greetings stay");
    let (_dir, other) = place.elsewhere();
    assert_eq!(other.get(&key).await.unwrap(), "hello");
    place.s3.stop();
    assert_eq!(other.get(&key).await.unwrap(), "hello");
    assert_eq!(place.blobs.get(&key).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_recording_deleted_on_its_way_does_not_stay_in_the_bucket() {
    let place = Place::new().await;
    let key = message();
    for _ in 0..20 {
        place.blobs.put(&key, Bytes::from(vec![7; 200_000])).await.unwrap();
        let (moved, gone) = tokio::join!(place.blobs.upload(&key), place.blobs.delete(&key));
        gone.unwrap();
        match moved {
            Ok(()) | Err(BlobError::Missing(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
        assert!(place.s3.keys().is_empty());
        assert!(!place.is_here(&key));
    }
}

#[tokio::test]
async fn what_s3_does_not_give_back_as_it_was_stays_here() {
    let place = Place::new().await;
    let key = message();
    place.blobs.put(&key, "the recording".into()).await.unwrap();
    place.blobs.upload(&key).await.unwrap();
    // Of the same length, but not the same: it is not taken for a copy.
    fs::write(place.s3.file(&key), "the recordinG").unwrap();
    place.blobs.put(&key, "the recording".into()).await.unwrap();
    place.blobs.upload(&key).await.unwrap();
    assert_eq!(fs::read(place.s3.file(&key)).unwrap(), b"the recording");
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_is_not_shown() {
    let place = Place::new().await;
    let secret = place.dir.path().join("wrong");
    fs::write(&secret, "wrong-word").unwrap();
    let settings = Settings { secret_key_file: Some(secret), ..place.s3.settings() };
    let blobs = Blobs::connect(&settings, &place.dir.path().join("blobs")).unwrap();
    let key = message();
    blobs.put(&key, "x".into()).await.unwrap();
    let refused = blobs.upload(&key).await.unwrap_err();
    assert!(matches!(refused, BlobError::Remote(..)), "{refused:?}");
    assert!(!format!("{refused:?} {blobs:?}").contains("wrong-word"), "{refused:?} {blobs:?}");
    assert_eq!(blobs.get(&key).await.unwrap(), "x");
}

#[test]
fn settings_that_cannot_be_right_are_refused_with_a_reason() {
    let wrong = |settings: Settings| settings.check().unwrap_err();
    let url = |it: &str| Settings { url: Some(it.into()), ..Settings::default() };
    assert!(wrong(url("https://s3.example.org/b")).contains("must begin with s3://"));
    assert!(wrong(url("s3://x")).contains("is not the name of a bucket"));
    assert!(wrong(url("s3://bucket/../other")).contains("cannot be a prefix"));
    let half = Settings { access_key: Some("a".into()), ..url("s3://bucket") };
    assert!(wrong(half).contains("belong together"));
    let strange = Settings { endpoint: Some("s3.example.org".into()), ..url("s3://bucket") };
    assert!(wrong(strange).contains("is not a web address"));
    url("s3://bucket/a/b").check().unwrap();
}
