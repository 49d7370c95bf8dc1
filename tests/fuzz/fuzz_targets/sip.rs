//! A datagram from a peer: as a SIP request, and as the session description in one.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use afterbeep::{
    audio::Codec,
    sip::{
        self,
        sdp::{Offer, Session},
    },
};
use libfuzzer_sys::fuzz_target;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fuzz_target!(|bytes: &[u8]| {
    sip::read(bytes);
    if let Ok(offer) = Offer::read(bytes, PEER, Codec::SPOKEN) {
        let local = "198.51.100.7:10000".parse().expect("an address");
        let answer = offer.answer(&mut Session::new(1, local));
        let media = offer.media();
        assert!(media.payload_type < 128 && (10..=60).contains(&media.ptime_ms));
        assert!(answer.contains("m=audio 10000 "), "{answer}");
    }
});
