//! How a dialog's requests reach the other side: names, tags, numbers, routes (RFC 3261 §12.2).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use sipx_sip::{
    HeaderName, Headers, Host, Method, Request, RequestBuilder, Scheme, Uri,
    headers::{Address, ContactValue, RecordRoute},
};
use sipx_transport::{TransportKind, new_branch, target::Target};

use super::{
    sockets::route,
    wire::{Way, Wire},
};

/// What stays of the messages that made a dialog.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) call: Bytes,
    /// Us with our tag: `From` of what we send.
    pub(super) ours: Bytes,
    /// Them with their tag: `To` of what we send.
    pub(super) theirs: Bytes,
    /// Proxies that want to see everything, nearest first.
    pub(super) routes: Vec<Address>,
    /// Their `Contact`.
    pub(super) target: Uri,
    /// `CSeq` of the last request we sent.
    pub(super) sequence: u32,
    /// Where their first message came from, and how.
    pub(super) source: SocketAddr,
    pub(super) transport: TransportKind,
    /// They proved a password. Phones that do may be anywhere.
    pub(super) proven: bool,
}

/// How long a name may take to look up before the dialog's own source address is used.
const LOOKUP: Duration = Duration::from_secs(2);

impl Path {
    /// The next request of ours, and where to send it. ACK keeps the number of its INVITE.
    pub(super) async fn request(&mut self, method: Method, wire: &Wire) -> Option<(Request, Way)> {
        if method != Method::Ack {
            self.sequence += 1;
        }
        let way = self.way().await;
        let local = wire.local_for(way.target.addr.ip());
        let strict = self.routes.first().filter(|it| !is_loose(&it.uri)).cloned();
        let uri = strict.as_ref().map_or(&self.target, |it| &it.uri).clone();
        let mut request = RequestBuilder::new(method.clone(), uri)
            .header(HeaderName::Via, via(&way.target, local))
            .ok()?
            .max_forwards(70);
        for route in self.routes.iter().skip(usize::from(strict.is_some())) {
            request = request.header(HeaderName::Route, bracketed(&route.uri)).ok()?;
        }
        if strict.is_some() {
            request = request.header(HeaderName::Route, bracketed(&self.target)).ok()?;
        }
        let request = request
            .header(HeaderName::From, self.ours.clone())
            .ok()?
            .header(HeaderName::To, self.theirs.clone())
            .ok()?
            .header(HeaderName::CallId, self.call.clone())
            .ok()?
            .cseq(self.sequence, &method)
            .ok()?;
        Some((request.build(), way))
    }

    async fn way(&self) -> Way {
        let hop = self.routes.first().map_or(&self.target, |it| &it.uri);
        let address = resolve(hop, self.source.ip()).await.unwrap_or(self.source);
        if self.transport == TransportKind::Tls {
            // Phones can be reached by the connection they made and by no other way; who is dialled
            // all the same has to prove its name.
            let target = Target::new(address, TransportKind::Tls);
            let reuse = self.routes.is_empty() || address.ip() == self.source.ip();
            let target = match hop.host() {
                Some(host) => target.verifying(host_name(host)),
                None => target,
            };
            return Way { target, reuse: reuse.then_some(self.source) };
        }
        let hidden = self.routes.is_empty() && (self.proven || self.hides(address.ip()));
        let came =
            self.transport == TransportKind::Tcp && (hidden || address.ip() == self.source.ip());
        let transport = match hop.transport() {
            Some(it) if it.eq_ignore_ascii_case(b"tcp") => TransportKind::Tcp,
            None if came => TransportKind::Tcp,
            _ => TransportKind::Udp,
        };
        if hidden && transport == self.transport {
            let reuse = (transport == TransportKind::Tcp).then_some(self.source);
            return Way { target: Target::new(self.source, transport), reuse };
        }
        let reuse = (came && transport == TransportKind::Tcp).then_some(self.source);
        Way { target: Target::new(address, transport), reuse }
    }
}

impl Path {
    /// Whether what they say of themselves is an address behind a NAT, where nobody reaches them but by the
    /// way they came.
    fn hides(&self, address: IpAddr) -> bool {
        is_private(address) && !is_private(self.source.ip())
    }
}

/// Whether an address counts in one network only (RFC 1918, RFC 6598, RFC 4193).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [one, two, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || one == 100 && (64..128).contains(&two)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback(),
    }
}

/// The address a URI names, of the same family as `near`.
pub(super) async fn resolve(uri: &Uri, near: IpAddr) -> Option<SocketAddr> {
    let port = uri.port().unwrap_or(if is_secure(uri) { 5061 } else { 5060 });
    match uri.host()? {
        Host::Ip(ip) => Some(SocketAddr::new(*ip, port)),
        Host::Name(name) => {
            let name = std::str::from_utf8(name.as_bytes()).ok()?;
            let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((name, port)));
            found.await.ok()?.ok()?.find(|it| it.is_ipv4() == near.is_ipv4())
        }
    }
}

/// Why an address cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nobody knows its host.
    Lookup,
    /// No address of ours is of its kind: IPv4 or IPv6, plain or TLS.
    NoWay,
}

/// That of our addresses that reaches what a URI names best, and how it does.
pub(super) async fn way_to(wires: &[Wire], uri: &Uri) -> Result<(Wire, Way), Missing> {
    let mut missing = Missing::Lookup;
    let mut found = Vec::new();
    for wire in wires {
        let Some(address) = resolve(uri, wire.bound().ip()).await else { continue };
        missing = Missing::NoWay;
        // An address written out is what it is, whatever we would like.
        if wire.is_secure() != is_secure(uri) || address.is_ipv4() != wire.bound().is_ipv4() {
            continue;
        }
        let transport = match uri.transport() {
            _ if is_secure(uri) => TransportKind::Tls,
            Some(it) if it.eq_ignore_ascii_case(b"tcp") => TransportKind::Tcp,
            _ => TransportKind::Udp,
        };
        let mut target = Target::new(address, transport);
        if let Some(host) = uri.host().filter(|_| is_secure(uri)) {
            target = target.verifying(host_name(host));
        }
        if let Some(detour) = detour(wire.bound().ip(), address.ip()) {
            found.push((detour, (wire.clone(), Way { target, reuse: None })));
        }
    }
    // Of equals the first.
    found.into_iter().min_by_key(|it| it.0).map(|it| it.1).ok_or(missing)
}

/// How far it is from an address of ours to somebody's; nothing, if no way leads there.
fn detour(ours: IpAddr, theirs: IpAddr) -> Option<u8> {
    if ours.is_unspecified() {
        return Some(1);
    }
    let any = match theirs {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    match route(any, theirs) {
        Some(it) if it == ours => Some(0),
        _ if ours.is_loopback() && !theirs.is_loopback() => None,
        _ => Some(2),
    }
}

/// The phone system a request came from, as an address without a user: what it calls itself in
/// `Record-Route` or `Contact`, unless that is somebody else's address, as behind a proxy that hides.
pub(super) fn home(headers: &Headers, source: SocketAddr, transport: TransportKind) -> String {
    let named = routes(headers).into_iter().next().map(|it| it.uri).or_else(|| contact_of(headers));
    let itself = |uri: &Uri| match uri.host() {
        Some(Host::Ip(ip)) => *ip == source.ip(),
        Some(Host::Name(_)) => true,
        None => false,
    };
    let (host, port) = match named.filter(itself) {
        Some(uri) => (uri.host().map(ToString::to_string), uri.port()),
        None => (None, Some(source.port()).filter(|_| transport == TransportKind::Udp)),
    };
    let host = host.unwrap_or_else(|| match source.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    });
    let port = port.map(|it| format!(":{it}")).unwrap_or_default();
    format!("sip:{host}{port}{}", tail(transport))
}

/// A number at a phone system, or an address as it is.
pub(super) fn at(number: &str, home: &str) -> String {
    match number.contains(':') {
        true => number.to_owned(),
        false => home.replacen("sip:", &format!("sip:{number}@"), 1),
    }
}

/// Whether an address is to be reached over TLS.
pub(super) fn is_secure(uri: &Uri) -> bool {
    let named = uri.transport().is_some_and(|it| it.eq_ignore_ascii_case(b"tls"));
    named || matches!(uri.scheme(), Scheme::Sips)
}

/// A host as its certificate names it.
pub(super) fn host_name(host: &Host) -> String {
    match host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => String::from_utf8_lossy(name.as_bytes()).into_owned(),
    }
}

/// A `Via` of ours with a branch nobody can guess.
pub(super) fn via(target: &Target, local: SocketAddr) -> String {
    format!("SIP/2.0/{} {local};rport;branch={}", target.transport.as_str(), new_branch())
}

/// Our `Contact` towards a peer.
pub(super) fn contact(user: Option<&[u8]>, local: SocketAddr, transport: TransportKind) -> String {
    let user = user.and_then(|it| std::str::from_utf8(it).ok());
    let user = user.map(|it| format!("{it}@")).unwrap_or_default();
    format!("<sip:{user}{local}{}>", tail(transport))
}

fn tail(transport: TransportKind) -> &'static str {
    match transport {
        TransportKind::Tcp => ";transport=tcp",
        TransportKind::Tls => ";transport=tls",
        _ => "",
    }
}

/// Our `Contact` in the answer to a request: who calls `sips:` is told a `sips:` (RFC 5630 §5.1.2).
pub(super) fn contact_in(request: &Request, local: SocketAddr, transport: TransportKind) -> String {
    let ours = contact(request.uri.user(), local, transport);
    match request.uri.scheme() {
        Scheme::Sips => ours.replacen("<sip:", "<sips:", 1),
        _ => ours,
    }
}

/// The URI of the `Contact` header.
pub(super) fn contact_of(headers: &Headers) -> Option<Uri> {
    match headers.typed::<ContactValue>()?.ok()? {
        ContactValue::Address(it) if it.uri.scheme().is_sip() => Some(it.uri),
        _ => None,
    }
}

/// `Record-Route` as written, top first.
pub(super) fn routes(headers: &Headers) -> Vec<Address> {
    headers.typed_all::<RecordRoute>().filter_map(Result::ok).map(|it| it.0).collect()
}

fn is_loose(uri: &Uri) -> bool {
    uri.params().is_some_and(|it| it.contains("lr"))
}

pub(super) fn bracketed(uri: &Uri) -> Vec<u8> {
    [b"<", &uri.to_bytes()[..], b">"].concat()
}

#[cfg(test)]
mod tests {
    use sipx_sip::Header;

    use super::*;

    #[test]
    fn a_phone_system_is_found_where_it_says_it_is_unless_that_is_a_phone_behind_it() {
        use TransportKind::{Tcp, Tls, Udp};
        let source = "192.0.2.7:5070".parse().unwrap();
        let of = |contact: &str, route: Option<&str>, transport| {
            let mut headers = Headers::new();
            headers.push(Header::build(HeaderName::Contact, contact.to_owned()).unwrap());
            if let Some(route) = route {
                headers.push(Header::build(HeaderName::RecordRoute, route.to_owned()).unwrap());
            }
            home(&headers, source, transport)
        };
        for (contact, route, transport, expected) in [
            ("<sip:1@192.0.2.7:5080>", None, Udp, "sip:192.0.2.7:5080"),
            ("<sip:1@10.0.0.9:5080>", None, Udp, "sip:192.0.2.7:5070"),
            ("<sip:1@10.0.0.9>", Some("<sip:192.0.2.7;lr>"), Udp, "sip:192.0.2.7"),
            // The port a connection came from is nowhere to call.
            ("<sip:1@10.0.0.9:5080>", None, Tcp, "sip:192.0.2.7;transport=tcp"),
            ("<sip:1@pbx.example>", None, Tls, "sip:pbx.example;transport=tls"),
        ] {
            assert_eq!(of(contact, route, transport), expected);
        }
    }

    #[test]
    fn whom_we_call_is_called_from_the_address_of_ours_that_leads_there() {
        let of = |ours: &str, theirs: &str| detour(ours.parse().unwrap(), theirs.parse().unwrap());
        assert_eq!(of("127.0.0.1", "127.0.0.2"), Some(0));
        assert_eq!(of("0.0.0.0", "127.0.0.2"), Some(1));
        assert_eq!(of("127.0.0.9", "127.0.0.2"), Some(2));
        assert_eq!(of("127.0.0.1", "192.0.2.7"), None);
        assert_eq!(of("::1", "::1"), Some(0));
    }

    #[test]
    fn an_address_behind_a_nat_is_told_from_one_that_anybody_reaches() {
        for (address, expected) in [
            ("192.168.1.5", true),
            ("100.64.0.1", true),
            ("172.16.0.1", true),
            ("fd00::1", true),
            ("::ffff:10.0.0.1", true),
            ("100.128.0.1", false),
            ("192.0.2.7", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_number_is_one_of_the_phone_system_and_an_address_its_own() {
        assert_eq!(at("0", "sip:[2001:db8::7];transport=tcp"), "sip:0@[2001:db8::7];transport=tcp");
        assert_eq!(at("sip:desk@office.example", "sip:192.0.2.7"), "sip:desk@office.example");
    }
}
