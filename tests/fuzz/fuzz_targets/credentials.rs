//! An `Authorization` header from a stranger.
#![no_main]

use afterbeep::sip::credentials::Credentials;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(read) = Credentials::parse(bytes) {
        let parts = [read.user, read.realm, read.nonce, read.uri, read.response, read.count];
        assert!(parts.iter().map(String::len).sum::<usize>() <= bytes.len());
    }
});
