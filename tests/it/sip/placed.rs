//! Calls we place, against our own server and against a phone made of text.

use afterbeep::{
    audio::Codec,
    mailbox::Caller,
    sip::{CallError, Refusal, Signal},
};

use super::{OFFER, Phone, body, field, here, next_call, next_signal, serve};

fn ann() -> Caller {
    Caller::claimed(Some("Ann \"A\" Lee"), Some("+4930123"))
}

#[tokio::test]
async fn we_call_ourselves_over_udp_and_tcp_and_either_side_hangs_up() {
    for transport in ["udp", "tcp"] {
        for callee_leaves in [false, true] {
            let (server, mut calls) = serve(|_| {}).await;
            let to = format!("sip:1000@{};transport={transport}", server.addresses()[0]);
            let media = "127.0.0.1:30000".parse().unwrap();
            let caller = ann();
            let call = server.call(&to, &caller, media, &[Codec::Pcma, Codec::Pcmu]);
            let answer = async {
                let call = next_call(&mut calls).await;
                assert_eq!(call.caller, ann());
                call.accept(here()).await.unwrap()
            };
            let (call, mut theirs) = tokio::join!(call, answer);
            let mut ours = call.unwrap();
            assert_eq!((ours.media.codec, ours.media.remote), (Codec::Pcma, here()));
            assert_eq!((theirs.media.codec, theirs.media.remote), (Codec::Pcma, media));
            assert_eq!(ours.call_id, theirs.call_id);
            let (leaves, stays) =
                if callee_leaves { (&mut theirs, &mut ours) } else { (&mut ours, &mut theirs) };
            leaves.bye().await;
            let Signal::Bye(farewell) = next_signal(stays).await else { panic!("{transport}") };
            farewell.answer().await;
            assert!(matches!(next_signal(leaves).await, Signal::Over));
        }
    }
}

#[tokio::test]
async fn a_refused_call_tells_why() {
    let (server, mut calls) = serve(|_| {}).await;
    let to = format!("sip:1@{}", server.addresses()[0]);
    let caller = ann();
    let call = server.call(&to, &caller, here(), &[Codec::Pcmu]);
    let refuse = async { next_call(&mut calls).await.reject(Refusal::NotFound).await };
    let (call, ()) = tokio::join!(call, refuse);
    assert!(matches!(call, Err(CallError::Refused { code: 404, .. })), "{call:?}");
    for wrong in ["1000", "mailto:x@y", "sip:a b@c"] {
        let call = server.call(wrong, &caller, here(), &[Codec::Pcmu]).await;
        assert!(matches!(call, Err(CallError::Address(_))), "{call:?}");
    }
}

#[tokio::test]
async fn every_copy_of_a_200_gets_its_ack() {
    let (server, _calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let to = format!("sip:7@{}", phone.address());
    let caller = ann();
    let call = server.call(&to, &caller, here(), &[Codec::Pcmu]);
    let answer = async {
        let invite = phone.hear("INVITE").await;
        assert!(field(&invite, "From").starts_with("\"Ann \\\"A\\\" Lee\" <sip:+4930123@"));
        assert!(body(&invite).contains("m=audio 20000 RTP/AVP 0 101"), "{invite}");
        let ok = phone.answer(&invite, "200 OK");
        let ok = ok.replace("Content-Length: 0\r\n\r\n", "");
        let to = format!("To: {}\r\n", field(&invite, "To"));
        let tagged = to.replace("\r\n", ";tag=bob\r\n");
        let contact = format!("Contact: <sip:7@{}>\r\n", phone.address());
        let kind = "Content-Type: application/sdp\r\n";
        let ok = ok.replace(&to, &tagged) + &contact + kind;
        let ok = format!("{ok}Content-Length: {}\r\n\r\n{OFFER}", OFFER.len());
        phone.send(&ok).await;
        let first = phone.hear("ACK").await;
        phone.send(&ok).await;
        assert_eq!(phone.hear("ACK").await, first);
        assert!(field(&first, "To").ends_with(";tag=bob"), "{first}");
    };
    let (call, ()) = tokio::join!(call, answer);
    assert_eq!(call.unwrap().media.remote.port(), 40000);
}
