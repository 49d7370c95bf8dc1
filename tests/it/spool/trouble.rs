//! Full disks, failing disks, limits.

use super::*;

#[tokio::test]
async fn on_a_full_disk_takes_keep_what_was_safe_and_new_ones_are_refused_until_it_has_room() {
    let (house, trouble) = House::troubled();
    let kept = house.record(Codec::Pcmu, &sound(9, 5_000)).await;
    let (mut producer, mut recording) = house.begin(Codec::Pcmu);
    let bytes = sound(1, 24_000);
    producer.push(&bytes[..16_000]).unwrap();
    let before = house.spool.counters();
    // Counters may lag behind a little, so they are compared with each other only.
    until("it is synced", || house.spool.counters().safe > before.bytes + 16_000).await;
    trouble.full.store(true, Relaxed);
    producer.push(&bytes[16_000..]).unwrap();

    let TakeEvent::Failed { why: SpoolError::Failing(_), kept: Some(failed) } =
        next(&mut recording).await
    else {
        panic!("not told")
    };
    assert!(failed.interrupted && failed.take.length == Duration::from_secs(2));
    assert!(!house.spool.healthy());
    let refused = house.spool.begin(house.id(), label(), Codec::Pcmu, rules());
    assert!(matches!(refused, Err(SpoolError::Failing(_))));
    // What is there can be read, and what is taken back stays so once the disk has room.
    assert_eq!(house.spool.read_encoded(failed.take.id).unwrap().1, bytes[..16_000]);
    assert_eq!(house.spool.read_encoded(kept.take.id).unwrap().1, sound(9, 5_000));
    assert!(house.spool.discard(kept.take.id).await.is_err());

    trouble.full.store(false, Relaxed);
    until("it has recovered", || house.spool.healthy()).await;
    let more = house.record(Codec::Pcmu, &sound(2, 8_000)).await;
    let (after, found) = house.crash();
    assert_eq!(
        found.iter().map(|it| it.take.id).collect::<Vec<_>>(),
        [failed.take.id, more.take.id]
    );
    assert!(after.spool.read_encoded(failed.take.id).unwrap().1.len() >= 16_000);
}

#[tokio::test]
async fn while_a_sync_takes_its_time_what_is_spoken_goes_on_to_survive_a_crash() {
    let (house, trouble) = House::troubled();
    let (mut producer, mut recording) = house.begin(Codec::Pcmu);
    let bytes = sound(1, 24_000);
    trouble.stuck.store(true, Relaxed);
    producer.push(&bytes[..12_000]).unwrap();
    until("it is stuck", || trouble.is_stuck.load(Relaxed)).await;
    producer.push(&bytes[12_000..]).unwrap();
    until("the rest is written", || {
        let (after, found) = house.crash();
        let read = |kept: &Kept| after.spool.read_encoded(kept.take.id).unwrap().1;
        found.first().is_some_and(|it| it.interrupted && read(it) == bytes)
    })
    .await;
    assert!(trouble.is_stuck.load(Relaxed));

    trouble.stuck.store(false, Relaxed);
    drop(producer);
    let kept = sealed(&mut recording).await;
    assert_eq!(house.spool.read_encoded(kept.take.id).unwrap().1, bytes);
    let (after, found) = house.crash();
    assert_eq!(found, std::slice::from_ref(&kept));
    assert_eq!(after.spool.read_encoded(kept.take.id).unwrap().1, bytes);
}

#[tokio::test]
async fn one_failed_sync_costs_nothing() {
    let (house, trouble) = House::troubled();
    let (mut producer, mut recording) = house.begin(Codec::Pcmu);
    let bytes = sound(1, 20_000);
    producer.push(&bytes[..10_000]).unwrap();
    trouble.broken_once.store(true, Relaxed);
    until("it has failed", || house.spool.counters().failures == 1).await;
    producer.push(&bytes[10_000..]).unwrap();
    drop(producer);
    let kept = sealed(&mut recording).await;
    assert!(house.spool.healthy());
    assert_eq!(house.spool.read_encoded(kept.take.id).unwrap().1, bytes);
    let (after, found) = house.crash();
    assert_eq!(found, std::slice::from_ref(&kept));
    assert_eq!(after.spool.read_encoded(kept.take.id).unwrap().1, bytes);
}

/// The segment that failed is as if its unsynced part had never been written.
#[tokio::test]
async fn after_a_failed_sync_nothing_in_doubt_is_relied_on() {
    let (house, trouble) = House::troubled();
    let (mut producer, mut recording) = house.begin(Codec::Pcmu);
    producer.push(&sound(1, 10_000)).unwrap();
    trouble.broken_once.store(true, Relaxed);
    until("it has failed", || house.spool.counters().failures == 1).await;
    drop(producer);
    let kept = sealed(&mut recording).await;
    let copy = house.copy();
    fs::write(copy.path().join("00000001.log"), "").unwrap();
    let (after, found) = House::open(copy);
    assert_eq!(found, std::slice::from_ref(&kept));
    assert_eq!(after.spool.read_encoded(kept.take.id).unwrap().1, sound(1, 10_000));
}

#[tokio::test]
async fn a_disk_that_no_longer_syncs_announces_no_take() {
    let (house, trouble) = House::troubled();
    let (mut producer, mut recording) = house.begin(Codec::Pcmu);
    producer.push(&sound(1, 10_000)).unwrap();
    trouble.broken.store(true, Relaxed);
    drop(producer);
    recording.ends();
    let event = next(&mut recording).await;
    assert!(matches!(event, TakeEvent::Failed { why: SpoolError::Failing(_), .. }), "{event:?}");
    assert!(!house.spool.healthy());
}

#[tokio::test]
async fn no_take_is_begun_below_the_reserve() {
    let house = House::with(|it| it.least_free = u64::MAX);
    let refused = house.spool.begin(house.id(), label(), Codec::Pcmu, rules());
    assert!(matches!(refused, Err(SpoolError::NoRoom { least: u64::MAX, free: 1.. })));
    assert!(!house.spool.healthy());
}

#[tokio::test]
async fn there_is_a_limit_to_takes_at_a_time() {
    let house = House::new();
    let mut takes = Vec::new();
    while takes.len() < MOST_TAKES {
        match house.spool.begin(house.id(), label(), Codec::Pcmu, rules()) {
            Ok(take) => takes.push(take),
            // So many at once outrun the thread.
            Err(SpoolError::Busy) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(other) => panic!("{other}"),
        }
    }
    until("all are being recorded", || house.spool.counters().recording == MOST_TAKES).await;
    let refused = house.spool.begin(house.id(), label(), Codec::Pcmu, rules());
    assert!(matches!(refused, Err(SpoolError::Busy)));
    takes.pop();
    until("there is room again", || {
        house.spool.begin(house.id(), label(), Codec::Pcmu, rules()).is_ok()
    })
    .await;
}

#[tokio::test]
async fn two_servers_do_not_share_a_spool() {
    let house = House::new();
    let second = Spool::open(&house.settings);
    assert!(matches!(second, Err(SpoolError::InUse(_))));
    let House { settings, spool, _folder } = house;
    spool.close().await;
    reopened(&settings);
}

#[tokio::test]
async fn a_long_label_is_cut_or_refused() {
    let house = House::new();
    let long = Label { call: "x".repeat(100_000), ..label() };
    let (producer, mut recording) =
        house.spool.begin(house.id(), long, Codec::Pcmu, rules()).unwrap();
    drop(producer);
    assert_eq!(sealed(&mut recording).await.label.call.len(), 255);
    let long = Label { mailbox: MailboxId("x".repeat(100_000)), ..label() };
    let refused = house.spool.begin(house.id(), long, Codec::Pcmu, rules());
    assert!(matches!(refused, Err(SpoolError::Label)));
}
