//! A file that says it is WAV.
#![no_main]

use afterbeep::audio::wav;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(sound) = wav::from_wav(file, 10) {
        assert!(wav::RATES.contains(&sound.rate));
        assert!(sound.samples.len() as u64 <= 10 * u64::from(sound.rate));
        let again = wav::from_wav(&wav::to_wav(&sound.samples, sound.rate), 10);
        assert_eq!(again.expect("what was written is read"), sound);
    }
});
