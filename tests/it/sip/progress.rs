//! Before the answer: sound already, answers that are acknowledged (RFC 3262), and second thoughts.

use std::time::Duration;

use afterbeep::sip::{Dialog, Endpoint, Gone, Invitation, Signal};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::{
    OFFER, PATIENCE, Phone, body, field, here, next_call, next_signal, serve, status, tag_of,
};

const INSISTS: &str = "Require: 100rel\r\n";

/// A call that gets a 183 first; that, and what becomes of the call.
async fn ring(
    phone: &mut Phone,
    calls: &mut mpsc::Receiver<Invitation>,
    (extra, offer): (&str, &str),
    is_early: bool,
) -> (String, JoinHandle<Result<Dialog, Gone>>) {
    phone.send(&phone.request("INVITE", 1, extra, offer)).await;
    let call = next_call(calls).await;
    let dialog = tokio::spawn(async move {
        if is_early { call.progress(here()).await } else { call.accept(here()).await }
    });
    let mut progress = phone.receive().await;
    while status(&progress) == 100 {
        progress = phone.receive().await;
    }
    assert_eq!(status(&progress), 183, "{progress}");
    phone.to_tag = tag_of(&progress);
    (progress, dialog)
}

/// The PRACK of a 183.
fn prack(phone: &Phone, progress: &str, cseq: u32, body: &str) -> String {
    let rack = format!("RAck: {} 1 INVITE\r\n", field(progress, "RSeq"));
    phone.request("PRACK", cseq, &rack, body)
}

async fn server() -> (Endpoint, mpsc::Receiver<Invitation>) {
    serve(|_| {}).await
}

#[tokio::test]
async fn who_insists_on_100rel_acknowledges_a_183_and_is_answered_then() {
    let (server, mut calls) = server().await;
    let mut phone = Phone::new(&server).await;
    let (progress, dialog) = ring(&mut phone, &mut calls, (INSISTS, OFFER), false).await;
    assert_eq!(field(&progress, "Require"), "100rel");
    assert!((1..1 << 31).contains(&field(&progress, "RSeq").parse::<u32>().unwrap()));
    assert!(body(&progress).contains("m=audio 20000 RTP/AVP 0 101"), "{progress}");
    assert!(field(&progress, "Contact").contains(&server.addresses()[0].to_string()));
    // It comes again until it is acknowledged; a wrong acknowledgement is none.
    assert_eq!(phone.receive().await, progress);
    for (cseq, wrong) in [(2, "RAck: 0 1 INVITE\r\n"), (3, "RAck: x\r\n"), (4, "")] {
        phone.ask(&phone.request("PRACK", cseq, wrong, ""), 481).await;
    }
    let right = prack(&phone, &progress, 5, "");
    phone.ask(&right.replace(" 1 INVITE", " 2 INVITE"), 481).await;
    phone.send(&prack(&phone, &progress, 6, "")).await;
    let mut answers = [phone.answer_to("6 PRACK").await, phone.receive().await];
    while field(&answers[1], "CSeq") != "1 INVITE" || status(&answers[1]) < 200 {
        answers[1] = phone.receive().await;
    }
    assert_eq!(answers.each_ref().map(|it| status(it)), [200, 200]);
    assert_eq!(body(&answers[1]), "", "offer and answer were exchanged before");
    phone.send(&phone.request("ACK", 1, "", "")).await;
    let mut dialog = dialog.await.unwrap().unwrap();
    assert_eq!(dialog.media.remote.port(), 40000);
    phone.ask(&prack(&phone, &progress, 7, ""), 481).await;
    phone.send(&phone.request("BYE", 8, "", "")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)));
}

#[tokio::test]
async fn a_183_that_is_never_acknowledged_ends_the_call_with_504() {
    let (server, mut calls) = serve(|it| it.t1 = Duration::from_millis(20)).await;
    let mut phone = Phone::new(&server).await;
    let (progress, dialog) = ring(&mut phone, &mut calls, (INSISTS, OFFER), false).await;
    let mut copies = 0;
    let last = loop {
        match phone.receive().await {
            copy if copy == progress => copies += 1,
            other => break other,
        }
    };
    // At 20, 60, 140, 300, 620 and 1,260 ms; each that is late puts off the others.
    assert!(status(&last) == 504 && (3..=6).contains(&copies), "{copies} copies, then {last}");
    assert_eq!(dialog.await.unwrap().unwrap_err(), Gone::Incomplete);
    assert_eq!(server.counters().answered, 0);
    while server.counters().calls > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_merely_can_is_asked_to_acknowledge_where_the_setting_says_so() {
    for (asked, code) in [(false, 200), (true, 183)] {
        let (server, mut calls) = serve(|it| it.prack = asked).await;
        let phone = Phone::new(&server).await;
        phone.send(&phone.request("INVITE", 1, "Supported: 100rel\r\n", OFFER)).await;
        let accepted = tokio::spawn(next_call(&mut calls).await.accept(here()));
        let mut answer = phone.receive().await;
        while status(&answer) == 100 {
            answer = phone.receive().await;
        }
        assert_eq!(status(&answer), code);
        accepted.abort();
    }
}

#[tokio::test]
async fn an_offer_of_ours_in_the_183_is_answered_by_the_prack() {
    let (server, mut calls) = server().await;
    for (answer, fine) in [(OFFER.replace("0 8 101", "8"), true), (String::new(), false)] {
        let mut phone = Phone::new(&server).await;
        let (progress, dialog) = ring(&mut phone, &mut calls, (INSISTS, ""), false).await;
        assert!(body(&progress).contains("m=audio 20000 RTP/AVP 111 9 0 8 101 110"), "{progress}");
        phone.ask(&phone.request("UPDATE", 2, "", OFFER), 491).await;
        let code = if fine { 200 } else { 488 };
        phone.ask(&prack(&phone, &progress, 3, &answer), code).await;
        let last = phone.answer_to("1 INVITE").await;
        assert_eq!((status(&last), body(&last)), (code, ""));
        phone.send(&phone.request("ACK", 1, "", "")).await;
        match dialog.await.unwrap() {
            Ok(dialog) => assert!(fine && dialog.media.payload_type == 8),
            Err(gone) => assert!(!fine && gone == Gone::Incomplete, "{gone}"),
        }
    }
}

#[tokio::test]
async fn sound_may_pass_before_the_answer_which_says_the_same() {
    let (server, mut calls) = server().await;
    let mut phone = Phone::new(&server).await;
    let (progress, dialog) = ring(&mut phone, &mut calls, ("", OFFER), true).await;
    assert_eq!((field(&progress, "RSeq"), field(&progress, "Require")), Default::default());
    let mut dialog = dialog.await.unwrap().unwrap();
    assert_eq!(dialog.media.remote.port(), 40000);
    assert_eq!(server.counters().answered, 0);
    // Within it, keys and signs of life are heard; another offer is too early.
    let key = "Content-Type: application/dtmf\r\n";
    phone.ask(&phone.request("INFO", 2, key, "#"), 200).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Digit('#')));
    phone.ask(&phone.request("UPDATE", 3, "", ""), 200).await;
    for method in ["UPDATE", "INVITE"] {
        let refused = phone.ask(&phone.request(method, 4, "", OFFER), 500).await;
        assert!(field(&refused, "Retry-After").parse::<u8>().unwrap() <= 10);
    }
    let answering = dialog.answering().expect("it is not answered yet");
    assert!(answering.answer().await);
    assert!(answering.answer().await, "a second time does no harm");
    let ok = phone.answer_to("1 INVITE").await;
    assert_eq!((status(&ok), body(&ok)), (200, body(&progress)));
    assert_eq!(tag_of(&ok), tag_of(&progress));
    phone.send(&phone.request("ACK", 1, "", "")).await;
    phone.send(&phone.request("BYE", 5, "", "")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)));
    assert_eq!(server.counters().answered, 1);
}

#[tokio::test]
async fn an_acknowledged_183_lets_the_sound_change_before_the_answer() {
    let (server, mut calls) = server().await;
    let mut phone = Phone::new(&server).await;
    let (progress, dialog) = ring(&mut phone, &mut calls, (INSISTS, OFFER), true).await;
    let mut dialog = dialog.await.unwrap().unwrap();
    // It has to be acknowledged before anything else is agreed on or answered.
    let answering = dialog.answering().unwrap();
    let answered = tokio::spawn(async move { answering.answer().await });
    phone.ask(&phone.request("UPDATE", 2, "", OFFER), 500).await;
    let moved = OFFER.replace("40000", "46000");
    let ok = phone.ask(&prack(&phone, &progress, 3, &moved), 200).await;
    assert!(body(&ok).contains("m=audio 20000"), "{ok}");
    let Signal::Media(media) = next_signal(&mut dialog).await else { panic!("no change") };
    assert_eq!(media.remote.port(), 46000);
    assert_eq!(status(&phone.answer_to("1 INVITE").await), 200);
    assert!(answered.await.unwrap());
}

#[tokio::test]
async fn a_caller_who_gives_up_before_the_answer_leaves_nothing() {
    let (server, mut calls) = server().await;
    for gives_up in ["CANCEL", "BYE"] {
        let mut phone = Phone::new(&server).await;
        let (_, dialog) = ring(&mut phone, &mut calls, ("", OFFER), true).await;
        let mut dialog = dialog.await.unwrap().unwrap();
        if gives_up == "CANCEL" {
            let cancel = phone.request("CANCEL", 1, "", "").replace("KCANCEL1", "KINVITE1");
            phone.ask(&super::without_to_tag(&cancel), 200).await;
            assert_eq!(status(&phone.answer_to("1 INVITE").await), 487);
        } else {
            phone.send(&phone.request("BYE", 2, "", "")).await;
            let Signal::Bye(farewell) = next_signal(&mut dialog).await else { panic!("no BYE") };
            assert_eq!(status(&phone.answer_to("1 INVITE").await), 487);
            farewell.answer().await;
            assert_eq!(status(&phone.answer_to("2 BYE").await), 200);
        }
        let answering = dialog.answering().unwrap();
        assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
        assert!(!answering.answer().await, "there is nobody to answer");
    }
    while server.counters().calls > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.counters().answered, 0);
}

#[tokio::test]
async fn a_call_that_we_end_before_the_answer_is_refused() {
    let (server, mut calls) = server().await;
    for drops in [false, true] {
        let mut phone = Phone::new(&server).await;
        let (_, dialog) = ring(&mut phone, &mut calls, ("", OFFER), true).await;
        let dialog = dialog.await.unwrap().unwrap();
        let answering = dialog.answering();
        if drops {
            drop(dialog);
        } else {
            dialog.bye().await;
        }
        assert_eq!(status(&phone.answer_to("1 INVITE").await), 480);
        drop(answering);
    }
}

#[tokio::test]
async fn without_an_offer_and_without_100rel_there_is_no_sound_before_the_answer() {
    let (server, mut calls) = server().await;
    let mut phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", "")).await;
    let call = next_call(&mut calls).await;
    let dialog = tokio::spawn(call.progress(here()));
    let ok = phone.answer_to("1 INVITE").await;
    assert_eq!(status(&ok), 200);
    phone.to_tag = tag_of(&ok);
    phone.send(&phone.request("ACK", 1, "", OFFER)).await;
    let dialog = timeout(PATIENCE, dialog).await.unwrap().unwrap().unwrap();
    assert!(dialog.answering().is_none());
}
