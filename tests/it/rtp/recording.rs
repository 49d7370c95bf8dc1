//! What is recorded.

use super::*;

#[tokio::test]
async fn what_is_recorded_is_what_was_said() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    phone.say_all(&voice(9, 3_200)).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    let said = voice(1, 8_000);
    phone.say_all(&said).await;
    leg.stop_recording();
    assert_recorded(&heard(&mut sound, usize::MAX).await, &said);
    assert_eq!(plane.counters().concealed, 0);
}

#[tokio::test]
async fn a_law_is_recorded_as_it_came_or_as_the_recorder_wants_it() {
    let plane = plane();
    for codec in [Codec::Pcma, Codec::Pcmu] {
        let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
        let mut phone = Phone::calling(&leg).await;
        phone.header.payload_type = 8;
        let stream = Stream { codec: Codec::Pcma, payload_type: 8, ..phone.stream() };
        leg.connect(stream).unwrap();
        let (recorder, mut sound) = Recorder::new(codec, u64::MAX);
        leg.record(recorder);
        settled(&mut leg).await;
        let said = voice(2, 4_000);
        phone.say_all(&said).await;
        leg.stop_recording();
        let expected: Vec<u8> = match codec {
            Codec::Pcma => said,
            _ => said.iter().map(|it| Law::Mu.encode(Law::A.decode(*it))).collect(),
        };
        assert_same(&heard(&mut sound, usize::MAX).await, &expected);
    }
}

#[tokio::test]
async fn a_recording_that_is_replaced_ends_where_the_next_begins() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut first = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(1, 1_600)).await;
    assert_same(&heard(&mut first, 1_600).await, &voice(1, 1_600));
    let mut second = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(2, 1_600)).await;
    leg.stop_recording();
    assert!(heard(&mut first, usize::MAX).await.is_empty());
    assert_recorded(&heard(&mut second, usize::MAX).await, &voice(2, 1_600));
}

#[tokio::test]
async fn with_lost_late_and_doubled_packets_nothing_moves() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    let said = voice(3, 8_000);
    let mut packets: Vec<(Header, &[u8])> = vec![];
    for frame in said.chunks(160) {
        packets.push((phone.header, frame));
        phone.header.sequence = phone.header.sequence.wrapping_add(1);
        phone.header.timestamp = phone.header.timestamp.wrapping_add(160);
    }
    packets.swap(4, 5);
    packets.insert(9, packets[7]);
    let lost = [20, 33, 34];
    let kept = packets.iter().enumerate().filter(|(n, _)| !lost.contains(n));
    for (_, (header, frame)) in kept {
        phone.send(*header, frame).await;
    }
    leg.stop_recording();
    let recorded = heard(&mut sound, usize::MAX).await;
    assert_eq!(recorded.len(), said.len());
    // One behind the copy: packets 19, 32 and 33 are missing.
    for (n, (got, sent)) in recorded.chunks(160).zip(said.chunks(160)).enumerate() {
        assert!(got == sent || [19, 32, 33].contains(&n), "packet {n}");
    }
    assert_eq!(plane.counters().concealed, 480);
}

#[tokio::test]
async fn a_recording_stops_at_its_longest() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, 1_000).await;
    phone.say_all(&voice(1, 3_200)).await;
    assert_eq!(next(&mut leg).await, Heard::RecordingDone);
    assert_same(&heard(&mut sound, usize::MAX).await, &voice(1, 1_000));
}

#[tokio::test]
async fn a_recording_nobody_empties_fails_aloud() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let (ring, sound) = ring::of(1_000, 1_000);
    leg.record(Recorder { ring, codec: Codec::Pcmu, at_most: u64::MAX });
    settled(&mut leg).await;
    phone.say_all(&voice(1, 3_200)).await;
    assert_eq!(next(&mut leg).await, Heard::RecordingFailed);
    assert!(sound.is_abandoned());
    assert_eq!(plane.counters().failed, 1);
}

#[tokio::test]
async fn while_a_phone_is_silent_the_recording_goes_on_in_silence() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(1, 1_600)).await;
    let recorded = heard(&mut sound, 1_600 + 800).await;
    assert_same(&recorded[..1_600], &voice(1, 1_600));
    assert!(recorded[1_600..].iter().all(|it| *it == Law::Mu.silence()));
}

/// Spoken in real time, as calls are, so that the threads have their whole work.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn fifty_calls_are_recorded_at_once_without_a_gap() {
    for _ in 0..3 {
        if fifty_calls().await {
            return;
        }
    }
    panic!("three times the phones stood still: this machine is too busy");
}

/// `false` when the phones themselves made a gap.
async fn fifty_calls() -> bool {
    const FRAMES: usize = 150;
    const STANDSTILL: Duration = Duration::from_millis(450);
    let plane = plane();
    let mut calls = vec![];
    for n in 0..50 {
        let (mut leg, phone) = call(&plane).await;
        let sound = record(&mut leg, u64::MAX).await;
        calls.push((leg, phone, sound, voice(n, FRAMES * 160)));
    }
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    let (mut last, mut longest) = (tokio::time::Instant::now(), Duration::ZERO);
    for frame in 0..FRAMES {
        beat.tick().await;
        longest = longest.max(last.elapsed());
        last = tokio::time::Instant::now();
        for (_, phone, _, said) in &mut calls {
            phone.say(&said[frame * 160..][..160]).await;
        }
    }
    calls.iter().for_each(|(leg, ..)| leg.stop_recording());
    if longest > STANDSTILL {
        return false;
    }
    for (_, _, sound, said) in &mut calls {
        assert_recorded(&heard(sound, usize::MAX).await, said);
    }
    let counters = plane.counters();
    assert_eq!((counters.concealed, counters.late, counters.failed), (0, 0, 0));
    assert_eq!((counters.received, counters.legs), (50 * FRAMES as u64, 50));
    true
}
