//! Takes in G.722 and Opus, takes that change their codec, and spools from before there were any.

use afterbeep::audio::{
    g711::Law,
    g722,
    piece::{HEADER, LONGEST, Piece},
    resample::resample,
};

use super::*;

fn row(pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut bytes = [0; HEADER + LONGEST];
    let write = |it: &Piece<'_>| {
        let length = it.write(&mut bytes);
        bytes[..length].to_vec()
    };
    pieces.iter().flat_map(write).collect()
}

/// Writes pieces whole, as the media plane does.
async fn push(producer: &mut ring::Writer, pieces: &[Piece<'_>]) {
    for piece in pieces {
        let row = row(std::slice::from_ref(piece));
        until("there is room", || producer.push(&row).is_ok()).await;
    }
}

fn sounds(bytes: &[u8]) -> Vec<Piece<'_>> {
    bytes.chunks(160).map(|it| Piece::Sound(it.len() as u16, it)).collect()
}

fn decoded(bytes: &[u8]) -> Vec<i16> {
    let mut samples = vec![];
    g722::Decoder::default().decode(bytes, &mut samples);
    samples
}

#[tokio::test]
async fn a_take_in_g722_is_read_at_16_khz_also_after_a_crash() {
    let house = House::new();
    let bytes = sound(4, 40_000);
    let (mut producer, mut recording) = house.begin(Codec::G722);
    push(&mut producer, &sounds(&bytes)).await;
    push(&mut producer, &[Piece::Silence(800), Piece::Lost(80)]).await;
    drop(producer);
    recording.ends();
    let kept = sealed(&mut recording).await;
    assert_eq!(kept.take.length, Duration::from_micros(40_880 * 125));
    let read = house.spool.read(kept.take.id).unwrap();
    assert_eq!((read.rate, read.samples.len()), (16_000, 2 * 40_880));
    assert!(read.samples[..80_000] == decoded(&bytes), "that is not what was said");
    let (after, found) = house.crash();
    assert_eq!(found, [kept]);
    assert_eq!(after.spool.read(found[0].take.id).unwrap(), read);
}

#[tokio::test]
async fn a_take_in_g722_that_nobody_ended_is_found_up_to_its_last_block() {
    let house = House::new();
    let bytes = sound(4, 16_000);
    let (mut producer, _recording) = house.begin(Codec::G722);
    push(&mut producer, &sounds(&bytes)).await;
    until("it is on disk", || {
        let counted = house.spool.counters();
        counted.safe > 16_000 && counted.safe == counted.bytes
    })
    .await;
    let (after, found) = house.crash();
    assert!(found[0].interrupted && !found[0].take.voiced.is_zero());
    let read = after.spool.read(found[0].take.id).unwrap();
    let all = decoded(&bytes);
    assert!(!read.samples.is_empty() && read.samples[..] == all[..read.samples.len()]);
}

#[tokio::test]
async fn a_take_that_changes_its_codec_loses_nothing_and_has_one_rate() {
    let house = House::new();
    let (narrow, wide, last) = (sound(1, 8_000), sound(2, 8_000), sound(3, 1_234));
    let (producer, mut recording) = house.begin(Codec::Pcma);
    let mut second = recording.go_on(Codec::G722).unwrap();
    let third = recording.go_on(Codec::Pcmu).unwrap();
    // The second begins while the first has not said all it has to say.
    push(&mut second, &sounds(&wide)).await;
    drop(second);
    feed(producer, narrow.clone()).await.unwrap();
    feed(third, last.clone()).await.unwrap();
    recording.ends();
    let kept = sealed(&mut recording).await;
    assert_eq!(kept.take.length, Duration::from_micros(17_234 * 125));
    let up = |bytes: &[u8], law: Law| {
        let samples: Vec<_> = bytes.iter().map(|&it| law.decode(it)).collect();
        resample(&samples, 8_000, 16_000)
    };
    let expected = [up(&narrow, Law::A), decoded(&wide), up(&last, Law::Mu)].concat();
    let read = house.spool.read(kept.take.id).unwrap();
    assert_eq!(read.rate, 16_000);
    assert!(read.samples == expected, "something is lost or stretched");
    let (after, found) = house.crash();
    assert_eq!(after.spool.read(found[0].take.id).unwrap(), read);
}

#[tokio::test]
async fn who_changes_codecs_without_end_is_not_followed() {
    let house = House::new();
    let (_producer, recording) = house.begin(Codec::Pcmu);
    let changes: Vec<_> = (0..100).map_while(|_| recording.go_on(Codec::G722)).collect();
    assert_eq!(changes.len(), 8);
}

#[tokio::test]
async fn a_long_silence_and_a_tone_end_a_take_in_g722() {
    let house = House::new();
    let (mut producer, mut recording) = house.begin(Codec::G722);
    let spoken = sound(1, 16_000);
    push(&mut producer, &sounds(&spoken)).await;
    push(&mut producer, &[Piece::Silence(40_000), Piece::Silence(32_000)]).await;
    let TakeEvent::Verdict(verdict) = next(&mut recording).await else { panic!("no verdict") };
    assert_eq!(verdict.why, Why::Silence);
    drop(producer);
    let length = sealed(&mut recording).await.take.length.as_millis();
    assert!((2_000..=3_000).contains(&length), "{length} ms");

    let (mut producer, mut recording) = house.begin(Codec::G722);
    let busy: Vec<i16> = (0..16_000 * 6)
        .map(|n| {
            let on = n / 8_000 % 2 == 0;
            let turn = f64::from(n) * 425.0 / 16_000.0 * std::f64::consts::TAU;
            if on { (turn.sin() * 6_000.0) as i16 } else { 0 }
        })
        .collect();
    push(&mut producer, &sounds(&g722::Encoder::default().encode(&busy))).await;
    let TakeEvent::Verdict(verdict) = next(&mut recording).await else { panic!("no verdict") };
    assert_eq!(verdict.why, Why::Tone);
}

#[tokio::test]
async fn what_costs_more_to_hear_takes_more_places() {
    let house = House::new();
    let takes: Vec<_> = (0..MOST_TAKES / 2)
        .map_while(|_| {
            loop {
                match house.spool.begin(house.id(), label(), Codec::G722, rules()) {
                    Ok(take) => break Some(take),
                    Err(SpoolError::Busy) if house.spool.counters().recording < MOST_TAKES / 2 => {
                        std::thread::yield_now();
                    }
                    Err(_) => break None,
                }
            }
        })
        .collect();
    assert_eq!(takes.len(), MOST_TAKES / 2);
    let refused = house.spool.begin(house.id(), label(), Codec::Pcmu, rules());
    assert!(matches!(refused, Err(SpoolError::Busy)));
}

/// Blocks as they were written when all sound was G.711.
#[tokio::test]
async fn a_spool_from_before_is_read() {
    let house = House::new();
    let kept = house.record(Codec::Pcma, &sound(5, 9_000)).await;
    let copy = house.copy();
    let path = copy.path().join("00000001.log");
    let mut log = fs::read(&path).unwrap();
    let mut at = 0;
    while at < log.len() {
        let length = u32::from_le_bytes(log[at + 28..at + 32].try_into().unwrap()) as usize;
        log[at + 5] = 0;
        let mut sum = crc32fast::Hasher::new();
        sum.update(&log[at + 4..at + 32]);
        sum.update(&log[at + 36..at + 36 + length]);
        log[at + 32..at + 36].copy_from_slice(&sum.finalize().to_le_bytes());
        at += 36 + length;
    }
    fs::write(&path, log).unwrap();
    let (before, found) = House::open(copy);
    assert_eq!(found, std::slice::from_ref(&kept));
    let read = before.spool.read_encoded(kept.take.id).unwrap();
    assert_eq!(read, (Codec::Pcma, sound(5, 9_000)));
}
