//! TCP, IPv6, and the sockets themselves.

use std::{net::SocketAddr, time::Duration};

use afterbeep::sip::{Endpoint, ListenError, Settings, Signal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    OFFER, PATIENCE, Phone, body, field, here, next_call, next_signal, serve, status, tag_of,
};

/// A phone on one TCP connection, which nobody can dial back.
struct Stream {
    stream: TcpStream,
    server: SocketAddr,
    received: String,
    to_tag: String,
}

impl Stream {
    async fn new(server: &Endpoint) -> Self {
        let server = server.addresses()[0];
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that a test fills it soon.
        socket.set_recv_buffer_size(8192).unwrap();
        let stream = socket.connect(server).await.unwrap();
        Self { stream, server, received: String::new(), to_tag: String::new() }
    }

    fn request(&self, method: &str, cseq: u32, body: &str) -> String {
        let (us, server) = (self.stream.local_addr().unwrap(), self.server);
        let tag =
            if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:1000@{server};transport=tcp SIP/2.0\r\n\
             Via: SIP/2.0/TCP {us};branch=z9hG4bK{method}{cseq}{}\r\n\
             From: <sip:2000@{us}>;tag=a\r\nTo: <sip:1000@{server}>{tag}\r\nCall-ID: tcp-{us}\r\n\
             CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContact: <sip:2000@{us};transport=tcp>\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            us.port(),
            body.len(),
        )
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn receive(&mut self) -> String {
        loop {
            if let Some(end) = self.received.find("\r\n\r\n") {
                let length: usize = field(&self.received, "Content-Length").parse().unwrap();
                if self.received.len() >= end + 4 + length {
                    let rest = self.received.split_off(end + 4 + length);
                    return std::mem::replace(&mut self.received, rest);
                }
            }
            let mut buffer = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer));
            let length = read.await.expect("a message in time").unwrap();
            assert!(length > 0, "the connection was closed");
            self.received.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    }
}

#[tokio::test]
async fn a_whole_call_runs_over_one_tcp_connection() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Stream::new(&server).await;
    phone.send(&phone.request("INVITE", 1, OFFER)).await;
    let mut dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
    let ok = phone.receive().await;
    assert_eq!(status(&ok), 200);
    assert!(field(&ok, "Contact").contains(";transport=tcp"), "{ok}");
    phone.to_tag = tag_of(&ok);
    phone.send(&phone.request("ACK", 1, "")).await;
    dialog.bye().await;
    let bye = phone.receive().await;
    assert!(bye.starts_with("BYE "), "{bye}");
    assert!(field(&bye, "Via").starts_with("SIP/2.0/TCP"));
    let same: String = ["Via", "From", "To", "Call-ID", "CSeq"]
        .iter()
        .map(|name| format!("{name}: {}\r\n", field(&bye, name)))
        .collect();
    phone.send(&format!("SIP/2.0 200 OK\r\n{same}Content-Length: 0\r\n\r\n")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
}

#[tokio::test]
async fn messages_may_arrive_in_pieces_and_in_heaps() {
    let (server, mut calls) = serve(|_| {}).await;
    let mut phone = Stream::new(&server).await;
    let invite = phone.request("INVITE", 1, OFFER);
    for piece in invite.as_bytes().chunks(97) {
        phone.stream.write_all(piece).await.unwrap();
        phone.stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let _dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
    phone.to_tag = tag_of(&phone.receive().await);
    let heap = [
        "\r\n\r\n",
        &phone.request("ACK", 1, ""),
        &phone.request("OPTIONS", 2, ""),
        &phone.request("OPTIONS", 3, ""),
    ]
    .concat();
    phone.send(&heap).await;
    for cseq in ["2 OPTIONS", "3 OPTIONS"] {
        let answer = phone.receive().await;
        assert_eq!((status(&answer), field(&answer, "CSeq")), (200, cseq.to_owned()));
    }
}

#[tokio::test]
async fn a_stream_of_rubbish_is_closed_and_others_live_on() {
    let (server, _calls) = serve(|_| {}).await;
    let mut rubbish = Stream::new(&server).await;
    let mut other = Stream::new(&server).await;
    rubbish.send("no sip at all\r\n\r\n").await;
    assert!(matches!(rubbish.stream.read(&mut [0; 10]).await, Ok(0) | Err(_)));
    other.send(&other.request("OPTIONS", 1, "")).await;
    assert_eq!(status(&other.receive().await), 200);
    assert_eq!(server.counters().malformed, 1);
}

#[tokio::test]
async fn a_peer_that_never_reads_does_not_hold_the_others_up() {
    let (server, _calls) = serve(|_| {}).await;
    let mut deaf = Stream::new(&server).await;
    let heap = (0..100).map(|it| deaf.request("OPTIONS", it, "")).collect::<String>();
    // Until no more fits into the buffers between, or far more was asked than answers would fit.
    for _ in 0..500 {
        if timeout(Duration::from_millis(300), deaf.send(&heap)).await.is_err() {
            break;
        }
    }
    Phone::new(&server).await.ping().await;
}

#[tokio::test]
async fn ipv6_calls_like_ipv4() {
    let (server, mut calls) = serve(|it| {
        it.listen = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
    })
    .await;
    let mut phone = Phone::at("[::1]:0", server.addresses()[1]).await;
    let offer = OFFER.replace("IP4 127.0.0.1", "IP6 ::1");
    phone.send(&phone.request("INVITE", 1, "", &offer)).await;
    let call = next_call(&mut calls).await;
    assert_eq!(call.local, server.addresses()[1]);
    let dialog = call.accept("[::1]:20000".parse().unwrap()).await.unwrap();
    let ok = phone.answer_to("1 INVITE").await;
    assert!(body(&ok).contains("c=IN IP6 ::1\r\n"), "{ok}");
    assert!(field(&ok, "Contact").contains("[::1]:"), "{ok}");
    phone.to_tag = tag_of(&ok);
    phone.send(&phone.request("ACK", 1, "", "")).await;
    dialog.bye().await;
    phone.hear("BYE").await;
}

#[tokio::test]
async fn both_unspecified_addresses_can_be_listened_on_and_tell_peers_the_right_one() {
    let (first, _calls) = serve(|it| it.listen = vec!["0.0.0.0:0".parse().unwrap()]).await;
    let port = first.addresses()[0].port();
    let (second, _more) =
        serve(|it| it.listen = vec![SocketAddr::new("::".parse().unwrap(), port)]).await;
    assert_eq!(second.addresses()[0].port(), port);
    drop((second, _more));

    let (server, mut calls) = serve(|it| it.listen = vec!["0.0.0.0:0".parse().unwrap()]).await;
    let port = server.addresses()[0].port();
    let phone = Phone::at("127.0.0.1:0", SocketAddr::from(([127, 0, 0, 1], port))).await;
    phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
    let call = next_call(&mut calls).await;
    assert_eq!(call.local, SocketAddr::from(([127, 0, 0, 1], port)));
}

#[tokio::test]
async fn a_port_in_use_is_named_and_a_stopped_one_is_free_again() {
    let (server, _calls) = serve(|_| {}).await;
    let taken = server.addresses()[0];
    let settings = Settings { listen: vec![taken], ..Settings::default() };
    let error = Endpoint::listen(&settings).await.unwrap_err();
    assert!(matches!(error, ListenError::InUse { address, .. } if address == taken));
    assert!(error.to_string().contains(&taken.port().to_string()), "{error}");
    server.shutdown().await;
    Endpoint::listen(&settings).await.unwrap();
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let allow = Settings { allow: vec!["pbx.example".into()], ..Settings::default() };
    assert!(matches!(Endpoint::listen(&allow).await, Err(ListenError::Network { .. })));
    let nowhere = Settings { listen: vec![], ..Settings::default() };
    assert!(matches!(Endpoint::listen(&nowhere).await, Err(ListenError::Nowhere)));
}
