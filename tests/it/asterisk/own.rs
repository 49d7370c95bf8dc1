//! Owners who change their PIN and what callers hear.

use afterbeep::flow::retrieval::Settings;
use afterbeep::flow::{Contents, Spoken};
use afterbeep::mailbox::greeting::Kind;

use super::{new_user, opened, opened_with};
use crate::flows::{conversation, retrieval::contents};
use crate::store::sqlite::house::{NOW, house_with_mailbox};

/// A new PIN and a name; greetings are recorded by who wants one.
#[test]
fn check_voicemail_new_user() {
    conversation(
        new_user(),
        "
        caller: types 739201
        caller: presses #
        server: say EnterAgain, wait 5s
        caller: types 739201
        caller: presses #
        server: say SpeakName, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 2s
        server: REVIEW
        caller: presses 1
        server: keep 2s as Name
        store: done
        server: change the PIN to 739201
        store: done
        server: open
        store: opened
        server: say PinChanged, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
        caller: hangs up
    ",
    );
}

#[test]
fn check_voicemail_new_user_hangup() {
    conversation(
        new_user(),
        "
        caller: types 739201
        caller: presses #
        server: say EnterAgain, wait 5s
        caller: types 739201
        caller: presses #
        server: say SpeakName, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 2s
        server: REVIEW
        caller: hangs up
        server: discard 2s
    ",
    );
}

#[test]
fn options_change_password() {
    conversation(
        opened("store: opened"),
        "
        caller: presses 0
        server: OWN
        caller: presses 5
        server: say EnterNewPin, wait 5s
        caller: types 5555
        caller: presses #
        server: say PinLength, say EnterNewPin, wait 5s
        caller: types 555555
        caller: presses #
        server: say PinEasy, say EnterNewPin, wait 5s
        caller: types 584093
        caller: presses #
        server: say EnterAgain, wait 5s
        caller: types 584093
        caller: presses #
        server: change the PIN to 584093
        store: done
        server: open
        store: opened
        server: say PinChanged, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
        caller: hangs up
    ",
    );
}

/// There is one place for PINs, and none of it is readable: what was changed by phone is a hash.
#[tokio::test]
async fn options_change_password_spooldir() {
    let (house, mailbox) = house_with_mailbox().await;
    let pin = afterbeep::mailbox::Pin::new("584093".into());
    let hash = pin.hash(b"pepper", &[7; 16]);
    afterbeep::store::pins::change(&house.db, &mailbox.id, &hash, NOW).await.unwrap();
    let kept = afterbeep::store::pins::of(&house.db, &mailbox.id).await.unwrap().unwrap();
    assert!(kept.starts_with("$argon2id$") && !kept.contains("584093"));
}

#[test]
fn options_record_unavail() {
    records('1', "Greeting(Unavailable)");
}

#[test]
fn options_record_busy() {
    records('2', "Greeting(Busy)");
}

#[test]
fn options_record_name() {
    records('3', "Name");
}

/// It is recorded with its days, and can be erased.
#[test]
fn options_record_temp() {
    let temporary = Spoken::Greeting(Kind::Temporary);
    conversation(
        opened_with(
            Settings::default(),
            Contents { spoken: vec![temporary], ..contents("store: opened") },
        ),
        "
        caller: presses 0
        server: OWN
        caller: presses 4
        server: RECORDED
        caller: presses 1
        server: say SpeakGreeting, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 4s
        server: REVIEW
        caller: presses 1
        server: say HowManyDays, wait 5s
        caller: presses #
        server: keep 4s as Greeting(Temporary)
        store: done
        server: open
        store: opened
        server: say RecordingKept, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
        caller: hangs up
    ",
    );
    conversation(
        opened_with(
            Settings::default(),
            Contents { spoken: vec![temporary], ..contents("store: opened") },
        ),
        "
        caller: presses 0
        server: OWN
        caller: presses 4
        server: RECORDED
        caller: presses 3
        server: remove Greeting(Temporary)
        store: done
        server: open
        store: opened
        server: say RecordingRemoved, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
        caller: hangs up
    ",
    );
}

#[track_caller]
fn records(key: char, what: &str) {
    let ask = if what == "Name" { "SpeakName" } else { "SpeakGreeting" };
    conversation(
        opened("store: opened"),
        &format!(
            "
        caller: presses 0
        server: OWN
        caller: presses {key}
        server: say {ask}, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 4s
        server: REVIEW
        caller: presses 1
        server: keep 4s as {what}
        store: done
        server: open
        store: opened
        server: say RecordingKept, say Counts {{ new: 0, urgent: 0, saved: 0 }}, MAIN
        caller: hangs up
    "
        ),
    );
}
