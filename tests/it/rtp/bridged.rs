//! Two legs of which each says what the other hears.

use super::*;

/// Two phones whose legs are bridged.
async fn two(plane: &Plane) -> ((Leg, Phone), (Leg, Phone)) {
    let (mut one, here) = call(plane).await;
    let mut other = plane.open_on(one.thread(), HERE.parse().unwrap()).unwrap();
    let there = Phone::calling(&other).await;
    // Theirs have other numbers on this side.
    let stream = Stream { payload_type: 96, payload_type_in: 0, ..there.stream() };
    other.connect(stream).unwrap();
    one.bridge(&other);
    settled(&mut one).await;
    settled(&mut other).await;
    ((one, here), (other, there))
}

#[tokio::test]
async fn what_one_says_the_other_hears_as_it_was_encoded_under_numbers_of_its_own() {
    let plane = plane_with(|it| it.threads = 2);
    let ((_one, mut here), (_other, mut there)) = two(&plane).await;
    let said = voice(1, 1_600);
    here.say_all(&said).await;
    let got = there.get_many(10).await;
    let first = got[0].header;
    assert_ne!(first.ssrc, here.header.ssrc);
    for (n, packet) in got.iter().enumerate() {
        let expected = Header {
            marker: n == 0,
            payload_type: 96,
            sequence: first.sequence.wrapping_add(n as u16),
            timestamp: first.timestamp.wrapping_add(n as u32 * 160),
            ssrc: first.ssrc,
        };
        assert_eq!(packet.header, expected);
    }
    assert_same(&got.iter().flat_map(|it| it.payload.clone()).collect::<Vec<_>>(), &said);
    there.say_all(&said).await;
    let back = here.get_many(10).await;
    assert_same(&back.iter().flat_map(|it| it.payload.clone()).collect::<Vec<_>>(), &said);
    assert_eq!(back[0].header.payload_type, 0);
}

#[tokio::test]
async fn what_is_lost_is_missing_and_what_comes_late_or_twice_is_not_said() {
    let plane = plane();
    let ((_one, here), (_other, there)) = two(&plane).await;
    let packet = |n: u16| Header {
        sequence: here.header.sequence.wrapping_add(n),
        timestamp: here.header.timestamp.wrapping_add(u32::from(n) * 160),
        ..here.header
    };
    for n in [0_u16, 1, 4, 3, 4, 5] {
        here.send(packet(n), &[n as u8; 160]).await;
    }
    let got = there.get_many(4).await;
    let first = got[0].header;
    let seen: Vec<_> = got
        .iter()
        .map(|it| {
            let ahead = it.header.timestamp.wrapping_sub(first.timestamp) / 160;
            (it.payload[0], it.header.sequence.wrapping_sub(first.sequence), ahead)
        })
        .collect();
    assert_eq!(seen, [(0, 0, 0), (1, 1, 1), (4, 4, 4), (5, 5, 5)]);
    // Numbers that begin anew are no loss, and ours go on.
    let anew = Header { ssrc: 0xbeef, sequence: 9, timestamp: 77, ..here.header };
    here.send(anew, &[9; 160]).await;
    let next = there.get().await;
    assert_eq!(next.header.sequence, first.sequence.wrapping_add(6));
    assert!(next.header.marker && next.header.ssrc == first.ssrc);
}

#[tokio::test]
async fn a_key_is_pressed_anew_once_and_is_told_here_as_well() {
    let plane = plane();
    let ((mut one, mut here), (mut other, there)) = two(&plane).await;
    here.say(&[1; 160]).await;
    there.get().await;
    let mut press = Press::new('7', 80).unwrap();
    while let Some(event) = press.next(160) {
        let header = Header { payload_type: EVENTS, ..here.header };
        here.send(header, &event).await;
        here.header.sequence = here.header.sequence.wrapping_add(1);
    }
    assert_eq!(next(&mut one).await, Heard::Digit('7'));
    // The other phone presses it back, so that its own leg says what it was.
    loop {
        let got = there.get().await;
        there.send(Header { payload_type: EVENTS, ..got.header }, &got.payload).await;
        if got.payload[1] & 0x80 != 0 {
            break;
        }
    }
    assert_eq!(next(&mut other).await, Heard::Digit('7'));
}

#[tokio::test]
async fn who_holds_hears_nothing_and_a_closed_leg_leaves_the_other_one_alone() {
    let plane = plane();
    let ((mut one, mut here), (mut other, there)) = two(&plane).await;
    other.connect(Stream { send: false, ..there.stream() }).unwrap();
    settled(&mut one).await;
    here.say_all(&voice(1, 800)).await;
    // What waits at its socket is taken, and goes nowhere.
    settled_while_playing(&one).await;
    other.connect(there.stream()).unwrap();
    settled(&mut other).await;
    here.say(&[7; 160]).await;
    assert_eq!(there.get().await.payload, [7; 160]);
    drop(other);
    settled(&mut one).await;
    here.say_all(&voice(1, 800)).await;
    one.play(vec![clip(160)], 3);
    assert_eq!(next(&mut one).await, Heard::Played(3));
    // Its place may be another's by now, who hears nothing of this.
    let (mut third, elsewhere) = call(&plane).await;
    here.say_all(&voice(2, 800)).await;
    settled_while_playing(&one).await;
    third.play(vec![clip(160)], 4);
    assert_eq!(next(&mut third).await, Heard::Played(4));
    assert_same(&elsewhere.get().await.payload, clip(160).encoded(Codec::Pcmu));
}
