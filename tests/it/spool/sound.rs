//! What is recorded comes back to the byte.

use afterbeep::audio::g711::Law;

use super::*;

#[tokio::test]
async fn a_sealed_take_returns_exactly_the_bytes_pushed() {
    let house = House::new();
    for (at, codec) in [Codec::Pcmu, Codec::Pcma].into_iter().enumerate() {
        let bytes = sound(at as u64, 50_001);
        let kept = house.record(codec, &bytes).await;
        assert_eq!(kept.take.length, Duration::from_micros(50_001 * 125));
        assert!(!kept.interrupted);
        assert_eq!(house.spool.read_encoded(kept.take.id).unwrap(), (codec, bytes.clone()));
        let samples: Vec<_> = bytes.iter().map(|&it| codec.law().unwrap().decode(it)).collect();
        assert_eq!(house.spool.read(kept.take.id).unwrap(), Sound { rate: 8_000, samples });
    }
}

#[tokio::test]
async fn a_take_may_be_empty() {
    let house = House::new();
    let kept = house.record(Codec::Pcmu, &[]).await;
    assert_eq!((kept.take.length, kept.take.voiced), (Duration::ZERO, Duration::ZERO));
    assert!(house.spool.read(kept.take.id).unwrap().samples.is_empty());
}

#[tokio::test]
async fn fifty_takes_at_twenty_times_their_speed_lose_nothing() {
    let house = House::with(|it| {
        it.segment_bytes = 1 << 20;
        it.sync_every = Duration::from_millis(50);
    });
    let mut takes = Vec::new();
    for at in 0..50 {
        let (producer, recording) = house.begin(Codec::Pcmu);
        takes.push((sound(at, 8_000 * 20), 0, Some(producer), recording));
    }
    // 20 ms of sound every millisecond.
    let began = Instant::now();
    while takes.iter().any(|it| it.2.is_some()) {
        let due = began.elapsed().as_millis() as usize * 160;
        for (bytes, pushed, producer, recording) in &mut takes {
            let Some(ring) = producer else { continue };
            let until = bytes.len().min(due);
            let rest = pour(ring, &bytes[*pushed..until.max(*pushed)]).len();
            *pushed = until.max(*pushed) - rest;
            if *pushed == bytes.len() {
                *producer = None;
                recording.ends();
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (bytes, .., mut recording) in takes {
        let kept = sealed(&mut recording).await;
        assert_eq!(house.spool.read_encoded(kept.take.id).unwrap().1, bytes);
    }
    let (took, all) = (began.elapsed(), house.spool.counters());
    println!("1,000 s of sound in {took:?}, {all:?}");
    assert!(all.segments > 4, "it was meant to span segments: {all:?}");
}

#[tokio::test]
async fn a_closing_silence_is_cut_off_and_not_read_back() {
    let house = House::new();
    let (producer, mut recording) = house.begin(Codec::Pcma);
    let spoken = sound(1, 16_000);
    let silence = vec![Law::A.silence(); 8_000 * 9];
    let feeding = feed(producer, [spoken.clone(), silence].concat());
    let TakeEvent::Verdict(verdict) = next(&mut recording).await else { panic!("no verdict") };
    assert_eq!(verdict.why, Why::Silence);
    feeding.await.unwrap();
    let kept = sealed(&mut recording).await;
    let length = kept.take.length.as_millis();
    assert!((2_500..=3_000).contains(&length), "{length} ms");
    assert!(kept.take.voiced <= kept.take.length);
    let back = house.spool.read_encoded(kept.take.id).unwrap().1;
    assert_eq!((back.len() as u128, &back[..16_000]), (length * 8, &spoken[..]));
    // It stays cut after a crash.
    let found = house.crash().1;
    assert_eq!(found, [kept]);
}

#[tokio::test]
async fn the_longest_take_is_as_long_as_the_rules_say() {
    let house = House::new();
    let rules = Rules { longest: Duration::from_millis(1_500), ..rules() };
    let id = house.id();
    let (producer, mut recording) = house.spool.begin(id, label(), Codec::Pcmu, rules).unwrap();
    feed(producer, sound(3, 24_000)).await.unwrap();
    assert!(matches!(next(&mut recording).await, TakeEvent::Verdict(it) if it.keep == 12_000));
    assert_eq!(sealed(&mut recording).await.take.length, Duration::from_millis(1_500));
    assert_eq!(house.spool.read_encoded(id).unwrap().1, sound(3, 24_000)[..12_000]);
}
