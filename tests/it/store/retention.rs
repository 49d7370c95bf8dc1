//! Messages that grow old where they lie, and those that no rule touches.

use std::time::Duration;

use afterbeep::{
    blobs::Blobs,
    jobs,
    mailbox::{Folder, Mailbox, MessageId, Settings, Timestamp},
    store::{
        mailboxes::{self, Entry},
        messages::{self, Filing, Marks},
    },
};

use super::house::{House, NOW, house_with_mailbox};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn messages_grow_old_from_the_day_they_came_into_their_folder() {
    let (house, mailbox) = house_with_mailbox().await;
    let [old, young] = [file(&house, &mailbox, NOW).await, file(&house, &mailbox, NOW + DAY).await];
    assert_eq!(aged(&house, &mailbox, Folder::New, NOW + DAY).await, [old]);
    assert_eq!(aged(&house, &mailbox, Folder::New, NOW + DAY * 3).await, [old, young]);

    let way = (Folder::New, Folder::Saved);
    let later = NOW + DAY * 3;
    assert!(grow(&house, &mailbox, old, way, later).await);
    assert!(!grow(&house, &mailbox, old, way, later).await, "it lies elsewhere now");
    assert!(aged(&house, &mailbox, Folder::Saved, later).await.is_empty());
    assert_eq!(aged(&house, &mailbox, Folder::Saved, later + DAY).await, [old]);

    assert!(grow(&house, &mailbox, old, (Folder::Saved, Folder::Deleted), later + DAY).await);
    let (message, _) = messages::for_job(&house.db, &old).await.unwrap().unwrap();
    assert_eq!((message.folder, message.deleted_by.as_deref()), (Folder::Deleted, Some("rule")));
    assert_eq!(aged(&house, &mailbox, Folder::Deleted, later + DAY * 2).await, [old]);
}

#[tokio::test]
async fn what_is_pinned_or_held_never_grows_old() {
    let (house, mailbox) = house_with_mailbox().await;
    for marks in
        [Marks { pinned: true, ..Marks::default() }, Marks { held: true, ..Marks::default() }]
    {
        let id = file(&house, &mailbox, NOW).await;
        // Whoever looked before it was marked is too late.
        assert_eq!(aged(&house, &mailbox, Folder::New, NOW + DAY).await, [id]);
        messages::mark(&house.db, &mailbox.id, &id, marks).await.unwrap();
        assert!(!grow(&house, &mailbox, id, (Folder::New, Folder::Deleted), NOW + DAY).await);
        for folder in [Folder::New, Folder::Saved, Folder::Deleted] {
            let now = NOW + DAY;
            messages::move_to(&house.db, &mailbox.id, &id, folder, "owner", now).await.unwrap();
            assert!(aged(&house, &mailbox, folder, NOW + DAY * 99).await.is_empty());
        }
        assert!(messages::expired(&house.db, NOW + DAY * 99, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn only_mailboxes_that_ask_for_it_are_looked_at() {
    let (house, mailbox) = house_with_mailbox().await;
    assert!(mailboxes::keeping(&house.db).await.unwrap().is_empty());
    for (number, saved_days) in [("1001", Some(0)), ("1002", Some(30))] {
        let settings = Settings { saved_days, ..Settings::default() };
        let entry = Entry { settings, ..Entry::default() };
        house.mailbox_with(&mailbox.tenant, number, &entry).await;
    }
    let found = mailboxes::keeping(&house.db).await.unwrap();
    assert_eq!(found.iter().map(|it| it.number.as_str()).collect::<Vec<_>>(), ["1002"]);
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_moves_and_purges_no_more_than_a_few_at_once() {
    let (house, mailbox) = house_with_mailbox().await;
    let settings = Settings { new_days: Some(30), trash_days: Some(7), ..Settings::default() };
    let entry = Entry { settings, ..Entry::default() };
    mailboxes::set(&house.db, &mailbox.tenant, &mailbox.id, &entry).await.unwrap();
    let blobs = Blobs::open(&house.dir.path().join("blobs")).unwrap();
    let gone = file(&house, &mailbox, NOW).await;
    let sound = afterbeep::blobs::message(&gone);
    blobs.put(&sound, "sound".into()).await.unwrap();
    let (trash, by) = (Folder::Deleted, "the owner");
    messages::move_to(&house.db, &mailbox.id, &gone, trash, by, NOW).await.unwrap();
    let filing = |_| Filing { recipients: vec![], limit: 1_000, ..house.filing(&mailbox) };
    let many: Vec<_> = (0..jobs::MOST_AT_ONCE + 20).map(filing).collect();
    messages::file(&house.db, &many, NOW).await.unwrap();

    let keep = DAY * 365 * 20;
    let look = async |now| jobs::sweep((&house.db, &blobs), keep, now).await.unwrap();
    let count = async |folder| messages::count(&house.db, &mailbox.id, folder).await.unwrap();
    assert_eq!(look(NOW + DAY * 7).await, 0);
    let later = NOW + DAY * 3_650;
    assert_eq!(look(later).await, jobs::MOST_AT_ONCE);
    assert!(messages::for_job(&house.db, &gone).await.unwrap().is_none());
    assert!(blobs.get(&sound).await.is_err(), "its sound goes with it");
    assert_eq!((count(Folder::New).await, count(Folder::Saved).await), (21, 199));
    assert_eq!(look(later).await, 21);
    assert_eq!(look(later).await, 0, "saved ones are kept: nobody asked for anything else");
}

async fn file(house: &House, mailbox: &Mailbox, now: Timestamp) -> MessageId {
    let filing = Filing { recipients: vec![], ..house.filing(mailbox) };
    messages::file(&house.db, std::slice::from_ref(&filing), now).await.unwrap();
    filing.id
}

async fn aged(
    house: &House,
    mailbox: &Mailbox,
    folder: Folder,
    before: Timestamp,
) -> Vec<MessageId> {
    messages::aged(&house.db, &mailbox.id, folder, before, 9).await.unwrap()
}

async fn grow(
    house: &House,
    mailbox: &Mailbox,
    id: MessageId,
    way: (Folder, Folder),
    now: Timestamp,
) -> bool {
    messages::grow_old(&house.db, &mailbox.id, &id, way, "rule", now).await.unwrap()
}
