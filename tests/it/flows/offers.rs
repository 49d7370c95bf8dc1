//! What a mailbox lets its callers do besides leaving a message.

use afterbeep::flow::{Deposit, Flow, Offers, Policy};
use afterbeep::mailbox::room::Door;

use super::deposit::{OPERATOR, behind, reviewed, with_operator};
use super::dialogue;

#[test]
fn zero_reaches_the_operator_from_greeting_recording_and_review() {
    dialogue(
        with_operator(true),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses 0
        server: say OneMoment, send on
        caller: presses 1
        operator: not there
        server: say NotDone, beep, record
        caller: presses 0
        server: stop
        caller: spoke 12s
        server: say OneMoment, send on
        operator: not there
        server: say NotDone, say ReviewMenu, say ReachOperator, wait 5s
        caller: presses 4
        server: mark 12s urgent, say Urgent(true), say ReviewMenu, say ReachOperator, wait 5s
        caller: presses 0
        server: say OneMoment, send on
        operator: there
        server: file 12s urgent, hang up
    ",
    );
}

#[test]
fn a_take_is_kept_whoever_leaves_on_the_way_to_the_operator() {
    dialogue(
        with_operator(false),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: presses 0
        server: stop
        caller: spoke 12s
        server: say OneMoment, send on
        caller: hangs up
        server: file 12s
    ",
    );
}

#[test]
fn a_take_is_filed_when_the_operator_answers_and_the_call_ends_when_they_hang_up() {
    dialogue(
        with_operator(false),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: presses 0
        server: stop
        caller: spoke 12s
        server: say OneMoment, send on
        operator: answers
        server: file 12s
        disk: filed
        caller: presses 0
        operator: hangs up
        server: hang up
    ",
    );
}

#[test]
fn a_take_waits_while_the_operators_phone_rings_and_is_kept_if_nobody_answers() {
    dialogue(
        with_operator(false),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses 0
        server: say OneMoment, send on
        operator: does not answer
        server: say NotDone, beep, record
        caller: presses 0
        server: stop
        caller: spoke 12s
        server: say OneMoment, send on
        operator: does not answer
        server: say NotDone
        caller: waits
        server: file 12s
    ",
    );
}

#[test]
fn a_take_too_short_for_a_message_is_none_on_the_way_to_the_operator_either() {
    dialogue(
        with_operator(false),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: presses 0
        server: stop
        caller: spoke 1s
        server: discard 1s, say OneMoment, send on
        operator: there
        server: hang up
    ",
    );
}

#[test]
fn nobody_is_sent_to_an_operator_who_is_not_there_for_ever() {
    dialogue(
        Flow::Deposit(Deposit::new(Policy { tries: 1, ..Policy::default() }).offering(OPERATOR)),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses 0
        server: say OneMoment, send on
        operator: not there
        server: say NotDone, beep, record
        caller: presses 0
        server: stop
        caller: spoke 1s
        server: discard 1s, say OneMoment, send on
        operator: not there
        server: say NotDone, say Goodbye, hang up
    ",
    );
}

#[test]
fn what_a_caller_said_of_a_message_is_true_of_the_better_one_as_well() {
    dialogue(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: presses #
        server: stop
        caller: spoke 12s
        server: say ReviewMenu, wait 5s
        caller: presses 5
        server: mark 12s private, say Private(true), say ReviewMenu, wait 5s
        caller: presses 3
        server: beep, record
        caller: hangs up
        server: stop
        caller: spoke 4s
        server: file 4s private, discard 12s
    ",
    );
}

#[test]
fn a_mailbox_that_is_off_says_so_before_its_greeting() {
    dialogue(
        behind(Door::Off),
        "
        caller: calls
        server: say SwitchedOff, say Goodbye, hang up
    ",
    );
}

#[test]
fn who_hears_why_no_message_is_taken_still_reaches_the_operator_and_logs_in() {
    let offers = Offers { operator: true, log_in: true };
    for (door, why) in [(Door::Full, "MailboxFull"), (Door::Off, "SwitchedOff")] {
        let flow = || Flow::Deposit(Deposit::at(door, Policy::default()).offering(offers));
        dialogue(
            flow(),
            &format!(
                "
        caller: calls
        server: say {why}, say Goodbye, hang up
        caller: presses 0
        server: say OneMoment, send on
        operator: not there
        server: say NotDone, say Goodbye, hang up
        caller: presses 0
    "
            ),
        );
        dialogue(
            flow(),
            &format!(
                "
        caller: calls
        server: say {why}, say Goodbye, hang up
        caller: presses *
        server: let in
    "
            ),
        );
    }
}

#[test]
fn star_in_the_greeting_logs_in_only_where_that_is_offered() {
    let offers = Offers { log_in: true, ..Offers::default() };
    dialogue(
        Flow::Deposit(Deposit::new(Policy::default()).offering(offers)),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses *
        server: let in
    ",
    );
}
