//! What a leg says: sounds from a list, keys, now and then a silent frame; one packet at a time.
//!
//! The timestamp follows the plane's time, so a pause in what is said is one in the stream as well.
//! With a codec of another clock a new stream begins, under another SSRC (RFC 7160 §4).

use std::{collections::VecDeque, sync::Arc};

use super::{
    leg::Stream,
    packet::{HEADER, Header, Packet},
    rtcp::Sent,
    telephone_event::Press,
};
use crate::audio::{
    Clip, Codec,
    bed::Segment,
    g722,
    opus_packet::{self, FRAME_TICKS},
};

/// The largest packet sent: a header and 60 ms, or what our packets of Opus may be at most.
pub(super) const LARGEST: usize = HEADER + opus_packet::LARGEST;
/// Between the SSRCs of one leg's streams.
const NEXT_SSRC: u32 = 0x9e37_79b9;
/// Keys waiting to be pressed; more are dropped.
const MOST_PRESSES: usize = 32;
/// More packets of another leg than this are not missing: its numbers began anew.
const WIDEST_GAP: u16 = 100;
/// From here on a number is one of the past.
const LATEST: u16 = u16::MAX - WIDEST_GAP;
/// Between two presses, in milliseconds, so that nobody hears them as one.
const REST_MS: u64 = 60;

/// The packets of one leg on their way out.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) ssrc: u32,
    sequence: u16,
    origin: u32,
    /// Steps of the RTP clock in a millisecond.
    per_ms: u32,
    playing: Option<Playing>,
    /// How another leg's packets become ours.
    passing: Option<Passing>,
    presses: VecDeque<Press>,
    /// The press being sent, and its timestamp.
    press: Option<(Press, u32)>,
    rest_until: u64,
    /// When the frame after the last one is due, and when anything was last sent.
    due: u64,
    spoke_at: u64,
    packets: u32,
    octets: u32,
}

/// A stream that another leg hears.
#[derive(Debug, Clone, Copy)]
struct Passing {
    ssrc: u32,
    /// Their last packet's number.
    last: u16,
    /// From their timestamps to ours.
    offset: u32,
}

#[derive(Debug)]
struct Playing {
    sounds: Sounds,
    /// The next tick of the sound being played.
    offset: usize,
    mark: u64,
}

#[derive(Debug)]
enum Sounds {
    /// A list that ends, and which of it is being played.
    List(Vec<Arc<Clip>>, usize),
    /// A bed, which does not end.
    Bed(Arc<Segment>),
}

/// What there is to play at one moment.
enum Filled {
    /// So many bytes.
    Sound(usize),
    /// What comes next was not prepared in this codec yet.
    NotReady,
    /// Nothing: all was played.
    Over,
}

/// What was said at one moment.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Bytes of the packet, 0 for none.
    pub(super) length: usize,
    /// The mark of what has been played to its end.
    pub(super) played: Option<u64>,
}

impl Speaker {
    /// SSRC, first sequence number and timestamp are chosen by lot (RFC 3550 §5.1).
    pub(super) fn new(ssrc: u32, sequence: u16, origin: u32) -> Self {
        Self {
            ssrc,
            sequence,
            origin,
            per_ms: 8,
            playing: None,
            passing: None,
            presses: VecDeque::with_capacity(MOST_PRESSES),
            press: None,
            rest_until: 0,
            due: 0,
            spoke_at: 0,
            packets: 0,
            octets: 0,
        }
    }

    /// The stream was agreed on at `now`: the time to the first keep-alive begins.
    pub(super) fn begin(&mut self, now: u64, stream: &Stream) {
        self.spoke_at = self.spoke_at.max(now);
        let per_ms = stream.codec.clock() / 1_000;
        if per_ms != self.per_ms {
            self.per_ms = per_ms;
            if self.packets > 0 {
                self.ssrc = self.ssrc.wrapping_add(NEXT_SSRC);
                (self.packets, self.octets) = (0, 0);
            }
        }
    }

    pub(super) fn play(&mut self, sounds: Vec<Arc<Clip>>, mark: u64) {
        self.playing = Some(Playing { sounds: Sounds::List(sounds, 0), offset: 0, mark });
    }

    pub(super) fn follow(&mut self, segment: Arc<Segment>, from: usize) {
        let offset = from.max(segment.from());
        self.playing = Some(Playing { sounds: Sounds::Bed(segment), offset, mark: 0 });
    }

    pub(super) fn hush(&mut self) {
        self.playing = None;
    }

    pub(super) fn press(&mut self, press: Press) {
        if self.presses.len() < MOST_PRESSES {
            self.presses.push_back(press);
        }
    }

    /// Writes a packet that another leg heard, and answers how long it is: 0 when it is too large, or
    /// comes after a later one. Theirs that are missing are missing in ours as well, so that the listener
    /// knows how to fill the gap.
    pub(super) fn pass_on(
        &mut self,
        now: u64,
        payload_type: u8,
        packet: &Packet<'_>,
        out: &mut [u8; LARGEST],
    ) -> usize {
        let Packet { header, payload } = packet;
        let Some(to) = out[HEADER..].get_mut(..payload.len()) else { return 0 };
        let known = self.passing.filter(|it| it.ssrc == header.ssrc);
        let ahead = known.map(|it| header.sequence.wrapping_sub(it.last));
        let (offset, ahead) = match (known, ahead) {
            (Some(it), Some(ahead @ 1..=WIDEST_GAP)) => (it.offset, ahead),
            // A number that goes on where it was used would be no secret any more (RFC 3711 §9.1).
            (Some(_), Some(0 | LATEST..)) => return 0,
            _ => (self.timestamp(now).wrapping_sub(header.timestamp), 1),
        };
        let is_new = known.is_none_or(|it| it.offset != offset);
        self.passing = Some(Passing { ssrc: header.ssrc, last: header.sequence, offset });
        to.copy_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(ahead - 1);
        let timestamp = header.timestamp.wrapping_add(offset);
        let ours = self.header(header.marker || is_new, payload_type, timestamp);
        self.number(now, ours, payload.len(), out)
    }

    /// A packet that another leg heard, and that is not passed on, is no gap either.
    pub(super) fn skip(&mut self, header: Header) {
        if let Some(it) = self.passing.as_mut().filter(|it| it.ssrc == header.ssrc)
            && (1..=WIDEST_GAP).contains(&header.sequence.wrapping_sub(it.last))
        {
            it.last = header.sequence;
        }
    }

    /// Whether there is anything to play or to press.
    pub(super) fn is_busy(&self) -> bool {
        self.playing.is_some() || self.press.is_some() || !self.presses.is_empty()
    }

    /// What a sender report says (RFC 3550 §6.4.1), of the moment `now` with that NTP time.
    pub(super) fn sent(&self, now: u64, ntp: u64) -> Sent {
        let timestamp = self.timestamp(now);
        Sent { ntp, timestamp, packets: self.packets, octets: self.octets }
    }

    /// Writes the packet that is due at `now`, if any. A key goes before sound, which then waits.
    pub(super) fn say(
        &mut self,
        now: u64,
        stream: &Stream,
        keep_alive_ms: u64,
        packet: &mut [u8; LARGEST],
    ) -> Said {
        if now < self.due {
            return Said::default();
        }
        if let Some(payload_type) = stream.telephone_event
            && let Some(length) = self.say_key(now, stream, payload_type, packet)
        {
            return Said { length, played: None };
        }
        let payload = &mut packet[HEADER..];
        let (mut length, mut played) = (0, None);
        if let Some(playing) = &mut self.playing {
            match playing.fill(payload, stream) {
                Filled::Sound(bytes) => length = bytes,
                Filled::NotReady => {}
                Filled::Over => played = Some(playing.mark),
            }
        }
        let idle = length == 0 && played.is_none();
        if played.is_some() {
            self.playing = None;
        } else if idle && keep_alive_ms > 0 && now >= self.spoke_at.saturating_add(keep_alive_ms) {
            length = silence(payload, stream);
        }
        if length == 0 {
            return Said { length, played };
        }
        let after_pause = now != self.due || self.packets == 0;
        let header = self.header(after_pause, stream.payload_type, self.timestamp(now));
        Said { length: self.seal(now, stream, header, length, packet), played }
    }

    fn say_key(
        &mut self,
        now: u64,
        stream: &Stream,
        payload_type: u8,
        packet: &mut [u8; LARGEST],
    ) -> Option<usize> {
        if self.press.is_none() && now >= self.rest_until {
            let timestamp = self.timestamp(now);
            self.press = self.presses.pop_front().map(|press| (press, timestamp));
        }
        let (press, timestamp) = self.press.as_mut()?;
        let (fresh, timestamp) = (press.is_fresh(), *timestamp);
        let Some(event) = press.next_at(stream.ticks() as u16, stream.event_clock) else {
            self.press = None;
            self.rest_until = now + REST_MS;
            return None;
        };
        packet[HEADER..HEADER + event.len()].copy_from_slice(&event);
        let header = self.header(fresh, payload_type, timestamp);
        Some(self.seal(now, stream, header, event.len(), packet))
    }

    fn header(&self, marker: bool, payload_type: u8, timestamp: u32) -> Header {
        Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc }
    }

    /// Writes the header in front of the payload, and answers how long the packet is.
    fn seal(
        &mut self,
        now: u64,
        stream: &Stream,
        header: Header,
        payload: usize,
        packet: &mut [u8; LARGEST],
    ) -> usize {
        self.due = now + u64::from(stream.ptime_ms);
        self.number(now, header, payload, packet)
    }

    /// The same, and nothing of when the next one is due.
    fn number(
        &mut self,
        now: u64,
        header: Header,
        payload: usize,
        packet: &mut [u8; LARGEST],
    ) -> usize {
        if let Some(to) = packet.first_chunk_mut() {
            header.write(to);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
        self.spoke_at = now;
        HEADER + payload
    }

    fn timestamp(&self, now: u64) -> u32 {
        self.origin.wrapping_add((now * u64::from(self.per_ms)) as u32)
    }
}

impl Playing {
    /// Fills a packet with what comes next.
    fn fill(&mut self, payload: &mut [u8], stream: &Stream) -> Filled {
        match stream.codec {
            Codec::Opus => self.next_packet(payload),
            codec => self.next_bytes(&mut payload[..stream.ticks()], codec),
        }
    }

    /// Bytes, and silence behind the end; a packet may hold the end of one sound and the next.
    fn next_bytes(&mut self, mut frame: &mut [u8], codec: Codec) -> Filled {
        let (whole, mut any) = (frame.len(), false);
        while let Some((sound, until)) = self.sounds.current() {
            let Some(sound) = sound.ready(codec) else {
                if any {
                    break;
                }
                return Filled::NotReady;
            };
            let left = sound.between(self.offset, until);
            let length = left.len().min(frame.len());
            let (now, later) = frame.split_at_mut(length);
            now.copy_from_slice(&left[..length]);
            any |= length > 0;
            self.offset += length;
            frame = later;
            if frame.is_empty() || !self.go_on() {
                break;
            }
        }
        frame.fill(silent_byte(codec));
        if any { Filled::Sound(whole) } else { self.sounds.end() }
    }

    /// A packet as it was made, of one sound.
    fn next_packet(&mut self, payload: &mut [u8]) -> Filled {
        while let Some((sound, until)) = self.sounds.current() {
            let Some(sound) = sound.ready(Codec::Opus) else { return Filled::NotReady };
            let packet = sound.packet(self.offset / FRAME_TICKS).filter(|_| self.offset < until);
            if let Some((packet, to)) =
                packet.and_then(|it| Some((it, payload.get_mut(..it.len())?)))
            {
                to.copy_from_slice(packet);
                // Also from the middle of a packet, when the call came from another codec.
                self.offset = (self.offset / FRAME_TICKS + 1) * FRAME_TICKS;
                return Filled::Sound(packet.len());
            }
            if !self.go_on() {
                break;
            }
        }
        self.sounds.end()
    }

    /// Turns to the next sound; `false` while there is none yet.
    fn go_on(&mut self) -> bool {
        match &mut self.sounds {
            Sounds::List(_, at) => (*at, self.offset) = (*at + 1, 0),
            Sounds::Bed(segment) => {
                let Some(next) = segment.next().cloned() else { return false };
                self.offset = next.from();
                *segment = next;
            }
        }
        true
    }
}

impl Sounds {
    /// What is being played, and the tick it ends at.
    fn current(&self) -> Option<(&Clip, usize)> {
        match self {
            Self::List(sounds, at) => sounds.get(*at).map(|it| (&**it, usize::MAX)),
            Self::Bed(segment) => Some((segment.clip(), segment.until())),
        }
    }

    /// What it means that there is nothing left.
    fn end(&self) -> Filled {
        match self {
            Self::List(..) => Filled::Over,
            Self::Bed(_) => Filled::NotReady,
        }
    }
}

/// A packet of silence; how many bytes.
fn silence(payload: &mut [u8], stream: &Stream) -> usize {
    match stream.codec {
        Codec::Opus => {
            payload[..opus_packet::SILENCE.len()].copy_from_slice(&opus_packet::SILENCE);
            opus_packet::SILENCE.len()
        }
        codec => {
            payload[..stream.ticks()].fill(silent_byte(codec));
            stream.ticks()
        }
    }
}

fn silent_byte(codec: Codec) -> u8 {
    codec.law().map_or(g722::SILENCE, |law| law.silence())
}
