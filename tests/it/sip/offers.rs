//! Who offers, who answers, and what happens when both do (RFC 3261 §14, RFC 3264, RFC 3311).

use afterbeep::sip::{Gone, Signal};

use super::{OFFER, Phone, body, field, here, next_call, next_signal, serve, tag_of};

#[tokio::test]
async fn a_call_whose_ack_does_not_take_our_offer_is_hung_up() {
    let (server, mut calls) = serve(|_| {}).await;
    for answer in ["", &OFFER.replace("0 8 101", "18"), "v=0\r\nnonsense"] {
        let mut phone = Phone::new(&server).await;
        phone.send(&phone.request("INVITE", 1, "", "")).await;
        let accepted = tokio::spawn(next_call(&mut calls).await.accept(here()));
        phone.to_tag = tag_of(&phone.answer_to("1 INVITE").await);
        phone.send(&phone.request("ACK", 1, "", answer)).await;
        let bye = phone.hear("BYE").await;
        phone.send(&phone.answer(&bye, "200 OK")).await;
        assert_eq!(accepted.await.unwrap().unwrap_err(), Gone::Incomplete, "{answer:?}");
    }
    while server.counters().calls > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn hold_and_resume_by_a_reinvite_without_an_offer() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    for (cseq, direction, sends) in [(2, "a=sendonly\r\n", false), (3, "a=sendrecv\r\n", true)] {
        let ok = phone.ask(&phone.request("INVITE", cseq, "", ""), 200).await;
        assert!(body(&ok).contains("a=sendrecv"), "{ok}");
        phone.send(&phone.request("ACK", cseq, "", &(OFFER.to_owned() + direction))).await;
        let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
        assert_eq!((media.send, media.receive), (sends, true));
    }
    // An ACK without an answer leaves everything as it was.
    phone.ask(&phone.request("INVITE", 4, "", ""), 200).await;
    phone.send(&phone.request("ACK", 4, "", "")).await;
    phone.send(&phone.request("BYE", 5, "", "")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)), "no further change");
}

#[tokio::test]
async fn an_update_changes_the_sound_and_one_without_an_offer_nothing() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (ok, mut dialog) = phone.dial(&mut calls).await;
    assert!(field(&ok, "Allow").contains("UPDATE"), "{ok}");
    let moved = OFFER.replace("40000", "43000");
    let ok = phone.ask(&phone.request("UPDATE", 2, "", &moved), 200).await;
    assert!(body(&ok).contains("m=audio 20000 RTP/AVP 0 101"), "{ok}");
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert_eq!(media.remote.port(), 43000);
    let ok = phone.ask(&phone.request("UPDATE", 3, "", ""), 200).await;
    assert_eq!(body(&ok), "");
    phone.ask(&phone.request("UPDATE", 4, "", &OFFER.replace("0 8 101", "18")), 488).await;
    let text = "Content-Type: text/plain\r\n";
    phone.ask(&phone.request("UPDATE", 5, text, "hello"), 415).await;
    phone.send(&phone.request("BYE", 6, "", "")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)), "no further change");
}

#[tokio::test]
async fn two_offers_at_once_are_refused_with_491() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Phone::new(&server).await;
    let (_, mut dialog) = phone.dial(&mut calls).await;
    // The 200 to this has an offer of ours, which only its ACK answers.
    phone.ask(&phone.request("INVITE", 2, "", ""), 200).await;
    phone.ask(&phone.request("UPDATE", 3, "", OFFER), 491).await;
    phone.ask(&phone.request("INVITE", 4, "", OFFER), 491).await;
    phone.send(&phone.request("ACK", 4, "", "").replace("KACK4", "KINVITE4")).await;
    phone.ask(&phone.request("UPDATE", 5, "", ""), 200).await;
    phone.send(&phone.request("ACK", 2, "", &OFFER.replace("40000", "44000"))).await;
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert_eq!(media.remote.port(), 44000);
    phone.ask(&phone.request("UPDATE", 6, "", OFFER), 200).await;
}
