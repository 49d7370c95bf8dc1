//! Registering with a telephone system that wants it (RFC 3261 §10), played by a phone of text.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use afterbeep::sip::{Endpoint, Invitation, Registered, Registration, Tls};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::Instant};

use super::{OFFER, PATIENCE, Phone, field, next_call, serve, status};
use crate::certificate::Certificate;
use crate::phone::digest;
use crate::phone::secure::{Gatehouse, gatehouse};

const US: digest::Account =
    digest::Account { user: "vm", password: "secret", algorithm: "SHA-256" };

/// A file that only its owner reads.
fn password(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("password");
    std::fs::write(&file, US.password).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    file
}

/// A registrar behind TLS, and a server that registers with it under this name and believes whom that
/// certificate belongs to.
async fn registering_over_tls(
    certificate: &Certificate,
    name: &str,
    trusted: Option<PathBuf>,
) -> (TempDir, Gatehouse, Endpoint, mpsc::Receiver<Invitation>) {
    let folder = tempfile::tempdir().unwrap();
    let password_file = password(&folder);
    let ip = if name == "localhost" { "127.0.0.1" } else { name };
    let gatehouse = gatehouse(ip, &certificate.certificate(), &certificate.key()).await.unwrap();
    let port = gatehouse.address.port();
    let (server, calls) = serve(|it| {
        it.allow = vec!["127.0.0.9".into()];
        it.tls = Some(Tls {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            certificate: certificate.certificate(),
            key: certificate.key(),
            trusted,
        });
        it.register = vec![Registration {
            server: format!("sip:{name}:{port};transport=tls"),
            user: US.user.into(),
            password_file,
            expires: Duration::from_secs(600),
            contact_user: Some("1000".into()),
        }];
    })
    .await;
    (folder, gatehouse, server, calls)
}

/// A registrar at an address of its own, and a server that registers with it.
async fn registering() -> (TempDir, Phone, Endpoint, mpsc::Receiver<Invitation>) {
    let folder = tempfile::tempdir().unwrap();
    let password_file = password(&folder);
    let mut registrar = Phone::at("127.0.0.7:0", "127.0.0.1:9".parse().unwrap()).await;
    let (server, calls) = serve(|it| {
        it.allow = vec!["127.0.0.9".into()];
        it.register = vec![Registration {
            server: format!("sip:{}", registrar.address()),
            user: US.user.into(),
            password_file,
            expires: Duration::from_secs(600),
            contact_user: Some("1000".into()),
        }];
    })
    .await;
    registrar.server = server.addresses()[0];
    (folder, registrar, server, calls)
}

/// A challenge in one algorithm.
fn challenge(kind: &str, algorithm: &str, nonce: &str, more: &str) -> String {
    format!(
        "401 Unauthorized\r\n{kind}: Digest realm=\"pbx\", qop=\"auth\", \
         algorithm={algorithm}, nonce=\"{nonce}\"{more}"
    )
}

/// The next REGISTER that is not a copy of the last.
async fn after(registrar: &Phone, last: &str) -> String {
    loop {
        let next = registrar.hear("REGISTER").await;
        if field(&next, "CSeq") != field(last, "CSeq") {
            return next;
        }
    }
}

/// Whether a REGISTER proves the password with that nonce.
fn proves(register: &str, account: &digest::Account, nonce: &str, count: u32) -> bool {
    let line = field(register, "Authorization") + &field(register, "Proxy-Authorization");
    let value = |name| digest::parameter(&line, name).unwrap_or_default();
    let uri = register.split(' ').nth(1).unwrap();
    assert_eq!((value("uri").as_str(), value("username").as_str()), (uri, account.user));
    let cnonce = value("cnonce");
    let proof = account.proof_with(("pbx", nonce), "REGISTER", uri, (count, &cnonce));
    value("nc") == format!("{count:08x}") && value("response") == proof
}

async fn until(server: &Endpoint, is_right: impl Fn(&Registered) -> bool) -> Registered {
    let gives_up = Instant::now() + PATIENCE;
    loop {
        let found = server.registrations().remove(0);
        if is_right(&found) {
            return found;
        }
        assert!(Instant::now() < gives_up, "{found:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn we_register_with_a_password_and_calls_come_from_there() {
    for algorithm in ["SHA-256", "MD5"] {
        let (_folder, registrar, server, mut calls) = registering().await;
        let first = registrar.hear("REGISTER").await;
        assert_eq!(field(&first, "To"), "<sip:vm@127.0.0.7>");
        assert_eq!(field(&first, "Expires"), "600");
        let contact = field(&first, "Contact");
        assert_eq!(contact, format!("<sip:1000@{}>", server.addresses()[0]));
        assert_eq!(field(&first, "Authorization"), "");
        let asks = challenge("WWW-Authenticate", algorithm, "abc", "");
        registrar.send(&registrar.answer(&first, &asks)).await;
        let second = after(&registrar, &first).await;
        assert!(proves(&second, &digest::Account { algorithm, ..US }, "abc", 1), "{second}");
        assert_eq!(field(&second, "Call-ID"), field(&first, "Call-ID"));
        let ok = format!("200 OK\r\nContact: <sip:x@y>;expires=9\r\nContact: {contact};expires=2");
        registrar.send(&registrar.answer(&second, &ok)).await;
        until(&server, |it| it.is_up).await;

        registrar.send(&registrar.request("INVITE", 1, "", OFFER)).await;
        drop(next_call(&mut calls).await);
        assert_eq!(status(&registrar.answer_to("1 INVITE").await), 480);
        let ack = registrar.request("ACK", 1, "", "").replace("KACK", "KINVITE");
        registrar.send(&ack).await;

        // Renewed after half of what was granted, with the same nonce counted on.
        let third = after(&registrar, &second).await;
        assert!(proves(&third, &digest::Account { algorithm, ..US }, "abc", 2), "{third}");
        registrar.send(&registrar.answer(&third, "200 OK\r\nExpires: 600")).await;

        // At the end the registrar is told.
        server.drain();
        let last = after(&registrar, &third).await;
        assert_eq!(field(&last, "Expires"), "0");
        registrar.send(&registrar.answer(&last, "200 OK")).await;
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_stale_nonce_a_proxys_challenge_and_a_longer_time_are_followed() {
    let (_folder, registrar, server, _calls) = registering().await;
    let first = registrar.hear("REGISTER").await;
    let asks = challenge("Proxy-Authenticate", "MD5", "one", "").replace("401", "407");
    registrar.send(&registrar.answer(&first, &asks)).await;
    let second = after(&registrar, &first).await;
    let account = digest::Account { algorithm: "MD5", ..US };
    assert!(!field(&second, "Proxy-Authorization").is_empty());
    assert!(proves(&second, &account, "one", 1), "{second}");
    let asks = challenge("Proxy-Authenticate", "MD5", "two", ", stale=true").replace("401", "407");
    registrar.send(&registrar.answer(&second, &asks)).await;
    let third = after(&registrar, &second).await;
    assert!(proves(&third, &account, "two", 1), "{third}");
    let brief = "423 Interval Too Brief\r\nMin-Expires: 3600";
    registrar.send(&registrar.answer(&third, brief)).await;
    let fourth = after(&registrar, &third).await;
    assert_eq!(field(&fourth, "Expires"), "3600");
    registrar.send(&registrar.answer(&fourth, "200 OK")).await;
    until(&server, |it| it.is_up).await;
}

#[tokio::test]
async fn what_goes_wrong_is_told_and_tried_again_later() {
    let (_folder, registrar, server, _calls) = registering().await;
    let first = registrar.hear("REGISTER").await;
    assert_eq!(server.registrations()[0].problem, None);
    let refused = Instant::now();
    registrar.send(&registrar.answer(&first, "403 Forbidden")).await;
    let found = until(&server, |it| it.problem.is_some()).await;
    assert_eq!(found.problem.as_deref(), Some("it answers 403 Forbidden"));
    assert!(!found.is_up);
    let second = after(&registrar, &first).await;
    assert!(refused.elapsed() > Duration::from_millis(400), "ten times T1");
    let refused = Instant::now();
    registrar.send(&registrar.answer(&second, "503 Busy\r\nRetry-After: 2")).await;
    until(&server, |it| it.problem.as_deref() == Some("it answers 503 Busy")).await;
    let third = after(&registrar, &second).await;
    assert!(refused.elapsed() > Duration::from_millis(1_900), "as it was asked");
    registrar.send(&registrar.answer(&third, "200 OK")).await;
    until(&server, |it| it.is_up && it.problem.is_none()).await;
}

#[tokio::test]
async fn a_password_that_is_not_accepted_is_not_offered_twice() {
    let (_folder, registrar, server, _calls) = registering().await;
    let mut register = String::new();
    for nonce in ["one", "two"] {
        register = after(&registrar, &register).await;
        let asks = challenge("WWW-Authenticate", "MD5", nonce, "");
        registrar.send(&registrar.answer(&register, &asks)).await;
    }
    let found = until(&server, |it| it.problem.is_some()).await;
    assert_eq!(found.problem.as_deref(), Some("it does not accept the password"));
    let more = after(&registrar, &register);
    let more = tokio::time::timeout(Duration::from_secs(1), more).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn our_password_is_shown_to_nobody_who_is_called() {
    let (_folder, registrar, server, mut calls) = registering().await;
    let register = registrar.hear("REGISTER").await;
    registrar.send(&registrar.answer(&register, "200 OK")).await;
    let mut phone = registrar;
    let (_, dialog) = phone.dial(&mut calls).await;
    dialog.bye().await;
    let bye = phone.hear("BYE").await;
    let asks = challenge("Proxy-Authenticate", "MD5", "one", "").replace("401", "407");
    phone.send(&phone.answer(&bye, &asks)).await;
    let patience = Duration::from_millis(500);
    while let Ok(more) = tokio::time::timeout(patience, phone.receive()).await {
        assert_eq!(more, bye, "a copy is all that may still come");
    }
    drop(server);
}

#[tokio::test]
async fn we_register_over_tls_and_calls_come_over_that_connection() {
    let certificate = Certificate::new();
    let trusted = Some(certificate.certificate());
    let (_folder, mut gatehouse, server, mut calls) =
        registering_over_tls(&certificate, "localhost", trusted).await;
    let secure: SocketAddr = server.addresses()[1];
    let mut registrar = Phone::at("127.0.0.1:0", secure).await;
    registrar.server = gatehouse.open(registrar.address()).await.unwrap();
    let first = registrar.hear("REGISTER").await;
    assert!(field(&first, "Via").starts_with("SIP/2.0/TLS"), "{first}");
    assert_eq!(field(&first, "Contact"), format!("<sip:1000@{secure};transport=tls>"));
    let asks = challenge("WWW-Authenticate", "SHA-256", "abc", "");
    registrar.send(&registrar.answer(&first, &asks)).await;
    let second = after(&registrar, &first).await;
    assert!(proves(&second, &US, "abc", 1), "{second}");
    registrar.send(&registrar.answer(&second, "200 OK\r\nExpires: 600")).await;
    until(&server, |it| it.is_up).await;
    registrar.call = "over-tls@phone".into();
    let invite = registrar.request("INVITE", 1, "", OFFER).replace("SIP/2.0/UDP", "SIP/2.0/TLS");
    registrar.send(&invite).await;
    drop(next_call(&mut calls).await);
    assert_eq!(status(&registrar.answer_to("1 INVITE").await), 480);
    // What we ask within a call goes there too: nobody listens where its phone says it is.
    registrar.call = "answered-over-tls@phone".into();
    let (_, dialog) = registrar.dial(&mut calls).await;
    dialog.bye().await;
    let bye = registrar.hear("BYE").await;
    assert!(field(&bye, "Via").starts_with("SIP/2.0/TLS"), "{bye}");
}

#[tokio::test]
async fn our_password_is_not_shown_to_who_cannot_prove_their_name() {
    let certificate = Certificate::new();
    for (name, trusted) in [("localhost", None), ("127.0.0.7", Some(certificate.certificate()))] {
        let (_folder, mut gatehouse, server, _calls) =
            registering_over_tls(&certificate, name, trusted).await;
        assert!(gatehouse.open(server.addresses()[0]).await.is_err(), "{name} was believed");
        let found = until(&server, |it| it.problem.is_some()).await;
        assert_eq!(found.problem.as_deref(), Some("it does not answer"));
    }
}
