//! Offers as they come, and the answers to them.

use std::net::{IpAddr, Ipv4Addr};

use afterbeep::{
    audio::Codec,
    sip::{
        Media, NotAcceptable,
        sdp::{Offer, Session},
    },
};

use super::here;

/// What is spoken where a test does not say.
const G711: &[Codec] = &[Codec::Pcmu, Codec::Pcma];
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));

fn offer(lines: &str) -> String {
    let lines: Vec<_> = lines.split('|').map(str::trim).collect();
    format!("v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\n{}\r\n", lines.join("\r\n"))
}

fn read(lines: &str) -> Result<Media, NotAcceptable> {
    Offer::read(offer(lines).as_bytes(), PEER, G711).map(|it| it.media())
}

/// The streams of the answer, a line each: `m=` and its attributes.
fn answer(lines: &str) -> Vec<String> {
    let read = Offer::read(offer(lines).as_bytes(), PEER, G711).unwrap();
    let text = read.answer(&mut Session::new(44, here()));
    let mut streams = Vec::<String>::new();
    for line in text.lines() {
        if line.starts_with("m=") {
            streams.push(line.to_owned());
        } else if let Some(stream) = streams.last_mut() {
            stream.push(' ');
            stream.push_str(line);
        }
    }
    streams
}

#[test]
fn odd_offers_get_the_answers_they_need() {
    let plain = "m=audio 20000 RTP/AVP 0 a=rtpmap:0 PCMU/8000 a=ptime:20 a=sendrecv";
    for (offered, expected) in [
        ("c=IN IP4 192.0.2.1|t=0 0|m=audio 4000 RTP/AVP 0", vec![plain]),
        // No t=, unknown lines, bandwidth in the wrong place.
        ("x=what|b=AS:64|c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 0|b=AS:9|z=0", vec![plain]),
        // The offerer's order counts, and static numbers need no rtpmap.
        (
            "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 18 8 0",
            vec!["m=audio 20000 RTP/AVP 8 a=rtpmap:8 PCMA/8000 a=ptime:20 a=sendrecv"],
        ),
        // Numbers are the offerer's, whatever they are.
        (
            "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 97 98|a=rtpmap:97 pcma/8000/1\
             |a=rtpmap:98 telephone-event/8000",
            vec![
                "m=audio 20000 RTP/AVP 97 98 a=rtpmap:97 PCMA/8000 \
                 a=rtpmap:98 telephone-event/8000 a=fmtp:98 0-15 a=ptime:20 a=sendrecv",
            ],
        ),
        // Two clocks of telephone events: the one of the codec.
        (
            "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 0 102 101|a=rtpmap:102 telephone-event/48000\
             |a=rtpmap:101 telephone-event/8000",
            vec![
                "m=audio 20000 RTP/AVP 0 101 a=rtpmap:0 PCMU/8000 \
                 a=rtpmap:101 telephone-event/8000 a=fmtp:101 0-15 a=ptime:20 a=sendrecv",
            ],
        ),
        // Feedback may be given (RFC 4585), and need not.
        (
            "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVPF 0|a=rtcp-fb:0 nack",
            vec!["m=audio 20000 RTP/AVPF 0 a=rtpmap:0 PCMU/8000 a=ptime:20 a=sendrecv"],
        ),
        // Fax and video are refused in their places.
        (
            "c=IN IP4 192.0.2.1|m=image 4002 udptl t38|a=T38FaxVersion:0|m=audio 4000 RTP/AVP 0\
             |m=video 4004 RTP/AVP 96|a=rtpmap:96 VP8/90000",
            vec!["m=image 0 udptl t38", plain, "m=video 0 RTP/AVP 96"],
        ),
        // An encrypted stream and a plain one; a second plain one is not needed.
        (
            "c=IN IP4 192.0.2.1|m=audio 4000 RTP/SAVP 0|a=crypto:1 x|m=audio 4002 RTP/AVP 0\
             |m=audio 4004 RTP/AVP 8",
            vec!["m=audio 0 RTP/SAVP 0", plain, "m=audio 0 RTP/AVP 8"],
        ),
        // A stream that is off already stays off.
        (
            "c=IN IP4 192.0.2.1|m=audio 0 RTP/AVP 0|m=audio 4000 RTP/AVP 0",
            vec!["m=audio 0 RTP/AVP 0", plain],
        ),
        // Hold, in all its spellings.
        (
            "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 0|a=sendonly",
            vec!["m=audio 20000 RTP/AVP 0 a=rtpmap:0 PCMU/8000 a=ptime:20 a=recvonly"],
        ),
        (
            "c=IN IP4 192.0.2.1|a=inactive|m=audio 4000 RTP/AVP 0",
            vec!["m=audio 20000 RTP/AVP 0 a=rtpmap:0 PCMU/8000 a=ptime:20 a=inactive"],
        ),
        (
            "c=IN IP4 0.0.0.0|m=audio 4000 RTP/AVP 0",
            vec!["m=audio 20000 RTP/AVP 0 a=rtpmap:0 PCMU/8000 a=ptime:20 a=recvonly"],
        ),
        (
            "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 0|a=ptime:30|a=rtcp-mux|a=rtcp:4009",
            vec!["m=audio 20000 RTP/AVP 0 a=rtpmap:0 PCMU/8000 a=ptime:30 a=sendrecv"],
        ),
    ] {
        assert_eq!(answer(offered), expected, "{offered}");
    }
}

#[test]
fn what_is_agreed_on_is_what_was_offered() {
    let media =
        |rest: &str| read(&format!("c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP {rest}")).unwrap();
    let simple = media("0");
    assert_eq!(simple.remote, "192.0.2.1:4000".parse().unwrap());
    assert_eq!(simple.remote_rtcp, Some("192.0.2.1:4001".parse().unwrap()));
    assert_eq!((simple.codec, simple.payload_type), (Codec::Pcmu, 0));
    assert_eq!((simple.telephone_event, simple.ptime_ms), (None, 20));
    assert!(simple.send && simple.receive);

    for (asked, given) in [
        ("a=ptime:10", 10),
        ("a=ptime:60", 60),
        ("a=ptime:70", 20),
        ("a=ptime:25", 20),
        ("a=ptime:0", 20),
        ("a=ptime:x", 20),
        ("a=ptime:30.0", 30),
        ("a=maxptime:10", 10),
        ("a=ptime:40|a=maxptime:30", 30),
        ("a=ptime:99999", 20),
        ("a=ptime", 20),
    ] {
        assert_eq!(media(&format!("0|{asked}")).ptime_ms, given, "{asked}");
    }
    for (said, expected) in [
        ("a=rtcp:5000", Some("192.0.2.1:5000")),
        ("a=rtcp:5000 IN IP4 192.0.2.1", Some("192.0.2.1:5000")),
        ("a=rtcp:5000 IN IP4 198.51.100.1", None),
        ("a=rtcp:80", None),
        ("a=rtcp:x", None),
    ] {
        let expected = expected.map(|it| it.parse().unwrap());
        assert_eq!(media(&format!("0|{said}")).remote_rtcp, expected, "{said}");
    }
    for (said, send, receive) in [
        ("a=sendonly", false, true),
        ("a=recvonly", true, false),
        ("a=inactive", false, false),
        ("a=sendrecv", true, true),
        ("c=IN IP4 0.0.0.0", false, true),
    ] {
        let it = media(&format!("0|{said}"));
        assert_eq!((it.send, it.receive), (send, receive), "{said}");
    }
    // A host name is not looked up: sound goes where the call came from.
    let named = read("c=IN IP4 pbx.example|m=audio 4000 RTP/AVP 0").unwrap();
    assert_eq!(named.remote, "192.0.2.9:4000".parse().unwrap());
    // A stream's own address wins.
    let own = read("c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 0|c=IN IP6 2001:db8::1").unwrap();
    assert_eq!(own.remote, "[2001:db8::1]:4000".parse().unwrap());
    // A number that is named for something else is that.
    assert!(read("c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 0|a=rtpmap:0 G729/8000").is_err());
    assert!(read("c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 96|a=rtpmap:96 PCMU/16000").is_err());
}

#[test]
fn what_cannot_be_spoken_or_would_hurt_others_is_refused() {
    use NotAcceptable::{Address, Encrypted, Malformed, NoCommonCodec};
    for (offered, expected) in [
        ("c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 18 9", NoCommonCodec),
        ("c=IN IP4 192.0.2.1|m=audio 0 RTP/AVP 0", NoCommonCodec),
        ("c=IN IP4 192.0.2.1|m=image 4000 udptl t38", NoCommonCodec),
        ("c=IN IP4 192.0.2.1|m=audio 4000 RTP/SAVP 0", Encrypted),
        ("c=IN IP4 192.0.2.1", NoCommonCodec),
        ("m=audio 4000 RTP/AVP 0", Malformed),
        ("c=IN IP4 192.0.2.1|m=audio 99999 RTP/AVP 0", Malformed),
        ("nonsense", Malformed),
        ("c=IN IP4 127.0.0.1|m=audio 4000 RTP/AVP 0", Address),
        ("c=IN IP6 ::ffff:127.0.0.1|m=audio 4000 RTP/AVP 0", Address),
        ("c=IN IP4 224.2.1.1/127|m=audio 4000 RTP/AVP 0", Address),
        ("c=IN IP4 255.255.255.255|m=audio 4000 RTP/AVP 0", Address),
        ("c=IN IP4 169.254.1.1|m=audio 4000 RTP/AVP 0", Address),
        ("c=IN IP4 0.1.2.3|m=audio 4000 RTP/AVP 0", Address),
        ("c=IN IP6 ff02::1|m=audio 4000 RTP/AVP 0", Address),
        ("c=IN IP4 192.0.2.1|m=audio 53 RTP/AVP 0", Address),
    ] {
        assert_eq!(read(offered).unwrap_err(), expected, "{offered}");
    }
}

#[test]
fn the_version_goes_up_exactly_when_the_answer_changes() {
    let one = "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 0";
    let mut session = Session::new(400, here());
    let versions: Vec<_> = [one, one, "c=IN IP4 192.0.2.1|m=audio 4000 RTP/AVP 8", one, one]
        .iter()
        .map(|it| {
            let offer = Offer::read(offer(it).as_bytes(), PEER, G711).unwrap();
            let text = offer.answer(&mut session);
            let origin = text.lines().nth(1).unwrap().to_owned();
            assert_eq!(origin.split(' ').nth(1), Some("100"));
            origin.split(' ').nth(2).unwrap().parse::<u64>().unwrap()
        })
        .collect();
    assert_eq!(versions, [100, 100, 101, 102, 102]);
}

proptest::proptest! {
    /// Whatever is offered, reading it ends, and what is answered has a stream for each offered.
    #[test]
    fn no_offer_breaks_the_answerer(lines in proptest::collection::vec(
        "(m=(audio|video) [0-9]{1,5} RTP/AVP( [0-9]{1,3}){0,4}|c=IN IP4 [0-9.]{1,12}|[a-z]=.{0,20})",
        0..12,
    )) {
        let text = offer(&lines.join("|"));
        if let Ok(read) = Offer::read(text.as_bytes(), PEER, Codec::SPOKEN) {
            let answer = read.answer(&mut Session::new(1, here()));
            let streams = |it: &str| it.lines().filter(|it| it.starts_with("m=")).count();
            proptest::prop_assert!(streams(&answer) == streams(&text).min(16));
        }
    }
}
