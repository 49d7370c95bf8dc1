//! Sound files as people send them, and as nobody should: each is decoded in a process of its own.

mod chained;
mod music;
mod picture;

use std::path::Path;

use afterbeep::{
    audio::{loudness::loudness, wav},
    decode::{DecodeError, LARGEST, RATE, Reader},
};

const KINDS: [&str; 12] = [
    "tone.mp3",
    "tone.m4a",
    "tone.aac",
    "tone.ogg",
    "tone.opus",
    "tone.flac",
    "tone-alac.m4a",
    "tone.aiff",
    "tone-mulaw.wav",
    "tone-alaw.wav",
    "tone-adpcm-ms.wav",
    "tone-adpcm-ima.wav",
];

/// Two seconds: one of 500 Hz, one of 1,000 Hz.
#[tokio::test]
async fn every_kind_of_sound_file_is_heard_as_it_was_made() {
    for name in KINDS {
        if name == "tone.opus" && cfg!(not(feature = "opus")) {
            continue;
        }
        let samples = reader().read(&file(name)).await.unwrap_or_else(|it| panic!("{name} {it}"));
        let seconds = samples.len() as f64 / f64::from(RATE);
        assert!((1.95..2.15).contains(&seconds), "{name} lasts {seconds:.2} s");
        let loudness = loudness(RATE, &samples).unwrap();
        assert!((-23.5..-22.5).contains(&loudness), "{name}: {loudness:.1} LUFS");
        let tone = |from: usize, hz| share(&samples[from..from + 8_000], hz);
        assert!(tone(4_000, 500.0) > 0.95, "{name} begins with something else");
        assert!(tone(22_000, 1_000.0) > 0.95, "{name} ends with something else");
    }
}

#[tokio::test]
async fn every_rate_and_width_of_wav_is_heard_at_the_same_height() {
    for (rate, channels, bits) in
        [(8_000, 1, 8), (11_025, 2, 16), (44_100, 2, 24), (192_000, 8, 32), (4_000, 1, 16)]
    {
        let samples = reader().read(&tone(rate, channels, bits, 2)).await.unwrap();
        assert!(samples.len().abs_diff(32_000) <= 1, "{rate} Hz: {}", samples.len());
        assert!(share(&samples[8_000..24_000], 500.0) > 0.95, "{rate} Hz with {bits} bits");
    }
}

#[tokio::test]
async fn what_is_no_sound_is_refused_with_what_helps() {
    let page = b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>404</body></html>".to_vec();
    let cases = [
        (page, "is a web page, not audio; save the sound file itself"),
        (file("film.mp4"), "is a video, not audio; save its sound alone"),
        (b"RIFF\0\0\0\0AVI LIST".to_vec(), "is a video"),
        (b"#EXTM3U\nhttp://radio.example/1.mp3".to_vec(), "is a list of files"),
        (b"PK\x03\x04 and more".to_vec(), "is an archive, not audio; unpack it first"),
        (b"%PDF-1.7".to_vec(), "is a document"),
        (b"\x1a\x45\xdf\xa3\x01webm".to_vec(), "is a WebM or Matroska file"),
        (Vec::new(), "is empty"),
        (vec![0; 5_000], "is not audio of a kind that can be read; taken are MP3, AAC"),
        (b"RIFF, but no more".to_vec(), "is not audio of a kind that can be read"),
        (efficient(), "is coded in HE-AAC, which cannot be read; convert it to MP3"),
        (tone(16_000, 1, 16, 0), "has no sound in it"),
        (wav::to_wav(&[0; 32_000], 16_000), "has no sound in it"),
        (tone(8_000, 1, 8, 301), "is longer than 300 s"),
        (tone(2_000, 1, 16, 1), "its rate is 2000 Hz"),
    ];
    for (file, why) in cases {
        refused(&file, why).await;
    }
    let huge = reader().read(&vec![0; LARGEST + 1]).await.unwrap_err();
    assert!(matches!(huge, DecodeError::TooLarge(_)), "{huge}");
}

#[tokio::test]
async fn a_header_is_not_believed() {
    let whole = tone(8_000, 1, 16, 2);
    for (rate, said) in [(0_u32, "0 Hz"), (1, "1 Hz"), (u32::MAX, "4294967295 Hz")] {
        let mut file = whole.clone();
        file[24..28].copy_from_slice(&rate.to_le_bytes());
        refused(&file, said).await;
    }
    let mut cut = whole.clone();
    cut.truncate(whole.len() / 2);
    refused(&cut, "is cut off").await;
    // Written by somebody who did not know yet how long it would be.
    let mut streamed = whole.clone();
    streamed[4..8].fill(0xff);
    streamed[40..44].fill(0xff);
    assert_eq!(reader().read(&streamed).await.unwrap().len(), 32_000);

    // A day of silence that says it lasts ten seconds.
    let mut day = file("day.flac");
    day[21] &= 0xf0;
    day[22..26].copy_from_slice(&80_000_u32.to_be_bytes());
    refused(&day, "is longer than 300 s").await;
}

#[tokio::test]
async fn values_that_are_no_sound_reach_no_caller() {
    for value in [f32::NAN, f32::INFINITY, 1e38, -1e4] {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for at in 0..8_000 {
            writer.write_sample(if at == 4_000 { value } else { (at as f32 / 8.0).sin() }).unwrap();
        }
        writer.finalize().unwrap();
        refused(&file.into_inner(), "values in it that are no sound").await;
    }
}

/// Whatever is wrong in the middle of a file, there is an answer, and the next file is read.
#[tokio::test]
async fn damaged_files_get_an_answer_each() {
    let reader = reader();
    for name in KINDS {
        for seed in 0..4_u32 {
            let mut file = file(name);
            let mut state = seed + 1;
            for _ in 0..20 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = state as usize % file.len();
                file[at] = (state >> 24) as u8;
            }
            if let Ok(samples) = reader.read(&file).await {
                assert!(samples.len() <= 300 * RATE as usize, "{name}");
            }
        }
    }
    reader.read(&file("tone.mp3")).await.unwrap();
}

#[tokio::test]
async fn a_decoder_that_was_stopped_says_nothing_of_the_file() {
    for (worker, says) in [
        ("stopped", "could not be read to its end"),
        ("killed", "is too much for the decoder"),
        ("there-is-none", "could not be read to its end"),
    ] {
        let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/workers").join(worker);
        let error = Reader::new(worker).read(&tone(8_000, 1, 16, 1)).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}, and not {says}");
        assert_eq!(error.is_temporary(), says.starts_with("could"), "{error}");
    }
}

fn reader() -> Reader {
    Reader::new(env!("CARGO_BIN_EXE_afterbeep").into())
}

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sounds").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn refused(file: &[u8], why: &str) {
    match reader().read(file).await {
        Ok(samples) => panic!("{why}: {} samples came of it", samples.len()),
        Err(error) => assert!(error.to_string().contains(why), "{error}, and not {why}"),
    }
}

/// Of AAC-LC in M4A, with a header that says HE-AAC.
fn efficient() -> Vec<u8> {
    let mut file = file("tone.m4a");
    let at = file.windows(2).position(|it| it == [0x12, 0x08]).unwrap();
    file[at] = 0x2a;
    file
}

/// 500 Hz in a WAV file.
fn tone(rate: u32, channels: u16, bits: u16, seconds: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    let peak = f64::from(1_i32 << (bits - 3));
    for at in 0..rate * seconds {
        let turn = std::f64::consts::TAU * 500.0 * f64::from(at) / f64::from(rate);
        for _ in 0..channels {
            writer.write_sample((peak * turn.sin()) as i32).unwrap();
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// How much of the sound is this tone.
fn share(samples: &[i16], hz: f64) -> f64 {
    share_at(RATE, samples, hz)
}

fn share_at(rate: u32, samples: &[i16], hz: f64) -> f64 {
    let step = std::f64::consts::TAU * hz / f64::from(rate);
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (value, angle) = (f64::from(sample), step * n as f64);
        re += value * angle.cos();
        im += value * angle.sin();
        all += value * value;
    }
    2.0 * (re * re + im * im) / (all * samples.len() as f64)
}
