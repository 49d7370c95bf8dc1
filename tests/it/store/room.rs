//! Limits and rotation as the store carries them out, and the trash behind them.

use std::time::Duration;

use afterbeep::{
    mailbox::{
        Envelope, Folder, Mailbox, MessageId, Settings, Timestamp,
        room::{self, Door, Lying},
    },
    store::{
        deliveries,
        mailboxes::{self, Entry},
        messages::{self, Filing, Marks, Page},
    },
};

use super::house::{House, NOW, house};

#[tokio::test]
async fn at_the_limit_the_first_to_go_makes_room_and_the_owner_is_told() {
    let (house, mailbox) = with_settings("limit=3").await;
    let mut filed = Vec::new();
    for nth in 0..3 {
        filed.push(file(&house, &mailbox, nth).await);
    }
    messages::move_to(&house.db, &mailbox.id, &filed[1], Folder::Saved, "owner", NOW)
        .await
        .unwrap();
    let fourth = file(&house, &mailbox, 3).await;

    let (heard, _) = messages::for_job(&house.db, &filed[1]).await.unwrap().unwrap();
    assert_eq!((heard.folder, heard.deleted_by.as_deref()), (Folder::Deleted, Some("rotation")));
    assert_eq!(there(&house, &mailbox).await, [filed[0], filed[2], fourth]);
    let (newest, _) = messages::for_job(&house.db, &fourth).await.unwrap().unwrap();
    let told = newest.made_room.unwrap();
    assert_eq!((told.used, told.limit, told.rotated.len()), (3, 3, 1));
    assert_eq!((told.rotated[0].id, told.is_full()), (filed[1], true));

    let back = messages::move_to(&house.db, &mailbox.id, &filed[1], Folder::Saved, "owner", NOW);
    assert!(back.await.unwrap(), "it can be fetched back");
    let (heard, _) = messages::for_job(&house.db, &filed[1]).await.unwrap().unwrap();
    assert_eq!((heard.folder, heard.deleted_by), (Folder::Saved, None));
}

#[tokio::test]
async fn nothing_is_told_below_four_fifths_of_the_limit() {
    let (house, mailbox) = with_settings("limit=10").await;
    for nth in 0..9 {
        let id = file(&house, &mailbox, nth).await;
        let (message, _) = messages::for_job(&house.db, &id).await.unwrap().unwrap();
        assert_eq!(message.made_room.is_some(), nth + 1 >= 8, "the {nth}th");
    }
}

#[tokio::test]
async fn filing_twice_makes_room_once() {
    let (house, mailbox) = with_settings("limit=2").await;
    let first = file(&house, &mailbox, 0).await;
    let second = file(&house, &mailbox, 1).await;
    let third = filing(&house, &mailbox, 2);
    for _ in 0..3 {
        messages::file(&house.db, std::slice::from_ref(&third), NOW).await.unwrap();
    }
    assert_eq!(there(&house, &mailbox).await, [second, third.id]);
    let (gone, _) = messages::for_job(&house.db, &first).await.unwrap().unwrap();
    assert_eq!(gone.folder, Folder::Deleted);
}

#[tokio::test]
async fn pinned_and_held_messages_fill_even_a_rotating_mailbox() {
    let (house, mailbox) = with_settings("limit=2").await;
    let pinned = file(&house, &mailbox, 0).await;
    let held = file(&house, &mailbox, 1).await;
    let marks = [Marks { pinned: true, ..<_>::default() }, Marks { held: true, ..<_>::default() }];
    for (id, marks) in [pinned, held].iter().zip(marks) {
        assert!(messages::mark(&house.db, &mailbox.id, id, marks).await.unwrap());
    }
    assert_eq!(messages::door(&house.db, &mailbox).await.unwrap(), Door::Full);
    let late = file(&house, &mailbox, 2).await;
    assert_eq!(there(&house, &mailbox).await, [pinned, held, late], "who heard the beep is filed");
}

#[tokio::test]
async fn a_mailbox_that_does_not_rotate_refuses_until_its_owner_deletes() {
    let (house, mailbox) = with_settings("limit=2 disable_rotate=yes").await;
    assert_eq!(messages::door(&house.db, &mailbox).await.unwrap(), Door::Open);
    let first = file(&house, &mailbox, 0).await;
    let second = file(&house, &mailbox, 1).await;
    assert_eq!(messages::door(&house.db, &mailbox).await.unwrap(), Door::Full);
    let third = file(&house, &mailbox, 2).await;
    assert_eq!(there(&house, &mailbox).await, [first, second, third]);
    for id in [first, second] {
        messages::move_to(&house.db, &mailbox.id, &id, Folder::Deleted, "owner", NOW)
            .await
            .unwrap();
    }
    assert_eq!(messages::door(&house.db, &mailbox).await.unwrap(), Door::Open);
}

#[tokio::test]
async fn a_mailbox_made_an_announcement_meanwhile_loses_nothing() {
    let (house, mailbox) = with_settings("limit=0").await;
    assert_eq!(messages::door(&house.db, &mailbox).await.unwrap(), Door::Announcement);
    let (one, two) = (file(&house, &mailbox, 0).await, file(&house, &mailbox, 1).await);
    assert_eq!(there(&house, &mailbox).await, [one, two]);
}

#[tokio::test]
async fn the_trash_is_emptied_of_what_nobody_waits_for() {
    let (house, mailbox) = with_settings("").await;
    let mut ids = Vec::new();
    for nth in 0..4 {
        let id = file(&house, &mailbox, nth).await;
        let at = Timestamp(NOW.0 + nth);
        messages::move_to(&house.db, &mailbox.id, &id, Folder::Deleted, "owner", at).await.unwrap();
        ids.push(id);
    }
    let held = Marks { held: true, ..Marks::default() };
    messages::mark(&house.db, &mailbox.id, &ids[0], held).await.unwrap();
    for id in &ids[..3] {
        for to in ["ann@acme.example", "bob@acme.example"] {
            deliveries::accepted(&house.db, id, to, "250 ok", true).await.unwrap();
        }
    }
    let later = NOW + Duration::from_secs(60);
    let expired = async |most| {
        let due = messages::expired(&house.db, later, most).await.unwrap();
        due.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(expired(9).await, [ids[1], ids[2]], "not the held one, nor one whose mail is due");
    assert_eq!(expired(1).await, [ids[1]]);
    assert!(messages::expired(&house.db, NOW, 9).await.unwrap().is_empty());
}

/// A house whose mailbox has these settings.
async fn with_settings(said: &str) -> (House, Mailbox) {
    let house = house().await;
    let tenant = house.tenant("default", None).await;
    let mut settings = Settings::default();
    for word in said.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        settings.set(name, value).unwrap();
    }
    let entry = Entry { settings, ..Entry::default() };
    house.mailbox_with(&tenant, "1000", &entry).await;
    let mailbox = mailboxes::at(&house.db, &tenant, "1000").await.unwrap().unwrap();
    (house, mailbox)
}

fn filing(house: &House, mailbox: &Mailbox, nth: i64) -> Filing {
    let mut filing = house.filing(mailbox);
    filing.envelope.received = Timestamp(NOW.0 + nth);
    (filing.limit, filing.rotates) = (mailbox.limit(), !mailbox.settings.disable_rotate);
    filing
}

async fn file(house: &House, mailbox: &Mailbox, nth: i64) -> MessageId {
    let filing = filing(house, mailbox, nth);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    filing.id
}

/// What lies in the mailbox and not in the trash, the oldest first.
async fn there(house: &House, mailbox: &Mailbox) -> Vec<MessageId> {
    let mut all = messages::list(&house.db, &mailbox.id, None, Page::first(99)).await.unwrap();
    all.retain(|it| it.folder != Folder::Deleted);
    all.reverse();
    all.into_iter().map(|it| it.id).collect()
}

/// As the rule says, whatever lies there; the store does not read all of it.
#[tokio::test]
async fn what_gives_way_in_the_store_is_what_the_rule_says() {
    let (house, mailbox) = with_settings("limit=100").await;
    let mut lying = Vec::new();
    for nth in 0..32_i64 {
        // Each kind twice, in no order, one of them older.
        let bits = nth * 13 % 32;
        let mut filing = filing(&house, &mailbox, bits * 7 % 32);
        let owed = bits & 1 != 0;
        if !owed {
            filing.recipients.clear();
        }
        messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
        let folder = if bits & 2 != 0 { Folder::Saved } else { Folder::New };
        let id = filing.id;
        messages::move_to(&house.db, &mailbox.id, &id, folder, "owner", NOW).await.unwrap();
        let (urgent, pinned) = (bits & 4 != 0, bits & 8 != 0);
        let marks = Marks { urgent, pinned, ..Marks::default() };
        messages::mark(&house.db, &mailbox.id, &id, marks).await.unwrap();
        let Envelope { caller, received, .. } = filing.envelope;
        lying.push(Lying { id, caller, received, folder, urgent, owed, fixed: pinned });
    }
    for limit in [30, 25, 3] {
        let excess = room::excess(lying.len(), limit, true);
        let expected = room::giving_way(lying.clone(), excess);
        let last = Filing { limit, ..filing(&house, &mailbox, 99) };
        messages::file(&house.db, std::slice::from_ref(&last), NOW).await.unwrap();
        let (message, _) = messages::for_job(&house.db, &last.id).await.unwrap().unwrap();
        let gone: Vec<_> = message.made_room.unwrap().rotated.iter().map(|it| it.id).collect();
        assert_eq!(gone, expected.iter().map(|it| it.id).collect::<Vec<_>>(), "limit {limit}");
        lying.retain(|it| !gone.contains(&it.id));
        let Envelope { caller, received, .. } = last.envelope;
        let (folder, id) = (Folder::New, last.id);
        let (urgent, owed, fixed) = (false, true, false);
        lying.push(Lying { id, caller, received, folder, urgent, owed, fixed });
    }
}
