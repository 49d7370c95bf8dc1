//! A datagram at a media port: as RTP, and as RTCP.
#![no_main]

use afterbeep::rtp::{packet::Packet, rtcp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    if let Some(packet) = Packet::parse(datagram) {
        assert!(packet.payload.len() + 12 <= datagram.len());
    }
    let mut told = 0;
    rtcp::read(datagram, |_| told += 1);
    assert!(told <= 8 * 32, "{told} things in one datagram");
});
