//! A stream of packets, late, lost, doubled and lying about their time: into the jitter buffer, the
//! counts and the digits.
#![no_main]

use afterbeep::audio::Codec;
use afterbeep::rtp::{
    jitter::{Audio, Given, Jitter},
    reception::Reception,
    telephone_event::{Digits, MOST_A_SECOND},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let codec = if bytes.len() % 2 == 0 { Codec::Pcmu } else { Codec::G722 };
    let mut jitter = Jitter::new(codec, 100);
    let (mut reception, mut digits) = (Reception::default(), Digits::default());
    let (mut now, mut given, mut told) = (0_u64, 0_u64, 0_u64);
    let payload = [0x55; 1_600];
    jitter.begin(now);
    for step in bytes.chunks_exact(12) {
        let &[what, pass, s0, s1, t0, t1, t2, t3, l0, l1, event, flags] = step else { return };
        now += u64::from(pass) * if what & 0x80 == 0 { 1 } else { 100 };
        let (sequence, timestamp) =
            (u16::from_be_bytes([s0, s1]), u32::from_be_bytes([t0, t1, t2, t3]));
        let length = usize::from(u16::from_be_bytes([l0, l1])) % payload.len();
        reception.count(now, u32::from(what >> 6), sequence, (what & 1 == 0).then_some(timestamp));
        let mut out = |it: Given<'_>| {
            given += match it {
                Given::Sound(it) => it.len() as u64,
                Given::Lost(ticks) | Given::Silence(ticks) => ticks,
            }
        };
        match what & 7 {
            0..=3 => {
                let payload = &payload[..length];
                jitter.put(now, Audio { sequence, timestamp, payload }, &mut out);
            }
            4 => jitter.pass(now, &mut out),
            5 => jitter.skip(sequence),
            6 => jitter.restart(),
            _ => told += u64::from(digits.hear(now, timestamp, &[event, flags, l0, l1]).is_some()),
        }
        reception.report(now);
        // Two seconds before the clock is a flood, and one packet may still come on top.
        assert!(given <= (now + 3_000) * 8 + 1_600, "{given} samples after {now} ms");
        assert!(told <= (now / 1_000 + 1) * MOST_A_SECOND as u64);
    }
    jitter.finish(now, |_| ());
});
