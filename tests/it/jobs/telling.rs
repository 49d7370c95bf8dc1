//! What mails tell of a message its caller marked, and of a mailbox that wrong PINs locked.

use afterbeep::clock::Clock;
use afterbeep::mailbox::Guesses;
use afterbeep::store::{mailboxes, pins};

use super::*;
use crate::call::words;
use crate::mail::sink::Mode;

const QUIET: Duration = Duration::from_millis(700);

#[tokio::test]
async fn a_private_message_is_mailed_without_its_recording_and_an_urgent_one_says_so() {
    let sink = Sink::start(Mode::Accept).await;
    let house = House::start(&format!("{DEAF}[deposit]\nreview = true\n{}", mailing_to(&sink)));
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    for key in ['#', '4', '5'] {
        call.press(key).await.unwrap();
        call.listen(QUIET).await.unwrap();
    }
    call.press('1').await.unwrap();
    call.until_hung_up().await.unwrap();

    let letters = sink.wait_for(1, PATIENCE).await;
    let letter = parsed(&letters[0]);
    assert_eq!(letter.header("Importance").unwrap().as_text(), Some("high"));
    assert_eq!(letter.header("Sensitivity").unwrap().as_text(), Some("Private"));
    assert!(letter.subject().unwrap().starts_with("Urgent: "), "{:?}", letter.subject());
    assert_eq!(letter.attachment_count(), 0);
    let text = letter.body_text(0).unwrap();
    assert!(text.contains("called this message private"), "{text}");
    assert!(!text.contains("Listen:"), "{text}");
}

#[tokio::test]
async fn the_owner_of_a_locked_mailbox_is_told_once_for_each_lock() {
    let sink = Sink::start(Mode::Accept).await;
    let mut house = House::start(&format!("{DEAF}{}", mailing_to(&sink)));
    let db = house.db().await;
    let mailbox = mailboxes::reached(&db, "localhost", "1000").await.unwrap().unwrap();
    let now = Clock::Real.now();
    for _ in 0..Guesses::MOST {
        pins::tried(&db, pins::Subject::Mailbox(&mailbox.id), now).await.unwrap();
    }
    pins::note_source(&db, &mailbox.id, Some("+4312345")).await.unwrap();
    house.kill();
    house.restart();

    let letters = sink.wait_for(1, PATIENCE).await;
    let letter = parsed(&letters[0]);
    assert_eq!(letters[0].to, ["ann@localhost"]);
    let text = letter.body_text(0).unwrap();
    assert!(letter.subject().unwrap().contains("1000 is locked until"), "{:?}", letter.subject());
    assert!(text.contains("From: +4312345") || text.contains("+4312345"), "{text}");

    until("it is noted", async || pins::untold(&db, 9).await.unwrap().is_empty().then_some(()))
        .await;
    house.kill();
    house.restart();
    leave(&house, &words(2)).await;
    let letters = sink.wait_for(2, PATIENCE).await;
    assert!(parsed(&letters[1]).subject().unwrap().contains("Marie Dupont"), "told twice");
    assert!(house.run(&["mailbox", "show", "1000"]).contains("Voicemail PIN"));
    assert!(house.run(&["mailbox", "unlock", "1000"]).contains("is unlocked"));
    assert!(house.run(&["mailbox", "unlock", "1000"]).contains("was not locked"));
    db.close().await;
}

#[tokio::test]
async fn one_address_that_takes_no_mail_now_holds_up_no_others_news_of_a_lock_and_doubles_none() {
    let [ann, bob, eve] = ["ann@localhost", "bob@localhost", "eve@localhost"];
    let sink = Sink::start(Mode::RefuseOne(bob, 451)).await;
    let mut house = House::start(&format!("{DEAF}{}", mailing_to(&sink)));
    house.run(&["mailbox", "set", "1000", "--notify-to", &[ann, bob, eve].join(",")]);
    let db = house.db().await;
    let mailbox = mailboxes::reached(&db, "localhost", "1000").await.unwrap().unwrap();
    let now = Clock::Real.now();
    for _ in 0..Guesses::MOST {
        pins::tried(&db, pins::Subject::Mailbox(&mailbox.id), now).await.unwrap();
    }
    house.kill();
    house.restart();

    let to = |all: Vec<Received>| all.into_iter().flat_map(|it| it.to).collect::<Vec<_>>();
    assert_eq!(to(sink.wait_for(2, PATIENCE).await), [ann, eve]);
    sink.switch(Mode::Accept);
    until("it is noted", async || pins::untold(&db, 9).await.unwrap().is_empty().then_some(()))
        .await;
    assert_eq!(to(sink.received()), [ann, eve, bob]);
    db.close().await;
}
