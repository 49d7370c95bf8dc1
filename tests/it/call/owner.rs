//! Owners who call to hear their messages.

use std::time::Duration;

use afterbeep::audio::Codec;
use afterbeep::mailbox::{Folder, Guesses};
use afterbeep::prompts::Prompts;
use afterbeep::say::{Choice, Phrase};
use afterbeep::speech::{Recogniser, Settings};
use afterbeep::store::{mailboxes, pins};
use mail_parser::MessageParser;

use super::{DEAF, assert_heard, decoded, place, signalling, the_message, words};
use crate::house::{House, PATIENCE, models};
use crate::mail::sink::{Mode, Sink};
use crate::phone::{Call, Phone, digest::Account, richer::Manner};

const QUIET: Duration = Duration::from_millis(600);
/// A server that believes its peer.
pub(super) const BELIEVING: &str =
    "[sip]\nidentity_from = [\"127.0.0.0/8\"]\n[speech]\nmodels = \"/nonexistent\"\n";
/// What a peer that knows whose phone it is says of 1000's.
pub(super) const OWN: &str = "P-Asserted-Identity: <sip:1000@pbx.example>\r\n";

#[tokio::test]
async fn an_owner_hears_their_message_from_any_phone_and_deletes_it() {
    let house = House::start(&format!("{DEAF}[retrieval]\nfirst_use = false\n"));
    let said = leave(&house, 3).await;
    let pin = new_pin(&house);

    let mut call = calls(&house, "").await;
    press(&mut call, "1000#").await;
    press(&mut call, &format!("{pin}#")).await;
    let counts = call.listen(QUIET).await.unwrap();
    assert!(counts.len() > 16_000, "no counts and no menu: {} samples", counts.len());

    press(&mut call, "1").await;
    let heard = decoded(&call.listen(QUIET).await.unwrap());
    let at = place(&decoded(&said), &heard).expect("the message was not heard");
    // By then somebody who hangs up has heard it.
    assert_eq!(folder(&house, 1).await, Folder::Saved);

    press(&mut call, "7").await;
    call.listen(QUIET).await.unwrap();
    assert_eq!(folder(&house, 1).await, Folder::Deleted);
    call.hang_up().await.unwrap();

    let written = written(&heard[..at]).await;
    for word in ["first", "new", "message", "received", "phone", "number"] {
        assert!(written.contains(word), "{word:?} was not heard: {written}");
    }
    // It may have been midnight in between.
    assert!(["today", "yesterday"].iter().any(|it| written.contains(it)), "{written}");
}

#[tokio::test]
async fn an_owner_who_hangs_up_within_a_message_still_has_it_as_new() {
    let house = House::start(BELIEVING);
    let said = leave(&house, 5).await;
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let known = decoded(&said)[4_000..4_800].to_vec();
    let mut heard = Vec::new();
    call.hear(|frame| {
        heard.extend(decoded(frame));
        place(&known, &heard[heard.len().saturating_sub(1_600)..]).is_some()
    })
    .await
    .unwrap();
    call.hang_up().await.unwrap();
    assert_eq!(folder(&house, 1).await, Folder::New);
}

#[tokio::test]
async fn a_message_is_heard_again_from_where_it_was_left() {
    let house = House::start(BELIEVING);
    let said = decoded(&leave(&house, 5).await);
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let mut heard = Vec::new();
    call.hear(|frame| {
        heard.extend(decoded(frame));
        place(&said[24_000..24_400], &heard[heard.len().saturating_sub(1_600)..]).is_some()
    })
    .await
    .unwrap();
    // It stands still for as long as its owner wants, and goes on within a few frames of there.
    press(&mut call, "0").await;
    call.wait(Duration::from_millis(700)).await;
    press(&mut call, "0").await;
    let rest = decoded(&call.listen(QUIET).await.unwrap());
    let end = said.len() - 4_000;
    let left = place(&said[end..end + 400], &rest).expect("the end was not heard");
    assert!((4_000..13_000).contains(&left), "{left} samples before the last half second");
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn going_forward_past_the_end_is_hearing_it_to_the_end() {
    let house = House::start(BELIEVING);
    let said = decoded(&leave(&house, 3).await);
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let mut heard = Vec::new();
    call.hear(|frame| {
        heard.extend(decoded(frame));
        place(&said[8_000..8_400], &heard[heard.len().saturating_sub(1_600)..]).is_some()
    })
    .await
    .unwrap();
    press(&mut call, "#").await;
    let menu = decoded(&call.listen(QUIET).await.unwrap());
    call.hang_up().await.unwrap();
    assert!(hears(&menu, Phrase::Choice { what: Choice::Repeat, key: '5' }), "no menu followed");
    assert_eq!(folder(&house, 1).await, Folder::Saved);
}

#[tokio::test]
async fn a_message_whose_sound_is_gone_is_told_of_and_stays_new() {
    let house = House::start(BELIEVING);
    leave(&house, 2).await;
    std::fs::remove_dir_all(house.data().join("blobs/messages")).unwrap();
    let mut call = calls(&house, OWN).await;
    call.listen(QUIET).await.unwrap();
    press(&mut call, "1").await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    call.hang_up().await.unwrap();
    assert!(hears(&told, Phrase::NotPlayable), "nothing said that it cannot be played");
    assert!(hears(&told, Phrase::Choice { what: Choice::Repeat, key: '5' }), "no menu followed");
    assert_eq!(folder(&house, 1).await, Folder::New);
}

#[tokio::test]
async fn nobody_is_believed_to_be_the_owner_who_is_not_to_be() {
    // Neither a number in From, nor an identity from a peer that is not named for it.
    let house = House::start(DEAF);
    let mut phone = Phone::new().await.unwrap();
    phone.number = "1000".to_owned();
    let manner = Manner { extra: OWN, ..Manner::default() };
    let mut call = phone.call_as(house.sip, "*97", manner).await.unwrap().unwrap();
    let asked = decoded(&call.listen(QUIET).await.unwrap());
    call.hang_up().await.unwrap();
    assert!(hears(&asked, Phrase::EnterMailbox), "a claim was taken for proof");
}

#[tokio::test]
async fn a_phone_that_logs_in_as_the_mailbox_of_its_tenant_opens_it() {
    for (tenant, opens) in [("default", true), ("other", false)] {
        let (house, _folder) = signalling::house(|file| {
            format!(
                "allow = []\n[[sip.accounts]]\nuser = \"1000\"\npassword_file = \"{file}\"\n\
                 tenant = \"{tenant}\"\n"
            )
        });
        let account = Account { user: "1000", password: "secret", algorithm: "SHA-256" };
        let manner = Manner { account: Some(account), ..Manner::default() };
        let phone = Phone::new().await.unwrap();
        let mut call = phone.call_as(house.sip, "*97", manner).await.unwrap().unwrap();
        let told = decoded(&call.listen(QUIET).await.unwrap());
        call.hang_up().await.unwrap();
        assert_ne!(hears(&told, Phrase::EnterMailbox), opens, "of tenant {tenant}");
    }
}

#[tokio::test]
async fn three_wrong_pins_end_the_call() {
    let house = House::start(DEAF);
    new_pin(&house);
    let mut call = calls(&house, "").await;
    for _ in 0..3 {
        press(&mut call, "1000#").await;
        press(&mut call, "271828#").await;
        let told = decoded(&call.listen(QUIET).await.unwrap());
        assert!(hears(&told, Phrase::LoginIncorrect));
    }
    call.until_hung_up().await.unwrap();
}

#[tokio::test]
async fn a_locked_mailbox_opens_to_no_pin_but_to_its_own_phone() {
    let house = House::start(BELIEVING);
    let pin = new_pin(&house);
    let db = house.db().await;
    let mailbox = mailboxes::reached(&db, "localhost", "1000").await.unwrap().unwrap();
    let now = afterbeep::clock::Clock::Real.now();
    for _ in 0..10 {
        pins::tried(&db, pins::Subject::Mailbox(&mailbox.id), now).await.unwrap();
    }
    db.close().await;

    let mut call = calls(&house, "").await;
    press(&mut call, "1000#").await;
    press(&mut call, &format!("{pin}#")).await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::LoginIncorrect), "a locked mailbox was opened");
    call.hang_up().await.unwrap();

    let mut call = calls(&house, OWN).await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    assert!(hears(&told, Phrase::Counts { new: 0, urgent: 0, saved: 0 }));
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn the_right_pin_at_the_last_try_locks_nothing_and_no_mail_says_so() {
    let sink = Sink::start(Mode::Accept).await;
    let house = House::start(&format!(
        "{DEAF}[retrieval]\nfirst_use = false\n\
         [mail.server]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        sink.addr.port()
    ));
    let pin = new_pin(&house);
    let db = house.db().await;
    let mailbox = mailboxes::reached(&db, "localhost", "1000").await.unwrap().unwrap();
    let now = afterbeep::clock::Clock::Real.now();
    for _ in 1..Guesses::MOST {
        pins::tried(&db, pins::Subject::Mailbox(&mailbox.id), now).await.unwrap();
    }

    let mut call = calls(&house, "").await;
    press(&mut call, &format!("1000#{pin}#")).await;
    let told = decoded(&call.listen(QUIET).await.unwrap());
    call.hang_up().await.unwrap();
    assert!(hears(&told, Phrase::Counts { new: 0, urgent: 0, saved: 0 }), "it was refused");
    assert_eq!(pins::locked_until(&db, &mailbox.id, now).await.unwrap(), None);
    db.close().await;

    // A letter about a lock would have come before the one about this message.
    leave(&house, 2).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let letter = MessageParser::default().parse(&letters[0].bytes).unwrap();
    assert!(letter.subject().unwrap().contains("Marie Dupont"), "{:?}", letter.subject());
}

/// A caller says something to 1000; what was said.
pub(super) async fn leave(house: &House, seconds: usize) -> Vec<u8> {
    let mut call = super::beeped(house).await;
    let said = words(seconds);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(house).await.id), &said);
    said
}

pub(super) async fn calls(house: &House, extra: &'static str) -> Call {
    let manner = Manner { extra, ..Manner::default() };
    Phone::new().await.unwrap().call_as(house.sip, "*97", manner).await.unwrap().unwrap()
}

pub(super) async fn press(call: &mut Call, keys: &str) {
    for key in keys.chars() {
        call.press(key).await.unwrap();
        call.wait(Duration::from_millis(60)).await;
    }
}

pub(super) fn new_pin(house: &House) -> String {
    let told = house.run(&["mailbox", "pin", "1000"]);
    let digits = told.split("PIN: ").nth(1).and_then(|it| it.split_whitespace().next());
    digits.expect("a PIN is shown").to_owned()
}

async fn folder(house: &House, count: usize) -> Folder {
    house.messages(count).await[0].folder
}

/// Whether the middle of a sentence's last clip is in what was heard.
pub(super) fn hears(heard: &[i16], phrase: Phrase) -> bool {
    heard_at(heard, phrase).is_some()
}

/// Where that is.
pub(super) fn heard_at(heard: &[i16], phrase: Phrase) -> Option<usize> {
    let clips = Prompts::load(None).unwrap().clips("en", &phrase);
    let last = clips.last().unwrap().encoded(Codec::Pcmu);
    place(&decoded(&last[last.len() / 3..][..800]), heard)
}

/// What a recogniser makes of what was heard.
pub(super) async fn written(heard: &[i16]) -> String {
    let settings =
        Settings { model: "tiny.en".to_owned(), models: models(), ..Settings::default() };
    let program = env!("CARGO_BIN_EXE_afterbeep").into();
    let transcript = Recogniser::new(settings, program).transcribe(heard, 8_000, None).await;
    transcript.unwrap().text().to_lowercase()
}
