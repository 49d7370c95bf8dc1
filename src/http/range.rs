//! Parts of a file, so that a player can jump (RFC 9110 §14). Pure.

use std::ops::Range;

use axum::http::{HeaderMap, StatusCode, header, response};

/// Largest part of a file in one answer; a player asks for the rest.
const PART: u64 = 4 * 1024 * 1024;

/// The beginning of an answer with sound in it, and which of its `length` bytes belong in it.
pub(super) fn sound(asked: &HeaderMap, kind: &str, length: u64) -> (response::Builder, Range<u64>) {
    // We give no validators, so a range that depends on one does not hold (RFC 9110 §13.1.5).
    let range = asked.get(header::RANGE).and_then(|it| it.to_str().ok());
    let range = range.filter(|_| !asked.contains_key(header::IF_RANGE));
    let answer = response::Builder::new()
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, kind);
    match Wanted::of(range, length) {
        Wanted::All => (answer, 0..length),
        Wanted::Part { first, last } => {
            let last = last.min(first.saturating_add(PART - 1));
            let part = format!("bytes {first}-{last}/{length}");
            let answer = answer.status(StatusCode::PARTIAL_CONTENT);
            (answer.header(header::CONTENT_RANGE, part), first..last + 1)
        }
        Wanted::Nothing => {
            let answer = answer.status(StatusCode::RANGE_NOT_SATISFIABLE);
            (answer.header(header::CONTENT_RANGE, format!("bytes */{length}")), 0..0)
        }
    }
}

/// What part of a body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// All of it: no range was asked for, or one we need not understand.
    All,
    /// `first..=last`, both inside the body.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// The range lies outside of the body.
    Nothing,
}

impl Wanted {
    /// Reads a `Range` header for a body of `length` bytes. Several ranges at once count as none,
    /// which a server is free to do.
    fn of(header: Option<&str>, length: u64) -> Self {
        let range = header.and_then(|it| it.trim().strip_prefix("bytes="));
        let Some((first, last)) = range.and_then(|it| it.split_once('-')) else {
            return Self::All;
        };
        let number = |digits: &str| {
            let all = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
            // More digits than a number holds is farther than any body reaches.
            all.then(|| digits.parse().unwrap_or(u64::MAX))
        };
        let (first, last) = match (number(first.trim()), number(last.trim())) {
            (None, Some(tail)) if first.is_empty() && tail == 0 => return Self::Nothing,
            (None, Some(tail)) if first.is_empty() => (length.saturating_sub(tail), u64::MAX),
            (Some(first), None) if last.trim().is_empty() => (first, u64::MAX),
            (Some(first), Some(last)) if first <= last => (first, last),
            _ => return Self::All,
        };
        if first >= length {
            return Self::Nothing;
        }
        Self::Part { first, last: last.min(length - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted::{self, All, Nothing, Part};

    #[test]
    fn ranges_are_read_as_players_write_them() {
        for (header, wanted) in [
            ("bytes=0-", Part { first: 0, last: 99 }),
            ("bytes=10-19", Part { first: 10, last: 19 }),
            ("bytes=90-4000", Part { first: 90, last: 99 }),
            ("bytes=-10", Part { first: 90, last: 99 }),
            ("bytes=-4000", Part { first: 0, last: 99 }),
            ("bytes=0-99999999999999999999999", Part { first: 0, last: 99 }),
            ("bytes=100-", Nothing),
            ("bytes=99999999999999999999999-", Nothing),
            ("bytes=-0", Nothing),
            ("bytes=20-10", All),
            ("bytes=0-1,5-6", All),
            ("bytes=-", All),
            ("bytes=a-b", All),
            ("bytes=+1-5", All),
            ("lines=1-5", All),
            ("", All),
        ] {
            assert_eq!(Wanted::of(Some(header), 100), wanted, "{header}");
        }
    }

    #[test]
    fn an_empty_body_has_no_parts() {
        assert_eq!(Wanted::of(None, 0), All);
        assert_eq!(Wanted::of(Some("bytes=0-"), 0), Nothing);
        assert_eq!(Wanted::of(Some("bytes=-5"), 0), Nothing);
    }
}
