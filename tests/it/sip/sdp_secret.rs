//! Keys in offers and answers (RFC 4568), and what is agreed on with and without them.

use std::net::{IpAddr, SocketAddr};

use afterbeep::{
    audio::Codec,
    sip::{
        NotAcceptable,
        sdp::{Offer, Secrecy, Session, Terms},
    },
    srtp::{Seed, Suite},
};
use base64::{Engine, prelude::BASE64_STANDARD};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const LONG: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==";
const OFFERED: Secrecy = Secrecy { plain: true, secret: true };
const REQUIRED: Secrecy = Secrecy { plain: false, secret: true };

fn here() -> SocketAddr {
    "192.0.2.9:20000".parse().unwrap()
}

fn offer(profile: &str, lines: &[&str]) -> String {
    let keys: String = lines.iter().map(|it| format!("a=crypto:{it}\r\n")).collect();
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 4000 {profile} 0\r\n{keys}"
    )
}

fn read(text: &str, secrecy: Secrecy) -> Result<Offer, NotAcceptable> {
    Offer::read(text.as_bytes(), PEER, Terms { codecs: &[Codec::Pcmu], secrecy })
}

fn session(secrecy: Secrecy) -> Session {
    Session::new(400, here()).secretly(secrecy, Seed::new([7; 32]))
}

fn line_of(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|it| it.strip_prefix("a=crypto:"))
}

#[test]
fn which_offers_are_taken_is_the_policys() {
    let one = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let (savp, both) = (offer("RTP/SAVP", &[&one]), offer("RTP/AVP", &[&one]));
    let savpf = offer("RTP/SAVPF", &[&one]);
    let (plain, useless) = (offer("RTP/AVP", &[]), offer("RTP/SAVP", &["1 F8 inline:x"]));
    let neither = Secrecy { plain: false, secret: false };
    for (text, secrecy, expected) in [
        (&savp, OFFERED, Ok(true)),
        (&savp, REQUIRED, Ok(true)),
        (&savpf, REQUIRED, Ok(true)),
        (&savpf, Secrecy::PLAIN, Err(NotAcceptable::Encrypted)),
        (&savp, Secrecy::PLAIN, Err(NotAcceptable::Encrypted)),
        (&savp, neither, Err(NotAcceptable::Encrypted)),
        (&both, OFFERED, Ok(true)),
        (&both, Secrecy::PLAIN, Ok(false)),
        (&plain, OFFERED, Ok(false)),
        (&plain, REQUIRED, Err(NotAcceptable::Unencrypted)),
        (&plain, neither, Err(NotAcceptable::Unencrypted)),
        (&useless, OFFERED, Err(NotAcceptable::NoCommonCodec)),
    ] {
        let taken = read(text, secrecy);
        let taken = taken.map(|it| it.agreed(&mut session(secrecy)).keys.is_some());
        assert_eq!(taken, expected, "{secrecy:?}\n{text}");
    }
}

#[test]
fn the_answer_has_the_number_and_the_suite_of_the_line_that_is_taken_and_a_key_of_ours() {
    let lines = [
        "1 AES_CM_128_HMAC_SHA1_80 inline:too-short",
        &format!("4 AES_256_CM_HMAC_SHA1_32 inline:{LONG}"),
        &format!("5 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
    ];
    let offer = read(&offer("RTP/SAVP", &lines), OFFERED).unwrap();
    let mut session = session(OFFERED);
    let answer = offer.answer(&mut session);
    assert!(answer.contains("m=audio 20000 RTP/SAVP 0\r\n"), "{answer}");
    let line = line_of(&answer).unwrap();
    assert!(line.starts_with("4 AES_256_CM_HMAC_SHA1_32 inline:") && !line.contains(LONG));
    let keys = offer.agreed(&mut session).keys.unwrap();
    assert_eq!((keys.ours.suite(), keys.theirs.suite()), (Suite::Aes256Tag32, Suite::Aes256Tag32));
    assert_eq!(keys.theirs.material(), [1; 46]);
    assert_ne!(keys.ours.material(), keys.theirs.material());
    // Neither is ever shown.
    let shown = format!("{offer:?} {session:?} {keys:?}");
    assert!(!shown.contains("inline") && !shown.contains("1, 1, 1"), "{shown}");
}

#[test]
fn our_key_stays_until_theirs_changes_and_then_changes_for_good() {
    let with = |suite: &str, key: &str| offer("RTP/SAVP", &[&format!("1 {suite} inline:{key}")]);
    let mut session = session(OFFERED);
    let mut ours =
        |text: &str| read(text, OFFERED).unwrap().agreed(&mut session).keys.unwrap().ours;
    let first = ours(&with("AES_CM_128_HMAC_SHA1_80", KEY));
    assert!(first == ours(&with("AES_CM_128_HMAC_SHA1_80", KEY)), "nothing changed");
    let newcomer = ours(&with("AES_CM_128_HMAC_SHA1_80", &KEY.replace("WVNf", "AAAA")));
    let other = ours(&with("AES_CM_128_HMAC_SHA1_32", KEY));
    let back = ours(&with("AES_CM_128_HMAC_SHA1_80", KEY));
    let mut all = [first, newcomer, other, back].map(|it| it.material().to_vec()).to_vec();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "a key is never used twice");
}

#[test]
fn what_we_answer_is_what_we_agreed_on_and_our_offers_key_stays_whatever_theirs_is() {
    let with = |key: &str| format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key}");
    let (one, other) = (with(KEY), with(&KEY.replace("WVNf", "AAAA")));
    let mut session = session(REQUIRED);
    for line in [&one, &other] {
        let offer = read(&offer("RTP/SAVP", &[line]), REQUIRED).unwrap();
        let agreed = offer.agreed(&mut session).keys.unwrap().ours;
        let told = format!("inline:{}", BASE64_STANDARD.encode(agreed.material()));
        assert!(offer.answer(&mut session).contains(&told));
    }
    let offered = session.offer(&[Codec::Pcmu]);
    let agreed = session.agree(offer("RTP/SAVP", &[&one]).as_bytes(), PEER).unwrap();
    let told = format!("inline:{}", BASE64_STANDARD.encode(agreed.keys.unwrap().ours.material()));
    assert!(offered.contains(&told));
}

#[test]
fn our_own_offer_has_a_key_and_the_answer_must_fit_it() {
    let fine = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let (mut both, mut strict) = (session(OFFERED), session(REQUIRED));
    let (first, second) = (both.offer(&[Codec::Pcmu]), strict.offer(&[Codec::Pcmu]));
    assert!(first.contains("RTP/AVP 0") && line_of(&first).is_some(), "{first}");
    assert!(second.contains("RTP/SAVP 0") && line_of(&second).is_some(), "{second}");
    assert!(line_of(&session(Secrecy::PLAIN).offer(&[Codec::Pcmu])).is_none());
    for wrong in [
        offer("RTP/AVP", &[]),
        offer("RTP/SAVP", &[]),
        offer("RTP/SAVP", &[&fine.replacen('1', "2", 1)]),
        offer("RTP/SAVP", &[&fine.replace("SHA1_80", "SHA1_32")]),
    ] {
        assert!(strict.clone().agree(wrong.as_bytes(), PEER).is_err(), "{wrong}");
    }
    let agreed = strict.agree(offer("RTP/SAVP", &[&fine]).as_bytes(), PEER).unwrap();
    assert!(agreed.keys.is_some());
    // Without a key in the answer the call is a plain one, and stays so.
    let agreed = both.agree(offer("RTP/AVP", &[]).as_bytes(), PEER).unwrap();
    assert!(agreed.keys.is_none() && line_of(&both.offer(&[Codec::Pcmu])).is_none());
}
