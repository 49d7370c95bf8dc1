//! A caller, Kamailio with the configuration of its page, a phone that does not take the call, and
//! Afterbeep.

use afterbeep::mailbox::Reason;
use tokio::net;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::proxy::Kamailio;
use crate::call::{assert_heard, words};
use crate::house::{House, PATIENCE};
use crate::phone::{Phone, header};

const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

#[tokio::test]
async fn a_call_that_finds_the_phone_busy_becomes_a_message_with_that_reason() {
    assert_left(Some(Manner::Busy), Reason::Busy).await;
}

#[tokio::test]
async fn a_call_that_nobody_answers_becomes_a_message_with_that_reason() {
    assert_left(Some(Manner::Rings), Reason::NoAnswer).await;
}

#[tokio::test]
async fn a_call_to_a_phone_that_is_not_there_becomes_a_message_with_that_reason() {
    assert_left(None, Reason::Unreachable).await;
}

async fn assert_left(manner: Option<Manner>, reason: Reason) {
    let house = House::start(DEAF);
    let kamailio = Kamailio::start(house.sip).await;
    let phone = match manner {
        Some(manner) => Some(Untaken::register(&kamailio, manner).await),
        None => None,
    };

    let caller = Phone::new().await.unwrap();
    let called = caller.call(kamailio.address, "1000").await.unwrap();
    let mut call = called.unwrap_or_else(|it| panic!("{}: {}", it.text, kamailio.said()));
    call.skip_to_beep().await.unwrap();
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();

    let message = house.messages(1).await.remove(0);
    assert_eq!(message.envelope.reason, reason, "{}", kamailio.said());
    assert_eq!(message.envelope.caller.to_string(), "Marie Dupont (5551234)");
    assert_heard(&house.sound(message.id), &said);
    drop(phone);
}

/// How a phone does not take a call.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Manner {
    Busy,
    Rings,
}

/// The phone of extension 1000, until it is dropped.
pub(super) struct Untaken(JoinHandle<()>);

impl Drop for Untaken {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Untaken {
    pub(super) async fn register(kamailio: &Kamailio, manner: Manner) -> Self {
        let socket = net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (here, server) = (socket.local_addr().unwrap(), kamailio.address);
        let register = format!(
            "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKreg\r\n\
             From: <sip:1000@{server}>;tag=reg\r\nTo: <sip:1000@{server}>\r\n\
             Call-ID: reg@{here}\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n\
             Contact: <sip:1000@{here}>\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n"
        );
        let mut answer = [0; 4_096];
        socket.send_to(register.as_bytes(), server).await.unwrap();
        let (length, _) = timeout(PATIENCE, socket.recv_from(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        Self(tokio::spawn(refuse(socket, manner)))
    }
}

/// Answers everything that comes, and never takes a call.
async fn refuse(socket: net::UdpSocket, manner: Manner) {
    let mut buffer = [0; 8_192];
    let mut invited = String::new();
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let answers = match request.split(' ').next() {
            Some("INVITE") if manner == Manner::Busy => vec![to(&request, "486 Busy Here")],
            Some("INVITE") => {
                invited.clone_from(&request);
                vec![to(&request, "180 Ringing")]
            }
            Some("CANCEL") => {
                vec![to(&request, "200 OK"), to(&invited, "487 Request Terminated")]
            }
            _ => vec![],
        };
        for answer in answers {
            socket.send_to(answer.as_bytes(), from).await.ok();
        }
    }
}

/// An answer to a request.
fn to(request: &str, status: &str) -> String {
    let lines = |name: &str| -> String {
        let start = format!("{name}:");
        let found = request.lines().filter(|it| it.starts_with(&start));
        found.map(|it| format!("{it}\r\n")).collect()
    };
    let called = header(request, "To").unwrap_or_default();
    format!(
        "SIP/2.0 {status}\r\n{}{}{}To: {called};tag=phone\r\n{}{}Content-Length: 0\r\n\r\n",
        lines("Via"),
        lines("Record-Route"),
        lines("From"),
        lines("Call-ID"),
        lines("CSeq"),
    )
}
