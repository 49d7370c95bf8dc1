//! Calls from the first INVITE to the last BYE.

use std::time::{Duration, Instant};

use afterbeep::{
    audio::Codec,
    sip::{Gone, Refusal, Signal},
};

use super::{
    OFFER, Phone, body, field, here, next_call, next_signal, serve, status, tag_of, without_to_tag,
};

#[tokio::test]
async fn a_call_is_answered_and_hung_up_and_its_bye_waits_for_the_driver() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (ok, mut dialog) = phone.dial(&mut calls).await;
    assert!(field(&ok, "Contact").contains(&server.addresses()[0].to_string()), "{ok}");
    assert!(field(&ok, "Allow").contains("INVITE"));
    assert_eq!(field(&ok, "Server"), "");
    assert!(body(&ok).contains("m=audio 20000 RTP/AVP 0 101\r\n"), "{ok}");
    assert_eq!(dialog.media.codec, Codec::Pcmu);
    assert_eq!(dialog.media.telephone_event, Some(101));

    let bye = phone.request("BYE", 2, "", "");
    phone.send(&bye).await;
    let Signal::Bye(farewell) = next_signal(&mut dialog).await else { panic!("no BYE") };
    // A copy is absorbed: the only answer is the one that the driver gives.
    phone.send(&bye).await;
    phone.ping().await;
    farewell.answer().await;
    let answer = phone.answer_to("2 BYE").await;
    assert_eq!(status(&answer), 200);
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
    // What the call was is forgotten, but not how its BYE was answered.
    for _ in 0..2 {
        phone.send(&bye).await;
        assert_eq!(phone.answer_to("2 BYE").await, answer);
    }
    phone.ask(&phone.request("BYE", 3, "", ""), 481).await;
    assert_eq!(server.counters().answered, 1);
}

#[tokio::test]
async fn a_bye_is_answered_when_the_driver_drops_it() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    phone.send(&phone.request("BYE", 2, "", "")).await;
    drop(next_signal(&mut dialog).await);
    assert_eq!(status(&phone.answer_to("2 BYE").await), 200);
}

#[tokio::test]
async fn a_bye_that_nobody_takes_up_is_answered_all_the_same() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, dialog) = phone.dial(&mut calls).await;
    phone.send(&phone.request("BYE", 2, "", "")).await;
    drop(dialog);
    assert_eq!(status(&phone.answer_to("2 BYE").await), 200);
}

#[tokio::test]
async fn copies_of_an_invite_make_one_call() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let invite = phone.request("INVITE", 1, "", OFFER);
    phone.send(&invite).await;
    phone.send(&invite).await;
    let call = next_call(&mut calls).await;
    let _dialog = call.accept(here()).await.unwrap();
    let answer = phone.answer_to("1 INVITE").await;
    phone.to_tag = tag_of(&answer);
    phone.send(&phone.request("ACK", 1, "", "")).await;
    phone.ping().await;
    // After the ACK too: it was only slow. What is answered to it, if anything, is what was answered before.
    phone.send(&invite).await;
    phone.send(&phone.request("OPTIONS", 2, "", "")).await;
    loop {
        match phone.receive().await {
            other if field(&other, "CSeq") == "2 OPTIONS" => break,
            other => assert_eq!(other, answer),
        }
    }
    assert!(calls.try_recv().is_err());
    assert_eq!(server.counters().invitations, 1);
}

#[tokio::test]
async fn the_200_is_sent_again_at_growing_distance_until_its_ack_comes() {
    let (server, mut calls) = serve(|it| it.t1 = Duration::from_millis(100)).await;
    let mut phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
    let call = next_call(&mut calls).await;
    let began = Instant::now();
    let _dialog = call.accept(here()).await.unwrap();
    let first = phone.receive().await;
    // 100, 200 and 400 ms from each other. How much later they come is the machine's affair.
    for least in [100, 300, 700] {
        assert_eq!(phone.receive().await, first);
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(least), "{waited:?} and not {least} ms");
    }
    phone.to_tag = tag_of(&first);
    phone.send(&phone.request("ACK", 1, "", "")).await;
    phone.ping().await;
    let late = tokio::time::timeout(Duration::from_millis(900), phone.receive()).await;
    assert!(late.is_err(), "sent again after the ACK: {late:?}");
}

#[tokio::test]
async fn a_call_whose_ack_never_comes_is_over_and_hung_up() {
    let (server, mut calls) = serve(|it| it.t1 = Duration::from_millis(20)).await;
    let phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
    let mut dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
    let bye = phone.hear("BYE").await;
    assert!(field(&bye, "To").ends_with(";tag=ann"), "{bye}");
    phone.send(&phone.answer(&bye, "200 OK")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
    assert_eq!(server.counters().calls, 0);
}

#[tokio::test]
async fn our_bye_is_repeated_until_answered() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (ok, mut dialog) = phone.dial(&mut calls).await;
    dialog.bye().await;
    let bye = phone.hear("BYE").await;
    assert_eq!(phone.hear("BYE").await, bye);
    assert!(bye.starts_with(&format!("BYE sip:2000@{} SIP/2.0", phone.address())), "{bye}");
    assert_eq!(field(&bye, "From"), field(&ok, "To"));
    phone.send(&phone.answer(&bye, "200 OK")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
}

#[tokio::test]
async fn a_hang_up_before_the_ack_waits_for_it() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
    let dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
    dialog.bye().await;
    let ok = phone.receive().await;
    assert_eq!(phone.receive().await, ok, "the 200 again, no BYE yet");
    phone.to_tag = tag_of(&ok);
    phone.send(&phone.request("ACK", 1, "", "")).await;
    phone.hear("BYE").await;
}

#[tokio::test]
async fn byes_that_cross_are_both_answered() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    dialog.bye().await;
    let bye = phone.hear("BYE").await;
    phone.ask(&phone.request("BYE", 2, "", ""), 200).await;
    phone.send(&phone.answer(&bye, "481 Gone")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
}

#[tokio::test]
async fn a_cancelled_call_gets_487_and_cannot_be_accepted() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let invite = phone.request("INVITE", 1, "", OFFER);
    phone.send(&invite).await;
    let mut call = next_call(&mut calls).await;
    let cancel = phone.request("CANCEL", 1, "", "").replace("KCANCEL1", "KINVITE1");
    phone.send(&cancel).await;
    let (one, other) = (phone.receive().await, phone.receive().await);
    let of = |cseq: &str| {
        status([&one, &other].into_iter().find(|it| field(it, "CSeq") == cseq).unwrap())
    };
    assert_eq!((of("1 CANCEL"), of("1 INVITE")), (200, 487));
    call.cancelled().await;
    assert_eq!(call.accept(here()).await.unwrap_err(), Gone::Cancelled);
}

#[tokio::test]
async fn a_cancel_after_the_answer_changes_nothing() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    let cancel = phone.request("CANCEL", 1, "", "").replace("KCANCEL1", "KINVITE1");
    phone.ask(&without_to_tag(&cancel), 200).await;
    phone.send(&phone.request("BYE", 2, "", "")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)));
}

#[tokio::test]
async fn a_refusal_reaches_the_caller_with_its_code() {
    let (server, mut calls) = serve(|_| {}).await;
    for (refusal, code, retry_after) in [
        (Refusal::NotFound, 404, ""),
        (Refusal::Busy, 486, ""),
        (Refusal::Forbidden, 403, ""),
        (Refusal::NotAcceptable, 488, ""),
        (Refusal::TemporarilyUnavailable, 480, ""),
        (Refusal::Unavailable { retry_after: 7 }, 503, "7"),
        (Refusal::Failed, 500, ""),
    ] {
        let phone = Phone::new(&server).await;
        phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
        next_call(&mut calls).await.reject(refusal).await;
        let answer = phone.answer_to("1 INVITE").await;
        assert_eq!(status(&answer), code);
        assert_eq!(field(&answer, "Retry-After"), retry_after);
        assert!(!tag_of(&answer).is_empty());
    }
    assert_eq!(server.counters().calls, 0);
}

#[tokio::test]
async fn a_call_the_driver_forgets_is_not_left_ringing() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
    drop(next_call(&mut calls).await);
    assert_eq!(status(&phone.answer_to("1 INVITE").await), 480);
}

#[tokio::test]
async fn a_slow_answer_is_announced_with_100() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
    let _call = next_call(&mut calls).await;
    assert_eq!(status(&phone.receive().await), 100);
}

#[tokio::test]
async fn hold_resume_and_another_address_are_followed() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (ok, mut dialog) = phone.dial(&mut calls).await;
    let version = |sdp: &str| sdp.lines().nth(1).unwrap().split(' ').nth(2).unwrap().to_owned();

    let hold = OFFER.to_owned() + "a=sendonly\r\n";
    let held = phone.ask(&phone.request("INVITE", 2, "", &hold), 200).await;
    phone.send(&phone.request("ACK", 2, "", "")).await;
    assert!(body(&held).contains("a=recvonly"), "{held}");
    assert_ne!(version(body(&held)), version(body(&ok)));
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert!(!media.send && media.receive);

    // CSeq may skip numbers (RFC 3261 §12.2.2).
    let moved = OFFER.replace("m=audio 40000", "m=audio 41000");
    let resumed = phone.ask(&phone.request("INVITE", 20, "", &moved), 200).await;
    phone.send(&phone.request("ACK", 20, "", "")).await;
    assert!(body(&resumed).contains("a=sendrecv"));
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert!(media.send && media.receive);
    assert_eq!(media.remote.port(), 41000);

    // The same again is a sign of life: nothing changes, nor does the version.
    let same = phone.ask(&phone.request("UPDATE", 21, "", &moved), 200).await;
    assert_eq!(body(&same), body(&resumed));
    phone.ask(&phone.request("UPDATE", 22, "", ""), 200).await;
    // What cannot be spoken is refused and leaves everything as it was.
    let g729 = OFFER.replace("0 8 101", "18");
    phone.ask(&phone.request("INVITE", 23, "", &g729), 488).await;
    phone.send(&phone.request("BYE", 24, "", "")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)), "no further change");
}

#[tokio::test]
async fn within_a_call_they_may_ask_by_another_address_of_ours() {
    let (server, mut calls) = serve(|it| {
        it.listen = vec!["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
    })
    .await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    phone.server = server.addresses()[1];
    let hold = OFFER.to_owned() + "a=sendonly\r\n";
    phone.ask(&phone.request("INVITE", 2, "", &hold), 200).await;
    phone.send(&phone.request("ACK", 2, "", "")).await;
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert!(!media.send && media.receive);
    phone.send(&phone.request("BYE", 3, "", "")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)));
}

#[tokio::test]
async fn a_reinvite_without_an_offer_gets_ours_and_its_ack_answers() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    let ok = phone.ask(&phone.request("INVITE", 2, "", ""), 200).await;
    // All that is spoken here, for it may be for somebody else; first what is spoken already.
    assert!(body(&ok).contains("m=audio 20000 RTP/AVP 0 111 9 8 101 110"), "{ok}");
    let answer = OFFER.replace("40000", "42000");
    phone.send(&phone.request("ACK", 2, "", &answer)).await;
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert_eq!(media.remote.port(), 42000);
}

#[tokio::test]
async fn a_call_without_an_offer_is_settled_by_its_ack() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", "")).await;
    let call = next_call(&mut calls).await;
    assert!(call.media().is_err());
    let accepted = tokio::spawn(call.accept(here()));
    let ok = phone.answer_to("1 INVITE").await;
    assert!(body(&ok).contains("m=audio 20000 RTP/AVP 111 9 0 8 101 110"), "{ok}");
    phone.to_tag = tag_of(&ok);
    phone.send(&phone.request("ACK", 1, "", &OFFER.replace("0 8 101", "8"))).await;
    let dialog = accepted.await.unwrap().unwrap();
    assert_eq!((dialog.media.codec, dialog.media.telephone_event), (Codec::Pcma, None));
}

#[tokio::test]
async fn keys_arrive_by_info() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    let relay = "Content-Type: application/dtmf-relay\r\n";
    let plain = "Content-Type: application/dtmf\r\n";
    phone.ask(&phone.request("INFO", 2, relay, "Signal=5\r\nDuration=160\r\n"), 200).await;
    phone.ask(&phone.request("INFO", 3, plain, "#"), 200).await;
    phone.ask(&phone.request("INFO", 4, "", ""), 200).await;
    let odd = "Content-Type: application/media_control+xml\r\n";
    let refused = phone.ask(&phone.request("INFO", 5, odd, "<x/>"), 415).await;
    assert!(field(&refused, "Accept").contains("application/dtmf-relay"));
    for key in ['5', '#'] {
        let signal = next_signal(&mut dialog).await;
        assert!(!format!("{signal:?}").contains(key), "a key in a log may be part of a PIN");
        assert!(matches!(signal, Signal::Digit(it) if it == key));
    }
}

#[tokio::test]
async fn our_requests_follow_the_recorded_route_to_the_newest_contact() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let proxy = Phone::new(&server).await;
    let route = format!(
        "Record-Route: <sip:{};lr>\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n",
        proxy.address()
    );
    phone.send(&phone.request("INVITE", 1, &route, OFFER)).await;
    let dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
    let ok = phone.answer_to("1 INVITE").await;
    assert!(ok.contains(&route), "both, in their order: {ok}");
    phone.to_tag = tag_of(&ok);
    phone.send(&phone.request("ACK", 1, "", "")).await;
    let moved = phone.request("INVITE", 2, "", OFFER);
    let moved = moved.replace("Contact: <sip:2000@", "Contact: <sip:moved@");
    phone.ask(&moved, 200).await;
    phone.send(&phone.request("ACK", 2, "", "")).await;
    phone.ping().await;
    dialog.bye().await;
    let bye = proxy.hear("BYE").await;
    assert!(bye.starts_with("BYE sip:moved@"), "{bye}");
    assert!(field(&bye, "Route").contains(&proxy.address().to_string()));
    assert!(bye.contains("Route: <sip:192.0.2.1;lr>\r\n"));
}

#[tokio::test]
async fn who_calls_whom_is_read_with_all_that_was_said() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let extra = "P-Asserted-Identity: \"Marie Dupont\" <tel:+33-5-56-12-34-56>\r\n\
        Diversion: <sip:1000@pbx>;reason=no-answer\r\nDiversion: <sip:1001@pbx>;reason=user-busy\r\n\
        History-Info: <sip:1000@pbx>;index=1\r\nReason: SIP;cause=408\r\n";
    let invite = phone.request("INVITE", 1, extra, OFFER);
    let uri = "INVITE sip:*98%2310@pbx.example;cause=486;target=sip:3000%40pbx SIP/2.0\r\n";
    let rest = invite.split_once("\r\n").unwrap().1;
    phone.send(&format!("{uri}{rest}")).await;
    let call = next_call(&mut calls).await;
    assert_eq!(call.caller.name.as_deref(), Some("Marie Dupont"));
    assert_eq!(call.caller.number.as_deref(), Some("+33556123456"));
    assert_eq!(call.called.user, "*98#10");
    assert_eq!(call.called.host, "pbx.example");
    assert_eq!(call.called.to_user.as_deref(), Some("1000"));
    assert_eq!(call.redirected.diversion.len(), 2);
    assert_eq!(call.redirected.history, ["<sip:1000@pbx>;index=1"]);
    assert_eq!(call.redirected.reasons, ["SIP;cause=408"]);
    assert_eq!(call.redirected.cause.as_deref(), Some("486"));
    assert_eq!(call.redirected.target.as_deref(), Some("sip:3000@pbx"));
    assert_eq!(call.source, phone.address());
    assert_eq!(call.local, server.addresses()[0]);
}

#[tokio::test]
async fn callers_are_named_as_they_wish_and_as_well_as_can_be() {
    let (server, mut calls) = serve(|_| {}).await;
    for (from, extra, name, number) in [
        ("\"Ann\" <sip:2000@a>;tag=ann", "", Some("Ann"), Some("2000")),
        ("<sip:%2B49301@a;user=phone>;tag=ann", "", None, Some("+49301")),
        ("sip:2000@a;tag=ann", "", None, Some("2000")),
        ("<tel:+49-30(1)>;tag=ann", "", None, Some("+49301")),
        ("M\u{fc}ller, J\u{f6}rg <sip:7@a>;tag=ann", "", Some("M\u{fc}ller, J\u{f6}rg"), Some("7")),
        ("\"A\" <sip:anonymous@anonymous.invalid>;tag=ann", "", None, None),
        ("\"Ann\" <sip:2000@a>;tag=ann", "Privacy: id\r\n", None, None),
        ("<sip:b@a>;tag=ann", "P-Asserted-Identity: <sip:3@a>, <tel:+3>\r\n", None, Some("3")),
        ("\"Ann\" <sip:a>;tag=ann", "", Some("Ann"), None),
    ] {
        let phone = Phone::new(&server).await;
        let invite = phone.request("INVITE", 1, extra, OFFER);
        let line = format!("From: {}", field(&invite, "From"));
        phone.send(&invite.replace(&line, &format!("From: {from}"))).await;
        let call = next_call(&mut calls).await;
        assert_eq!(call.caller.name.as_deref(), name, "{from}");
        assert_eq!(call.caller.number.as_deref(), number, "{from}");
    }
}

#[tokio::test]
async fn a_latin_1_name_does_not_cost_the_call() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let invite = phone.request("INVITE", 1, "", OFFER);
    let mut bytes = invite.replace("\"Ann\"", "\"J@rg\"").into_bytes();
    let at = bytes.iter().position(|it| *it == b'J').unwrap() + 1;
    bytes[at] = 0xf6;
    phone.socket.send_to(&bytes, phone.server).await.unwrap();
    let call = next_call(&mut calls).await;
    assert_eq!(call.caller.name.as_deref(), Some("J\u{fffd}rg"));
}
