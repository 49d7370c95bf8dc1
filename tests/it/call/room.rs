//! Calls to mailboxes with little room, and what becomes of what gave way.

use std::time::Duration;

use afterbeep::mailbox::Folder;

use super::{DEAF, beeped, words};
use crate::house::House;
use crate::phone::Phone;

#[tokio::test]
async fn the_oldest_gives_way_to_a_caller_at_the_limit() {
    let house = House::start(DEAF);
    house.run(&["mailbox", "set", "1000", "--limit", "2"]);
    for nth in 1..=3 {
        leave(&house).await;
        house.messages(nth).await;
    }
    let [newest, second, oldest] = &house.messages(3).await[..] else { panic!("three messages") };
    assert_eq!((newest.folder, second.folder), (Folder::New, Folder::New));
    assert_eq!((oldest.folder, oldest.deleted_by.as_deref()), (Folder::Deleted, Some("rotation")));
    let shown = house.run(&["message", "show", &newest.id.to_string()]);
    assert!(shown.contains("2 of 2 messages; 1 gave way for it"), "{shown}");
    assert!(!house.sound(oldest.id).is_empty(), "it can still be heard");
}

#[tokio::test]
async fn a_full_mailbox_that_does_not_rotate_refuses_until_something_is_deleted() {
    let house = House::start(DEAF);
    house.run(&["mailbox", "set", "1000", "--limit", "1", "--disable-rotate", "yes"]);
    leave(&house).await;
    let first = house.messages(1).await.remove(0);

    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    let heard = call.listen(Duration::from_millis(700)).await.unwrap();
    call.until_hung_up().await.unwrap();
    let seconds = heard.len() as f64 / 8_000.0;
    assert!((3.0..9.0).contains(&seconds), "\"full\" and \"goodbye\" took {seconds} s");
    house.page("/metrics", "afterbeep_calls_full_total 1").await;

    house.run(&["message", "move", &first.id.to_string(), "--to", "deleted"]);
    leave(&house).await;
    let messages = house.messages(2).await;
    assert_eq!(messages.len(), 2, "the refused caller left nothing");
    assert_eq!(messages[0].folder, Folder::New);
}

#[tokio::test]
async fn a_mailbox_without_room_by_setting_plays_its_greeting_and_takes_nothing() {
    let house = House::start(DEAF);
    house.run(&["mailbox", "set", "1000", "--limit", "0"]);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    let heard = call.listen(Duration::from_millis(700)).await.unwrap();
    call.until_hung_up().await.unwrap();
    assert!(heard.len() > 3 * 8_000, "only {} samples of a greeting", heard.len());
    assert!(house.messages(0).await.is_empty());
}

#[tokio::test]
async fn what_lay_in_the_trash_long_enough_is_gone_with_its_sound() {
    let mut house = House::start(&format!("keep_trash = \"0s\"\n{DEAF}"));
    leave(&house).await;
    let message = house.messages(1).await.remove(0);
    house.page("/metrics", "afterbeep_mails_total{state=\"accepted\"} 1").await;
    house.run(&["message", "move", &message.id.to_string(), "--to", "deleted"]);
    house.kill();
    house.restart();

    house.until_empty().await;
    let blobs = walk(&house.data().join("blobs"));
    assert!(blobs.is_empty(), "{blobs:?}");
}

async fn leave(house: &House) {
    let mut call = beeped(house).await;
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => files.extend(walk(&path)),
            path => files.push(path),
        }
    }
    files
}
