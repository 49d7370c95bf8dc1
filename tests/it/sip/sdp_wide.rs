//! Offers with G.722 and Opus, and our own.

use std::net::{IpAddr, Ipv4Addr};

use afterbeep::{
    audio::Codec,
    sip::{
        Media,
        sdp::{Offer, Session},
    },
};

use super::here;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const ALL: &[Codec] = &[Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// An offer of one stream: its formats, and lines about them.
fn offer(stream: &str) -> String {
    let lines = stream.replace('|', "\r\n");
    format!(
        "v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\n\
             m=audio 4000 RTP/AVP {lines}\r\n"
    )
}

fn read(stream: &str, codecs: &[Codec]) -> Option<Offer> {
    Offer::read(offer(stream).as_bytes(), PEER, codecs).ok()
}

/// The codec, its number, and the number and clock of telephone events.
type Agreed = (Codec, u8, Option<(u8, u32)>);

fn agreed(stream: &str) -> Option<Agreed> {
    let media = read(stream, ALL)?.media();
    let events = media.telephone_event.map(|it| (it, media.event_clock));
    Some((media.codec, media.payload_type, events))
}

const OPUS: &str = "a=rtpmap:111 opus/48000/2";
const EVENT: &str = "a=rtpmap:101 telephone-event/8000";
const WIDE_EVENT: &str = "a=rtpmap:110 telephone-event/48000";

#[test]
fn the_callers_first_choice_among_what_is_spoken_is_taken() {
    use Codec::{G722, Opus, Pcma, Pcmu};
    for (stream, expected) in [
        // A static number needs no name, and may have one.
        ("9".to_owned(), Some((G722, 9, None))),
        ("9 0|a=rtpmap:9 G722/8000".into(), Some((G722, 9, None))),
        ("0 9".into(), Some((Pcmu, 0, None))),
        ("97|a=rtpmap:97 g722/8000/1".into(), Some((G722, 97, None))),
        // Its clock is 8,000 whatever it samples at, and a named number is what it is named.
        ("9 8|a=rtpmap:9 G722/16000".into(), Some((Pcma, 8, None))),
        ("9|a=rtpmap:9 G7221/16000".into(), None),
        (format!("111|{OPUS}"), Some((Opus, 111, None))),
        ("96|a=rtpmap:96 OPUS/48000/2".into(), Some((Opus, 96, None))),
        // Opus has two channels and a clock of 48,000 in every description (RFC 7587 §7).
        ("96 0|a=rtpmap:96 opus/48000/1".into(), Some((Pcmu, 0, None))),
        ("96 0|a=rtpmap:96 opus/48000".into(), Some((Pcmu, 0, None))),
        ("96 0|a=rtpmap:96 opus/16000/2".into(), Some((Pcmu, 0, None))),
        ("96".into(), None),
        // Whatever stands in its parameters, what is sent can be decoded.
        (
            format!("111|{OPUS}|a=fmtp:111 stereo=1;cbr=1;usedtx=1;minptime=3"),
            Some((Opus, 111, None)),
        ),
        (format!("111|{OPUS}|a=fmtp:111 ;;=;useinbandfec"), Some((Opus, 111, None))),
        (format!("111|{OPUS}|a=fmtp:999 x"), Some((Opus, 111, None))),
        // Who takes no packets of 20 ms does not get Opus.
        (format!("111 8|{OPUS}|a=maxptime:10"), Some((Pcma, 8, None))),
        // Keys: by the codec's clock if there are such, else by the usual one.
        (
            format!("111 101 110|{OPUS}|{EVENT}|{WIDE_EVENT}"),
            Some((Opus, 111, Some((110, 48_000)))),
        ),
        (format!("111 101|{OPUS}|{EVENT}"), Some((Opus, 111, Some((101, 8_000))))),
        (format!("9 101 110|{EVENT}|{WIDE_EVENT}"), Some((G722, 9, Some((101, 8_000))))),
        (format!("9 110|{WIDE_EVENT}"), Some((G722, 9, None))),
        ("9 101|a=rtpmap:101 telephone-event/16000".into(), Some((G722, 9, None))),
    ] {
        assert_eq!(agreed(&stream), expected, "{stream}");
    }
}

#[test]
fn what_is_not_in_the_settings_is_passed_over() {
    let stream = format!("111 9 0|{OPUS}");
    for (codecs, expected) in [
        (&[Codec::Pcmu][..], Some(Codec::Pcmu)),
        // The caller's order, not ours.
        (&[Codec::Pcmu, Codec::G722], Some(Codec::G722)),
        (&[Codec::Pcma], None),
    ] {
        assert_eq!(read(&stream, codecs).map(|it| it.media().codec), expected);
    }
}

fn stream_of(description: &str) -> String {
    let from = description.find("m=").unwrap();
    description[from..].trim_end().replace("\r\n", " ")
}

#[test]
fn an_answer_says_what_we_want_to_be_sent() {
    let answer =
        |stream: &str| stream_of(&read(stream, ALL).unwrap().answer(&mut Session::new(44, here())));
    assert_eq!(
        answer(&format!("96 111 110|a=rtpmap:96 VP8/90000|{OPUS}|{WIDE_EVENT}|a=ptime:60")),
        "m=audio 20000 RTP/AVP 111 110 a=rtpmap:111 opus/48000/2 \
         a=fmtp:111 maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1 \
         a=rtpmap:110 telephone-event/48000 a=fmtp:110 0-15 a=ptime:20 a=sendrecv"
    );
    assert_eq!(
        answer("9|a=ptime:30"),
        "m=audio 20000 RTP/AVP 9 a=rtpmap:9 G722/8000 a=ptime:30 a=sendrecv"
    );
}

#[test]
fn our_own_offer_names_all_and_each_side_may_number_them_its_way() {
    let mut session = Session::new(44, here());
    let offered = stream_of(&session.offer(ALL));
    assert!(offered.starts_with("m=audio 20000 RTP/AVP 111 9 0 8 101 110 "), "{offered}");
    let mut agree = |stream: &str| session.agree(offer(stream).as_bytes(), PEER);
    let numbers = |it: Media| {
        let numbers = (it.payload_type, it.payload_type_in);
        (it.codec, numbers, it.telephone_event.zip(it.telephone_event_in))
    };
    let same = agree(&format!("111 110|{OPUS}|{WIDE_EVENT}")).unwrap();
    assert_eq!(numbers(same), (Codec::Opus, (111, 111), Some((110, 110))));
    let other = "98 99|a=rtpmap:98 opus/48000/2|a=rtpmap:99 telephone-event/8000";
    assert_eq!(numbers(agree(other).unwrap()), (Codec::Opus, (98, 111), Some((99, 101))));
    assert_eq!(numbers(agree("9").unwrap()), (Codec::G722, (9, 9), None));
    assert!(agree("18").is_err());

    let mut narrow = Session::new(44, here());
    assert!(!narrow.offer(&[Codec::Pcmu]).contains("48000"));
    assert!(narrow.agree(offer("9").as_bytes(), PEER).is_err(), "we did not offer that");
}

#[test]
fn a_number_keeps_its_meaning_for_the_whole_session() {
    let mut session = Session::new(44, here());
    let stream = "101 111|a=rtpmap:101 opus/48000/2|a=rtpmap:111 telephone-event/48000";
    read(stream, ALL).unwrap().answer(&mut session);
    let offered = stream_of(&session.offer(&[Codec::Opus, Codec::Pcmu]));
    assert!(offered.contains("a=rtpmap:101 opus/48000/2"), "{offered}");
    assert!(offered.contains("a=rtpmap:111 telephone-event/48000"), "{offered}");
    assert!(offered.contains("a=rtpmap:102 telephone-event/8000"), "{offered}");
}
