//! What owners do with a message for others: give it on, answer it, call back.

use afterbeep::flow::retrieval::Settings;
use afterbeep::flow::{Action, Contents, Event, Flow, Policy, Retrieval};

use super::{conversation, menu, retrieval::contents};

#[test]
fn a_message_goes_to_several_others_as_it_is() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 8
        server: say EnterNumbers, wait 5s
        caller: presses 5
        server: wait 5s
        caller: presses *
        server: wait 5s
        caller: presses 6
        server: wait 5s
        caller: presses #
        server: find 5 6
        store: found
        server: SENDING
        caller: presses 2
        server: forward 1 to 5 6
        store: done
        server: say MessageSent, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn a_number_without_a_mailbox_is_named_and_asked_for_again() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 8
        server: say EnterNumbers, wait 5s
        caller: presses 5
        server: wait 5s
        caller: presses #
        server: find 5
        store: found 5
        server: say NoMailbox { number: \"5\" }, say EnterNumbers, wait 5s
        caller: presses *
        server: AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn an_introduction_goes_before_it() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 8
        server: say EnterNumbers, wait 5s
        caller: presses 5
        server: wait 5s
        caller: waits
        server: find 5
        store: found
        server: SENDING
        caller: presses 1
        server: say SpeakIntro, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 4s
        server: REVIEW
        caller: presses 1
        server: forward 1 to 5 after 4s
        store: not done
        server: say NotDone, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn who_hangs_up_while_introducing_a_message_has_not_sent_it() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 8
        server: say EnterNumbers, wait 5s
        caller: presses 5
        server: wait 5s
        caller: presses #
        server: find 5
        store: found
        server: SENDING
        caller: presses 1
        server: say SpeakIntro, beep, dictate
        caller: hangs up
        server: stop
        caller: spoke 4s
        server: discard 4s
    ",
    );
}

#[test]
fn a_private_message_is_not_given_on() {
    let private = menu("AFTER").replace("say Choice { what: Send, key: '8' }, ", "");
    conversation(
        playing("store: opened 1:newp"),
        &format!(
            "
        caller: presses 8
        server: say NotForwardable, {private}
        caller: hangs up
    "
        ),
    );
}

#[test]
fn a_reply_is_a_message_like_any_other_and_the_call_goes_on_after_it() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 3
        server: MORE
        caller: presses 1
        server: reach 1001
        store: reached
        server: say SpeakReply, beep, record
        caller: presses #
        server: stop
        caller: spoke 7s
        server: file 7s
        disk: filed
        server: say Saved, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn a_reply_is_kept_when_its_speaker_hangs_up() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 3
        server: MORE
        caller: presses 1
        server: reach 1001
        store: reached
        server: say SpeakReply, beep, record
        caller: hangs up
        server: stop
        caller: spoke 7s
        server: file 7s
    ",
    );
}

#[test]
fn nobody_calls_back_numbers_that_no_setting_allows() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 3
        server: MORE
        caller: presses 2
        server: say NoCallBack, AFTER
        caller: hangs up
    ",
    );
    let allowed = Settings { call_back: vec!["10".into()], ..Settings::default() };
    conversation(
        playing_with(allowed, contents("store: opened 1:new")),
        "
        caller: presses 3
        server: say Choice { what: Reply, key: '1' }, say Choice { what: CallBack, key: '2' }, say Choice { what: Envelope, key: '3' }, say Choice { what: Exit, key: '*' }, wait 5s
        caller: presses 2
        server: say OneMoment, call back 1001
        store: done
        server: hang up
    ",
    );
}

/// What a caller claims to be called from becomes no address, and no call to the fire brigade.
#[test]
fn only_digits_are_called_back_and_no_short_number_outside() {
    let settings = Settings { call_back: vec!["1".into(), "+33".into()], ..Settings::default() };
    for (number, internal, may) in [
        ("+33556123456", false, true),
        ("1001", true, true),
        ("112", false, false),
        ("1001", false, false),
        ("1001@elsewhere.example", true, false),
        ("1:001234", false, false),
        ("44123456", false, false),
    ] {
        let mut lying = contents("store: opened 1:new");
        (lying.letters[0].number, lying.letters[0].internal) = (Some(number.into()), internal);
        let mut flow = playing_with(settings.clone(), lying);
        flow.on(Event::Key('3'));
        let called = flow.on(Event::Key('2')).contains(&Action::CallBack(number.into()));
        assert_eq!(called, may, "{number}");
    }
}

#[test]
fn where_deleting_is_confirmed_one_key_deletes_nothing() {
    let confirming = Contents { confirm_delete: true, ..contents("store: opened 1:new 2:new") };
    conversation(
        playing_with(Settings::default(), confirming),
        "
        caller: presses 7
        server: say Choice { what: Delete, key: '1' }, say Choice { what: Cancel, key: '*' }, wait 5s
        caller: waits
        server: say Choice { what: Repeat, key: '5' }, say Choice { what: Next, key: '6' }, say Choice { what: Delete, key: '7' }, say Choice { what: SaveTo, key: '9' }, say Choice { what: Send, key: '8' }, say Choice { what: More, key: '3' }, say Choice { what: Exit, key: '#' }, wait 5s
        caller: presses 7
        server: say Choice { what: Delete, key: '1' }, say Choice { what: Cancel, key: '*' }, wait 5s
        caller: presses 1
        server: move 1 to deleted
        store: moved 1 to deleted
        server: say MessageDeleted, say Message { place: 2, last: true, folder: New, urgent: false }, play 2
        caller: hangs up
    ",
    );
}

#[test]
fn a_message_goes_to_a_folder_of_its_owners() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 9
        server: SHELVES
        caller: presses 3
        server: move 1 to family
        store: kept 1 from family
        server: say NotDone, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn a_message_is_heard_faster_and_goes_on_where_it_was() {
    conversation(
        playing("store: opened 1:new"),
        "
        caller: presses 1
        server: play 1 +0ms at 130 %
        caller: presses 1
        server: play 1 +0ms at 160 %
        caller: presses 1
        server: play 1 +0ms at 60 %
        caller: presses #
        server: play 1 +3000ms at 60 %
        caller: hangs up
    ",
    );
}

fn playing(line: &str) -> Flow {
    playing_with(Settings::default(), contents(line))
}

/// Hearing the first new message.
fn playing_with(settings: Settings, contents: Contents) -> Flow {
    let mut flow = Flow::Retrieval(Box::new(Retrieval::owner(settings, Policy::default())));
    flow.on(Event::Start);
    flow.on(Event::Opened(contents));
    flow.on(Event::Key('1'));
    flow
}
