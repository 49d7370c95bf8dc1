//! One side of a call, as the rest of the program holds it: orders go to the leg's media thread,
//! and what was heard comes back.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::sync::mpsc;

use super::{
    plane::PlaneError,
    recording::Recording,
    tally::{LiveStats, Stats},
    telephone_event::Press,
    thread::{Command, Order, Orders},
};
use crate::{
    audio::{Clip, Codec, bed::Segment, ring},
    srtp::Keys,
};

/// What offer and answer agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Where the other side wants its RTP, from its SDP.
    pub remote: SocketAddr,
    /// Where it wants RTCP, when not on the next port. Another machine's address is ignored.
    pub remote_rtcp: Option<SocketAddr>,
    /// Where its signalling comes from: behind NAT, its RTP comes from there as well.
    pub signalling: IpAddr,
    /// The sound, both ways.
    pub codec: Codec,
    /// The codec's number in packets we send.
    pub payload_type: u8,
    /// Its number in packets that come; nearly always the same.
    pub payload_type_in: u8,
    /// The number of telephone events, if agreed on: in packets we send, and in those that come.
    pub telephone_event: Option<u8>,
    /// See above.
    pub telephone_event_in: Option<u8>,
    /// Steps of the telephone events' clock a second: 8,000, or 48,000 beside Opus.
    pub event_clock: u32,
    /// The length of the packets we send: 10, 20, 30, 40 or 60; anything else is taken as 20. In Opus
    /// they are always of 20.
    pub ptime_ms: u8,
    /// Whether the other side wants to hear us. If not, what is played waits.
    pub send: bool,
    /// Whether the other side may be heard. If not, its packets are dropped. One that was heard before is
    /// on hold then: the time until it is heard again is left out of a recording.
    pub receive: bool,
    /// What encrypts both directions, if that was agreed on. Nothing else is taken or sent then.
    pub keys: Option<Keys>,
}

/// What a leg tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A key was pressed.
    Digit(char),
    /// What was played with this mark is over.
    Played(u64),
    /// Nothing arrived for as long as the setting allows. Told once, until something arrives.
    TimedOut,
    /// The recording is as long as it may be, and over.
    RecordingDone,
    /// The recording's ring was full; what came since is lost, and the recording over.
    RecordingFailed,
    /// The media plane was stopped; nothing more will be heard.
    Stopped,
}

/// Where a recording goes. The ring's other end sees the end of the recording by
/// [`is_abandoned`](ring::Reader::is_abandoned), and then takes what is left.
#[derive(Debug)]
pub struct Recorder {
    /// What is recorded, without holes: of G.711 a byte a sample, of other codecs
    /// [pieces](crate::audio::piece).
    pub ring: ring::Writer,
    /// What is recorded. One law of G.711 is translated to the other; a call that changes to anything
    /// else needs another recorder, see [`Leg::change`].
    pub codec: Codec,
    /// Ticks of 125 µs after which the recording is over.
    pub at_most: u64,
}

/// What a payload type stands for on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sound,
    Event,
    /// Comfort noise (RFC 3389): a sign of life, and silence.
    ComfortNoise,
}

/// Names a leg to its thread.
pub(super) type LegId = u64;

/// One RTP stream each way, on a pair of ports. Dropping it sends a BYE and closes them.
///
/// No method blocks longer than the media thread needs to take an order, some milliseconds.
pub struct Leg {
    pub(super) id: LegId,
    pub(super) thread: usize,
    pub(super) local: SocketAddr,
    pub(super) reorder_ms: u64,
    pub(super) commands: Orders,
    pub(super) events: mpsc::Receiver<Heard>,
    pub(super) stats: Arc<LiveStats>,
    pub(super) stopped: bool,
}

impl Recorder {
    /// A recorder of at most that many samples, and the end its sound comes out of.
    pub fn new(codec: Codec, at_most: u64) -> (Self, ring::Reader) {
        let (ring, sound) = ring::new();
        (Self { ring, codec, at_most }, sound)
    }
}

impl Leg {
    /// The address of our RTP; RTCP is on the next port.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The thread that moves its packets, for [`Plane::open_on`](super::Plane::open_on).
    pub fn thread(&self) -> usize {
        self.thread
    }

    /// From now on what either leg hears the other one says, packet by packet and as it was encoded, with
    /// numbers of its own; keys are pressed anew. What is played goes before. Both speak one codec, and
    /// belong to one thread, or nothing happens. It lasts until one of them is dropped.
    pub fn bridge(&self, other: &Self) {
        self.order(Order::Bridge(other.id));
    }

    /// Begins to send and receive, at the answer and again after each new offer and answer.
    ///
    /// # Errors
    /// [`PlaneError::Remote`] when that is no address to send media to; nothing changes then.
    pub fn connect(&self, stream: Stream) -> Result<(), PlaneError> {
        let stream = stream.checked(self.local)?;
        self.hurry(Order::Connect(Box::new(stream)));
        Ok(())
    }

    /// The same, and in the same moment a recording that may be going on goes on in another
    /// recorder: what came before is in the old one, what comes after in the new.
    ///
    /// # Errors
    /// As above; then the new recorder is dropped.
    pub fn change(&self, stream: Stream, recorder: Recorder) -> Result<(), PlaneError> {
        let stream = stream.checked(self.local)?;
        let recording = Box::new(Recording::new(recorder, self.reorder_ms));
        self.hurry(Order::Change(Box::new(stream), recording));
        Ok(())
    }

    /// Plays sounds one after the other, instead of what is playing. [`Heard::Played`] comes when
    /// the last packet has had its time; for an empty list at once. While on hold it waits, and as long
    /// as the next sound was not [prepared](Clip::prepare) in the call's codec.
    pub fn play(&self, sounds: Vec<Arc<Clip>>, mark: u64) {
        self.order(Order::Play(sounds, mark));
    }

    /// Plays a bed from a tick of this segment on, instead of what is playing, until told otherwise.
    /// Where the bed does not go on yet, nothing is sent.
    pub fn follow(&self, segment: Arc<Segment>, from: usize) {
        self.order(Order::Follow(segment, from));
    }

    /// Stops playing; its mark is not told.
    pub fn hush(&self) {
        self.order(Order::Hush);
    }

    /// Records what arrives from now on, instead of a recording that may be going on. What already
    /// waits at the socket is not part of it.
    pub fn record(&self, recorder: Recorder) {
        let recording = Recording::new(recorder, self.reorder_ms);
        self.order(Order::Record(Box::new(recording)));
    }

    /// Ends the recording with what has arrived until now, and drops the [`Recorder`].
    pub fn stop_recording(&self) {
        self.order(Order::StopRecording);
    }

    /// Presses a key for `ms` milliseconds; several wait for each other. What is no key, or not
    /// agreed on, is not sent.
    pub fn send_digit(&self, digit: char, ms: u32) {
        if let Some(press) = Press::new(digit, ms) {
            self.order(Order::Press(press));
        }
    }

    /// The next thing heard. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Heard {
        if self.stopped {
            return std::future::pending().await;
        }
        let heard = self.events.recv().await;
        self.stopped = heard.is_none();
        heard.unwrap_or(Heard::Stopped)
    }

    /// How the call is doing.
    pub fn stats(&self) -> Stats {
        self.stats.read()
    }

    /// A stopped plane takes no orders; that is told by [`Heard::Stopped`].
    fn order(&self, order: Order) {
        let _ = self.commands.send(Command::Tell(self.id, order));
    }

    /// The same, where a moment counts.
    fn hurry(&self, order: Order) {
        let _ = self.commands.hurry(Command::Tell(self.id, order));
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.order(Order::Close);
    }
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leg").field("id", &self.id).field("local", &self.local).finish()
    }
}

impl Stream {
    /// What packets with this number bring, if that was agreed on. Who numbers their packets as
    /// they should number ours is understood as well.
    pub(super) fn kind(&self, payload_type: u8) -> Option<Kind> {
        let number = Some(payload_type);
        if payload_type == self.payload_type_in {
            Some(Kind::Sound)
        } else if self.telephone_event_in == number {
            Some(Kind::Event)
        } else if payload_type == self.payload_type {
            Some(Kind::Sound)
        } else if self.telephone_event == number {
            Some(Kind::Event)
        } else {
            (payload_type == 13).then_some(Kind::ComfortNoise)
        }
    }

    /// Ticks in a packet we send; in all codecs but Opus also bytes.
    pub(super) fn ticks(&self) -> usize {
        usize::from(self.ptime_ms) * 8
    }

    /// The stream as it may be used from `local`: a strange packet length becomes 20 ms, an RTCP
    /// address on a third machine is forgotten, and media is sent to no address but a phone's.
    fn checked(mut self, local: SocketAddr) -> Result<Self, PlaneError> {
        if !matches!(self.ptime_ms, 10 | 20 | 30 | 40 | 60) || self.codec == Codec::Opus {
            self.ptime_ms = 20;
        }
        let remote = self.remote;
        self.remote_rtcp = self.remote_rtcp.filter(|rtcp| {
            let ip = rtcp.ip().to_canonical();
            let known = ip == remote.ip().to_canonical() || ip == self.signalling.to_canonical();
            known && refusal(*rtcp, self.signalling, local).is_none()
        });
        match refusal(remote, self.signalling, local) {
            // On hold the address may be 0.0.0.0 (RFC 3264 §8.4): nothing is sent there.
            Some(why) if self.send => Err(PlaneError::Remote { remote, why }),
            _ => Ok(self),
        }
    }

    /// Whether anything may be sent to an address that was learned or told.
    pub(super) fn reaches(&self, to: SocketAddr, local: SocketAddr) -> bool {
        refusal(to, self.signalling, local).is_none()
    }
}

/// Why media must not be sent to an address; `None` when it may.
fn refusal(remote: SocketAddr, signalling: IpAddr, local: SocketAddr) -> Option<&'static str> {
    let ip = remote.ip().to_canonical();
    let here = local.ip().is_loopback() || signalling.to_canonical().is_loopback();
    let far_away = match ip {
        IpAddr::V4(ip) => {
            ip.is_broadcast() || ip.is_multicast() || ip.is_link_local() || ip.octets()[0] == 0
        }
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local(),
    };
    if far_away {
        Some("it is no single machine's address")
    } else if ip.is_loopback() && !here {
        Some("it is this machine, and the call is not")
    } else if ip.is_ipv4() != local.ip().to_canonical().is_ipv4() {
        Some("it is of another IP version than ours")
    } else if remote.port() < 1_024 {
        Some("its port belongs to the system")
    } else if ip == local.ip().to_canonical() && remote.port() == local.port() {
        Some("it is our own")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(remote: &str) -> Stream {
        Stream {
            remote: remote.parse().unwrap(),
            remote_rtcp: None,
            signalling: "192.0.2.7".parse().unwrap(),
            codec: Codec::Pcmu,
            payload_type: 0,
            payload_type_in: 0,
            telephone_event: None,
            telephone_event_in: None,
            event_clock: 8_000,
            ptime_ms: 20,
            send: true,
            receive: true,
            keys: None,
        }
    }

    fn local() -> SocketAddr {
        "192.0.2.1:10000".parse().unwrap()
    }

    #[test]
    fn media_goes_to_no_group_no_system_port_and_not_to_ourselves() {
        for wrong in [
            "224.0.0.1:4000",
            "255.255.255.255:4000",
            "0.0.0.0:4000",
            "0.1.2.3:4000",
            "169.254.1.1:4000",
            "127.0.0.1:4000",
            "192.0.2.9:1023",
            "192.0.2.9:0",
            "192.0.2.1:10000",
            "[2001:db8::1]:4000",
            "[::ffff:127.0.0.1]:4000",
            "[::ffff:224.0.0.1]:4000",
        ] {
            assert!(stream(wrong).checked(local()).is_err(), "{wrong}");
        }
        assert!(stream("192.0.2.9:4000").checked(local()).is_ok());
    }

    #[test]
    fn on_hold_the_address_may_be_empty() {
        let held = Stream { send: false, ..stream("0.0.0.0:4000") };
        assert!(held.checked(local()).is_ok());
    }

    #[test]
    fn a_packet_is_known_by_the_number_we_gave_it_and_else_by_theirs() {
        let stream = Stream {
            payload_type: 96,
            payload_type_in: 111,
            telephone_event: Some(111),
            telephone_event_in: Some(101),
            ..stream("192.0.2.9:4000")
        };
        let kinds = [111, 101, 96, 13, 0].map(|it| stream.kind(it));
        let [sound, event] = [Some(Kind::Sound), Some(Kind::Event)];
        assert_eq!(kinds, [sound, event, sound, Some(Kind::ComfortNoise), None]);
    }

    #[test]
    fn reports_are_not_sent_to_a_third_machine() {
        let told = |rtcp: &str| {
            let stream = Stream { remote_rtcp: rtcp.parse().ok(), ..stream("192.0.2.9:4000") };
            stream.checked(local()).unwrap().remote_rtcp
        };
        assert!(told("192.0.2.9:4005").is_some());
        assert!(told("192.0.2.7:4005").is_some());
        assert!(told("203.0.113.1:4005").is_none());
        assert!(told("192.0.2.9:53").is_none());
    }
}
