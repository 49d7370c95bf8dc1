//! The codecs of wideband: what is left of a sound that went through them, and what is made of losses.

use afterbeep::audio::{
    Clip, Codec,
    decoder::{Decoder, Width},
    g722, opus_packet,
    piece::{self, Piece},
    resample::resample,
    wav::from_wav,
};
use proptest::prelude::*;

/// Samples a second.
const WIDE: usize = 16_000;

/// Recorded prompts in G.722 that others encoded, and the same at 8 kHz.
const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

fn tone(hz: f64, seconds: f64) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hz / WIDE as f64;
    (0..(seconds * WIDE as f64) as usize)
        .map(|at| (8_000.0 * (turn * at as f64).sin()) as i16)
        .collect()
}

/// Twenty seconds of somebody reading, at 16 kHz.
pub(crate) fn reading() -> Vec<i16> {
    let path =
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav";
    let file = std::fs::read(path).expect("install pocketsphinx-testdata");
    let sound = from_wav(&file, 60).unwrap();
    assert_eq!(sound.rate as usize, WIDE);
    sound.samples
}

/// How far `heard` is behind `said`, up to 40 ms, and in dB how much stronger what was said is
/// than what was added to it.
pub(crate) fn likeness(said: &[i16], heard: &[i16]) -> (usize, f64) {
    likeness_within(640, said, heard)
}

/// The same with another limit, in samples.
pub(crate) fn likeness_within(most: usize, said: &[i16], heard: &[i16]) -> (usize, f64) {
    let products = |lag: usize| -> f64 {
        said.iter()
            .zip(heard.get(lag..).unwrap_or_default())
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let lag = (0..most).max_by(|a, b| products(*a).total_cmp(&products(*b))).unwrap();
    let pairs: Vec<_> =
        said.iter().zip(&heard[lag..]).map(|(a, b)| (f64::from(*a), f64::from(*b))).collect();
    let (own, other): (f64, f64) =
        (pairs.iter().map(|it| it.0 * it.0).sum(), pairs.iter().map(|it| it.0 * it.1).sum());
    let gain = other / own;
    let rest: f64 = pairs.iter().map(|it| (it.1 - gain * it.0).powi(2)).sum();
    (lag, 10.0 * (gain * gain * own / rest.max(1e-9)).log10())
}

fn through_g722(samples: &[i16]) -> Vec<i16> {
    let mut heard = Vec::new();
    g722::Decoder::default().decode(&g722::Encoder::default().encode(samples), &mut heard);
    heard
}

/// The packets of a clip in Opus, as pieces.
#[cfg(feature = "opus")]
fn packets(samples: &[i16]) -> Vec<Vec<u8>> {
    let clip = Clip::at("test", samples.to_vec(), WIDE as u32);
    clip.prepare(Codec::Opus);
    let encoded = clip.ready(Codec::Opus).unwrap();
    (0..).map_while(|it| encoded.packet(it).map(<[u8]>::to_vec)).collect()
}

fn row(pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut bytes = [0; piece::HEADER + piece::LONGEST];
    pieces
        .iter()
        .flat_map(|it| {
            let length = it.write(&mut bytes);
            bytes[..length].to_vec()
        })
        .collect()
}

fn decoded(codec: Codec, width: Width, pieces: &[Piece<'_>]) -> Vec<i16> {
    let (mut decoder, mut heard) = (Decoder::new(codec, width).unwrap(), Vec::new());
    decoder.decode(&row(pieces), &mut heard).unwrap();
    decoder.finish(&mut heard);
    heard
}

#[test]
fn g722_keeps_tones_of_both_bands() {
    for (hz, least) in
        [(200.0, 25.0), (1_000.0, 25.0), (3_000.0, 20.0), (5_000.0, 10.0), (6_500.0, 10.0)]
    {
        let said = tone(hz, 1.0);
        let (lag, snr) = likeness(&said[WIDE / 2..], &through_g722(&said)[WIDE / 2..]);
        assert!(snr >= least, "{hz} Hz came back at {snr:.1} dB");
        // A tone fits again after each of its periods; the filters take 22 samples.
        let period = WIDE as f64 / hz;
        let off = (lag as f64 - 22.0).rem_euclid(period);
        assert!(off.min(period - off) <= 1.0, "{hz} Hz came back after {lag} samples");
    }
}

#[test]
fn g722_keeps_speech() {
    let said = reading();
    let (lag, snr) = likeness(&said, &through_g722(&said));
    assert_eq!(lag, 22);
    assert!(snr > 20.0, "{snr:.1} dB");
}

#[test]
fn silence_in_g722_is_silence_and_follows_whatever_was_said() {
    let quiet = through_g722(&[0; WIDE]);
    assert!(quiet.iter().all(|it| it.unsigned_abs() <= 4), "silence is not silent");
    let mut decoder = g722::Decoder::default();
    let mut heard = Vec::new();
    decoder.decode(&g722::Encoder::default().encode(&reading()[..WIDE]), &mut heard);
    heard.clear();
    decoder.decode(&[g722::SILENCE; 8_000], &mut heard);
    // The predictors may come to rest a little beside zero.
    let rest = &heard[WIDE / 4..];
    assert!(rest.iter().all(|it| it.unsigned_abs() <= 64), "speech does not fade");
    let mut fresh = Vec::new();
    g722::Decoder::default().decode(&[g722::SILENCE; 8_000], &mut fresh);
    assert!(fresh.iter().all(|it| *it == 0));
}

/// Noise and a tone that swell against each other, made of whole numbers only.
fn vector() -> Vec<i16> {
    let mut seed = 0x2545_f491_u32;
    let sample = |n: i32| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        let tone = ((n * 331) % 4_096 - 2_048).abs() * 8 - 8_192;
        let swell = (n % 4_000 - 2_000).abs();
        let noise = i32::from(seed as i16) * swell / 4_000;
        (noise + tone * (2_000 - swell) / 2_000) as i16
    };
    (0..16_000).map(sample).collect()
}

/// The sums are those of what an independent implementation makes of the same sound (libg722 1.2, to
/// the byte and to the sample).
#[test]
fn g722_is_the_recommendations_to_the_bit() {
    let samples = vector();
    let sum = |samples: &[i16]| {
        let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        crc32fast::hash(&bytes)
    };
    assert_eq!(sum(&samples), 0x5823_8bd6, "that is another sound");
    let bytes = g722::Encoder::default().encode(&samples);
    assert_eq!(crc32fast::hash(&bytes), 0x2511_faf9);
    assert_eq!(sum(&through_g722(&samples)), 0x2a93_65dc);
}

/// Bytes of another encoder: had we a table wrong, they would be noise to us. Whoever made them turned
/// the wave upside down and filtered the narrow ones another way.
#[test]
fn what_others_encoded_in_g722_is_what_they_said() {
    for name in ["vm-intro", "vm-isunavail", "demo-congrats"] {
        let read = |kind| {
            let path = format!("{PROMPTS}/{name}.{kind}");
            let missing = |_| panic!("{path}: install asterisk-core-sounds-en-{kind}");
            std::fs::read(&path).unwrap_or_else(missing)
        };
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        g722::Decoder::default().decode(&read("g722"), &mut wide);
        g722::Decoder::default().decode_narrow(&read("g722"), &mut narrow);
        let said: Vec<i16> = from_wav(&read("wav"), 60).unwrap().samples;
        let said: Vec<i16> = said.iter().map(|it| it.saturating_neg()).collect();
        for heard in [resample(&wide, 16_000, 8_000), narrow] {
            let (_, snr) = likeness_within(3_000, &said[2_000..8_000], &heard);
            assert!(snr > 4.0, "{name}: {snr:.1} dB");
        }
    }
}

/// The lower band alone is what a telephone would have heard.
#[test]
fn g722_at_half_the_rate_is_the_lower_half() {
    let bytes = g722::Encoder::default().encode(&reading());
    let (mut wide, mut narrow) = (Vec::new(), Vec::new());
    g722::Decoder::default().decode(&bytes, &mut wide);
    g722::Decoder::default().decode_narrow(&bytes, &mut narrow);
    assert_eq!(narrow.len(), bytes.len());
    let (_, snr) = likeness(&narrow, &resample(&wide, 16_000, 8_000));
    assert!(snr > 15.0, "{snr:.1} dB");
}

#[test]
fn an_encoder_begins_every_sound_anew() {
    let clip = |seconds| Clip::at("test", tone(1_000.0, seconds), WIDE as u32);
    for &codec in Codec::SPOKEN {
        let (one, other) = (clip(0.5), clip(0.5));
        clip(2.0).prepare(codec);
        assert_eq!(one.encoded(codec), other.encoded(codec), "{codec:?}");
        assert!(one.ready(codec).is_some() && clip(1.0).ready(codec).is_none());
    }
}

#[test]
fn a_gap_in_g722_fades_and_moves_nothing() {
    let bytes = g722::Encoder::default().encode(&reading()[..WIDE * 2]);
    let sound: Vec<_> = bytes.chunks(160).map(|it| Piece::Sound(160, it)).collect();
    let mut gapped = sound.clone();
    gapped[40] = Piece::Lost(160);
    gapped.splice(60..70, [Piece::Lost(1_600)]);
    gapped.splice(70..73, [Piece::Silence(480)]);
    let (whole, heard) =
        (decoded(Codec::G722, Width::Full, &sound), decoded(Codec::G722, Width::Full, &gapped));
    assert_eq!(heard.len(), whole.len());
    assert_eq!(heard[..40 * 320], whole[..40 * 320]);
    let (before, made_up) = (&heard[39 * 320..40 * 320], &heard[40 * 320..41 * 320]);
    assert!(made_up.iter().zip(before).all(|(it, last)| it.unsigned_abs() <= last.unsigned_abs()));
    assert!(made_up.iter().any(|it| *it != 0));
    assert!(heard[63 * 320..70 * 320].iter().all(|it| *it == 0), "the fade does not end");
    assert!(heard[79 * 320..82 * 320].iter().all(|it| *it == 0), "silence is not silent");
}

#[cfg(feature = "opus")]
#[test]
fn opus_keeps_speech_and_its_length() {
    let said = reading();
    let packets = packets(&said);
    assert!(packets.iter().all(|it| opus_packet::ticks(it) == Some(160) && it.len() < 300));
    let pieces: Vec<_> = packets.iter().map(|it| Piece::Sound(160, it)).collect();
    let heard = decoded(Codec::Opus, Width::Full, &pieces);
    assert_eq!(heard.len(), packets.len() * 320);
    assert!(heard.len() >= said.len(), "the end is missing");
    let (lag, snr) = likeness(&said, &heard);
    // It keeps what is heard, not the wave: 6.5 ms late, and 4 dB is what good speech has.
    assert!(snr > 3.0 && lag < 200, "{snr:.1} dB after {lag} samples");
    let narrow = decoded(Codec::Opus, Width::Narrow, &pieces);
    assert_eq!(narrow.len(), packets.len() * 160);
    let (_, snr) = likeness(&narrow, &resample(&heard, 16_000, 8_000));
    assert!(snr > 10.0, "{snr:.1} dB");
}

#[cfg(feature = "opus")]
#[test]
fn silence_in_opus_is_silent() {
    let packets = packets(&[0; WIDE]);
    for packet in [&packets[10][..], &opus_packet::SILENCE] {
        let heard = decoded(Codec::Opus, Width::Full, &vec![Piece::Sound(160, packet); 50]);
        assert!(heard.iter().all(|it| it.unsigned_abs() <= 2), "{packet:?}");
    }
}

/// Every tenth packet is lost. The next one tells what it was, so that is nearer to the truth than
/// what would be made up without it.
#[cfg(feature = "opus")]
#[test]
fn a_packet_lost_in_opus_is_told_by_the_next() {
    let packets = packets(&reading());
    let pieces: Vec<_> = packets.iter().map(|it| Piece::Sound(160, it)).collect();
    let whole = decoded(Codec::Opus, Width::Full, &pieces);
    let is_lost = |at: usize| at % 10 == 5;
    let gapped = pieces.iter().enumerate();
    let gapped: Vec<_> =
        gapped.map(|(at, it)| if is_lost(at) { Piece::Lost(160) } else { *it }).collect();
    // Without what comes next, nobody can tell: the loss is decoded before it is there.
    let mut blind = Vec::new();
    let mut decoder = Decoder::new(Codec::Opus, Width::Full).unwrap();
    for it in &gapped {
        decoder.decode(&row(&[*it]), &mut blind).unwrap();
        decoder.finish(&mut blind);
    }
    let told = decoded(Codec::Opus, Width::Full, &gapped);
    assert_eq!((told.len(), blind.len()), (whole.len(), whole.len()));
    let error = |heard: &[i16]| -> f64 {
        let lost = (0..packets.len()).filter(|it| is_lost(*it)).map(|it| it * 320..it * 320 + 320);
        lost.flatten().map(|it| (f64::from(heard[it]) - f64::from(whole[it])).powi(2)).sum()
    };
    let gain = 10.0 * (error(&blind) / error(&told)).log10();
    assert!(gain > 3.0, "only {gain:.1} dB better");
}

fn any_pieces() -> impl Strategy<Value = Vec<(u8, u16, Vec<u8>)>> {
    let sound = prop::collection::vec(any::<u8>(), 1..200);
    prop::collection::vec((0..4_u8, 0..2_000_u16, sound), 0..20)
}

proptest! {
    /// Whatever comes, nothing breaks and nothing is stretched, at either rate and in any portions.
    #[test]
    fn what_is_decoded_lasts_as_long_as_it_says(pieces in any_pieces(), cut in 0..20_usize) {
        let pieces: Vec<_> = pieces.iter().map(|(kind, ticks, sound)| match kind {
            0 => Piece::Lost(*ticks),
            1 => Piece::Silence(*ticks),
            _ => Piece::Sound(*ticks, sound),
        }).collect();
        let ticks: u64 = pieces.iter().map(Piece::ticks).sum();
        for &codec in Codec::SPOKEN.iter().filter(|it| it.law().is_none()) {
            for (width, per_tick) in [(Width::Narrow, 1), (Width::Full, 2)] {
                let (mut decoder, mut heard) = (Decoder::new(codec, width).unwrap(), Vec::new());
                let (first, second) = pieces.split_at(cut.min(pieces.len()));
                decoder.decode(&row(first), &mut heard).unwrap();
                decoder.decode(&row(second), &mut heard).unwrap();
                decoder.finish(&mut heard);
                prop_assert_eq!(heard.len() as u64, ticks * per_tick);
                let whole = decoded(codec, width, &pieces);
                prop_assert!(whole == heard, "it sounds otherwise in two portions");
            }
        }
    }
}
