use proptest::prelude::*;

use super::*;

const CODEC: Codec = Codec::Pcmu;
const START: u32 = u32::MAX - 700;

/// A sound in which every sample tells its place, within some 60,000 samples.
fn sound(at: u64) -> u8 {
    ((at >> 8) as u8).wrapping_mul(31) ^ (at as u8)
}

/// A recording being made of numbered packets.
struct Tape {
    jitter: Jitter,
    heard: Vec<u8>,
    packet: u64,
}

impl Tape {
    fn new(packet: u64) -> Self {
        Self { jitter: Jitter::new(CODEC, 100), heard: vec![], packet }
    }

    /// Packet `n` of a sender that never pauses.
    fn put(&mut self, now: u64, n: u64) -> bool {
        self.put_as(now, n as u16, n * self.packet, n * self.packet)
    }

    fn put_as(&mut self, now: u64, sequence: u16, timestamp: u64, sample: u64) -> bool {
        let payload: Vec<u8> = (sample..sample + self.packet).map(sound).collect();
        let timestamp = START.wrapping_add(timestamp as u32);
        let audio = Audio { sequence, timestamp, payload: &payload };
        self.jitter.put(now, audio, |it| self.heard.extend(bytes(it)))
    }

    fn pass(&mut self, now: u64) {
        self.jitter.pass(now, |it| self.heard.extend(bytes(it)));
    }

    fn finish(mut self, now: u64) -> Vec<u8> {
        self.jitter.finish(now, |it| self.heard.extend(bytes(it)));
        self.heard
    }
}

/// Of G.711 everything is given as sound.
fn bytes(given: Given<'_>) -> &[u8] {
    match given {
        Given::Sound(bytes) => bytes,
        other => panic!("{other:?} in G.711"),
    }
}

fn sent(from: u64, until: u64) -> Vec<u8> {
    (from..until).map(sound).collect()
}

fn silence(samples: usize) -> Vec<u8> {
    vec![Law::Mu.silence(); samples]
}

#[test]
fn in_order_nothing_waits() {
    let mut tape = Tape::new(160);
    for n in 0..10 {
        tape.put(n * 20, n);
        assert_eq!(tape.heard.len() as u64, (n + 1) * 160);
    }
    assert_eq!(tape.finish(200), sent(0, 1_600));
}

#[test]
fn a_lost_packet_fades_and_moves_nothing() {
    let mut tape = Tape::new(160);
    for n in (0..30).filter(|n| *n != 10) {
        tape.put(n * 20, n);
    }
    assert_eq!(tape.jitter.concealed(), 160);
    let heard = tape.finish(600);
    assert_eq!(heard[..1_600], sent(0, 1_600));
    assert_eq!(heard[1_760..], sent(1_760, 4_800));
    assert_eq!(heard[1_600], heard[1_440]);
}

#[test]
fn a_long_loss_is_silent_after_sixty_milliseconds() {
    let mut tape = Tape::new(160);
    for n in (0..40).filter(|n| !(10..20).contains(n)) {
        tape.put(n * 20, n);
    }
    let heard = tape.finish(800);
    assert_eq!(heard.len(), 6_400);
    assert_eq!(heard[1_600 + 480..3_200], silence(1_120));
    assert_eq!(heard[3_200..], sent(3_200, 6_400));
}

#[test]
fn a_pause_of_the_sender_is_silence_of_its_length_at_once() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    tape.put_as(300, 1, 2_400, 2_400);
    assert_eq!(tape.heard, [sent(0, 160), silence(2_240), sent(2_400, 2_560)].concat());
    assert_eq!(tape.jitter.concealed(), 0);
}

#[test]
fn on_hold_no_time_goes_by_however_long_it_is() {
    let mut tape = Tape::new(160);
    for n in (0..50).filter(|n| *n != 48) {
        tape.put(n * 20, n);
    }
    tape.jitter.hold(1_000, |it| tape.heard.extend(bytes(it)));
    for now in (1_000..200_000).step_by(20) {
        tape.pass(now);
    }
    assert_eq!(tape.heard.len(), 8_000, "what was held back is given out, and nothing else");
    tape.jitter.resume(200_000);
    // Their clock stood still or went on: who knows.
    for n in 50..100 {
        tape.put_as(199_020 + n * 20, n as u16, n * 160 + 40_000, n * 160);
    }
    let heard = tape.finish(201_020);
    assert_eq!(heard.len(), 16_000);
    assert_eq!(heard[8_000..], sent(8_000, 16_000));
}

#[test]
fn who_hangs_up_on_hold_leaves_what_was_said_before_it() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    tape.jitter.hold(20, |_| {});
    assert_eq!(tape.finish(60_000), sent(0, 160));
}

#[test]
fn while_nothing_comes_silence_follows_the_clock_and_then_the_timestamp_decides() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    for now in (20..=3_000).step_by(20) {
        tape.pass(now);
    }
    assert_eq!(tape.heard.len(), 160 + 2_500 * 8);
    tape.put_as(3_010, 1, 24_080, 0);
    let heard = tape.finish(3_020);
    assert_eq!(heard.len(), 24_080 + 160);
    assert_eq!(heard[24_080..], sent(0, 160));
}

#[test]
fn a_network_that_stood_still_for_less_than_half_a_second_loses_nothing() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    for now in (20..480).step_by(20) {
        tape.pass(now);
    }
    for n in 1..25 {
        assert!(tape.put(480, n));
    }
    assert_eq!(tape.finish(480), sent(0, 4_000));
}

/// The media thread itself stood still as a recording began: what waited lies at the beginning.
#[test]
fn packets_that_waited_for_us_are_not_pushed_back() {
    let mut tape = Tape::new(160);
    tape.jitter.begin(0);
    tape.pass(20);
    for n in 0..20 {
        assert!(tape.put(420, n));
    }
    assert_eq!(tape.finish(440), sent(0, 3_200));
}

#[test]
fn a_sender_whose_clock_stands_still_in_its_pauses_is_heard_again() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    for now in (20..5_000).step_by(20) {
        tape.pass(now);
    }
    for n in 1..100 {
        tape.put(5_000 + n * 20, n);
        tape.pass(5_000 + n * 20);
    }
    let heard = tape.finish(7_000);
    // Seven seconds; the first 200 ms of the second sentence are the price.
    assert!((55_200..=56_000).contains(&heard.len()), "{}", heard.len());
    assert_eq!(heard[heard.len() - 8_000..], sent(8_000, 16_000));
}

#[test]
fn a_timestamp_that_jumps_a_day_is_no_day_of_silence() {
    let mut tape = Tape::new(160);
    for n in 0..10 {
        tape.put(n * 20, n);
    }
    for n in 10..20 {
        tape.put_as(n * 20, n as u16, n * 160 + 691_200_000, n * 160);
    }
    assert_eq!(tape.finish(400), sent(0, 3_200));
}

#[test]
fn another_sender_goes_on_where_the_clock_is() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    tape.jitter.restart();
    tape.put_as(20, 9_000, 77_777, 160);
    tape.pass(420);
    tape.jitter.restart();
    tape.put_as(440, 5, 3, 0);
    let heard = tape.finish(440);
    assert_eq!(heard[..320], sent(0, 320));
    assert_eq!(heard.len(), 160 + 440 * 8);
}

#[test]
fn a_flood_is_held_to_the_pace_of_time() {
    let mut tape = Tape::new(160);
    for n in 0..20_000 {
        tape.put(n / 2, n);
    }
    assert!(tape.heard.len() <= 8 * 12_100, "{}", tape.heard.len());
}

#[test]
fn a_gap_holds_a_minute_of_silence_at_most_and_the_next_packet_is_heard() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    for now in (20..100_000).step_by(20) {
        tape.pass(now);
    }
    assert_eq!(tape.heard.len(), 160 + 480_000);
    tape.put_as(100_000, 7, 800_000, 0);
    assert_eq!(tape.finish(100_000)[480_160..], sent(0, 160));
}

#[test]
fn the_end_is_filled_only_when_more_is_missing_than_may_be_late() {
    for (end, length) in [(99, 160), (100, 160), (101, 160 + 808), (400, 160 + 3_200)] {
        let mut tape = Tape::new(160);
        tape.put(0, 0);
        assert_eq!(tape.finish(end).len(), length, "{end}");
    }
}

#[test]
fn a_take_in_which_nothing_ever_came_is_as_long_as_it_lasted() {
    let mut tape = Tape::new(160);
    tape.jitter.begin(1_000);
    tape.pass(4_000);
    assert_eq!(tape.heard, silence(2_500 * 8));
    assert_eq!(tape.finish(4_000), silence(3_000 * 8));
}

#[test]
fn a_digit_in_between_is_a_pause_and_no_loss() {
    let mut tape = Tape::new(160);
    tape.put(0, 0);
    for sequence in 1..8 {
        tape.jitter.skip(sequence);
    }
    tape.put_as(160, 8, 1_280, 1_280);
    assert_eq!(tape.finish(160), [sent(0, 160), silence(1_120), sent(1_280, 1_440)].concat());
}

/// What happens to a packet on its way: copies (none is a loss), and their delays.
fn journey(latest: u64) -> impl Strategy<Value = Vec<u64>> {
    let delay = move || 0..latest;
    prop_oneof![
        1 => Just(vec![]),
        8 => delay().prop_map(|it| vec![it]),
        1 => (delay(), delay()).prop_map(|(one, other)| vec![one, other]),
    ]
}

/// The order in which packets arrive: (when, which).
fn arrivals(journeys: &[Vec<u64>], ms: u64) -> Vec<(u64, u64)> {
    let mut all: Vec<_> = (0..)
        .zip(journeys)
        .flat_map(|(n, delays)| delays.iter().map(move |delay| (n * ms + delay, n)))
        .collect();
    all.sort_unstable();
    all
}

proptest! {
    /// Out of order and twice, but all within the wait: exactly what was sent.
    #[test]
    fn without_loss_nothing_is_changed(
        journeys in prop::collection::vec(journey(80), 1..150), ms in 10_u64..=60,
    ) {
        let mut journeys = journeys;
        journeys.iter_mut().filter(|it| it.is_empty()).for_each(|it| it.push(0));
        journeys[0][0] = 0;
        let mut tape = Tape::new(ms * 8);
        let mut end = 0;
        for (now, n) in arrivals(&journeys, ms) {
            tape.put(now, n);
            tape.pass(now);
            end = now;
        }
        prop_assert_eq!(tape.jitter.concealed(), 0);
        prop_assert_eq!(tape.finish(end), sent(0, journeys.len() as u64 * ms * 8));
    }

    /// Whatever is lost, copied, late or out of order: the length is that from the first packet to
    /// the last one heard, and every sample that is not made up lies in its place.
    #[test]
    fn no_sample_is_moved(
        journeys in prop::collection::vec(journey(180), 1..150), ms in 10_u64..=60,
    ) {
        let arrivals = arrivals(&journeys, ms);
        prop_assume!(!arrivals.is_empty());
        let packet = ms * 8;
        let first = arrivals[0].1;
        let mut tape = Tape::new(packet);
        tape.jitter.begin(arrivals[0].0);
        let (mut taken, mut end) = (vec![], arrivals[0].0);
        for (now, n) in &arrivals {
            let given_out = tape.heard.len();
            let newest = taken.iter().all(|(before, _)| before < n);
            if tape.put(*now, *n) {
                taken.push((*n, given_out));
                end = if newest { *now } else { end };
            }
            tape.pass(*now);
        }
        let heard = tape.finish(end);
        let newest = taken.iter().max().map_or(0, |(n, _)| n - first + 1);
        prop_assert_eq!(heard.len() as u64, newest * packet);
        for (n, given_out) in taken {
            let end = ((n + 1 - first) * packet) as usize;
            // The head of a packet may come too late and its tail not.
            let from = given_out.max(end - packet as usize);
            let expected = sent(first * packet + from as u64, (n + 1) * packet);
            prop_assert_eq!(&heard[from..end.max(from)], &expected[..], "packet {}", n);
        }
    }
}
