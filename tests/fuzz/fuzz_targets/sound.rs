//! A sound file of any kind, as it reaches the process that decodes it.
#![no_main]

use afterbeep::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(samples) = decode::worker::decoded(file.to_vec()) {
        assert!(!samples.is_empty());
        assert!(samples.len() as u64 <= (decode::LONGEST.as_secs() + 1) * u64::from(decode::RATE));
    }
});
