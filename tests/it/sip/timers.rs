//! Signs of life in a call (RFC 4028). T1 is so short here that the shortest interval is 4 s.

use std::time::Duration;

use afterbeep::sip::{Dialog, Endpoint, Invitation, Signal};
use tokio::{sync::mpsc, time::timeout};

use super::{OFFER, Phone, body, field, here, next_call, next_signal, serve, tag_of};

/// A server whose calls want a sign of life every 4 s.
async fn lively() -> (Endpoint, mpsc::Receiver<Invitation>) {
    serve(|it| {
        it.t1 = Duration::from_millis(20);
        it.session = Duration::from_secs(4);
    })
    .await
}

/// A call whose INVITE has these headers; the 200 and the server's end.
async fn dial(
    phone: &mut Phone,
    calls: &mut mpsc::Receiver<Invitation>,
    extra: &str,
) -> (String, Dialog) {
    phone.send(&phone.request("INVITE", 1, extra, OFFER)).await;
    let dialog = next_call(calls).await.accept(here()).await.unwrap();
    let ok = phone.answer_to("1 INVITE").await;
    phone.to_tag = tag_of(&ok);
    phone.send(&phone.request("ACK", 1, "", "")).await;
    (ok, dialog)
}

#[tokio::test]
async fn the_200_tells_who_gives_the_signs_and_how_often() {
    let (server, mut calls) = serve(|_| {}).await;
    for (asked, session, required) in [
        ("", "", ""),
        ("Supported: timer\r\n", "1800;refresher=uas", "timer"),
        ("Supported: timer\r\nSession-Expires: 600\r\n", "600;refresher=uas", "timer"),
        ("Require: timer\r\nx: 600;refresher=uac\r\n", "600;refresher=uac", "timer"),
        ("k: timer\r\nSession-Expires: 7200\r\nMin-SE: 90\r\n", "1800;refresher=uas", "timer"),
        // A proxy asked: the caller must not be told to understand it.
        ("Session-Expires: 600\r\n", "600;refresher=uas", ""),
    ] {
        let mut phone = Phone::new(&server).await;
        let (ok, _dialog) = dial(&mut phone, &mut calls, asked).await;
        assert_eq!(field(&ok, "Session-Expires"), session, "{asked}");
        assert_eq!(field(&ok, "Require"), required, "{asked}");
        assert!(field(&ok, "Supported").contains("timer"), "{ok}");
    }
}

#[tokio::test]
async fn an_interval_below_the_shortest_is_refused_with_422() {
    let (server, mut calls) = lively().await;
    let brief = "Supported: timer\r\nSession-Expires: 3\r\n";
    let other = Phone::new(&server).await;
    let refused = other.ask(&other.request("INVITE", 1, brief, OFFER), 422).await;
    assert_eq!(field(&refused, "Min-SE"), "4");
    let mut phone = Phone::new(&server).await;
    let (_, _dialog) = dial(&mut phone, &mut calls, "").await;
    phone.ask(&phone.request("UPDATE", 2, brief, ""), 422).await;
    let fine = brief.replace('3', "4");
    let ok = phone.ask(&phone.request("UPDATE", 3, &fine, ""), 200).await;
    assert_eq!(field(&ok, "Session-Expires"), "4;refresher=uas");
}

#[tokio::test]
async fn we_give_signs_by_update_and_without_an_answer_the_call_is_over() {
    let (server, mut calls) = lively().await;
    let mut phone = Phone::new(&server).await;
    let able = "Supported: timer\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    let (_, mut dialog) = dial(&mut phone, &mut calls, able).await;
    for _ in 0..2 {
        let update = phone.hear("UPDATE").await;
        assert_eq!(field(&update, "Session-Expires"), "4;refresher=uac");
        assert_eq!(field(&update, "Min-SE"), "4");
        assert!(field(&update, "Supported").contains("timer"), "{update}");
        assert_eq!(body(&update), "", "it must not touch the sound");
        phone.send(&phone.answer(&update, "200 OK")).await;
    }
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
    // They are told all the same, in case they hear it.
    phone.hear("BYE").await;
}

#[tokio::test]
async fn where_update_is_not_taken_a_reinvite_says_the_same_again() {
    let (server, mut calls) = lively().await;
    let mut phone = Phone::new(&server).await;
    let (ok, mut dialog) = dial(&mut phone, &mut calls, "Supported: timer\r\n").await;
    let invite = phone.hear("INVITE").await;
    assert_eq!(field(&invite, "Session-Expires"), "4;refresher=uac");
    let lines = |sdp: &str| body(sdp).lines().filter(|it| it.starts_with("m=")).count();
    assert_eq!((lines(&invite), lines(&ok)), (1, 1));
    assert!(body(&invite).contains("m=audio 20000 RTP/AVP 0 101"), "{invite}");
    // Theirs crosses ours.
    phone.ask(&phone.request("INVITE", 2, "", OFFER), 491).await;
    phone.send(&phone.request("ACK", 2, "", "").replace("KACK2", "KINVITE2")).await;
    phone.ask(&phone.request("UPDATE", 3, "", OFFER), 491).await;

    let moved = OFFER.replace("40000", "45000");
    let ok = phone.answer(&invite, "200 OK").replace("Content-Length: 0\r\n\r\n", "");
    let contact = format!("Contact: <sip:2000@{}>\r\n", phone.address());
    let length = moved.len();
    let ok = format!(
        "{ok}{contact}Session-Expires: 4;refresher=uac\r\nRequire: timer\r\n\
         Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{moved}"
    );
    phone.send(&ok).await;
    let ack = phone.hear("ACK").await;
    assert_eq!(field(&ack, "CSeq").split(' ').next(), field(&invite, "CSeq").split(' ').next());
    phone.send(&ok).await;
    assert_eq!(phone.hear("ACK").await, ack, "a copy of the 200 wants its ACK again");
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert_eq!(media.remote.port(), 45000);
    phone.hear("INVITE").await;
}

#[tokio::test]
async fn a_caller_who_gives_signs_is_kept_and_one_who_stops_is_gone() {
    let (server, mut calls) = lively().await;
    let mut phone = Phone::new(&server).await;
    let theirs = "Supported: timer\r\nSession-Expires: 4;refresher=uac\r\n";
    let (_, mut dialog) = dial(&mut phone, &mut calls, theirs).await;
    for cseq in 2..5 {
        // Less than the 2.7 s after which the call would be over.
        let early = timeout(Duration::from_millis(1_200), phone.receive()).await;
        assert!(early.is_err(), "the signs are theirs to give: {early:?}");
        let ok = phone.ask(&phone.request("UPDATE", cseq, theirs, ""), 200).await;
        assert_eq!(field(&ok, "Session-Expires"), "4;refresher=uac");
    }
    let bye = phone.hear("BYE").await;
    phone.send(&phone.answer(&bye, "200 OK")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
}

#[tokio::test]
async fn a_refused_sign_is_given_again_as_the_refusal_says() {
    let (server, mut calls) = lively().await;
    let able = "Supported: timer\r\nAllow: UPDATE\r\n";
    for (refusal, method, expires) in [
        ("491 Request Pending", "UPDATE", "4;refresher=uac"),
        ("500 Busy\r\nRetry-After: 0", "UPDATE", "4;refresher=uac"),
        ("422 Too Small\r\nMin-SE: 9", "UPDATE", "9;refresher=uac"),
        ("405 Not Allowed", "INVITE", "4;refresher=uac"),
    ] {
        let mut phone = Phone::new(&server).await;
        let (_, _dialog) = dial(&mut phone, &mut calls, able).await;
        let update = phone.hear("UPDATE").await;
        phone.send(&phone.answer(&update, refusal)).await;
        let again = loop {
            let again = phone.hear(method).await;
            // Not a copy of the first, which crossed our answer.
            if field(&again, "CSeq") != field(&update, "CSeq") {
                break again;
            }
        };
        assert_eq!(field(&again, "Session-Expires"), expires, "{refusal}");
    }
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = dial(&mut phone, &mut calls, able).await;
    let update = phone.hear("UPDATE").await;
    phone.send(&phone.answer(&update, "481 No Such Call")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
}
