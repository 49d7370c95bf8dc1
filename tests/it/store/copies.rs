//! Copies: messages of their own that share nothing but the recording.

use afterbeep::{
    mailbox::{Folder, Mailbox, MessageId, Settings, settings::Addresses},
    store::{
        deliveries,
        jobs::{self, Kind},
        mailboxes::{self, Entry},
        messages::{self, Copied, Copy, Filed, Marks, Page},
        transcripts,
    },
};

use super::house::{House, LEASE, NOW, house_with_mailbox, transcript};

#[tokio::test]
async fn a_copy_has_its_own_folder_jobs_and_mails_and_outlives_its_original() {
    let (house, from) = house_with_mailbox().await;
    let to = other(&house, &from, Settings { notify_to: mails(), ..shown() }).await;
    let original = file(&house, &from).await;
    let told = copy(original, &from, &to);
    assert_eq!(made(&house, &told).await, Copied::Settled(Filed::New));
    assert_eq!(made(&house, &told).await, Copied::Settled(Filed::Already));

    let (copied, lies) = messages::for_job(&house.db, &told.id).await.unwrap().unwrap();
    let (first, _) = messages::for_job(&house.db, &original).await.unwrap().unwrap();
    assert_eq!((copied.folder, lies.id), (Folder::New, to.id.clone()));
    assert_eq!((&copied.blob, &copied.envelope), (&first.blob, &first.envelope));
    assert_eq!((copied.copied_from, copied.forwarded_by), (Some(original), None));
    let work = jobs::list(&house.db).await.unwrap();
    let mut work: Vec<_> =
        work.iter().filter(|it| it.job.subject == told.id).map(|it| it.job.kind).collect();
    work.sort_by_key(|it| it.as_str());
    assert_eq!(work, [Kind::Notify, Kind::Transcribe]);
    assert_eq!(deliveries::of(&house.db, &told.id).await.unwrap()[0].recipient, "zoe@acme.example");

    let purged = messages::purge(&house.db, &from.id, &original, NOW).await.unwrap().unwrap();
    assert_eq!(purged.orphan, None, "the copy still has the recording");
    let purged = messages::purge(&house.db, &to.id, &told.id, NOW).await.unwrap().unwrap();
    assert_eq!(purged.orphan, Some(first.blob));
    assert_eq!(made(&house, &told).await, Copied::NoMessage);
}

#[tokio::test]
async fn a_copy_is_as_old_as_its_place_in_the_mailbox_and_tells_when_it_was_left() {
    let (house, from) = house_with_mailbox().await;
    let to = other(&house, &from, Settings::default()).await;
    let original = file(&house, &from).await;
    let (told, later) = (copy(original, &from, &to), NOW + LEASE * 1_000);
    let made = messages::copy(&house.db, &told, later).await.unwrap();
    assert_eq!(made, Copied::Settled(Filed::New));
    for (id, came) in [(original, NOW), (told.id, later)] {
        let (message, at) = messages::for_job(&house.db, &id).await.unwrap().unwrap();
        assert_eq!((message.created, message.envelope.received), (came, NOW));
        let listed = messages::list(&house.db, &at.id, None, Page::first(9)).await.unwrap();
        assert_eq!(listed, [message]);
    }
}

#[tokio::test]
async fn a_copy_its_owner_purged_stays_away() {
    let (house, from) = house_with_mailbox().await;
    let to = other(&house, &from, Settings::default()).await;
    let told = copy(file(&house, &from).await, &from, &to);
    made(&house, &told).await;
    messages::purge(&house.db, &to.id, &told.id, NOW).await.unwrap().unwrap();
    assert_eq!(made(&house, &told).await, Copied::Settled(Filed::Purged));
}

#[tokio::test]
async fn nobody_passes_on_what_is_private_nor_to_another_tenant() {
    let (house, from) = house_with_mailbox().await;
    let to = other(&house, &from, Settings::default()).await;
    let original = file(&house, &from).await;
    let private = Marks { private: true, ..Marks::default() };
    messages::mark(&house.db, &from.id, &original, private).await.unwrap();
    let passed = Copy { by: Some(&from.id), ..copy(original, &from, &to) };
    assert_eq!(made(&house, &passed).await, Copied::Private);

    let elsewhere = house.tenant("elsewhere", None).await;
    let stranger = house.mailbox(&elsewhere, "1001").await;
    assert_eq!(made(&house, &copy(original, &from, &stranger)).await, Copied::NoMessage);
    assert_eq!(lying(&house, &to).await + lying(&house, &stranger).await, 0);
}

#[tokio::test]
async fn who_passed_a_message_on_is_known_and_it_is_no_longer_pinned_or_held() {
    let (house, from) = house_with_mailbox().await;
    let to = other(&house, &from, Settings::default()).await;
    let original = file(&house, &from).await;
    let all = Marks { urgent: true, pinned: true, held: true, private: false };
    messages::mark(&house.db, &from.id, &original, all).await.unwrap();
    let passed = Copy { by: Some(&from.id), ..copy(original, &from, &to) };
    assert_eq!(made(&house, &passed).await, Copied::Settled(Filed::New));
    let (copied, _) = messages::for_job(&house.db, &passed.id).await.unwrap().unwrap();
    assert_eq!(copied.forwarded_by, Some(from.id.clone()));
    assert_eq!(copied.marks, Marks { urgent: true, ..Marks::default() });
}

#[tokio::test]
async fn a_copy_keeps_to_the_limit_of_its_own_mailbox() {
    let (house, from) = house_with_mailbox().await;
    let full = Settings { limit: Some(1), disable_rotate: Some(true), ..Settings::default() };
    let to = other(&house, &from, full).await;
    let [first, second] = [file(&house, &from).await, file(&house, &from).await];
    assert_eq!(made(&house, &copy(first, &from, &to)).await, Copied::Settled(Filed::New));
    let late = copy(second, &from, &to);
    assert_eq!(made(&house, &late).await, Copied::Full);
    // What lies nowhere else is taken all the same.
    let kept = Copy { past_limit: true, ..late };
    assert_eq!(made(&house, &kept).await, Copied::Settled(Filed::New));
    assert_eq!(lying(&house, &to).await, 2);

    let turning = Settings { limit: Some(1), ..Settings::default() };
    let turning = numbered(&house, &from, "1002", turning).await;
    made(&house, &copy(first, &from, &turning)).await;
    assert_eq!(made(&house, &copy(second, &from, &turning)).await, Copied::Settled(Filed::New));
    assert_eq!(lying(&house, &turning).await, 1, "the older one gave way");
}

#[tokio::test]
async fn a_copy_is_written_down_from_what_its_original_said() {
    let (house, from) = house_with_mailbox().await;
    let to = other(&house, &from, Settings::default()).await;
    let original = file(&house, &from).await;
    let told = copy(original, &from, &to);
    made(&house, &told).await;
    let blob = afterbeep::blobs::message(&original);
    assert_eq!(transcripts::of_copy(&house.db, &told.id, &blob).await.unwrap(), None);
    transcripts::save(&house.db, &original, &transcript(), NOW).await.unwrap();
    let known = transcripts::of_copy(&house.db, &told.id, &blob).await.unwrap();
    assert_eq!(known, Some(transcript()));
    assert_eq!(transcripts::of_copy(&house.db, &original, &blob).await.unwrap(), None);
}

#[tokio::test]
async fn two_mailboxes_that_copy_to_each_other_do_not_wait_for_each_other() {
    let (house, one) = house_with_mailbox().await;
    let two = other(&house, &one, Settings::default()).await;
    let mut pairs = Vec::new();
    for _ in 0..10 {
        pairs.push((file(&house, &one).await, file(&house, &two).await));
    }
    for (mine, yours) in pairs {
        let (there, back) = (copy(mine, &one, &two), copy(yours, &two, &one));
        let both = tokio::join!(made(&house, &there), made(&house, &back));
        assert_eq!(both, (Copied::Settled(Filed::New), Copied::Settled(Filed::New)));
    }
    assert_eq!((lying(&house, &one).await, lying(&house, &two).await), (20, 20));
}

#[test]
fn the_id_of_a_copy_is_the_same_each_time_another_in_each_mailbox_and_in_order_of_time() {
    use afterbeep::{clock::Clock, mailbox::MailboxId};

    let message = Clock::Real.message_id();
    let [one, two] = ["one", "two"].map(|it| message.copy(&MailboxId(it.into())));
    assert_eq!(one, message.copy(&MailboxId("one".into())));
    assert!(one != two && one != message);
    assert_eq!(one.0.get_version_num(), 7);
    assert_eq!(one.0.as_bytes()[..6], message.0.as_bytes()[..6]);
}

async fn other(house: &House, beside: &Mailbox, settings: Settings) -> Mailbox {
    numbered(house, beside, "1001", settings).await
}

async fn numbered(house: &House, beside: &Mailbox, number: &str, settings: Settings) -> Mailbox {
    let entry = Entry { settings, ..Entry::default() };
    house.mailbox_with(&beside.tenant, number, &entry).await;
    mailboxes::at(&house.db, &beside.tenant, number).await.unwrap().unwrap()
}

fn shown() -> Settings {
    Settings { use_login_email: Some(false), ..Settings::default() }
}

fn mails() -> Option<Addresses> {
    Some(Addresses::from(vec!["zoe@acme.example".to_owned()]))
}

async fn file(house: &House, mailbox: &Mailbox) -> MessageId {
    let filing = house.filing(mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    filing.id
}

fn copy<'a>(message: MessageId, from: &'a Mailbox, to: &'a Mailbox) -> Copy<'a> {
    Copy {
        id: message.copy(&to.id),
        message,
        from: &from.id,
        to,
        by: None,
        sound: None,
        past_limit: false,
        notify_due: NOW + LEASE,
    }
}

async fn made(house: &House, copy: &Copy<'_>) -> Copied {
    messages::copy(&house.db, copy, NOW).await.unwrap()
}

/// How many lie there, the trash not counted.
async fn lying(house: &House, mailbox: &Mailbox) -> usize {
    let all = messages::list(&house.db, &mailbox.id, None, Page::first(99)).await.unwrap();
    all.iter().filter(|it| it.folder != Folder::Deleted).count()
}
