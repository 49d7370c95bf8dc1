//! The review, where there is one: what a caller makes of a take before it is a message.

use super::deposit::reviewed;
use super::dialogue;

#[test]
fn a_message_is_heard_and_kept() {
    dialogue(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: spoke 12s
        server: say ReviewMenu, wait 5s
        caller: presses 2
        server: play 12s, say ReviewMenu, wait 5s
        caller: presses 9
        caller: presses 1
        server: file 12s
        disk: filed
        server: say Saved, say Goodbye, hang up
    ",
    );
}

#[test]
fn a_caller_who_answers_nothing_keeps_the_message() {
    dialogue(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: spoke 12s
        server: say ReviewMenu, wait 5s
        caller: waits
        server: file 12s
        caller: hangs up
        disk: filed
    ",
    );
}

#[test]
fn the_first_take_gives_way_only_to_a_better_one() {
    dialogue(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: spoke 12s
        server: say ReviewMenu, wait 5s
        caller: presses 3
        server: beep, record
        caller: spoke 1s
        server: discard 1s, say TooShort, say ReviewMenu, wait 5s
        caller: presses 3
        server: beep, record
        caller: spoke 8s
        server: discard 12s, say ReviewMenu, wait 5s
        caller: hangs up
        server: file 8s
    ",
    );
}

#[test]
fn a_caller_who_leaves_while_recording_again_leaves_the_first_take() {
    dialogue(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: spoke 12s
        server: say ReviewMenu, wait 5s
        caller: presses 3
        server: beep, record
        caller: hangs up
        server: stop
        caller: breathed 4s
        server: file 12s, discard 4s
    ",
    );
}

#[test]
fn a_caller_who_leaves_after_speaking_again_leaves_the_second_take() {
    dialogue(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: spoke 12s
        server: say ReviewMenu, wait 5s
        caller: presses 3
        server: beep, record
        caller: hangs up
        server: stop
        caller: spoke 9s
        server: file 9s, discard 12s
    ",
    );
}

#[test]
fn a_message_is_deleted_by_the_callers_own_word() {
    dialogue(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: spoke 12s
        server: say ReviewMenu, wait 5s
        caller: presses *
        server: discard 12s, say Deleted, say Goodbye, hang up
        caller: hangs up
    ",
    );
}
