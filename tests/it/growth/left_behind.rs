//! What a crash left behind: recordings of purged messages that were not deleted with them, and music that
//! no row names.

use std::time::Duration;

use afterbeep::blobs::{self, Blobs};
use afterbeep::clock::Clock;
use afterbeep::jobs;
use afterbeep::mailbox::{
    Caller, Envelope, MailboxId, MessageId, Reason, Settings, TenantId, Timestamp,
};
use afterbeep::music::{Class, ClassId, TrackId};
use afterbeep::store::messages::{self, Filing};
use afterbeep::store::{
    Db,
    announcements::{self, Announcement},
    mailboxes::{self, Entry},
    music,
    tenants::{self, Tenant},
    tracks::{self, Made, New},
    uploads::{self, Upload},
};
use uuid::Uuid;

use crate::s3::S3;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A message whose sound is in S3.
async fn filed(db: &Db, blobs: &Blobs, mailbox: &MailboxId, sound: Option<String>) -> Filing {
    let id = Clock::Real.message_id();
    let filing = Filing {
        id,
        mailbox: mailbox.clone(),
        envelope: Envelope {
            caller: Caller::default(),
            received: NOW,
            length: Duration::from_secs(2),
            interrupted: false,
            reason: Reason::Unknown,
        },
        blob: sound.unwrap_or_else(|| blobs::message(&id)),
        limit: 100,
        rotates: true,
        transcribe: false,
        notify_due: NOW,
        recipients: Vec::new(),
        marks: Default::default(),
        copies: false,
        origin: None,
    };
    in_s3(blobs, &filing.blob).await;
    messages::file(db, std::slice::from_ref(&filing), NOW).await.unwrap();
    filing
}

async fn in_s3(blobs: &Blobs, key: &str) {
    blobs.put(key, "sound".into()).await.unwrap();
    blobs.upload(key).await.unwrap();
    blobs.forget(key).await.unwrap();
}

#[tokio::test]
async fn what_a_purged_message_left_in_s3_or_here_is_found_and_nothing_else_is_touched() {
    let (s3, dir) = (S3::start().await, tempfile::tempdir().unwrap());
    let blobs = Blobs::connect(&s3.settings(), &dir.path().join("blobs")).unwrap();
    let db = Db::open(&dir.path().join("afterbeep.db")).await.unwrap();
    let (tenant, mailbox) = (TenantId("t".into()), MailboxId("m".into()));
    let settings = Settings::default();
    let default = Tenant { id: tenant.clone(), name: "default".into(), sip_domain: None, settings };
    tenants::add(&db, &default, NOW).await.unwrap();
    mailboxes::add(&db, &tenant, &mailbox, "1000", &Entry::default(), NOW).await.unwrap();
    let purge = async |id: &MessageId| {
        messages::purge(&db, &mailbox, id, NOW).await.unwrap().unwrap();
    };

    // The server ended after the row was gone and before its sound was: in S3, and here.
    let (in_bucket, here) = (
        filed(&db, &blobs, &mailbox, None).await.blob,
        filed(&db, &blobs, &mailbox, None).await.blob,
    );
    blobs.delete(&here).await.unwrap();
    blobs.put(&here, "sound".into()).await.unwrap();
    for key in [&in_bucket, &here] {
        purge(&MessageId(blobs::id(key).unwrap())).await;
    }
    // Still wanted: one that lies there, and one that two had. Not ours: one nobody knows.
    let kept = filed(&db, &blobs, &mailbox, None).await.blob;
    let first = filed(&db, &blobs, &mailbox, None).await;
    filed(&db, &blobs, &mailbox, Some(first.blob.clone())).await;
    purge(&first.id).await;
    let unknown = blobs::message(&Clock::Real.message_id());
    in_s3(&blobs, &unknown).await;

    let mut gone = 0;
    for shard in 0..=u8::MAX {
        gone += jobs::tidy(&db, &blobs, shard).await.unwrap();
    }
    assert_eq!(gone, 2);
    let mut left = [kept, first.blob, unknown];
    left.sort();
    assert_eq!(blobs.list().await.unwrap(), left);
    assert_eq!(s3.keys().into_iter().collect::<Vec<_>>(), left);
}

const HOUR: u64 = 3_600;

/// An id that was made so many hours before [`NOW`].
fn id(hours: u64) -> Uuid {
    let seconds = NOW.0 as u64 / 1_000 - hours * HOUR;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0))
}

fn track(hours: u64) -> New {
    let id = id(hours);
    New {
        id: TrackId(id.to_string()),
        name: "Blue Train".into(),
        description: String::new(),
        licence: String::new(),
        kind: None,
        original: blobs::original(&id),
    }
}

/// A database that is thirty days old, with music that somebody has; their keys.
async fn furnished(db: &Db) -> Vec<String> {
    let (tenant, settings) = (TenantId("t".into()), Settings::default());
    let default = Tenant { id: tenant.clone(), name: "default".into(), sip_domain: None, settings };
    let begun = NOW - Duration::from_secs(30 * 24 * HOUR);
    tenants::add(db, &default, begun).await.unwrap();
    let (id_of_class, name) = (ClassId("c".into()), "jazz".into());
    let class = Class { id: id_of_class, tenant: tenant.clone(), name, manner: Default::default() };
    music::add(db, &class, NOW).await.unwrap();
    let (made, coming) = (track(200), track(300));
    tracks::add(db, &class.id, &made, NOW).await.unwrap();
    let claimed = tracks::claim(db, NOW, Duration::from_secs(60)).await.unwrap().unwrap();
    let (length, blob) = (Duration::from_secs(9), blobs::music(&id(150)));
    let sound = Made { blob: blob.clone(), length, loudness: 0, peaks: vec![] };
    assert!(tracks::made(db, &claimed, &sound).await.unwrap());
    let said =
        Announcement { name: "closed".into(), script: None, blob: blobs::music(&id(400)), length };
    announcements::set(db, &tenant, "a", &said, NOW).await.unwrap();
    let upload = Upload { track: coming.clone(), length: None, arrived: 0, begun: NOW };
    uploads::begin(db, &tenant, &class.id, &upload).await.unwrap();
    vec![made.original, blob, said.blob, coming.original]
}

#[tokio::test]
async fn music_that_no_row_names_is_removed_once_it_is_old_enough_here_and_in_s3() {
    let s3 = S3::start().await;
    for remote in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("blobs");
        let blobs = match remote {
            true => Blobs::connect(&s3.settings(), &folder).unwrap(),
            false => Blobs::open(&folder).unwrap(),
        };
        let db = Db::open(&dir.path().join("afterbeep.db")).await.unwrap();
        let mut left = furnished(&db).await;
        // Written a moment ago: its row may come yet. And older than the database, so another's.
        left.extend([blobs::music(&id(1)), blobs::original(&id(47)), blobs::music(&id(31 * 24))]);
        // What is played of a message is swept elsewhere.
        left.extend([blobs::greeting(&id(100)), blobs::message(&MessageId(id(100)))]);
        let gone = [blobs::music(&id(49)), blobs::original(&id(100)), blobs::original(&id(49))];
        for key in left.iter().chain(&gone) {
            blobs.put(key, "sound".into()).await.unwrap();
        }
        if remote {
            blobs.upload(&gone[0]).await.unwrap();
            in_s3(&blobs, &gone[1]).await;
            in_s3(&blobs, &left[0]).await;
        }
        assert_eq!(jobs::remains::music(&db, &blobs, NOW).await.unwrap(), gone.len());
        left.sort();
        assert_eq!(blobs.list().await.unwrap(), left);
        assert!(gone.iter().all(|it| !s3.file(it).exists()));
        assert_eq!(jobs::remains::music(&db, &blobs, NOW).await.unwrap(), 0);
    }
}
