//! A sound file of any kind, as it reaches the process that decodes it. The first byte says what
//! its name says.
#![no_main]

use afterbeep::decode::{self, RawKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Some((&name, file)) = file.split_first() else { return };
    if let Ok(samples) = decode::worker::decoded(file.to_vec()) {
        assert!(!samples.is_empty());
        assert!(samples.len() as u64 <= (decode::LONGEST.as_secs() + 1) * u64::from(decode::RATE));
    }
    let names = [".ulaw", ".alaw", ".g722", ".gsm", ".sln", ".sln192", ".mp3"];
    let kind = RawKind::of(names[usize::from(name) % names.len()]);
    if let Ok(music) = decode::worker::track(file.to_vec(), kind, &mut |_| ()) {
        assert!(music.length.as_secs() <= decode::LONGEST_MUSIC.as_secs());
    }
});
