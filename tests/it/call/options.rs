//! What callers can do besides leaving a message: reach somebody, mark it, log in; and what they get
//! from a mailbox that takes none.

use std::time::Duration;

use afterbeep::audio::Codec;
use afterbeep::mailbox::Said;
use afterbeep::prompts::Prompts;
use afterbeep::say::Phrase;

use super::{DEAF, assert_heard, beeped, decoded, place, the_message, words};
use crate::house::House;
use crate::phone::{Call, Phone, richer::Manner};

const QUIET: Duration = Duration::from_millis(700);
const REVIEW: &str = "[deposit]\nreview = true\n[speech]\nmodels = \"/nonexistent\"\n";
/// Calls are answered at the beep, and redirected as long as they are not.
const EARLY: &str = "[sip]\nearly_media = true\n[deposit]\noperator_by = \"redirect\"\n\
                     [speech]\nmodels = \"/nonexistent\"\n";
/// A server that believes its peer.
const BELIEVING: &str =
    "[sip]\nidentity_from = [\"127.0.0.0/8\"]\n[speech]\nmodels = \"/nonexistent\"\n";

#[tokio::test]
async fn zero_while_speaking_reaches_the_operator_and_what_was_said_is_kept() {
    let house = House::start(DEAF);
    house.run(&["tenant", "set", "default", "--operator", "100"]);
    let mut call = beeped(&house).await;
    let said = words(3);
    call.speak(&said).await.unwrap();
    call.press('0').await.unwrap();
    let whom = call.referred("202 Accepted").await.unwrap();
    assert!(whom.starts_with("<sip:100@127.0.0.1:"), "{whom}");
    assert_eq!(call.tell("SIP/2.0 100 Trying").await.unwrap(), 200);
    assert_eq!(call.tell("SIP/2.0 200 OK").await.unwrap(), 200);
    call.until_hung_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_mailbox_has_an_operator_of_its_own_and_zero_is_heard_in_the_greeting() {
    let house = House::start(DEAF);
    house.run(&["tenant", "set", "default", "--operator", "100"]);
    house.run(&["mailbox", "set", "1000", "--operator", "sip:desk@office.example"]);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.press('0').await.unwrap();
    assert_eq!(call.referred("202 Accepted").await.unwrap(), "<sip:desk@office.example>");
    call.tell("SIP/2.0 200 OK").await.unwrap();
    call.until_hung_up().await.unwrap();
    assert!(house.messages(0).await.is_empty());
}

#[tokio::test]
async fn who_does_not_reach_the_operator_can_still_leave_a_message() {
    for refusal in ["603 Declined", "202 Accepted"] {
        let house = House::start(DEAF);
        house.run(&["mailbox", "set", "1000", "--operator", "100"]);
        let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
        call.press('0').await.unwrap();
        call.referred(refusal).await.unwrap();
        if refusal == "202 Accepted" {
            assert_eq!(call.tell("SIP/2.0 486 Busy Here").await.unwrap(), 200);
            // What comes after the outcome is about nothing any more.
            assert_eq!(call.tell("SIP/2.0 200 OK").await.unwrap(), 481);
        }
        call.skip_to_beep().await.unwrap();
        let said = words(2);
        call.speak(&said).await.unwrap();
        call.hang_up().await.unwrap();
        assert_heard(&house.sound(the_message(&house).await.id), &said);
    }
}

#[tokio::test]
async fn a_transfer_of_which_nothing_is_told_is_none_and_one_under_way_is_waited_for() {
    // T1 a tenth of what it is, so that half a minute is three seconds.
    let house = House::start(&format!("[sip]\nt1 = \"50ms\"\n{DEAF}"));
    house.run(&["mailbox", "set", "1000", "--operator", "100"]);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.press('0').await.unwrap();
    call.referred("202 Accepted").await.unwrap();
    call.skip_to_beep().await.unwrap();
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.press('0').await.unwrap();
    call.referred("202 Accepted").await.unwrap();
    assert_eq!(call.tell("SIP/2.0 180 Ringing").await.unwrap(), 200);
    call.wait(Duration::from_secs(4)).await;
    assert_eq!(call.tell("SIP/2.0 200 OK").await.unwrap(), 200, "it was given up");
    call.until_hung_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_take_waits_for_the_operator_and_is_kept_if_nobody_is_there_or_its_caller_leaves() {
    for leaves in [false, true] {
        let house = House::start(DEAF);
        house.run(&["mailbox", "set", "1000", "--operator", "100"]);
        let mut call = beeped(&house).await;
        let said = words(3);
        call.speak(&said).await.unwrap();
        call.press('0').await.unwrap();
        call.referred("480 Temporarily Unavailable").await.unwrap();
        match leaves {
            true => drop(call.hang_up().await.unwrap()),
            false => call.until_hung_up().await.unwrap(),
        }
        assert_heard(&house.sound(the_message(&house).await.id), &said);
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_yet_is_redirected_and_one_that_is_referred() {
    let house = House::start(EARLY);
    house.run(&["mailbox", "set", "1000", "--operator", "100"]);
    let phone = Phone::new().await.unwrap();
    let mut ringing = phone.ring(house.sip, "1000", Manner::default()).await.unwrap();
    ringing.sounding().await.unwrap();
    ringing.call.press('0').await.unwrap();
    let refused = ringing.answered().await.unwrap().err().expect("it was answered");
    assert_eq!(refused.status, 302);
    let contact = refused.text.lines().find_map(|it| it.strip_prefix("Contact: ")).unwrap();
    assert!(contact.starts_with("<sip:100@127.0.0.1:"), "{contact}");

    let phone = Phone::new().await.unwrap();
    let mut ringing = phone.ring(house.sip, "1000", Manner::default()).await.unwrap();
    ringing.sounding().await.unwrap();
    ringing.call.press('#').await.unwrap();
    let mut call = ringing.answered().await.unwrap().unwrap();
    call.until_beep_is_over().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    call.press('0').await.unwrap();
    call.referred("202 Accepted").await.unwrap();
    call.tell("SIP/2.0 200 OK").await.unwrap();
    call.until_hung_up().await.unwrap();
    assert_eq!(house.messages(1).await.len(), 1);
}

#[tokio::test]
async fn a_call_that_is_not_answered_yet_is_answered_to_be_referred() {
    let early = "[sip]\nearly_media = true\n[speech]\nmodels = \"/nonexistent\"\n";
    let house = House::start(early);
    house.run(&["mailbox", "set", "1000", "--operator", "100"]);
    let phone = Phone::new().await.unwrap();
    let mut ringing = phone.ring(house.sip, "1000", Manner::default()).await.unwrap();
    ringing.sounding().await.unwrap();
    ringing.call.press('0').await.unwrap();
    let mut call = ringing.answered().await.unwrap().unwrap();
    call.referred("202 Accepted").await.unwrap();
    call.tell("SIP/2.0 200 OK").await.unwrap();
    call.until_hung_up().await.unwrap();
}

#[tokio::test]
async fn without_an_operator_zero_does_nothing() {
    let house = House::start(DEAF);
    let mut call = beeped(&house).await;
    let said = words(2);
    call.speak(&said[..8_000]).await.unwrap();
    call.inform('0').await.unwrap();
    call.speak(&said[8_000..]).await.unwrap();
    call.hang_up().await.unwrap();
    assert!(the_message(&house).await.envelope.length >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_caller_marks_a_message_urgent_and_private_before_it_is_kept() {
    let house = House::start(REVIEW);
    let mut call = beeped(&house).await;
    call.speak(&words(2)).await.unwrap();
    call.press('#').await.unwrap();
    call.listen(QUIET).await.unwrap();
    for (key, told) in [
        ('4', Phrase::Urgent(true)),
        ('5', Phrase::Private(true)),
        ('4', Phrase::Urgent(false)),
        ('4', Phrase::Urgent(true)),
    ] {
        call.press(key).await.unwrap();
        assert!(hears(&mut call, told).await, "{key} was not answered");
    }
    call.press('1').await.unwrap();
    call.until_hung_up().await.unwrap();
    let marks = the_message(&house).await.marks;
    assert_eq!(
        Said { urgent: marks.urgent, private: marks.private },
        Said { urgent: true, private: true }
    );
}

#[tokio::test]
async fn what_a_caller_has_said_of_a_message_outlives_a_kill_in_the_middle_of_the_review() {
    let mut house = House::start(REVIEW);
    let mut call = beeped(&house).await;
    call.speak(&words(2)).await.unwrap();
    call.press('#').await.unwrap();
    call.listen(QUIET).await.unwrap();
    call.press('5').await.unwrap();
    // The menu takes longer than the second within which everything is on disk.
    assert!(hears(&mut call, Phrase::ReviewMenu).await);
    house.kill();
    house.restart();
    assert!(the_message(&house).await.marks.private);
}

#[tokio::test]
async fn a_mailbox_that_is_off_says_so_or_is_not_answered() {
    let house = House::start(DEAF);
    house.run(&["mailbox", "set", "1000", "--takes-messages", "no"]);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    assert!(hears(&mut call, Phrase::SwitchedOff).await);
    call.until_hung_up().await.unwrap();

    house.run(&["mailbox", "set", "1000", "--when-off", "refuse"]);
    let refused = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().err().unwrap();
    assert_eq!(refused.status, 480);
    house.run(&["mailbox", "set", "1000", "--takes-messages", "yes"]);
    beeped(&house).await.hang_up().await.unwrap();
    assert!(house.messages(0).await.is_empty());
}

#[tokio::test]
async fn star_in_the_greeting_asks_for_the_pin_where_that_may_be() {
    let inside = "P-Asserted-Identity: <sip:1001@pbx.example>\r\n";
    let outside = "P-Asserted-Identity: <sip:0556123456@pbx.example>\r\n";
    for (settings, extra, who, asks) in [
        (BELIEVING, inside, "inside", true),
        (BELIEVING, outside, "inside", false),
        // What is only claimed proves nothing.
        (DEAF, inside, "inside", false),
        (BELIEVING, inside, "never", false),
        (DEAF, outside, "anywhere", true),
    ] {
        let house = House::start(settings);
        house.run(&["mailbox", "add", "1001"]);
        house.run(&["mailbox", "set", "1000", "--log-in-by-star", who]);
        let told = house.run(&["mailbox", "pin", "1000"]);
        let pin = told.split("PIN: ").nth(1).and_then(|it| it.split_whitespace().next()).unwrap();
        let manner = Manner { extra, ..Manner::default() };
        let phone = Phone::new().await.unwrap();
        let mut call = phone.call_as(house.sip, "1000", manner).await.unwrap().unwrap();
        call.press('*').await.unwrap();
        if !asks {
            call.skip_to_beep().await.unwrap();
            call.hang_up().await.unwrap();
            continue;
        }
        assert!(hears(&mut call, Phrase::EnterPin).await, "{who}: no PIN was asked for");
        for key in pin.chars().chain(['#']) {
            call.press(key).await.unwrap();
            call.wait(Duration::from_millis(60)).await;
        }
        // The PIN was somebody else's choice, so another one is asked for first.
        assert!(hears(&mut call, Phrase::EnterNewPin).await);
        call.hang_up().await.unwrap();
    }
}

/// Whether the middle of a sentence's last clip is in what is heard from now on.
async fn hears(call: &mut Call, phrase: Phrase) -> bool {
    let clips = Prompts::load(None).unwrap().clips("en", &phrase);
    let last = clips.last().unwrap().encoded(Codec::Pcmu);
    let heard = decoded(&call.listen(QUIET).await.unwrap());
    place(&decoded(&last[last.len() / 3..][..800]), &heard).is_some()
}
