#![allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]

use sipx_sip::{Limits, Message, parse_datagram};

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// A guard with one account, and a time to begin at.
fn guard() -> (Guard, Instant) {
    let start = Instant::now();
    (Guard::new(vec![("ann".into(), "secret".into())], start), start)
}

fn request(uri: &str, authorization: &str) -> Request {
    let text = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nTo: <sip:1000@h>\r\n\
         From: <sip:ann@h>;tag=1\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
         {authorization}Content-Length: 0\r\n\r\n"
    );
    match parse_datagram(text.into(), &Limits::datagram()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// What a phone makes of a nonce.
fn proof(nonce: &str, algorithm: Algorithm, user: &str, password: &str, count: u32) -> String {
    let challenge = Challenge {
        realm: REALM.into(),
        nonce: nonce.into(),
        opaque: None,
        algorithm,
        qop_auth: true,
        stale: false,
        from_proxy: false,
    };
    let known = auth::Credentials::new(user, password);
    let value = auth::respond(&challenge, &known, "INVITE", "sip:1000@h", count, "chance");
    format!("Authorization: {value}\r\n")
}

fn right() -> Judgement {
    Judgement::Right("ann".into())
}

#[test]
fn a_password_counts_in_either_algorithm_and_each_count_once() {
    let (guard, now) = guard();
    for algorithm in ALGORITHMS {
        let nonce = guard.nonce(HERE, now);
        let of = |count| {
            let line = proof(&nonce, algorithm, "ann", "secret", count);
            guard.judge(&request("sip:1000@h", &line), HERE, now)
        };
        let found = [of(1), of(1), of(2), of(5), of(4)];
        let stale = Judgement::Stale;
        assert_eq!(found, [right(), stale.clone(), right(), right(), stale], "{algorithm:?}");
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_the_same() {
    let (guard, now) = guard();
    let nonce = guard.nonce(HERE, now);
    for (user, password) in [("ann", "secret!"), ("bob", "secret"), ("", "")] {
        let line = proof(&nonce, Algorithm::Sha256, user, password, 1);
        assert_eq!(guard.judge(&request("sip:1000@h", &line), HERE, now), Judgement::Wrong);
    }
    let line = proof(&nonce, Algorithm::Sha256, "ann", "secret", 1);
    let empty = line.split("response=\"").next().unwrap().to_owned()
        + "response=\"\", qop=auth, \
        nc=00000001, cnonce=\"chance\", algorithm=SHA-256\r\n";
    assert_eq!(guard.judge(&request("sip:1000@h", &empty), HERE, now), Judgement::Wrong);
    assert_eq!(guard.judge(&request("sip:1000@h", &line), HERE, now), right());
}

#[test]
fn a_proof_for_one_number_does_not_call_another() {
    let (guard, now) = guard();
    let line = proof(&guard.nonce(HERE, now), Algorithm::Md5, "ann", "secret", 1);
    assert_eq!(guard.judge(&request("sip:2000@h", &line), HERE, now), Judgement::Wrong);
    assert_eq!(guard.judge(&request("sip:1000@other", &line), HERE, now), right());
}

#[test]
fn a_nonce_is_good_for_whom_it_was_given_to_and_for_five_minutes() {
    let (guard, now) = guard();
    let nonce = guard.nonce(HERE, now);
    let line = proof(&nonce, Algorithm::Sha256, "ann", "secret", 1);
    let asked = request("sip:1000@h", &line);
    assert_eq!(guard.judge(&asked, THERE, now), Judgement::Unproved);
    let late = now + NONCE_LIFE + Duration::from_secs(1);
    assert_eq!(guard.judge(&asked, HERE, late), Judgement::Stale);
    assert_eq!(guard.judge(&asked, HERE, now + NONCE_LIFE), right());

    let forged = format!("{}{}", &nonce[..46], if nonce.ends_with("00") { "01" } else { "00" });
    for wrong in [&forged, "", "abc", &"é".repeat(24), &nonce.replace(&nonce[..2], "zz")] {
        let line = proof(wrong, Algorithm::Sha256, "ann", "secret", 1);
        let asked = request("sip:1000@h", &line);
        assert_eq!(guard.judge(&asked, HERE, now), Judgement::Unproved, "{wrong}");
    }
    let (other, _) = self::guard();
    assert_eq!(other.judge(&asked, HERE, now), Judgement::Unproved, "another server's");
}

#[test]
fn without_a_count_there_is_no_proof_against_a_copy() {
    let (guard, now) = guard();
    let line = proof(&guard.nonce(HERE, now), Algorithm::Sha256, "ann", "secret", 1);
    for (from, to) in
        [("qop=auth, ", ""), ("nc=00000001, ", ""), ("00000001", "1"), ("SHA-256", "X")]
    {
        let asked = request("sip:1000@h", &line.replace(from, to));
        assert_eq!(guard.judge(&asked, HERE, now), Judgement::Unproved, "{from}");
    }
}

#[test]
fn the_table_of_nonces_is_bounded_and_what_it_forgets_cannot_be_used_again() {
    let (guard, now) = guard();
    let first = guard.nonce(HERE, now);
    let line = proof(&first, Algorithm::Sha256, "ann", "secret", 1);
    assert_eq!(guard.judge(&request("sip:1000@h", &line), HERE, now), right());
    for n in 0..MOST_NONCES as u32 + 10 {
        let second = 1 + n / 100;
        let mut name: Name = [0; SEALED];
        name[..4].copy_from_slice(&second.to_be_bytes());
        name[4..8].copy_from_slice(&n.to_be_bytes());
        guard.spend(name, 1, now + Duration::from_secs(u64::from(second)));
    }
    assert!(guard.used.lock().unwrap().counts.len() <= MOST_NONCES);
    assert_eq!(guard.judge(&request("sip:1000@h", &line), HERE, now), Judgement::Stale);
    let later = now + Duration::from_secs(60);
    let line = proof(&guard.nonce(HERE, later), Algorithm::Sha256, "ann", "secret", 1);
    assert_eq!(guard.judge(&request("sip:1000@h", &line), HERE, later), right());
}

#[test]
fn a_challenge_offers_sha_256_before_md5_and_tells_nothing_else() {
    let (guard, now) = guard();
    let asked = request("sip:1000@h", "");
    let refused = super::super::reply::reply(&asked, 401, "0").unwrap();
    let refused = guard.challenge(refused, true, HERE, now);
    let told: Vec<String> = refused
        .headers
        .get_all(&HeaderName::WwwAuthenticate)
        .map(|it| String::from_utf8_lossy(&it.value()).into_owned())
        .collect();
    assert!(told[0].contains("algorithm=SHA-256") && told[1].contains("algorithm=MD5"), "{told:?}");
    assert!(told.iter().all(|it| it.contains("stale=true") && it.contains("qop=\"auth\"")));
    assert_eq!(told.len(), 2);
}
