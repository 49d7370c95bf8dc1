//! What is found after a crash, a stop, a torn file.

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
async fn what_its_caller_said_of_a_take_is_found_with_it() {
    let house = House::new();
    let kept = house.record(Codec::Pcmu, &sound(1, 12_345)).await;
    let before = house.spool.counters().safe;
    for (urgent, private) in [(false, true), (true, true)] {
        house.spool.say(kept.take.id, Said { urgent, private }).unwrap();
    }
    until("it is on disk", || house.spool.counters().safe > before).await;
    let said = Said { urgent: true, private: true };
    let (after, found) = house.crash();
    assert_eq!((found.len(), found[0].label.said), (1, said));
    // The end-mark counts for what was said of it too.
    after.spool.filed(kept.take.id).await;
    assert_eq!(after.restart().await.1, []);
}

#[tokio::test]
async fn a_take_cut_short_is_found_as_interrupted_with_what_was_written() {
    let house = House::new();
    let (mut producer, _recording) = house.begin(Codec::Pcmu);
    let bytes = sound(5, 24_000);
    producer.push(&bytes[..16_000]).unwrap();
    until("it is written", || house.spool.counters().bytes > 16_000).await;
    producer.push(&bytes[16_000..]).unwrap();
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
    producer.push(&sound(5, 24_000)).unwrap();
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

/// The real thing: another process records, says what is sealed and discarded, and is killed.
#[tokio::test]
async fn killed_what_was_announced_is_there_once_and_what_was_discarded_is_not() {
    if let Some(folder) = std::env::var_os("AFTERBEEP_TEST_SPOOL") {
        return record_until_killed(Path::new(&folder)).await;
    }
    let name =
        "spool::crash::killed_what_was_announced_is_there_once_and_what_was_discarded_is_not";
    for lines in [1, 7, 20, 45, 90] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env("AFTERBEEP_TEST_SPOOL", folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut fates = HashMap::new();
        let mut note = |line: std::io::Result<String>| {
            let line = line.unwrap();
            let words: Vec<_> = line.split_whitespace().collect();
            if let [.., what @ ("sealed" | "discarded"), id] = words[..] {
                fates.insert(MessageId(id.parse().unwrap()), what == "sealed");
            }
        };
        said.by_ref().take(lines).for_each(&mut note);
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said and we had not read yet counts as well.
        said.for_each(note);
        let (after, found) = House::open(folder);
        for (id, is_kept) in &fates {
            let found: Vec<_> = found.iter().filter(|it| it.take.id == *id).collect();
            // A discard under way when it was killed may or may not have happened; these did.
            if *is_kept && !found.is_empty() {
                assert!(!found[0].interrupted && found.len() == 1);
                let bytes = after.spool.read_encoded(*id).unwrap().1;
                assert_eq!(bytes, sound(id.0.as_u128() as u64, 9_000));
            }
            let is_third = id.0.as_u128().is_multiple_of(3);
            assert!(found.len() == usize::from(*is_kept) || is_third, "{id}: {is_kept}");
            assert!(*is_kept || found.is_empty(), "{id} came back");
        }
        println!("after {lines} lines: {} announced, {} found", fates.len(), found.len());
    }
}

async fn record_until_killed(folder: &Path) {
    let settings = Settings { segment_bytes: 100_000, ..settings(folder) };
    let (spool, _) = Spool::open(&settings).unwrap();
    let say = |what: &str, id| println!("\n{what} {id}");
    loop {
        let takes: Vec<_> = (0..5)
            .map(|_| {
                let id = MessageId(Uuid::now_v7());
                let (producer, recording) = spool.begin(id, label(), Codec::Pcmu, rules()).unwrap();
                (feed(producer, sound(id.0.as_u128() as u64, 9_000)), recording)
            })
            .collect();
        for (feeding, mut recording) in takes {
            feeding.await.unwrap();
            recording.ends();
            let id = sealed(&mut recording).await.take.id;
            say("sealed", id);
            if id.0.as_u128().is_multiple_of(3) {
                spool.discard(id).await.unwrap();
                say("discarded", id);
            }
        }
    }
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
        let (spool, found) = reopened(&settings(whole.path()));
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
