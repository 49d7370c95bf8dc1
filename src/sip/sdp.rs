//! Offers and answers (RFC 3264): one audio stream in Opus, G.722 or G.711, keys as telephone events.
//!
//! Pure: bytes and addresses in, bytes and [`Media`] out. What is not spoken here (video, fax,
//! second audio) is answered with port 0 and never fails a call that has a stream we can take.
//! Sound may be encrypted (`a=crypto`): over RTP/SAVP, or over RTP/AVP with a key beside it (RFC 8643).

mod crypto;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use sipx_sdp::{
    Attribute, Direction, MediaDescription, SessionDescription, parse, rtpmap::same_format,
};

use self::crypto::{Line, Ours};
use crate::{
    audio::Codec,
    srtp::{Key, Keys, Seed, Suite},
};

/// What two sides agreed on for the sound of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// Where our packets go.
    pub remote: SocketAddr,
    /// Where our RTCP goes, when it can be told.
    pub remote_rtcp: Option<SocketAddr>,
    /// How the sound is encoded.
    pub codec: Codec,
    /// The RTP payload type that stands for it in packets we send.
    pub payload_type: u8,
    /// The one in packets that come: another only where each side named its own.
    pub payload_type_in: u8,
    /// The payload type of telephone events (RFC 4733), if agreed: in packets we send.
    pub telephone_event: Option<u8>,
    /// The same in packets that come.
    pub telephone_event_in: Option<u8>,
    /// Steps of their clock a second: 8,000, or 48,000 beside Opus.
    pub event_clock: u32,
    /// Milliseconds of sound the other side wants in a packet; of Opus always 20.
    pub ptime_ms: u8,
    /// We may send; `false` while the other side holds.
    pub send: bool,
    /// The other side may send.
    pub receive: bool,
    /// What the sound is encrypted with, if it is.
    pub keys: Option<Keys>,
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
    /// No stream over RTP in a codec that is spoken here.
    #[error("no audio in a codec that is spoken here is offered")]
    NoCommonCodec,
    /// The address is one that nobody who means well receives sound at.
    #[error("sound would have to go to an address that is not a peer's")]
    Address,
    /// All that is offered is encrypted, and not taken like this.
    #[error(
        "only encrypted sound is offered; it is taken if its key comes over TLS and [rtp] srtp allows it"
    )]
    Encrypted,
    /// What is offered is not encrypted, or in no way that is spoken here.
    #[error("[rtp] srtp requires encrypted sound, and none that can be taken is offered")]
    Unencrypted,
}

/// Whether sound may be encrypted, and whether it may be plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secrecy {
    /// Plain sound is taken.
    pub plain: bool,
    /// Encrypted sound is taken, with keys that come the way the description came.
    pub secret: bool,
}

/// What may be agreed on.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Codecs; of several that are offered it is the one the offer names first.
    pub codecs: &'a [Codec],
    /// Encryption.
    pub secrecy: Secrecy,
}

/// An offer that can be answered.
#[derive(Clone)]
pub struct Offer {
    description: SessionDescription,
    stream: usize,
    direction: Direction,
    media: Media,
    crypto: Option<Line>,
}

/// Our side of the description: what stays the same from one answer to the next.
#[derive(Clone)]
pub struct Session {
    id: u64,
    version: u64,
    local: SocketAddr,
    last: String,
    /// What was last agreed on or offered: numbers of this session keep their meaning.
    formats: Vec<(u8, Format)>,
    secrecy: Secrecy,
    ours: Ours,
    /// The stream is one of RTP/SAVP.
    is_savp: bool,
    /// We only send: what the other side says is not listened to.
    is_deaf: bool,
}

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Sound(Codec),
    /// Telephone events, by their clock.
    Events(u32),
}

/// Milliseconds in a packet when nobody says (RFC 3551 §4.5).
const PTIME: u8 = 20;
/// What is offered where nothing was agreed on: what everybody has to speak (RFC 4568 §6.2).
const USUAL_SUITE: Suite = Suite::Aes128Tag80;
/// How a stream that must be encrypted is called.
const SAVP: &str = "RTP/SAVP";
/// What streams are called that are encrypted, and that are not. Those with an F may have feedback (RFC 4585,
/// RFC 5124), which nobody has to send.
const SECRET: [&str; 2] = [SAVP, "RTP/SAVPF"];
const PLAIN: [&str; 2] = ["RTP/AVP", "RTP/AVPF"];
/// Streams looked at; an offer of more is cut in the answer and so refused by its sender.
const MOST_STREAMS: usize = 16;
/// Telephone events' clocks, those of Opus first.
const EVENT_CLOCKS: [u32; 2] = [48_000, 8_000];
/// What we are sent in Opus: no more than we keep, with what helps over lost packets (RFC 7587 §6.1).
const OPUS_WISHES: &str = "maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1";

impl Offer {
    /// Reads an offer that came from `source`, which also stands for a host name in `c=`: names
    /// are not looked up.
    pub fn read<'a>(
        body: &[u8],
        source: IpAddr,
        terms: impl Into<Terms<'a>>,
    ) -> Result<Self, NotAcceptable> {
        let text = String::from_utf8_lossy(body);
        let description = parse(&text).map_err(|_| NotAcceptable::Malformed)?;
        let (index, (payload_type, codec), crypto) = chosen(&description, terms.into())?;
        let stream = &description.media[index];

        let remote = SocketAddr::new(address(&description, stream, source)?, stream.port);
        let events = events(stream, codec);
        let telephone_event = events.map(|it| it.0);
        let direction = stream.declared_direction().unwrap_or_else(|| description.direction());
        let media = Media {
            remote,
            remote_rtcp: rtcp(stream, remote),
            codec,
            payload_type,
            payload_type_in: payload_type,
            telephone_event,
            telephone_event_in: telephone_event,
            event_clock: events.map_or(8_000, |it| it.1),
            ptime_ms: if codec == Codec::Opus { PTIME } else { ptime(stream) },
            // An unspecified address is how RFC 2543 spelled hold (RFC 3264 §8.4).
            send: direction.receives() && !remote.ip().is_unspecified(),
            receive: direction.sends(),
            keys: None,
        };
        Ok(Self { description, stream: index, direction, media, crypto })
    }

    /// What an answer to this agrees on, except for keys: ours are the session's.
    pub fn media(&self) -> Media {
        self.media
    }

    /// What the session's answer to this agrees on.
    pub fn agreed(&self, session: &mut Session) -> Media {
        let theirs = self.crypto.map(|it| it.key);
        let keys = theirs.map(|theirs| Keys { ours: session.ours.beside(theirs), theirs });
        Media { keys, receive: self.media.receive && !session.is_deaf, ..self.media }
    }

    /// Whether sound can pass between `local` and the other side: both IPv4, or both IPv6.
    pub fn reaches(&self, local: SocketAddr) -> bool {
        let remote = self.media.remote;
        remote.ip().is_unspecified() || remote.is_ipv4() == local.is_ipv4()
    }

    /// Writes the answer. Its version goes up when it says something other than the last.
    pub fn answer(&self, session: &mut Session) -> String {
        session.formats = self.formats();
        let key = self.crypto.map(|it| (it.tag, session.ours.beside(it.key)));
        session.settle(key.is_some(), is_savp(&self.description.media[self.stream]));
        let streams = self.description.media.iter().take(MOST_STREAMS).enumerate();
        let streams = streams
            .map(|(index, offered)| match index == self.stream {
                true => self.accepted(offered, session, key),
                false => refused(offered),
            })
            .collect();
        session.write(streams)
    }

    fn accepted(
        &self,
        offered: &MediaDescription,
        session: &Session,
        key: Option<(u32, Key)>,
    ) -> MediaDescription {
        let mut direction = self.direction.mirrored();
        if self.media.remote.ip().is_unspecified() && direction == Direction::SendRecv {
            direction = Direction::RecvOnly;
        }
        if session.is_deaf {
            direction = deafened(direction);
        }
        let port = session.local.port();
        let mut stream = audio(port, &self.formats(), self.media.ptime_ms, direction);
        encrypt(&mut stream, key);
        stream.protocol.clone_from(&offered.protocol);
        stream
    }

    fn formats(&self) -> Vec<(u8, Format)> {
        let Media { payload_type, codec, telephone_event, event_clock, .. } = self.media;
        let events = telephone_event.map(|it| (it, Format::Events(event_clock)));
        [(payload_type, Format::Sound(codec))].into_iter().chain(events).collect()
    }
}

impl Session {
    /// A new session at the address where we receive sound; `id` is any number, unique enough.
    pub fn new(id: u64, local: SocketAddr) -> Self {
        // Some readers keep it in a signed number.
        Self {
            id: id >> 2,
            version: id >> 2,
            local,
            last: String::new(),
            formats: Vec::new(),
            secrecy: Secrecy::PLAIN,
            ours: Ours::default(),
            is_savp: false,
            is_deaf: false,
        }
    }

    /// The same where we only send, as a source of hold music does (RFC 7088).
    pub fn only_sending(self, is_deaf: bool) -> Self {
        Self { is_deaf, ..self }
    }

    /// The same where sound may be encrypted, with keys made from a seed of its own.
    pub fn secretly(self, secrecy: Secrecy, seed: Seed) -> Self {
        Self { secrecy, ours: Ours::new(seed), is_savp: !secrecy.plain, ..self }
    }

    /// An offer of our own: `codecs` in order of preference, and telephone events.
    pub fn offer(&mut self, codecs: &[Codec]) -> String {
        let mut formats = Vec::new();
        for format in codecs.iter().map(|&it| Format::Sound(it)).chain(events_beside(codecs)) {
            formats.push((self.number(format, &formats), format));
        }
        self.formats = formats;
        let direction = if self.is_deaf { Direction::SendOnly } else { Direction::SendRecv };
        let mut stream = audio(self.local.port(), &self.formats, PTIME, direction);
        if self.secrecy.secret {
            let suite = self.ours.suite().unwrap_or(USUAL_SUITE);
            encrypt(&mut stream, Some((1, self.ours.of(suite))));
            if self.is_savp {
                stream.protocol = SAVP.into();
            }
        }
        self.write(vec![stream])
    }

    /// It is agreed whether the sound is encrypted; further offers are of the same kind.
    fn settle(&mut self, is_secret: bool, is_savp: bool) {
        self.is_savp = is_savp;
        self.secrecy = Secrecy { plain: !is_secret, secret: is_secret };
        if !is_secret {
            self.ours.forget();
        }
    }

    /// A format's number: the one it has in this session already, else its usual one, else another.
    fn number(&self, format: Format, taken: &[(u8, Format)]) -> u8 {
        let has = |number: u8| taken.iter().any(|it| it.0 == number);
        let known = self.formats.iter().find(|it| it.1 == format).map(|it| it.0);
        let other = |it: &u8| self.formats.iter().any(|(n, f)| n == it && *f != format);
        let free = (usual(format)..128).chain(96..128).find(|it| !has(*it) && !other(it));
        known.filter(|it| !has(*it)).or(free).unwrap_or_else(|| usual(format))
    }

    /// Reads the answer to [`Self::offer`], which came from `source`.
    pub fn agree(&mut self, answer: &[u8], source: IpAddr) -> Result<Media, NotAcceptable> {
        // An answer that takes our one stream reads like an offer of what is left of it.
        let offered = |it: &(u8, Format)| match it.1 {
            Format::Sound(codec) => Some(codec),
            Format::Events(_) => None,
        };
        let codecs: Vec<_> = self.formats.iter().filter_map(offered).collect();
        // Who is offered RTP/SAVP must not answer with less.
        let secrecy = Secrecy { plain: self.secrecy.plain && !self.is_savp, ..self.secrecy };
        let offer = Offer::read(answer, source, Terms { codecs: &codecs, secrecy })?;
        let suite = self.ours.suite();
        let ours = |it: Line| it.tag == 1 && suite == Some(it.key.suite());
        if offer.stream != 0 || !offer.crypto.is_none_or(ours) {
            return Err(NotAcceptable::NoCommonCodec);
        }
        self.ours.stays_beside(offer.crypto.map(|it| it.key));
        let media = offer.agreed(self);
        self.settle(media.keys.is_some(), self.is_savp);
        let ours = |format: Format| self.formats.iter().find(|it| it.1 == format).map(|it| it.0);
        let payload_type_in = ours(Format::Sound(media.codec)).unwrap_or(media.payload_type);
        let events = ours(Format::Events(media.event_clock));
        // Events that we did not offer, or that were not taken, are not agreed on.
        let agreed = media.telephone_event.and(events);
        Ok(Media {
            payload_type_in,
            telephone_event: media.telephone_event.filter(|_| agreed.is_some()),
            telephone_event_in: agreed,
            ..media
        })
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

/// Telephone events for every codec that is offered.
fn events_beside(codecs: &[Codec]) -> impl Iterator<Item = Format> {
    let beside = |clock: &u32| *clock == 8_000 || codecs.iter().any(|it| it.clock() == *clock);
    EVENT_CLOCKS.iter().rev().copied().filter(beside).map(Format::Events)
}

/// A stream that can be taken: its place, what is spoken in it, and the key it is encrypted with.
type Chosen = (usize, (u8, Codec), Option<Line>);

/// The first of them.
fn chosen(description: &SessionDescription, terms: Terms<'_>) -> Result<Chosen, NotAcceptable> {
    let mut why = NotAcceptable::NoCommonCodec;
    for (index, stream) in description.media.iter().take(MOST_STREAMS).enumerate() {
        let Some(spoken) = speakable(stream, terms.codecs) else { continue };
        match protection(stream, terms.secrecy) {
            Ok(crypto) => return Ok((index, spoken, crypto)),
            Err(fault) => why = fault,
        }
    }
    Err(why)
}

/// The key a stream is encrypted with, if it is, and if that is how it may be.
fn protection(stream: &MediaDescription, secrecy: Secrecy) -> Result<Option<Line>, NotAcceptable> {
    let line = crypto::read(stream).filter(|_| secrecy.secret);
    match line {
        Some(line) => Ok(Some(line)),
        None if is_savp(stream) && !secrecy.secret => Err(NotAcceptable::Encrypted),
        None if is_savp(stream) => Err(NotAcceptable::NoCommonCodec),
        None if secrecy.plain => Ok(None),
        None => Err(NotAcceptable::Unencrypted),
    }
}

/// The same without receiving.
fn deafened(direction: Direction) -> Direction {
    match direction {
        Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
        _ => Direction::Inactive,
    }
}

fn is_savp(stream: &MediaDescription) -> bool {
    is_called(stream, SECRET)
}

fn is_called(stream: &MediaDescription, names: [&str; 2]) -> bool {
    names.iter().any(|it| stream.protocol.eq_ignore_ascii_case(it))
}

/// The first format of a stream that we speak.
fn speakable(stream: &MediaDescription, codecs: &[Codec]) -> Option<(u8, Codec)> {
    let known = is_savp(stream) || is_called(stream, PLAIN);
    if stream.media != "audio" || stream.is_rejected() || !known {
        return None;
    }
    stream.formats.iter().find_map(|format| {
        let payload_type = payload_type(format)?;
        let named = stream.rtpmap(format).map(str::trim).or(match payload_type {
            0 => Some("PCMU/8000"),
            8 => Some("PCMA/8000"),
            9 => Some("G722/8000"),
            _ => None,
        })?;
        let is_it = |it: &&Codec| same_format(named, name(**it)) && fits(**it, stream);
        codecs.iter().find(is_it).map(|it| (payload_type, *it))
    })
}

/// Our packets of Opus are 20 ms long and cannot be shorter.
fn fits(codec: Codec, stream: &MediaDescription) -> bool {
    codec != Codec::Opus || longest(stream) >= PTIME
}

/// Telephone events and their clock: that of the sound, whose timestamps they share; beside Opus
/// also the usual 8,000, for many offer no other.
fn events(stream: &MediaDescription, codec: Codec) -> Option<(u8, u32)> {
    let beside = |clock: &&u32| **clock == codec.clock() || **clock == 8_000;
    EVENT_CLOCKS.iter().filter(beside).find_map(|&clock| {
        let name = format!("telephone-event/{clock}");
        let is_event =
            |it: &&String| stream.rtpmap(it).is_some_and(|it| same_format(it.trim(), &name));
        let number = stream.formats.iter().filter(is_event).find_map(|it| payload_type(it))?;
        Some((number, clock))
    })
}

fn payload_type(format: &str) -> Option<u8> {
    format.parse().ok().filter(|it| *it < 128)
}

fn ptime(stream: &MediaDescription) -> u8 {
    let wanted = asked(stream, "ptime").filter(|it| (10..=60).contains(it) && it % 10 == 0);
    wanted.unwrap_or(PTIME).min(longest(stream))
}

/// The longest packet the other side takes, as far as we would send it.
fn longest(stream: &MediaDescription) -> u8 {
    asked(stream, "maxptime").filter(|it| *it >= 10).map_or(60, |it| it / 10 * 10)
}

fn asked(stream: &MediaDescription, name: &str) -> Option<u8> {
    // Some devices write a fraction (`ptime:20.0`).
    let value = stream.attribute(name)?.value.as_deref()?.trim();
    value.split('.').next()?.parse().ok()
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

fn audio(port: u16, formats: &[(u8, Format)], ptime: u8, direction: Direction) -> MediaDescription {
    let numbers = formats.iter().map(|it| it.0.to_string()).collect();
    let mut stream = MediaDescription::audio(port, numbers);
    let mut say = |name: &str, value: String| {
        stream.attributes.push(Attribute::valued(name, value));
    };
    for (number, format) in formats {
        match format {
            Format::Sound(codec) => say("rtpmap", format!("{number} {}", name(*codec))),
            Format::Events(clock) => say("rtpmap", format!("{number} telephone-event/{clock}")),
        }
        match format {
            Format::Sound(Codec::Opus) => say("fmtp", format!("{number} {OPUS_WISHES}")),
            Format::Sound(_) => {}
            Format::Events(_) => say("fmtp", format!("{number} 0-15")),
        }
    }
    say("ptime", ptime.to_string());
    stream.set_direction(direction);
    stream
}

/// Adds our key under its number.
fn encrypt(stream: &mut MediaDescription, key: Option<(u32, Key)>) {
    let line = key.map(|(tag, key)| Attribute::valued("crypto", crypto::write(tag, &key)));
    stream.attributes.extend(line);
}

impl Secrecy {
    /// Nothing may be encrypted.
    pub const PLAIN: Self = Self { plain: true, secret: false };
}

impl<'a> From<&'a [Codec]> for Terms<'a> {
    /// Plain sound in these codecs.
    fn from(codecs: &'a [Codec]) -> Self {
        Self { codecs, secrecy: Secrecy::PLAIN }
    }
}

impl fmt::Debug for Offer {
    /// The description has keys in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("media", &self.media).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    /// The same here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
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
        // Two channels whatever is sent (RFC 7587 §7).
        Codec::Opus => "opus/48000/2",
        Codec::G722 => "G722/8000",
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
    }
}

/// The number most others give a format as well.
fn usual(format: Format) -> u8 {
    match format {
        Format::Sound(Codec::Pcmu) => 0,
        Format::Sound(Codec::Pcma) => 8,
        Format::Sound(Codec::G722) => 9,
        Format::Sound(Codec::Opus) => 111,
        Format::Events(8_000) => 101,
        Format::Events(_) => 110,
    }
}
