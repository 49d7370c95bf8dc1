//! Recordings of purged messages that a crash kept from being deleted with them.

use std::time::Duration;

use afterbeep::blobs::{self, Blobs};
use afterbeep::clock::Clock;
use afterbeep::jobs;
use afterbeep::mailbox::{
    Caller, Envelope, MailboxId, MessageId, Reason, Settings, TenantId, Timestamp,
};
use afterbeep::store::messages::{self, Filing};
use afterbeep::store::{
    Db,
    mailboxes::{self, Entry},
    tenants::{self, Tenant},
};

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
