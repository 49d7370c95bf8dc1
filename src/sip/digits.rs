//! Keys pressed during a call and sent as SIP INFO. Nobody may log what stands here: it is PINs.

/// Body types that carry keys, as answered in `Accept`.
pub(super) const ACCEPTED: &str = "application/dtmf-relay, application/dtmf";

/// The key in an INFO body of the given subtype of `application`; `None` for a body that names
/// none (a hook flash, say).
///
/// `dtmf-relay` is lines of `Signal=5`, `dtmf` is the bare key; some phones send either under the
/// other's name, so both are read the same way. 10 to 15 stand for `*#ABCD` (RFC 4733 §3.2).
pub(super) fn key(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body.get(..body.len().min(256))?).ok()?;
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
    });
    let word = signal.unwrap_or_else(|| text.trim());
    let mut chars = word.chars();
    match (chars.next()?.to_ascii_uppercase(), chars.next()) {
        (it @ ('0'..='9' | '*' | '#' | 'A'..='D'), None) => Some(it),
        _ => match word.parse::<u8>().ok()? {
            10 => Some('*'),
            11 => Some('#'),
            event @ 12..=15 => Some(char::from(b'A' + event - 12)),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn a_key_is_read_however_phones_write_it() {
        for (body, expected) in [
            ("Signal=5\r\nDuration=160\r\n", Some('5')),
            ("Signal= 5\r\nDuration= 160\r\n", Some('5')),
            ("signal=*\nduration=100", Some('*')),
            ("Duration=100\r\nSignal=#\r\n", Some('#')),
            ("Signal=11", Some('#')),
            ("10", Some('*')),
            ("7\r\n", Some('7')),
            ("d", Some('D')),
            ("15", Some('D')),
            ("16", None),
            ("Signal=hookflash", None),
            ("Signal=", None),
            ("", None),
            ("55", None),
        ] {
            assert_eq!(key(body.as_bytes()), expected, "{body:?}");
        }
        assert_eq!(key(&[0xff, 0xfe]), None);
    }
}
