//! Reads who is named in headers like `Diversion`, with more patience than their grammar has: what
//! cannot be read is nobody.

/// Who is named, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Party<'a> {
    /// Inside the brackets, with its own parameters and headers.
    pub(super) uri: &'a str,
    /// Behind the brackets.
    parameters: &'a str,
}

/// Longest number read; no mailbox has a longer one.
pub(super) const LONGEST: usize = 64;

impl<'a> Party<'a> {
    /// All that are named in a header's value, in order.
    pub(super) fn list(value: &'a str) -> impl Iterator<Item = Self> {
        split(value, ',').into_iter().map(Self::one)
    }

    fn one(entry: &'a str) -> Self {
        let entry = entry.trim();
        let name = split(entry, '<')[0];
        let (uri, parameters) = match entry[name.len()..].strip_prefix('<') {
            Some(rest) => rest.split_once('>').unwrap_or((rest, "")),
            // Without brackets the parameters are the header's (RFC 3261 §20.10).
            None => entry.split_at(entry.find(';').unwrap_or(entry.len())),
        };
        Self { uri, parameters }
    }

    /// A parameter of the header, e.g. `reason`.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        parameter(self.parameters, name)
    }

    /// A parameter of the URI, e.g. `cause`.
    pub(super) fn uri_parameter(&self, name: &str) -> Option<&'a str> {
        let uri = self.uri.split('?').next()?;
        // Parameters may stand in the user part as well; those are not meant.
        let behind = uri.rsplit('@').next()?;
        parameter(&behind[behind.find(';')?..], name)
    }

    /// A header that the URI carries (`?Reason=SIP%3Bcause%3D486`), decoded.
    pub(super) fn uri_header(&self, name: &str) -> Option<String> {
        let (_, headers) = self.uri.split_once('?')?;
        let mut pairs = headers.split('&').filter_map(|it| it.split_once('='));
        let (_, value) = pairs.find(|(it, _)| it.trim().eq_ignore_ascii_case(name))?;
        Some(decoded(value))
    }

    /// The number in the URI.
    pub(super) fn number(&self) -> Option<String> {
        number(self.uri)
    }
}

/// The user of a `sip:` URI or the number of a `tel:` one; a bare word is taken for either.
pub(super) fn number(uri: &str) -> Option<String> {
    let uri = uri.trim();
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    let number = match scheme.to_ascii_lowercase().as_str() {
        "tel" => {
            let number = rest.split([';', '?']).next()?;
            number.chars().filter(|it| !"-.() ".contains(*it)).collect()
        }
        "sip" | "sips" => user(rest.split_once('@')?.0),
        _ => user(uri.split('@').next()?),
    };
    let harmless = !number.is_empty() && number.chars().count() <= LONGEST;
    (harmless && !number.contains(char::is_control)).then_some(number)
}

/// Without its password and its parameters.
fn user(part: &str) -> String {
    decoded(part.split([':', ';', '?']).next().unwrap_or_default().trim())
}

/// A parameter's value without its quotes; names are compared without regard to case.
pub(super) fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = split(parameters, ';').into_iter().filter_map(|it| it.split_once('='));
    let (_, value) = pairs.find(|(it, _)| it.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

/// Cuts at a sign that stands neither in quotes nor in brackets.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for (place, sign) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        if sign == at && !quoted && !bracketed {
            parts.push(&text[start..place]);
            start = place + sign.len_utf8();
        }
        match sign {
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// With `%40` as `@`; what is no escape stays.
fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let byte = digits.filter(|it| first == b'%' && it.bytes().all(|it| it.is_ascii_hexdigit()));
        let byte = byte.and_then(|it| u8::from_str_radix(it, 16).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}
