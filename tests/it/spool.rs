//! The spool on a real disk: what it was given is what it gives back, whatever happens in between.
#![expect(clippy::print_stdout, reason = "figures, seen with --nocapture")]

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use afterbeep::{
    audio::{
        Codec,
        listener::{Rules, Why},
    },
    call::spool::{
        Disk, Kept, Label, MOST_TAKES, Recording, Settings, Spool, SpoolError, TakeEvent, Trouble,
    },
    mailbox::{Caller, MailboxId, MessageId, TenantId, Timestamp},
};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

mod sound {
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
            let samples: Vec<_> = bytes.iter().map(|&it| codec.decode(it)).collect();
            assert_eq!(house.spool.read(kept.take.id).unwrap(), samples);
        }
    }

    #[tokio::test]
    async fn a_take_may_be_empty() {
        let house = House::new();
        let kept = house.record(Codec::Pcmu, &[]).await;
        assert_eq!((kept.take.length, kept.take.voiced), (Duration::ZERO, Duration::ZERO));
        assert!(house.spool.read(kept.take.id).unwrap().is_empty());
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
        let (began, mut fullest) = (Instant::now(), 0);
        while takes.iter().any(|it| it.2.is_some()) {
            let due = began.elapsed().as_millis() as usize * 160;
            for (bytes, pushed, producer, recording) in &mut takes {
                let Some(ring) = producer else { continue };
                let until = bytes.len().min(due);
                let rest = ring.push_partial_slice(&bytes[*pushed..until.max(*pushed)]).1.len();
                *pushed = until.max(*pushed) - rest;
                fullest = fullest.max(ring.buffer().capacity() - ring.slots());
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
        println!("1,000 s of sound in {took:?}, fullest ring {fullest} bytes, {all:?}");
        assert!(all.segments > 4, "it was meant to span segments: {all:?}");
    }

    #[tokio::test]
    async fn a_closing_silence_is_cut_off_and_not_read_back() {
        let house = House::new();
        let (producer, mut recording) = house.begin(Codec::Pcma);
        let spoken = sound(1, 16_000);
        let silence = vec![Codec::Pcma.silence(); 8_000 * 9];
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
}

mod crash {
    use super::*;

    #[tokio::test]
    async fn a_sealed_take_is_found_with_its_label_until_it_is_filed() {
        let house = House::new();
        let bytes = sound(1, 12_345);
        let kept = house.record(Codec::Pcma, &bytes).await;
        let (after, found) = house.crash();
        assert_eq!(found, std::slice::from_ref(&kept));
        assert_eq!(after.spool.read_encoded(kept.take.id).unwrap(), (Codec::Pcma, bytes.clone()));
        // Not filed yet: it is there again, also from a second crash.
        let (again, found) = after.crash();
        assert_eq!(found, std::slice::from_ref(&kept));
        assert_eq!(again.spool.read_encoded(kept.take.id).unwrap().1, bytes);
        again.spool.filed(kept.take.id).await;
        let again = again.restart().await;
        assert_eq!(again.1, []);
    }

    #[tokio::test]
    async fn a_take_cut_short_is_found_as_interrupted_with_what_was_written() {
        let house = House::new();
        let (mut producer, _recording) = house.begin(Codec::Pcmu);
        let bytes = sound(5, 24_000);
        producer.push_entire_slice(&bytes[..16_000]).unwrap();
        until("it is written", || house.spool.counters().bytes > 16_000).await;
        producer.push_entire_slice(&bytes[16_000..]).unwrap();
        let (after, found) = house.crash();
        let [kept] = &found[..] else { panic!("{found:?}") };
        assert!(kept.interrupted && kept.label == label());
        assert!(kept.take.voiced > Duration::from_secs(1), "{:?}", kept.take);
        let back = after.spool.read_encoded(kept.take.id).unwrap().1;
        assert!(back.len() >= 16_000 && bytes.starts_with(&back));
    }

    #[tokio::test]
    async fn a_stop_of_the_server_interrupts_what_is_spoken_and_loses_nothing_of_it() {
        let house = House::new();
        let (mut producer, mut recording) = house.begin(Codec::Pcmu);
        producer.push_entire_slice(&sound(5, 24_000)).unwrap();
        let (after, found) = house.restart().await;
        let [kept] = &found[..] else { panic!("{found:?}") };
        assert!(kept.interrupted);
        assert_eq!(after.spool.read_encoded(kept.take.id).unwrap().1, sound(5, 24_000));
        let event = next(&mut recording).await;
        assert!(matches!(event, TakeEvent::Failed { why: SpoolError::Closed, kept: None }));
    }

    #[tokio::test]
    async fn nobody_who_said_nothing_is_found() {
        let house = House::new();
        let (_producer, _recording) = house.begin(Codec::Pcmu);
        until("it has begun", || house.spool.counters().bytes > 0).await;
        assert_eq!(house.crash().1, []);
    }

    #[tokio::test]
    async fn cut_at_any_byte_what_lies_before_is_found() {
        let house = House::new();
        let first = house.record(Codec::Pcmu, &sound(1, 700)).await.take.id;
        let second = house.record(Codec::Pcmu, &sound(2, 900)).await.take.id;
        house.spool.discard(first).await.unwrap();
        let third = house.record(Codec::Pcmu, &sound(3, 300)).await.take.id;
        let whole = house.copy();
        let log = whole.path().join("00000001.log");
        let bytes = fs::read(&log).unwrap();
        let mut seen = HashMap::new();
        for cut in (0..=bytes.len()).rev() {
            fs::write(&log, &bytes[..cut]).unwrap();
            let (spool, found) = Spool::open(&settings(whole.path())).unwrap();
            for kept in &found {
                let id = kept.take.id;
                let all = [(first, sound(1, 700)), (second, sound(2, 900)), (third, sound(3, 300))];
                let all = &all.iter().find(|it| it.0 == id).unwrap().1;
                let back = spool.read_encoded(id).unwrap().1;
                assert!(all.starts_with(&back) && (kept.interrupted || all.len() == back.len()));
            }
            *seen
                .entry((found.len(), found.iter().filter(|it| it.interrupted).count()))
                .or_insert(0) += 1;
            spool.close().await;
        }
        println!("found and interrupted, and at how many cuts: {seen:?}");
        // Both: the discarded one is gone only from the byte on that completes its mark.
        for state in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)] {
            assert!(seen.contains_key(&state), "{state:?} in {seen:?}");
        }
    }

    #[tokio::test]
    async fn after_a_torn_end_new_takes_are_as_safe_as_before() {
        let house = House::new();
        let kept = house.record(Codec::Pcmu, &sound(1, 4_000)).await;
        let torn = house.copy();
        let log = torn.path().join("00000001.log");
        let mut bytes = fs::read(&log).unwrap();
        bytes.extend_from_slice(b"ABS1 and then the power went");
        fs::write(&log, bytes).unwrap();
        let (after, found) = House::open(torn);
        assert_eq!(found, std::slice::from_ref(&kept));
        let more = after.record(Codec::Pcma, &sound(2, 4_000)).await;
        let (last, found) = after.crash();
        assert_eq!(found, [kept, more.clone()]);
        assert_eq!(last.spool.read_encoded(more.take.id).unwrap().1, sound(2, 4_000));
    }

    #[tokio::test]
    async fn a_bad_block_costs_what_comes_after_it_and_is_said() {
        let house = House::with(|it| it.segment_bytes = 20_000);
        let kept = house.record(Codec::Pcmu, &sound(1, 30_000)).await;
        let more = house.record(Codec::Pcmu, &sound(2, 30_000)).await;
        let copy = house.copy();
        let log = copy.path().join("00000001.log");
        let mut bytes = fs::read(&log).unwrap();
        let last = bytes.len() - 40;
        bytes[last] ^= 0x10;
        fs::write(&log, bytes).unwrap();
        let (after, found) = House::open(copy);
        // In its own segment the other one is as good as ever.
        assert!(found.contains(&more), "{found:?}");
        for kept in found.iter().filter(|it| it.take.id == kept.take.id) {
            assert!(kept.interrupted);
            after.spool.read(kept.take.id).unwrap();
        }
    }

    /// What lies behind the damage may be worth something to somebody who can mend it.
    #[tokio::test]
    async fn a_damaged_segment_is_kept_aside() {
        let house = House::new();
        for take in 0..3 {
            house.record(Codec::Pcmu, &sound(take, 3_000)).await;
        }
        let copy = house.copy();
        let log = copy.path().join("00000001.log");
        let mut bytes = fs::read(&log).unwrap();
        bytes[10] ^= 1;
        fs::write(&log, &bytes).unwrap();
        let (after, found) = House::open(copy);
        assert_eq!(found, []);
        let aside = after.settings.directory.join("00000001.damaged");
        until("it is put aside", || aside.exists()).await;
        assert_eq!(fs::read(aside).unwrap(), bytes);
    }

    #[tokio::test]
    async fn nobody_else_on_the_machine_can_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder.path().join("spool"));
        let (spool, _) = Spool::open(&settings).unwrap();
        let house = House { settings, spool, _folder: folder };
        house.record(Codec::Pcmu, &sound(1, 100)).await;
        for (path, mode) in [("", 0o700), ("00000001.log", 0o600)] {
            let path = house.settings.directory.join(path);
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn whatever_became_of_its_files_the_spool_opens(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
            junk in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let house = House::new();
                for take in 1..4 {
                    house.record(Codec::Pcmu, &sound(take, 500)).await;
                }
                let copy = house.copy();
                let log = copy.path().join("00000001.log");
                let mut bytes = fs::read(&log).unwrap();
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                fs::write(&log, bytes).unwrap();
                fs::write(copy.path().join("00000007.log"), junk).unwrap();
                fs::write(copy.path().join("+2.log"), "not ours").unwrap();
                let (after, found) = House::open(copy);
                for kept in found {
                    // Readable, or known not to be; never anything else than what was spoken.
                    if let Ok((_, back)) = after.spool.read_encoded(kept.take.id) {
                        assert!((1..4).any(|it| sound(it, 500).starts_with(&back)));
                    }
                }
                after.record(Codec::Pcmu, &sound(9, 500)).await;
            });
        }
    }
}

mod end {
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
        producer.push_entire_slice(&sound(1, 8_000)).unwrap();
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
        producer.push_entire_slice(&sound(1, 800)).unwrap();
        drop(producer);
        until("it is sealed all the same", || house.spool.left().len() == 2).await;
    }
}

mod trouble {
    use super::*;

    #[tokio::test]
    async fn on_a_full_disk_takes_keep_what_was_safe_and_new_ones_are_refused_until_it_has_room() {
        let (house, trouble) = House::troubled();
        let kept = house.record(Codec::Pcmu, &sound(9, 5_000)).await;
        let (mut producer, mut recording) = house.begin(Codec::Pcmu);
        let bytes = sound(1, 24_000);
        producer.push_entire_slice(&bytes[..16_000]).unwrap();
        let before = house.spool.counters();
        until("it is synced", || {
            let now = house.spool.counters();
            now.bytes > before.bytes + 16_000 && now.syncs > before.syncs
        })
        .await;
        trouble.full.store(true, Relaxed);
        producer.push_entire_slice(&bytes[16_000..]).unwrap();

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
    async fn one_failed_sync_costs_nothing() {
        let (house, trouble) = House::troubled();
        let (mut producer, mut recording) = house.begin(Codec::Pcmu);
        let bytes = sound(1, 20_000);
        producer.push_entire_slice(&bytes[..10_000]).unwrap();
        trouble.broken_once.store(true, Relaxed);
        until("it has failed", || house.spool.counters().failures == 1).await;
        producer.push_entire_slice(&bytes[10_000..]).unwrap();
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
        producer.push_entire_slice(&sound(1, 10_000)).unwrap();
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
        producer.push_entire_slice(&sound(1, 10_000)).unwrap();
        trouble.broken.store(true, Relaxed);
        drop(producer);
        recording.ends();
        let event = next(&mut recording).await;
        assert!(
            matches!(event, TakeEvent::Failed { why: SpoolError::Failing(_), .. }),
            "{event:?}"
        );
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
        Spool::open(&settings).unwrap();
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
}

mod pace {
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
                    let _ = producer.push_entire_slice(&[0x55; 160]);
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
            producer.push_entire_slice(&sound(1, 4_000)).unwrap();
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
            producer.push_entire_slice(&sound(at, 8_000)).unwrap();
            // The end is announced before it comes, as when a media thread is told to stop.
            recording.ends();
            let dropped = Instant::now();
            drop(producer);
            sealed(&mut recording).await;
            took.push(dropped.elapsed());
        }
        took.sort();
        println!("from the end of a take to its seal: median {:?}, worst {:?}", took[15], took[29]);
        // A round is 100 ms: the median would be 50 ms without the announcement, plus the sync.
        assert!(took[15] < Duration::from_millis(45), "{took:?}");
    }

    #[tokio::test]
    async fn a_take_is_sealed_soon_when_nobody_announces_its_end() {
        let house = House::new();
        let (producer, mut recording) = house.begin(Codec::Pcmu);
        drop(producer);
        sealed(&mut recording).await;
    }
}

/// A spool in a folder of its own.
struct House {
    settings: Settings,
    spool: Spool,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Disk::Real, change)
    }

    fn troubled() -> (Self, Arc<Trouble>) {
        let trouble = Arc::<Trouble>::default();
        (Self::on(Disk::Troubled(trouble.clone()), |_| {}), trouble)
    }

    fn on(disk: Disk, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        change(&mut settings);
        let (spool, found) = Spool::open_on(&settings, disk).unwrap();
        assert_eq!(found, []);
        Self { settings, spool, _folder: folder }
    }

    fn open(folder: TempDir) -> (Self, Vec<Kept>) {
        let settings = settings(folder.path());
        let (spool, found) = Spool::open(&settings).unwrap();
        (Self { settings, spool, _folder: folder }, found)
    }

    /// What another process would find had this one been killed right now.
    fn crash(&self) -> (Self, Vec<Kept>) {
        Self::open(self.copy())
    }

    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let mut names: Vec<_> = fs::read_dir(&self.settings.directory)
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        names.sort();
        for name in names {
            let from = self.settings.directory.join(&name);
            // A segment may go while others are copied.
            let _ = fs::copy(from, copy.path().join(&name));
        }
        copy
    }

    async fn restart(self) -> (Self, Vec<Kept>) {
        let Self { spool, _folder, .. } = self;
        spool.close().await;
        Self::open(_folder)
    }

    fn id(&self) -> MessageId {
        MessageId(Uuid::now_v7())
    }

    fn begin(&self, codec: Codec) -> (rtrb::Producer<u8>, Recording) {
        self.spool.begin(self.id(), label(), codec, rules()).unwrap()
    }

    async fn record(&self, codec: Codec, bytes: &[u8]) -> Kept {
        let (producer, mut recording) = self.begin(codec);
        feed(producer, bytes.to_vec()).await.unwrap();
        recording.ends();
        sealed(&mut recording).await
    }

    fn segments(&self) -> usize {
        let names = fs::read_dir(&self.settings.directory).unwrap();
        names.filter(|it| it.as_ref().unwrap().path().extension().is_some()).count()
    }
}

fn settings(directory: &Path) -> Settings {
    Settings { directory: directory.into(), least_free: 0, ..Settings::default() }
}

fn label() -> Label {
    Label {
        mailbox: MailboxId("0192-box".into()),
        tenant: TenantId("0192-tenant".into()),
        caller: Caller::claimed(Some("Zoë \"Z\" Ångström"), Some("+4912345")),
        received: Timestamp(1_765_432_100_123),
        call: "a84b4c76e66710@pc33.example.com".into(),
    }
}

fn rules() -> Rules {
    Rules {
        end_of_message_silence: Some(Duration::from_secs(8)),
        longest: Duration::from_secs(300),
        tones: true,
    }
}

/// Loud nonsense, another one for each seed.
fn sound(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(byte).collect()
}

/// Pushes as fast as the ring takes it, then lets go of it.
fn feed(mut producer: rtrb::Producer<u8>, bytes: Vec<u8>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut rest = &bytes[..];
        while !rest.is_empty() && !producer.is_abandoned() {
            rest = producer.push_partial_slice(rest).1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

async fn next(recording: &mut Recording) -> TakeEvent {
    tokio::time::timeout(Duration::from_secs(20), recording.next()).await.expect("an event")
}

async fn sealed(recording: &mut Recording) -> Kept {
    match next(recording).await {
        TakeEvent::Sealed(kept) => kept,
        other => panic!("not sealed: {other:?}"),
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
