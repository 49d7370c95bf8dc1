//! What callers say, and what is played to them: known to the sample.

use std::f32::consts::FRAC_1_SQRT_2 as DIAGONAL;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// Samples, and so bytes of PCMU, in a packet.
pub const FRAME: usize = 160;
/// Packets after which what is said begins again: 80 s, longer than any one call.
const FRAMES: usize = 4_000;
/// Seconds of the tone that is music here: it is played over and over.
pub const TRACK: u64 = 60;
/// How large the tone is when it is as loud as all music, -23 LUFS: a sine at full scale is -3.01
/// (ITU-R BS.1770-4 §1).
const AMPLITUDE: f32 = 3_280.6;
/// So far the power of a frame of it may be off: 1 dB.
const TOLERANCE: f32 = 1.26;
/// Eight samples are a turn of the tone.
const TURN: [(f32, f32); 8] = [
    (1.0, 0.0),
    (DIAGONAL, DIAGONAL),
    (0.0, 1.0),
    (-DIAGONAL, DIAGONAL),
    (-1.0, 0.0),
    (-DIAGONAL, -DIAGONAL),
    (0.0, -1.0),
    (DIAGONAL, -DIAGONAL),
];
/// Somebody who says nothing.
pub static NOTHING: [u8; FRAME] = [0xff; FRAME];

/// Noise that swells as speech does, so that no silence is heard in it. Each frame is another.
pub fn signal() -> &'static [u8] {
    static SIGNAL: OnceLock<Vec<u8>> = OnceLock::new();
    SIGNAL.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f64::from((state >> 40) as i16)
        };
        let sample = |n: usize| {
            let swell = 0.2 + 0.8 * (n as f64 / 900.0).sin().abs();
            to_law((noise() * 0.3 * swell) as i16)
        };
        (0..FRAMES * FRAME).map(sample).collect()
    })
}

/// Somebody reading a novel for half a minute; `None` where that is not installed.
pub fn speech() -> Option<&'static [u8]> {
    static SPEECH: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let read = || {
        let folder = Path::new("/usr/share/pocketsphinx/test/data/librivox");
        let mut said = Vec::new();
        for part in ["0870", "0890", "0920"] {
            let name = format!("sense_and_sensibility_01_austen_64kb-{part}.wav");
            let samples = samples(&fs::read(folder.join(name)).ok()?);
            // It is twice as fine.
            let pairs = samples.chunks_exact(2).map(|it| i32::midpoint(it[0].into(), it[1].into()));
            said.extend(pairs.map(|it| to_law(it as i16)));
        }
        said.truncate(30 * 50 * FRAME);
        said.truncate(said.len() / FRAME * FRAME);
        Some(said)
    };
    SPEECH.get_or_init(read).as_deref()
}

/// The samples of a WAV file of 16 bits with the shortest header there is.
pub fn samples(file: &[u8]) -> Vec<i16> {
    let sound = file.get(44..).unwrap_or_default();
    sound.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect()
}

/// A sample as G.711 µ-law writes it.
pub fn to_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let size = i32::from(sample).abs().min(32_635) + 132;
    let exponent = (size >> 7).ilog2() as i32;
    let mantissa = (size >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4 | mantissa) as u8)
}

/// The sample of a byte of µ-law.
pub fn from_law(byte: u8) -> i16 {
    let byte = !byte;
    let (exponent, mantissa) = (i32::from(byte >> 4 & 7), i32::from(byte & 15));
    let size = (((mantissa << 3) + 132) << exponent) - 132;
    (if byte & 0x80 == 0 { size } else { -size }) as i16
}

/// A tone of 1 kHz as a WAV file at 8,000 samples a second.
pub fn tone(ms: u64) -> Vec<u8> {
    let samples = (0..ms as usize * 8).map(|n| (TURN[n % 8].1 * 8_000.0) as i16);
    let sound: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file = Vec::with_capacity(44 + sound.len());
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + sound.len() as u32).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    for word in [16_u32, 1 | 1 << 16, 8_000, 16_000, 2 | 16 << 16] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&(sound.len() as u32).to_le_bytes());
    file.extend_from_slice(&sound);
    file
}

/// Whether a frame is the tone, as loud as music is: almost all of its power is at 1 kHz.
pub fn is_tone(frame: &[u8]) -> bool {
    let (mut real, mut imaginary, mut power) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (n, byte) in frame.iter().enumerate() {
        let sample = f32::from(from_law(*byte));
        let (cos, sin) = TURN[n % 8];
        real += sample * cos;
        imaginary += sample * sin;
        power += sample * sample;
    }
    let length = frame.len() as f32;
    let wanted = AMPLITUDE * AMPLITUDE / 2.0;
    let level = wanted / TOLERANCE..wanted * TOLERANCE;
    let pure = (real * real + imaginary * imaginary) * 2.0 / length;
    frame.len() == FRAME && level.contains(&(power / length)) && pure > 0.99 * power
}

/// Whether a frame may be where the track ends and begins again: softer, and nowhere louder.
pub fn is_joint(frame: &[u8]) -> bool {
    let loudest = frame.iter().map(|it| from_law(*it).unsigned_abs()).max().unwrap_or(0);
    frame.len() == FRAME && f32::from(loudest) < AMPLITUDE * TOLERANCE
}
