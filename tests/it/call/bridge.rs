//! The operator called by the server itself, which stays between the two as long as they speak.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use afterbeep::mailbox::Folder;
use afterbeep::prompts::Prompts;
use afterbeep::say::Phrase;

use super::owner::{OWN, calls, press};
use super::{assert_heard, beeped, decoded, place, share_at, the_message, words};
use crate::house::House;
use crate::phone::{
    Call, Phone,
    callee::Incoming,
    digest, header,
    secret::{KEY, Secret},
};

const BRIDGE: &str = "[deposit]\noperator_by = \"bridge\"\noperator_within = \"5s\"\n\
     [speech]\nmodels = \"/nonexistent\"\n";
const QUIET: Duration = Duration::from_millis(700);

/// A house whose operator is that phone.
fn house(settings: &str, operator: &Phone) -> House {
    let house = House::start(settings);
    let desk = format!("sip:desk@{}", operator.address());
    house.run(&["mailbox", "set", "1000", "--operator", &desk]);
    house
}

/// A caller who has said something and pressed 0, and the operator's phone as it rings.
async fn wanted(settings: &str) -> (House, Vec<u8>, Call, Incoming) {
    let operator = Phone::new().await.unwrap();
    let house = house(settings, &operator);
    let mut caller = beeped(&house).await;
    let said = words(3);
    caller.speak(&said).await.unwrap();
    caller.press('0').await.unwrap();
    let rings = operator.called().await.unwrap();
    rings.tell("180 Ringing").await.unwrap();
    (house, said, caller, rings)
}

/// The two of them once they are connected.
async fn connected(settings: &str) -> (House, Vec<u8>, Call, Call) {
    let (house, said, caller, rings) = wanted(settings).await;
    let operator = rings.pick_up().await.unwrap();
    // That is told to the caller's side as well, and to the store, before anybody can say anything.
    house.messages(1).await;
    (house, said, caller, operator)
}

/// Whatever one says the other hears, every sample of it but for what is said in the moment of the answer.
async fn assert_hears(speaks: &mut Call, listens: &mut Call) {
    let said = words(2);
    let (spoke, heard) = tokio::join!(speaks.speak(&said), listens.listen(QUIET));
    spoke.unwrap();
    let heard = decoded(&heard.unwrap());
    assert!(place(&decoded(&said)[4_000..], &heard).is_some(), "not all that was said was heard");
}

#[tokio::test]
async fn caller_and_operator_hear_each_other_and_what_was_said_before_is_kept() {
    super::steadily(async || {
        let (house, said, mut caller, rings) = wanted(BRIDGE).await;
        assert!(
            header(&rings.invite, "From").unwrap().contains("<sip:5551234@"),
            "{}",
            rings.invite
        );
        // Nothing is offered that would have to be translated.
        assert!(rings.invite.contains(" RTP/AVP 0 101\r\n"), "{}", rings.invite);
        let mut tones = 0;
        let ringing = caller.hear(|frame| {
            tones += usize::from(share_at(425.0, &decoded(frame)) > 0.9);
            tones == 20
        });
        ringing.await.unwrap();
        let mut operator = rings.pick_up().await.unwrap();
        let message = the_message(&house).await;
        assert_hears(&mut caller, &mut operator).await;
        assert_hears(&mut operator, &mut caller).await;
        let (left, told) = tokio::join!(caller.hang_up(), operator.until_hung_up());
        left.unwrap();
        told.unwrap();
        assert_heard(&house.sound(message.id), &said);
        assert_eq!(house.messages(1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn when_the_operator_hangs_up_the_callers_call_ends_as_well() {
    let (_house, _, caller, operator) = connected(BRIDGE).await;
    let (left, told) = tokio::join!(operator.hang_up(), caller.until_hung_up());
    left.unwrap();
    told.unwrap();
}

#[tokio::test]
async fn who_finds_the_operator_busy_is_told_and_can_leave_a_message() {
    let operator = Phone::new().await.unwrap();
    let house = house(BRIDGE, &operator);
    let mut caller = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    caller.press('0').await.unwrap();
    operator.called().await.unwrap().refuse("486 Busy Here").await.unwrap();
    let heard = decoded(&caller.listen_to_beep().await.unwrap().concat());
    assert!(says(&heard, Phrase::NotDone), "nothing said that it did not work");
    let said = words(2);
    caller.speak(&said).await.unwrap();
    caller.hang_up().await.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn a_phone_that_nobody_picks_up_is_given_up_in_time_and_the_take_is_kept() {
    for too_late in [false, true] {
        let (house, said, caller, rings) = wanted(BRIDGE).await;
        match too_late {
            false => rings.until_given_up().await.unwrap(),
            true => rings.picked_up_too_late().await.unwrap(),
        }
        caller.until_hung_up().await.unwrap();
        assert_heard(&house.sound(the_message(&house).await.id), &said);
    }
}

#[tokio::test]
async fn the_operators_phone_stops_ringing_when_the_caller_hangs_up() {
    let (house, said, caller, rings) = wanted(BRIDGE).await;
    let (left, given_up) = tokio::join!(caller.hang_up(), rings.until_given_up());
    left.unwrap();
    given_up.unwrap();
    assert_heard(&house.sound(the_message(&house).await.id), &said);
}

#[tokio::test]
async fn either_may_hold_the_other_and_move_but_not_speak_what_the_other_does_not() {
    let (_house, _, mut caller, mut operator) = connected(BRIDGE).await;
    operator.renegotiate("sendonly").await.unwrap();
    operator.renegotiate("sendrecv").await.unwrap();
    assert_hears(&mut caller, &mut operator).await;
    operator.move_sound().await.unwrap();
    caller.move_sound().await.unwrap();
    assert_hears(&mut operator, &mut caller).await;
    for side in [&mut caller, &mut operator] {
        let refused = side.change_codec(8).await.unwrap_err();
        assert!(refused.to_string().contains("488"), "{refused}");
    }
    assert_hears(&mut caller, &mut operator).await;
    caller.hang_up().await.unwrap();
}

#[tokio::test]
async fn keys_reach_the_other_one_as_events_or_by_info_and_mean_nothing_to_us() {
    let (_house, _, mut caller, mut operator) = connected(BRIDGE).await;
    caller.press('0').await.unwrap();
    operator.hear(|it| it.len() == 4 && it[0] == 0).await.unwrap();
    caller.inform('5').await.unwrap();
    operator.hear(|it| it.len() == 4 && it[0] == 5).await.unwrap();
    operator.press('#').await.unwrap();
    caller.hear(|it| it.len() == 4 && it[0] == 11).await.unwrap();
    assert_hears(&mut operator, &mut caller).await;
    caller.hang_up().await.unwrap();
}

#[tokio::test]
async fn calls_in_wideband_are_passed_on_untouched() {
    for payload_type in [9, 111] {
        let operator = Phone::at("127.0.0.1", payload_type).await.unwrap();
        let house = house(BRIDGE, &operator);
        let phone = Phone::at("127.0.0.1", payload_type).await.unwrap();
        let mut caller = phone.call(house.sip, "1000").await.unwrap().unwrap();
        caller.press('0').await.unwrap();
        let mut operator = operator.called().await.unwrap().pick_up().await.unwrap();
        let packets: Vec<Vec<u8>> =
            (0..100_u8).map(|n| vec![0x40 + n / 8, n, 1, 2, 3, n]).collect();
        let all: Vec<_> = packets.iter().cloned().map(Some).collect();
        let (spoke, heard) = tokio::join!(caller.say(&all), operator.listen_by_packet(QUIET));
        spoke.unwrap();
        let heard = heard.unwrap();
        // What is said in the moment of the answer may be lost.
        let packets = &packets[25..];
        let whole = heard.windows(packets.len()).any(|it| it == packets);
        assert!(whole || crate::phone::stood_still(), "{} packets came", heard.len());
        operator.hang_up().await.unwrap();
    }
}

#[tokio::test]
async fn either_side_of_an_encrypted_call_has_a_key_of_its_own() {
    let secret = async || {
        let key: [u8; KEY] = rand::random();
        let mut phone = Phone::new().await.unwrap();
        phone.secret = Some(Secret::new(&key, &key));
        phone
    };
    let operator = secret().await;
    let settings = format!("[rtp]\nsrtp = \"required\"\nsrtp_without_tls = true\n{BRIDGE}");
    let house = house(&settings, &operator);
    let mut caller = secret().await.call(house.sip, "1000").await.unwrap().unwrap();
    caller.press('0').await.unwrap();
    let rings = operator.called().await.unwrap();
    assert!(rings.invite.contains("RTP/SAVP"), "{}", rings.invite);
    let mut operator = rings.pick_up().await.unwrap();
    assert_hears(&mut caller, &mut operator).await;
    assert_hears(&mut operator, &mut caller).await;
    caller.hang_up().await.unwrap();
}

#[tokio::test]
async fn numbers_are_called_at_the_phone_system_that_is_set_with_its_password() {
    let us = digest::Account { user: "vm", password: "secret", algorithm: "MD5" };
    let system = Phone::new().await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), us.password).unwrap();
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).unwrap();
    let address = system.address();
    let outbound = format!(
        "[sip.outbound]\nserver = \"sip:{address}\"\nuser = \"vm\"\npassword_file = {:?}\n",
        file.path()
    );
    let house = House::start(&format!("{BRIDGE}{outbound}"));
    house.run(&["mailbox", "set", "1000", "--operator", "100"]);
    let mut caller = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    caller.press('0').await.unwrap();
    let first = system.called().await.unwrap();
    assert!(first.invite.starts_with(&format!("INVITE sip:100@{address} SIP/2.0")));
    let asks = "407 Proxy Authentication Required\r\nProxy-Authenticate: Digest realm=\"pbx\", \
                qop=\"auth\", algorithm=MD5, nonce=\"abc\"";
    let second = first.again(asks).await.unwrap();
    let line = header(&second.invite, "Proxy-Authorization").unwrap();
    let value = |name| digest::parameter(line, name).unwrap_or_default();
    let uri = format!("sip:100@{address}");
    let proof = us.proof_with(("pbx", "abc"), "INVITE", &uri, (1, &value("cnonce")));
    assert_eq!((value("uri"), value("response")), (uri, proof), "{line}");
    // A password that is not accepted is not offered again, and the caller is told.
    second.refuse(&asks.replace("abc", "other")).await.unwrap();
    caller.until_beep_is_over().await.unwrap();
    caller.hang_up().await.unwrap();
}

#[tokio::test]
async fn an_owner_calls_back_so_often_a_day_and_goes_on_with_the_messages_after_it() {
    let who = Phone::new().await.unwrap();
    let address = who.address();
    let house = House::start(&format!(
        "[sip]\nidentity_from = [\"127.0.0.0/8\"]\n[sip.outbound]\nserver = \"sip:{address}\"\n\
         [retrieval]\ncall_back = [\"555\"]\ncall_backs_a_day = 1\n{BRIDGE}"
    ));
    let mut left = beeped(&house).await;
    left.speak(&words(2)).await.unwrap();
    left.hang_up().await.unwrap();
    house.messages(1).await;

    let mut owner = calls(&house, OWN).await;
    owner.listen(QUIET).await.unwrap();
    press(&mut owner, "1").await;
    owner.listen(QUIET).await.unwrap();
    press(&mut owner, "32").await;
    let rings = who.called().await.unwrap();
    assert!(rings.invite.starts_with(&format!("INVITE sip:5551234@{address} ")));
    let mut theirs = rings.pick_up().await.unwrap();
    assert_hears(&mut owner, &mut theirs).await;
    theirs.hang_up().await.unwrap();
    owner.listen(QUIET).await.unwrap();
    press(&mut owner, "32").await;
    let told = decoded(&owner.listen(QUIET).await.unwrap());
    assert!(says(&told, Phrase::NoCallBack), "nothing said that this is too often");
    press(&mut owner, "7").await;
    owner.listen(QUIET).await.unwrap();
    owner.hang_up().await.unwrap();
    assert_eq!(house.messages(1).await[0].folder, Folder::Deleted);
}

/// Whether the middle of a sentence's last clip is in what was heard.
fn says(heard: &[i16], phrase: Phrase) -> bool {
    let clips = Prompts::load(None).unwrap().clips("en", &phrase);
    let last = clips.last().unwrap().encoded(afterbeep::audio::Codec::Pcmu);
    place(&decoded(&last[last.len() / 3..][..800]), heard).is_some()
}
