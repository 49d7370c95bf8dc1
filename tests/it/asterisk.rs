//! What Asterisk's own tests hold its voicemail to (`tests/apps/voicemail` of its test suite), line by
//! line, under the names they have there. Where we differ on purpose a test says how.

use afterbeep::flow::retrieval::Settings;
use afterbeep::flow::{Contents, Event, Flow, Policy, Retrieval, Spoken};
use afterbeep::mailbox::greeting::Kind;
use afterbeep::mailbox::{Folder, Notice};
use afterbeep::store::deliveries;
use afterbeep::store::messages::{self, Filing, Marks, Page};

use crate::flows::{
    conversation,
    deposit::{deposit, reviewed},
    retrieval::contents,
};
use crate::house::House;
use crate::store::sqlite::house::{NOW, house_with_mailbox};

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

/// One deletes two while five come: exactly five are left.
#[tokio::test]
async fn check_voicemail_while_leaving_msg() {
    let (house, mailbox) = house_with_mailbox().await;
    let first: Vec<_> = (0..2).map(|_| house.filing(&mailbox)).collect();
    messages::file(&house.db, &first, NOW).await.unwrap();
    let coming: Vec<_> = (0..5).map(|_| house.filing(&mailbox)).collect();
    let filing = async {
        for one in &coming {
            messages::file(&house.db, std::slice::from_ref(one), NOW).await.unwrap();
        }
    };
    let deleting = async {
        for one in &first {
            let trash = Folder::Deleted;
            messages::move_to(&house.db, &mailbox.id, &one.id, trash, "owner", NOW).await.unwrap();
        }
    };
    tokio::join!(filing, deleting);
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 5);
    let new = messages::list(&house.db, &mailbox.id, Some(Folder::New), Page::first(9)).await;
    let mut ids: Vec<_> = new.unwrap().into_iter().map(|it| it.id).collect();
    let mut wanted: Vec<_> = coming.iter().map(|it| it.id).collect();
    ids.sort();
    wanted.sort();
    assert_eq!(ids, wanted);
}

/// `#` and hanging up both leave the message.
#[test]
fn leave_voicemail_nominal() {
    conversation(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: presses #
        server: stop
        caller: spoke 5s
        server: file 5s
        disk: filed
        server: say Saved, say Goodbye, hang up
    ",
    );
    conversation(
        deposit(),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: hangs up
        server: stop
        caller: spoke 5s
        server: file 5s
    ",
    );
}

/// Where there is a review, a key of it makes the message urgent.
#[test]
fn leave_voicemail_priority() {
    conversation(
        reviewed(),
        "
        caller: calls
        server: greet, say Instructions
        caller: waits
        server: beep, record
        caller: presses #
        server: stop
        caller: spoke 5s
        server: say ReviewMenu, wait 5s
        caller: presses 4
        server: say Urgent(true), say ReviewMenu, wait 5s
        caller: presses 1
        server: file 5s urgent
        disk: filed
        server: say Saved, say Goodbye, hang up
    ",
    );
}

/// A copy is as urgent as its original.
#[tokio::test]
async fn leave_voicemail_forwarding() {
    let (house, from) = house_with_mailbox().await;
    let to = house.mailbox(&from.tenant, "5556").await;
    let urgent = Marks { urgent: true, ..Marks::default() };
    let filing = Filing { marks: urgent, ..house.filing(&from) };
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let copy = messages::Copy {
        id: filing.id.copy(&to.id),
        message: filing.id,
        from: &from.id,
        to: &to,
        by: Some(&from.id),
        sound: None,
        past_limit: false,
        notify_due: NOW,
    };
    messages::copy(&house.db, &copy, NOW).await.unwrap();
    let theirs = messages::list(&house.db, &to.id, None, Page::first(9)).await.unwrap();
    assert_eq!(theirs.iter().map(|it| it.marks.urgent).collect::<Vec<_>>(), [true]);
}

/// What is filed as urgent is heard before the others, whoever called it so.
#[tokio::test]
async fn leave_voicemail_auto_urgent() {
    let (house, mailbox) = house_with_mailbox().await;
    let plain = house.filing(&mailbox);
    let marks = Marks { urgent: true, ..Marks::default() };
    let urgent = Filing { marks, ..house.filing(&mailbox) };
    messages::file(&house.db, &[plain, urgent.clone()], NOW).await.unwrap();
    let headings = messages::headings(&house.db, &mailbox).await.unwrap();
    let marked: Vec<_> = headings.iter().filter(|it| it.urgent).map(|it| it.id).collect();
    assert_eq!(marked, [urgent.id]);
}

/// A mail with the recording, a short one without, and nothing left once that is wanted: the letters
/// themselves are tested in `jobs` and `mail`. Here: who is told of one message, and how.
#[tokio::test]
async fn leave_voicemail_external_notification() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let told = deliveries::of(&house.db, &filing.id).await.unwrap();
    let mut told: Vec<_> = told.into_iter().map(|it| (it.recipient, it.kind)).collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    let mut wanted: Vec<_> =
        filing.recipients.iter().map(|it| (it.address.clone(), it.kind)).collect();
    wanted.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(told, wanted);
    for to in &filing.recipients {
        let full = to.kind == Notice::Full;
        deliveries::accepted(&house.db, &filing.id, &to.address, "250 ok", full).await.unwrap();
    }
    assert!(messages::let_go(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap());
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 0);
}

/// The five tests of this name: a change from outside is told to every phone that subscribed, and to
/// none that no longer does.
#[tokio::test]
async fn polling() {
    let house = House::start(&crate::lamp::settings(""));
    let db = house.db().await;
    let mut lamps = Vec::new();
    for _ in 0..2 {
        let mut lamp =
            crate::phone::lamp::Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
        lamp.subscribe(Some(600)).await.unwrap();
        lamp.until("0/0 (0/0)").await.unwrap();
        lamps.push(lamp);
    }
    let id = crate::lamp::file(&db).await;
    for lamp in &mut lamps {
        lamp.until("1/0 (0/0)").await.unwrap();
    }
    crate::lamp::move_to(&db, &id, Folder::Saved).await;
    for lamp in &mut lamps {
        lamp.until("0/1 (0/0)").await.unwrap();
    }
    let mut gone = lamps.pop().unwrap();
    gone.subscribe(Some(0)).await.unwrap();
    gone.next().await.unwrap();
    crate::lamp::move_to(&db, &id, Folder::Deleted).await;
    lamps[0].until("0/0 (0/0)").await.unwrap();
    assert!(gone.within(std::time::Duration::from_secs(2)).await.unwrap().is_none());
    db.close().await;
}

/// Whatever is pressed during the greeting, who hangs up then has left nothing.
#[test]
fn leave_voicemail_contexts() {
    for key in "0123456789*".chars() {
        let mut flow = deposit();
        flow.on(Event::Start);
        flow.on(Event::Key(key));
        let last = flow.on(Event::HungUp);
        assert!(last.is_empty(), "{key}: {last:?}");
    }
}

/// By its id, if there is such a message.
#[tokio::test]
async fn play_message() {
    let house = House::start("[speech]\nmodels = \"/nonexistent\"\n");
    let nobody = "01890000-0000-7000-8000-000000000000";
    let to = house.dir.path().join("out.wav");
    for id in [nobody, "../../etc/passwd"] {
        let told = house.refused(&["message", "export", id, "--to", to.to_str().unwrap()]);
        assert!(!told.is_empty() && !to.exists(), "{told}");
    }
}

#[tokio::test]
async fn func_vmcount() {
    let (house, mailbox) = house_with_mailbox().await;
    let all: Vec<_> = (0..6).map(|_| house.filing(&mailbox)).collect();
    messages::file(&house.db, &all, NOW).await.unwrap();
    let places = [Folder::Saved, Folder::Saved, Folder::Work, Folder::Deleted];
    for (one, to) in all.iter().zip(places) {
        messages::move_to(&house.db, &mailbox.id, &one.id, to, "owner", NOW).await.unwrap();
    }
    for (folder, count) in [
        (Folder::New, 2),
        (Folder::Saved, 2),
        (Folder::Work, 1),
        (Folder::Deleted, 1),
        (Folder::Family, 0),
    ] {
        assert_eq!(
            messages::count(&house.db, &mailbox.id, folder).await.unwrap(),
            count,
            "{folder:?}"
        );
    }
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

fn stranger() -> Flow {
    Flow::Retrieval(Box::new(Retrieval::stranger(Settings::default(), Policy::default())))
}

fn owner() -> Flow {
    Flow::Retrieval(Box::new(Retrieval::owner(Settings::default(), Policy::default())))
}

/// At the main menu of a mailbox with these messages.
fn opened(line: &str) -> Flow {
    opened_with(Settings::default(), contents(line))
}

fn opened_with(settings: Settings, contents: Contents) -> Flow {
    let mut flow = Flow::Retrieval(Box::new(Retrieval::owner(settings, Policy::default())));
    flow.on(Event::Start);
    flow.on(Event::Opened(contents));
    flow
}

/// Logged in with a PIN that somebody else chose.
fn new_user() -> Flow {
    let mut flow = stranger();
    flow.on(Event::Start);
    for key in "1#1#".chars() {
        flow.on(Event::Key(key));
    }
    flow.on(Event::LoggedIn);
    flow.on(Event::Opened(Contents { first_use: true, ..contents("store: opened") }));
    flow
}
