//! Hold music as other people's programs hear it: sipp, which phone systems are tested with, and baresip.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use afterbeep::audio::g711::Law;

use super::DEAF;
use super::baresip::Baresip;
use super::hold::{HIGH, LOW, MIDDLE, add, lengths, told, tone, tones};
use crate::house::{House, PATIENCE};
use crate::phone::FRAME;

/// A class with all that it can have: a greeting, an announcement again and again, and tracks.
fn house() -> House {
    let house = House::start(DEAF);
    add(&house, "busy", &[("low", LOW, 4_000)]);
    for (name, hz) in [("welcome", MIDDLE), ("patience", HIGH)] {
        let file = tone(&house, name, hz, 600);
        house.run(&["announcement", "set", name, "--file", file.to_str().unwrap()]);
    }
    let said = ["--intro", "welcome", "--announcement", "patience", "--every", "1"];
    house.run(&[&["moh", "set", "--class", "busy"][..], &said].concat());
    house
}

#[tokio::test]
async fn sipp_hears_greeting_music_and_announcement_and_nothing_while_it_holds() {
    let house = house();
    for (codec, law, payload_type, transport) in
        [("PCMU", Law::Mu, 0, "u1"), ("PCMA", Law::A, 8, "t1")]
    {
        let keys = [("codec", codec), ("payload_type", &payload_type.to_string())];
        let heard = listened(house.sip, "busy", transport, keys);
        assert!(heard.iter().all(|it| it.payload_type == payload_type), "another number");
        // Where nothing came for long, it held.
        let gaps: Vec<_> = (1..heard.len())
            .filter(|at| heard[*at].at - heard[at - 1].at > Duration::from_millis(500))
            .collect();
        assert_eq!(gaps.len(), 1, "{codec}: {} packets", heard.len());
        let (before, after) = heard.split_at(gaps[0]);
        let held = after[0].at - before[before.len() - 1].at;
        assert!(held >= Duration::from_millis(900), "{codec}: held for {held:?}");
        for part in [before, after] {
            let missing =
                part.windows(2).any(|it| it[1].sequence != it[0].sequence.wrapping_add(1));
            assert!(!missing, "{codec}: something is missing");
        }
        let samples = |part: &[Packet]| -> Vec<i16> {
            part.iter().flat_map(|it| &it.sound).map(|it| law.decode(*it)).collect()
        };
        let first = samples(before);
        assert_eq!(told(&first), [MIDDLE, LOW, HIGH, LOW], "{codec}: {:?}", lengths(&first));
        for (is, should) in lengths(&first).into_iter().zip([600, 1_000, 600]) {
            assert!(is.abs_diff(should) <= 60, "{codec}: {is} ms, not {should}");
        }
        // It hears what it would hear by then: three and a half seconds are over.
        assert_eq!(told(&samples(after))[0], LOW, "{codec}");
    }
}

/// Each class is heard by eight at once as by one.
#[tokio::test]
async fn many_listeners_of_one_class_hear_the_same() {
    let house = House::start(DEAF);
    add(&house, "radio", &[("low", LOW, 1_000), ("middle", MIDDLE, 1_000), ("high", HIGH, 1_000)]);
    house.run(&["moh", "set", "--class", "radio", "--shared", "yes"]);
    let server = house.sip;
    let listeners = (0..8).map(|_| {
        let keys = [("codec", "PCMU"), ("payload_type", "0")];
        std::thread::spawn(move || listened(server, "radio", "u1", keys))
    });
    let listeners: Vec<_> = listeners.collect();
    let heard: Vec<Vec<i16>> = listeners
        .into_iter()
        .map(|it| it.join().unwrap())
        .map(|it| it.iter().flat_map(|it| &it.sound).map(|it| Law::Mu.decode(*it)).collect())
        .collect();
    for one in &heard {
        assert!(one.len() > 3 * 8_000, "only {} samples", one.len());
        for pair in told(one).windows(2) {
            let next = [(LOW, MIDDLE), (MIDDLE, HIGH), (HIGH, LOW)].contains(&(pair[0], pair[1]));
            // Behind the hold it is as late as it would be.
            let held = [(LOW, HIGH), (MIDDLE, LOW), (HIGH, MIDDLE)].contains(&(pair[0], pair[1]));
            assert!(next || held, "{:?}", told(one));
        }
    }
}

#[tokio::test]
async fn baresip_hears_greeting_music_and_announcement() {
    let house = house();
    let baresip = Baresip::call(between(house.sip), "moh-busy");
    until(&baresip, |heard| heard >= 4 * 8_000).await;
    let heard = baresip.hang_up().await;
    // It may take a while until its own buffer is full.
    let heard = tones(&heard[..4 * 8_000]);
    let names: Vec<f64> = heard.iter().map(|it| it.0).collect();
    assert_eq!(names[..4], [MIDDLE, LOW, HIGH, LOW], "{heard:?}");
    for (is, should) in heard[1..4].iter().zip([1_000, 600, 1_000]) {
        assert!(is.1.abs_diff(should) <= 100, "{heard:?}");
    }
}

/// A phone system between the two, which lets sound pass both ways: the recorder of this baresip (1.0) hears
/// nothing in a call in which it goes but one way.
fn between(server: SocketAddr) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let here = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut phone, mut bytes) = (here, [0; 4_096]);
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]);
            if from == server {
                let both = text.replace("a=sendonly", "a=sendrecv");
                socket.send_to(both.as_bytes(), phone).unwrap();
            } else {
                phone = from;
                socket.send_to(text.as_bytes(), server).unwrap();
            }
        }
    });
    here
}

/// Waits until so many samples were heard.
async fn until(baresip: &Baresip, enough: impl Fn(usize) -> bool) {
    let until = Instant::now() + PATIENCE;
    while !enough(baresip.heard().len()) {
        assert!(Instant::now() < until, "too little was heard: {}", baresip.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What came to sipp.
struct Packet {
    at: Instant,
    sequence: u16,
    payload_type: u8,
    sound: Vec<u8>,
}

/// What is heard where sipp says its sound goes, while it does what `hold.xml` says.
fn listened(
    server: SocketAddr,
    class: &str,
    transport: &str,
    keys: [(&str, &str); 2],
) -> Vec<Packet> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hold.xml"), include_str!("hold.xml")).unwrap();
    let sound = UdpSocket::bind("127.0.0.1:0").unwrap();
    sound.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let port = sound.local_addr().unwrap().port().to_string();
    let output = File::create(folder.path().join("output")).unwrap();
    let mut command = Command::new("sipp");
    command.current_dir(folder.path()).arg(server.to_string());
    command.args(["-t", transport, "-i", "127.0.0.1", "-bind_local", "-nostdin", "-m", "1"]);
    command.args(["-sf", "hold.xml", "-trace_err", "-error_file", "errors"]);
    command.args(["-key", "class", class, "-key", "sound", &port]);
    keys.iter().for_each(|(name, value)| _ = command.args(["-key", name, value]));
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut sipp = command.spawn().expect("sipp is missing; `make test` installs it");

    let until = Instant::now() + PATIENCE;
    let (mut heard, mut bytes) = (Vec::new(), [0; 2_048]);
    let status = loop {
        if let Ok((length @ FRAME.., _)) = sound.recv_from(&mut bytes) {
            heard.push(Packet {
                at: Instant::now(),
                sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
                payload_type: bytes[1] & 0x7f,
                sound: bytes[12..length].to_vec(),
            });
        }
        if let Some(status) = sipp.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            sipp.kill().unwrap();
            panic!("sipp did not end");
        }
    };
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert!(status.success(), "sipp says {status}: {}\n{}", read("errors"), read("output"));
    heard
}
