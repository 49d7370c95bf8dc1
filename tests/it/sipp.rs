//! Messages left by sipp, the tool SIP servers are tested with: over UDP and TCP, in both laws, with
//! RTP digits, over a perfect network and a poor one.

mod exchange;
mod line;
mod tape;
mod voice;

use std::collections::HashMap;
use std::time::Duration;

use afterbeep::audio::g711::Law::{A as Pcma, Mu as Pcmu};
use exchange::Transport::{Tcp, Udp};
use exchange::{Calls, leave};
use line::Network::{Perfect, Poor};
use tape::Tape;
use voice::Ending::{Bye, Pound};

use crate::house::House;

/// No speech model and no wait for one.
const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

/// The server takes a pause of 500 ms for a silence, as it should; a tenth is for its own beat.
const STANDSTILL: Duration = Duration::from_millis(450);
const TRIES: usize = 3;

/// One call over UDP, in µ-law, ended by hanging up, with nothing lost.
const CALL: Calls =
    Calls { transport: Udp, codec: Pcmu, ending: Bye, network: Perfect, count: 1, rate: 10 };

#[tokio::test]
async fn over_udp_every_sample_is_stored_until_the_hang_up() {
    assert_exact(CALL).await;
}

#[tokio::test]
async fn over_tcp_in_a_law_every_sample_is_stored_until_the_hang_up() {
    assert_exact(Calls { transport: Tcp, codec: Pcma, ..CALL }).await;
}

#[tokio::test]
async fn over_udp_in_a_law_every_sample_is_stored_until_pound() {
    assert_exact(Calls { codec: Pcma, ending: Pound, ..CALL }).await;
}

#[tokio::test]
async fn over_tcp_every_sample_is_stored_until_pound() {
    assert_exact(Calls { transport: Tcp, ending: Pound, ..CALL }).await;
}

#[tokio::test]
async fn twenty_callers_at_once_have_every_sample_of_their_own_stored() {
    assert_exact(Calls { count: 20, ..CALL }).await;
}

#[tokio::test]
async fn over_a_poor_network_every_packet_that_came_is_in_its_place() {
    assert_in_place(Calls { network: Poor(5), count: 5, ..CALL }).await;
}

#[tokio::test]
async fn over_a_poor_network_every_packet_that_came_is_in_its_place_in_a_law() {
    assert_in_place(Calls { transport: Tcp, codec: Pcma, network: Poor(6), count: 5, ..CALL })
        .await;
}

async fn assert_exact(calls: Calls) {
    for (tape, stored) in left(calls).await {
        tape.assert_stored_exactly(&stored);
    }
}

async fn assert_in_place(calls: Calls) {
    for (tape, stored) in left(calls).await {
        tape.assert_stored_in_place(&stored);
    }
}

/// What was sent and what was stored, for each call. A caller who stands still for half a second is
/// not what is asked about here: when this machine is too busy to speak, all call once more.
async fn left(calls: Calls) -> Vec<(Tape, Vec<i16>)> {
    for _ in 0..TRIES {
        let house = House::start(DEAF);
        let tapes = leave(&house, calls);
        if tapes.values().all(|it| it.longest_pause() < STANDSTILL) {
            return stored(&house, tapes).await;
        }
    }
    panic!("{TRIES} times a caller could not send for {STANDSTILL:?}: this machine is too busy")
}

async fn stored(house: &House, mut tapes: HashMap<String, Tape>) -> Vec<(Tape, Vec<i16>)> {
    let messages = house.messages(tapes.len()).await;
    assert_eq!(messages.len(), tapes.len(), "each call is one message");
    let pairs = messages.into_iter().map(|message| {
        let caller = message.envelope.caller.number.expect("sipp says who calls");
        let tape = tapes.remove(&caller).expect("each caller leaves one message");
        (tape, house.sound(message.id))
    });
    pairs.collect()
}
