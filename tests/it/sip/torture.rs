//! The torture messages of RFC 4475: each is answered as beside it stands, or not at all, and a call
//! works afterwards.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use afterbeep::sip::Refusal;
use tokio::{net::UdpSocket, time::timeout};

use super::{PATIENCE, Phone, field, serve, status};

const MESSAGES: &str = include_str!("torture/messages.txt");
/// Who says in `Via` that he is elsewhere is answered at his address, but at the port he names.
const HERE: &str = "127.0.44.75";

/// A message and what is answered.
struct Case {
    name: String,
    bytes: Vec<u8>,
    answer: Option<u16>,
}

#[test]
fn all_messages_of_the_rfc_are_there() {
    assert_eq!(cases().len(), 49);
}

#[tokio::test]
async fn each_torture_message_has_its_answer_and_calls_work_afterwards() {
    let (server, mut calls) = serve(|_| {}).await;
    let busy = tokio::spawn(async move {
        loop {
            let Some(call) = calls.recv().await else { return calls };
            if call.called.user == "1000" {
                call.accept(super::here()).await.ok();
            } else {
                call.reject(Refusal::NotFound).await;
            }
        }
    });
    let (mut wrong, mut seen) = (Vec::new(), HashSet::new());
    for case in cases() {
        let answer = ask(server.addresses()[0], &case, &mut seen).await;
        if answer != case.answer {
            wrong.push(format!("{}: {answer:?} and not {:?}", case.name, case.answer));
        }
        Phone::new(&server).await.ping().await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let phone = Phone::new(&server).await;
    phone.send(&phone.request("INVITE", 1, "", super::OFFER)).await;
    assert_eq!(status(&phone.answer_to("1 INVITE").await), 200);
    busy.abort();
}

/// The final answer, if one comes before that to a good request sent behind. Nobody acknowledges here,
/// so copies of earlier answers come as well.
async fn ask(server: SocketAddr, case: &Case, seen: &mut HashSet<String>) -> Option<u16> {
    let usual = UdpSocket::bind((HERE, 5060)).await.unwrap();
    let other = UdpSocket::bind((HERE, 5050)).await.unwrap();
    usual.send_to(&case.bytes, server).await.unwrap();
    let ping = format!(
        "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {HERE}:5060;branch=z9hG4bKp{name}\r\n\
         From: <sip:p@{HERE}>;tag=p\r\nTo: <sip:{server}>\r\nCall-ID: ping-{name}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        name = case.name,
    );
    let (mut one, mut two) = ([0; 8_192], [0; 8_192]);
    let mut pinged = false;
    loop {
        // The driver of calls has its turn before the end is asked for.
        let patience = if pinged { PATIENCE } else { Duration::from_millis(150) };
        let received = tokio::select! {
            received = timeout(patience, usual.recv(&mut one)) => received.map(|it| &one[..it.unwrap()]),
            Ok(length) = other.recv(&mut two) => Ok(&two[..length]),
        };
        let Ok(bytes) = received else {
            assert!(!pinged, "the server is silent after {}", case.name);
            pinged = true;
            usual.send_to(ping.as_bytes(), server).await.unwrap();
            continue;
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        if field(&text, "Call-ID") == format!("ping-{}", case.name) {
            return None;
        }
        if status(&text) >= 200 && seen.insert(text.clone()) {
            return Some(status(&text));
        }
    }
}

fn cases() -> Vec<Case> {
    MESSAGES
        .split("==== ")
        .skip(1)
        .map(|text| {
            let (title, rest) = text.split_once('\n').unwrap();
            let (name, answer) = title.split_once(' ').unwrap();
            let message = rest.lines().filter(|it| !it.starts_with("# ")).collect::<Vec<_>>();
            let bytes = bytes(&message.join("\n"));
            Case { name: name.into(), bytes, answer: answer.parse().ok() }
        })
        .collect()
}

/// The message as it is sent.
fn bytes(text: &str) -> Vec<u8> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, token, after)) = next_token(rest) {
        filled.push_str(before);
        match token.split_once(' ') {
            Some(("sdp", ip)) => filled.push_str(&sdp(ip)),
            Some(("long", word)) => filled.push_str(&word.repeat(20)),
            _ => filled.push_str(&format!("{{{token}}}")),
        }
        rest = after;
    }
    let filled = (filled + rest).replace('\n', "\r\n");
    // A message without a body ends in an empty line.
    let filled = if filled.contains("\r\n\r\n") { filled } else { filled + "\r\n\r\n" };
    let body = filled.split_once("\r\n\r\n").map_or(0, |it| raw(it.1).len());
    raw(&filled.replace("{length}", &body.to_string()))
}

/// Puts bytes in place of `{xx}`.
fn raw(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, token, after)) = next_token(rest) {
        bytes.extend(before.as_bytes());
        match u8::from_str_radix(token, 16) {
            Ok(byte) if token.len() == 2 => bytes.push(byte),
            _ => bytes.extend(format!("{{{token}}}").as_bytes()),
        }
        rest = after;
    }
    bytes.extend(rest.as_bytes());
    bytes
}

fn next_token(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (token, after) = rest.split_once('}')?;
    Some((before, token, after))
}

fn sdp(ip: &str) -> String {
    format!(
        "v=0\no=mhandley 29739 7272939 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\n\
         m=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n"
    )
}
