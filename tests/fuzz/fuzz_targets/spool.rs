//! What a crash leaves in the spool: blocks with right checksums in any order and of any meaning,
//! and behind them anything.
#![no_main]

use std::time::Duration;

use afterbeep::call::spool::{Settings, Spool, SpoolError};
use libfuzzer_sys::fuzz_target;

const LABEL: &str = r#"{"label":{"mailbox":"m","tenant":"t","caller":{"name":null,"number":null},
    "received":0,"call":"c"},"codec":"pcmu"}"#;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let (mut log, mut rest) = (Vec::new(), bytes);
    while let Some((&[kind, take, number, length], after)) = rest.split_first_chunk() {
        // The upper half of the byte: what it is spoken in.
        let (kind, codec) = (kind & 15, kind >> 4);
        if kind > 7 || codec > 5 {
            break;
        }
        let (payload, after) = after.split_at(after.len().min(usize::from(length)));
        // Labels as they are written, as random bytes rarely are.
        let payload = if kind == 1 && length < 128 { LABEL.as_bytes() } else { payload };
        block(&mut log, (kind, codec), take % 4, number, payload);
        rest = after;
    }
    log.extend_from_slice(rest);
    std::fs::write(folder.path().join("00000001.log"), log).expect("a file");

    let settings = Settings { directory: folder.path().into(), ..Settings::default() };
    let (spool, found) = Spool::open(&settings).expect("a spool that can be read");
    for kept in found {
        // Five bytes are eight seconds of silence, and whoever writes them waited for so long.
        if kept.take.length > Duration::from_secs(600) {
            continue;
        }
        match spool.read(kept.take.id) {
            Ok(sound) => assert!(sound.samples.len() <= 600 * sound.rate as usize),
            Err(error) => assert!(matches!(error, SpoolError::Unreadable(..)), "{error}"),
        }
    }
});

/// As `call::spool::block` says.
fn block(log: &mut Vec<u8>, (kind, codec): (u8, u8), take: u8, number: u8, payload: &[u8]) {
    let mut head = vec![kind, codec, 0, 0];
    head.extend([take; 16]);
    head.extend(u32::from(number).to_le_bytes());
    head.extend((payload.len() as u32).to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head);
    sum.update(payload);
    log.extend(b"ABS1");
    log.extend(head);
    log.extend(sum.finalize().to_le_bytes());
    log.extend(payload);
}
