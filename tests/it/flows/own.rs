//! What owners do with greetings, their name and their PIN.

use afterbeep::flow::retrieval::Settings;
use afterbeep::flow::{Action, Contents, Event, Flow, Policy, Retrieval, Spoken};
use afterbeep::mailbox::greeting::Kind;
use proptest::prelude::*;

use super::{conversation, describe, retrieval::contents, take};

#[test]
fn a_greeting_is_recorded_heard_and_kept() {
    conversation(
        owner(&[]),
        "
        caller: presses 0
        server: OWN
        caller: presses 1
        server: say SpeakGreeting, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 6s
        server: REVIEW
        caller: presses 2
        server: play 6s, REVIEW
        caller: presses 1
        server: keep 6s as Greeting(Unavailable)
        store: done
        server: open
        store: opened
        server: say RecordingKept, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
    ",
    );
}

#[test]
fn a_recorded_one_is_heard_and_removed() {
    conversation(
        owner(&[Spoken::Name]),
        "
        caller: presses 0
        server: OWN
        caller: presses 3
        server: RECORDED
        caller: presses 2
        server: play Name, RECORDED
        caller: presses 3
        server: remove Name
        store: not done
        server: open
        store: opened
        server: say NotDone, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
    ",
    );
}

#[test]
fn a_temporary_greeting_asks_for_its_days() {
    conversation(
        owner(&[]),
        "
        caller: presses 0
        server: OWN
        caller: presses 4
        server: say SpeakGreeting, beep, dictate
        caller: falls silent after 5s
        server: REVIEW
        caller: presses 1
        server: say HowManyDays, wait 5s
        caller: presses 1
        server: wait 5s
        caller: presses 4
        server: wait 5s
        caller: presses #
        server: keep 5s as Greeting(Temporary) for 14 days
        store: done
        server: open
        store: opened
        server: say RecordingKept, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
    ",
    );
}

#[test]
fn a_pin_is_typed_twice_and_one_that_is_easy_is_not_taken() {
    conversation(
        owner(&[]),
        "
        caller: presses 0
        server: OWN
        caller: presses 5
        server: say EnterNewPin, wait 5s
        caller: types 123456
        caller: presses #
        server: say PinEasy, say EnterNewPin, wait 5s
        caller: types 739201
        caller: presses #
        server: say EnterAgain, wait 5s
        caller: types 739202
        caller: presses #
        server: say PinsDiffer, say EnterNewPin, wait 5s
        caller: types 739201
        caller: presses #
        server: say EnterAgain, wait 5s
        caller: types 739201
        caller: presses #
        server: change the PIN to 739201
        store: done
        server: open
        store: opened
        server: say PinChanged, say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
    ",
    );
}

#[test]
fn hanging_up_in_the_first_call_changes_nothing() {
    conversation(
        first(),
        "
        caller: types 739201
        caller: presses #
        server: say EnterAgain, wait 5s
        caller: types 739201
        caller: presses #
        server: say SpeakName, beep, dictate
        caller: hangs up
        server: stop
        caller: spoke 2s
        server: discard 2s
    ",
    );
}

#[test]
fn an_announcement_is_spoken_by_who_may_and_then_the_call_is_over() {
    let mut flow = announcing();
    flow.on(Event::LoggedIn);
    let told: Vec<_> =
        flow.on(Event::Opened(contents("store: opened"))).iter().map(describe).collect();
    assert_eq!(told, ["say NotDone", "say Goodbye", "hang up"], "this owner may not");
    conversation(
        allowed(),
        "
        caller: presses #
        server: stop
        caller: spoke 6s
        server: REVIEW
        caller: presses 3
        server: discard 6s, say SpeakGreeting, beep, dictate
        caller: presses #
        server: stop
        caller: spoke 5s
        server: REVIEW
        caller: presses 1
        server: announce 5s
        store: done
        server: say RecordingKept, say Goodbye, hang up
    ",
    );
}

#[test]
fn an_announcement_that_is_not_kept_is_gone() {
    conversation(
        allowed(),
        "
        caller: hangs up
        server: stop
        caller: spoke 2s
        server: discard 2s
    ",
    );
    conversation(
        allowed(),
        "
        caller: presses #
        server: stop
        caller: spoke 6s
        server: REVIEW
        caller: presses *
        server: discard 6s, say Goodbye, hang up
    ",
    );
}

proptest! {
    /// Whatever is pressed, each take is kept or discarded once, and after hanging up nothing changes.
    #[test]
    fn what_is_dictated_is_kept_or_goes(keys in prop::collection::vec("[0-9*#w]", 0..80)) {
        let mut flow = owner(&[Spoken::Name]);
        let mut actions = flow.on(Event::Key('0'));
        let (mut takes, mut ended) = (0, 0);
        for key in keys.iter().filter_map(|it| it.chars().next()) {
            ended += actions.iter().filter(|it| ends(it)).count();
            let event = match actions.last() {
                Some(Action::Dictate) => Some(Event::Recording),
                Some(Action::StopRecording) => {
                    takes += 1;
                    let length = std::time::Duration::from_secs(takes);
                    Some(Event::Recorded(take(length, length), afterbeep::flow::Ended::Stopped))
                }
                Some(Action::Keep { .. } | Action::Remove(_) | Action::ChangePin(_)) => {
                    Some(Event::Done(true))
                }
                Some(Action::Open) => Some(Event::Opened(contents("store: opened 1:new"))),
                Some(Action::Move { message, folder }) => {
                    Some(Event::Moved { message: *message, folder: *folder, done: true })
                }
                Some(Action::Find(_)) => Some(Event::Found(vec![])),
                Some(Action::Forward { .. }) => Some(Event::Done(true)),
                Some(Action::Reach(_)) => Some(Event::Reached(false)),
                _ => None,
            };
            actions = match (event, key) {
                (Some(event), _) => flow.on(event),
                (None, 'w') => flow.on(Event::Idle),
                (None, key) => flow.on(Event::Key(key)),
            };
        }
        ended += actions.iter().filter(|it| ends(it)).count();
        let stopping = actions.contains(&Action::StopRecording);
        let mut last = flow.on(Event::HungUp);
        if stopping || last.contains(&Action::StopRecording) {
            takes += 1;
            let length = std::time::Duration::from_secs(takes);
            last = flow.on(Event::Recorded(take(length, length), afterbeep::flow::Ended::Stopped));
        }
        prop_assert!(last.iter().all(|it| matches!(it, Action::Discard(_))), "{last:?}");
        ended += last.len();
        prop_assert_eq!(takes as usize, ended);
    }
}

fn ends(action: &Action) -> bool {
    match action {
        Action::Keep { .. } | Action::Discard(_) => true,
        Action::Forward { intro, .. } => intro.is_some(),
        _ => false,
    }
}

/// At the main menu of a mailbox where this is recorded.
fn owner(spoken: &[Spoken]) -> Flow {
    let mut flow =
        Flow::Retrieval(Box::new(Retrieval::owner(Settings::default(), Policy::default())));
    flow.on(Event::Start);
    flow.on(Event::Opened(Contents { spoken: spoken.to_vec(), ..contents("store: opened") }));
    flow
}

/// At a number where an announcement is spoken, with number and PIN typed.
fn announcing() -> Flow {
    let retrieval = Retrieval::stranger(Settings::default(), Policy::default());
    let mut flow = Flow::Retrieval(Box::new(retrieval.announcing()));
    flow.on(Event::Start);
    for key in "1#1#".chars() {
        flow.on(Event::Key(key));
    }
    flow
}

/// The same of an owner who may, while they speak.
fn allowed() -> Flow {
    let mut flow = announcing();
    flow.on(Event::LoggedIn);
    let asked = flow.on(Event::Opened(Contents { announces: true, ..contents("store: opened") }));
    assert_eq!(describe(&asked[0]), "say SpeakGreeting");
    flow.on(Event::Recording);
    flow
}

/// Logged in with a PIN that somebody else chose.
fn first() -> Flow {
    let mut flow =
        Flow::Retrieval(Box::new(Retrieval::stranger(Settings::default(), Policy::default())));
    flow.on(Event::Start);
    for key in "1#1#".chars() {
        flow.on(Event::Key(key));
    }
    assert_eq!(describe(&flow.on(Event::LoggedIn)[0]), "open");
    let asked = flow.on(Event::Opened(Contents { first_use: true, ..contents("store: opened") }));
    assert_eq!(describe(&asked[1]), "say EnterNewPin");
    flow
}

#[test]
fn the_kinds_of_greetings_are_the_keys_of_the_menu() {
    for (key, kind) in [('1', Kind::Unavailable), ('2', Kind::Busy), ('4', Kind::Temporary)] {
        let mut flow = owner(&[Spoken::Greeting(kind)]);
        flow.on(Event::Key('0'));
        flow.on(Event::Key(key));
        let heard: Vec<_> = flow.on(Event::Key('2')).iter().map(describe).collect();
        assert_eq!(heard[0], format!("play Greeting({kind:?})"));
    }
}
