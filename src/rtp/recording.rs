//! A recording while it is made: from packets, through the jitter buffer, into the recorder's ring.

use std::sync::LazyLock;

use super::{
    jitter::{Audio, Given, Jitter, LONGEST},
    leg::Recorder,
    parcels::Parcels,
};
use crate::audio::{
    Codec,
    g711::Law,
    piece::{self, Piece},
};

/// Each byte of one law in the other: µ-law to A-law, then A-law to µ-law.
static OTHER_LAW: LazyLock<[[u8; 256]; 2]> = LazyLock::new(|| {
    let table = |from: Law, to: Law| std::array::from_fn(|byte| to.encode(from.decode(byte as u8)));
    [table(Law::Mu, Law::A), table(Law::A, Law::Mu)]
});

/// Why a recording ended without being told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is as long as it may be.
    Done,
    /// Its ring was full: nobody took what was recorded.
    Failed,
}

/// See the module. Dropping it drops the ring's writer, which tells the other side that this was all.
#[derive(Debug)]
pub(super) struct Recording {
    jitter: Jitter,
    tape: Tape,
}

/// Writes what is in order into the ring: bytes of G.711 as they are, all else in pieces.
#[derive(Debug)]
struct Tape {
    recorder: Recorder,
    left: u64,
    end: Option<End>,
    /// Packets of Opus that are not in order yet.
    parcels: Option<Box<Parcels>>,
    /// The packet that comes out just now, and how many ticks of it did so far.
    parcel: Option<(u8, u16)>,
}

impl Recording {
    pub(super) fn new(recorder: Recorder, wait_ms: u64) -> Self {
        LazyLock::force(&OTHER_LAW);
        let jitter = Jitter::new(recorder.codec, wait_ms);
        let parcels = (recorder.codec == Codec::Opus).then(Box::default);
        let left = recorder.at_most;
        Self { jitter, tape: Tape { recorder, left, end: None, parcels, parcel: None } }
    }

    pub(super) fn begin(&mut self, now: u64) {
        self.jitter.begin(now);
    }

    /// Another SSRC: its timestamps compare to nothing before.
    pub(super) fn restart(&mut self) {
        self.jitter.restart();
    }

    /// Whoever is recorded is on hold, or is no more: meanwhile no time goes by.
    pub(super) fn hold(&mut self, now: u64, is_held: bool) {
        if is_held {
            self.jitter.hold(now, |given| self.tape.push(given));
            self.tape.push_parcel();
        } else {
            self.jitter.resume(now);
        }
    }

    /// A packet of the stream without sound.
    pub(super) fn skip(&mut self, sequence: u16) {
        self.jitter.skip(sequence);
    }

    /// A packet with sound in `codec`; `false` when it came too late or twice, or when the
    /// recording is in a codec that this one is not translated to.
    pub(super) fn put(&mut self, now: u64, codec: Codec, audio: Audio<'_>) -> bool {
        match (codec, self.tape.recorder.codec) {
            (Codec::Opus, Codec::Opus) => self.put_parcel(now, audio),
            (one, other) if one == other => self.put_bytes(now, audio),
            (one, other) => match (one.law(), other.law()) {
                (Some(law), Some(_)) => self.put_other_law(now, law, audio),
                _ => false,
            },
        }
    }

    pub(super) fn pass(&mut self, now: u64) {
        self.jitter.pass(now, |given| self.tape.push(given));
        self.tape.push_parcel();
    }

    pub(super) fn finish(&mut self, now: u64) {
        self.jitter.finish(now, |given| self.tape.push(given));
        self.tape.push_parcel();
    }

    pub(super) fn end(&self) -> Option<End> {
        self.tape.end
    }

    pub(super) fn concealed(&self) -> u64 {
        self.jitter.concealed()
    }

    fn put_bytes(&mut self, now: u64, audio: Audio<'_>) -> bool {
        self.jitter.put(now, audio, |given| self.tape.push(given))
    }

    fn put_other_law(&mut self, now: u64, law: Law, audio: Audio<'_>) -> bool {
        let table = &OTHER_LAW[usize::from(law == Law::A)];
        let mut other = [0; LONGEST];
        let Some(other) = other.get_mut(..audio.payload.len()) else { return false };
        for (to, from) in other.iter_mut().zip(audio.payload) {
            *to = table[usize::from(*from)];
        }
        self.put_bytes(now, Audio { payload: other, ..audio })
    }

    fn put_parcel(&mut self, now: u64, audio: Audio<'_>) -> bool {
        let Some(parcels) = &mut self.tape.parcels else { return false };
        let timestamp = parcels.ticks(audio.timestamp);
        let Some(number) = parcels.put(now, audio.payload) else { return false };
        let mut stand_in = [0; LONGEST];
        let ticks = parcels.stand_in(number, &mut stand_in);
        let taken = self.put_bytes(now, Audio { timestamp, payload: &stand_in[..ticks], ..audio });
        self.tape.push_parcel();
        if !taken && let Some(parcels) = &mut self.tape.parcels {
            parcels.clear(number);
        }
        taken
    }
}

impl Tape {
    fn push(&mut self, given: Given<'_>) {
        match given {
            Given::Sound(sound) if self.parcels.is_some() => self.follow(sound),
            Given::Sound(sound) if self.recorder.codec.law().is_some() => self.push_bytes(sound),
            Given::Sound(sound) => {
                for some in sound.chunks(piece::LONGEST) {
                    self.push_piece(Piece::Sound(some.len() as u16, some));
                }
            }
            Given::Lost(ticks) => self.push_time(ticks, Piece::Lost),
            Given::Silence(ticks) => self.push_time(ticks, Piece::Silence),
        }
    }

    fn push_bytes(&mut self, sound: &[u8]) {
        let length = (sound.len() as u64).min(self.left) as usize;
        self.write(&sound[..length], length as u64);
    }

    fn push_time(&mut self, mut ticks: u64, what: fn(u16) -> Piece<'static>) {
        self.push_parcel();
        while ticks > 0 {
            let some = ticks.min(u16::MAX.into()) as u16;
            self.push_piece(what(some));
            ticks -= u64::from(some);
        }
    }

    /// What comes out of the buffer in place of packets: each number stands for a tick.
    fn follow(&mut self, stand_ins: &[u8]) {
        for &number in stand_ins {
            match &mut self.parcel {
                Some((same, ticks)) if *same == number => *ticks = ticks.saturating_add(1),
                _ => {
                    self.push_parcel();
                    self.parcel = Some((number, 1));
                }
            }
        }
    }

    fn push_parcel(&mut self) {
        let Some((number, ticks)) = self.parcel.take() else { return };
        let Some(mut parcels) = self.parcels.take() else { return };
        // A part of a packet that came out before can only be made up.
        let packet = parcels.packet(number);
        self.push_piece(packet.map_or(Piece::Lost(ticks), |it| Piece::Sound(ticks, it)));
        parcels.clear(number);
        self.parcels = Some(parcels);
    }

    /// The last piece is as long as the recording may still be.
    fn push_piece(&mut self, piece: Piece<'_>) {
        let ticks = piece.ticks().min(self.left);
        let cut = ticks as u16;
        let piece = match piece {
            Piece::Sound(_, sound) => Piece::Sound(cut, sound),
            Piece::Lost(_) => Piece::Lost(cut),
            Piece::Silence(_) => Piece::Silence(cut),
        };
        let mut bytes = [0; piece::HEADER + piece::LONGEST];
        let length = piece.write(&mut bytes);
        self.write(&bytes[..length], ticks);
    }

    fn write(&mut self, bytes: &[u8], ticks: u64) {
        if self.end.is_some() {
            return;
        }
        if self.recorder.ring.push(bytes).is_err() {
            self.end = Some(End::Failed);
            return;
        }
        self.left -= ticks;
        if self.left == 0 {
            self.end = Some(End::Done);
        }
    }
}
