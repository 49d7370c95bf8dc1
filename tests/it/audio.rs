//! What the listener makes of speech, silence and the tones of many networks; WAV files.
#![expect(clippy::print_stdout, reason = "figures, seen with --nocapture")]

mod dtmf;
pub(crate) mod wide;

use std::{path::Path, time::Duration};

use afterbeep::audio::{
    g711::Law,
    listener::{Listener, Rules, Verdict, Why, length_of},
    wav::{WavError, from_wav, to_wav},
};
use proptest::prelude::*;

const RATE: usize = 8_000;

fn rules() -> Rules {
    Rules {
        end_of_message_silence: Some(Duration::from_secs(8)),
        longest: Duration::from_secs(120),
        tones: true,
        keys: false,
    }
}

/// Hears in pieces of odd sizes, as a call delivers them; answers the verdict and when it came.
fn listen(rules: &Rules, samples: &[i16]) -> (Listener, Option<(Verdict, usize)>) {
    let mut listener = Listener::new(rules);
    let mut heard = 0;
    for piece in samples.chunks(373) {
        heard += piece.len();
        if let Some(verdict) = listener.hear(piece) {
            return (listener, Some((verdict, heard)));
        }
    }
    (listener, None)
}

mod ending {
    use super::*;

    #[test]
    fn eight_seconds_of_silence_end_a_message_and_a_short_pause_of_them_stays() {
        let spoken = speech(5.0);
        let samples = [spoken.clone(), noise(20.0, -60.0)].concat();
        let (listener, verdict) = listen(&rules(), &samples);
        let (verdict, when) = verdict.unwrap();
        assert_eq!(verdict.why, Why::Silence);
        let kept = verdict.keep as usize - spoken.len();
        assert!((RATE / 2..=RATE).contains(&kept), "{kept} samples of silence");
        assert!(when >= spoken.len() + 7 * RATE && when <= spoken.len() + 9 * RATE, "at {when}");
        assert!(listener.voiced(verdict.keep) > Duration::from_secs(2));
    }

    #[test]
    fn nobody_speaking_is_a_message_without_voice() {
        let (listener, verdict) = listen(&rules(), &noise(10.0, -55.0));
        let (verdict, when) = verdict.unwrap();
        assert_eq!((verdict.why, when / RATE), (Why::Silence, 8));
        assert_eq!(listener.voiced(verdict.keep), Duration::ZERO);
        assert!(length_of(verdict.keep) <= Duration::from_secs(1));
    }

    #[test]
    fn digital_silence_counts_as_silence() {
        let verdict = listen(&rules(), &[speech(2.0), vec![0; 9 * RATE]].concat()).1;
        assert_eq!(verdict.unwrap().0.why, Why::Silence);
    }

    #[test]
    fn silence_ends_nothing_where_that_is_off() {
        for off in [None, Some(Duration::ZERO)] {
            let rules = Rules { end_of_message_silence: off, ..rules() };
            assert!(listen(&rules, &noise(60.0, -60.0)).1.is_none());
        }
    }

    #[test]
    fn a_pause_shorter_than_set_goes_on() {
        let samples =
            [speech(2.0), noise(7.0, -55.0), speech(2.0), noise(7.0, -55.0), speech(1.0)].concat();
        assert!(listen(&rules(), &samples).1.is_none());
    }

    #[test]
    fn the_maximum_length_is_kept_to_the_sample() {
        let rules = Rules { longest: Duration::from_micros(3_000_125), ..rules() };
        let (verdict, _) = listen(&rules, &speech(5.0)).1.unwrap();
        assert_eq!(verdict, Verdict { why: Why::Longest, keep: 24_001 });
    }

    #[test]
    fn a_verdict_is_given_once() {
        let mut listener = Listener::new(&rules());
        let verdicts = (0..60).filter_map(|_| listener.hear(&[0; RATE])).count();
        assert_eq!(verdicts, 1);
    }
}

mod tones {
    use super::*;

    /// Frequencies, then seconds on and off; an off of 0 is a continuous tone.
    const NETWORKS: &[(&str, &[f64], f64, f64)] = &[
        ("busy, North America", &[480.0, 620.0], 0.5, 0.5),
        ("reorder, North America", &[480.0, 620.0], 0.25, 0.25),
        ("dial, North America", &[350.0, 440.0], 9.0, 0.0),
        ("busy, Germany", &[425.0], 0.48, 0.48),
        ("congestion, Germany", &[425.0], 0.24, 0.24),
        ("dial, Germany", &[425.0], 9.0, 0.0),
        ("busy, France", &[440.0], 0.5, 0.5),
        ("congestion, France", &[440.0], 0.25, 0.25),
        ("busy, United Kingdom", &[400.0], 0.375, 0.375),
        ("dial, United Kingdom", &[350.0, 450.0], 9.0, 0.0),
        ("busy, Italy", &[425.0], 0.5, 0.5),
        ("congestion, Italy", &[425.0], 0.2, 0.2),
        ("busy, Spain", &[425.0], 0.2, 0.2),
        ("busy, Japan", &[400.0], 0.5, 0.5),
        ("busy, China", &[450.0], 0.35, 0.35),
        ("busy, Brazil", &[425.0], 0.25, 0.25),
        ("congestion, China", &[450.0], 0.7, 0.7),
    ];

    #[test]
    fn tones_of_many_networks_end_a_message_and_are_cut_off_whole() {
        for &(name, frequencies, on, off) in NETWORKS {
            for (dbfs, detune, noise_dbfs) in
                [(-10.0, 1.0, -65.0), (-20.0, 1.008, -50.0), (-28.0, 0.992, -48.0)]
            {
                for law in [Law::Mu, Law::A] {
                    let spoken = speech(3.37);
                    let frequencies: Vec<_> = frequencies.iter().map(|it| it * detune).collect();
                    let tone = cadence(&frequencies, on, off, 9.0, dbfs);
                    let mut samples = [spoken.clone(), noise(0.4, -60.0), tone].concat();
                    add(&mut samples, &noise(15.0, noise_dbfs));
                    let samples: Vec<_> =
                        samples.iter().map(|&it| law.decode(law.encode(it))).collect();
                    let case = format!("{name} at {dbfs} dBFS, {law:?}");
                    let (verdict, when) = listen(&rules(), &samples).1.expect(&case);
                    assert_eq!(verdict.why, Why::Tone, "{case}");
                    let began = spoken.len() + 3_200;
                    let cut = verdict.keep as usize;
                    assert!((began - 480..=began).contains(&cut), "{case}: {cut}, not {began}");
                    assert!(when - began <= 6 * RATE, "{case}: after {}", when - began);
                }
            }
        }
    }

    #[test]
    fn special_information_tones_end_a_message() {
        for notes in
            [[950.0, 1_400.0, 1_800.0], [913.8, 1_370.6, 1_776.7], [985.2, 1_428.5, 1_776.7]]
        {
            for length in [0.274, 0.33, 0.38] {
                let spoken = speech(2.0);
                let mut samples = [spoken.clone(), vec![0; 3_200]].concat();
                for note in notes {
                    samples.extend(cadence(&[note], length, 0.0, length, -16.0));
                }
                samples.extend(speech(3.0));
                let (verdict, _) = listen(&rules(), &samples).1.expect("a tone");
                assert_eq!(verdict.why, Why::Tone);
                let cut = verdict.keep as usize;
                let began = spoken.len() + 3_200;
                assert!((began - 480..=began).contains(&cut), "{cut}, not {began}");
            }
        }
    }

    #[test]
    fn a_tone_is_not_part_of_what_was_spoken() {
        let spoken = speech(4.0);
        let samples = [spoken.clone(), cadence(&[425.0], 0.5, 0.5, 6.0, -12.0)].concat();
        let (listener, verdict) = listen(&rules(), &samples);
        let keep = verdict.unwrap().0.keep;
        assert!(listener.voiced(keep) <= length_of(keep));
        assert!(listener.voiced(keep) < listener.voiced(u64::MAX >> 20));
    }

    #[test]
    fn tones_end_nothing_where_that_is_off() {
        let rules = Rules { tones: false, ..rules() };
        assert!(listen(&rules, &cadence(&[480.0, 620.0], 0.5, 0.5, 20.0, -12.0)).1.is_none());
    }

    /// Beeps, keys and machines that are no call-progress tone.
    #[test]
    fn other_pure_tones_do_not_end_a_message() {
        let keys: Vec<i16> = [(697.0, 1_209.0), (770.0, 1_336.0), (852.0, 1_477.0)]
            .iter()
            .cycle()
            .take(30)
            .flat_map(|&(low, high)| cadence(&[low, high], 0.1, 0.1, 0.2, -10.0))
            .collect();
        let one_beep = [speech(2.0), cadence(&[425.0], 0.5, 0.0, 0.5, -10.0), speech(2.0)].concat();
        let two_beeps =
            [speech(1.0), cadence(&[440.0], 0.4, 0.4, 1.6, -10.0), speech(2.0)].concat();
        let fax = cadence(&[1_100.0], 0.5, 3.0, 30.0, -10.0);
        for samples in [keys, one_beep, two_beeps, fax, sung(440.0, 6.0), sung(350.0, 6.0)] {
            let verdict = listen(&Rules { end_of_message_silence: None, ..rules() }, &samples).1;
            assert_eq!(verdict, None);
        }
    }

    /// Every recording of speech there is on this machine; the synthetic voice is always there.
    #[test]
    fn speech_is_never_taken_for_a_tone() {
        let mut clips = vec![("synthetic".to_owned(), speech(60.0))];
        for folder in ["/usr/share/asterisk/sounds", "/usr/share/pocketsphinx/test/data"] {
            gather(Path::new(folder), &mut clips);
        }
        let rules = Rules {
            end_of_message_silence: None,
            longest: Duration::MAX,
            tones: true,
            keys: false,
        };
        let mut taken = Vec::new();
        let started = std::time::Instant::now();
        for (name, samples) in &clips {
            if let Some((verdict, when)) = listen(&rules, samples).1 {
                taken.push(format!("{name}: {verdict:?} at {:.1} s", when as f64 / 8_000.0));
            }
        }
        let samples: usize = clips.iter().map(|it| it.1.len()).sum();
        println!(
            "{} clips, {:.0} s: {} taken for a tone; {:.2} µs for 20 ms",
            clips.len(),
            samples as f64 / RATE as f64,
            taken.len(),
            started.elapsed().as_secs_f64() * 1e6 / (samples as f64 / 160.0),
        );
        assert!(taken.is_empty(), "{taken:#?}");
    }
}

mod files {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for samples in [vec![], vec![0], vec![i16::MIN, -1, 0, 1, i16::MAX], speech(1.0)] {
            let sound = from_wav(&to_wav(&samples, 8_000), 10).unwrap();
            assert_eq!((sound.rate, sound.samples), (8_000, samples));
        }
    }

    /// A plain header of 44 bytes: every player and mail reader knows it.
    #[test]
    fn the_header_is_the_plain_one() {
        let file = to_wav(&[1, 2, 3], 16_000);
        assert_eq!((file.len(), &file[..4], &file[8..16]), (50, &b"RIFF"[..], &b"WAVEfmt "[..]));
        assert_eq!(u32::from_le_bytes(file[24..28].try_into().unwrap()), 16_000);
    }

    #[test]
    fn depths_and_channels_are_brought_to_sixteen_bits_and_one() {
        for (bits, format) in [
            (8, hound::SampleFormat::Int),
            (16, hound::SampleFormat::Int),
            (24, hound::SampleFormat::Int),
            (32, hound::SampleFormat::Float),
        ] {
            for channels in [1, 2, 8] {
                let file = half_scale(48_000, channels, bits, format);
                let sound = from_wav(&file, 1).unwrap();
                assert_eq!((sound.rate, sound.samples.len()), (48_000, 100));
                assert!(sound.samples.iter().all(|it| *it == 16_384), "{bits} bits, {channels}");
            }
        }
    }

    #[test]
    fn what_is_outside_the_limits_is_refused() {
        let int = hound::SampleFormat::Int;
        let refused = |file: &[u8]| from_wav(file, 1).unwrap_err();
        for rate in [0, 1, 3_999, 192_001, u32::MAX / 2] {
            assert!(
                matches!(refused(&half_scale(rate, 1, 16, int)), WavError::Rate(r) if r == rate)
            );
        }
        assert!(matches!(refused(&half_scale(8_000, 9, 16, int)), WavError::Channels(9)));
        assert!(matches!(refused(&to_wav(&[0; 8_001], 8_000)), WavError::TooLong(1)));
        for file in [&b""[..], b"RIFF", b"ID3 not a wav", &to_wav(&[0; 100], 8_000)[..60]] {
            assert!(matches!(refused(file), WavError::Format(_)));
        }
    }

    proptest! {
        /// Files are made by strangers: any change to one is sound or a refusal, never a panic.
        #[test]
        fn a_damaged_file_is_read_or_refused(
            bits in prop::sample::select(vec![8_u16, 16, 24]),
            changes in prop::collection::vec((0..120_usize, any::<u8>()), 1..6),
            length in 0..400_usize,
        ) {
            let mut file = half_scale(8_000, 2, bits, hound::SampleFormat::Int);
            for (at, byte) in changes {
                let at = at % file.len();
                file[at] = byte;
            }
            file.truncate(length.max(20));
            if let Ok(sound) = from_wav(&file, 5) {
                prop_assert!(sound.samples.len() <= 5 * sound.rate as usize);
            }
        }
    }

    fn half_scale(rate: u32, channels: u16, bits: u16, format: hound::SampleFormat) -> Vec<u8> {
        let mut file = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels,
            sample_rate: 8_000,
            bits_per_sample: bits,
            sample_format: format,
        };
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for _ in 0..100 * channels {
            match format {
                hound::SampleFormat::Float => writer.write_sample(0.5_f32).unwrap(),
                hound::SampleFormat::Int => writer.write_sample(1_i32 << (bits - 2)).unwrap(),
            }
        }
        writer.finalize().unwrap();
        let mut file = file.into_inner();
        // A rate hound would not write: put it in afterwards, with the bytes a second to match.
        let at = file.windows(4).position(|it| it == b"fmt ").unwrap() + 12;
        file[at..at + 4].copy_from_slice(&rate.to_le_bytes());
        let width = u32::from(bits / 8) * u32::from(channels);
        file[at + 4..at + 8].copy_from_slice(&rate.wrapping_mul(width).to_le_bytes());
        file
    }
}

/// Something like a voice: a gliding buzz through moving formants, in syllables with short pauses.
fn speech(seconds: f64) -> Vec<i16> {
    let mut chance = Chance(7);
    let mut samples = Vec::new();
    let mut phase = 0.0_f64;
    while samples.len() < (seconds * RATE as f64) as usize {
        let (pitch, glide) = (90.0 + 160.0 * chance.unit(), 0.8 + 0.4 * chance.unit());
        let formants = [300.0 + 500.0 * chance.unit(), 900.0 + 1_300.0 * chance.unit()];
        let length = (0.08 + 0.22 * chance.unit()) * RATE as f64;
        for at in 0..length as usize {
            let part = at as f64 / length;
            let pitch = pitch * (1.0 + (glide - 1.0) * part);
            phase += pitch / RATE as f64;
            let sum: f64 = (1..=(3_400.0 / pitch) as usize)
                .map(|harmonic| {
                    let near =
                        |it: f64| 1.0 / (1.0 + ((harmonic as f64 * pitch - it) / 90.0).powi(2));
                    let loud = near(formants[0]) + 0.4 * near(formants[1]) + 0.01;
                    loud * (std::f64::consts::TAU * phase * harmonic as f64).sin()
                })
                .sum();
            let swell = (std::f64::consts::PI * part).sin();
            samples.push((sum * swell * 5_000.0 + 30.0 * (chance.unit() - 0.5)) as i16);
        }
        samples.extend(noise(if chance.unit() < 0.2 { 0.3 } else { 0.03 }, -60.0));
    }
    samples.truncate((seconds * RATE as f64) as usize);
    // It ends on a voice, so that tests know where.
    let end = samples.len() - RATE / 4;
    samples.truncate(end);
    samples.extend(sung(180.0, 0.25));
    samples
}

/// A held note with three harmonics and vibrato.
fn sung(pitch: f64, seconds: f64) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..(seconds * RATE as f64) as usize)
        .map(|at| {
            let vibrato =
                1.0 + 0.02 * (std::f64::consts::TAU * 5.5 * at as f64 / RATE as f64).sin();
            phase += pitch * vibrato / RATE as f64;
            let wave = |n: f64| (std::f64::consts::TAU * phase * n).sin();
            (6_000.0 * (wave(1.0) + 0.15 * wave(2.0) + 0.05 * wave(3.0))) as i16
        })
        .collect()
}

fn cadence(frequencies: &[f64], on: f64, off: f64, seconds: f64, dbfs: f64) -> Vec<i16> {
    let loud = 32_768.0 * 10_f64.powf(dbfs / 20.0) * (2.0 / frequencies.len() as f64).sqrt();
    (0..(seconds * RATE as f64) as usize)
        .map(|at| {
            let time = at as f64 / RATE as f64;
            if time % (on + off) >= on {
                return 0;
            }
            let sum: f64 =
                frequencies.iter().map(|it| (std::f64::consts::TAU * it * time).sin()).sum();
            (sum * loud) as i16
        })
        .collect()
}

fn noise(seconds: f64, dbfs: f64) -> Vec<i16> {
    let peak = 32_768.0 * 10_f64.powf(dbfs / 20.0) * 3_f64.sqrt();
    let mut chance = Chance(88_172_645_463_325_252);
    (0..(seconds * RATE as f64) as usize)
        .map(|_| ((2.0 * chance.unit() - 1.0) * peak).round() as i16)
        .collect()
}

fn add(samples: &mut [i16], more: &[i16]) {
    samples.iter_mut().zip(more).for_each(|(it, more)| *it = it.saturating_add(*more));
}

/// Wave files below a folder, and raw ones at 16 kHz; nothing where there is no such folder.
fn gather(folder: &Path, clips: &mut Vec<(String, Vec<i16>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            // Links lead to folders that are visited anyway.
            if !path.is_symlink() {
                gather(&path, clips);
            }
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let (rate, samples) = match path.extension().and_then(|it| it.to_str()) {
            Some("wav") => {
                let Ok(sound) = from_wav(&bytes, 600) else { continue };
                (sound.rate, sound.samples)
            }
            Some("raw") => {
                let pairs = bytes.chunks_exact(2);
                (16_000, pairs.map(|it| i16::from_le_bytes([it[0], it[1]])).collect())
            }
            _ => continue,
        };
        let step = (rate / 8_000).max(1) as usize;
        let at_8k = samples
            .chunks(step)
            .map(|it| (it.iter().map(|&it| i32::from(it)).sum::<i32>() / it.len() as i32) as i16);
        clips.push((path.display().to_string(), at_8k.collect()));
    }
}

struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
