//! One leg as its thread has it: what comes in, what goes out, and what is told about it.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::mpsc;

use super::{
    ear::{Brought, Ear},
    leg::{Heard, Stream},
    packet::Packet,
    ports::{Sockets, Use},
    post::{Post, Sealed},
    recording::Recording,
    reports::{Reports, Subject},
    secret::Secret,
    source::{Source, Verdict},
    speaker::{LARGEST, Speaker},
    tally::{LiveStats, Tally, add},
    telephone_event::Press,
};
use crate::{
    audio::{Clip, Codec, bed::Segment},
    srtp::OVERHEAD,
    sys::{
        datagrams::{BATCH, Batch},
        media::Watch,
    },
};

/// Batches taken in one turn: a flood of 3,200 packets a second is looked through, of 533 while it is
/// recorded, a larger one is left to the system to drop.
const BATCHES: usize = 8;
/// The same after the thread stood still: all that the system keeps, for what waits was spoken in time.
const ALL: usize = 64;
/// A recording is in no hurry: so long after one turn of a leg that says nothing comes the next. A key
/// ends a recording within this.
const RECORDS_MS: u64 = 120;
/// A leg that says nothing, and at whose socket nothing waits, has a turn this often.
const QUIET_MS: u64 = 100;
/// Looks that find nothing, after which a socket is watched instead.
const LOOKS: u8 = 10;
/// What comes from whom we do not hear just now is thrown away this often.
const CLEARS_MS: u64 = 1_000;

/// What a media thread lends to the leg whose turn it is.
pub(super) struct Kit {
    pub(super) batch: Batch,
    pub(super) watch: Watch,
    pub(super) post: Post,
    /// Until when legs take up what came while the thread stood still.
    pub(super) catches_up: u64,
    packet: Sealed,
}

impl Kit {
    pub(super) fn new(watch: Watch) -> Self {
        let packet = [0; LARGEST + OVERHEAD];
        Self { batch: Batch::default(), watch, post: Post::default(), catches_up: 0, packet }
    }
}

/// Which of a leg's sockets something waits at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Sound,
    Reports,
}

impl Door {
    /// How the leg in a place is named to a [`Watch`], and back.
    pub(super) fn number(self, place: usize) -> u64 {
        place as u64 * 2 + u64::from(self == Door::Reports)
    }

    pub(super) fn of(number: u64) -> (usize, Self) {
        let door = if number.is_multiple_of(2) { Door::Sound } else { Door::Reports };
        ((number / 2) as usize, door)
    }
}

/// A key that another leg heard is pressed for so long, in milliseconds.
const PRESS_MS: u32 = 160;
/// The number of comfort noise, the same for everybody (RFC 3551 §6).
const COMFORT_NOISE: u8 = 13;

/// What the settings say about a leg.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    pub(super) strict: bool,
    pub(super) timeout_ms: u64,
    pub(super) held_ms: u64,
    pub(super) keep_alive_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    local: SocketAddr,
    sockets: Arc<Sockets>,
    /// Of legs that only send many have the same sockets.
    what: Use,
    /// Where its thread keeps it.
    place: usize,
    /// The socket tells when something comes; until then it need not be looked at.
    watched: bool,
    /// Looks that found nothing, one after the other.
    vain: u8,
    /// When the socket is looked at next, where nobody is heard.
    look_at: u64,
    manners: Manners,
    call: Option<Call>,
    speaker: Speaker,
    ear: Ear,
    reports: Reports,
    heard_at: u64,
    timed_out: bool,
    /// The place of the leg that says what this one hears.
    pub(super) bridged: Option<usize>,
}

/// What was agreed on, and who keeps to it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) stream: Stream,
    pub(super) source: Source,
    pub(super) secret: Secret,
}

impl Line {
    pub(super) fn new(
        local: SocketAddr,
        (sockets, what): (Arc<Sockets>, Use),
        manners: Manners,
        events: mpsc::Sender<Heard>,
        stats: Arc<LiveStats>,
    ) -> Self {
        Self {
            local,
            sockets,
            what,
            place: 0,
            watched: false,
            vain: 0,
            look_at: 0,
            manners,
            call: None,
            // Far from where the numbers begin anew: whoever misses the first of an encrypted stream would
            // take the next for those of another round (RFC 3711 §3.3.1).
            speaker: Speaker::new(rand::random(), rand::random::<u16>() / 2, rand::random()),
            ear: Ear::new(events, stats),
            reports: Reports::new(local, rand::random()),
            heard_at: 0,
            timed_out: false,
            bridged: None,
        }
    }

    /// Its thread keeps it there.
    pub(super) fn settle(&mut self, place: usize) {
        self.place = place;
    }

    /// Something has come.
    pub(super) fn wake(&mut self, door: Door) {
        match door {
            Door::Sound => (self.watched, self.vain) = (false, 0),
            Door::Reports => self.reports.wake(),
        }
    }

    /// The leg's turn: takes what came, sends what is due. What is heard `other` says. When it needs the
    /// next turn, which may come later by as much as the time between two.
    pub(super) fn turn(
        &mut self,
        now: u64,
        other: Option<&mut Line>,
        kit: &mut Kit,
        tally: &Tally,
    ) -> u64 {
        if !self.watched && now >= self.look_at && self.what == Use::Both {
            self.look(now, other, kit, tally);
        }
        self.ear.pass(now, tally);
        self.speak(now, kit, tally);
        self.report(now, kit, tally);
        self.notice_silence(now);
        if self.speaker.is_busy() || self.bridged.is_some() {
            now
        } else if self.ear.is_recording() {
            now + RECORDS_MS
        } else if self.watched {
            now + QUIET_MS
        } else {
            now
        }
    }

    /// What waited so far is taken under the old agreement, and by the old recording if there is
    /// to be a new one.
    pub(super) fn connect(
        &mut self,
        now: u64,
        stream: Stream,
        recording: Option<Box<Recording>>,
        kit: &mut Kit,
        tally: &Tally,
    ) {
        self.receive(now, None, kit, tally);
        if let Some(recording) = recording {
            self.ear.stop_recording(now, tally);
            self.ear.record(now, recording);
        }
        let was_heard = self.call.as_ref().is_some_and(|it| it.stream.receive);
        self.ear.begin(now, &stream, was_heard);
        self.speaker.begin(now, &stream);
        match &mut self.call {
            Some(call) => {
                call.source.renew(stream.remote, stream.signalling);
                call.secret.renew(stream.keys);
                call.stream = stream;
            }
            None => {
                let strict = self.manners.strict;
                let source = Source::new(stream.remote, stream.signalling, strict);
                let mut secret = Secret::default();
                secret.renew(stream.keys);
                self.call = Some(Call { stream, source, secret });
            }
        }
        self.look_at = now;
        self.reports.begin(now);
        (self.heard_at, self.timed_out) = (now, false);
    }

    pub(super) fn play(&mut self, sounds: Vec<Arc<Clip>>, mark: u64) {
        if sounds.iter().all(|it| it.length().is_zero()) {
            self.speaker.hush();
            self.ear.played(mark);
        } else {
            self.speaker.play(sounds, mark);
        }
    }

    pub(super) fn follow(&mut self, segment: Arc<Segment>, from: usize) {
        self.speaker.follow(segment, from);
    }

    pub(super) fn hush(&mut self) {
        self.speaker.hush();
    }

    pub(super) fn press(&mut self, press: Press) {
        self.speaker.press(press);
    }

    pub(super) fn record(
        &mut self,
        now: u64,
        recording: Box<Recording>,
        kit: &mut Kit,
        tally: &Tally,
    ) {
        self.stop_recording(now, kit, tally);
        self.ear.record(now, recording);
    }

    pub(super) fn stop_recording(&mut self, now: u64, kit: &mut Kit, tally: &Tally) {
        self.receive(now, None, kit, tally);
        self.ear.stop_recording(now, tally);
    }

    /// Ends the recording, and says so to the other side.
    pub(super) fn close(&mut self, now: u64, kit: &mut Kit, tally: &Tally) {
        self.stop_recording(now, kit, tally);
        if let Some(call) = &mut self.call {
            let (speaker, reception) = (&self.speaker, &mut self.ear.reception);
            self.reports.bye(now, Subject { call, speaker, reception }, &self.sockets.rtcp);
        }
    }

    /// Takes what came. A socket at which nothing did for a while is watched instead, and one of a call
    /// that is not heard is only kept from running over.
    fn look(&mut self, now: u64, other: Option<&mut Line>, kit: &mut Kit, tally: &Tally) {
        if self.receive(now, other, kit, tally) > 0 {
            self.vain = 0;
            let unheard = self.call.as_ref().is_some_and(|it| !it.stream.receive);
            self.look_at = if unheard { now + CLEARS_MS } else { now };
        } else if self.vain < LOOKS {
            self.vain += 1;
        } else {
            self.watched = kit.watch.watch(&self.sockets.rtp, Door::Sound.number(self.place));
        }
    }

    /// Takes what waits; how many datagrams.
    fn receive(
        &mut self,
        now: u64,
        mut other: Option<&mut Line>,
        kit: &mut Kit,
        tally: &Tally,
    ) -> usize {
        let mut taken = 0;
        let batches = match self.what {
            Use::Sending => 0,
            Use::Both if now < kit.catches_up => ALL,
            Use::Both => BATCHES,
        };
        for _ in 0..batches {
            let count = kit.batch.receive(&self.sockets.rtp);
            for at in 0..count {
                match kit.batch.datagram(at) {
                    Some(it) => self.take(now, it, other.as_deref_mut(), tally),
                    None => self.ear.refuse(&tally.malformed),
                }
            }
            taken += count;
            if count < BATCH {
                break;
            }
        }
        taken
    }

    fn take(
        &mut self,
        now: u64,
        (from, datagram): (SocketAddr, &mut [u8]),
        other: Option<&mut Line>,
        tally: &Tally,
    ) {
        let Some(call) = &mut self.call else { return self.ear.refuse(&tally.unexpected) };
        if !call.stream.reaches(from, self.local) || !call.source.may_be(from) {
            return self.ear.refuse(&tally.strangers);
        }
        // Before anything is learned from it, an address above all. Also of what is not heard, as on hold:
        // who does not follow the numbers for eleven minutes understands nothing after that.
        let Some(plain) = call.secret.open(datagram) else {
            return self.ear.refuse(&tally.forged);
        };
        if !call.stream.receive {
            return self.ear.refuse(&tally.unexpected);
        }
        let Some(packet) = Packet::parse(plain) else {
            return self.ear.refuse(&tally.malformed);
        };
        match call.source.admit(from, packet.header.ssrc) {
            Verdict::Stranger => return self.ear.refuse(&tally.strangers),
            Verdict::New => self.ear.restart(),
            Verdict::Ours => {}
        }
        (self.heard_at, self.timed_out) = (now, false);
        let brought = self.ear.hear(now, &call.stream, &packet, tally);
        if let (Some(brought), Some(other)) = (brought, other) {
            other.pass_on(now, call.stream.codec, &packet, brought, tally);
        }
    }

    /// Says what another leg heard.
    fn pass_on(
        &mut self,
        now: u64,
        codec: Codec,
        packet: &Packet<'_>,
        brought: Brought,
        tally: &Tally,
    ) {
        let Some(call) = self.call.as_mut().filter(|it| it.stream.send) else { return };
        let payload_type = match brought {
            Brought::Sound if call.stream.codec == codec => call.stream.payload_type,
            Brought::ComfortNoise => COMFORT_NOISE,
            Brought::Sound => return add(&tally.unsent, 1),
            Brought::Event(key) => {
                self.speaker.skip(packet.header);
                let press = key.and_then(|it| Press::new(it, PRESS_MS));
                return press.into_iter().for_each(|it| self.speaker.press(it));
            }
        };
        let mut out = [0; LARGEST + OVERHEAD];
        let Some(plain) = out.first_chunk_mut() else { return };
        match self.speaker.pass_on(now, payload_type, packet, plain) {
            0 => add(&tally.late, 1),
            length => {
                let length = call.secret.seal(&mut out, length);
                let to = call.source.send_to();
                send(&self.sockets, &out[..length], to, tally);
                add(&self.ear.stats.sent, 1);
            }
        }
    }

    fn speak(&mut self, now: u64, kit: &mut Kit, tally: &Tally) {
        let Some(call) = self.call.as_mut().filter(|it| it.stream.send) else { return };
        let keep_alive = self.manners.keep_alive_ms;
        let packet = match self.what {
            Use::Both => &mut kit.packet,
            Use::Sending => kit.post.room(&self.sockets, tally),
        };
        let Some(plain) = packet.first_chunk_mut() else { return };
        let said = self.speaker.say(now, &call.stream, keep_alive, plain);
        if said.length > 0 {
            let length = call.secret.seal(packet, said.length);
            let to = call.source.send_to();
            match self.what {
                Use::Both => send(&self.sockets, &kit.packet[..length], to, tally),
                Use::Sending => kit.post.add(length, to),
            }
            add(&self.ear.stats.sent, 1);
        }
        if let Some(mark) = said.played {
            self.ear.played(mark);
        }
    }

    fn report(&mut self, now: u64, kit: &mut Kit, tally: &Tally) {
        let Some(call) = &mut self.call else { return };
        let (speaker, reception) = (&self.speaker, &mut self.ear.reception);
        let mut subject = Subject { call, speaker, reception };
        let door = (&self.sockets.rtcp, Door::Reports.number(self.place));
        let with = (kit, &*self.ear.stats);
        if self.what == Use::Both && self.reports.read(now, &mut subject, door, with, tally) {
            (self.heard_at, self.timed_out) = (now, false);
        }
        self.reports.write(now, subject, &self.sockets.rtcp);
    }

    fn notice_silence(&mut self, now: u64) {
        let Some(call) = self.call.as_ref().filter(|_| self.what == Use::Both) else { return };
        // Many phones are silent while they hold, also those that announced music.
        // Who listens to somebody else may be silent for as long as that.
        let held = !(call.stream.receive && call.stream.send) || self.bridged.is_some();
        let limit = if held { self.manners.held_ms } else { self.manners.timeout_ms };
        if limit > 0 && !self.timed_out && now >= self.heard_at.saturating_add(limit) {
            self.timed_out = self.ear.tell(Heard::TimedOut);
        }
    }
}

fn send(by: &Sockets, packet: &[u8], to: SocketAddr, tally: &Tally) {
    let sent = by.rtp.send_to(packet, to).is_ok();
    add(if sent { &tally.sent } else { &tally.unsent }, 1);
}
