//! What callers leave in one mailbox and others get.

use std::time::Instant;

use afterbeep::mailbox::Folder;
use afterbeep::store::messages::{self, Message, Page};
use afterbeep::store::{jobs, mailboxes};

use super::{DEAF, assert_heard, beeped, words};
use crate::house::{House, PATIENCE};
use crate::phone::Phone;

#[tokio::test]
async fn each_extension_gets_a_copy_that_outlives_the_original() {
    let house = House::start(DEAF);
    add(&house, "1001", &["--copy-to", "1000"]);
    add(&house, "1002", &[]);
    house.run(&["mailbox", "set", "1000", "--copy-to", "1001,1002"]);
    let mut call = beeped(&house).await;
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();

    let original = house.messages(1).await.remove(0);
    let [one, two] = [messages_at(&house, "1001", 1).await, messages_at(&house, "1002", 1).await];
    assert_eq!(one[0].copied_from, Some(original.id));
    settled(&house).await;
    assert_eq!(house.messages(1).await.len(), 1, "1001 copies to 1000, whose own it is");

    house.run(&["message", "move", &original.id.to_string(), "--to", "deleted"]);
    assert_eq!(messages_at(&house, "1001", 1).await[0].folder, Folder::New);
    house.run(&["mailbox", "rm", "1000", "--with-messages"]);
    assert_heard(&house.sound(two[0].id), &said);
}

#[tokio::test]
async fn what_is_left_at_a_distribution_list_lies_in_its_members_mailboxes_alone() {
    let house = House::start(DEAF);
    add(&house, "800", &["--distribute", "all"]);
    add(&house, "1001", &["--limit", "1", "--disable-rotate", "yes"]);
    for _ in 0..2 {
        let mut call = Phone::new().await.unwrap().call(house.sip, "800").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        call.speak(&words(2)).await.unwrap();
        call.hang_up().await.unwrap();
    }
    assert_eq!(house.messages(2).await.len(), 2);
    // Nobody who heard the beep is lost, not even to a full mailbox.
    let theirs = messages_at(&house, "1001", 2).await;
    settled(&house).await;
    assert!(messages_at(&house, "800", 0).await.is_empty());
    assert!(!house.sound(theirs[0].id).is_empty());
    assert!(
        house.refused(&["tenant", "set", "default", "--distribute", "all"]).contains("mailbox")
    );
}

#[tokio::test]
async fn a_list_without_members_keeps_its_message_and_says_so() {
    let house = House::start(DEAF);
    house.run(&["mailbox", "set", "1000", "--distribute", "4711"]);
    let mut call = beeped(&house).await;
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    house.page("/metrics", "afterbeep_jobs{kind=\"copy\",state=\"buried\"} 1").await;
    assert_eq!(house.messages(1).await.len(), 1);
    assert!(house.run(&["jobs", "list"]).contains("nobody on the distribution list"));
}

fn add(house: &House, number: &str, wishes: &[&str]) {
    house.run(&[&["mailbox", "add", number], wishes].concat());
}

/// The messages in a mailbox, newest first, once there are so many.
async fn messages_at(house: &House, number: &str, count: usize) -> Vec<Message> {
    let db = house.db().await;
    let mailbox = mailboxes::reached(&db, "localhost", number).await.unwrap().unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        let found = messages::list(&db, &mailbox.id, None, Page::first(9)).await.unwrap();
        if found.len() >= count {
            db.close().await;
            return found;
        }
        assert!(Instant::now() < until, "{} messages came to {number}", found.len());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Waits until nothing is left to be copied.
async fn settled(house: &House) {
    let db = house.db().await;
    let until = Instant::now() + PATIENCE;
    while jobs::next_due(&db, jobs::Kind::Copy).await.unwrap().is_some() {
        assert!(Instant::now() < until, "something is still to be copied");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    db.close().await;
}
