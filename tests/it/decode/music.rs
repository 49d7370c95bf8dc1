//! Files that become hold music, and those that must not.

use std::{path::Path, process::Command, sync::Mutex};

use afterbeep::{
    audio::{Codec, g711::Law, g722, gsm, loudness::loudness, music::Music, wav},
    decode::{DecodeError, LARGEST_MUSIC, RawKind},
};
use ebur128::{EbuR128, Mode};

use super::{KINDS, efficient, file, picture, reader, share_at, tone};

/// What telephone systems keep, made by SoX of a WAV file: the ending, and what SoX is told.
const TELEPHONE: [(&str, &[&str]); 9] = [
    ("au", &["-e", "mu-law"]),
    ("alaw.au", &["-e", "a-law"]),
    ("linear.au", &["-e", "signed", "-b", "16", "-r", "44100", "-c", "2"]),
    ("ul", &["-t", "raw", "-e", "mu-law"]),
    ("al", &["-t", "raw", "-e", "a-law"]),
    ("gsm", &["-t", "gsm"]),
    ("gsm.wav", &["-e", "gsm-full-rate"]),
    ("sln", &["-t", "raw", "-e", "signed", "-b", "16", "-L"]),
    ("sln16", &["-t", "raw", "-e", "signed", "-b", "16", "-L", "-r", "16000"]),
];

/// Two seconds: one of 500 Hz, one of 1,000 Hz.
#[tokio::test]
async fn every_kind_of_file_becomes_music_that_a_telephone_plays() {
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<(String, Vec<u8>)> = KINDS
        .into_iter()
        .filter(|it| *it != "tone.opus" || cfg!(feature = "opus"))
        .map(|it| (it.to_owned(), file(it)))
        .collect();
    files.push(("tone.g722".into(), file("tone.g722")));
    for (ending, told) in TELEPHONE {
        let path = folder.path().join(format!("tone.{ending}"));
        sox(&[&[&sounds("tone.aiff")[..]], told, &[path.to_str().unwrap()]].concat());
        files.push((format!("tone.{ending}"), std::fs::read(path).unwrap()));
    }
    for (name, file) in files {
        let music = reader().music(&file, RawKind::of(&name), |_| ()).await;
        let music = music.unwrap_or_else(|it| panic!("{name} {it}"));
        let length = music.length.as_secs_f64();
        assert!((1.95..2.2).contains(&length), "{name} lasts {length:.2} s");
        assert!((-33.0..-15.0).contains(&music.loudness), "{name}: {} LUFS", music.loudness);
        for (codec, samples) in heard(&music) {
            let rate = codec.rate();
            let loudness = loudness(rate, &samples).unwrap();
            assert!((-23.8..-22.2).contains(&loudness), "{name} in {codec:?}: {loudness:.1} LUFS");
            let second = rate as usize;
            let part = |from: f64, hz| {
                let from = (from * f64::from(rate)) as usize;
                share_at(rate, &samples[from..from + second / 2], hz)
            };
            assert!(part(0.25, 500.0) > 0.9, "{name} in {codec:?} begins with something else");
            assert!(part(1.35, 1_000.0) > 0.9, "{name} in {codec:?} ends with something else");
            if codec == Codec::Pcmu {
                picture::draw(&name, &samples);
            }
        }
    }
}

#[test]
fn gsm_is_decoded_to_the_bit_as_sox_does_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let message = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/message.wav");
    let raw = ["-t", "raw", "-e", "signed", "-b", "16", "-L"];
    for (name, told) in [("sound.gsm", vec![]), ("sound.wav", vec!["-e", "gsm-full-rate"])] {
        sox(&[&[message, "-r", "8000"][..], &told, &[&at(name)]].concat());
        sox(&[&[&at(name)[..]], &raw[..], &[&at("sound.raw")]].concat());
        let expected = std::fs::read(at("sound.raw")).unwrap();
        let expected: Vec<i16> =
            expected.as_chunks().0.iter().map(|it| i16::from_le_bytes(*it)).collect();
        let file = std::fs::read(at(name)).unwrap();
        let mut decoder = gsm::Decoder::default();
        let decoded: Vec<i16> = if name == "sound.gsm" {
            file.as_chunks().0.iter().flat_map(|it| decoder.decode(it).unwrap()).collect()
        } else {
            let data = file.windows(4).position(|it| it == b"data").unwrap() + 8;
            file[data..].as_chunks().0.iter().flat_map(|it| decoder.decode_block(it)).collect()
        };
        assert!(expected.len() > 20_000, "{name}: {}", expected.len());
        assert!(decoded.len() >= expected.len(), "{name}");
        assert!(decoded[..expected.len()] == expected, "{name}");
    }
}

/// What a codec does not carry is gone before it is encoded, and does not come back as something else.
#[tokio::test]
async fn a_sweep_through_all_a_studio_records_has_no_alias() {
    let music = reader().music(&sweep(), None, |_| ()).await.unwrap();
    for (codec, samples) in heard(&music) {
        let rate = codec.rate();
        picture::draw(&format!("sweep-{codec:?}"), &samples);
        let window = rate as usize / 50;
        let loudest = samples.iter().map(|it| it.unsigned_abs()).max().unwrap();
        let (mut carried, mut gone) = (0, 0);
        for (number, part) in samples.chunks_exact(window).enumerate() {
            // In the middle of the window.
            let hz = sweep_hz((number as f64 + 0.5) / 50.0);
            let half = f64::from(rate) / 2.0;
            // Swept over so much while the window lasts.
            if (400.0..half * 0.84).contains(&hz) && codec.law().is_some() {
                carried += 1;
                assert!(
                    chirp(rate, part, hz) > 0.95,
                    "{codec:?} at {hz:.0} Hz: {:.3}",
                    chirp(rate, part, hz)
                );
            } else if hz > half * 1.12 {
                gone += 1;
                let peak = part.iter().map(|it| it.unsigned_abs()).max().unwrap();
                // 50 dB; G.722 has some noise of its own.
                let most = if codec.law().is_some() { loudest / 316 } else { loudest / 100 };
                assert!(peak <= most.max(16), "{codec:?} has {peak} of {loudest} at {hz:.0} Hz");
            }
        }
        assert!(gone > 300 && (carried > 100 || codec.law().is_none()), "{carried}, {gone}");
    }
}

#[tokio::test]
async fn loud_and_soft_music_is_equally_loud_and_far_from_full_scale() {
    for (name, gain, sharp) in [("soft", 0.02, 0.0), ("loud", 1.0, 0.0), ("harsh", 0.02, 0.9)] {
        // A pulse now and then, far above the rest: what a limiter is for.
        let sound = |at: u32| {
            let time = f64::from(at) / 44_100.0;
            let chord: f64 = [220.0, 277.2, 329.6, 1_318.5]
                .map(|hz| (time * hz * std::f64::consts::TAU).sin())
                .iter()
                .sum();
            let pulse = if at % 40_000 < 40 { sharp } else { 0.0 };
            (chord * gain / 4.0 + pulse).clamp(-1.0, 1.0)
        };
        let file = stereo(44_100, 12, |at| [sound(at), sound(at)]);
        let music = reader().music(&file, None, |_| ()).await.unwrap();
        for (codec, samples) in heard(&music) {
            let loudness = loudness(codec.rate(), &samples).unwrap();
            assert!((-23.5..-22.5).contains(&loudness), "{name} in {codec:?}: {loudness:.2} LUFS");
            let mut meter = EbuR128::new(1, codec.rate(), Mode::TRUE_PEAK).unwrap();
            meter.add_frames_i16(&samples).unwrap();
            let peak = 20.0 * meter.true_peak(0).unwrap().log10();
            // What a codec adds is its own; before it is encoded, tests of the limiter look.
            let own = if codec.law().is_some() { 0.2 } else { 1.5 };
            assert!(peak <= -2.0 + own, "{name} in {codec:?}: {peak:.2} dBTP");
        }
    }
}

#[tokio::test]
async fn channels_that_cancel_each_other_are_heard_all_the_same() {
    let sound = |at: u32| 0.3 * (f64::from(at) * 0.05).sin();
    let file = stereo(22_050, 3, |at| [sound(at), -sound(at)]);
    let music = reader().music(&file, None, |_| ()).await.unwrap();
    assert_eq!(music.length.as_millis(), 3_020);
}

#[tokio::test]
async fn an_upload_says_how_far_it_is() {
    let heard = Mutex::new(Vec::new());
    let told = |share| heard.lock().unwrap().push(share);
    reader().music(&tone(44_100, 2, 16, 20), None, told).await.unwrap();
    let heard = heard.into_inner().unwrap();
    assert!(heard.len() > 20 && heard.is_sorted() && heard.last() == Some(&100), "{heard:?}");
}

#[tokio::test]
async fn what_is_no_music_is_refused_with_what_helps() {
    let page = b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>404</body></html>".to_vec();
    let cases = [
        ("song.mp3", page.clone(), "is a web page, not audio; save the sound file itself"),
        ("song.ulaw", page, "is a web page"),
        ("song.aac", efficient(), "is coded in HE-AAC, which cannot be read; convert it to MP3"),
        ("song.wma", b"\x30\x26\xb2\x75 and more".to_vec(), "Windows Media file"),
        ("song.wv", b"wvpk and more".to_vec(), "a WavPack file, which cannot be read; convert it"),
        ("song.mp3", vec![7; 5_000], "is not audio of a kind that can be read; taken are MP3, AAC"),
        ("song.gsm", vec![7; 5_000], "is broken"),
        ("song.sln", vec![0; 32_000], "has no sound in it"),
        ("song.al", Vec::new(), "is empty"),
        ("song.wav", tone(16_000, 1, 16, 0), "has no sound in it"),
        ("song.au", b".snd\0\0\0\x18".to_vec(), "is cut off"),
        ("song.au", sun(24, 8_000, 9, 8_000, 1), "is coded in a way that cannot be read"),
        ("song.au", sun(24, u32::MAX - 1, 1, 8_000, 1), "is cut off"),
        ("song.au", sun(u32::MAX, u32::MAX, 1, 8_000, 1), "is cut off"),
        ("song.au", sun(24, 8_000, 1, 0, 1), "its rate is 0 Hz"),
        ("song.au", sun(24, 8_000, 1, u32::MAX, 1), "its rate is 4294967295 Hz"),
        ("song.au", sun(24, 8_000, 1, 8_000, 0), "it has 0 channels"),
        ("song.au", sun(24, 8_000, 1, 8_000, u32::MAX), "channels; taken are 1 to 8"),
        ("song.sln", vec![1; 2 * 8_000 * 1_801], "is longer than 1800 s"),
        ("song.wav", tone(8_000, 1, 8, 1_801), "is longer than 1800 s"),
    ];
    for (name, file, why) in cases {
        refused(&file, RawKind::of(name), why).await;
    }
    let huge = reader().music(&vec![0; LARGEST_MUSIC + 1], None, |_| ()).await.unwrap_err();
    assert!(matches!(huge, DecodeError::TooLarge(LARGEST_MUSIC)), "{huge}");
}

/// 164 kB that last a day, whatever is said in front.
#[tokio::test]
async fn a_day_of_music_is_refused_when_half_an_hour_is_over() {
    let mut day = file("day.flac");
    day[21] &= 0xf0;
    day[22..26].copy_from_slice(&80_000_u32.to_be_bytes());
    refused(&day, None, "is longer than 1800 s").await;
}

#[tokio::test]
async fn values_that_are_no_sound_reach_nobody_on_hold() {
    let mut file = tone(8_000, 1, 16, 2);
    let rates = [(0_u32, "0 Hz"), (u32::MAX, "4294967295 Hz")];
    for (rate, said) in rates {
        file[24..28].copy_from_slice(&rate.to_le_bytes());
        refused(&file, None, said).await;
    }
    for value in [f32::NAN, f32::INFINITY, 1e38] {
        let mut file = wav::to_wav(&[0; 16_000], 8_000);
        // Floating point of 32 bits.
        file[20] = 3;
        file[28..32].copy_from_slice(&32_000_u32.to_le_bytes());
        (file[32], file[34]) = (4, 32);
        file[4_044..4_048].copy_from_slice(&value.to_le_bytes());
        refused(&file, None, "values in it that are no sound").await;
    }
}

/// Cut off anywhere and with bytes changed: there is an answer, and the next file is read.
#[tokio::test]
async fn damaged_music_gets_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let reader = reader();
    for (ending, told) in TELEPHONE {
        let path = folder.path().join(format!("tone.{ending}"));
        sox(&[&[&sounds("tone.aiff")[..]], told, &[path.to_str().unwrap()]].concat());
        let whole = std::fs::read(&path).unwrap();
        let kind = RawKind::of(path.to_str().unwrap());
        for length in [1, 11, 27, 45, 61, whole.len() / 2, whole.len() - 1] {
            reader.music(&whole[..length], kind, |_| ()).await.ok();
        }
        let mut state = 7_u32;
        for _ in 0..4 {
            let mut file = whole.clone();
            for _ in 0..20 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Mostly the header's.
                let at = (state >> 8) as usize % if state & 1 == 0 { 70 } else { file.len() };
                file[at] = (state >> 24) as u8;
            }
            reader.music(&file, kind, |_| ()).await.ok();
        }
    }
    reader.music(&file("tone.mp3"), None, |_| ()).await.unwrap();
}

#[tokio::test]
async fn the_music_that_comes_with_us_is_even_and_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/music");
    let files = ["morning-walk.ogg", "evening-boats.ogg"];
    let files = files.map(|it| std::fs::read(folder.join(it)).unwrap());
    assert!(files.iter().map(Vec::len).sum::<usize>() < 3_000_000);
    for file in files {
        let music = reader().music(&file, None, |_| ()).await.unwrap();
        assert!((240..400).contains(&music.length.as_secs()), "{:?}", music.length);
        let (codec, samples) = heard(&music).remove(0);
        let mut meter = EbuR128::new(1, codec.rate(), Mode::LRA).unwrap();
        meter.add_frames_i16(&samples).unwrap();
        let range = meter.loudness_range().unwrap();
        assert!(range < 8.0, "{range:.1} LU");
    }
}

/// What a phone hears, in each codec that is decoded sample by sample.
fn heard(music: &Music) -> Vec<(Codec, Vec<i16>)> {
    let clip = music.clip("music");
    let law = |codec, law: Law| {
        let bytes = clip.ready(codec).unwrap().between(0, usize::MAX);
        (codec, bytes.iter().map(|it| law.decode(*it)).collect())
    };
    let mut wide = Vec::new();
    let bytes = clip.ready(Codec::G722).unwrap().between(0, usize::MAX);
    g722::Decoder::default().decode(bytes, &mut wide);
    vec![law(Codec::Pcmu, Law::Mu), law(Codec::Pcma, Law::A), (Codec::G722, wide)]
}

async fn refused(file: &[u8], kind: Option<RawKind>, why: &str) {
    match reader().music(file, kind, |_| ()).await {
        Ok(music) => panic!("{why}: {:?} came of it", music.length),
        Err(error) => assert!(error.to_string().contains(why), "{error}, and not {why}"),
    }
}

/// SoX, which comes with Debian: an encoder that is not ours.
fn sox(arguments: &[&str]) {
    let done = Command::new("sox").arg("-D").args(arguments).output();
    let done = done.expect("sox is there; make test-setup installs it");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn sounds(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sounds").join(name);
    path.to_str().unwrap().to_owned()
}

/// A Sun file with a second of sound.
fn sun(begin: u32, length: u32, coding: u32, rate: u32, channels: u32) -> Vec<u8> {
    let numbers = [begin, length, coding, rate, channels].map(u32::to_be_bytes).concat();
    [&b".snd"[..], &numbers, &[0x30; 8_000]].concat()
}

/// Both channels of a WAV file.
fn stereo(rate: u32, seconds: u32, mut sound: impl FnMut(u32) -> [f64; 2]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for at in 0..rate * seconds {
        for value in sound(at) {
            writer.write_sample((value * 32_000.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// Seconds up, and as many down again.
const SWEEP: f64 = 8.0;

/// From 100 to 20,000 Hz, and back.
fn sweep_hz(time: f64) -> f64 {
    let up = if time < SWEEP { time } else { 2.0 * SWEEP - time };
    100.0 + 19_900.0 * up / SWEEP
}

fn sweep() -> Vec<u8> {
    let mut turn = 0.0_f64;
    stereo(44_100, SWEEP as u32 * 2, |at| {
        turn += std::f64::consts::TAU * sweep_hz(f64::from(at) / 44_100.0) / 44_100.0;
        [0.5 * turn.sin(); 2]
    })
}

/// How much of 20 ms is a tone that rises or falls as the sweep does: the best of both.
fn chirp(rate: u32, samples: &[i16], hz: f64) -> f64 {
    let pace = 19_900.0 / SWEEP / f64::from(rate);
    let all: f64 = samples.iter().map(|it| f64::from(*it).powi(2)).sum();
    // It is late by what was trimmed and what filters are off: some hertz.
    let shares = (-30..=30).flat_map(|off| [(off, pace), (off, -pace)]).map(|(off, pace)| {
        let (mut re, mut im, mut turn) = (0.0, 0.0, 0.0_f64);
        for (at, &sample) in samples.iter().enumerate() {
            let away = at as f64 - samples.len() as f64 / 2.0;
            turn +=
                std::f64::consts::TAU * (hz + f64::from(off) * 4.0 + pace * away) / f64::from(rate);
            re += f64::from(sample) * turn.cos();
            im += f64::from(sample) * turn.sin();
        }
        2.0 * (re * re + im * im) / (all * samples.len() as f64)
    });
    shares.fold(0.0, f64::max)
}
