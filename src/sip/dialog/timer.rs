//! Session timers (RFC 4028): how long a call lives without a sign of life, and who gives it.
//!
//! Pure: headers in, terms out. A sign of life is an UPDATE or a re-INVITE that is answered.

use std::time::Duration;

use sipx_sip::{
    HeaderName, Headers,
    session::{MinSe, OPTION_TAG, Refresher, SessionExpires},
};

use crate::sip::desk::lists;

/// What we ask for, and what we bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) struct Wish {
    /// The interval we ask for; zero asks for none.
    pub(in crate::sip) usual: Duration,
    /// The shortest interval we bear, told as `Min-SE`.
    pub(in crate::sip) least: Duration,
}

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) struct Terms {
    /// The call is over when it passes without a sign of life.
    pub(in crate::sip) interval: Duration,
    /// The sign is ours to give.
    pub(in crate::sip) ours: bool,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum Asked {
    /// No timer, and none that we could ask for.
    Nothing,
    /// A timer on these terms, to be told in the 200.
    Timer(Terms),
    /// An interval below what we bear: 422.
    TooShort,
}

/// Nobody waits longer than this for a sign of life, whatever they ask for.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Whether these are the headers of somebody who knows session timers.
pub(in crate::sip) fn is_known(headers: &Headers) -> bool {
    [HeaderName::Supported, HeaderName::Require].iter().any(|it| lists(headers, it, OPTION_TAG))
}

/// What to do about the timer of a request (RFC 4028 §9, table 2).
pub(in crate::sip) fn asked(request: &Headers, wish: Wish) -> Asked {
    let known = is_known(request);
    let least = request.typed::<MinSe>().and_then(Result::ok).map(|it| it.0.min(LONGEST));
    let least = least.unwrap_or_default();
    let usual = if wish.usual.is_zero() { LONGEST } else { wish.usual };
    let Some(theirs) = request.typed::<SessionExpires>().and_then(Result::ok) else {
        let asks = known && !wish.usual.is_zero();
        let ours = Terms { interval: usual.max(least), ours: true };
        return if asks { Asked::Timer(ours) } else { Asked::Nothing };
    };
    if theirs.interval < wish.least {
        // Who does not know timers cannot be told; a proxy on the way asked in their name.
        return if known { Asked::TooShort } else { Asked::Nothing };
    }
    // It may be lowered, but not below what they bear, and never raised.
    let interval = theirs.interval.min(usual.max(least));
    Asked::Timer(Terms { interval, ours: !(known && theirs.refresher == Some(Refresher::Uac)) })
}

/// What the answer to a sign of life of ours agrees on. Without a word about it we go on as before:
/// the answer itself is what we want to hear (RFC 4028 §7.2).
pub(in crate::sip) fn agreed(response: &Headers, before: Terms, wish: Wish) -> Terms {
    match response.typed::<SessionExpires>() {
        Some(Ok(it)) => Terms {
            interval: it.interval.min(LONGEST).max(wish.least),
            ours: it.refresher != Some(Refresher::Uas),
        },
        _ => Terms { ours: true, ..before },
    }
}

/// The shortest interval a 422 asks for.
pub(in crate::sip) fn least(response: &Headers) -> Option<Duration> {
    let least = response.typed::<MinSe>()?.ok()?.0;
    (least <= LONGEST).then_some(least)
}

impl Terms {
    /// `Session-Expires` in an answer of ours.
    pub(in crate::sip) fn answered(self) -> String {
        self.told(if self.ours { Refresher::Uas } else { Refresher::Uac })
    }

    /// `Session-Expires` in a request of ours.
    pub(in crate::sip) fn requested(self) -> String {
        self.told(if self.ours { Refresher::Uac } else { Refresher::Uas })
    }

    fn told(self, refresher: Refresher) -> String {
        SessionExpires { interval: self.interval, refresher: Some(refresher) }.to_string()
    }
}

#[cfg(test)]
mod tests {
    use sipx_sip::{Header, Headers};

    use super::*;

    const WISH: Wish = Wish { usual: Duration::from_secs(1_800), least: Duration::from_secs(90) };

    fn headers(lines: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(Header::build(name.clone(), (*value).to_owned()).unwrap());
        }
        headers
    }

    fn timer(seconds: u64, ours: bool) -> Asked {
        Asked::Timer(Terms { interval: Duration::from_secs(seconds), ours })
    }

    #[test]
    fn a_request_is_answered_by_table_2_of_rfc_4028() {
        use HeaderName::{MinSe, Require, SessionExpires, Supported};
        for (lines, expected) in [
            (vec![], Asked::Nothing),
            (vec![(Supported, "100rel, timer")], timer(1_800, true)),
            (vec![(Require, "timer")], timer(1_800, true)),
            (vec![(Supported, "timer"), (MinSe, "3600")], timer(3_600, true)),
            (vec![(Supported, "timer"), (SessionExpires, "600")], timer(600, true)),
            (vec![(Supported, "timer"), (SessionExpires, "600;refresher=uas")], timer(600, true)),
            (vec![(Supported, "timer"), (SessionExpires, "600;refresher=uac")], timer(600, false)),
            (vec![(Supported, "timer"), (SessionExpires, "7200")], timer(1_800, true)),
            (
                vec![(Supported, "timer"), (SessionExpires, "7200"), (MinSe, "3600")],
                timer(3_600, true),
            ),
            (vec![(Supported, "timer"), (SessionExpires, "89")], Asked::TooShort),
            // A proxy asked: it cannot be told 422, and we must give the sign.
            (vec![(SessionExpires, "89")], Asked::Nothing),
            (vec![(SessionExpires, "600")], timer(600, true)),
            // Nonsense is as good as nothing.
            (vec![(Supported, "timer"), (SessionExpires, "soon")], timer(1_800, true)),
            (vec![(SessionExpires, "18446744073709551615")], timer(1_800, true)),
            (vec![(Supported, "timer"), (MinSe, "18446744073709551615")], timer(24 * 3_600, true)),
        ] {
            assert_eq!(asked(&headers(&lines), WISH), expected, "{lines:?}");
        }
    }

    #[test]
    fn without_a_wish_of_our_own_only_what_they_ask_for_is_kept() {
        let wish = Wish { usual: Duration::ZERO, ..WISH };
        let supported = (HeaderName::Supported, "timer");
        assert_eq!(asked(&headers(std::slice::from_ref(&supported)), wish), Asked::Nothing);
        let theirs = headers(&[supported, (HeaderName::SessionExpires, "7200;refresher=uac")]);
        assert_eq!(asked(&theirs, wish), timer(7_200, false));
    }

    #[test]
    fn the_answer_to_our_sign_of_life_may_change_the_terms() {
        let before = Terms { interval: Duration::from_secs(600), ours: true };
        let of =
            |value: &str| agreed(&headers(&[(HeaderName::SessionExpires, value)]), before, WISH);
        assert_eq!(agreed(&Headers::new(), before, WISH), before);
        assert_eq!(
            of("700;refresher=uas"),
            Terms { interval: Duration::from_secs(700), ours: false }
        );
        assert_eq!(of("700"), Terms { interval: Duration::from_secs(700), ours: true });
        assert_eq!(of("1").interval, WISH.least);
        assert_eq!(of("18446744073709551615").interval, LONGEST);
    }

    #[test]
    fn the_same_terms_are_told_from_either_end() {
        let terms = Terms { interval: Duration::from_secs(90), ours: true };
        assert_eq!(terms.answered(), "90;refresher=uas");
        assert_eq!(terms.requested(), "90;refresher=uac");
    }
}
