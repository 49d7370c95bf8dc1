//! Spectrograms as PNG files, for eyes: whoever doubts a figure looks at what was heard.

use std::path::{Path, PathBuf};

/// Rows: frequencies from nothing to half the rate.
const HEIGHT: usize = 160;
/// Columns: moments.
const WIDTH: usize = 400;
/// Samples each moment looks at.
const WINDOW: usize = 512;
/// dB between black and white.
const RANGE: f64 = 90.0;

/// Draws a sound into the tests' output folder, and answers where.
pub fn draw(name: &str, samples: &[i16]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spectrograms");
    std::fs::create_dir_all(&folder).unwrap();
    let mut rows = vec![vec![0; WIDTH + 1]; HEIGHT];
    for column in 0..WIDTH {
        let start = samples.len().saturating_sub(WINDOW) * column / WIDTH;
        let window = &samples[start..samples.len().min(start + WINDOW)];
        for (row, line) in rows.iter_mut().rev().enumerate() {
            let turn = std::f64::consts::PI * (row as f64 + 0.5) / HEIGHT as f64;
            let level = 10.0 * (tone(window, turn) + 1e-12).log10();
            // The first byte of a line says how it is filtered: not at all.
            line[column + 1] = ((level + RANGE) / RANGE * 255.0).clamp(0.0, 255.0) as u8;
        }
    }
    let path = folder.join(format!("{name}.png"));
    std::fs::write(&path, png(WIDTH as u32, HEIGHT as u32, &rows.concat())).unwrap();
    path
}

/// The power of a tone that turns so far a sample, of full scale.
fn tone(samples: &[i16], turn: f64) -> f64 {
    let factor = 2.0 * turn.cos();
    let (mut one, mut two) = (0.0, 0.0);
    for (at, &sample) in samples.iter().enumerate() {
        let away = std::f64::consts::TAU * at as f64 / samples.len() as f64;
        let value = f64::from(sample) / 32_768.0 * (0.5 - 0.5 * away.cos());
        (one, two) = (value + factor * one - two, one);
    }
    (one * one + two * two - factor * one * two) * 16.0 / (samples.len() as f64).powi(2)
}

/// A picture in shades of grey (RFC 2083), its lines stored as they are.
fn png(width: u32, height: u32, lines: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(&body);
        file.extend(crc32fast::hash(&body).to_be_bytes());
    };
    let form = [8, 0, 0, 0, 0];
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &form].concat());
    let mut data = vec![0x78, 0x01];
    let blocks = lines.chunks(65_535);
    let last = blocks.len() - 1;
    for (at, block) in blocks.enumerate() {
        let length = block.len() as u16;
        data.push(u8::from(at == last));
        data.extend(length.to_le_bytes());
        data.extend((!length).to_le_bytes());
        data.extend(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in lines {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    data.extend((high << 16 | low).to_be_bytes());
    chunk(b"IDAT", &data);
    chunk(b"IEND", &[]);
    file
}
