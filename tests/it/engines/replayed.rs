//! Calls as Asterisk and FreeSWITCH send them with the configurations of their pages, header by
//! header; only addresses, tags and ports are ours.

use afterbeep::mailbox::Reason;

use crate::call::words;
use crate::house::House;
use crate::phone::{Phone, header};

const ASTERISK: &str = include_str!("calls/asterisk-busy.sip");
const FREESWITCH: &str = include_str!("calls/freeswitch-busy.sip");

const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

/// The INVITE of a file, with what belongs to this call put in.
fn dressed(text: &str, invite: &str) -> String {
    let field = |name: &str| header(invite, name).unwrap();
    let port = invite.split("m=audio ").nth(1).and_then(|it| it.split(' ').next()).unwrap();
    let text = text
        .replace("{via}", field("Via"))
        .replace("{from}", field("From"))
        .replace("{to}", field("To"))
        .replace("{call-id}", field("Call-ID"))
        .replace("{contact}", field("Contact"))
        .replace("{port}", port);
    let (head, body) = text.split_once("\n\n").unwrap();
    let body = body.replace('\n', "\r\n");
    let head = head.replace("{length}", &body.len().to_string()).replace('\n', "\r\n");
    let request = invite.lines().next().unwrap();
    let uri = request.split(' ').nth(1).unwrap();
    let all = format!("{}\r\n\r\n{body}", head.replace("{uri}", uri));
    assert!(!all.contains('{'), "something was not put in: {all}");
    all
}

async fn assert_left(text: &str, number: &str, reason: Reason) {
    let house = House::start(DEAF);
    let change = |invite: String| dressed(text, &invite);
    let phone = Phone::new().await.unwrap();
    let mut call = phone.call_with(house.sip, number, change).await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    let message = house.messages(1).await.remove(0);
    assert_eq!(message.envelope.reason, reason);
    assert_eq!(message.envelope.caller.to_string(), "Marie Dupont (5551234)");
}

#[tokio::test]
async fn asterisk_sends_a_call_that_found_a_busy_phone() {
    assert_left(ASTERISK, "1000", Reason::Busy).await;
}

#[tokio::test]
async fn asterisk_sends_a_call_that_was_not_answered() {
    assert_left(include_str!("calls/asterisk-no-answer.sip"), "1000", Reason::NoAnswer).await;
}

#[tokio::test]
async fn freeswitch_sends_a_call_that_found_a_busy_phone() {
    assert_left(FREESWITCH, "1000", Reason::Busy).await;
}

#[tokio::test]
async fn freeswitch_sends_a_call_whose_phone_is_not_registered() {
    assert_left(include_str!("calls/freeswitch-unregistered.sip"), "1000", Reason::LoggedOff).await;
}

#[tokio::test]
async fn asterisk_sends_a_call_whose_phone_is_out_of_reach() {
    let text = ASTERISK.replace("user-busy", "unavailable");
    assert_left(&text, "1000", Reason::Unreachable).await;
}

#[tokio::test]
async fn freeswitch_sends_a_call_that_was_not_answered() {
    for word in ["NO_ANSWER", "ALLOTTED_TIMEOUT"] {
        let text = FREESWITCH.replace("USER_BUSY", word);
        assert_left(&text, "1000", Reason::NoAnswer).await;
    }
}

#[tokio::test]
async fn the_calls_of_all_mailboxes_come_to_one_number_from_either() {
    for text in [ASTERISK, FREESWITCH] {
        assert_left(text, "voicemail", Reason::Busy).await;
    }
}
