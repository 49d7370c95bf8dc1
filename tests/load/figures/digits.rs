//! Keys: how many of many are heard right, by each of the ways they come.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use afterbeep::audio::{dtmf::Detector, g711::Law, resample::resample, wav::from_wav};
use afterbeep::rtp::telephone_event::{Digits, Press};
use afterbeep::sip::{Endpoint, Settings, Signal};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::timeout;

use super::Findings;
use crate::phone::Phone;
use crate::phone::tones::{KEYS, USUAL};

/// The same keys and the same losses each time.
const SEED: u64 = 4_733;
const PATIENCE: Duration = Duration::from_secs(30);

/// All of them.
pub async fn digits() -> Findings {
    let mut findings = Findings::default();
    for loss in [0.0, 0.05, 0.2] {
        let (right, told) = events(10_000, loss);
        let least = if loss > 0.05 { 0 } else { 9_990 };
        let what = format!("RFC 4733 at {:.0} % loss", loss * 100.0);
        note(&mut findings, &what, (right, told, 10_000), least);
    }
    let (right, told) = informed(1_000).await;
    note(&mut findings, "SIP INFO", (right, told, 1_000), 995);
    let (right, told) = tones(1_000);
    note(&mut findings, "in the sound (100 ms, G.711, no loss)", (right, told, 1_000), 995);
    let (seconds, keys) = speech();
    findings.notes.push(format!("{keys} keys heard in {seconds} s of speech"));
    if keys > 0 || seconds < 600 {
        findings.wrongs.push("speech must press no key in 10 minutes".into());
    }
    findings
}

fn note(
    findings: &mut Findings,
    what: &str,
    (right, told, of): (usize, usize, usize),
    least: usize,
) {
    let doubled = told.saturating_sub(of);
    findings.notes.push(format!("{what}: {right} of {of} right, {doubled} too many"));
    if right < least || doubled > 0 {
        findings.wrongs.push(format!("{what}: {least} of {of} must be right, and none twice"));
    }
}

/// How many are right, and how many were told. A press of which no packet arrives is missing.
fn events(count: usize, loss: f64) -> (usize, usize) {
    let mut chance = StdRng::seed_from_u64(SEED);
    let (mut digits, mut right, mut told) = (Digits::default(), 0, 0);
    let (mut timestamp, mut now) = (chance.random::<u32>(), 0);
    for _ in 0..count {
        let key = key(&mut chance);
        let ms = chance.random_range(60..200);
        let mut press = Press::new(key, ms).expect("a key");
        let mut heard = Vec::new();
        while let Some(packet) = press.next(160) {
            if chance.random::<f64>() >= loss {
                heard.extend(digits.hear(now, timestamp, &packet));
            }
            now += 20;
        }
        right += usize::from(heard.first() == Some(&key));
        told += heard.len();
        now += 60;
        timestamp = timestamp.wrapping_add((ms + 120) * 8);
    }
    (right, told)
}

/// By a real call, one INFO after the other.
async fn informed(count: usize) -> (usize, usize) {
    let settings =
        Settings { listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))], ..Settings::default() };
    let (server, mut calls) = Endpoint::listen(&settings).await.unwrap();
    let address = server.addresses()[0];
    let answering = tokio::spawn(async move {
        let call = calls.recv().await.unwrap();
        call.accept(SocketAddr::from(([127, 0, 0, 1], 40_000))).await.unwrap()
    });
    let mut call = Phone::new().await.unwrap().call(address, "1000").await.unwrap().unwrap();
    let mut dialog = answering.await.unwrap();
    let mut chance = StdRng::seed_from_u64(SEED);
    let (mut right, mut told) = (0, 0);
    for _ in 0..count {
        let key = key(&mut chance);
        call.inform(key).await.unwrap();
        // It was told before it was answered.
        while let Ok(signal) = timeout(Duration::ZERO, dialog.next()).await {
            if let Signal::Digit(heard) = signal {
                told += 1;
                right += usize::from(heard == key);
            }
        }
    }
    drop(dialog);
    timeout(PATIENCE, call.until_hung_up()).await.unwrap().unwrap();
    server.shutdown().await;
    (right, told)
}

/// Through G.711 and back.
fn tones(count: usize) -> (usize, usize) {
    let mut chance = StdRng::seed_from_u64(SEED);
    let (mut detector, mut right, mut told) = (Detector::default(), 0, 0);
    for number in 0..count {
        let key = key(&mut chance);
        let law = if number % 2 == 0 { Law::Mu } else { Law::A };
        let quiet = vec![0; 480 + chance.random_range(0..160)];
        let samples = [USUAL.samples(key), quiet].concat();
        let coded = samples.into_iter().map(|it| law.decode(law.encode(it)));
        let heard: Vec<char> = coded.filter_map(|it| detector.hear(it)).collect();
        right += usize::from(heard.first() == Some(&key));
        told += heard.len();
    }
    (right, told)
}

/// Seconds of the speech that is installed for the tests, and the keys heard in it.
fn speech() -> (usize, usize) {
    let (mut samples, mut keys) = (0, 0);
    let mut folders = vec![
        Path::new("/usr/share/asterisk/sounds").to_owned(),
        Path::new("/usr/share/pocketsphinx/test/data").to_owned(),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
                continue;
            }
            let Ok(sound) = std::fs::read(&path).map(|it| from_wav(&it, 3_600)) else { continue };
            let Ok(sound) = sound else { continue };
            let narrow = resample(&sound.samples, sound.rate, 8_000);
            let mut detector = Detector::default();
            keys += narrow.iter().filter_map(|&it| detector.hear(it)).count();
            samples += narrow.len();
        }
    }
    (samples / 8_000, keys)
}

fn key(chance: &mut StdRng) -> char {
    let row = KEYS[chance.random_range(0..4)];
    row.chars().nth(chance.random_range(0..4)).expect("four of them")
}
