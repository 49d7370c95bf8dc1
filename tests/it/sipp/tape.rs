//! What a caller sent, packet by packet, and what must be stored of it.

use std::time::{Duration, Instant};

use afterbeep::audio::g711::Law;

use crate::phone::FRAME;

/// How long after the beep the recording has begun.
const SOON: Duration = Duration::from_secs(1);

/// A caller's side of a call from its answer on.
pub struct Tape {
    codec: Law,
    /// One for every 20 ms.
    pub frames: Vec<Frame>,
    /// The last moment at which the end of the beep had not come yet.
    pub beep: Instant,
    /// The packet before which the last word was over.
    pub last_word: usize,
    /// When the caller knew that the call was over.
    pub over: Instant,
    /// Packets that came behind one that follows them.
    pub overtaken: usize,
}

/// 20 ms.
pub struct Frame {
    /// Nothing while a digit was sent instead.
    pub sound: Option<Vec<u8>>,
    /// When the packet was sent, unless it was lost.
    pub sent: Option<Instant>,
}

impl Tape {
    pub fn new(codec: Law) -> Self {
        let now = Instant::now();
        Self { codec, frames: vec![], beep: now, last_word: 0, over: now, overtaken: 0 }
    }

    /// Every stored sample is what was sent, from right after the beep to the last word and perhaps
    /// the silence behind it.
    #[track_caller]
    pub fn assert_stored_exactly(&self, stored: &[i16]) {
        assert!(self.frames.iter().all(|it| it.arrives()), "this is for calls without loss");
        let first = self.first_stored(stored);
        let sent: Vec<_> = self.frames[first..].iter().flat_map(|it| self.samples(it)).collect();
        let stored = self.without_a_late_start(stored, first);
        let wrong = (0..stored.len()).find(|&at| stored[at] != self.at(&sent, at));
        let words = (self.last_word - first) * FRAME;
        assert_eq!(wrong, None, "a sample is not as it was said; the words are {words}");
        let length = words..=self.longest(first);
        assert!(length.contains(&stored.len()), "{} samples, not {length:?}", stored.len());
    }

    /// Every packet that arrived lies where it belongs, and the whole is as long as what was sent.
    #[track_caller]
    pub fn assert_stored_in_place(&self, stored: &[i16]) {
        let first = self.first_stored(stored);
        let stored = self.without_a_late_start(stored, first);
        let sent = &self.frames[first..];
        let words = self.last_word - first;
        let last = sent[..words].iter().rposition(|it| it.arrives()).unwrap() + 1;
        let lost = sent[..words].iter().filter(|it| it.sent.is_none()).count();
        assert!(lost > 0 && self.overtaken > 0, "the network was not poor");
        // One that overtook the first packet stored may have come before the recording began.
        let came = |it: &&Frame| it.sent >= sent[0].sent;
        for (n, frame) in sent[..last].iter().enumerate().filter(|(_, it)| came(it)) {
            let place = stored.get(n * FRAME..(n + 1) * FRAME);
            let right = place == Some(&self.samples(frame));
            assert!(right, "packet {n} of {words} is not in its place");
        }
        let length = last * FRAME..=self.longest(first);
        assert!(length.contains(&stored.len()), "{} samples, not {length:?}", stored.len());
    }

    /// Samples from this packet to the end of the call: what is sent while the server hangs up may
    /// be stored too, and is silence.
    fn longest(&self, first: usize) -> usize {
        let last = self.frames.iter().filter_map(|it| it.sent).max();
        let waited = last.map_or(Duration::ZERO, |it| self.over.saturating_duration_since(it));
        (self.frames.len() - first) * FRAME + waited.as_millis() as usize * 8
    }

    /// The packet that was stored first.
    #[track_caller]
    fn first_stored(&self, stored: &[i16]) -> usize {
        let loud = stored.iter().position(|it| *it != self.silence()).expect("something is stored");
        let words = self.frames[..self.last_word].iter().enumerate();
        let mut found = words.filter(|it| it.1.sound.is_some()).filter(|(_, frame)| {
            let samples = self.samples(frame);
            let lead = samples.iter().take_while(|it| **it == self.silence()).count();
            loud >= lead && stored[loud - lead..].starts_with(&samples)
        });
        let first = found.next().expect("the first samples stored were never sent").0;
        let sent = self.frames[first].sent.expect("a lost packet is not stored");
        let after = sent.checked_duration_since(self.beep);
        assert!(after.is_some_and(|it| it < SOON), "stored from {after:?} after the beep");
        first
    }

    /// Silence before the first packet is right only if we did not send it in time.
    #[track_caller]
    fn without_a_late_start<'a>(&self, stored: &'a [i16], first: usize) -> &'a [i16] {
        let samples = self.samples(&self.frames[first]);
        let lead = stored.windows(FRAME).position(|it| it == samples).unwrap();
        let sent = self.frames[..=first].iter().rev().filter_map(|it| it.sent);
        let paused = pauses(&sent.take(2).collect::<Vec<_>>()).max().unwrap_or_default();
        assert!(lead == 0 || lead / 8 <= paused.as_millis() as usize, "{lead} samples too many");
        &stored[lead..]
    }

    fn samples(&self, frame: &Frame) -> Vec<i16> {
        match &frame.sound {
            Some(sound) => sound.iter().map(|it| decoded(self.codec, *it)).collect(),
            None => vec![self.silence(); FRAME],
        }
    }

    /// Where nothing was sent, there is silence.
    fn at(&self, sent: &[i16], at: usize) -> i16 {
        sent.get(at).copied().unwrap_or(self.silence())
    }

    fn silence(&self) -> i16 {
        match self.codec {
            Law::Mu => 0,
            Law::A => 8,
        }
    }

    /// The longest time in which nothing was sent.
    pub fn longest_pause(&self) -> Duration {
        let mut sent: Vec<_> = self.frames.iter().filter_map(|it| it.sent).collect();
        sent.sort();
        pauses(&sent).max().unwrap_or_default()
    }
}

impl Frame {
    fn arrives(&self) -> bool {
        self.sent.is_some()
    }
}

fn pauses(sent: &[Instant]) -> impl Iterator<Item = Duration> {
    sent.windows(2).map(|it| it[0].max(it[1]) - it[0].min(it[1]))
}

/// ITU-T G.711 in its own words, 14 bits of µ-law and 13 of A-law, at the top of 16: on purpose not
/// the server's own tables.
fn decoded(codec: Law, byte: u8) -> i16 {
    let bits = i32::from(match codec {
        Law::Mu => !byte,
        Law::A => byte ^ 0x55,
    });
    let (positive, segment, step) = (bits & 0x80 == 0, bits >> 4 & 7, bits & 15);
    let (positive, size) = match codec {
        Law::Mu => (positive, 4 * (((33 + 2 * step) << segment) - 33)),
        Law::A if segment == 0 => (!positive, 8 * (1 + 2 * step)),
        Law::A => (!positive, 8 * ((33 + 2 * step) << (segment - 1))),
    };
    (if positive { size } else { -size }) as i16
}
