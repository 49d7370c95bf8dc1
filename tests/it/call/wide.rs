//! Calls in G.722 and Opus: kept at 16 kHz, and nothing of them is lost or stretched.

use std::time::Duration;

use afterbeep::audio::{Clip, Codec, g722, opus_packet, resample::resample, wav};

use super::{DEAF, assert_quiet, decoded, place, steadily, the_message, words};
use crate::audio::wide::{likeness, likeness_within, reading};
use crate::house::House;
use crate::phone::{Call, Phone, wide::Ear};

const QUIET: Duration = Duration::from_millis(400);
pub(crate) const G722: u8 = 9;
pub(crate) const OPUS: u8 = 111;
pub(crate) const WIDE: u32 = 16_000;

/// The packets of some seconds of speech, each of 20 ms.
fn speech(payload_type: u8, seconds: usize) -> Vec<Vec<u8>> {
    packets(payload_type, &reading()[16_000..][..seconds * WIDE as usize])
}

/// The packets of a sound at 16 kHz, each of 20 ms.
pub(crate) fn packets(payload_type: u8, samples: &[i16]) -> Vec<Vec<u8>> {
    match payload_type {
        OPUS => {
            let clip = Clip::at("speech", samples.to_vec(), WIDE);
            clip.prepare(Codec::Opus);
            let encoded = clip.ready(Codec::Opus).unwrap();
            (0..).map_while(|it| encoded.packet(it).map(<[u8]>::to_vec)).collect()
        }
        _ => {
            let bytes = g722::Encoder::default().encode(samples);
            bytes.chunks(160).map(<[u8]>::to_vec).collect()
        }
    }
}

pub(crate) fn all(packets: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
    packets.iter().cloned().map(Some).collect()
}

/// What a phone sends while it says nothing.
fn silence(payload_type: u8) -> Vec<u8> {
    if payload_type == OPUS { opus_packet::SILENCE.to_vec() } else { vec![g722::SILENCE; 160] }
}

async fn beeped(house: &House, payload_type: u8) -> Call {
    let phone = Phone::at("127.0.0.1", payload_type).await.unwrap();
    let mut call = phone.call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call
}

/// What is kept is the silence behind the beep and then exactly what a decoder makes of what was
/// said; `None` is a packet that did not come. Then comes silence until the hang-up is heard.
#[track_caller]
pub(crate) fn assert_kept(stored: &[i16], payload_type: u8, said: &[Option<Vec<u8>>]) {
    let end = end_of_sound(stored);
    assert_quiet(&stored[end..], WIDE as usize);
    let stored = &stored[..end];
    let lead = stored.len().checked_sub(said.len() * 320).expect("less is stored than was said");
    assert!(lead <= 2 * WIDE as usize && lead.is_multiple_of(320), "{lead} samples too many");
    let silence = silence(payload_type);
    let before = vec![Some(silence); lead / 320];
    let mut ear = Ear::new(payload_type);
    let heard: Vec<i16> =
        before.iter().chain(said).flat_map(|it| ear.hear(it.as_deref())).collect();
    let wrong = stored.iter().zip(&heard).position(|(stored, heard)| stored != heard);
    assert_eq!((stored.len(), wrong), (heard.len(), None), "length, first difference");
}

/// Where the last packet ends that was not silent.
pub(crate) fn end_of_sound(stored: &[i16]) -> usize {
    let sounding = stored.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
    sounding.next_multiple_of(320).min(stored.len())
}

async fn a_call_is_kept_as_it_was_spoken(payload_type: u8) {
    steadily(async || {
        let house = House::start(DEAF);
        let mut call = beeped(&house, payload_type).await;
        let said = speech(payload_type, 4);
        call.say(&all(&said)).await.unwrap();
        call.hang_up().await.unwrap();
        let message = the_message(&house).await;
        let stored = house.sound_at(message.id, WIDE);
        assert_kept(&stored, payload_type, &all(&said));
        let seconds = message.envelope.length.as_secs_f64();
        assert!((seconds - stored.len() as f64 / 16_000.0).abs() < 0.001, "{seconds} s");
        // And that is what somebody said, not only what a decoder made of it. The encoder was fresh and
        // the decoder was not: they agree after a while.
        let lead = end_of_sound(&stored) - said.len() * 320;
        let (_, snr) = likeness(&reading()[32_000..][..2 * 16_000], &stored[lead + 16_000..]);
        let least = if payload_type == OPUS { 3.0 } else { 15.0 };
        assert!(snr > least, "{snr:.1} dB");
    })
    .await;
}

#[tokio::test]
async fn a_call_in_g722_is_kept_as_it_was_spoken() {
    a_call_is_kept_as_it_was_spoken(G722).await;
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn a_call_in_opus_is_kept_as_it_was_spoken() {
    a_call_is_kept_as_it_was_spoken(OPUS).await;
}

async fn losses_cost_what_was_lost_and_disorder_nothing(payload_type: u8) {
    steadily(async || {
        let house =
            House::start("[rtp]\nreorder = \"500ms\"\n[speech]\nmodels = \"/nonexistent\"\n");
        let mut call = beeped(&house, payload_type).await;
        let packets = speech(payload_type, 4);
        let (first, second) = packets.split_at(packets.len() / 4 * 2);
        let mut lossy = all(first);
        for at in [11, 30, 31, 32, 60] {
            lossy[at] = None;
        }
        call.say(&lossy).await.unwrap();
        call.say_in_disorder(second).await.unwrap();
        call.hang_up().await.unwrap();
        let stored = house.sound_at(the_message(&house).await.id, WIDE);
        assert_kept(&stored, payload_type, &[lossy, all(second)].concat());
    })
    .await;
}

#[tokio::test]
async fn lost_and_disordered_packets_of_g722_move_nothing() {
    losses_cost_what_was_lost_and_disorder_nothing(G722).await;
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn lost_and_disordered_packets_of_opus_move_nothing() {
    losses_cost_what_was_lost_and_disorder_nothing(OPUS).await;
}

#[tokio::test]
async fn on_hold_nothing_is_added_to_a_recording_in_g722() {
    steadily(async || {
        let house = House::start(DEAF);
        let mut call = beeped(&house, G722).await;
        let said = speech(G722, 4);
        let (before, after) = said.split_at(100);
        call.say(&all(before)).await.unwrap();
        call.renegotiate("inactive").await.unwrap();
        call.wait(Duration::from_secs(2)).await;
        call.renegotiate("sendrecv").await.unwrap();
        call.say(&all(after)).await.unwrap();
        call.hang_up().await.unwrap();
        let stored = house.sound_at(the_message(&house).await.id, WIDE);
        let mut ear = Ear::new(G722);
        let mut heard = |packets: &[Vec<u8>]| -> Vec<i16> {
            packets.iter().flat_map(|it| ear.hear(Some(it))).collect()
        };
        let (first, second) = (heard(before), heard(after));
        // Decoders that began in another state agree after a while.
        let (first, second) = (&first[16_000..], &second[16_000..]);
        let begin = place(first, &stored).expect("what was said before the hold");
        let end = place(second, &stored).expect("what was said after it") - 16_000;
        let held = end - begin - first.len();
        assert!(held < 8_000, "{held} samples of the hold are in the message");
    })
    .await;
}

/// Their phone system has them elsewhere meanwhile, at a phone that speaks something else.
#[tokio::test]
async fn who_comes_back_from_a_hold_may_do_so_at_another_phone_in_another_codec() {
    steadily(async || {
        let house = House::start(&format!("[deposit]\nsilence = \"1s\"\n{DEAF}"));
        let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        let narrow = words(2);
        call.speak(&narrow).await.unwrap();
        call.renegotiate("inactive").await.unwrap();
        call.wait(Duration::from_secs(2)).await;
        call.hand_over("127.0.0.2").await.unwrap();
        call.change_codec(G722).await.unwrap();
        let wide = speech(G722, 2);
        call.say(&all(&wide)).await.unwrap();
        call.hang_up().await.unwrap();

        let stored = house.sound_at(the_message(&house).await.id, WIDE);
        let after = heard(G722, &wide);
        let second = place(&after, &stored).expect("what was said after the hold");
        let before = resample(&decoded(&narrow), 8_000, WIDE);
        let some = &before[4_000..8_000];
        let (lag, snr) = likeness_within(24_000, some, &stored);
        assert!(snr > 30.0, "what was said before the hold is there at {snr:.1} dB");
        let end = lag - 4_000 + before.len();
        // Resampling may move an edge by a sample.
        let between = (second + 1).checked_sub(end).expect("something was cut off");
        assert!(between < WIDE as usize, "{between} samples of the hold are in the message");
    })
    .await;
}

/// What a codec makes of speech from its first packet on.
fn heard(payload_type: u8, packets: &[Vec<u8>]) -> Vec<i16> {
    let mut ear = Ear::new(payload_type);
    packets.iter().flat_map(|it| ear.hear(Some(it))).collect()
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn a_recording_goes_on_whole_whatever_codec_its_caller_changes_to() {
    steadily(async || {
        let house = House::start(DEAF);
        let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        let narrow = words(2);
        let (opus, g722) = (speech(OPUS, 2), speech(G722, 2));
        call.speak(&narrow).await.unwrap();
        call.change_codec(OPUS).await.unwrap();
        call.say(&all(&opus)).await.unwrap();
        call.change_codec(G722).await.unwrap();
        call.say(&all(&g722)).await.unwrap();
        call.change_codec(0).await.unwrap();
        call.speak(&narrow).await.unwrap();
        call.hang_up().await.unwrap();

        let stored = house.sound_at(the_message(&house).await.id, WIDE);
        let middle = [heard(OPUS, &opus), heard(G722, &g722)];
        let first = place(&middle[0], &stored).expect("what was said in Opus");
        let second = place(&middle[1], &stored).expect("what was said in G.722");
        let said = resample(&decoded(&narrow), 8_000, WIDE);
        // Where somewhere behind `from` it begins.
        let begins = |from: usize, when: &str| {
            let some = &said[4_000..8_000];
            let (lag, snr) = likeness_within(24_000, some, &stored[from..]);
            assert!(snr > 30.0, "what was said in PCMU {when} is there at {snr:.1} dB");
            from + lag - 4_000
        };
        let before = begins(0, "before");
        let after = begins(second + middle[1].len(), "after");
        // All of it, one after the other, and between two codecs not longer than a change takes.
        let ends = [before + said.len(), first + middle[0].len(), second + middle[1].len()];
        for (end, next) in ends.into_iter().zip([first, second, after]) {
            // Resampling may move an edge by a sample.
            let between = (next + 1).checked_sub(end).expect("something was cut off");
            assert!(between < 2 * WIDE as usize, "{between} samples between two codecs");
        }
        let rest = stored.len().saturating_sub(after + said.len());
        assert!(rest < 2 * WIDE as usize, "something follows the end");
    })
    .await;
}

async fn what_was_said_before_a_kill_is_filed(payload_type: u8) {
    let mut house = House::start(DEAF);
    let mut call = beeped(&house, payload_type).await;
    let said = speech(payload_type, 4);
    call.say(&all(&said)).await.unwrap();
    house.kill();
    house.restart();
    let message = the_message(&house).await;
    assert!(message.envelope.interrupted);
    let stored = house.sound_at(message.id, WIDE);
    let heard = heard(payload_type, &said);
    // The first packets follow silence of which nobody knows how much there was.
    let first = place(&heard[8_000..16_000], &stored).expect("what was said is not there") - 8_000;
    let kept = stored.len() - first;
    assert!(kept >= heard.len() - 24_000, "only {kept} samples of {} are kept", heard.len());
    assert_eq!(stored[first + 8_000..], heard[8_000..kept]);
}

#[tokio::test]
async fn a_call_in_g722_that_is_cut_by_a_kill_is_filed() {
    what_was_said_before_a_kill_is_filed(G722).await;
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn a_call_in_opus_that_is_cut_by_a_kill_is_filed() {
    what_was_said_before_a_kill_is_filed(OPUS).await;
}

/// The greeting is higher than any telephone of old could tell.
async fn callers_hear_in_wideband(payload_type: u8) {
    let house = House::start("[deposit]\nreview = true\n[speech]\nmodels = \"/nonexistent\"\n");
    let tone: Vec<i16> = (0..32_000)
        .map(|n| ((f64::from(n) * std::f64::consts::TAU * 5.0 / 16.0).sin() * 8_000.0) as i16)
        .collect();
    let file = house.dir.path().join("greeting.wav");
    std::fs::write(&file, wav::to_wav(&tone, WIDE)).unwrap();
    house.run(&["greeting", "set", "--mailbox", "1000", "--file", file.to_str().unwrap()]);

    let phone = Phone::at("127.0.0.1", payload_type).await.unwrap();
    let mut call = phone.call(house.sip, "1000").await.unwrap().unwrap();
    let greeting = heard(payload_type, &call.listen_to_beep().await.unwrap());
    assert!(share_at(5_000.0, &greeting[6_400..16_000]) > 0.9, "that is not the owner's greeting");
    let beep = &greeting[greeting.len() - 5_120..greeting.len() - 1_920];
    assert!(share_at(1_000.0, beep) > 0.95, "no beep at the end");

    let said = speech(payload_type, 3);
    call.say(&all(&said)).await.unwrap();
    call.press('#').await.unwrap();
    call.listen(QUIET).await.unwrap();
    call.press('2').await.unwrap();
    let again = heard(payload_type, &call.listen_by_packet(QUIET).await.unwrap());
    let said = &heard(payload_type, &said)[8_000..11_000];
    let (_, snr) = likeness_within(again.len() - said.len(), said, &again);
    assert!(snr > 3.0, "what was said is played at {snr:.1} dB");
    call.press('1').await.unwrap();
    call.until_hung_up().await.unwrap();
    the_message(&house).await;
}

#[tokio::test]
async fn callers_in_g722_hear_in_wideband_and_what_they_said() {
    callers_hear_in_wideband(G722).await;
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn callers_in_opus_hear_in_wideband_and_what_they_said() {
    callers_hear_in_wideband(OPUS).await;
}

#[tokio::test]
async fn a_long_silence_in_g722_ends_the_message() {
    let house = House::start("[deposit]\nsilence = \"2s\"\n[speech]\nmodels = \"/nonexistent\"\n");
    let mut call = beeped(&house, G722).await;
    let quiet = vec![silence(G722); 150];
    call.say(&all(&[speech(G722, 3), quiet].concat())).await.unwrap();
    call.until_hung_up().await.unwrap();
    let length = the_message(&house).await.envelope.length.as_secs_f64();
    assert!((2.5..4.1).contains(&length), "{length} s");
}

#[tokio::test]
async fn what_the_settings_do_not_name_is_not_spoken() {
    let house = House::start("[rtp]\ncodecs = [\"pcma\"]\n[speech]\nmodels = \"/nonexistent\"\n");
    for payload_type in [0, G722, OPUS] {
        let phone = Phone::at("127.0.0.1", payload_type).await.unwrap();
        let refused = phone.call(house.sip, "1000").await.unwrap().err().unwrap();
        assert_eq!(refused.status, 488);
    }
    let phone = Phone::at("127.0.0.1", 8).await.unwrap();
    phone.call(house.sip, "1000").await.unwrap().unwrap().hang_up().await.unwrap();
}

/// How much of a sound's energy lies at one frequency.
pub(crate) fn share_at(hz: f64, samples: &[i16]) -> f64 {
    let step = std::f64::consts::TAU * hz / 16_000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (value, angle) = (f64::from(sample), step * n as f64);
        re += value * angle.cos();
        im += value * angle.sin();
        all += value * value;
    }
    2.0 * (re * re + im * im) / (all * samples.len() as f64)
}
