use std::time::Duration;

use afterbeep::flow::{Action, Deposit, Ended, Event, Flow, Offers, Policy};
use afterbeep::mailbox::room::Door;
use proptest::prelude::*;

use super::{describe, dialogue, take};

#[test]
fn a_caller_hears_the_greeting_speaks_and_hangs_up() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: hangs up
        server: stop
        caller: spoke 12s
        server: file 12s
    ",
    );
}

#[test]
fn pound_skips_the_greeting_and_ends_the_message() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: presses #
        server: stop
        caller: spoke 12s
        server: file 12s
        disk: filed
        server: say Saved, say Goodbye, hang up
    ",
    );
}

#[test]
fn other_keys_change_nothing() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses 7
        caller: presses *
        caller: waits
        server: beep, record
        caller: presses 1
        caller: presses A
        caller: hangs up
        server: stop
        caller: spoke 4s
        server: file 4s
    ",
    );
}

#[test]
fn a_key_during_the_beep_cuts_nothing_short() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        early: presses #
        early: presses 1
        caller: hangs up
        server: stop
        caller: spoke 4s
        server: file 4s
    ",
    );
}

#[test]
fn leaving_during_the_beep_of_a_second_try_leaves_the_first() {
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
        caller: presses 3
        server: beep, record
        early: hangs up
        server: file 12s
    ",
    );
}

#[test]
fn a_line_that_dies_before_its_caller_hangs_up_loses_nothing() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: hangs up
        server: stop
        caller: hangs up
        caller: spoke 12s
        server: file 12s
    ",
    );
}

#[test]
fn leaving_during_the_greeting_leaves_nothing() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: hangs up
    ",
    );
}

#[test]
fn nobody_hears_saved_before_it_is_committed() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: falls silent after 9s
        server: file 9s
        caller: presses #
        caller: waits
        disk: later
        server: say Goodbye, hang up
    ",
    );
}

#[test]
fn the_longest_message_is_kept() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: reaches 300s
        server: file 300s
        disk: filed
        server: say Saved, say Goodbye, hang up
        caller: hangs up
    ",
    );
}

#[test]
fn a_cough_is_not_a_message_and_the_caller_is_asked_again() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: spoke 1s
        server: discard 1s, say TooShort, say TryAgain, beep, record
        caller: breathed 6s
        server: discard 6s, say NothingHeard, say TryAgain, beep, record
        caller: says nothing
        server: discard 1s, say TooShort, say Goodbye, hang up
    ",
    );
}

#[test]
fn a_caller_who_hangs_up_at_once_leaves_no_message() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: hangs up
        server: stop
        caller: spoke 1s
        server: discard 1s
    ",
    );
}

#[test]
fn a_quiet_message_is_filed_when_the_caller_is_gone() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        caller: hangs up
        server: stop
        caller: breathed 12s
        server: file 12s
    ",
    );
}

#[test]
fn a_busy_tone_ends_the_call_with_what_was_said() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        line: busy tone after 5s
        server: file 5s, hang up
        disk: filed
        caller: hangs up
    ",
    );
}

#[test]
fn a_failing_disk_is_told_to_the_caller() {
    dialogue(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: presses #
        server: beep, record
        disk: fails
        server: say NotSaved, say Goodbye, hang up
    ",
    );
}

#[test]
fn a_failing_disk_does_not_cost_the_take_already_kept() {
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
        disk: fails
        server: file 12s
        disk: filed
        server: say Saved, say Goodbye, hang up
    ",
    );
}

#[test]
fn a_full_mailbox_says_so_before_its_greeting() {
    dialogue(
        behind(Door::Full),
        "
        caller: calls
        server: say MailboxFull, say Goodbye, hang up
        caller: presses 1
        caller: presses #
        server: say Goodbye, hang up
        caller: hangs up
    ",
    );
}

#[test]
fn an_announcement_is_heard_and_takes_nothing() {
    dialogue(
        behind(Door::Announcement),
        "
        caller: calls
        server: greet
        caller: presses 1
        caller: waits
        server: say Goodbye, hang up
        caller: presses #
    ",
    );
}

/// Every key and the hang-up in every state; what is not listed changes nothing.
#[test]
fn every_key_in_every_state() {
    let good =
        || Event::Recorded(take(Duration::from_secs(9), Duration::from_secs(9)), Ended::Stopped);
    let recording = [Event::Start, Event::Idle, Event::Recording];
    let after = |events: &[Event]| [&recording, events].concat();
    let states: [(&str, Vec<Event>); 8] = [
        ("greeting", vec![Event::Start]),
        ("telling", vec![Event::Start]),
        ("beeping", vec![Event::Start, Event::Idle]),
        ("recording", after(&[])),
        ("leaving", after(&[Event::HungUp])),
        ("reviewing", after(&[good()])),
        ("filing", after(&[good(), Event::Key('1')])),
        ("over", after(&[good(), Event::Key('*')])),
    ];
    let keys = "0123456789*#ABCD".chars().map(|key| (format!("{key}"), Event::Key(key)));
    let moves: Vec<_> = keys.chain([("hang-up".into(), Event::HungUp)]).collect();

    let mut table = String::new();
    for (state, path) in &states {
        for (name, event) in &moves {
            let mut flow =
                if *state == "telling" { behind(Door::Announcement) } else { reviewed() };
            for event in path {
                flow.on(event.clone());
            }
            let actions: Vec<_> = flow.on(event.clone()).iter().map(describe).collect();
            if !actions.is_empty() {
                table += &format!("{state} {name}: {}\n", actions.join(", "));
            }
        }
    }
    assert_eq!(
        table,
        "\
greeting #: beep, record
telling #: say Goodbye, hang up
recording #: stop
recording hang-up: stop
reviewing 1: file 9s
reviewing 2: play 9s, say ReviewMenu, wait 5s
reviewing 3: beep, record
reviewing 4: mark 9s urgent, say Urgent(true), say ReviewMenu, wait 5s
reviewing 5: mark 9s private, say Private(true), say ReviewMenu, wait 5s
reviewing *: discard 9s, say Deleted, say Goodbye, hang up
reviewing hang-up: file 9s
"
    );
}

/// What a caller, the line or the disk can do next.
#[derive(Debug, Clone)]
enum Move {
    Happens(Event),
    /// The recording under way ends like this, if there is one.
    Begins,
    Ends(u64, u64, Ended),
    Breaks,
    HangsUp,
}

proptest! {
    /// Whatever the caller does, every take is filed or discarded, once; and a take that is long
    /// enough is lost only to a better one or to key `*`.
    #[test]
    fn no_take_is_lost(review: bool, moves in prop::collection::vec(any_move(), 0..40)) {
        let mut call = Watched::new(with_operator(review));
        call.on(Event::Start)?;
        for it in moves {
            call.make(it)?;
        }
        call.make(Move::HangsUp)?;
        call.make(Move::HangsUp)?;
        call.make(Move::Ends(30_000, 30_000, Ended::Stopped))?;

        prop_assert!(call.open.is_empty(), "left open: {:?}", call.open);
        prop_assert!(call.filed <= 1);
        prop_assert!(call.filed == 1 || call.deleted || !call.spoke_well);
    }
}

/// A flow whose takes are counted.
struct Watched {
    flow: Flow,
    /// The beep is heard, a recording will begin.
    beeping: bool,
    recording: bool,
    hung_up: bool,
    open: Vec<afterbeep::mailbox::MessageId>,
    next: u128,
    filed: u32,
    deleted: bool,
    spoke_well: bool,
}

impl Watched {
    fn new(flow: Flow) -> Self {
        let open = Vec::new();
        Self {
            flow,
            beeping: false,
            recording: false,
            hung_up: false,
            open,
            next: 0,
            filed: 0,
            deleted: false,
            spoke_well: false,
        }
    }

    fn make(&mut self, it: Move) -> Result<(), TestCaseError> {
        match it {
            Move::Ends(length, voiced, ended) if self.recording => {
                let millis = Duration::from_millis;
                let mut take = take(millis(length), millis(voiced.min(length)));
                self.next += 1;
                take.id.0 = uuid::Uuid::from_u128(self.next);
                self.recording = false;
                self.open.push(take.id);
                self.spoke_well |= length >= 1_500 && voiced >= 300;
                self.on(Event::Recorded(take, ended))
            }
            Move::Begins if self.beeping => {
                (self.beeping, self.recording) = (false, true);
                self.on(Event::Recording)
            }
            Move::Breaks if self.recording || self.beeping => {
                (self.beeping, self.recording) = (false, false);
                self.on(Event::NotRecorded)
            }
            // A line that dies and a BYE are both told.
            Move::HangsUp => {
                (self.hung_up, self.beeping) = (true, false);
                self.on(Event::HungUp)
            }
            Move::Happens(Event::Key('*')) if !self.hung_up => {
                let open = self.open.len();
                self.on(Event::Key('*'))?;
                self.deleted |= self.open.len() < open;
                Ok(())
            }
            Move::Happens(event) if !self.hung_up => self.on(event),
            _ => Ok(()),
        }
    }

    fn on(&mut self, event: Event) -> Result<(), TestCaseError> {
        let actions = self.flow.on(event);
        // An answer replaces what was still to be done, also a recording to begin.
        self.beeping &= actions.is_empty();
        for action in actions {
            match action {
                Action::Record => {
                    prop_assert!(!self.recording && !self.hung_up);
                    self.beeping = true;
                }
                Action::StopRecording => prop_assert!(self.recording, "nothing to stop"),
                Action::File(take, _) => {
                    self.filed += 1;
                    self.close(take.id)?;
                }
                Action::Discard(take) => self.close(take.id)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn close(&mut self, id: afterbeep::mailbox::MessageId) -> Result<(), TestCaseError> {
        let open = self.open.len();
        self.open.retain(|it| *it != id);
        prop_assert_eq!(self.open.len() + 1, open, "a take was closed twice");
        Ok(())
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    let key = prop::sample::select("0123456789*#".chars().collect::<Vec<_>>());
    let ended =
        prop::sample::select(vec![Ended::Stopped, Ended::Silence, Ended::Longest, Ended::Tone]);
    prop_oneof![
        4 => key.prop_map(|key| Move::Happens(Event::Key(key))),
        2 => Just(Move::Happens(Event::Idle)),
        1 => any::<bool>().prop_map(|it| Move::Happens(Event::Filed(it))),
        2 => any::<bool>().prop_map(|it| Move::Happens(Event::SentOn(it))),
        2 => any::<bool>().prop_map(|it| Move::Happens(Event::Connected(it))),
        1 => Just(Move::Happens(Event::Parted)),
        4 => Just(Move::Begins),
        4 => (0..20_000_u64, 0..20_000_u64, ended).prop_map(|(l, v, e)| Move::Ends(l, v, e)),
        1 => Just(Move::Breaks),
        1 => Just(Move::HangsUp),
    ]
}

pub(super) const OPERATOR: Offers = Offers { operator: true, log_in: false };

pub(super) fn behind(door: Door) -> Flow {
    Flow::Deposit(Deposit::at(door, Policy::default()))
}

pub(crate) fn deposit() -> Flow {
    Flow::Deposit(Deposit::new(Policy::default()))
}

pub(crate) fn reviewed() -> Flow {
    Flow::Deposit(Deposit::new(Policy { review: true, ..Policy::default() }))
}

pub(super) fn with_operator(review: bool) -> Flow {
    Flow::Deposit(Deposit::new(Policy { review, ..Policy::default() }).offering(OPERATOR))
}
