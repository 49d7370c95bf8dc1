//! What happens at each limit of an address of ours: nobody is left without a word, and others are heard.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{OFFER, PATIENCE, Phone, field, here, serve, status, tag_of};

#[tokio::test]
async fn who_asks_too_fast_is_told_when_to_ask_again_and_others_are_heard() {
    let (server, mut calls) = serve(|it| it.most_requests = 2).await;
    let mut up = Phone::new(&server).await;
    let (_, _dialog) = up.dial(&mut calls).await;
    let phone = Phone::new(&server).await;
    let mut refused = None;
    for cseq in 0..30 {
        let options = phone.request("OPTIONS", cseq, "", "");
        phone.send(&options).await;
        let answer = phone.answer_to(&field(&options, "CSeq")).await;
        if status(&answer) == 503 {
            assert!(answer.len() < options.len() + 40, "hardly more bytes than were asked with");
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("30 requests at once are too many");
    assert!(field(&refused, "Retry-After").parse::<u32>().is_ok_and(|it| it > 0), "{refused}");
    assert!(!tag_of(&refused).is_empty());
    phone.ask(&phone.request("INVITE", 40, "", OFFER), 503).await;
    assert!(server.counters().hurried >= 2);
    // A call that is up goes on, though it comes from the same address.
    up.ask(&up.request("OPTIONS", 2, "", ""), 200).await;
    Phone::at("127.0.0.3:0", server.addresses()[0]).await.ping().await;
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn without_room_for_a_transaction_the_next_request_is_refused_with_503() {
    let (server, mut calls) = serve(|it| it.most_transactions = 4).await;
    let phone = Phone::new(&server).await;
    let mut codes = Vec::new();
    for cseq in 0..8 {
        let options = phone.request("OPTIONS", cseq, "", "");
        phone.send(&options).await;
        let answer = phone.answer_to(&field(&options, "CSeq")).await;
        codes.push(status(&answer));
        if status(&answer) == 503 {
            assert!(!field(&answer, "Retry-After").is_empty());
        }
    }
    assert_eq!(codes, [200, 200, 200, 200, 503, 503, 503, 503]);
    assert_eq!(server.counters().overflowed, 4);
    // A copy of what was answered is answered as before.
    phone.ask(&phone.request("OPTIONS", 0, "", ""), 200).await;
    // They are forgotten after their time (RFC 3261, timer J), and there is room again.
    let room = async {
        loop {
            let invite = phone.request("INVITE", 100, "", OFFER);
            phone.send(&invite).await;
            if let Ok(call) = timeout(Duration::from_millis(200), calls.recv()).await {
                return call;
            }
        }
    };
    timeout(PATIENCE, room).await.expect("room in time").unwrap().accept(here()).await.unwrap();
}

#[tokio::test]
async fn messages_larger_than_the_limits_are_no_messages() {
    let (server, mut calls) = serve(|_| {}).await;
    let phone = Phone::new(&server).await;
    let head = |extra: &str| phone.request("OPTIONS", 1, extra, "");
    let long = format!("X: {}\r\n", "x".repeat(8 * 1_024));
    let many = "X: y\r\n".repeat(257);
    for wrong in [head(&long), head(&many)] {
        phone.send(&wrong).await;
    }
    phone.ping().await;
    assert_eq!(server.counters().malformed, 2);
    let most = "X: y\r\n".repeat(240);
    phone.ask(&phone.request("OPTIONS", 2, &most, ""), 200).await;

    // On a stream nothing that follows could be told apart, so it is closed.
    for wrong in [
        head(&long),
        head(&many),
        head("").replace("Content-Length: 0", "Content-Length: 70000"),
        "X".repeat(100_000),
    ] {
        let mut stream = TcpStream::connect(server.addresses()[0]).await.unwrap();
        let _ = stream.write_all(wrong.as_bytes()).await;
        let mut rest = Vec::new();
        let closed = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "a stream is held open after {} bytes", wrong.len());
    }
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn a_connection_that_brings_nothing_is_closed_and_one_that_does_is_kept() {
    // With T1 of 50 ms the 30 s are three.
    let (server, _calls) = serve(|_| {}).await;
    let mut silent = TcpStream::connect(server.addresses()[0]).await.unwrap();
    let mut slow = TcpStream::connect(server.addresses()[0]).await.unwrap();
    let mut good = TcpStream::connect(server.addresses()[0]).await.unwrap();
    let us = good.local_addr().unwrap();
    let options = format!(
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP {us};branch=z9hG4bKa\r\nFrom: <sip:a@{us}>;tag=a\r\n\
         To: <sip:x>\r\nCall-ID: a-{us}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    );
    good.write_all(options.as_bytes()).await.unwrap();
    let mut buffer = [0; 2_048];
    assert!(good.read(&mut buffer).await.unwrap() > 0);
    let dripping = async {
        // A byte now and then is no message.
        loop {
            tokio::select! {
                read = slow.read(&mut buffer) => break read,
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    let _ = slow.write_all(b"\r\n").await;
                }
            }
        }
    };
    let closed = timeout(PATIENCE, dripping).await.expect("it is closed");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    let closed = timeout(PATIENCE, silent.read(&mut [0; 10])).await.expect("it is closed");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    good.write_all(options.replace("z9hG4bKa", "z9hG4bKb").as_bytes()).await.unwrap();
    assert!(good.read(&mut [0; 2_048]).await.unwrap() > 0, "the good one was closed as well");
}

#[tokio::test]
async fn one_source_has_so_many_connections_and_others_have_theirs() {
    let (server, _calls) = serve(|_| {}).await;
    let connect = async |from: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        socket.connect(server.addresses()[0]).await.unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..128 {
        open.push(connect("127.0.0.5").await);
    }
    let mut one_more = connect("127.0.0.5").await;
    let closed = timeout(PATIENCE, one_more.read(&mut [0; 10])).await.expect("it is closed");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert_eq!(server.counters().overflowed, 1);
    let mut other = connect("127.0.0.6").await;
    let quiet = timeout(Duration::from_millis(200), other.read(&mut [0; 10])).await;
    assert!(quiet.is_err(), "another's connection was closed: {quiet:?}");
    Phone::new(&server).await.ping().await;
}

#[tokio::test]
async fn what_is_a_scanner_and_how_long_guessers_are_ignored_is_set() {
    let (server, _calls) = serve(|it| it.scanners = vec!["pentest".into()]).await;
    let phone = Phone::new(&server).await;
    phone.ask(&phone.request("OPTIONS", 1, "User-Agent: friendly-scanner\r\n", ""), 200).await;
    phone.send(&phone.request("OPTIONS", 2, "User-Agent: PenTest/1\r\n", "")).await;
    phone.ping().await;
    assert_eq!(server.counters().scanners, 1);

    // As a stranger: five answers, then silence, and after that time answers again.
    let (server, _calls) = serve(|it| {
        it.allow = vec!["127.0.0.2".into()];
        it.silence = Duration::from_millis(500);
    })
    .await;
    let phone = Phone::new(&server).await;
    for cseq in 0..20 {
        phone.send(&phone.request("OPTIONS", cseq, "", "")).await;
    }
    Phone::at("127.0.0.2:0", server.addresses()[0]).await.ping().await;
    let mut answers = 0;
    while phone.socket.try_recv(&mut [0; 2_048]).is_ok() {
        answers += 1;
    }
    assert_eq!(answers, 5);
    let heard_again = async {
        for cseq in 30.. {
            phone.send(&phone.request("OPTIONS", cseq, "", "")).await;
            if timeout(Duration::from_millis(100), phone.socket.recv(&mut [0; 2_048])).await.is_ok()
            {
                return;
            }
        }
    };
    timeout(PATIENCE, heard_again).await.expect("it is heard again");
}

#[tokio::test]
async fn a_flood_of_calls_leaves_the_server_as_it_was() {
    let (server, mut calls) = serve(|it| {
        it.most_calls = 3;
        it.most_transactions = 50;
        it.most_requests = 20;
    })
    .await;
    let mut held = Vec::new();
    for number in 0..300 {
        let phone = Phone::new(&server).await;
        phone.send(&phone.request("INVITE", number, "", OFFER)).await;
        while let Ok(call) = calls.try_recv() {
            held.push(call);
        }
        assert!(held.len() <= 3);
    }
    let far = Phone::at("127.0.0.7:0", server.addresses()[0]).await;
    let options = far.request("OPTIONS", 1, "", "");
    far.send(&options).await;
    assert!([200, 503].contains(&status(&far.answer_to("1 OPTIONS").await)));
    drop(held);
    let mut last = Phone::at("127.0.0.8:0", server.addresses()[0]).await;
    let dialled = async {
        loop {
            last.send(&last.request("INVITE", 1, "", OFFER)).await;
            if let Ok(call) = timeout(Duration::from_millis(500), calls.recv()).await {
                return call;
            }
            last = Phone::at("127.0.0.8:0", server.addresses()[0]).await;
        }
    };
    timeout(PATIENCE, dialled).await.expect("a call in time").unwrap();
}
