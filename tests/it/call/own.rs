//! What owners change by phone, and what their callers and the others notice of it.

use std::time::Duration;

use afterbeep::mailbox::Folder;
use afterbeep::say::{Choice, Phrase};

use super::owner::{BELIEVING, OWN, calls, heard_at, hears, leave, new_pin, press};
use super::{decoded, words};
use crate::house::House;
use crate::phone::{Phone, stood_still};

const QUIET: Duration = Duration::from_millis(600);

#[tokio::test]
async fn a_greeting_spoken_by_phone_is_what_the_next_caller_hears() {
    let house = House::start(BELIEVING);
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "0").await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.until_beep_is_over().await.unwrap();
    let said = words(3);
    call.speak(&said).await.unwrap();
    press(&mut call, "#").await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::RecordingKept), "nothing said that it is kept");
    call.hang_up().await.unwrap();

    let mut caller = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    let heard = decoded(&caller.listen_to_beep().await.unwrap().concat());
    caller.hang_up().await.unwrap();
    let likeness = likeness(&decoded(&said)[8_000..8_800], &heard);
    assert!(likeness > 0.5, "the greeting was not heard: {likeness:.2}");
    // Neither does it come to the mailbox as a message.
    assert!(house.messages(0).await.is_empty());
}

#[tokio::test]
async fn who_hangs_up_before_keeping_a_greeting_has_changed_nothing() {
    let house = House::start(BELIEVING);
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "01").await;
    call.until_beep_is_over().await.unwrap();
    call.speak(&words(3)).await.unwrap();
    call.hang_up().await.unwrap();
    let told = house.run(&["greeting", "list", "--mailbox", "1000"]);
    assert!(told.contains("has none"), "{told}");
    assert!(house.messages(0).await.is_empty());
}

#[tokio::test]
async fn a_pin_changed_by_phone_is_the_one_that_counts() {
    let house = House::start(BELIEVING);
    let old = new_pin(&house);
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "05").await;
    press(&mut call, "739201#").await;
    press(&mut call, "739201#").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::PinChanged), "nothing said that it is changed");
    call.hang_up().await.unwrap();

    let mut call = calls(&house, "").await;
    press(&mut call, &format!("1000#{old}#")).await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::LoginIncorrect), "the old PIN still counts");
    // It is the owner's own choice by now, so nothing else is asked.
    press(&mut call, "1000#739201#").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::Counts { new: 0, urgent: 0, saved: 0 }));
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn the_first_call_with_a_given_pin_asks_for_another_and_for_a_name() {
    let house = House::start(super::DEAF);
    let pin = new_pin(&house);
    let mut call = calls(&house, "").await;
    press(&mut call, &format!("1000#{pin}#")).await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::EnterNewPin), "no new PIN was asked for");
    press(&mut call, "739201#739201#").await;
    call.until_beep_is_over().await.unwrap();
    call.hang_up().await.unwrap();

    // Half of it is nothing: the old one still counts, and asks the same.
    let mut call = calls(&house, "").await;
    press(&mut call, &format!("1000#{pin}#")).await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::EnterNewPin));
    press(&mut call, "739201#739201#").await;
    call.until_beep_is_over().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    press(&mut call, "#").await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::PinChanged));
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn a_message_passed_on_with_an_introduction_is_one_message_in_the_other_mailbox() {
    let house = House::start(BELIEVING);
    house.run(&["mailbox", "add", "1001"]);
    let said = decoded(&leave(&house, 3).await);
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.wait(Duration::from_millis(500)).await;
    press(&mut call, "8").await;
    press(&mut call, "1001#").await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.until_beep_is_over().await.unwrap();
    let intro = words(5)[2 * 8_000..4 * 8_000].to_vec();
    call.speak(&intro).await.unwrap();
    press(&mut call, "#").await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::MessageSent), "nothing said that it was sent");
    call.hang_up().await.unwrap();

    let theirs = house.messages_of("1001", 1).await;
    let sound = house.sound(theirs[0].id);
    let first = super::place(&decoded(&intro)[4_000..4_400], &sound).expect("no introduction");
    let second = super::place(&said[4_000..4_400], &sound).expect("no message behind it");
    assert!(first < second);

    // Who hears it hears who passed it on.
    let manner = "P-Asserted-Identity: <sip:1001@pbx.example>\r\n";
    let mut call = calls(&house, manner).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::SentBy { number: "1000".into() }));
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn a_message_passed_on_to_a_list_reaches_its_members_and_stays_nowhere_else() {
    let house = House::start(BELIEVING);
    house.run(&["mailbox", "add", "1001"]);
    house.run(&["mailbox", "add", "800"]);
    house.run(&["mailbox", "set", "800", "--distribute", "1001"]);
    let said = leave(&house, 3).await;
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.wait(Duration::from_millis(500)).await;
    press(&mut call, "8800#").await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "2").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::MessageSent), "nothing said that it was sent");
    call.hang_up().await.unwrap();
    let theirs = house.messages_of("1001", 1).await;
    super::assert_heard(&house.sound(theirs[0].id), &said);
    assert!(house.messages_of("800", 0).await.is_empty(), "it lies where nobody hears it");
}

#[tokio::test]
async fn a_message_passed_on_again_because_one_did_not_take_it_is_doubled_for_no_other() {
    let house = House::start(BELIEVING);
    house.run(&["mailbox", "add", "1001"]);
    house.run(&["mailbox", "add", "1002", "--takes-messages", "no"]);
    leave(&house, 3).await;
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.wait(Duration::from_millis(500)).await;
    for _ in 0..2 {
        press(&mut call, "81001*1002#").await;
        call.listen(QUIET).await.unwrap();
        press(&mut call, "2").await;
        let told = decoded(&call.listen(QUIET).await.unwrap());
        assert!(hears(&told, Phrase::NotDone), "nothing said that one of them has none");
    }
    assert_eq!(house.messages_of("1001", 1).await.len(), 1);
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn a_reply_lies_in_the_mailbox_of_who_left_the_message() {
    let house = House::start(BELIEVING);
    house.run(&["mailbox", "add", "1001"]);
    let mut phone = Phone::new().await.unwrap();
    phone.number = "1001".to_owned();
    let mut caller = phone.call(house.sip, "1000").await.unwrap().unwrap();
    caller.skip_to_beep().await.unwrap();
    caller.speak(&words(3)).await.unwrap();
    caller.hang_up().await.unwrap();
    house.messages(1).await;

    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.wait(Duration::from_millis(500)).await;
    press(&mut call, "31").await;
    call.until_beep_is_over().await.unwrap();
    let said = words(4);
    call.speak(&said).await.unwrap();
    // A reply is as safe as any message: its speaker may hang up.
    call.hang_up().await.unwrap();

    let reply = house.messages_of("1001", 1).await.remove(0);
    assert_eq!(reply.envelope.caller.number.as_deref(), Some("1000"));
    super::assert_heard(&house.sound(reply.id), &said);
    assert_eq!(house.messages(1).await.len(), 1);
}

#[tokio::test]
async fn a_message_is_put_into_a_folder_and_heard_there() {
    let house = House::start(BELIEVING);
    let said = decoded(&leave(&house, 3).await);
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.wait(Duration::from_millis(500)).await;
    press(&mut call, "93").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::MessageKept));
    assert_eq!(house.messages(1).await[0].folder, Folder::Family);
    press(&mut call, "23").await;
    let heard = decoded(&call.listen(QUIET).await.unwrap());
    assert!(super::place(&said[8_000..8_400], &heard).is_some(), "it is not in that folder");
    call.hang_up().await.unwrap();
    assert!(
        house
            .run(&["message", "list", "--mailbox", "1000", "--folder", "family"])
            .contains("family")
    );
}

#[tokio::test]
async fn a_message_is_heard_faster() {
    let house = House::start(BELIEVING);
    leave(&house, 6).await;
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    call.wait(Duration::from_millis(200)).await;
    // From its beginning, so that all of it is heard at that pace.
    press(&mut call, "11").await;
    call.wait(Duration::from_millis(100)).await;
    press(&mut call, "2").await;
    let heard = decoded(&call.listen(QUIET).await.unwrap());
    call.hang_up().await.unwrap();
    let again = Phrase::Choice { what: Choice::Repeat, key: '5' };
    let seconds = heard_at(&heard, again).expect("no menu followed") as f64 / 8_000.0;
    // Six seconds at 160 % are less than four; the menu's first choice takes less than three.
    assert!((4.0..8.0).contains(&seconds) || stood_still(), "{seconds} s");
}

/// How much the most similar stretch is like it: 1 is the same but for loudness.
pub(super) fn likeness(of: &[i16], within: &[i16]) -> f64 {
    let energy = |it: &[i16]| it.iter().map(|&it| f64::from(it).powi(2)).sum::<f64>().max(1.0);
    let whole = energy(of);
    let like = |it: &[i16]| {
        let both: f64 = of.iter().zip(it).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        both / (whole * energy(it)).sqrt()
    };
    within.windows(of.len()).map(like).fold(0.0, f64::max)
}
