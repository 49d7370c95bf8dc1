//! A recording while it is made: from packets, through the jitter buffer, into the recorder's ring.

use std::sync::LazyLock;

use super::{
    jitter::{Audio, Jitter, LONGEST},
    leg::Recorder,
};
use crate::audio::Codec;

/// Each byte of one law in the other: µ-law to A-law, then A-law to µ-law.
static OTHER_LAW: LazyLock<[[u8; 256]; 2]> = LazyLock::new(|| {
    let table =
        |from: Codec, to: Codec| std::array::from_fn(|byte| to.encode(from.decode(byte as u8)));
    [table(Codec::Pcmu, Codec::Pcma), table(Codec::Pcma, Codec::Pcmu)]
});

/// Why a recording ended without being told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is as long as it may be.
    Done,
    /// Its ring was full: nobody took what was recorded.
    Failed,
}

/// See the module. Dropping it drops the ring's end, which tells the other side that this was all.
#[derive(Debug)]
pub(super) struct Recording {
    jitter: Jitter,
    tape: Tape,
}

#[derive(Debug)]
struct Tape {
    recorder: Recorder,
    left: u64,
    end: Option<End>,
}

impl Recording {
    pub(super) fn new(recorder: Recorder, wait_ms: u64) -> Self {
        LazyLock::force(&OTHER_LAW);
        let jitter = Jitter::new(recorder.codec, wait_ms);
        let left = recorder.at_most;
        Self { jitter, tape: Tape { recorder, left, end: None } }
    }

    pub(super) fn begin(&mut self, now: u64) {
        self.jitter.begin(now);
    }

    /// Another SSRC: its timestamps compare to nothing before.
    pub(super) fn restart(&mut self) {
        self.jitter.restart();
    }

    /// A packet of the stream without sound.
    pub(super) fn skip(&mut self, sequence: u16) {
        self.jitter.skip(sequence);
    }

    /// A packet with sound in `codec`; `false` when it came too late or twice.
    pub(super) fn put(&mut self, now: u64, codec: Codec, audio: Audio<'_>) -> bool {
        let tape = &mut self.tape;
        if codec == tape.recorder.codec {
            return self.jitter.put(now, audio, |sound| tape.push(sound));
        }
        let table = &OTHER_LAW[usize::from(codec == Codec::Pcma)];
        let mut other = [0; LONGEST];
        let Some(other) = other.get_mut(..audio.payload.len()) else { return false };
        for (to, from) in other.iter_mut().zip(audio.payload) {
            *to = table[usize::from(*from)];
        }
        let audio = Audio { payload: other, ..audio };
        self.jitter.put(now, audio, |sound| tape.push(sound))
    }

    pub(super) fn pass(&mut self, now: u64) {
        self.jitter.pass(now, |sound| self.tape.push(sound));
    }

    pub(super) fn finish(&mut self, now: u64) {
        self.jitter.finish(now, |sound| self.tape.push(sound));
    }

    pub(super) fn end(&self) -> Option<End> {
        self.tape.end
    }

    pub(super) fn concealed(&self) -> u64 {
        self.jitter.concealed()
    }
}

impl Tape {
    fn push(&mut self, sound: &[u8]) {
        let length = (sound.len() as u64).min(self.left) as usize;
        if self.end.is_some() {
            return;
        }
        if self.recorder.ring.push_entire_slice(&sound[..length]).is_err() {
            self.end = Some(End::Failed);
            return;
        }
        self.left -= length as u64;
        if self.left == 0 {
            self.end = Some(End::Done);
        }
    }
}
