//! Files of hold music that arrive in pieces, and tracks whose sound is still to be made.

use std::time::Duration;

use afterbeep::{
    mailbox::{TenantId, Timestamp},
    music::{Class, ClassId, MOST_TRACKS, Manner, TrackId},
    store::{
        StoreError, music,
        tracks::{self, New},
        uploads::{self, LASTS, MOST, Upload},
    },
};

use super::house::{House, NOW, house};

async fn class(house: &House, tenant: &TenantId, name: &str) -> ClassId {
    let id = ClassId(house.clock.message_id().to_string());
    let (tenant, name) = (tenant.clone(), name.to_owned());
    let class = Class { id, tenant, name, manner: Manner::default() };
    music::add(&house.db, &class, NOW).await.unwrap();
    class.id
}

fn upload(house: &House, length: Option<u64>) -> Upload {
    let id = TrackId(house.clock.message_id().to_string());
    let original = format!("originals/{}.file", id.0);
    let (name, description) = ("Blue Train".to_owned(), "slow".to_owned());
    let (licence, kind) = ("CC0".to_owned(), Some(".sln".to_owned()));
    let track = New { id, name, description, licence, kind, original };
    Upload { track, length, arrived: 0, begun: NOW }
}

#[tokio::test]
async fn what_has_come_is_noted_until_it_is_a_track() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let (jazz, other) = (class(&house, &tenant, "jazz").await, class(&house, &tenant, "b").await);
    let mut one = upload(&house, Some(5_000_000_000));
    uploads::begin(db, &tenant, &jazz, &one).await.unwrap();
    assert_eq!(uploads::get(db, &jazz, &one.track.id, NOW).await.unwrap(), Some(one.clone()));
    assert_eq!(uploads::get(db, &other, &one.track.id, NOW).await.unwrap(), None);
    one.arrived = 4_999_999_999;
    assert!(uploads::note(db, &one.track.id, one.arrived).await.unwrap());
    assert_eq!(uploads::get(db, &jazz, &one.track.id, NOW).await.unwrap(), Some(one.clone()));
    assert!(uploads::ids(db).await.unwrap().contains(&one.track.id.0));
    assert!(tracks::blobs(db).await.unwrap().contains(&one.track.original));

    tracks::add(db, &jazz, &one.track, NOW).await.unwrap();
    assert_eq!(uploads::get(db, &jazz, &one.track.id, NOW).await.unwrap(), None);
    assert!(!uploads::note(db, &one.track.id, 1).await.unwrap(), "it has become a track");
    let original = tracks::original(db, &jazz, &one.track.id).await.unwrap();
    assert_eq!(original, Some(one.track.original.clone()));
    assert_eq!(
        tracks::blobs(db).await.unwrap().into_iter().collect::<Vec<_>>(),
        [one.track.original]
    );
}

#[tokio::test]
async fn a_track_that_was_being_made_before_a_restart_is_made_after_it() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let jazz = class(&house, &tenant, "jazz").await;
    tracks::add(db, &jazz, &upload(&house, None).track, NOW).await.unwrap();
    let claim = async || tracks::claim(db, NOW, Duration::from_secs(600)).await.unwrap();
    let held = claim().await.unwrap();
    assert!(claim().await.is_none(), "somebody has it");
    assert_eq!(tracks::reclaim(db, NOW).await.unwrap(), 1);
    let again = claim().await.unwrap();
    assert_eq!((&again.id, again.attempts), (&held.id, 2));
    tracks::failed(db, &held, "too late to say so").await.unwrap();
    tracks::failed(db, &again, "is no sound").await.unwrap();
    assert_eq!(tracks::reclaim(db, NOW).await.unwrap(), 0, "it is not tried for ever");
}

#[tokio::test]
async fn where_a_class_has_no_room_for_the_track_the_upload_stays() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    let jazz = class(&house, &tenant, "jazz").await;
    for _ in 0..MOST_TRACKS {
        tracks::add(db, &jazz, &upload(&house, None).track, NOW).await.unwrap();
    }
    let more = upload(&house, None);
    uploads::begin(db, &tenant, &jazz, &more).await.unwrap();
    let full = tracks::add(db, &jazz, &more.track, NOW).await;
    assert!(matches!(full, Err(StoreError::TooMany { .. })), "{full:?}");
    assert_eq!(uploads::get(db, &jazz, &more.track.id, NOW).await.unwrap(), Some(more));
}

#[tokio::test]
async fn uploads_are_few_and_end_by_themselves_with_their_class_or_when_they_are_given_up() {
    let house = house().await;
    let db = &house.db;
    let (acme, zeta) = (house.tenant("acme", None).await, house.tenant("zeta", None).await);
    let (jazz, theirs) = (class(&house, &acme, "jazz").await, class(&house, &zeta, "jazz").await);
    let mut all = Vec::new();
    for _ in 0..MOST {
        let one = upload(&house, None);
        uploads::begin(db, &acme, &jazz, &one).await.unwrap();
        all.push(one.track.id);
    }
    let more = uploads::begin(db, &acme, &jazz, &upload(&house, None)).await;
    assert!(matches!(more, Err(StoreError::TooMany { .. })), "{more:?}");
    let late = Upload { begun: NOW + LASTS, ..upload(&house, None) };
    uploads::begin(db, &zeta, &theirs, &late).await.unwrap();

    assert!(!uploads::end(db, &theirs, &all[0]).await.unwrap());
    assert!(uploads::end(db, &jazz, &all[0]).await.unwrap());
    assert!(!uploads::end(db, &jazz, &all[0]).await.unwrap());
    let ends = NOW + LASTS;
    assert_eq!(uploads::get(db, &jazz, &all[1], ends).await.unwrap(), None);
    let before = Timestamp(ends.0 - 1);
    assert!(uploads::get(db, &jazz, &all[1], before).await.unwrap().is_some());
    assert_eq!(uploads::sweep(db, before).await.unwrap(), 0);
    assert_eq!(uploads::sweep(db, ends).await.unwrap(), MOST as u64 - 1);
    assert_eq!(uploads::ids(db).await.unwrap().len(), 1);
    music::remove(db, &zeta, &theirs).await.unwrap();
    assert!(uploads::ids(db).await.unwrap().is_empty());
}
