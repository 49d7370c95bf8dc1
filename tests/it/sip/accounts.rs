//! Callers who are not on the list and know a password (RFC 7616, RFC 8760).

use std::{os::unix::fs::PermissionsExt, time::Duration};

use afterbeep::sip::{Account, Endpoint, Invitation, ListenError, Settings, Signal};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

use super::{OFFER, PATIENCE, Phone, field, here, next_call, next_signal, serve, status, tag_of};
use crate::phone::digest::{self, challenges, parameter};

const ANN: digest::Account =
    digest::Account { user: "ann", password: "s, \"ecret", algorithm: "SHA-256" };

/// A server that knows nobody's address and Ann's password.
async fn guarded() -> (TempDir, Endpoint, mpsc::Receiver<Invitation>) {
    let folder = tempfile::tempdir().unwrap();
    let account = account(&folder, ANN.password, 0o600);
    let (server, calls) = serve(|it| {
        it.allow = vec!["127.0.0.9".into()];
        it.accounts = vec![account];
    })
    .await;
    (folder, server, calls)
}

fn account(folder: &TempDir, password: &str, mode: u32) -> Account {
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, format!("{password}\n")).unwrap();
    std::fs::set_permissions(&password_file, PermissionsExt::from_mode(mode)).unwrap();
    Account { user: "ann".into(), password_file, tenant: "default".into() }
}

fn uri(phone: &Phone) -> String {
    format!("sip:1000@{}", phone.server)
}

/// An INVITE with a proof.
fn proved(phone: &Phone, refused: &str, account: &digest::Account, cseq: u32, n: u32) -> String {
    let proof = account.answer(refused, "INVITE", &uri(phone), n);
    phone.request("INVITE", cseq, &proof, OFFER)
}

/// Phones that prove a password may be anywhere, also where nobody reaches what they say of themselves.
#[tokio::test]
async fn a_phone_behind_a_nat_hears_our_hang_up() {
    let (_folder, server, mut calls) = guarded().await;
    let mut phone = Phone::new(&server).await;
    let refused = phone.ask(&phone.request("INVITE", 1, "", OFFER), 401).await;
    let contact = format!("Contact: <sip:2000@{}>", phone.address());
    let hidden = "Contact: <sip:2000@192.168.1.5:5060>";
    phone.send(&proved(&phone, &refused, &ANN, 2, 1).replace(&contact, hidden)).await;
    let dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
    phone.to_tag = tag_of(&phone.answer_to("2 INVITE").await);
    phone.send(&phone.request("ACK", 2, "", "")).await;
    drop(dialog);
    let bye = phone.hear("BYE").await;
    assert!(bye.starts_with("BYE sip:2000@192.168.1.5:5060 SIP/2.0"), "{bye}");
    phone.send(&phone.answer(&bye, "200 OK")).await;
}

#[tokio::test]
async fn a_password_lets_a_stranger_in_by_sha_256_or_md5() {
    for algorithm in ["SHA-256", "MD5"] {
        let (_folder, server, mut calls) = guarded().await;
        let mut phone = Phone::new(&server).await;
        let refused = phone.ask(&phone.request("INVITE", 1, "", OFFER), 401).await;
        let names = challenges(&refused).into_iter().map(|it| parameter(it, "algorithm").unwrap());
        assert_eq!(names.collect::<Vec<_>>(), ["SHA-256", "MD5"], "the best first");
        assert!(challenges(&refused).iter().all(|it| it.contains("qop=\"auth\"")));
        let ack = phone.request("ACK", 1, "", "").replace("KACK1", "KINVITE1");
        phone.send(&ack).await;
        let account = digest::Account { algorithm, ..ANN };
        let invite = proved(&phone, &refused, &account, 2, 1);
        phone.send(&invite).await;
        // A copy of it is only a copy.
        phone.send(&invite).await;
        let call = next_call(&mut calls).await;
        assert_eq!(call.account.as_deref(), Some("ann"));
        let mut dialog = call.accept(here()).await.unwrap();
        let ok = phone.answer_to("2 INVITE").await;
        assert_eq!(status(&ok), 200);
        // Within the call its tags and its address are proof enough.
        phone.to_tag = tag_of(&ok);
        phone.send(&phone.request("ACK", 2, "", "")).await;
        phone.ask(&phone.request("UPDATE", 3, "", ""), 200).await;
        phone.send(&phone.request("BYE", 4, "", "")).await;
        assert!(matches!(next_signal(&mut dialog).await, Signal::Bye(_)));
        assert!(calls.try_recv().is_err());
        assert_eq!(server.counters().challenged, 1);
    }
}

#[tokio::test]
async fn a_proof_is_good_for_one_request_and_from_one_address() {
    let (_folder, server, mut calls) = guarded().await;
    let phone = Phone::new(&server).await;
    let refused = phone.ask(&phone.request("INVITE", 1, "", OFFER), 401).await;
    let invite = proved(&phone, &refused, &ANN, 2, 1);
    phone.send(&invite).await;
    drop(next_call(&mut calls).await);
    assert_eq!(status(&phone.answer_to("2 INVITE").await), 480);
    // The same proof in another request, and from another address.
    let again = invite.replace("z9hG4bK", "z9hG4bKagain").replace("CSeq: 2", "CSeq: 3");
    let stale = phone.ask(&again, 401).await;
    assert!(challenges(&stale).iter().all(|it| it.contains("stale=true")), "{stale}");
    let thief = Phone::at("127.0.0.2:0", phone.server).await;
    let other = proved(&phone, &refused, &ANN, 4, 2);
    let refused_there = thief.ask(&other, 401).await;
    assert!(!refused_there.contains("stale"), "{refused_there}");
    // Counted on, or with the new nonce, it is heard.
    for (cseq, refused, count) in [(5, &refused, 3), (6, &stale, 1)] {
        phone.send(&proved(&phone, refused, &ANN, cseq, count)).await;
        drop(next_call(&mut calls).await);
        assert_eq!(status(&phone.answer_to(&format!("{cseq} INVITE")).await), 480);
        let ack = phone.request("ACK", cseq, "", "").replace("KACK", "KINVITE");
        phone.send(&ack).await;
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer_and_then_none() {
    let (_folder, server, mut calls) = guarded().await;
    let bob = digest::Account { user: "bob", ..ANN };
    let guess = digest::Account { password: "guess", ..ANN };
    let mut answers = Vec::new();
    for (ip, account) in [("127.0.0.3:0", bob), ("127.0.0.4:0", guess)] {
        let phone = Phone::at(ip, server.addresses()[0]).await;
        let first = phone.ask(&phone.request("INVITE", 1, "", OFFER), 401).await;
        let refused = phone.ask(&proved(&phone, &first, &account, 2, 1), 401).await;
        let lines = refused.lines().filter(|it| {
            !["Via", "From", "To", "Call-ID", "WWW"].iter().any(|name| it.starts_with(name))
        });
        answers.push(lines.map(str::to_owned).collect::<Vec<_>>());
        assert!(!refused.contains("stale"), "{refused}");
        for cseq in 3..9 {
            phone.send(&proved(&phone, &first, &account, cseq, cseq)).await;
        }
        // By now even the right one is not heard from there.
        phone.send(&proved(&phone, &first, &ANN, 9, 20)).await;
        let patience = Duration::from_millis(300);
        while let Ok(answer) = timeout(patience, phone.receive()).await {
            assert_eq!(status(&answer), 401);
        }
    }
    assert_eq!(answers[0], answers[1]);
    assert!(calls.try_recv().is_err());
    let counted = async {
        while server.counters().wrong_passwords < 10 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, counted).await.expect("every guess is counted");
    assert_eq!(server.counters().wrong_passwords, 10);
    assert_eq!(server.counters().calls, 0);
}

#[tokio::test]
async fn neither_ack_nor_cancel_is_asked_for_a_password() {
    let (_folder, server, mut calls) = guarded().await;
    let phone = Phone::new(&server).await;
    phone.send(&phone.request("ACK", 1, "", "")).await;
    phone.send(&phone.request("CANCEL", 1, "", "")).await;
    let refused = phone.ask(&phone.request("OPTIONS", 2, "", ""), 401).await;
    assert_eq!(field(&refused, "CSeq"), "2 OPTIONS", "the first answer of all");
    let refused = phone.ask(&phone.request("INVITE", 3, "", OFFER), 401).await;
    phone.send(&proved(&phone, &refused, &ANN, 4, 1)).await;
    let mut call = next_call(&mut calls).await;
    let cancel = phone.request("CANCEL", 4, "", "").replace("KCANCEL4", "KINVITE4");
    // Somebody else who has seen it cannot end it.
    Phone::at("127.0.0.2:0", phone.server).await.send(&cancel).await;
    phone.ask(&phone.request("OPTIONS", 5, "", ""), 401).await;
    assert!(timeout(Duration::from_millis(100), call.cancelled()).await.is_err());
    phone.send(&cancel).await;
    call.cancelled().await;
    assert_eq!(status(&phone.answer_to("4 CANCEL").await), 200);
}

#[tokio::test]
async fn a_call_is_heard_from_where_it_was_proved_only() {
    let (_folder, server, mut calls) = guarded().await;
    let mut phone = Phone::new(&server).await;
    let refused = phone.ask(&phone.request("INVITE", 1, "", OFFER), 401).await;
    phone.send(&proved(&phone, &refused, &ANN, 2, 1)).await;
    let mut dialog = next_call(&mut calls).await.accept(here()).await.unwrap();
    phone.to_tag = tag_of(&phone.answer_to("2 INVITE").await);
    phone.send(&phone.request("ACK", 2, "", "")).await;
    let thief = Phone::at("127.0.0.2:0", phone.server).await;
    thief.ask(&phone.request("BYE", 3, "", ""), 401).await;
    // Our own hang-up is answered by somebody who is on no list.
    dialog.bye().await;
    let bye = phone.hear("BYE").await;
    phone.send(&phone.answer(&bye, "200 OK")).await;
    assert!(matches!(next_signal(&mut dialog).await, Signal::Over));
    assert_eq!(server.counters().calls, 0);
}

#[tokio::test]
async fn strangers_connections_are_few_and_heard_with_a_password() {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    let (_folder, server, mut calls) = guarded().await;
    let address = server.addresses()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    let phone = Phone::new(&server).await;
    let tcp = |text: String| text.replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    let mut buffer = vec![0; 4096];
    stream.write_all(tcp(phone.request("INVITE", 1, "", OFFER)).as_bytes()).await.unwrap();
    let length = stream.read(&mut buffer).await.unwrap();
    let refused = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert_eq!(status(&refused), 401, "{refused}");
    stream.write_all(tcp(proved(&phone, &refused, &ANN, 2, 1)).as_bytes()).await.unwrap();
    assert_eq!(next_call(&mut calls).await.account.as_deref(), Some("ann"));

    let mut others = Vec::new();
    for _ in 0..12 {
        others.push(TcpStream::connect(address).await.unwrap());
    }
    // Eight of one address are enough, and the first of them is the one that calls.
    for (at, other) in others.iter_mut().enumerate().rev() {
        let patience = if at < 7 { Duration::from_millis(100) } else { PATIENCE };
        let read = timeout(patience, other.read(&mut buffer)).await;
        assert_eq!(matches!(read, Ok(Ok(0) | Err(_))), at >= 7, "connection {at}: {read:?}");
    }
}

#[tokio::test]
async fn peers_on_the_list_are_asked_for_nothing() {
    let (_folder, server, mut calls) = guarded().await;
    let mut phone = Phone::at("127.0.0.9:0", server.addresses()[0]).await;
    phone.send(&phone.request("INVITE", 1, "", OFFER)).await;
    let call = next_call(&mut calls).await;
    assert_eq!(call.account, None);
    drop(call);
    phone.to_tag = tag_of(&phone.answer_to("1 INVITE").await);
}

#[tokio::test]
async fn a_password_that_others_can_read_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        accounts: vec![account(&folder, "secret", 0o644)],
        ..Settings::default()
    };
    let error = Endpoint::listen(&settings).await.unwrap_err();
    assert!(matches!(error, ListenError::Password { section: "accounts", .. }), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
}
