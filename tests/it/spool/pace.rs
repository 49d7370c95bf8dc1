//! How often it syncs, how soon it answers.

use super::*;

#[tokio::test]
async fn one_sync_a_second_serves_all_takes() {
    for count in [1, 40] {
        let every = Duration::from_millis(200);
        let house = House::with(|it| it.sync_every = every);
        let mut takes: Vec<_> = (0..count).map(|_| house.begin(Codec::Pcmu)).collect();
        let (began, before) = (Instant::now(), house.spool.counters().syncs);
        while began.elapsed() < every * 8 {
            for (producer, _) in &mut takes {
                let _ = producer.push(&[0x55; 160]);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (took, syncs) = (began.elapsed(), house.spool.counters().syncs - before);
        let most = took.as_millis() / every.as_millis() + 1;
        println!("{count} takes: {syncs} syncs in {took:?}");
        assert!(syncs >= 3 && u128::from(syncs) <= most, "{syncs} syncs in {took:?}");
    }
}

#[tokio::test]
async fn takes_that_end_together_are_synced_together() {
    let house = House::new();
    let mut takes: Vec<_> = (0..40).map(|_| house.begin(Codec::Pcmu)).collect();
    for (producer, _) in &mut takes {
        producer.push(&sound(1, 4_000)).unwrap();
    }
    let before = house.spool.counters().syncs;
    let mut recordings = Vec::new();
    for (producer, recording) in takes {
        drop(producer);
        recording.ends();
        recordings.push(recording);
    }
    for recording in &mut recordings {
        sealed(recording).await;
    }
    let syncs = house.spool.counters().syncs - before;
    assert!(syncs <= 10, "{syncs} syncs for 40 takes");
}

#[tokio::test]
async fn a_take_is_sealed_at_once_when_its_end_is_announced() {
    let house = House::new();
    let mut took = Vec::new();
    for at in 0..30 {
        let (mut producer, mut recording) = house.begin(Codec::Pcmu);
        // So much that the ring has grown.
        producer.push(&sound(at, 8_000)).unwrap();
        producer.push(&sound(at, 8_000)).unwrap();
        // The end is announced before it comes, as when a media thread is told to stop.
        recording.ends();
        let dropped = Instant::now();
        drop(producer);
        sealed(&mut recording).await;
        took.push(dropped.elapsed());
    }
    took.sort();
    println!("from the end of a take to its seal: median {:?}, worst {:?}", took[15], took[29]);
    // A round is 400 ms: the median would be 200 ms without the announcement, plus the sync.
    assert!(took[15] < Duration::from_millis(45), "{took:?}");
}

#[tokio::test]
async fn a_take_is_sealed_soon_when_nobody_announces_its_end() {
    let house = House::new();
    let (producer, mut recording) = house.begin(Codec::Pcmu);
    drop(producer);
    sealed(&mut recording).await;
}
