//! TLS: what the server says of itself there, and what it does when files or peers are wrong.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use afterbeep::sip::{Endpoint, ListenError, Settings, Signal, Tls, TlsError};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use super::{OFFER, PATIENCE, Phone, field, here, next_call, next_signal, serve, status, tag_of};
use crate::certificate::Certificate;
use crate::phone::secure::{connect, gate};

fn tls(certificate: &Certificate) -> Tls {
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    Tls { listen, certificate: certificate.certificate(), key: certificate.key(), trusted: None }
}

/// A phone behind TLS.
async fn phone(server: &Endpoint, certificate: &Certificate) -> Phone {
    let gate = gate(server.addresses()[1], &certificate.der).await.unwrap();
    Phone::at("127.0.0.1:0", gate).await
}

#[tokio::test]
async fn a_whole_call_runs_over_one_tls_connection_and_is_told_to_go_on_there() {
    let certificate = Certificate::new();
    let (server, mut calls) = serve(|it| it.tls = Some(tls(&certificate))).await;
    for sips in [false, true] {
        let mut phone = phone(&server, &certificate).await;
        let mut invite = phone.request("INVITE", 1, "", OFFER);
        if sips {
            invite = invite.replacen("INVITE sip:", "INVITE sips:", 1);
        }
        phone.send(&invite).await;
        let mut dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
        let ok = phone.answer_to("1 INVITE").await;
        assert_eq!(status(&ok), 200);
        let contact = field(&ok, "Contact");
        let address = server.addresses()[1];
        match sips {
            true => assert_eq!(contact, format!("<sips:1000@{address};transport=tls>")),
            false => assert_eq!(contact, format!("<sip:1000@{address};transport=tls>")),
        }
        phone.to_tag = tag_of(&ok);
        phone.send(&phone.request("ACK", 1, "", "").replace("INVITE1", "ACK1")).await;
        dialog.bye().await;
        let bye = phone.hear("BYE").await;
        assert!(field(&bye, "Via").starts_with("SIP/2.0/TLS"), "{bye}");
        phone.send(&phone.answer(&bye, "200 OK")).await;
        assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
    }
}

#[tokio::test]
async fn a_stranger_is_turned_away_before_tls_and_plain_text_gets_nothing() {
    let certificate = Certificate::new();
    let (server, _calls) = serve(|it| {
        it.tls = Some(tls(&certificate));
        it.allow = vec!["127.0.0.2".into()];
    })
    .await;
    assert!(connect(server.addresses()[1], &certificate.der).await.is_err());
    assert_eq!(server.counters().strangers, 1);

    let (server, _calls) = serve(|it| it.tls = Some(tls(&certificate))).await;
    let mut plain = TcpStream::connect(server.addresses()[1]).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"OPTIONS sip:x SIP/2.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let end = timeout(PATIENCE, plain.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(end.is_err() || !String::from_utf8_lossy(&answer).contains("SIP"));
    let phone = phone(&server, &certificate).await;
    phone.ping().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_while_calls_go_on() {
    let mut certificate = Certificate::new();
    let (server, _calls) = serve(|it| it.tls = Some(tls(&certificate))).await;
    let before = phone(&server, &certificate).await;
    before.ping().await;
    certificate.renew();
    let connected = async {
        while connect(server.addresses()[1], &certificate.der).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, connected).await.expect("the new certificate is shown");
    before.ping().await;
}

#[tokio::test]
async fn wrong_files_are_named_with_what_is_wrong_and_what_helps() {
    let (one, other) = (Certificate::new(), Certificate::new());
    let listen = |certificate: &Path, key: &Path| {
        let tls = Tls { certificate: certificate.into(), key: key.into(), ..tls(&one) };
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let settings = Settings { listen, tls: Some(tls), ..Settings::default() };
        async move {
            match Endpoint::listen(&settings).await {
                Err(ListenError::Tls(error)) => error,
                other => panic!("{other:?}"),
            }
        }
    };
    let nowhere = one.folder.path().join("nowhere");
    let error = listen(&nowhere, &one.key()).await;
    assert!(matches!(error, TlsError::Read { .. }) && error.to_string().contains("nowhere"));
    let error = listen(&one.key(), &one.key()).await;
    assert!(matches!(error, TlsError::NoCertificate { .. }), "{error}");
    let error = listen(&one.certificate(), &one.certificate()).await;
    assert!(matches!(error, TlsError::Open { .. } | TlsError::NoKey { .. }), "{error}");
    let error = listen(&one.certificate(), &other.key()).await;
    assert!(matches!(error, TlsError::NoPair { .. }), "{error}");
    std::fs::set_permissions(one.key(), PermissionsExt::from_mode(0o644)).unwrap();
    let error = listen(&one.certificate(), &one.key()).await;
    assert!(matches!(error, TlsError::Open { .. }) && error.to_string().contains("chmod"));

    let days = tls(&other).good_until().unwrap().unwrap();
    // The generator's own end, the year 4096.
    assert_eq!(days.0 / 1_000, 67_090_118_400, "{days:?}");
}
