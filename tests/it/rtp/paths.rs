//! Where sound comes from and goes to: strangers, NAT, hold, silence, the end.

use super::*;

#[tokio::test]
async fn a_strangers_packets_are_neither_recorded_nor_obeyed() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    let mut near = Phone::at(HERE, leg.local()).await;
    let mut far = Phone::at("127.0.0.2", leg.local()).await;
    phone.say_all(&voice(1, 1_600)).await;
    for stranger in [&mut near, &mut far] {
        stranger.header = phone.header;
        stranger.say_all(&voice(7, 1_600)).await;
        let event = Header { payload_type: EVENTS, ..phone.header };
        stranger.send(event, &Press::new('1', 100).unwrap().next(160).unwrap()).await;
    }
    phone.say_all(&voice(2, 1_600)).await;
    leg.stop_recording();
    assert_recorded(
        &heard(&mut sound, usize::MAX).await,
        &[voice(1, 1_600), voice(2, 1_600)].concat(),
    );
    settled(&mut leg).await;
    assert_eq!(plane.counters().strangers, 22);
    assert_eq!(leg.stats().refused, 22);
    leg.play(vec![clip(160)], 1);
    phone.get().await;
}

#[tokio::test]
async fn a_stranger_who_is_first_gets_nothing() {
    let plane = plane();
    let leg = plane.open(HERE.parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    let mut stranger = Phone::at("127.0.0.2", leg.local()).await;
    leg.connect(phone.stream()).unwrap();
    stranger.say_all(&voice(7, 1_600)).await;
    leg.play(vec![clip(1_600)], 1);
    phone.get_many(10).await;
    phone.say(&voice(1, 160)).await;
    assert!(stranger.socket.try_recv(&mut [0; 99]).is_err());
}

#[tokio::test]
async fn a_phone_behind_nat_is_answered_where_it_is() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let told = Phone::at("127.0.0.3", leg.local()).await;
    let mut phone = Phone::calling(&leg).await;
    leg.connect(Stream { signalling: HERE.parse().unwrap(), ..told.stream() }).unwrap();
    let mut sound = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(1, 1_600)).await;
    assert_same(&heard(&mut sound, 1_600).await, &voice(1, 1_600));
    leg.play(vec![clip(160)], 1);
    phone.get().await;
}

#[tokio::test]
async fn a_call_runs_over_ipv6() {
    let plane = plane();
    let mut leg = plane.open("::1".parse().unwrap()).unwrap();
    let mut phone = Phone::calling(&leg).await;
    leg.connect(phone.stream()).unwrap();
    let mut sound = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(1, 1_600)).await;
    assert_same(&heard(&mut sound, 1_600).await, &voice(1, 1_600));
    leg.play(vec![clip(160)], 1);
    assert_eq!(phone.get().await.payload[..], clip(160).encoded(Codec::Pcmu)[..]);
}

#[tokio::test]
async fn on_hold_nothing_is_said_and_afterwards_it_goes_on_at_the_new_address() {
    let plane = plane();
    let (mut leg, phone) = call(&plane).await;
    leg.play(vec![clip(4_800)], 1);
    phone.get_many(5).await;
    let held = Stream { send: false, receive: false, ..phone.stream() };
    leg.connect(Stream { remote: "0.0.0.0:9000".parse().unwrap(), ..held }).unwrap();
    settled_while_playing(&leg).await;
    let before = leg.stats().sent as usize;
    phone.get_many(before - 5).await;
    let moved = Phone::at("127.0.0.2", leg.local()).await;
    leg.connect(moved.stream()).unwrap();
    let after = moved.get_many(30 - before).await;
    let sent = clip(4_800);
    let expected = &sent.encoded(Codec::Pcmu)[before * 160..];
    assert_same(&after.iter().flat_map(|it| it.payload.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(next(&mut leg).await, Heard::Played(1));
    assert_eq!(leg.stats().sent, 30);
}

#[tokio::test]
async fn media_is_not_sent_where_it_must_not_go() {
    let plane = plane();
    let (leg, phone) = call(&plane).await;
    for remote in ["224.0.0.1:4000", "127.0.0.1:5", "255.255.255.255:4000", "[::1]:4000"] {
        let stream = Stream { remote: remote.parse().unwrap(), ..phone.stream() };
        assert!(matches!(leg.connect(stream), Err(PlaneError::Remote { .. })), "{remote}");
    }
    let itself = Stream { remote: leg.local(), ..phone.stream() };
    assert!(leg.connect(itself).is_err());
    leg.play(vec![clip(160)], 1);
    phone.get().await;
}

#[tokio::test]
async fn a_call_from_which_nothing_comes_is_told_once() {
    let plane = plane_with(|it| it.timeout = Duration::from_secs(1));
    let (mut leg, mut phone) = call(&plane).await;
    assert_eq!(next(&mut leg).await, Heard::TimedOut);
    settled(&mut leg).await;
    phone.say(&voice(1, 160)).await;
    assert_eq!(next(&mut leg).await, Heard::TimedOut);
}

#[tokio::test]
async fn a_call_on_hold_is_waited_for_longer_but_not_for_ever() {
    let plane = plane_with(|it| {
        (it.timeout, it.held) = (Duration::from_millis(50), Duration::from_millis(500));
    });
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let phone = Phone::calling(&leg).await;
    let held = tokio::time::Instant::now();
    leg.connect(Stream { send: false, ..phone.stream() }).unwrap();
    assert_eq!(next(&mut leg).await, Heard::TimedOut);
    assert!(held.elapsed() >= Duration::from_millis(450), "after {:?}", held.elapsed());
}

#[tokio::test]
async fn a_silent_packet_keeps_the_way_open() {
    let plane = plane_with(|it| it.keep_alive = Duration::from_millis(100));
    let (_leg, phone) = call(&plane).await;
    for _ in 0..2 {
        assert_eq!(phone.get().await.payload, [Law::Mu.silence(); 160]);
    }
}

#[tokio::test]
async fn a_leg_says_bye_and_gives_its_ports_back() {
    let plane = plane_with(|it| it.ports = "46010-46011".parse().unwrap());
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    assert!(matches!(plane.open(HERE.parse().unwrap()), Err(PlaneError::NoPort { .. })));
    let mut phone = Phone::calling(&leg).await;
    let reports = Phone::calling(&leg).await;
    let remote_rtcp = Some(reports.socket.local_addr().unwrap());
    leg.connect(Stream { remote_rtcp, ..phone.stream() }).unwrap();
    settled(&mut leg).await;
    phone.say_all(&voice(1, 1_600)).await;
    drop(leg);
    let mut bytes = [0; 500];
    let length = timeout(PATIENCE, reports.socket.recv(&mut bytes)).await.unwrap().unwrap();
    let mut told = vec![];
    assert!(rtcp::read(&bytes[..length], |it| told.push(it)));
    let [rtcp::Heard::Block(block), rtcp::Heard::Bye(_)] = told[..] else { panic!("{told:?}") };
    assert_eq!((block.ssrc, block.lost), (phone.header.ssrc, 0));
    let again = async {
        while plane.open(HERE.parse().unwrap()).is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_leg_reports_what_it_sent_and_listens_to_reports() {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let phone = Phone::calling(&leg).await;
    let reports = Phone::calling(&leg).await;
    let remote_rtcp = Some(reports.socket.local_addr().unwrap());
    leg.connect(Stream { remote_rtcp, ..phone.stream() }).unwrap();
    leg.play(vec![clip(80_000)], 1);
    let ssrc = phone.get().await.header.ssrc;
    let mut bytes = [0; 500];
    let length = timeout(PATIENCE, reports.socket.recv(&mut bytes)).await.unwrap().unwrap();
    let mut told = vec![];
    assert!(rtcp::read(&bytes[..length], |it| told.push(it)));
    assert!(matches!(told[..], [rtcp::Heard::Sender(it, _)] if it == ssrc), "{told:?}");

    let block = rtcp::Block {
        ssrc,
        fraction_lost: 9,
        lost: 4,
        highest: 9,
        jitter: 0,
        last_report: 0,
        since_report: 0,
    };
    let report =
        rtcp::Report { ssrc: 1, cname: &[b'x'; 16], sent: None, block: Some(block), bye: false };
    let mut bytes = [0; rtcp::LONGEST];
    let length = report.write(&mut bytes);
    let to = SocketAddr::new(leg.local().ip(), leg.local().port() + 1);
    reports.socket.send_to(&bytes[..length], to).await.unwrap();
    let listening = async {
        while leg.stats().lost_there != 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, listening).await.unwrap();
    leg.hush();
    settled(&mut leg).await;
}

#[tokio::test]
async fn a_stopped_plane_says_so_to_its_legs() {
    let plane = plane();
    let (mut leg, _phone) = call(&plane).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    plane.clone().stop();
    assert_eq!(next(&mut leg).await, Heard::Stopped);
    assert!(heard(&mut sound, usize::MAX).await.len() < 8_000);
    assert!(matches!(plane.open(HERE.parse().unwrap()), Err(PlaneError::Stopped)));
}

#[tokio::test]
async fn junk_is_counted_and_harms_nobody() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    for junk in [&[][..], &[0x80], &[0; 12], &[0x9f; 20], &[0xa0; 13]] {
        phone.socket.send_to(junk, phone.to).await.unwrap();
        let rtcp = SocketAddr::new(phone.to.ip(), phone.to.port() + 1);
        phone.socket.send_to(junk, rtcp).await.unwrap();
    }
    phone.socket.send_to(&[0x80; 9_000], phone.to).await.unwrap();
    phone.say_all(&voice(1, 1_600)).await;
    leg.stop_recording();
    assert_recorded(&heard(&mut sound, usize::MAX).await, &voice(1, 1_600));
    assert!(plane.counters().malformed >= 5);
}
