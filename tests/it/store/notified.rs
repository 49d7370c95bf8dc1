//! After the mail: what came back, who wants no more, and "Delete voicemail after notification".

use afterbeep::{
    mailbox::{Folder, MessageId, Notice, Recipient},
    store::{
        deliveries::{self, State},
        mailboxes,
        messages::{self, Filing, Marks},
        secrets, unsubscribed,
    },
};

use super::house::{House, NOW, full, house_with_mailbox};

const ANN: &str = "ann@acme.example";
const BOB: &str = "bob@acme.example";

async fn folder(house: &House, id: &MessageId) -> (Folder, Option<String>) {
    let (message, _) = messages::for_job(&house.db, id).await.unwrap().unwrap();
    (message.folder, message.deleted_by)
}

#[tokio::test]
async fn a_message_goes_into_the_trash_when_the_last_full_mail_is_accepted() {
    let (house, mailbox) = house_with_mailbox().await;
    let short = Recipient { address: "5551234@sms.example".into(), kind: Notice::Short };
    let recipients = vec![full(ANN), full(BOB), short];
    let filing = Filing { recipients, ..house.filing(&mailbox) };
    let (db, id) = (&house.db, &filing.id);
    messages::file(db, std::slice::from_ref(&filing), NOW).await.unwrap();
    assert!(!messages::let_go(db, &mailbox.id, id, NOW).await.unwrap());
    deliveries::accepted(db, id, ANN, "250 ok", true).await.unwrap();
    assert!(!messages::let_go(db, &mailbox.id, id, NOW).await.unwrap());
    deliveries::accepted(db, id, BOB, "250 ok", true).await.unwrap();
    assert!(messages::let_go(db, &mailbox.id, id, NOW).await.unwrap());
    assert_eq!(folder(&house, id).await, (Folder::Deleted, Some("notified".into())));
    assert!(!messages::let_go(db, &mailbox.id, id, NOW).await.unwrap(), "once");
}

#[tokio::test]
async fn a_message_stays_where_not_everybody_has_it_or_somebody_keeps_it() {
    let (house, mailbox) = house_with_mailbox().await;
    let db = &house.db;
    for (with_audio, pinned, held, to, goes) in [
        (true, false, false, Folder::New, true),
        (true, false, false, Folder::Saved, true),
        (false, false, false, Folder::New, false),
        (true, true, false, Folder::New, false),
        (true, false, true, Folder::Saved, false),
        (true, false, false, Folder::Deleted, false),
    ] {
        let filing = Filing { recipients: vec![full(ANN)], ..house.filing(&mailbox) };
        let id = &filing.id;
        messages::file(db, std::slice::from_ref(&filing), NOW).await.unwrap();
        deliveries::accepted(db, id, ANN, "250 ok", with_audio).await.unwrap();
        messages::mark(db, &mailbox.id, id, Marks { urgent: true, pinned, held, private: false })
            .await
            .unwrap();
        messages::move_to(db, &mailbox.id, id, to, "owner", NOW).await.unwrap();
        let case = (with_audio, pinned, held, to);
        assert_eq!(messages::let_go(db, &mailbox.id, id, NOW).await.unwrap(), goes, "{case:?}");
        let by = if goes { "notified" } else { "owner" };
        let lies = match goes || to == Folder::Deleted {
            true => (Folder::Deleted, Some(by.to_owned())),
            false => (to, None),
        };
        assert_eq!(folder(&house, id).await, lies, "{case:?}");
    }
}

#[tokio::test]
async fn who_unsubscribed_neither_keeps_a_message_nor_lets_it_go() {
    let (house, mailbox) = house_with_mailbox().await;
    let db = &house.db;
    for (others, goes) in [(vec![full(ANN)], true), (vec![], false)] {
        let recipients = others.iter().cloned().chain([full(BOB)]).collect();
        let filing = Filing { recipients, ..house.filing(&mailbox) };
        let id = &filing.id;
        messages::file(db, std::slice::from_ref(&filing), NOW).await.unwrap();
        for it in &others {
            deliveries::accepted(db, id, &it.address, "250 ok", true).await.unwrap();
        }
        assert!(!messages::let_go(db, &mailbox.id, id, NOW).await.unwrap(), "Bob still waits");
        assert!(deliveries::unsubscribed(db, id, BOB).await.unwrap());
        assert!(!deliveries::unsubscribed(db, id, ANN).await.unwrap(), "who has it has it");
        let all = deliveries::of(db, id).await.unwrap();
        let bob = all.iter().find(|it| it.recipient == BOB).unwrap();
        assert_eq!((bob.state, bob.is_open()), (State::Unsubscribed, false));
        assert_eq!(messages::let_go(db, &mailbox.id, id, NOW).await.unwrap(), goes, "{others:?}");
    }
}

#[tokio::test]
async fn a_mail_that_came_back_brings_its_message_back() {
    let (house, mailbox) = house_with_mailbox().await;
    let db = &house.db;
    let filing = Filing { recipients: vec![full(ANN)], ..house.filing(&mailbox) };
    let id = &filing.id;
    messages::file(db, std::slice::from_ref(&filing), NOW).await.unwrap();
    assert!(!deliveries::bounced(db, id, ANN, "5.1.1").await.unwrap(), "nothing was accepted");
    deliveries::accepted(db, id, ANN, "250 ok", true).await.unwrap();
    messages::let_go(db, &mailbox.id, id, NOW).await.unwrap();
    assert!(deliveries::bounced(db, id, ANN, "5.1.1 nobody of that name").await.unwrap());
    assert_eq!(folder(&house, id).await, (Folder::New, None));
    let [mail] = &deliveries::of(db, id).await.unwrap()[..] else { panic!("one mail") };
    assert_eq!((mail.state, mail.is_open()), (State::Bounced, false));
    assert_eq!(mail.reply.as_deref(), Some("5.1.1 nobody of that name"));
    assert!(!messages::let_go(db, &mailbox.id, id, NOW).await.unwrap());

    // What its owner threw away stays there.
    let filing = Filing { recipients: vec![full(ANN)], ..house.filing(&mailbox) };
    messages::file(db, std::slice::from_ref(&filing), NOW).await.unwrap();
    deliveries::accepted(db, &filing.id, ANN, "250 ok", true).await.unwrap();
    let trash = Folder::Deleted;
    messages::move_to(db, &mailbox.id, &filing.id, trash, "owner", NOW).await.unwrap();
    assert!(deliveries::bounced(db, &filing.id, ANN, "5.1.1").await.unwrap());
    assert_eq!(folder(&house, &filing.id).await, (trash, Some("owner".into())));
}

#[tokio::test]
async fn who_wants_no_more_mail_is_remembered_until_it_is_taken_back() {
    let (house, mailbox) = house_with_mailbox().await;
    let db = &house.db;
    assert!(!unsubscribed::of(db, &mailbox.id).await.unwrap().has(ANN));
    for address in [ANN, "Ann@ACME.example", ANN] {
        assert!(unsubscribed::add(db, &mailbox.id, address, NOW).await.unwrap());
    }
    let gone = unsubscribed::of(db, &mailbox.id).await.unwrap();
    assert!(gone.has("ANN@acme.example") && !gone.has(BOB));
    assert!(unsubscribed::remove(db, &mailbox.id, "ann@Acme.example").await.unwrap());
    assert!(!unsubscribed::remove(db, &mailbox.id, ANN).await.unwrap());
    assert!(!unsubscribed::of(db, &mailbox.id).await.unwrap().has(ANN));

    unsubscribed::add(db, &mailbox.id, ANN, NOW).await.unwrap();
    mailboxes::remove(db, &mailbox.tenant, &mailbox.id).await.unwrap();
    assert!(!unsubscribed::add(db, &mailbox.id, ANN, NOW).await.unwrap(), "it is gone");
    assert!(!unsubscribed::of(db, &mailbox.id).await.unwrap().has(ANN));
}

#[tokio::test]
async fn a_secret_is_made_once() {
    let (house, _) = house_with_mailbox().await;
    assert_eq!(secrets::of(&house.db, "links", "first", NOW).await.unwrap(), "first");
    assert_eq!(secrets::of(&house.db, "links", "second", NOW).await.unwrap(), "first");
    assert_eq!(secrets::of(&house.db, "other", "second", NOW).await.unwrap(), "second");
}
