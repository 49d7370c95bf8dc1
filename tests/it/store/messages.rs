//! Messages, from filing to purging.

use std::time::Duration;

use super::house::{LEASE, NOW, house_with_mailbox, transcript};
use afterbeep::{
    blobs::Blobs,
    clock::{self},
    mailbox::{Folder, MailboxId, Timestamp},
    store::{
        deliveries,
        jobs::{self, Kind},
        messages::{self, Filed, Filing, Page, Transcription},
        transcripts,
    },
};

#[tokio::test]
async fn a_take_is_filed_once_however_often_it_is_said() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    let twice = [filing.clone(), filing.clone()];
    let filed = messages::file(&house.db, &twice, NOW).await.unwrap();
    assert_eq!(filed, [Filed::New, Filed::Already]);
    let filed = messages::file(&house.db, &twice[..1], NOW).await.unwrap();
    assert_eq!(filed, [Filed::Already]);

    let (message, at) = messages::for_job(&house.db, &filing.id).await.unwrap().unwrap();
    assert_eq!((message.folder, &at), (Folder::New, &mailbox));
    assert_eq!(message.envelope, filing.envelope);
    assert_eq!(message.blob, filing.blob);
    assert_eq!(message.transcription, Transcription::Waiting);
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 1);
    assert_eq!(jobs::list(&house.db).await.unwrap().len(), 2);
    assert_eq!(deliveries::of(&house.db, &filing.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn jobs_exist_only_with_their_message_and_only_those_wanted() {
    let (house, mailbox) = house_with_mailbox().await;
    let mut stray = house.filing(&mailbox);
    stray.mailbox = MailboxId("nowhere".into());
    let silent = Filing { transcribe: false, recipients: vec![], ..house.filing(&mailbox) };
    let spoken = house.filing(&mailbox);
    let all = [stray, silent.clone(), spoken.clone()];
    let filed = messages::file(&house.db, &all, NOW).await.unwrap();
    assert_eq!(filed, [Filed::NoMailbox, Filed::New, Filed::New]);

    let jobs = jobs::list(&house.db).await.unwrap();
    let listed: Vec<_> = jobs.iter().map(|it| (it.job.kind, it.job.subject, it.due)).collect();
    let notify = (Kind::Notify, spoken.id, spoken.notify_due);
    assert_eq!(listed, [(Kind::Transcribe, spoken.id, NOW), notify]);
    let since: Vec<_> = jobs.iter().map(|it| it.job.since()).collect();
    assert_eq!(since, [Some(NOW), Some(spoken.notify_due)], "their age is not known");
    let (message, _) = messages::for_job(&house.db, &silent.id).await.unwrap().unwrap();
    assert_eq!(message.transcription, Transcription::Off);
}

#[tokio::test]
async fn a_group_is_filed_as_a_whole_or_not_at_all() {
    let (house, mailbox) = house_with_mailbox().await;
    let mut group = vec![house.filing(&mailbox), house.filing(&mailbox)];
    group[0].recipients.clear();
    // The first needs no row here, the second does.
    house.sql("alter table delivery rename to gone").await;
    messages::file(&house.db, &group, NOW).await.unwrap_err();
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 0);
    assert!(jobs::list(&house.db).await.unwrap().is_empty());

    house.sql("alter table gone rename to delivery").await;
    let filed = messages::file(&house.db, &group, NOW).await.unwrap();
    assert_eq!(filed, [Filed::New, Filed::New]);
}

#[tokio::test]
async fn a_crash_between_sound_and_row_leaves_a_sound_without_row_never_the_reverse() {
    let (house, mailbox) = house_with_mailbox().await;
    let blobs = Blobs::open(&house.dir.path().join("blobs")).unwrap();
    let filings: Vec<_> = (0..20).map(|_| house.filing(&mailbox)).collect();
    for (nth, filing) in filings.iter().enumerate() {
        blobs.put(&filing.blob, "sound".into()).await.unwrap();
        // Every third time the power goes before the commit.
        let lost = nth % 3 == 0;
        if lost {
            house.sql("alter table tombstone rename to gone").await;
        }
        let filed = messages::file(&house.db, std::slice::from_ref(filing), NOW).await;
        assert_eq!(filed.is_err(), lost, "{filed:?}");
        if lost {
            house.sql("alter table gone rename to tombstone").await;
        }
    }
    let there = messages::list(&house.db, &mailbox.id, None, Page::first(99)).await.unwrap();
    assert_eq!(there.len(), 13);
    for message in &there {
        assert_eq!(blobs.get(&message.blob).await.unwrap(), "sound");
    }
    let mut left = 0;
    for key in blobs.list().await.unwrap() {
        left += usize::from(!messages::has_blob(&house.db, &key).await.unwrap());
    }
    assert_eq!(left, 7);

    for filing in &filings {
        blobs.put(&filing.blob, "sound".into()).await.unwrap();
    }
    let filed = messages::file(&house.db, &filings, NOW).await.unwrap();
    assert_eq!(filed.iter().filter(|it| **it == Filed::New).count(), 7);
    for key in blobs.list().await.unwrap() {
        assert!(messages::has_blob(&house.db, &key).await.unwrap(), "{key}");
    }
}

#[tokio::test]
async fn a_purged_message_stays_away_and_takes_everything_with_it() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    transcripts::save(&house.db, &filing.id, &transcript(), NOW).await.unwrap();
    let held = jobs::claim(&house.db, Kind::Notify, NOW, LEASE).await.unwrap().unwrap();

    let purged = messages::purge(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap();
    assert_eq!(purged.unwrap().orphan.as_deref(), Some(filing.blob.as_str()));
    assert_eq!(messages::purge(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap(), None);
    let again = messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    assert_eq!(again, [Filed::Purged]);

    assert_eq!(messages::for_job(&house.db, &filing.id).await.unwrap(), None);
    assert_eq!(transcripts::of(&house.db, &filing.id).await.unwrap(), None);
    assert!(deliveries::of(&house.db, &filing.id).await.unwrap().is_empty());
    assert!(jobs::list(&house.db).await.unwrap().is_empty());
    assert!(!jobs::finish(&house.db, &held).await.unwrap());
    assert!(!transcripts::save(&house.db, &filing.id, &transcript(), NOW).await.unwrap());
    assert!(!transcripts::give_up(&house.db, &filing.id, "late", NOW).await.unwrap());
}

#[tokio::test]
async fn a_sound_in_two_mailboxes_outlives_the_first_purge() {
    let (house, mailbox) = house_with_mailbox().await;
    let one = house.filing(&mailbox);
    let copy = Filing { blob: one.blob.clone(), ..house.filing(&mailbox) };
    messages::file(&house.db, &[one.clone(), copy.clone()], NOW).await.unwrap();
    let first = messages::purge(&house.db, &mailbox.id, &one.id, NOW).await.unwrap().unwrap();
    assert_eq!(first.orphan, None);
    assert!(messages::has_blob(&house.db, &one.blob).await.unwrap());
    let last = messages::purge(&house.db, &mailbox.id, &copy.id, NOW).await.unwrap().unwrap();
    assert_eq!(last.orphan, Some(one.blob));
}

#[tokio::test]
async fn a_message_moves_between_folders_of_its_own_mailbox_only() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let moved =
        messages::move_to(&house.db, &mailbox.id, &filing.id, Folder::Saved, "owner", NOW).await;
    assert!(moved.unwrap());
    let saved = messages::list(&house.db, &mailbox.id, Some(Folder::Saved), Page::first(9)).await;
    assert_eq!(saved.unwrap().len(), 1);
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 0);
    let elsewhere = house.mailbox(&mailbox.tenant, "2000").await;
    let moved =
        messages::move_to(&house.db, &elsewhere.id, &filing.id, Folder::New, "owner", NOW).await;
    assert!(!moved.unwrap());
    let purged = messages::purge(&house.db, &elsewhere.id, &filing.id, NOW).await;
    assert_eq!(purged.unwrap(), None);
}

#[tokio::test]
async fn a_folder_of_the_owners_is_one_of_its_own_and_saved_to_all_limits() {
    let (house, mailbox) = house_with_mailbox().await;
    let [first, second] = [house.filing(&mailbox), house.filing(&mailbox)];
    messages::file(&house.db, &[first.clone(), second.clone()], NOW).await.unwrap();
    let put = async |id, folder| {
        messages::move_to(&house.db, &mailbox.id, id, folder, "owner", NOW).await.unwrap()
    };
    assert!(put(&first.id, Folder::Family).await);
    assert!(put(&second.id, Folder::Saved).await);
    let count = async |folder| messages::count(&house.db, &mailbox.id, folder).await.unwrap();
    assert_eq!([count(Folder::Family).await, count(Folder::Saved).await], [1, 1]);
    let list = async |folder| {
        let all = messages::list(&house.db, &mailbox.id, Some(folder), Page::first(9)).await;
        all.unwrap().into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Folder::Family).await, [first.id]);
    assert_eq!(list(Folder::Saved).await, [second.id]);
    assert!(list(Folder::Work).await.is_empty());
    let headings = messages::headings(&house.db, &mailbox).await.unwrap();
    assert_eq!(headings.iter().filter(|it| it.folder == Folder::Family).count(), 1);

    // It gives way like any other that was heard, and comes back to the saved ones.
    let third = Filing { limit: 2, ..house.filing(&mailbox) };
    messages::file(&house.db, std::slice::from_ref(&third), NOW).await.unwrap();
    assert_eq!(list(Folder::Deleted).await, [first.id]);
    assert!(put(&first.id, Folder::Saved).await);
    assert_eq!(list(Folder::Saved).await.len(), 2);
}

#[tokio::test]
async fn a_list_is_newest_first_and_goes_on_where_it_stopped() {
    let (house, mailbox) = house_with_mailbox().await;
    let mut filings: Vec<_> = (0..7).map(|_| house.filing(&mailbox)).collect();
    for (nth, filing) in filings.iter_mut().enumerate() {
        // Pairs with the same time: the id decides.
        filing.envelope.received = Timestamp(NOW.0 + nth as i64 / 2);
    }
    messages::file(&house.db, &filings, NOW).await.unwrap();
    let mut expected: Vec<_> = filings.iter().map(|it| (it.envelope.received, it.id)).collect();
    expected.sort();
    expected.reverse();

    let (mut seen, mut page) = (Vec::new(), Page::first(3));
    loop {
        let some = messages::list(&house.db, &mailbox.id, None, page).await.unwrap();
        let Some(last) = some.last() else { break };
        page.before = Some((last.envelope.received, last.id));
        seen.extend(some.iter().map(|it| (it.envelope.received, it.id)));
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn five_hundred_messages_are_filed_within_seconds() {
    let (house, mailbox) = house_with_mailbox().await;
    let roomy = |_| Filing { limit: 1_000, ..house.filing(&mailbox) };
    let filings: Vec<_> = (0..1000).map(roomy).collect();
    let begun = clock::instant();
    for filing in &filings[..500] {
        messages::file(&house.db, std::slice::from_ref(filing), NOW).await.unwrap();
    }
    let alone = begun.elapsed();
    let begun = clock::instant();
    for group in filings[500..].chunks(20) {
        messages::file(&house.db, group, NOW).await.unwrap();
    }
    eprintln!("500 filings: one by one {alone:?}, in groups of 20 {:?}", begun.elapsed());
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 1000);
    assert!(alone < Duration::from_secs(50), "a filing has 50 ms, these took {alone:?}");
}
