//! Hold music for phone systems that do as RFC 7088 says: they hold a call by telling us where the sound of
//! whoever is on hold goes, and them what we say of ours.
//!
//! Three are in it: the one who holds (signalling at 127.0.0.1, and no sound), whoever is on hold (sound at
//! another address, in words of their own), and we.

use std::time::Duration;

use afterbeep::audio::{Codec, g711::Law, resample::resample};

use super::hold::{HIGH, LOW, MIDDLE, add, lengths, told, tone};
use super::secure::{secret_phone, secured};
use super::{DEAF, decoded};
use crate::house::House;
use crate::phone::holding::Heard;
use crate::phone::secure::gate;
use crate::phone::{Call, Phone, status, wide::Ear};

/// Where whoever is on hold hears, and where somebody else would.
const HELD: &str = "127.0.0.2";
const OTHER: &str = "127.0.0.3";

/// Packets in a second.
const SECOND: usize = 50;

/// What somebody at this phone's sound offers: formats by number, each with the name it needs.
fn offer(call: &Call, formats: &[(u8, &str)], direction: &str) -> String {
    let numbers: String = formats.iter().map(|it| format!(" {}", it.0)).collect();
    let named = formats.iter().filter(|it| !it.1.is_empty());
    let named: String =
        named.map(|(number, name)| format!("a=rtpmap:{number} {name}\r\n")).collect();
    let plain = call.description(direction).unwrap();
    let (head, stream) = plain.split_once("m=audio ").unwrap();
    let port = stream.split(' ').next().unwrap();
    let keys = stream.lines().filter(|it| it.starts_with("a=crypto:"));
    let keys: String = keys.map(|it| format!("{it}\r\n")).collect();
    let profile = if keys.is_empty() { "RTP/AVP" } else { "RTP/SAVP" };
    format!(
        "{head}m=audio {port} {profile}{numbers}\r\n{named}{keys}a=ptime:20\r\na={direction}\r\n"
    )
}

/// The numbers of the formats in a description.
fn numbers(sdp: &str) -> Vec<u8> {
    let stream = sdp.lines().find(|it| it.starts_with("m=audio ")).unwrap();
    stream.split(' ').skip(3).map(|it| it.trim().parse().unwrap()).collect()
}

/// What packets sound like to somebody who takes them for this codec, at 8 kHz.
fn sound(heard: &[Heard], codec: Codec) -> Vec<i16> {
    let bytes = || heard.iter().flat_map(|it| it.payload.clone()).collect::<Vec<u8>>();
    let mut ear = match codec {
        Codec::Pcmu => return decoded(&bytes()),
        Codec::Pcma => return bytes().into_iter().map(|it| Law::A.decode(it)).collect(),
        Codec::G722 => Ear::new(9),
        Codec::Opus => Ear::new(111),
    };
    let wide: Vec<i16> = heard.iter().flat_map(|it| ear.hear(Some(&it.payload))).collect();
    resample(&wide, 16_000, 8_000)
}

/// That nothing is missing between packets, and all have this number.
#[track_caller]
fn assert_whole(heard: &[Heard], payload_type: u8) {
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "something is missing");
    }
    let other = heard.iter().find(|it| it.payload_type != payload_type);
    assert!(other.is_none(), "{:?} and not {payload_type}", other.map(|it| it.payload_type));
}

fn house() -> House {
    let house = House::start(DEAF);
    add(
        &house,
        "default",
        &[("low", LOW, 1_000), ("middle", MIDDLE, 1_000), ("high", HIGH, 1_000)],
    );
    house
}

/// §2.1: whoever is on hold offers, the one who holds passes that to us and our answer back, and takes the
/// call off hold with a BYE to us. Then the same again.
#[tokio::test]
async fn who_is_held_hears_music_until_they_are_taken_off_hold_and_again_when_they_are_held_again()
{
    let house = house();
    for _ in 0..2 {
        let phone = Phone::for_another(HELD).await.unwrap();
        let theirs = |call: &Call| {
            offer(
                call,
                &[(99, "opus/48000/2"), (8, ""), (0, ""), (97, "telephone-event/8000")],
                "recvonly",
            )
        };
        let (mut call, answer) = phone.call_offering(house.sip, "moh", theirs).await.unwrap();
        // Our answer goes to them as it is, so it must speak of their numbers and of nothing else.
        assert!(answer.contains("a=sendonly"), "{answer}");
        let spoken = numbers(&answer)[0];
        let codec = if cfg!(feature = "opus") { Codec::Opus } else { Codec::Pcma };
        assert_eq!(spoken, if codec == Codec::Opus { 99 } else { 8 }, "{answer}");
        let heard = call.packets(SECOND * 3 / 2).await.unwrap();
        assert_whole(&heard, spoken);
        assert_eq!(told(&sound(&heard, codec)), [LOW, MIDDLE]);
        // They are no longer ours when BYE is answered.
        let silent = call.hand_over(HELD).await.unwrap();
        call.hang_up().await.unwrap();
        let mut rest = [0; 2_048];
        let ended = tokio::time::timeout(Duration::from_secs(1), async {
            loop {
                let quiet = Duration::from_millis(300);
                if tokio::time::timeout(quiet, silent.recv_from(&mut rest)).await.is_err() {
                    break;
                }
            }
        });
        ended.await.expect("music goes on after the call was taken off hold");
    }
}

/// §2.1, the other way round: we offer, whoever is on hold answers, and hears what they chose.
#[tokio::test]
async fn our_offer_is_for_whoever_is_held_and_their_answer_decides() {
    let house = house();
    for (number, name, codec) in [
        (8, "", Codec::Pcma),
        (0, "", Codec::Pcmu),
        (9, "", Codec::G722),
        (8, "PCMA/8000/1", Codec::Pcma),
    ] {
        let phone = Phone::for_another(HELD).await.unwrap();
        let answer = |call: &Call, ours: &str| {
            assert!(numbers(ours).contains(&number), "{ours}");
            offer(call, &[(number, name)], "recvonly")
        };
        let (mut call, ours) = phone.call_asking(house.sip, "moh", answer).await.unwrap();
        assert!(ours.contains("a=sendonly"), "{ours}");
        let heard = call.packets(SECOND / 2).await.unwrap();
        assert_whole(&heard, number);
        assert_eq!(told(&sound(&heard, codec)), [LOW], "{codec:?}");
        call.hang_up().await.unwrap();
    }
}

/// §2.8: the numbers are those that whoever is on hold used before, with whomever; they change codecs in the
/// middle, or give one another number. Each is spoken as it is numbered, and the music goes on.
#[tokio::test]
async fn codecs_may_have_any_number_and_change_in_the_middle() {
    let house = house();
    let phone = Phone::for_another(HELD).await.unwrap();
    let first = |call: &Call| offer(call, &[(0, ""), (101, "telephone-event/8000")], "recvonly");
    let (mut call, _) = phone.call_offering(house.sip, "moh", first).await.unwrap();
    let mut heard = sound(&call.packets(SECOND / 2).await.unwrap(), Codec::Pcmu);
    let mut last = call.packets(1).await.unwrap().remove(0);
    for (formats, codec) in [
        (&[(96, "PCMA/8000"), (0, "")][..], Codec::Pcma),
        (&[(18, "G729/8000"), (101, "G722/8000"), (8, "")], Codec::G722),
        (&[(0, ""), (97, "telephone-event/8000")], Codec::Pcmu),
        #[cfg(feature = "opus")]
        (&[(127, "OPUS/48000/2"), (0, "")], Codec::Opus),
        (&[(105, "pcmu/8000"), (127, "speex/8000")], Codec::Pcmu),
        (&[(110, "VP8/90000"), (9, ""), (0, "")], Codec::G722),
    ] {
        let theirs = offer(&call, formats, "recvonly");
        let answer = call.offer_as("INVITE", &theirs).await.unwrap();
        assert_eq!(status(&answer), 200, "{theirs}");
        let number = numbers(&answer)[0];
        assert!(formats.iter().any(|it| it.0 == number), "{answer}");
        let mut packets = call.packets(SECOND / 2).await.unwrap();
        assert_eq!(packets[0].sequence, last.sequence.wrapping_add(1), "something is missing");
        // What was on its way is as it was.
        packets.retain(|it| it.payload_type == number);
        assert!(packets.len() > SECOND / 3, "{} packets with {number}", packets.len());
        assert_whole(&packets, number);
        heard.extend(sound(&packets, codec));
        last = packets.pop().unwrap();
    }
    call.hang_up().await.unwrap();
    let tones = told(&heard);
    assert!(tones.len() >= 3, "{tones:?}");
    for (at, tone) in tones.iter().enumerate() {
        assert_eq!(*tone, [LOW, MIDDLE, HIGH][at % 3], "{tones:?}");
    }
}

/// §2.5: whoever is on hold is exchanged for somebody else (a transfer). The music does not begin anew, nothing
/// is left out, and who is gone hears no more.
#[tokio::test]
async fn somebody_else_may_take_the_place_of_who_is_held() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 3_000), ("middle", MIDDLE, 3_000)]);
    let file = tone(&house, "welcome", HIGH, 1_500);
    house.run(&["announcement", "set", "welcome", "--file", file.to_str().unwrap()]);
    house.run(&["moh", "set", "--intro", "welcome"]);

    let phone = Phone::for_another(HELD).await.unwrap();
    let theirs = |call: &Call| offer(call, &[(0, "")], "recvonly");
    let (mut call, _) = phone.call_offering(house.sip, "moh", theirs).await.unwrap();
    let first = sound(&call.packets(SECOND * 5 / 2).await.unwrap(), Codec::Pcmu);
    assert_eq!(told(&first), [HIGH, LOW]);
    let gone = call.hand_over(OTHER).await.unwrap();
    let theirs = offer(&call, &[(8, ""), (0, "")], "recvonly");
    assert_eq!(status(&call.offer_as("INVITE", &theirs).await.unwrap()), 200);
    let second = sound(&call.packets(SECOND * 5 / 2).await.unwrap(), Codec::Pcma);
    assert_eq!(told(&second), [LOW, MIDDLE], "{:?}", lengths(&second));
    call.hang_up().await.unwrap();

    // Together they heard all of it. What came between is at the one who is gone.
    let (mut between, mut bytes) = (0, [0; 2_048]);
    while let Ok(received) =
        tokio::time::timeout(Duration::from_millis(200), gone.recv_from(&mut bytes)).await
    {
        between += usize::from(received.is_ok()) * 20;
    }
    assert!(between < 500, "{between} ms of music went to somebody who is gone");
    let low = lengths(&first)[1] + between + lengths(&second)[0];
    assert!(low.abs_diff(3_000) <= 100, "{low} ms of 3000 were heard");
}

/// §2.7: a re-INVITE of whoever is on hold without an offer is passed to us as one. What we offer may be for
/// anybody, so it is all that we speak.
#[tokio::test]
async fn a_reinvite_without_an_offer_is_given_all_that_we_speak() {
    let house = house();
    let phone = Phone::for_another(HELD).await.unwrap();
    let theirs = |call: &Call| offer(call, &[(8, "")], "recvonly");
    let (mut call, _) = phone.call_offering(house.sip, "moh", theirs).await.unwrap();
    assert_eq!(call.packets(5).await.unwrap().len(), 5);

    let (ours, number) = call.ask_for_offer().await.unwrap();
    let offered = numbers(&ours);
    assert_eq!(offered[0], 8, "what is spoken comes first: {ours}");
    assert!([0, 9].iter().all(|it| offered.contains(it)), "{ours}");
    assert!(ours.contains("a=sendonly"), "{ours}");
    // Two offers at once cannot be told apart: until ours is answered theirs has to wait.
    let theirs = offer(&call, &[(0, "")], "recvonly");
    for method in ["INVITE", "UPDATE"] {
        assert_eq!(status(&call.offer_as(method, &theirs).await.unwrap()), 491, "{method}");
    }
    call.hand_over(OTHER).await.unwrap();
    let answer = offer(&call, &[(9, "")], "recvonly");
    call.take_offer(number, &answer).await.unwrap();
    let heard = call.packets(SECOND).await.unwrap();
    assert_whole(&heard, 9);
    assert_eq!(heard.len(), SECOND);
    assert!(!told(&sound(&heard, Codec::G722)).is_empty());
    call.hang_up().await.unwrap();
}

/// How something is called, what it is answered, and how it is offered.
type Way<'a> = (&'a str, &'a str, &'a dyn Fn(&Call, &str) -> String);

/// Who does not listen is sent nothing, whatever the way they say so in.
#[tokio::test]
async fn each_direction_has_its_answer_however_it_is_offered() {
    let house = house();
    let plain = |call: &Call, direction: &str| offer(call, &[(0, "")], direction);
    let empty = |call: &Call, _: &str| {
        plain(call, "sendrecv").replace(&format!("c=IN IP4 {HELD}"), "c=IN IP4 0.0.0.0")
    };
    let all: [Way; 5] = [
        ("sendrecv", "a=sendonly", &plain),
        ("sendonly", "a=inactive", &plain),
        ("recvonly", "a=sendonly", &plain),
        ("inactive", "a=inactive", &plain),
        ("empty", "a=inactive", &empty),
    ];
    let phone = Phone::for_another(HELD).await.unwrap();
    let (mut lasting, _) =
        phone.call_offering(house.sip, "moh", |it| plain(it, "sendrecv")).await.unwrap();
    for (direction, expected, theirs) in all {
        let phone = Phone::for_another(HELD).await.unwrap();
        let called = phone.call_offering(house.sip, "moh", |it| theirs(it, direction));
        let (mut call, answer) = called.await.unwrap();
        assert!(answer.contains(expected), "{direction}: {answer}");
        let heard = call.packets(10).await.unwrap().len();
        assert_eq!(heard, if expected == "a=sendonly" { 10 } else { 0 }, "{direction}");
        // Who did not listen at first hears it from the beginning.
        let resumed = call.offer_as("UPDATE", &plain(&call, "recvonly")).await.unwrap();
        assert!(resumed.contains("a=sendonly"), "{direction}: {resumed}");
        let heard = call.packets(10).await.unwrap();
        assert_eq!(told(&sound(&heard, Codec::Pcmu)), [LOW], "{direction}");
        call.hang_up().await.unwrap();

        for method in ["INVITE", "UPDATE"] {
            let changed = theirs(&lasting, direction);
            let answer = lasting.offer_as(method, &changed).await.unwrap();
            assert!(answer.contains(expected), "{method} {direction}: {answer}");
            // What was sent before the answer.
            lasting.hand_over(HELD).await.unwrap();
            let changed = theirs(&lasting, direction);
            assert_eq!(status(&lasting.offer_as(method, &changed).await.unwrap()), 200);
            let heard = lasting.packets(10).await.unwrap().len();
            assert_eq!(heard, if expected == "a=sendonly" { 10 } else { 0 }, "{direction}");
        }
    }
    lasting.hang_up().await.unwrap();
}

/// What cannot be taken is refused, and costs nobody the music they hear.
#[tokio::test]
async fn an_offer_we_cannot_take_is_refused_and_the_music_goes_on() {
    let house = house();
    let phone = Phone::for_another(HELD).await.unwrap();
    let theirs = |call: &Call| offer(call, &[(0, "")], "recvonly");
    let (mut call, _) = phone.call_offering(house.sip, "moh", theirs).await.unwrap();
    let strange = offer(&call, &[(18, ""), (4, "")], "recvonly");
    assert_eq!(status(&call.offer_as("INVITE", &strange).await.unwrap()), 488);
    assert_eq!(status(&call.offer_as("UPDATE", &strange).await.unwrap()), 488);
    let heard = call.packets(SECOND * 3 / 2).await.unwrap();
    assert_whole(&heard, 0);
    assert_eq!(told(&sound(&heard, Codec::Pcmu)), [LOW, MIDDLE]);
    call.hang_up().await.unwrap();
}

/// Whoever is on hold says nothing, for hours.
#[tokio::test]
async fn nobody_is_gone_because_they_say_nothing() {
    let house = House::start(&format!("[rtp]\ntimeout = \"1s\"\nheld = \"1s\"\n{DEAF}"));
    add(&house, "default", &[("low", LOW, 1_000)]);
    let phone = Phone::for_another(HELD).await.unwrap();
    let theirs = |call: &Call| offer(call, &[(0, "")], "recvonly");
    let (mut call, _) = phone.call_offering(house.sip, "moh", theirs).await.unwrap();
    assert_eq!(call.packets(4 * SECOND).await.unwrap().len(), 4 * SECOND);
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn music_is_encrypted_for_who_asks_for_that_and_for_who_takes_their_place() {
    let (certificate, house) = secured("");
    add(&house, "default", &[("low", LOW, 1_000), ("middle", MIDDLE, 1_000)]);
    let server = gate(house.sips.unwrap(), &certificate.der).await.unwrap();
    let phone = secret_phone().await;
    let theirs = |call: &Call| offer(call, &[(0, "")], "recvonly");
    let (mut call, answer) = phone.call_offering(server, "moh", theirs).await.unwrap();
    assert!(answer.contains("RTP/SAVP") && answer.contains("a=sendonly"), "{answer}");
    let heard = call.packets(SECOND / 2).await.unwrap();
    assert_eq!(told(&sound(&heard, Codec::Pcmu)), [LOW]);
    call.hand_over("127.0.0.1").await.unwrap();
    let theirs = offer(&call, &[(8, "")], "recvonly");
    assert_eq!(status(&call.offer_as("INVITE", &theirs).await.unwrap()), 200);
    let heard = call.packets(SECOND).await.unwrap();
    assert_whole(&heard, 8);
    assert_eq!(told(&sound(&heard, Codec::Pcma)), [LOW, MIDDLE]);
    // What is encrypted is not suddenly told to everybody.
    let plain = theirs.lines().filter(|it| !it.starts_with("a=crypto:"));
    let plain: String = plain.map(|it| format!("{it}\r\n")).collect();
    let plain = plain.replace("RTP/SAVP", "RTP/AVP");
    assert_eq!(status(&call.offer_as("INVITE", &plain).await.unwrap()), 488);
    call.hang_up().await.unwrap();
}
