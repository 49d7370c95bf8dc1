//! What callers say, known to the sample, and whether a recording is a piece of it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Samples, and so bytes of PCMU, in a packet.
pub const FRAME: usize = 160;
/// Packets after which what is said begins again: 80 s, longer than any one call.
pub const FRAMES: usize = 4_000;

/// Noise that swells as speech does, so that no silence is heard in it. Each frame is another.
pub fn signal() -> &'static [u8] {
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
    (0..FRAMES * FRAME).map(sample).collect::<Vec<_>>().leak()
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

/// What a look at all recordings found.
#[derive(Debug, Default)]
pub struct Recordings {
    pub files: usize,
    pub samples: u64,
    /// Why the first few are not what was said.
    pub wrong: Vec<String>,
    pub wrongs: usize,
    /// Messages that were left and of which there is no recording.
    pub missing: u64,
    /// The longest silence before or after what was said, in samples.
    pub quiet: usize,
}

/// Compares every recording below a folder with what was said. Each must be one unbroken piece of
/// it, at least so many samples long.
pub fn compare(folder: &Path, least: usize) -> io::Result<Recordings> {
    let said: Vec<i16> = signal().iter().map(|it| from_law(*it)).collect();
    let start = |at: usize| <[i16; 8]>::try_from(&said[at..at + 8]).ok();
    let places: HashMap<[i16; 8], usize> =
        (0..FRAMES).filter_map(|n| Some((start(n * FRAME)?, n * FRAME))).collect();
    let mut found = Recordings::default();
    let mut files = Vec::new();
    list(folder, &mut files)?;
    for file in files {
        let bytes = fs::read(&file)?;
        // Ours have the shortest header there is.
        let samples = bytes.get(44..).unwrap_or_default().chunks_exact(2);
        let samples: Vec<i16> = samples.map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
        found.files += 1;
        found.samples += samples.len() as u64;
        if let Err(why) = judge(&mut found, &samples, &said, &places, least) {
            found.wrongs += 1;
            if found.wrong.len() < 5 {
                found.wrong.push(format!("{}: {why}", file.display()));
            }
        }
    }
    Ok(found)
}

fn judge(
    found: &mut Recordings,
    samples: &[i16],
    said: &[i16],
    places: &HashMap<[i16; 8], usize>,
    least: usize,
) -> Result<(), String> {
    if samples.len() < least {
        return Err(format!("{} samples of {least}", samples.len()));
    }
    // Before the first packet nothing is said; up to two frames may be what was said before the beep.
    let quiet = samples.iter().position(|it| *it != 0).unwrap_or(samples.len());
    let first = samples[quiet..].windows(8).take(2 * FRAME).enumerate().find_map(|(at, it)| {
        let place = places.get(<&[i16; 8]>::try_from(it).ok()?)?;
        Some((quiet + at, *place))
    });
    let Some((lead, place)) = first else { return Err("it begins with something else".into()) };
    let theirs = said.iter().cycle().skip(place);
    // While a hang-up is on its way, nothing is said.
    let end = samples.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
    found.quiet = found.quiet.max(quiet).max(samples.len() - end);
    match samples[lead..end].iter().zip(theirs).position(|(one, other)| one != other) {
        Some(at) => Err(format!("from sample {} of {end} it is something else", lead + at)),
        None if end < least => Err(format!("{end} samples of {least}, and silence")),
        None => Ok(()),
    }
}

fn list(folder: &Path, to: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => list(&path, to)?,
            false => to.push(path),
        }
    }
    Ok(())
}

/// A tone of 1 kHz as a WAV file at 8,000 samples a second.
pub fn tone(ms: u64) -> Vec<u8> {
    let samples = (0..ms as usize * 8).map(|n| {
        let turn = std::f64::consts::TAU * (n % 8) as f64 / 8.0;
        (turn.sin() * 8_000.0) as i16
    });
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

/// Whether a frame is the tone: nine tenths of its power at 1 kHz, and not quiet.
pub fn is_tone(frame: &[u8]) -> bool {
    let (mut real, mut imaginary, mut power) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (n, byte) in frame.iter().enumerate() {
        let sample = f32::from(from_law(*byte));
        let turn = std::f32::consts::TAU * (n % 8) as f32 / 8.0;
        real += sample * turn.cos();
        imaginary += sample * turn.sin();
        power += sample * sample;
    }
    let length = frame.len() as f32;
    power / length > 10_000.0 && (real * real + imaginary * imaginary) * 2.0 / length > 0.9 * power
}
