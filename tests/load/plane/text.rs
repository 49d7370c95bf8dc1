//! The SIP a caller says: a few texts, and what is to be read in the answers.

use std::net::SocketAddrV4;

/// Who calls whom, and by which name of the call.
pub struct Names<'a> {
    pub here: SocketAddrV4,
    pub server: SocketAddrV4,
    pub called: &'a str,
    pub caller: u32,
    /// Unique to the call.
    pub id: &'a str,
}

/// `direction` is what the caller wants: `sendrecv` or `recvonly`; `more` is another line of the header.
pub fn invite(it: &Names<'_>, sound: SocketAddrV4, direction: &str, more: Option<&str>) -> String {
    let (ip, port) = (sound.ip(), sound.port());
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na={direction}\r\n"
    );
    let target = format!("sip:{}@{}", it.called, it.server);
    let head = request("INVITE", 1, &target, it, &format!("<{target}>"));
    let (length, more) = (sdp.len(), more.unwrap_or_default());
    format!("{head}{more}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}")
}

/// A request within the call: ACK or BYE.
pub fn within(method: &str, number: u32, target: &str, it: &Names<'_>, to: &str) -> String {
    request(method, number, target, it, to) + "Content-Length: 0\r\n\r\n"
}

fn request(method: &str, number: u32, target: &str, it: &Names<'_>, to: &str) -> String {
    let Names { here, caller, id, .. } = it;
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{id}-{number}-{method}\r\n\
         From: <sip:{caller}@{here}>;tag=f{id}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {number} {method}\r\n\
         Contact: <sip:{caller}@{here}>\r\nMax-Forwards: 70\r\n"
    )
}

/// 200 to a request of the server's.
pub fn agreed(request: &str) -> String {
    let kept = ["Via", "From", "To", "Call-ID", "CSeq"];
    let lines = request.lines().skip(1).take_while(|it| !it.is_empty());
    let same = lines.filter(|it| kept.iter().any(|name| named(it, name).is_some()));
    let same: String = same.map(|it| format!("{it}\r\n")).collect();
    format!("SIP/2.0 200 OK\r\n{same}Content-Length: 0\r\n\r\n")
}

/// The status of an answer; `None` for a request.
pub fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// The value of a header.
pub fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().take_while(|it| !it.is_empty()).find_map(|it| named(it, name))
}

fn named<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (own, value) = line.split_once(':')?;
    own.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

/// What is between the brackets of an address.
pub fn uri(address: &str) -> &str {
    address.split('<').nth(1).and_then(|it| it.split('>').next()).unwrap_or(address)
}

/// The port of the sound in an answer.
pub fn media_port(text: &str) -> Option<u16> {
    let line = text.lines().find_map(|it| it.strip_prefix("m=audio "))?;
    line.split(' ').next()?.parse().ok()
}
