//! Requests that cannot be followed, and limits that are reached.

use super::{OFFER, Phone, field, here, next_call, serve, status, tag_of, without_to_tag};

#[tokio::test]
async fn each_fault_has_its_answer() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let invite = phone.request("INVITE", 1, "", OFFER);
    let text = "Content-Type: text/plain\r\n";
    let packed = "Content-Encoding: gzip\r\n";
    let line = |name: &str| format!("{name}: {}\r\n", field(&invite, name));
    for (number, (fault, code, header, value)) in [
        (phone.request("SUBSCRIBE", 1, "Event: x\r\n", ""), 489, "Allow-Events", "message-summary"),
        (phone.request("PUBLISH", 1, "Event: x\r\n", ""), 405, "Allow", "BYE"),
        (phone.request("WONDER", 1, "", ""), 405, "Allow", "INFO"),
        (phone.request("INVITE", 1, text, "hello"), 415, "Accept", "application/sdp"),
        (phone.request("INVITE", 1, packed, OFFER), 415, "Accept-Encoding", "identity"),
        (
            phone.request("INVITE", 1, "Require: 100rel, magic\r\n", OFFER),
            420,
            "Unsupported",
            "magic",
        ),
        (phone.request("INVITE", 1, "Proxy-Require: x\r\n", OFFER), 420, "Unsupported", "x"),
        (phone.request("BYE", 1, "", ""), 481, "", ""),
        (phone.request("INFO", 1, "", ""), 481, "", ""),
        (phone.request("NOTIFY", 1, "Event: refer\r\n", "SIP/2.0 200 OK"), 481, "", ""),
        (phone.request("CANCEL", 1, "", ""), 481, "", ""),
        (invite.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505, "", ""),
        (invite.replace(&line("CSeq"), "CSeq: 1 OPTIONS\r\n"), 400, "", ""),
        (invite.replace(&line("From"), &(line("From") + &line("From"))), 400, "", ""),
        (invite.replacen(&format!("sip:1000@{}", phone.server), "http://x/", 1), 416, "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        // Each is a transaction of its own.
        let fault = fault.replace("z9hG4bK", &format!("z9hG4bKn{number}"));
        phone.send(&fault).await;
        let answer = loop {
            let answer = phone.receive().await;
            if field(&answer, "Via").contains(&format!("z9hG4bKn{number}")) {
                break answer;
            }
        };
        assert_eq!(status(&answer), code, "to\n{fault}\ncame\n{answer}");
        assert!(field(&answer, header).contains(value), "{answer}");
        assert!(!tag_of(&answer).is_empty(), "{answer}");
    }
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn within_a_call_the_order_and_the_names_must_be_right() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, _dialog) = phone.dial(&mut calls).await;
    phone.ask(&phone.request("OPTIONS", 10, "", ""), 200).await;
    phone.ask(&phone.request("INFO", 9, "", ""), 500).await;
    phone.ask(&phone.request("REFER", 11, "Refer-To: <sip:x@y>\r\n", ""), 405).await;
    phone.to_tag = "another".into();
    phone.ask(&phone.request("BYE", 12, "", ""), 481).await;
    phone.ask(&phone.request("INVITE", 13, "", OFFER), 481).await;
}

#[tokio::test]
async fn an_invite_that_came_by_two_ways_is_one_call() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let invite = phone.request("INVITE", 1, "", OFFER);
    phone.send(&invite).await;
    let call = next_call(&mut calls).await;
    let other = invite.replace("branch=z9hG4bK", "branch=z9hG4bKother");
    phone.send(&other).await;
    let merged = phone.answer_to("1 INVITE").await;
    assert_eq!(status(&merged), 482);
    assert!(field(&merged, "Via").contains("other"));
    drop(call);
}

#[tokio::test]
async fn an_offer_that_cannot_be_spoken_is_known_before_and_refused_with_488() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", &OFFER.replace("0 8 101", "18"))).await;
    let call = next_call(&mut calls).await;
    assert!(call.media().is_err());
    assert!(call.accept(here()).await.is_err());
    assert_eq!(status(&phone.answer_to("1 INVITE").await), 488);
}

#[tokio::test]
async fn beyond_the_most_calls_the_next_is_turned_away_until_one_ends() {
    let (server, mut calls) = serve(|it| it.most_calls = 1).await;
    let mut first = Phone::new(&server).await;
    let (_, mut dialog) = first.dial(&mut calls).await;
    let second = Phone::new(&server).await;
    let refused = second.ask(&second.request("INVITE", 1, "", OFFER), 503).await;
    assert!(!field(&refused, "Retry-After").is_empty());
    assert_eq!(server.counters().turned_away, 1);
    first.send(&first.request("BYE", 2, "", "")).await;
    drop(dialog.next().await);
    first.answer_to("2 BYE").await;
    let _ = dialog.next().await;
    while server.counters().calls > 0 {
        tokio::task::yield_now().await;
    }
    let mut third = Phone::new(&server).await;
    third.dial(&mut calls).await;
}

#[tokio::test]
async fn while_draining_new_calls_are_turned_away_and_those_up_go_on() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    server.drain();
    let other = Phone::new(&server).await;
    let refused = other.ask(&other.request("INVITE", 1, "", OFFER), 503).await;
    assert!(!field(&refused, "Retry-After").is_empty());
    other.ask(&without_to_tag(&other.request("OPTIONS", 2, "", "")), 503).await;
    phone.send(&phone.request("BYE", 2, "", "")).await;
    drop(dialog.next().await);
    assert_eq!(status(&phone.answer_to("2 BYE").await), 200);
}

#[tokio::test]
async fn rubbish_is_counted_and_leaves_the_server_alive() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let invite = phone.request("INVITE", 1, "", OFFER);
    let length = format!("Content-Length: {}", OFFER.len());
    let huge = "x".repeat(60_000);
    let many = "X-Y: z\r\n".repeat(5_000);
    for rubbish in [
        "",
        "\r\n\r\n",
        "hello",
        "\0\0\0\0",
        "INVITE",
        "INVITE sip: SIP/2.0\r\n\r\n",
        "SIP/2.0 200 OK\r\n\r\n",
        "SIP/2.0 999 What\r\nVia: x\r\n\r\n",
        &huge,
        &invite.replace(&length, "Content-Length: 18446744073709551615"),
        &invite.replace(&length, "Content-Length: -1"),
        &invite.replace(&length, "Content-Length: 9999"),
        &invite.replace("Max-Forwards: 70\r\n", &many),
        &invite.replace("Via: SIP/2.0/UDP", "Via: nonsense"),
        &invite.replace("Call-ID:", "No-Call-ID:"),
        &invite.replace("From:", "No-From:"),
        &invite.replace("To:", "No-To:"),
        "INVITE sip:1000@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKq\r\n\r\n",
    ] {
        phone.send(rubbish).await;
    }
    // STUN, and bytes that are no text at all.
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    phone.socket.send_to(&stun, phone.server).await.unwrap();
    phone.socket.send_to(&[0xff; 300], phone.server).await.unwrap();
    assert!(calls.try_recv().is_err());
    phone.ping().await;
    assert!(server.counters().malformed >= 5, "{:?}", server.counters());
    Phone::new(&server).await.dial(&mut calls).await;
}

#[tokio::test]
async fn no_damage_to_a_message_silences_the_server() {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    let (server, mut calls) = serve(|it| it.most_calls = 50).await;
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            let _ = call.accept(here()).await;
        }
    });
    let mut chance = StdRng::seed_from_u64(5060);
    for round in 0..40 {
        let phone = Phone::new(&server).await;
        for method in ["INVITE", "CANCEL", "ACK", "INFO", "BYE", "OPTIONS"] {
            let body = if method == "INVITE" { OFFER } else { "" };
            for _ in 0..10 {
                let mut bytes = phone.request(method, round, "", body).into_bytes();
                for _ in 0..chance.random_range(1..6) {
                    let at = chance.random_range(0..bytes.len());
                    match chance.random_range(0..3) {
                        0 => bytes[at] = chance.random(),
                        1 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, b"\r\n;:<>\"@%, "[chance.random_range(0..11)]),
                    }
                }
                phone.socket.send_to(&bytes, phone.server).await.unwrap();
            }
        }
        Phone::new(&server).await.ping().await;
    }
}
