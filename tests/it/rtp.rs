//! The media plane over real sockets: what a phone on the other side sends and gets.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use afterbeep::{
    audio::{Clip, Codec, g711::Law, ring},
    rtp::{
        Heard, Leg, Plane, PlaneError, Recorder, Settings, Stream,
        packet::{HEADER, Header, Packet},
        rtcp,
        telephone_event::Press,
    },
};
use tokio::{net::UdpSocket, time::timeout};

mod bridged;
mod paths;
mod playing;
mod recording;
mod wide;

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
            payload_type_in: 0,
            telephone_event: Some(EVENTS),
            telephone_event_in: Some(EVENTS),
            event_clock: 8_000,
            ptime_ms: 20,
            send: true,
            receive: true,
            keys: None,
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
async fn record(leg: &mut Leg, at_most: u64) -> ring::Reader {
    let (recorder, sound) = Recorder::new(Codec::Pcmu, at_most);
    leg.record(recorder);
    settled(leg).await;
    sound
}

/// What a recording holds, once it holds `samples` or is over.
async fn heard(sound: &mut ring::Reader, samples: usize) -> Vec<u8> {
    let all = async {
        let mut all = vec![];
        loop {
            let over = sound.is_abandoned();
            all.extend(sound.take());
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
    assert!(got[end..].iter().all(|it| *it == Law::Mu.silence()), "sound after the end");
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
    expected.resize(got.len() * samples, codec.law().map_or(0xfd, Law::silence));
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
