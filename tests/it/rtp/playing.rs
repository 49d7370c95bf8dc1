//! What is played, and keys, both ways.

use super::*;

#[tokio::test]
async fn a_played_clip_arrives_byte_for_byte_and_in_time() {
    a_clip_arrives(Codec::Pcmu, 0, 20).await;
}

#[tokio::test]
async fn a_clip_is_played_in_a_law_as_well() {
    a_clip_arrives(Codec::Pcma, 8, 20).await;
}

#[tokio::test]
async fn packets_are_as_long_as_the_other_side_wants_them() {
    for ptime_ms in [10, 30, 40, 60] {
        a_clip_arrives(Codec::Pcmu, 0, ptime_ms).await;
    }
}

#[tokio::test]
async fn after_a_pause_the_timestamp_has_gone_on_and_the_count_has_not() {
    let plane = plane();
    let (mut leg, phone) = call(&plane).await;
    leg.play(vec![clip(160)], 1);
    let first = phone.get().await.header;
    assert_eq!(next(&mut leg).await, Heard::Played(1));
    leg.play(vec![clip(160)], 2);
    let second = phone.get().await.header;
    assert!(second.marker);
    assert_eq!(second.sequence, first.sequence.wrapping_add(1));
    let passed = second.timestamp.wrapping_sub(first.timestamp);
    assert!(passed > 160 && passed % 160 == 0, "{passed}");
}

#[tokio::test]
async fn a_new_list_replaces_what_is_playing_and_its_mark() {
    let plane = plane();
    let (mut leg, phone) = call(&plane).await;
    leg.play(vec![clip(80_000)], 1);
    phone.get_many(3).await;
    leg.play(vec![clip(320)], 2);
    assert_eq!(next(&mut leg).await, Heard::Played(2));
    leg.play(vec![clip(80_000)], 3);
    phone.get_many(3).await;
    leg.hush();
    settled(&mut leg).await;
    leg.play(vec![clip(320)], 4);
    assert_eq!(next(&mut leg).await, Heard::Played(4));
}

#[tokio::test]
async fn each_key_is_heard_once_however_often_it_is_sent() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    for key in "1590*#AD".chars() {
        let mut press = Press::new(key, 80).unwrap();
        phone.header.timestamp = phone.header.timestamp.wrapping_add(1_600);
        while let Some(event) = press.next(160) {
            for _ in 0..2 {
                let header = Header { payload_type: EVENTS, ..phone.header };
                phone.send(header, &event).await;
            }
            phone.header.sequence = phone.header.sequence.wrapping_add(1);
        }
        assert_eq!(next(&mut leg).await, Heard::Digit(key));
    }
    settled(&mut leg).await;
}

#[tokio::test]
async fn a_leg_presses_keys_for_another() {
    let plane = plane();
    let here = HERE.parse().unwrap();
    let (mut one, other) = (plane.open(here).unwrap(), plane.open(here).unwrap());
    let phone = Phone::calling(&one).await;
    one.connect(Stream { remote: other.local(), ..phone.stream() }).unwrap();
    other.connect(Stream { remote: one.local(), ..phone.stream() }).unwrap();
    "4711#".chars().for_each(|key| other.send_digit(key, 60));
    for key in "4711#".chars() {
        assert_eq!(next(&mut one).await, Heard::Digit(key));
    }
}
