//! Discarded and filed takes are gone, and what they lay in.

use super::*;

#[tokio::test]
async fn a_discarded_take_does_not_come_back() {
    let house = House::new();
    let kept = house.record(Codec::Pcmu, &sound(1, 9_000)).await;
    let id = kept.take.id;
    house.spool.discard(id).await.unwrap();
    assert_eq!(house.crash().1, []);
    assert!(matches!(house.spool.read(id), Err(SpoolError::Gone(it)) if it == id));
    house.spool.discard(id).await.unwrap();
}

#[tokio::test]
async fn a_take_can_be_discarded_while_it_is_recorded() {
    let house = House::new();
    let (mut producer, mut recording) = house.begin(Codec::Pcmu);
    producer.push(&sound(1, 8_000)).unwrap();
    until("it is written", || house.spool.counters().bytes > 8_000).await;
    house.spool.discard(recording.id()).await.unwrap();
    assert_eq!(house.crash().1, []);
    assert!(producer.is_abandoned());
    let event = next(&mut recording).await;
    assert!(matches!(event, TakeEvent::Failed { why: SpoolError::Gone(_), kept: None }));
}

#[tokio::test]
async fn segments_go_once_everything_in_them_is_filed() {
    let house = House::with(|it| it.segment_bytes = 20_000);
    let mut takes = Vec::new();
    for at in 0..8 {
        takes.push(house.record(Codec::Pcmu, &sound(at, 9_000)).await);
    }
    let segments = house.segments();
    assert!(segments >= 3, "{segments} segments");
    for kept in &takes[1..] {
        house.spool.filed(kept.take.id).await;
    }
    // The first holds out with the take that is not filed.
    until("others are gone", || house.segments() <= 2).await;
    assert_eq!(house.spool.read_encoded(takes[0].take.id).unwrap().1, sound(0, 9_000));
    assert_eq!(house.crash().1, takes[..1]);
    house.spool.filed(takes[0].take.id).await;
    until("all are gone", || house.segments() == 0).await;
    assert_eq!(house.crash().1, []);
    // And it goes on.
    house.record(Codec::Pcmu, &sound(1, 100)).await;
}

/// The mark lies in a segment that would go, what it ends in one that stays.
#[tokio::test]
async fn end_marks_outlive_what_they_end() {
    let house = House::with(|it| it.segment_bytes = 30_000);
    let stays = house.record(Codec::Pcmu, &sound(1, 4_000)).await;
    let goes = house.record(Codec::Pcmu, &sound(2, 4_000)).await;
    let mut others = Vec::new();
    for at in 0..4 {
        others.push(house.record(Codec::Pcmu, &sound(at, 25_000)).await);
    }
    house.spool.discard(goes.take.id).await.unwrap();
    for round in 0..3 {
        for at in 0..4 {
            others.push(house.record(Codec::Pcmu, &sound(at, 25_000)).await);
        }
        for other in others.drain(..) {
            house.spool.filed(other.take.id).await;
        }
        until("segments are gone", || house.segments() <= 2).await;
        assert_eq!(house.crash().1, std::slice::from_ref(&stays), "round {round}");
    }
}

#[tokio::test]
async fn who_is_in_charge_of_no_take_leaves_it_to_others() {
    let house = House::new();
    let (producer, mut recording) = house.begin(Codec::Pcmu);
    drop(producer);
    let kept = sealed(&mut recording).await;
    assert_eq!(house.spool.left(), []);
    drop(recording);
    assert_eq!(house.spool.left(), std::slice::from_ref(&kept));
    let (mut producer, recording) = house.begin(Codec::Pcmu);
    drop(recording);
    producer.push(&sound(1, 800)).unwrap();
    drop(producer);
    until("it is sealed all the same", || house.spool.left().len() == 2).await;
}
