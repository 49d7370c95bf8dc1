//! Offers and answers (RFC 3264): one audio stream in G.711, keys as telephone events.
//!
//! Pure: bytes and addresses in, bytes and [`Media`] out. What is not spoken here (video, fax,
//! encrypted or second audio) is answered with port 0 and never fails a call that has a stream we
//! can take.

use std::net::{IpAddr, SocketAddr};

use sipx_sdp::{
    Attribute, Direction, MediaDescription, SessionDescription, parse, rtpmap::same_format,
};

use crate::audio::Codec;

/// What two sides agreed on for the sound of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// Where our packets go.
    pub remote: SocketAddr,
    /// Where our RTCP goes, when it can be told.
    pub remote_rtcp: Option<SocketAddr>,
    /// How the sound is encoded.
    pub codec: Codec,
    /// The RTP payload type that stands for it on this call.
    pub payload_type: u8,
    /// The payload type of telephone events at 8 kHz (RFC 4733), if agreed.
    pub telephone_event: Option<u8>,
    /// Milliseconds of sound the other side wants in a packet.
    pub ptime_ms: u8,
    /// We may send; `false` while the other side holds.
    pub send: bool,
    /// The other side may send.
    pub receive: bool,
}

/// Why no answer can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAcceptable {
    /// The INVITE has no offer: what will be spoken shows only in the ACK.
    #[error("the call came without an offer")]
    NoOffer,
    /// It is no session description.
    #[error("the session description cannot be read")]
    Malformed,
    /// No stream in G.711 over plain RTP.
    #[error("no audio in PCMU or PCMA is offered")]
    NoCommonCodec,
    /// The address is one that nobody who means well receives sound at.
    #[error("sound would have to go to an address that is not a peer's")]
    Address,
}

/// An offer that can be answered.
#[derive(Debug, Clone)]
pub struct Offer {
    description: SessionDescription,
    stream: usize,
    direction: Direction,
    media: Media,
}

/// Our side of the description: what stays the same from one answer to the next.
#[derive(Debug, Clone)]
pub struct Session {
    id: u64,
    version: u64,
    local: SocketAddr,
    last: String,
}

/// Milliseconds in a packet when nobody says (RFC 3551 §4.5).
const PTIME: u8 = 20;
/// Streams looked at; an offer of more is cut in the answer and so refused by its sender.
const MOST_STREAMS: usize = 16;
const TELEPHONE_EVENT: &str = "telephone-event/8000";

impl Offer {
    /// Reads an offer that came from `source`, which also stands for a host name in `c=`: names
    /// are not looked up.
    pub fn read(body: &[u8], source: IpAddr) -> Result<Self, NotAcceptable> {
        let text = String::from_utf8_lossy(body);
        let description = parse(&text).map_err(|_| NotAcceptable::Malformed)?;
        let chosen =
            description.media.iter().take(MOST_STREAMS).enumerate().find_map(|(index, stream)| {
                speakable(stream).map(|spoken| (index, stream, spoken))
            });
        let (index, stream, (payload_type, codec)) = chosen.ok_or(NotAcceptable::NoCommonCodec)?;

        let remote = SocketAddr::new(address(&description, stream, source)?, stream.port);
        let direction = stream.declared_direction().unwrap_or_else(|| description.direction());
        let media = Media {
            remote,
            remote_rtcp: rtcp(stream, remote),
            codec,
            payload_type,
            telephone_event: events(stream),
            ptime_ms: ptime(stream),
            // An unspecified address is how RFC 2543 spelled hold (RFC 3264 §8.4).
            send: direction.receives() && !remote.ip().is_unspecified(),
            receive: direction.sends(),
        };
        Ok(Self { description, stream: index, direction, media })
    }

    /// What an answer to this agrees on.
    pub fn media(&self) -> Media {
        self.media
    }

    /// Whether sound can pass between `local` and the other side: both IPv4, or both IPv6.
    pub fn reaches(&self, local: SocketAddr) -> bool {
        let remote = self.media.remote;
        remote.ip().is_unspecified() || remote.is_ipv4() == local.is_ipv4()
    }

    /// Writes the answer. Its version goes up when it says something other than the last.
    pub fn answer(&self, session: &mut Session) -> String {
        let streams = self.description.media.iter().take(MOST_STREAMS).enumerate();
        let streams = streams
            .map(|(index, offered)| match index == self.stream {
                true => self.accepted(offered, session.local),
                false => refused(offered),
            })
            .collect();
        session.write(streams)
    }

    fn accepted(&self, offered: &MediaDescription, local: SocketAddr) -> MediaDescription {
        let mut direction = self.direction.mirrored();
        if self.media.remote.ip().is_unspecified() && direction == Direction::SendRecv {
            direction = Direction::RecvOnly;
        }
        let Media { payload_type, codec, telephone_event, ptime_ms, .. } = self.media;
        let formats = [(payload_type, codec)];
        let mut stream = audio(local.port(), &formats, telephone_event, ptime_ms, direction);
        stream.protocol.clone_from(&offered.protocol);
        stream
    }
}

impl Session {
    /// A new session at the address where we receive sound; `id` is any number, unique enough.
    pub fn new(id: u64, local: SocketAddr) -> Self {
        // Some readers keep it in a signed number.
        Self { id: id >> 2, version: id >> 2, local, last: String::new() }
    }

    /// An offer of our own: `codecs` in order of preference, and telephone events as 101.
    pub fn offer(&mut self, codecs: &[Codec]) -> String {
        let formats: Vec<_> = codecs.iter().map(|&it| (number(it), it)).collect();
        let port = self.local.port();
        self.write(vec![audio(port, &formats, Some(101), PTIME, Direction::SendRecv)])
    }

    /// Reads the answer to [`Self::offer`], which came from `source`.
    pub fn agree(&self, answer: &[u8], source: IpAddr) -> Result<Media, NotAcceptable> {
        // An answer that takes our one stream reads like an offer of what is left of it.
        let read = Offer::read(answer, source)?;
        if read.stream == 0 { Ok(read.media) } else { Err(NotAcceptable::NoCommonCodec) }
    }

    fn write(&mut self, media: Vec<MediaDescription>) -> String {
        let mut description = SessionDescription::new(self.local.ip(), self.id, self.version);
        description.media = media;
        let mut text = description.to_string_sdp();
        if text != self.last {
            if !self.last.is_empty() {
                self.version += 1;
                description.origin.session_version = self.version;
                text = description.to_string_sdp();
            }
            self.last.clone_from(&text);
        }
        text
    }
}

/// The first format of a stream that we speak.
fn speakable(stream: &MediaDescription) -> Option<(u8, Codec)> {
    let plain = stream.protocol.eq_ignore_ascii_case("RTP/AVP");
    if stream.media != "audio" || stream.is_rejected() || !plain {
        return None;
    }
    stream.formats.iter().find_map(|format| {
        let payload_type = payload_type(format)?;
        let named = stream.rtpmap(format).map(str::trim).or(match payload_type {
            0 => Some("PCMU/8000"),
            8 => Some("PCMA/8000"),
            _ => None,
        })?;
        let codec = [Codec::Pcmu, Codec::Pcma].into_iter().find(|&it| same_format(named, name(it)));
        codec.map(|it| (payload_type, it))
    })
}

/// Telephone events of the same clock as the sound; others could not share its timestamps.
fn events(stream: &MediaDescription) -> Option<u8> {
    let is_event = |format: &&String| {
        stream.rtpmap(format).is_some_and(|it| same_format(it.trim(), TELEPHONE_EVENT))
    };
    stream.formats.iter().filter(is_event).find_map(|it| payload_type(it))
}

fn payload_type(format: &str) -> Option<u8> {
    format.parse().ok().filter(|it| *it < 128)
}

fn ptime(stream: &MediaDescription) -> u8 {
    let asked = |name| -> Option<u8> {
        // Some devices write a fraction (`ptime:20.0`).
        let value = stream.attribute(name)?.value.as_deref()?.trim();
        value.split('.').next()?.parse().ok()
    };
    let wanted = asked("ptime").filter(|it| (10..=60).contains(it) && it % 10 == 0);
    let most = asked("maxptime").filter(|it| *it >= 10).map_or(60, |it| it / 10 * 10);
    wanted.unwrap_or(PTIME).min(most)
}

/// Where the stream's sound goes, unless it is a place that strangers would like to see flooded.
fn address(
    description: &SessionDescription,
    stream: &MediaDescription,
    source: IpAddr,
) -> Result<IpAddr, NotAcceptable> {
    let line = stream.connection.as_ref().or(description.connection.as_ref());
    let ip = line.ok_or(NotAcceptable::Malformed)?.address.ip().unwrap_or(source).to_canonical();
    let source = source.to_canonical();
    let harmful = match ip {
        it if it.is_unspecified() => false,
        it if it.is_loopback() => !source.is_loopback(),
        IpAddr::V4(it) => {
            it.is_multicast() || it.is_broadcast() || it.is_link_local() || it.octets()[0] == 0
        }
        IpAddr::V6(it) => it.is_multicast(),
    };
    // Sound never goes to the well-known ports either, whoever asks.
    if harmful || stream.port < 1024 { Err(NotAcceptable::Address) } else { Ok(ip) }
}

/// `a=rtcp` (RFC 3605) for the same host, else the port after the sound's.
fn rtcp(stream: &MediaDescription, remote: SocketAddr) -> Option<SocketAddr> {
    let Some(said) = stream.attribute("rtcp").and_then(|it| it.value.as_deref()) else {
        return remote.port().checked_add(1).map(|port| SocketAddr::new(remote.ip(), port));
    };
    let mut words = said.split_whitespace();
    let port = words.next()?.parse().ok().filter(|it: &u16| *it >= 1024)?;
    let elsewhere = words.nth(2).is_some_and(|it| it.parse() != Ok(remote.ip()));
    (!elsewhere).then(|| SocketAddr::new(remote.ip(), port))
}

fn audio(
    port: u16,
    formats: &[(u8, Codec)],
    event: Option<u8>,
    ptime: u8,
    direction: Direction,
) -> MediaDescription {
    let numbers = formats.iter().map(|it| it.0).chain(event);
    let mut stream = MediaDescription::audio(port, numbers.map(|it| it.to_string()).collect());
    let mut say = |name: &str, value: String| {
        stream.attributes.push(Attribute::valued(name, value));
    };
    for (number, codec) in formats {
        say("rtpmap", format!("{number} {}", name(*codec)));
    }
    if let Some(event) = event {
        say("rtpmap", format!("{event} {TELEPHONE_EVENT}"));
        say("fmtp", format!("{event} 0-15"));
    }
    say("ptime", ptime.to_string());
    stream.set_direction(direction);
    stream
}

/// A stream we do not take, in its place in the answer (RFC 3264 §6).
fn refused(offered: &MediaDescription) -> MediaDescription {
    MediaDescription {
        port: 0,
        connection: None,
        attributes: Vec::new(),
        other: Vec::new(),
        ..offered.clone()
    }
}

fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
    }
}

fn number(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    }
}
