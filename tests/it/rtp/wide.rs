//! G.722 and Opus: played as they were encoded, recorded in pieces.

use afterbeep::audio::piece::Piece;

use super::*;

const OPUS: u8 = 96;

/// A packet of Opus, 20 ms of nonsense in SILK that is told by its number.
fn packet(number: u8) -> Vec<u8> {
    [&[0x48, number][..], &vec![number; usize::from(number % 40)]].concat()
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Sound(u16, Vec<u8>),
    Lost(u64),
    Silence(u64),
}

/// Pieces, with losses and silences that follow each other in one.
fn pieces(mut row: &[u8]) -> Vec<Heard> {
    let mut heard = vec![];
    while let Some((piece, rest)) = Piece::read(row).unwrap() {
        match (piece, heard.last_mut()) {
            (Piece::Lost(more), Some(Heard::Lost(ticks)))
            | (Piece::Silence(more), Some(Heard::Silence(ticks))) => *ticks += u64::from(more),
            (Piece::Sound(ticks, sound), _) => heard.push(Heard::Sound(ticks, sound.to_vec())),
            (Piece::Lost(ticks), _) => heard.push(Heard::Lost(ticks.into())),
            (Piece::Silence(ticks), _) => heard.push(Heard::Silence(ticks.into())),
        }
        row = rest;
    }
    heard
}

/// The pieces of a recording that was ended by `stop_recording`: what a busy machine adds behind
/// the last packet is not looked at.
fn spoken(row: &[u8]) -> Vec<Heard> {
    let mut heard = pieces(row);
    if let Some(Heard::Silence(_)) = heard.last() {
        heard.pop();
    }
    heard
}

fn in_codec(phone: &mut Phone, codec: Codec, payload_type: u8) -> Stream {
    phone.header.payload_type = payload_type;
    Stream { codec, payload_type, payload_type_in: payload_type, ..phone.stream() }
}

async fn recording(leg: &mut Leg, codec: Codec) -> ring::Reader {
    let (recorder, sound) = Recorder::new(codec, u64::MAX);
    leg.record(recorder);
    settled(leg).await;
    sound
}

impl Phone {
    /// A packet of Opus, 20 ms after the one before.
    async fn say_packet(&mut self, packet: &[u8]) {
        self.send(self.header, packet).await;
        self.skip_packet();
    }

    fn skip_packet(&mut self) {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(960);
    }
}

#[tokio::test]
async fn a_clip_is_played_in_g722_byte_for_byte() {
    let (one, other) = (clip(1_000), clip(2_345));
    one.prepare(Codec::G722);
    other.prepare(Codec::G722);
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(in_codec(&mut phone, Codec::G722, 9)).unwrap();
    leg.play(vec![one.clone(), other.clone()], 7);
    let got = phone.get_many(21).await;
    let mut expected = [&one.encoded(Codec::G722)[..], &other.encoded(Codec::G722)[..]].concat();
    expected.resize(21 * 160, 0xfd);
    assert_same(&got.iter().flat_map(|it| it.payload.clone()).collect::<Vec<_>>(), &expected);
    let steps =
        got.windows(2).map(|it| it[1].header.timestamp.wrapping_sub(it[0].header.timestamp));
    assert!(steps.into_iter().all(|it| it == 160), "its clock counts 8,000 a second");
    assert_eq!(next(&mut leg).await, super::Heard::Played(7));
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn a_clip_is_played_in_opus_packet_by_packet() {
    let (one, other) = (clip(1_600), clip(3_200));
    let packets: Vec<Vec<u8>> = [&one, &other]
        .iter()
        .flat_map(|clip| {
            clip.prepare(Codec::Opus);
            let encoded = clip.ready(Codec::Opus).unwrap();
            (0..).map_while(|it| encoded.packet(it).map(<[u8]>::to_vec)).collect::<Vec<_>>()
        })
        .collect();
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    let stream = in_codec(&mut phone, Codec::Opus, OPUS);
    leg.connect(Stream { ptime_ms: 60, ..stream }).unwrap();
    leg.play(vec![one, other], 7);
    let got = phone.get_many(packets.len()).await;
    let first = got[0].header;
    for (n, (got, packet)) in got.iter().zip(&packets).enumerate() {
        assert_eq!(got.payload, *packet);
        assert_eq!(got.header.payload_type, OPUS);
        assert_eq!(got.header.timestamp.wrapping_sub(first.timestamp), n as u32 * 960);
    }
    assert_eq!(next(&mut leg).await, super::Heard::Played(7));
}

#[tokio::test]
async fn what_is_not_encoded_yet_is_waited_for() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(in_codec(&mut phone, Codec::G722, 9)).unwrap();
    let clip = clip(1_600);
    leg.play(vec![clip.clone()], 7);
    let (recorder, mut sound) = Recorder::new(Codec::G722, u64::MAX);
    leg.record(recorder);
    leg.stop_recording();
    heard(&mut sound, usize::MAX).await;
    assert_eq!(leg.stats().sent, 0);
    clip.prepare(Codec::G722);
    phone.get_many(10).await;
    assert_eq!(next(&mut leg).await, super::Heard::Played(7));
}

#[tokio::test]
async fn opus_is_recorded_packet_by_packet_in_order() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(in_codec(&mut phone, Codec::Opus, OPUS)).unwrap();
    let mut sound = recording(&mut leg, Codec::Opus).await;
    let mut sent = vec![];
    for number in 0..40 {
        sent.push((phone.header, packet(number)));
        phone.skip_packet();
    }
    sent.swap(4, 5);
    sent.insert(9, sent[7].clone());
    let lost = [20, 33, 34];
    for (_, (header, packet)) in sent.iter().enumerate().filter(|(n, _)| !lost.contains(n)) {
        phone.send(*header, packet).await;
    }
    leg.stop_recording();

    let said = |number: u8| Heard::Sound(160, packet(number));
    // One came twice, so in numbers what is lost is one less.
    let mut expected: Vec<_> = (0..40).map(said).collect();
    expected[19] = Heard::Lost(160);
    expected.splice(32..34, [Heard::Lost(320)]);
    assert_eq!(spoken(&heard(&mut sound, usize::MAX).await), expected);
    settled(&mut leg).await;
    assert_eq!(plane.counters().concealed, 480);
}

#[tokio::test]
async fn a_sender_of_opus_who_pauses_is_silent_for_so_long() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(in_codec(&mut phone, Codec::Opus, OPUS)).unwrap();
    let mut sound = recording(&mut leg, Codec::Opus).await;
    phone.say_packet(&packet(1)).await;
    // No number is missing: this is discontinuous transmission.
    phone.header.timestamp = phone.header.timestamp.wrapping_add(960 * 5);
    phone.say_packet(&packet(2)).await;
    leg.stop_recording();
    let said = |number: u8| Heard::Sound(160, packet(number));
    let expected = [said(1), Heard::Silence(800), said(2)];
    assert_eq!(spoken(&heard(&mut sound, usize::MAX).await), expected);
}

#[tokio::test]
async fn what_is_no_packet_of_opus_is_dropped_and_packets_may_be_of_any_length() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(in_codec(&mut phone, Codec::Opus, OPUS)).unwrap();
    let mut sound = recording(&mut leg, Codec::Opus).await;
    // Two frames of 60 ms; none at all; 63 of 20 ms; one of 10.
    let long = vec![0x59, 1, 2, 3];
    phone.say_packet(&long).await;
    phone.header.timestamp = phone.header.timestamp.wrapping_add(5 * 960);
    for junk in [&[][..], &[0x4b, 0x00], &[0x4b, 0x3f]] {
        phone.send(phone.header, junk).await;
    }
    phone.say_packet(&[0x40, 9]).await;
    leg.stop_recording();
    let expected = [Heard::Sound(960, long), Heard::Sound(80, vec![0x40, 9])];
    assert_eq!(spoken(&heard(&mut sound, usize::MAX).await), expected);
}

#[tokio::test]
async fn the_clock_of_opus_may_run_over() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(in_codec(&mut phone, Codec::Opus, OPUS)).unwrap();
    let mut sound = recording(&mut leg, Codec::Opus).await;
    phone.header.timestamp = u32::MAX - 5_000;
    for number in 0..20 {
        phone.say_packet(&packet(number)).await;
    }
    leg.stop_recording();
    let expected: Vec<_> = (0..20).map(|number| Heard::Sound(160, packet(number))).collect();
    assert_eq!(spoken(&heard(&mut sound, usize::MAX).await), expected);
}

#[tokio::test]
async fn g722_is_recorded_as_it_came_and_its_losses_are_told() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(in_codec(&mut phone, Codec::G722, 9)).unwrap();
    let mut sound = recording(&mut leg, Codec::G722).await;
    let said = voice(1, 1_600);
    for (n, frame) in said.chunks(160).enumerate() {
        if n == 4 {
            phone.header.sequence = phone.header.sequence.wrapping_add(1);
            phone.header.timestamp = phone.header.timestamp.wrapping_add(160);
        } else {
            phone.say(frame).await;
        }
    }
    leg.stop_recording();
    let (mut bytes, mut lost) = (vec![], 0);
    for piece in spoken(&heard(&mut sound, usize::MAX).await) {
        match piece {
            Heard::Sound(ticks, sound) => {
                assert_eq!(usize::from(ticks), sound.len());
                bytes.extend(sound);
            }
            Heard::Lost(ticks) => {
                assert_eq!(bytes.len(), 640);
                lost += ticks;
            }
            Heard::Silence(_) => panic!("nobody was silent"),
        }
    }
    assert_eq!((bytes, lost), ([&said[..640], &said[800..]].concat(), 160));
}

#[tokio::test]
async fn a_codec_changes_between_two_packets() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut before = record(&mut leg, u64::MAX).await;
    let said = voice(1, 1_600);
    phone.say_all(&said).await;
    assert_same(&heard(&mut before, 1_600).await, &said);
    let stream = in_codec(&mut phone, Codec::Opus, OPUS);
    let (recorder, mut after) = Recorder::new(Codec::Opus, u64::MAX);
    leg.change(stream, recorder).unwrap();
    settled(&mut leg).await;
    phone.say_packet(&packet(1)).await;
    leg.stop_recording();
    let rest = heard(&mut before, usize::MAX).await;
    assert!(rest.iter().all(|it| *it == Law::Mu.silence()), "sound after the change");
    let heard = spoken(&heard(&mut after, usize::MAX).await);
    assert_eq!(heard.last(), Some(&Heard::Sound(160, packet(1))));
    assert!(heard.len() <= 2, "{heard:?}");
}

#[tokio::test]
async fn a_stream_with_another_clock_has_another_name() {
    let plane = plane();
    let (leg, mut phone) = call(&plane).await;
    let clip = clip(8_000);
    clip.prepare(Codec::G722);
    leg.play(vec![clip.clone()], 1);
    let first = phone.get().await.header;
    leg.connect(in_codec(&mut phone, Codec::G722, 9)).unwrap();
    let same = loop {
        let header = phone.get().await.header;
        if header.payload_type == 9 {
            break header;
        }
    };
    assert_eq!(same.ssrc, first.ssrc);
    leg.connect(in_codec(&mut phone, Codec::Opus, OPUS)).unwrap();
    clip.prepare(Codec::Opus);
    if cfg!(feature = "opus") {
        let other = loop {
            let header = phone.get().await.header;
            if header.payload_type == OPUS {
                break header;
            }
        };
        assert_ne!(other.ssrc, first.ssrc);
        assert!(other.marker, "the first packet of a stream is marked");
    }
}

#[tokio::test]
async fn keys_beside_opus_are_heard_by_either_clock() {
    let plane = plane();
    for event_clock in [8_000, 48_000] {
        let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
        let mut phone = Phone::calling(&leg).await;
        let stream = in_codec(&mut phone, Codec::Opus, OPUS);
        leg.connect(Stream { event_clock, ..stream }).unwrap();
        settled(&mut leg).await;
        for key in "159#".chars() {
            let mut press = Press::new(key, 80).unwrap();
            phone.header.timestamp = phone.header.timestamp.wrapping_add(9_600);
            while let Some(event) = press.next_at(160, event_clock) {
                phone.send(Header { payload_type: EVENTS, ..phone.header }, &event).await;
                phone.header.sequence = phone.header.sequence.wrapping_add(1);
            }
            assert_eq!(next(&mut leg).await, super::Heard::Digit(key));
        }
    }
}
