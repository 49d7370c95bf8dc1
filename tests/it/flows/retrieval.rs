use std::time::Duration;

use afterbeep::flow::{
    Action, Contents, Event, Flow, Layout, Letter, Policy, Prompt, Retrieval, retrieval::Settings,
};
use afterbeep::mailbox::{Folder, MessageId, settings::Hours};
use afterbeep::say::Who;
use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

use super::conversation;

#[test]
fn an_owner_logs_in_hears_a_message_and_hangs_up() {
    conversation(
        stranger(),
        "
        caller: calls
        server: say EnterMailbox, wait 5s
        caller: presses 1
        server: wait 5s
        caller: presses 0
        server: wait 5s
        caller: presses #
        server: say EnterPin, wait 5s
        caller: presses 4
        server: wait 5s
        caller: presses 2
        server: wait 5s
        caller: presses #
        server: log in 10 42
        caller: presses 9
        store: logged in
        server: open
        store: opened 1:new
        server: say Counts { new: 1, urgent: 0, saved: 0 }, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: waits
        server: move 1 to saved, AFTER
        store: moved 1 to saved
        caller: hangs up
    ",
    );
}

#[test]
fn unknown_locked_and_wrong_sound_alike_and_three_tries_end_the_call() {
    conversation(
        stranger(),
        "
        caller: calls
        server: say EnterMailbox, wait 5s
        caller: presses 1
        server: wait 5s
        caller: waits
        server: say EnterPin, wait 5s
        caller: presses 4
        server: wait 5s
        caller: waits
        server: log in 1 4
        store: refused
        server: say LoginIncorrect, say EnterMailbox, wait 5s
        caller: waits
        server: say LoginIncorrect, say EnterMailbox, wait 5s
        caller: presses 1
        server: wait 5s
        caller: presses #
        server: say EnterPin, wait 5s
        caller: presses #
        server: say LoginIncorrect, say Goodbye, hang up
    ",
    );
}

#[test]
fn a_star_takes_back_what_was_typed() {
    conversation(
        stranger(),
        "
        caller: calls
        server: say EnterMailbox, wait 5s
        caller: presses 7
        server: wait 5s
        caller: presses *
        server: wait 5s
        caller: presses 1
        server: wait 5s
        caller: presses #
        server: say EnterPin, wait 5s
        caller: presses 5
        server: wait 5s
        caller: presses #
        server: log in 1 5
        store: away
        server: say OutOfReach, say Goodbye, hang up
    ",
    );
}

#[test]
fn urgent_messages_come_first_and_next_and_previous_go_along_the_list() {
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened 1:new 2:new! 3:new 4:saved
        server: say Counts { new: 3, urgent: 1, saved: 1 }, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: true }, play 2
        caller: presses 4
        server: say NoneBefore, say Message { place: 1, last: false, folder: New, urgent: true }, play 2
        caller: presses 6
        server: say Message { place: 2, last: false, folder: New, urgent: false }, play 1
        caller: presses 6
        server: say Message { place: 3, last: true, folder: New, urgent: false }, play 3
        caller: presses 4
        server: say Message { place: 2, last: false, folder: New, urgent: false }, play 1
        caller: presses 6
        server: say Message { place: 3, last: true, folder: New, urgent: false }, play 3
        caller: presses 6
        server: say NoMore, MAIN
        caller: hangs up
    ",
    );
}

#[test]
fn within_a_message_one_goes_back_and_forward_stands_still_and_begins_again() {
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened 1:new
        server: say Counts { new: 1, urgent: 0, saved: 0 }, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses #
        server: play 1 +3000ms
        caller: presses *
        server: play 1 -3000ms
        caller: presses 0
        server: wait 60s
        caller: presses 0
        server: play 1 +0ms
        caller: presses A
        caller: presses 2
        server: play 1
        caller: hangs up
    ",
    );
}

#[test]
fn a_deleted_message_can_be_taken_out_of_the_trash() {
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened 1:new
        server: say Counts { new: 1, urgent: 0, saved: 0 }, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 7
        server: move 1 to deleted
        caller: presses 7
        store: moved 1 to deleted
        server: say MessageDeleted, say NoMore, MAIN
        caller: presses 2
        server: say Choice { what: NewFolder, key: '0' }, say Choice { what: SavedFolder, key: '1' }, say Choice { what: WorkFolder, key: '2' }, say Choice { what: FamilyFolder, key: '3' }, say Choice { what: FriendsFolder, key: '4' }, say Choice { what: FifthFolder, key: '5' }, say Choice { what: SixthFolder, key: '6' }, say Choice { what: DeletedFolder, key: '9' }, say Choice { what: Exit, key: '#' }, wait 5s
        caller: presses 9
        server: say InFolder { folder: Deleted, count: 1 }, say Message { place: 1, last: false, folder: Deleted, urgent: false }, play 1
        caller: presses 7
        server: move 1 to saved
        store: moved 1 to saved
        server: say MessageRestored, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn a_message_that_could_not_be_heard_stays_new() {
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened 1:new
        server: say Counts { new: 1, urgent: 0, saved: 0 }, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        sound: lost
        server: say NotPlayable, AFTER
        caller: waits
        server: say NoMore, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: waits
        server: move 1 to saved, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn counting_again_finds_what_came_during_the_call() {
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened 1:new
        server: say Counts { new: 1, urgent: 0, saved: 0 }, MAIN
        caller: presses *
        server: open
        store: opened 1:new 2:new!
        server: say Counts { new: 2, urgent: 1, saved: 0 }, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: true }, play 2
        caller: hangs up
    ",
    );
}

#[test]
fn what_could_not_be_stored_is_not_said_to_be_done() {
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened 1:new
        server: say Counts { new: 1, urgent: 0, saved: 0 }, MAIN
        caller: presses 1
        server: say Message { place: 1, last: false, folder: New, urgent: false }, play 1
        caller: presses 9
        server: SHELVES
        caller: presses 1
        server: move 1 to saved
        store: kept 1 from saved
        server: say NotDone, AFTER
        caller: hangs up
    ",
    );
}

#[test]
fn who_presses_nothing_is_asked_three_times() {
    conversation(
        owner(),
        "
        caller: calls
        server: open
        store: opened
        server: say Counts { new: 0, urgent: 0, saved: 0 }, MAIN
        caller: presses 1
        server: say InFolder { folder: New, count: 0 }, MAIN
        caller: waits
        server: MAIN
        caller: waits
        server: MAIN
        caller: waits
        server: say Goodbye, hang up
    ",
    );
}

#[test]
fn every_layout_reads_and_leads_to_every_message_and_out() {
    for layout in Layout::ALL {
        let mut flow =
            Retrieval::owner(Settings { keys: layout, ..Settings::default() }, Policy::default());
        flow.on(Event::Start);
        flow.on(Event::Opened(contents("store: opened 1:new 2:new")));
        let playing = flow.on(Event::Key('1'));
        assert!(playing.iter().any(|it| plays(it, 1)), "{layout:?}: {playing:?}");
    }
}

/// With "Play Envelope" and "Play CID" an owner hears when, then who, then the message.
#[test]
fn the_envelope_comes_before_the_message_in_the_order_of_the_voicemail_tab() {
    let mut flow = Retrieval::owner(Settings::default(), Policy::default());
    flow.on(Event::Start);
    let told = Contents { play_envelope: true, play_cid: true, ..contents("store: opened 1:new") };
    flow.on(Event::Opened(told));
    let said: Vec<_> = flow.on(Event::Key('1')).iter().map(super::describe).collect();
    let starts = ["say Message", "say Received", "say From", "play 1"];
    assert!(
        said.len() == 4 && said.iter().zip(starts).all(|(it, with)| it.starts_with(with)),
        "{said:?}"
    );
}

proptest! {
    /// Whatever an owner does, nothing but their own messages is played or moved, and none ends
    /// where no key put it.
    #[test]
    fn no_walk_touches_what_is_not_the_owners(
        keys in prop::collection::vec("[0-9*#w]", 0..60),
        layout in 0_usize..3,
    ) {
        let settings = Settings { keys: Layout::ALL[layout], ..Settings::default() };
        let mut flow = Retrieval::owner(settings, Policy::default());
        flow.on(Event::Start);
        let opened = || Event::Opened(contents("store: opened 1:new 2:saved 3:deleted 4:new!"));
        let mut actions = flow.on(opened());
        for key in keys.iter().filter_map(|it| it.chars().next()) {
            for action in &actions {
                match action {
                    Action::Move { message, folder } => {
                        prop_assert!((1..=4).contains(&message.0.as_u128()));
                        prop_assert_ne!(*folder, Folder::New);
                    }
                    Action::Play(Prompt::Message { id, .. }) => {
                        prop_assert!((1..=4).contains(&id.0.as_u128()));
                    }
                    _ => {}
                }
            }
            let moved = actions.iter().find_map(|it| match it {
                Action::Move { message, folder } => {
                    Some(Event::Moved { message: *message, folder: *folder, done: true })
                }
                _ => None,
            });
            actions = match (moved, key) {
                (Some(moved), _) => flow.on(moved),
                (None, _) if actions.contains(&Action::Open) => flow.on(opened()),
                (None, 'w') => flow.on(Event::Idle),
                (None, key) => flow.on(Event::Key(key)),
            };
        }
        prop_assert!(flow.on(Event::HungUp).is_empty());
        prop_assert!(flow.on(Event::Idle).is_empty());
    }
}

fn stranger() -> Flow {
    Flow::Retrieval(Box::new(Retrieval::stranger(Settings::default(), Policy::default())))
}

fn owner() -> Flow {
    Flow::Retrieval(Box::new(Retrieval::owner(Settings::default(), Policy::default())))
}

fn plays(action: &Action, id: u128) -> bool {
    matches!(action, Action::Play(Prompt::Message { id: it, .. }) if it.0.as_u128() == id)
}

/// `store: opened 1:new 2:new! 3:saved`, with `!` for urgent ones. Nothing is told before them.
pub(crate) fn contents(line: &str) -> Contents {
    let letters = line.split(' ').skip(2).map(|it| {
        let (id, folder) = it.split_once(':').unwrap();
        Letter {
            id: MessageId(Uuid::from_u128(id.parse().unwrap())),
            folder: folder.trim_end_matches(['!', 'p']).parse().unwrap(),
            urgent: folder.ends_with('!'),
            received: date(2026, 11, 27).at(14, 5, 0, 0),
            who: Who::Extension("1001".into()),
            number: Some("1001".into()),
            internal: true,
            private: folder.ends_with('p'),
            sent_by: None,
            length: Duration::from_secs(12),
        }
    });
    Contents {
        number: "1000".into(),
        spoken: vec![],
        first_use: false,
        letters: letters.collect(),
        today: date(2026, 11, 27),
        hours: Hours::TwentyFour,
        play_envelope: false,
        play_cid: false,
        newest_first: false,
        confirm_delete: false,
        announces: false,
    }
}
