//! What ten minutes of music cost: decoded, levelled and encoded for every codec, through our worker.
//!
//! The figure is CPU time (user and system) as the kernel counts it, the worker's and the server's.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod process;

use std::process::ExitCode;

use afterbeep::decode::Reader;
use process::{child, cpu};

/// Of the music, in seconds.
const LENGTH: u32 = 600;
const RATE: u32 = 44_100;
/// What it may cost, in seconds.
const TARGET: f64 = 12.0;
/// The machine is not ours alone, so the least of so many counts.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    if !std::env::args().any(|it| it == "--bench") {
        return ExitCode::SUCCESS;
    }
    let file = mp3();
    println!("{LENGTH} s of stereo at {RATE} Hz as MP3, {} kB", file.len() / 1_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut least = f64::MAX;
    for round in 1..=ROUNDS {
        let reader = Reader::new(env!("CARGO_BIN_EXE_afterbeep").into());
        let before = cpu("self");
        let music = runtime.block_on(reader.music(&file, None, |_| ())).unwrap();
        assert!(music.length.as_secs().abs_diff(u64::from(LENGTH)) <= 1, "{:?}", music.length);
        let (worker, server) = (cpu(&child()), cpu("self") - before);
        println!("round {round}: worker {worker:.2} s, server {server:.2} s");
        least = least.min(worker + server);
    }
    println!("CPU for {LENGTH} s of music {least:.2} s, to be at most {TARGET}");
    if least <= TARGET { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Chords that change twice a second, with all their overtones, another one on either side.
#[cfg(feature = "mp3")]
fn mp3() -> Vec<u8> {
    use mp3lame_encoder::{Builder, DualPcm, FlushNoGap, max_required_buffer_size};

    let mut lame = Builder::new().unwrap();
    lame.set_num_channels(2).unwrap();
    lame.set_sample_rate(RATE).unwrap();
    let mut lame = lame.build().unwrap();
    let mut file = Vec::new();
    for half_second in 0..LENGTH * 2 {
        let side = |third: u32| -> Vec<i16> {
            let hz = 110.0 * 2_f64.powf(f64::from((half_second * 7 + third) % 12) / 12.0);
            let turn = std::f64::consts::TAU * hz / f64::from(RATE);
            let wave = |at: u32| {
                let fading = 1.0 - f64::from(at) / f64::from(RATE);
                // A saw has all overtones.
                let saw =
                    |by: f64| (turn * by * f64::from(at) / std::f64::consts::TAU).fract() - 0.5;
                fading * (saw(1.0) + saw(1.26) + saw(1.498)) * 9_000.0
            };
            (0..RATE / 2).map(|at| wave(at) as i16).collect()
        };
        let (left, right) = (side(0), side(4));
        file.reserve(max_required_buffer_size(left.len()));
        lame.encode_to_vec(DualPcm { left: &left, right: &right }, &mut file).unwrap();
    }
    file.reserve(max_required_buffer_size(0));
    lame.flush_to_vec::<FlushNoGap>(&mut file).unwrap();
    file
}

#[cfg(not(feature = "mp3"))]
fn mp3() -> Vec<u8> {
    panic!("built without MP3")
}
