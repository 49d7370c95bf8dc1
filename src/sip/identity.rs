//! Who calls, whom, and by which detour, read from a request's headers.

use sipx_sip::{HeaderName, Headers, Request, Scheme, Uri, headers::Address};

use crate::mailbox::{Caller, Redirected};

/// Whom the call is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Called {
    /// The user of the Request-URI, escapes decoded: the mailbox's number.
    pub user: String,
    /// The host of the Request-URI, as written; empty for a `tel:` URI.
    pub host: String,
    /// The user of the `To` header: often who was dialled first.
    pub to_user: Option<String>,
    /// Parameters of the Request-URI that say what is to be played (RFC 4240 §3, and our own), as far as
    /// they are there.
    pub wishes: Vec<(&'static str, String)>,
}

/// The parameters that are looked at.
const WISHES: [&str; 5] = ["play", "repeat", "delay", "class", "early-media"];

impl Called {
    /// What a parameter of the Request-URI says; empty where it is there and says nothing.
    pub fn wish(&self, name: &str) -> Option<&str> {
        self.wishes.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }
}

/// A `From`, `To` or the like, read with more patience than the grammar has.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) name: Option<String>,
    pub(super) uri: Uri,
    pub(super) tag: Option<Vec<u8>>,
}

/// Who calls. Peers are trusted by their address, so `P-Asserted-Identity` (RFC 3325) counts before
/// `From`; somebody who asked for privacy has no name and no number, whatever else is said.
pub(super) fn caller(headers: &Headers) -> Caller {
    let from = party(headers, &HeaderName::From);
    let anonymous = from.as_ref().is_some_and(|it| {
        let host = it.uri.host().map(ToString::to_string).unwrap_or_default();
        host.eq_ignore_ascii_case("anonymous.invalid")
    });
    let privacy = headers.value(&HeaderName::Privacy).unwrap_or_default();
    let private = privacy.split(|it| matches!(it, b';' | b',')).any(|it| {
        let it = it.trim_ascii();
        [&b"id"[..], b"user", b"header"].iter().any(|word| it.eq_ignore_ascii_case(word))
    });
    if anonymous || private {
        return Caller::default();
    }
    let name = |party: &Option<Party>| party.as_ref().and_then(|it| it.name.clone());
    let asserted = asserted(headers);
    let number = asserted.as_ref().or(from.as_ref()).and_then(|it| number(&it.uri));
    let name = name(&asserted).or_else(|| name(&from));
    Caller::claimed(name.as_deref(), number.as_deref())
}

/// Whose phone it is, as the peer says it has found out (RFC 3325).
pub(super) fn asserted_number(headers: &Headers) -> Option<String> {
    number(&asserted(headers)?.uri)
}

pub(super) fn called(request: &Request) -> Called {
    Called {
        user: number_or_user(&request.uri).unwrap_or_default(),
        host: request.uri.host().map(ToString::to_string).unwrap_or_default(),
        to_user: party(&request.headers, &HeaderName::To).and_then(|it| number_or_user(&it.uri)),
        wishes: WISHES.iter().filter_map(|it| Some((*it, parameter(&request.uri, it)?))).collect(),
    }
}

pub(super) fn redirected(request: &Request) -> Redirected {
    let parameter = |name| parameter(&request.uri, name);
    Redirected {
        diversion: all(&request.headers, &HeaderName::Other("Diversion".into())),
        history: all(&request.headers, &HeaderName::HistoryInfo),
        reasons: all(&request.headers, &HeaderName::Reason),
        cause: parameter("cause"),
        target: parameter("target"),
    }
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    Some(lossy(&unescaped(uri.params()?.value(name)?)))
}

/// The party in a header; a display name that breaks the grammar (unquoted accents, commas) is
/// taken for what it plainly says.
pub(super) fn party(headers: &Headers, name: &HeaderName) -> Option<Party> {
    let value = headers.value(name)?;
    let (address, display) = match Address::parse(&value, "address") {
        Ok(address) => {
            let display = address.display_name.clone();
            (address, display)
        }
        Err(_) => {
            let bracket = value.iter().position(|it| *it == b'<')?;
            let (display, rest) = value.split_at(bracket);
            (Address::parse(rest, "address").ok()?, Some(display.trim_ascii().to_vec()))
        }
    };
    let tag = address.tag().map(<[u8]>::to_vec);
    let name = display.map(|it| lossy(&it)).filter(|it| !it.is_empty());
    Some(Party { name, uri: address.uri, tag })
}

fn asserted(headers: &Headers) -> Option<Party> {
    let one = party(headers, &HeaderName::PAssertedIdentity);
    // Two identities may share a line, a sip: and a tel: one; the first will do.
    one.or_else(|| {
        let value = headers.value(&HeaderName::PAssertedIdentity)?;
        let first = Address::parse_list(&value, "address").ok()?.into_iter().next()?;
        let name = first.display_name.as_deref().map(lossy);
        Some(Party { name, uri: first.uri, tag: None })
    })
}

fn number_or_user(uri: &Uri) -> Option<String> {
    match uri.scheme() {
        Scheme::Tel => number(uri),
        _ => uri.decoded_user().map(|it| lossy(&it)),
    }
}

/// The number in a `tel:` URI without its visual separators, or the user without parameters.
fn number(uri: &Uri) -> Option<String> {
    if let Some(tel) = uri.tel_parts() {
        let digits = tel.subscriber().iter().filter(|it| !b"-.()".contains(it));
        return Some(digits.map(|&it| char::from(it)).collect());
    }
    let user = lossy(&uri.decoded_user()?);
    user.split(';').next().map(str::to_owned)
}

fn all(headers: &Headers, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).map(|it| lossy(&it.value())).collect()
}

fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, tail)) = rest.split_first() {
        let byte = std::str::from_utf8(tail.get(..2).unwrap_or_default())
            .ok()
            .filter(|_| first == b'%')
            .and_then(|it| u8::from_str_radix(it, 16).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    out
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
