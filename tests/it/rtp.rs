//! The media plane over real sockets: what a phone on the other side sends and gets.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use afterbeep::{
    audio::{Clip, Codec},
    rtp::{
        Heard, Leg, Plane, PlaneError, Recorder, Settings, Stream,
        packet::{HEADER, Header, Packet},
        rtcp,
        telephone_event::Press,
    },
};
use tokio::{net::UdpSocket, time::timeout};

const PATIENCE: Duration = Duration::from_secs(10);
const EVENTS: u8 = 101;
const HERE: &str = "127.0.0.1";

/// The other side of a call: its RTP socket, and where it is in its stream.
struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    header: Header,
}

/// A packet as the phone got it.
struct Got {
    header: Header,
    payload: Vec<u8>,
}

impl Phone {
    async fn calling(leg: &Leg) -> Self {
        Self::at(&leg.local().ip().to_string(), leg.local()).await
    }

    async fn at(ip: &str, to: SocketAddr) -> Self {
        let ip: IpAddr = ip.parse().unwrap();
        let header = Header {
            marker: false,
            payload_type: 0,
            sequence: 65_530,
            timestamp: u32::MAX - 1_000,
            ssrc: 0xcafe,
        };
        Self { socket: UdpSocket::bind((ip, 0)).await.unwrap(), to, header }
    }

    fn stream(&self) -> Stream {
        let remote = self.socket.local_addr().unwrap();
        Stream {
            remote,
            remote_rtcp: None,
            signalling: remote.ip(),
            codec: Codec::Pcmu,
            payload_type: 0,
            telephone_event: Some(EVENTS),
            ptime_ms: 20,
            send: true,
            receive: true,
        }
    }

    async fn send(&self, header: Header, payload: &[u8]) {
        let mut packet = [0; HEADER];
        header.write(&mut packet);
        self.socket.send_to(&[&packet, payload].concat(), self.to).await.unwrap();
    }

    /// The next packet of a stream without gaps.
    async fn say(&mut self, sound: &[u8]) {
        self.send(self.header, sound).await;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(sound.len() as u32);
    }

    /// Sound in packets of 20 ms, faster than it is spoken; at most a second.
    async fn say_all(&mut self, sound: &[u8]) {
        for frame in sound.chunks(160) {
            self.say(frame).await;
        }
    }

    async fn get(&self) -> Got {
        let mut bytes = [0; 2_048];
        let received = timeout(PATIENCE, self.socket.recv(&mut bytes)).await;
        let packet = Packet::parse(&bytes[..received.expect("a packet").unwrap()]).unwrap();
        Got { header: packet.header, payload: packet.payload.to_vec() }
    }

    async fn get_many(&self, count: usize) -> Vec<Got> {
        let mut got = vec![];
        while got.len() < count {
            got.push(self.get().await);
        }
        got
    }
}

/// A voice in which every place sounds different: bytes that only G.711 could mistake for sound.
fn voice(seed: usize, samples: usize) -> Vec<u8> {
    (0..samples).map(|at| (at.wrapping_mul(31) ^ (at >> 7) ^ seed.wrapping_mul(97)) as u8).collect()
}

fn clip(samples: usize) -> Arc<Clip> {
    let samples: Vec<i16> = (0..samples).map(|at| (at * 37 % 16_000) as i16 - 8_000).collect();
    Arc::new(Clip::new("test", &samples))
}

fn plane() -> Plane {
    plane_with(|_| ())
}

fn plane_with(change: impl FnOnce(&mut Settings)) -> Plane {
    // A busy machine may keep a test from sending for longer than a late packet takes.
    let reorder = Duration::from_millis(500);
    let mut settings = Settings { keep_alive: Duration::ZERO, reorder, ..Settings::default() };
    change(&mut settings);
    Plane::start(&settings).unwrap()
}

async fn call(plane: &Plane) -> (Leg, Phone) {
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let phone = Phone::calling(&leg).await;
    leg.connect(phone.stream()).unwrap();
    settled(&mut leg).await;
    (leg, phone)
}

async fn next(leg: &mut Leg) -> Heard {
    timeout(PATIENCE, leg.next()).await.expect("something is heard")
}

/// Waits until the leg's thread has done all it was told.
async fn settled(leg: &mut Leg) {
    leg.play(vec![], u64::MAX);
    assert_eq!(next(leg).await, Heard::Played(u64::MAX));
}

/// The same, while something is playing that is to go on.
async fn settled_while_playing(leg: &Leg) {
    let (recorder, mut sound) = Recorder::new(Codec::Pcmu, u64::MAX);
    leg.record(recorder);
    leg.stop_recording();
    heard(&mut sound, usize::MAX).await;
}

/// Begins a recording, and waits until it has begun.
async fn record(leg: &mut Leg, at_most: u64) -> rtrb::Consumer<u8> {
    let (recorder, sound) = Recorder::new(Codec::Pcmu, at_most);
    leg.record(recorder);
    settled(leg).await;
    sound
}

/// What a recording holds, once it holds `samples` or is over.
async fn heard(sound: &mut rtrb::Consumer<u8>, samples: usize) -> Vec<u8> {
    let all = async {
        let mut all = vec![];
        loop {
            let over = sound.is_abandoned();
            while let Ok(byte) = sound.pop() {
                all.push(byte);
            }
            if over || all.len() >= samples {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("the recording goes on")
}

/// Says where two sounds part, and not all that is in them.
#[track_caller]
fn assert_same(got: &[u8], expected: &[u8]) {
    let part = got.iter().zip(expected).position(|(one, other)| one != other);
    assert_eq!((got.len(), part), (expected.len(), None), "length, first difference");
}

/// A recording holds what was said; if the machine was slow to end it, silence follows.
#[track_caller]
fn assert_recorded(got: &[u8], said: &[u8]) {
    let end = got.len().min(said.len());
    assert_same(&got[..end], said);
    assert!(got[end..].iter().all(|it| *it == Codec::Pcmu.silence()), "sound after the end");
}

async fn a_clip_arrives(codec: Codec, payload_type: u8, ptime_ms: u8) {
    let plane = plane();
    let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
    let phone = Phone::calling(&leg).await;
    leg.connect(Stream { codec, payload_type, ptime_ms, ..phone.stream() }).unwrap();
    let (one, other) = (clip(1_000), clip(2_345));
    leg.play(vec![one.clone(), other.clone()], 7);

    let samples = usize::from(ptime_ms) * 8;
    let got = phone.get_many(3_345_usize.div_ceil(samples)).await;
    let mut expected = [&one.encoded(codec)[..], &other.encoded(codec)[..]].concat();
    expected.resize(got.len() * samples, codec.silence());
    assert_same(&got.iter().flat_map(|it| it.payload.clone()).collect::<Vec<_>>(), &expected);
    let first = got[0].header;
    for (n, packet) in got.iter().enumerate() {
        let expected = Header {
            marker: n == 0,
            payload_type,
            sequence: first.sequence.wrapping_add(n as u16),
            timestamp: first.timestamp.wrapping_add((n * samples) as u32),
            ssrc: first.ssrc,
        };
        assert_eq!(packet.header, expected);
    }
    assert_eq!(next(&mut leg).await, Heard::Played(7));
}

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
async fn what_is_recorded_is_what_was_said() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    phone.say_all(&voice(9, 3_200)).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    let said = voice(1, 8_000);
    phone.say_all(&said).await;
    leg.stop_recording();
    assert_recorded(&heard(&mut sound, usize::MAX).await, &said);
    assert_eq!(plane.counters().concealed, 0);
}

#[tokio::test]
async fn a_law_is_recorded_as_it_came_or_as_the_recorder_wants_it() {
    let plane = plane();
    for codec in [Codec::Pcma, Codec::Pcmu] {
        let mut leg = plane.open(HERE.parse().unwrap()).unwrap();
        let mut phone = Phone::calling(&leg).await;
        phone.header.payload_type = 8;
        let stream = Stream { codec: Codec::Pcma, payload_type: 8, ..phone.stream() };
        leg.connect(stream).unwrap();
        let (recorder, mut sound) = Recorder::new(codec, u64::MAX);
        leg.record(recorder);
        settled(&mut leg).await;
        let said = voice(2, 4_000);
        phone.say_all(&said).await;
        leg.stop_recording();
        let expected: Vec<u8> = match codec {
            Codec::Pcma => said,
            Codec::Pcmu => said.iter().map(|it| codec.encode(Codec::Pcma.decode(*it))).collect(),
        };
        assert_same(&heard(&mut sound, usize::MAX).await, &expected);
    }
}

#[tokio::test]
async fn a_recording_that_is_replaced_ends_where_the_next_begins() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut first = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(1, 1_600)).await;
    assert_same(&heard(&mut first, 1_600).await, &voice(1, 1_600));
    let mut second = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(2, 1_600)).await;
    leg.stop_recording();
    assert!(heard(&mut first, usize::MAX).await.is_empty());
    assert_recorded(&heard(&mut second, usize::MAX).await, &voice(2, 1_600));
}

#[tokio::test]
async fn with_lost_late_and_doubled_packets_nothing_moves() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    let said = voice(3, 8_000);
    let mut packets: Vec<(Header, &[u8])> = vec![];
    for frame in said.chunks(160) {
        packets.push((phone.header, frame));
        phone.header.sequence = phone.header.sequence.wrapping_add(1);
        phone.header.timestamp = phone.header.timestamp.wrapping_add(160);
    }
    packets.swap(4, 5);
    packets.insert(9, packets[7]);
    let lost = [20, 33, 34];
    let kept = packets.iter().enumerate().filter(|(n, _)| !lost.contains(n));
    for (_, (header, frame)) in kept {
        phone.send(*header, frame).await;
    }
    leg.stop_recording();
    let recorded = heard(&mut sound, usize::MAX).await;
    assert_eq!(recorded.len(), said.len());
    // One behind the copy: packets 19, 32 and 33 are missing.
    for (n, (got, sent)) in recorded.chunks(160).zip(said.chunks(160)).enumerate() {
        assert!(got == sent || [19, 32, 33].contains(&n), "packet {n}");
    }
    assert_eq!(plane.counters().concealed, 480);
}

#[tokio::test]
async fn a_recording_stops_at_its_longest() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, 1_000).await;
    phone.say_all(&voice(1, 3_200)).await;
    assert_eq!(next(&mut leg).await, Heard::RecordingDone);
    assert_same(&heard(&mut sound, usize::MAX).await, &voice(1, 1_000));
}

#[tokio::test]
async fn a_recording_nobody_empties_fails_aloud() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let (ring, sound) = rtrb::RingBuffer::new(1_000);
    leg.record(Recorder { ring, codec: Codec::Pcmu, at_most: u64::MAX });
    settled(&mut leg).await;
    phone.say_all(&voice(1, 3_200)).await;
    assert_eq!(next(&mut leg).await, Heard::RecordingFailed);
    assert!(sound.is_abandoned());
    assert_eq!(plane.counters().failed, 1);
}

#[tokio::test]
async fn while_a_phone_is_silent_the_recording_goes_on_in_silence() {
    let plane = plane();
    let (mut leg, mut phone) = call(&plane).await;
    let mut sound = record(&mut leg, u64::MAX).await;
    phone.say_all(&voice(1, 1_600)).await;
    let recorded = heard(&mut sound, 1_600 + 800).await;
    assert_same(&recorded[..1_600], &voice(1, 1_600));
    assert!(recorded[1_600..].iter().all(|it| *it == Codec::Pcmu.silence()));
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
    let plane = plane_with(|it| it.timeout = Duration::from_millis(100));
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
    let (mut leg, phone) = call(&plane).await;
    leg.connect(Stream { send: false, ..phone.stream() }).unwrap();
    let held = tokio::time::Instant::now();
    assert_eq!(next(&mut leg).await, Heard::TimedOut);
    assert!(held.elapsed() >= Duration::from_millis(450), "after {:?}", held.elapsed());
}

#[tokio::test]
async fn a_silent_packet_keeps_the_way_open() {
    let plane = plane_with(|it| it.keep_alive = Duration::from_millis(100));
    let (_leg, phone) = call(&plane).await;
    for _ in 0..2 {
        assert_eq!(phone.get().await.payload, [Codec::Pcmu.silence(); 160]);
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

/// Spoken in real time, as calls are, so that the threads have their whole work.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn fifty_calls_are_recorded_at_once_without_a_gap() {
    const FRAMES: usize = 150;
    let plane = plane();
    let mut calls = vec![];
    for n in 0..50 {
        let (mut leg, phone) = call(&plane).await;
        let sound = record(&mut leg, u64::MAX).await;
        calls.push((leg, phone, sound, voice(n, FRAMES * 160)));
    }
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    for frame in 0..FRAMES {
        beat.tick().await;
        for (_, phone, _, said) in &mut calls {
            phone.say(&said[frame * 160..][..160]).await;
        }
    }
    calls.iter().for_each(|(leg, ..)| leg.stop_recording());
    for (_, _, sound, said) in &mut calls {
        assert_recorded(&heard(sound, usize::MAX).await, said);
    }
    let counters = plane.counters();
    assert_eq!((counters.concealed, counters.late, counters.failed), (0, 0, 0));
    assert_eq!((counters.received, counters.legs), (50 * FRAMES as u64, 50));
}
