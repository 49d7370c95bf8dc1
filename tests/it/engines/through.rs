//! Calls of every kind that reach a mailbox through Kamailio, to the message and every sample in it.

use afterbeep::mailbox::Reason;

use super::kamailio::{self, Untaken};
use super::proxy::Kamailio;
use crate::audio::wide::reading;
use crate::call::signalling;
use crate::call::wide::{G722, OPUS, WIDE, all, assert_kept, end_of_sound, packets, share_at};
use crate::call::{assert_heard, steadily, words};
use crate::house::House;
use crate::phone::digest::Account;
use crate::phone::richer::Manner;
use crate::phone::{Call, Phone};

const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

/// Higher than any telephone of old could tell.
const HIGH: f64 = 5_000.0;

#[tokio::test]
async fn calls_in_wideband_are_kept_in_frequency_and_length() {
    steadily(async || {
        let house = House::start(DEAF);
        let kamailio = Kamailio::start(house.sip).await;
        let sound = sound();
        let spoken = if cfg!(feature = "opus") { &[G722, OPUS][..] } else { &[G722] };
        for (before, &payload_type) in spoken.iter().enumerate() {
            let phone = Phone::at("127.0.0.1", payload_type).await.unwrap();
            let call = phone.call(kamailio.address, "1000").await.unwrap().unwrap();
            leave_in_wideband(&house, call, payload_type, &sound, before + 1).await;
        }
    })
    .await;
}

#[tokio::test]
async fn callers_who_leave_the_offer_to_us_are_kept_as_they_spoke() {
    steadily(async || {
        let house = House::start(DEAF);
        let kamailio = Kamailio::start(house.sip).await;
        let call = async |payload_type| {
            let phone = Phone::at("127.0.0.1", payload_type).await.unwrap();
            let manner = Manner { delayed: true, ..Manner::default() };
            phone.call_as(kamailio.address, "1000", manner).await.unwrap().unwrap()
        };
        leave(&house, call(0).await, 1).await;
        leave_in_wideband(&house, call(G722).await, G722, &sound(), 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_password_is_asked_for_and_answered_through_kamailio() {
    steadily(async || {
        let (house, _folder) = signalling::house(|file| {
            format!(
                "allow = [\"127.0.0.9\"]\n\
             [[sip.accounts]]\nuser = \"ann\"\npassword_file = \"{file}\"\n"
            )
        });
        let kamailio = Kamailio::start(house.sip).await;
        let _busy = Untaken::register(&kamailio, kamailio::Manner::Busy).await;
        let call = async |algorithm, password| {
            let account = Some(Account { user: "ann", password, algorithm });
            let phone = Phone::new().await.unwrap();
            let manner = Manner { account, ..Manner::default() };
            phone.call_as(kamailio.address, "1000", manner).await.unwrap()
        };
        let refused = call("SHA-256", "guess").await.err().expect("that is not the password");
        assert_eq!(refused.status, 401, "{}", kamailio.said());
        assert!(house.messages(0).await.is_empty());
        for (before, algorithm) in ["SHA-256", "MD5"].into_iter().enumerate() {
            leave(&house, call(algorithm, "secret").await.unwrap(), before + 1).await;
            assert_eq!(house.messages(before + 1).await[0].envelope.reason, Reason::Busy);
        }
        house.page("/metrics", "afterbeep_sip_refused_total{reason=\"password\"} 1").await;
    })
    .await;
}

/// Leaves the message that makes them `count`, and finds every sample in it.
async fn leave(house: &House, mut call: Call, count: usize) {
    call.skip_to_beep().await.unwrap();
    let said = words(2);
    call.speak(&said).await.unwrap();
    call.hang_up().await.unwrap();
    assert_heard(&house.sound(house.messages(count).await[0].id), &said);
}

/// The same in wideband: the packets are kept to the sample, and what they sound like is there.
async fn leave_in_wideband(
    house: &House,
    mut call: Call,
    payload_type: u8,
    sound: &[i16],
    count: usize,
) {
    call.skip_to_beep().await.unwrap();
    let said = all(&packets(payload_type, sound));
    call.say(&said).await.unwrap();
    call.hang_up().await.unwrap();
    let message = house.messages(count).await.remove(0);
    let stored = house.sound_at(message.id, WIDE);
    assert_kept(&stored, payload_type, &said);
    let seconds = stored.len() as f64 / f64::from(WIDE);
    assert!((message.envelope.length.as_secs_f64() - seconds).abs() < 0.001, "{seconds} s");
    let end = end_of_sound(&stored);
    let tone = &stored[end - TONE + 3_200..end - 3_200];
    assert!(share_at(HIGH, tone) > 0.9, "the tone is not {HIGH} Hz");
}

/// Samples of the tone at the end of what is said.
const TONE: usize = 16_000;

/// Somebody speaks for two seconds, then comes a tone.
fn sound() -> Vec<i16> {
    let turn = std::f64::consts::TAU * HIGH / f64::from(WIDE);
    let tone = (0..TONE).map(|n| ((n as f64 * turn).sin() * 8_000.0) as i16);
    reading()[16_000..48_000].iter().copied().chain(tone).collect()
}
