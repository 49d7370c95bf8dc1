//! What a leg makes of the packets that come in: digits, counts, a recording.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use super::{
    in_band::InBand,
    jitter::Audio,
    leg::{Heard, Kind, Stream},
    packet::Packet,
    reception::Reception,
    recording::{End, Recording},
    tally::{LiveStats, Tally, add},
    telephone_event::Digits,
};

/// Places in the event queue that digits leave free for what must not be lost.
const KEPT_FREE: usize = 8;

/// What a packet brought that another leg may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    Sound,
    ComfortNoise,
    /// Part of a key; the key once it is known.
    Event(Option<char>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) stats: Arc<LiveStats>,
    pub(super) reception: Reception,
    events: mpsc::Sender<Heard>,
    digits: Digits,
    in_band: Option<InBand>,
    recording: Option<Box<Recording>>,
    /// Who was heard before is on hold.
    held: bool,
    /// When sound was last taken.
    taken_at: u64,
}

impl Ear {
    pub(super) fn new(events: mpsc::Sender<Heard>, stats: Arc<LiveStats>) -> Self {
        Self {
            stats,
            reception: Reception::default(),
            events,
            digits: Digits::default(),
            in_band: None,
            recording: None,
            held: false,
            taken_at: 0,
        }
    }

    /// What the clocks of the stream count, and whether it is on hold: not heard though it was before.
    pub(super) fn begin(&mut self, now: u64, stream: &Stream, was_heard: bool) {
        self.reception.clock(stream.codec.clock());
        self.digits.clock(stream.event_clock);
        self.in_band = InBand::renewed(self.in_band.take(), stream);
        self.held = !stream.receive && (was_heard || self.held);
        let held = self.held;
        self.recording.iter_mut().for_each(|it| it.hold(now, held));
    }

    /// A packet that is the call's.
    pub(super) fn hear(
        &mut self,
        now: u64,
        stream: &Stream,
        packet: &Packet<'_>,
        tally: &Tally,
    ) -> Option<Brought> {
        let header = packet.header;
        let Some(kind) = stream.kind(header.payload_type) else {
            self.refuse(&tally.unexpected);
            return None;
        };
        let is_sound = kind == Kind::Sound;
        // Of several packets that one look found, only the first says how evenly they come.
        let is_first = self.recording.is_none() || now != self.taken_at;
        let timestamp = (is_sound && is_first).then_some(header.timestamp);
        self.taken_at = now;
        self.reception.count(now, header.ssrc, header.sequence, timestamp);
        self.count(tally);
        let mut digit = None;
        if is_sound {
            self.record_packet(now, stream, packet, tally);
            let Packet { header, payload } = packet;
            let ear = self.in_band.as_mut();
            digit = ear.and_then(|it| it.hear(header.sequence, header.timestamp, payload));
        } else if let Some(recording) = &mut self.recording {
            recording.skip(header.sequence);
        }
        if kind == Kind::Event {
            digit = self.digits.hear(now, header.timestamp, packet.payload);
        }
        if let Some(digit) = digit {
            let heard = self.events.capacity() > KEPT_FREE && self.tell(Heard::Digit(digit));
            add(&tally.unheard, u64::from(!heard));
        }
        Some(match kind {
            Kind::Sound => Brought::Sound,
            Kind::ComfortNoise => Brought::ComfortNoise,
            Kind::Event => Brought::Event(digit),
        })
    }

    /// Counts a packet that is not used.
    pub(super) fn refuse(&self, reason: &AtomicU64) {
        add(reason, 1);
        add(&self.stats.refused, 1);
    }

    /// Another SSRC: clocks begin anew.
    pub(super) fn restart(&mut self) {
        self.digits.restart();
        self.in_band.iter_mut().for_each(InBand::restart);
        if let Some(recording) = &mut self.recording {
            recording.restart();
        }
    }

    pub(super) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    pub(super) fn record(&mut self, now: u64, mut recording: Box<Recording>) {
        recording.begin(now);
        recording.hold(now, self.held);
        self.recording = Some(recording);
    }

    /// Time goes on in a recording even when nothing comes.
    pub(super) fn pass(&mut self, now: u64, tally: &Tally) {
        if let Some(recording) = &mut self.recording {
            recording.pass(now);
            self.notice_end(tally);
        }
    }

    pub(super) fn stop_recording(&mut self, now: u64, tally: &Tally) {
        if let Some(recording) = &mut self.recording {
            recording.finish(now);
            self.notice_end(tally);
        }
        self.drop_recording(tally);
    }

    pub(super) fn played(&self, mark: u64) {
        self.tell(Heard::Played(mark));
    }

    /// `false` when nobody takes what is told.
    pub(super) fn tell(&self, heard: Heard) -> bool {
        self.events.try_send(heard).is_ok()
    }

    fn record_packet(&mut self, now: u64, stream: &Stream, packet: &Packet<'_>, tally: &Tally) {
        let Some(recording) = &mut self.recording else { return };
        let audio = Audio {
            sequence: packet.header.sequence,
            timestamp: packet.header.timestamp,
            payload: packet.payload,
        };
        if !recording.put(now, stream.codec, audio) {
            add(&tally.late, 1);
        }
        self.notice_end(tally);
    }

    fn notice_end(&mut self, tally: &Tally) {
        let Some(end) = self.recording.as_ref().and_then(|it| it.end()) else { return };
        self.drop_recording(tally);
        self.tell(match end {
            End::Done => Heard::RecordingDone,
            End::Failed => {
                add(&tally.failed, 1);
                Heard::RecordingFailed
            }
        });
    }

    fn drop_recording(&mut self, tally: &Tally) {
        if let Some(recording) = self.recording.take() {
            add(&tally.concealed, recording.concealed());
        }
    }

    fn count(&self, tally: &Tally) {
        add(&tally.received, 1);
        add(&self.stats.received, 1);
        self.stats.lost.store(self.reception.lost(), Relaxed);
        self.stats.jitter.store(self.reception.jitter().into(), Relaxed);
    }
}
