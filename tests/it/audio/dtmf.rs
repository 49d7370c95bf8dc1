//! Keys as tones: what is one, what is none, and how often.

use std::path::Path;

use afterbeep::audio::{
    dtmf::Detector,
    g711::Law,
    listener::{Listener, Rules},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::gather;
use crate::phone::tones::{KEYS, Press, USUAL};

/// What a telephone makes of samples: G.711, and what is heard of it.
fn heard(samples: &[i16], law: Law) -> String {
    let mut detector = Detector::default();
    samples.iter().filter_map(|&it| detector.hear(law.decode(law.encode(it)))).collect()
}

/// A thousand keys, each at another place in time, with so much noise.
fn dialled(press: Press, pause: usize, noise: f64) -> (String, Vec<i16>) {
    let mut chance = StdRng::seed_from_u64(4_733);
    let (mut keys, mut samples) = (String::new(), Vec::new());
    for _ in 0..1_000 {
        let row = KEYS[chance.random_range(0..4)];
        let key = row.chars().nth(chance.random_range(0..4)).unwrap();
        keys.push(key);
        samples.extend(press.samples(key));
        samples.resize(samples.len() + pause * 8 + chance.random_range(0..102), 0);
    }
    for sample in &mut samples {
        let sum: f64 = (0..12).map(|_| chance.random::<f64>()).sum();
        *sample = sample.saturating_add(((sum - 6.0) * noise) as i16);
    }
    (keys, samples)
}

#[test]
fn a_thousand_keys_are_heard_each_once_however_they_are_sent() {
    let short = Press { ms: 40, ..USUAL };
    for (name, press, pause, noise) in [
        ("as short as it may be", short, 40, 0.0),
        ("usual", USUAL, 60, 0.0),
        ("quiet", Press { level: 700.0, ..USUAL }, 60, 0.0),
        ("held for long", Press { ms: 900, ..USUAL }, 100, 0.0),
        ("high tone 7 dB louder", Press { ms: 50, twist: 7.0, ..USUAL }, 50, 0.0),
        ("low tone 6 dB louder", Press { ms: 50, twist: -6.0, ..USUAL }, 50, 0.0),
        ("1.5 % too high", Press { ms: 50, off: 0.015, ..USUAL }, 50, 0.0),
        ("1.5 % too low", Press { ms: 50, off: -0.015, ..USUAL }, 50, 0.0),
        ("15 dB over noise", Press { ms: 60, ..USUAL }, 60, 900.0),
    ] {
        let (keys, samples) = dialled(press, pause, noise);
        for law in [Law::Mu, Law::A] {
            assert!(heard(&samples, law) == keys, "{name}, {law:?}");
        }
    }
}

#[test]
fn what_is_too_short_or_beside_the_frequency_is_no_key() {
    for press in [
        Press { ms: 23, ..USUAL },
        Press { ms: 15, ..USUAL },
        Press { off: 0.035, ..USUAL },
        Press { off: -0.035, ..USUAL },
        Press { level: 100.0, ..USUAL },
        Press { twist: 12.0, ..USUAL },
        Press { twist: -12.0, ..USUAL },
    ] {
        assert_eq!(heard(&dialled(press, 60, 0.0).1, Law::Mu), "", "{press:?}");
    }
}

#[test]
fn a_tone_that_the_network_tears_is_one_key() {
    for gap in [2, 5, 10] {
        let mut samples = vec![0; 800];
        samples.extend(Press { ms: 200, ..USUAL }.samples('7'));
        samples[1_600..1_600 + gap * 8].fill(0);
        assert_eq!(heard(&samples, Law::Mu), "7", "{gap} ms");
    }
}

/// Ten minutes and more: the prompts and the books that are installed for the tests.
#[test]
fn speech_presses_no_key() {
    let mut clips = Vec::new();
    for folder in ["/usr/share/asterisk/sounds", "/usr/share/pocketsphinx/test/data"] {
        gather(Path::new(folder), &mut clips);
    }
    let mut samples = 0;
    for (name, clip) in &clips {
        assert_eq!(heard(clip, Law::Mu), "", "{name}");
        samples += clip.len();
    }
    let seconds = samples / 8_000;
    println!("no key in {seconds} s of speech");
    assert!(seconds >= 600, "only {seconds} s of speech are installed");
}

#[test]
fn the_key_that_ends_a_recording_is_no_part_of_it() {
    let rules = Rules { keys: true, ..Rules::endless() };
    let said: Vec<i16> = (0..24_000).map(|n| ((n * 7_919) % 9_001 - 4_500) as i16).collect();
    for after in [40, 100, 250] {
        let mut listener = Listener::new(&rules);
        let key = Press { ms: after.min(100), ..USUAL }.samples('#');
        let quiet = vec![0; after * 8 - key.len()];
        listener.hear(&[&said[..], &key, &quiet].concat());
        let kept = listener.before_key().expect("the key was heard") as usize;
        assert!((23_800..=24_000).contains(&kept), "{kept} of 24,000 samples, {after} ms after");
    }
    // One that was pressed long before is what was said.
    let mut listener = Listener::new(&rules);
    listener.hear(&[USUAL.samples('5'), said].concat());
    assert_eq!(listener.before_key(), None);
}
