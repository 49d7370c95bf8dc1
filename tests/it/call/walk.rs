//! One call of an owner's by baresip, with nothing of ours in it: it logs in with real digits, listens,
//! saves, deletes, passes on and hangs up; a recogniser reads back what was played.

use std::time::{Duration, Instant};

use afterbeep::audio::Codec;
use afterbeep::mailbox::{Folder, MessageId};
use afterbeep::prompts::Prompts;
use afterbeep::say::Phrase;

use super::baresip::Baresip;
use super::owner::{new_pin, written};
use super::{DEAF, beeped};
use crate::house::{House, PATIENCE};
use crate::phone::FRAME;

#[tokio::test]
async fn baresip_walks_through_a_mailbox_and_all_that_is_said_can_be_understood() {
    let house = House::start(&format!("{DEAF}[retrieval]\nfirst_use = false\n"));
    house.run(&["mailbox", "add", "1001"]);
    leave(&house, Phrase::NotPlayable).await;
    let first = house.messages(1).await[0].id;
    leave(&house, Phrase::NoReply).await;
    let second = house.messages(2).await.iter().map(|it| it.id).find(|it| *it != first).unwrap();
    let pin = new_pin(&house);

    let mut baresip = Baresip::call(house.sip, "*97");
    baresip.listen().await;
    baresip.press("1000#").await;
    baresip.press(&format!("{pin}#")).await;
    baresip.listen().await;
    // The first message is heard to its end and goes to a folder; the mailbox goes on to the second by
    // itself, which is passed on and deleted.
    baresip.press("1").await;
    until_in(&house, first, Folder::Saved).await;
    baresip.press("93").await;
    until_in(&house, first, Folder::Family).await;
    until_in(&house, second, Folder::Saved).await;
    baresip.press("81001#").await;
    baresip.listen().await;
    baresip.press("2").await;
    let copy = house.messages_of("1001", 1).await.remove(0);
    baresip.listen().await;
    baresip.press("7").await;
    until_in(&house, second, Folder::Deleted).await;
    baresip.listen().await;
    let heard = baresip.hang_up().await;

    assert_eq!(copy.folder, Folder::New);
    assert_eq!(house.sound(copy.id), house.sound(second));
    assert_eq!(folder(&house, first).await, Folder::Family, "it did not stay where it was put");

    let written = written(&heard).await;
    let plain = |it: char| if it.is_alphabetic() { it } else { ' ' };
    let spoken: String = written.chars().map(plain).collect();
    let spoken = spoken.split_whitespace().collect::<Vec<_>>().join(" ");
    // It may have been midnight in between.
    let spoken = spoken.replace("yesterday", "today");
    let mut rest = &spoken[..];
    for words in [
        "mailbox",
        "new messages",
        "first",
        "message",
        "received",
        "today",
        "number",
        "played",
        "number",
        "no mailbox",
        "deleted",
    ] {
        let at = rest.find(words);
        let at = at.unwrap_or_else(|| panic!("{words:?} was not heard in its turn: {written}"));
        rest = &rest[at + words.len()..];
    }
}

/// A caller who says one of our own sentences, so that a recogniser understands the whole call.
async fn leave(house: &House, sentence: Phrase) {
    let clips = Prompts::load(None).unwrap().clips("en", &sentence);
    let mut said = clips.iter().flat_map(|it| it.encoded(Codec::Pcmu).to_vec()).collect::<Vec<_>>();
    said.resize(said.len().next_multiple_of(FRAME), 0xff);
    let mut call = beeped(house).await;
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
}

/// Waits until a message lies there.
async fn until_in(house: &House, message: MessageId, there: Folder) {
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        let found = folder(house, message).await;
        if found == there {
            return;
        }
        assert!(Instant::now() < until, "it lies in {found:?}, not in {there:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn folder(house: &House, message: MessageId) -> Folder {
    house.messages(2).await.iter().find(|it| it.id == message).unwrap().folder
}
