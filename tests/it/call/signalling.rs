//! Calls that are set up in other ways than the plainest, each to its message.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use tokio::net::UdpSocket;

use super::{DEAF, assert_heard, decoded, place, the_message, words};
use crate::house::House;
use crate::phone::digest::{Account, challenges};
use crate::phone::richer::Manner;
use crate::phone::{Call, Phone, header};

/// A house with lines in its `[sip]` section, and a file with the password "secret" in a folder.
pub(crate) fn house(sip: impl FnOnce(&str) -> String) -> (House, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let lines = sip(file.to_str().unwrap());
    (House::start(&format!("[sip]\n{lines}\n{DEAF}")), folder)
}

async fn call(house: &House, manner: Manner) -> Call {
    let phone = Phone::new().await.unwrap();
    phone.call_as(house.sip, "1000", manner).await.unwrap().unwrap()
}

/// Leaves a message in a call, which arrives with every sample.
async fn leave_a_message(house: &House, mut call: Call) {
    call.skip_to_beep().await.unwrap();
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(house).await.id), &said);
}

#[tokio::test]
async fn a_caller_who_leaves_the_offer_to_us_leaves_a_message() {
    let (house, _folder) = house(|_| String::new());
    let call = call(&house, Manner { delayed: true, ..Manner::default() }).await;
    leave_a_message(&house, call).await;
}

#[tokio::test]
async fn a_caller_who_insists_on_100rel_leaves_a_message() {
    for delayed in [false, true] {
        let (house, _folder) = house(|_| String::new());
        let manner = Manner { delayed, extra: "Require: 100rel\r\n", account: None };
        let call = call(&house, manner).await;
        leave_a_message(&house, call).await;
    }
}

#[tokio::test]
async fn a_caller_with_a_password_leaves_a_message_and_nobody_can_repeat_the_call() {
    for algorithm in ["SHA-256", "MD5"] {
        let (house, _folder) = house(|file| {
            format!(
                "allow = [\"127.0.0.9\"]\n\
                 [[sip.accounts]]\nuser = \"ann\"\npassword_file = \"{file}\"\n"
            )
        });
        let plain = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap();
        let plain = plain.err().expect("a password is asked for");
        assert_eq!((plain.status, challenges(&plain.text).len()), (401, 2));
        let wrong = Account { user: "ann", password: "guess", algorithm };
        let manner = |account| Manner { account: Some(account), ..Manner::default() };
        let phone = Phone::new().await.unwrap();
        let refused = phone.call_as(house.sip, "1000", manner(wrong)).await.unwrap().err().unwrap();
        assert_eq!(refused.status, 401);

        let right = Account { user: "ann", password: "secret", algorithm };
        let phone = Phone::new().await.unwrap();
        let mut ringing = phone.ring(house.sip, "1000", manner(right)).await.unwrap();
        ringing.challenged().await.unwrap();
        let invite = ringing.invite().to_owned();
        let call = ringing.answered().await.unwrap().unwrap();
        leave_a_message(&house, call).await;

        let thief = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let copy = invite.replace("branch=z9hG4bK", "branch=z9hG4bKcopy");
        thief.send_to(copy.as_bytes(), house.sip).await.unwrap();
        let mut buffer = [0; 4_096];
        let length = thief.recv(&mut buffer).await.unwrap();
        let refused = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(refused.starts_with("SIP/2.0 401 ") && refused.contains("stale=true"), "{refused}");
        assert_eq!(house.messages(1).await.len(), 1);
        let log = std::fs::read_to_string(house.dir.path().join("log")).unwrap();
        assert!(!log.contains("secret") && !log.contains("guess"), "{log}");
    }
}

#[tokio::test]
async fn the_greeting_is_heard_before_the_answer_and_the_beep_after_it() {
    let (house, _folder) = house(|_| "early_media = true".into());
    let phone = Phone::new().await.unwrap();
    let mut ringing = phone.ring(house.sip, "1000", Manner::default()).await.unwrap();
    ringing.sounding().await.unwrap();
    let mut frames = 0;
    let second = |_: &[u8]| {
        frames += 1;
        frames == 50
    };
    ringing.call.hear(second).await.unwrap();
    house.page("/metrics", "afterbeep_calls_total 0").await;
    ringing.call.press('#').await.unwrap();
    let mut call = ringing.answered().await.unwrap().unwrap();
    call.until_beep_is_over().await.unwrap();
    house.page("/metrics", "afterbeep_calls_total 1").await;
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn whoever_gives_up_during_the_greeting_before_the_answer_leaves_nothing() {
    let (house, _folder) = house(|_| "early_media = true".into());
    for extra in ["", "Require: 100rel\r\n"] {
        let phone = Phone::new().await.unwrap();
        let manner = Manner { extra, ..Manner::default() };
        let mut ringing = phone.ring(house.sip, "1000", manner).await.unwrap();
        ringing.sounding().await.unwrap();
        ringing.call.hear(|_| true).await.unwrap();
        assert_eq!(ringing.give_up().await.unwrap(), 487);
        house.page("/metrics", "afterbeep_rtp_legs 0").await;
        house.page("/metrics", "afterbeep_sip_calls 0").await;
    }
    assert!(house.messages(0).await.is_empty());
    house.page("/metrics", "afterbeep_calls_total 0").await;
}

#[tokio::test]
async fn a_caller_who_sends_nothing_before_the_answer_is_not_taken_for_gone() {
    let (house, _folder) = house(|_| "early_media = true\n[rtp]\ntimeout = \"1s\"\n".into());
    let phone = Phone::new().await.unwrap();
    let mut ringing = phone.ring(house.sip, "1000", Manner::default()).await.unwrap();
    ringing.sounding().await.unwrap();
    ringing.call.wait(std::time::Duration::from_millis(2_500)).await;
    ringing.call.press('#').await.unwrap();
    let mut call = ringing.answered().await.unwrap().unwrap();
    call.until_beep_is_over().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    the_message(&house).await;
}

/// T1 so short that a call may want a sign of life every 4 s.
const LIVELY: &str = "t1 = \"20ms\"\nsession = \"4s\"\n";

#[tokio::test]
async fn signs_of_life_keep_a_call_up_and_cost_no_sample() {
    let (house, _folder) = house(|_| LIVELY.into());
    let extra = "Supported: timer\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n";
    let mut call = call(&house, Manner { extra, ..Manner::default() }).await;
    call.skip_to_beep().await.unwrap();
    let said = words(9);
    let signs = call.speak_alive(&said).await.unwrap();
    assert!((3..=6).contains(&signs), "{signs} signs in nine seconds");
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_caller_who_gives_no_more_signs_is_gone_and_what_was_said_is_kept() {
    let (house, _folder) = house(|_| LIVELY.into());
    let extra = "Supported: timer\r\nSession-Expires: 6;refresher=uac\r\n";
    let mut call = call(&house, Manner { extra, ..Manner::default() }).await;
    call.skip_to_beep().await.unwrap();
    let said = words(9);
    let (frames, hung_up) = call.speak_until_hung_up(&said).await.unwrap();
    assert!(hung_up && frames < 6 * 50, "{frames} frames");
    let stored = house.sound(the_message(&house).await.id);
    // The last of it was still on the way when the call ended.
    let kept = (frames - 25) * 160;
    assert!(place(&decoded(&said[..kept]), &stored).is_some(), "what was said is not there");
}

#[tokio::test]
async fn a_registrar_we_log_in_to_sends_us_calls() {
    let registrar = UdpSocket::bind("127.0.0.7:0").await.unwrap();
    let server = registrar.local_addr().unwrap();
    let (mut house, _folder) = house(|file| {
        format!(
            "allow = [\"127.0.0.9\"]\n[[sip.register]]\nserver = \"sip:{server}\"\n\
             user = \"vm\"\npassword_file = \"{file}\"\ncontact_user = \"1000\"\n"
        )
    });
    let heard = next_register(&registrar).await;
    let (ready, why) = house.get("/readyz").await;
    assert!(ready == 503 && why.contains("Not registered at sip:127.0.0.7"), "{why}");
    let asks = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"pbx\", qop=\"auth\", \
        algorithm=SHA-256, nonce=\"n\"\r\n";
    registrar.send_to(answer(&heard, asks).as_bytes(), house.sip).await.unwrap();
    let heard = next_register(&registrar).await;
    assert!(header(&heard, "Authorization").unwrap().contains("username=\"vm\""), "{heard}");
    let ok = "SIP/2.0 200 OK\r\nExpires: 600\r\n";
    registrar.send_to(answer(&heard, ok).as_bytes(), house.sip).await.unwrap();
    house.page("/metrics", "user=\"vm\"} 1").await;
    house.page("/readyz", "true").await;

    // Its calls come to where we said we are.
    assert!(header(&heard, "Contact").unwrap().starts_with("<sip:1000@127.0.0.1"));
    let phone = Phone::at("127.0.0.7", 0).await.unwrap();
    let call = phone.call(house.sip, "1000").await.unwrap().unwrap();
    leave_a_message(&house, call).await;

    house.terminate();
    let mut last = next_register(&registrar).await;
    while header(&last, "Expires") != Some("0") {
        last = next_register(&registrar).await;
    }
    registrar.send_to(answer(&last, ok).as_bytes(), house.sip).await.unwrap();
    assert!(house.ended(crate::house::PATIENCE));
}

async fn next_register(registrar: &UdpSocket) -> String {
    let mut buffer = [0; 4_096];
    loop {
        let received = registrar.recv_from(&mut buffer);
        let received = tokio::time::timeout(crate::house::PATIENCE, received).await;
        let (length, _) = received.expect("a REGISTER in time").unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("REGISTER ") {
            return text;
        }
    }
}

/// An answer that begins with these lines.
fn answer(request: &str, lines: &str) -> String {
    let kept = ["Via", "From", "To", "Call-ID", "CSeq"]
        .map(|name| format!("{name}: {}\r\n", header(request, name).unwrap_or_default()));
    format!("{lines}{}Content-Length: 0\r\n\r\n", kept.concat())
}
