//! What callers leave, and who is told of it.

use afterbeep::flow::Event;
use afterbeep::mailbox::{Folder, Notice};
use afterbeep::store::deliveries;
use afterbeep::store::messages::{self, Filing, Marks, Page};

use crate::flows::{
    conversation,
    deposit::{deposit, reviewed},
};
use crate::house::House;
use crate::store::sqlite::house::{NOW, house_with_mailbox};

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
        server: mark 5s urgent, say Urgent(true), say ReviewMenu, wait 5s
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
