//! Those who are not on the list.

use super::{OFFER, Phone, field, serve, status};

#[tokio::test]
async fn a_stranger_gets_one_answer_whatever_is_asked_and_then_none() {
    let (server, mut calls) = serve(|it| it.allow = vec!["127.0.0.2/32".into()]).await;
    let phone = Phone::new(&server).await;
    let requests = [
        phone.request("INVITE", 1, "", OFFER),
        phone.request("INVITE", 2, "", OFFER).replacen("1000", "9999", 1),
        phone.request("OPTIONS", 3, "", ""),
        phone.request("REGISTER", 4, "", ""),
        phone.request("BYE", 5, "", ""),
    ];
    for request in &requests {
        phone.send(request).await;
        let answer = phone.receive().await;
        assert_eq!(status(&answer), 403, "{answer}");
        assert_eq!(field(&answer, "CSeq"), field(request, "CSeq"));
        assert!(answer.len() < request.len(), "no more bytes than were asked with");
        for telling in ["Server", "Allow", "User-Agent", "Contact"] {
            assert_eq!(field(&answer, telling), "", "{answer}");
        }
    }
    for cseq in 6..20 {
        phone.send(&phone.request("OPTIONS", cseq, "", "")).await;
    }
    // A peer is heard meanwhile, and by then the stranger would have been answered.
    let peer = Phone::at("127.0.0.2:0", server.addresses()[0]).await;
    peer.ping().await;
    let more = phone.socket.try_recv(&mut [0; 2048]);
    assert!(more.is_err(), "neither an answer nor a copy of one");
    assert!(calls.try_recv().is_err());
    assert_eq!(server.counters().strangers, 19);
    assert_eq!(server.counters().calls, 0);
}

#[tokio::test]
async fn a_scanner_gets_nothing_even_from_an_allowed_address() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    phone.send(&phone.request("OPTIONS", 1, "User-Agent: friendly-scanner\r\n", "")).await;
    phone.send(&phone.request("INVITE", 2, "User-Agent: SIPVicious 0.3\r\n", OFFER)).await;
    phone.send(&phone.request("OPTIONS", 3, "", "")).await;
    assert_eq!(field(&phone.receive().await, "CSeq"), "3 OPTIONS");
    assert_eq!(server.counters().scanners, 2);
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn a_strangers_connection_is_closed() {
    use tokio::io::AsyncReadExt;

    let (server, _calls) = serve(|it| it.allow = vec!["127.0.0.2".into()]).await;
    let mut stream = tokio::net::TcpStream::connect(server.addresses()[0]).await.unwrap();
    let closed = stream.read(&mut [0; 10]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert_eq!(server.counters().strangers, 1);
}
