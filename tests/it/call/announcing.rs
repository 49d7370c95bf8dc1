//! Announcements that are spoken by phone.

use std::time::Duration;

use afterbeep::say::Phrase;

use super::hold::{LOW, add, listen, told};
use super::own::likeness;
use super::owner::{hears, new_pin, press};
use super::{DEAF, decoded, words};
use crate::house::House;
use crate::phone::{Call, Phone};

const QUIET: Duration = Duration::from_millis(600);

async fn call(house: &House, number: &str) -> Call {
    Phone::new().await.unwrap().call(house.sip, number).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_greeting_of_hold_music_is_spoken_by_phone_and_listed_and_taken_away_as_any_other() {
    let house = House::start(DEAF);
    add(&house, "default", &[("low", LOW, 1_000)]);
    house.run(&["mailbox", "set", "1000", "--speaks-announcements", "yes"]);
    let pin = new_pin(&house);

    let mut call_to_speak = call(&house, "record-intro-default").await;
    press(&mut call_to_speak, &format!("1000#{pin}#")).await;
    call_to_speak.until_beep_is_over().await.unwrap();
    let said = words(3);
    call_to_speak.speak(&said).await.unwrap();
    press(&mut call_to_speak, "#").await;
    call_to_speak.listen(QUIET).await.unwrap();
    press(&mut call_to_speak, "1").await;
    let heard = decoded(&call_to_speak.listen(QUIET).await.unwrap());
    assert!(hears(&heard, Phrase::RecordingKept), "nothing said that it is kept");
    call_to_speak.until_hung_up().await.unwrap();

    let mut caller = call(&house, "moh").await;
    let heard = listen(&mut caller, 4_500).await;
    caller.hang_up().await.unwrap();
    let alike = likeness(&decoded(&said)[8_000..8_800], &heard[..28_000]);
    assert!(alike > 0.5, "the greeting was not heard: {alike:.2}");
    assert_eq!(told(&heard[30_000..]), [LOW], "the music does not follow it");
    assert!(house.messages(0).await.is_empty(), "it came to the mailbox as a message");

    assert!(house.run(&["moh", "list"]).contains("intro-default"), "the class does not show it");
    assert!(house.run(&["announcement", "list"]).contains("intro-default"));
    house.run(&["moh", "set", "--intro", "none"]);
    house.run(&["announcement", "rm", "intro-default"]);
    let mut caller = call(&house, "moh").await;
    assert_eq!(told(&listen(&mut caller, 500).await), [LOW]);
    caller.hang_up().await.unwrap();
}

#[tokio::test]
async fn nobody_speaks_announcements_who_may_not_or_does_not_know_the_pin() {
    let house = House::start(DEAF);
    let pin = new_pin(&house);
    // It is not enough to know a PIN: what all callers hear is the administrator's to give away.
    let mut stranger = call(&house, "record-closed").await;
    press(&mut stranger, &format!("1000#{pin}#")).await;
    let heard = decoded(&stranger.listen(QUIET).await.unwrap());
    assert!(hears(&heard, Phrase::NotDone));
    stranger.until_hung_up().await.unwrap();

    house.run(&["mailbox", "set", "1000", "--speaks-announcements", "yes"]);
    let mut stranger = call(&house, "record-closed").await;
    press(&mut stranger, "1000#000000#").await;
    let heard = decoded(&stranger.listen(QUIET).await.unwrap());
    assert!(hears(&heard, Phrase::LoginIncorrect));
    stranger.hang_up().await.unwrap();

    // Who hangs up before keeping it has changed nothing.
    let mut owner = call(&house, "record-closed").await;
    press(&mut owner, &format!("1000#{pin}#")).await;
    owner.until_beep_is_over().await.unwrap();
    owner.speak(&words(2)).await.unwrap();
    owner.hang_up().await.unwrap();
    assert!(!house.run(&["announcement", "list"]).contains("closed"));
    let refused = Phone::new().await.unwrap().call(house.sip, "record-../x").await.unwrap();
    assert_eq!(refused.err().unwrap().status, 404);
}
