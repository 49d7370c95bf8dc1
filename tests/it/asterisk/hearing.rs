//! Owners who log in and hear their messages.

use afterbeep::flow::retrieval::Settings;

use super::{opened, opened_with, owner, stranger};
use crate::flows::{conversation, retrieval::contents};

/// PINs of any length that is allowed; here that is six digits and more.
#[test]
fn authenticate_nominal() {
    for pin in ["739201", "7392018465", "7392018465102938"] {
        conversation(
            stranger(),
            &format!(
                "
            caller: calls
            server: say EnterMailbox, wait 5s
            caller: types 1234
            caller: presses #
            server: say EnterPin, wait 5s
            caller: types {pin}
            caller: presses #
            server: log in 1234 {pin}
            store: logged in
            server: open
            store: opened
            server: say Counts {{ new: 0, urgent: 0, saved: 0 }}, MAIN
            caller: presses #
            server: say Goodbye, hang up
        "
            ),
        );
    }
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened
        server: say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
        caller: hangs up
    ",
    );
}

/// A PIN is asked for even where there is no such mailbox, and what is said is the same.
#[test]
fn authenticate_invalid_mailbox() {
    wrong("9999", "739201");
}

#[test]
fn authenticate_invalid_password() {
    wrong("1000", "271828");
}

/// `*` leads nobody out of the log-in: it begins what is typed anew.
#[test]
fn authenticate_extensions() {
    conversation(
        stranger(),
        "
        caller: calls
        server: say EnterMailbox, wait 5s
        caller: types 99*1000
        caller: presses #
        server: say EnterPin, wait 5s
        caller: types 12*739201
        caller: presses #
        server: log in 1000 739201
        store: refused
        server: say LoginIncorrect, say EnterMailbox, wait 5s
        caller: hangs up
    ",
    );
}

/// Urgent ones first; 9 and 1 put a message to the saved ones.
#[test]
fn check_voicemail_nominal() {
    conversation(
        opened("store: opened 1:new 2:new!"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: true }, play 2
        caller: presses 9
        server: SHELVES
        caller: presses 1
        server: move 2 to saved
        store: moved 2 to saved
        server: say MessageKept, say Message { place: 2, last: true, folder: New, urgent: false }, play 1
        caller: presses 9
        server: SHELVES
        caller: presses 1
        server: move 1 to saved
        store: moved 1 to saved
        server: say MessageKept, say NoMore, MAIN
        caller: presses 2
        server: say Choice { what: NewFolder, key: '0' }, say Choice { what: SavedFolder, key: '1' }, say Choice { what: WorkFolder, key: '2' }, say Choice { what: FamilyFolder, key: '3' }, say Choice { what: FriendsFolder, key: '4' }, say Choice { what: FifthFolder, key: '5' }, say Choice { what: SixthFolder, key: '6' }, say Choice { what: DeletedFolder, key: '9' }, say Choice { what: Exit, key: '#' }, wait 5s
        caller: presses 1
        server: say InFolder { folder: Saved, count: 2 }, say Message { place: 1, last: false, folder: Saved, urgent: true }, play 2
        caller: hangs up
    ",
    );
}

/// After deleting, the next message is played by itself.
#[test]
fn check_voicemail_delete() {
    conversation(
        opened("store: opened 1:new 2:new"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 7
        server: move 1 to deleted
        store: moved 1 to deleted
        server: say MessageDeleted, say Message { place: 2, last: true, folder: New, urgent: false }, play 2
        caller: hangs up
    ",
    );
}

#[test]
fn check_voicemail_envelope() {
    conversation(
        opened("store: opened 1:new"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: waits
        server: move 1 to saved, AFTER
        store: moved 1 to saved
        caller: presses 3
        server: MORE
        caller: presses 3
        server: say Received { at: 2026-11-27T14:05:00, today: 2026-11-27, hours: TwentyFour }, say From(Extension(\"1001\")), say Length(12s), wait 5s
        caller: hangs up
    ",
    );
}

/// Only to numbers that a setting allows.
#[test]
fn check_voicemail_callback() {
    let settings = Settings { call_back: vec!["100".into()], ..Settings::default() };
    conversation(
        opened_with(settings, contents("store: opened 1:new")),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 3
        server: say Choice { what: Reply, key: '1' }, say Choice { what: CallBack, key: '2' }, say Choice { what: Envelope, key: '3' }, say Choice { what: Exit, key: '*' }, wait 5s
        caller: presses 2
        server: say OneMoment, call back 1001
        store: done
        server: hang up
    ",
    );
}

/// Nobody dials out of a mailbox: the key has no meaning.
#[test]
fn check_voicemail_dialout() {
    conversation(
        opened("store: opened 1:new"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 3
        server: MORE
        caller: presses 4
        server: say Unknown, MORE
        caller: hangs up
    ",
    );
}

#[test]
fn check_voicemail_reply() {
    conversation(
        opened("store: opened 1:new"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 3
        server: MORE
        caller: presses 1
        server: reach 1001
        store: reached
        server: say SpeakReply, beep, record
        caller: presses #
        server: stop
        caller: spoke 5s
        server: file 5s
        disk: filed
        server: say Saved, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn check_voicemail_forward() {
    conversation(
        opened("store: opened 1:new"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 8
        server: say EnterNumbers, wait 5s
        caller: types 5555*5556
        caller: presses #
        server: find 5555 5556
        store: found
        server: SENDING
        caller: presses 2
        server: forward 1 to 5555 5556
        store: done
        server: say MessageSent, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn check_voicemail_forward_with_prepend() {
    conversation(
        opened("store: opened 1:new"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 8
        server: say EnterNumbers, wait 5s
        caller: types 5555*5556
        caller: presses #
        server: find 5555 5556
        store: found
        server: SENDING
        caller: presses 1
        server: say SpeakIntro, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 3s
        server: REVIEW
        caller: presses 1
        server: forward 1 to 5555 5556 after 3s
        store: done
        server: say MessageSent, AFTER
        caller: hangs up
    ",
    );
}

/// Nothing is forwarded, and the message is where it was.
#[test]
fn check_voicemail_forward_hangup() {
    conversation(
        opened("store: opened 1:new"),
        "
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: waits
        server: move 1 to saved, AFTER
        store: moved 1 to saved
        caller: presses 8
        server: say EnterNumbers, wait 5s
        caller: types 5555
        caller: presses #
        server: find 5555
        store: found
        server: SENDING
        caller: presses 1
        server: say SpeakIntro, beep, dictate
        caller: hangs up
        server: stop
        caller: spoke 3s
        server: discard 3s
    ",
    );
}

/// Three times the same, and the call is over.
#[track_caller]
fn wrong(number: &str, pin: &str) {
    let tried = format!(
        "
        caller: types {number}
        caller: presses #
        server: say EnterPin, wait 5s
        caller: types {pin}
        caller: presses #
        server: log in {number} {pin}
        store: refused
    "
    );
    let again = "server: say LoginIncorrect, say EnterMailbox, wait 5s\n";
    conversation(
        stranger(),
        &format!(
            "caller: calls\nserver: say EnterMailbox, wait 5s\n{tried}{again}{tried}{again}{tried}\
             server: say LoginIncorrect, say Goodbye, hang up"
        ),
    );
}
