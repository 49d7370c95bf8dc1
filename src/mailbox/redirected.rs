//! By which detour a call came: whose mailbox it is for, and why nobody took it.
//!
//! Peers are trusted by their address, so what they tell is believed, in this order:
//!
//! | | the mailbox | the reason |
//! |---|---|---|
//! | 1 | `target` of the Request-URI (RFC 4458) | its `cause` |
//! | 2 | the user of the Request-URI | the `Diversion` (RFC 5806) of whose mailbox it is, else the latest |
//! | 3 | if that is an access number: whom `Diversion` says was called first, then those after them | `History-Info` (RFC 7044) likewise |
//! | 4 | the same of `History-Info` | `Reason` (RFC 3326) |
//!
//! The first that is a mailbox, and the first that says something, is taken.

use super::{
    Reason,
    party::{self, Party},
};

/// How the call was sent here, as far as it tells; every header as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirected {
    /// `Diversion` headers (RFC 5806), top first: the latest detour stands on top.
    pub diversion: Vec<String>,
    /// `History-Info` headers (RFC 7044), top first: whom the call was for at first.
    pub history: Vec<String>,
    /// `Reason` headers (RFC 3326), top first.
    pub reasons: Vec<String>,
    /// The `cause` parameter of the Request-URI (RFC 4458).
    pub cause: Option<String>,
    /// The `target` parameter of the Request-URI (RFC 4458), decoded.
    pub target: Option<String>,
}

impl Redirected {
    /// Detours of each kind that are looked at; a call that was sent round more often goes in
    /// circles.
    pub const MOST: usize = 10;

    /// The numbers that may have the mailbox, the likeliest first. `called` is the user of the
    /// Request-URI, `access` are the numbers that lead here without being a mailbox.
    pub fn numbers(&self, called: &str, access: &[String]) -> Vec<String> {
        let is_access = |number: &str| access.iter().any(|it| it.eq_ignore_ascii_case(number));
        let mut numbers: Vec<String> = Vec::new();
        let mut add = |number: String| {
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        };
        self.target.as_deref().and_then(party::number).into_iter().for_each(&mut add);
        add(called.to_owned());
        if is_access(called) {
            let (diverted, history) = (parties(&self.diversion), parties(&self.history));
            let all = diverted.iter().rev().chain(&history).filter_map(Party::number);
            all.filter(|it| !is_access(it)).for_each(add);
        }
        numbers
    }

    /// Why nobody took the call to this number.
    pub fn reason(&self, number: &str) -> Reason {
        let cause = self.cause.as_deref().and_then(Reason::of_cause);
        let told = cause
            .or_else(|| self.by_diversion(number))
            .or_else(|| self.by_history(number))
            .or_else(|| self.reasons.iter().take(Self::MOST).find_map(|it| answered(it)));
        told.unwrap_or_default()
    }

    fn by_diversion(&self, number: &str) -> Option<Reason> {
        let detours = parties(&self.diversion);
        // Some put it inside the brackets, where it does not belong.
        let reason = |it: &Party| {
            let word = it.parameter("reason").or_else(|| it.uri_parameter("reason"));
            word.and_then(Reason::of_diversion)
        };
        let theirs = detours.iter().filter(|it| it.number().as_deref() == Some(number));
        theirs.chain(&detours).find_map(reason)
    }

    /// Whoever was tried in vain has the answer beside them; whom it was sent on to, the cause.
    fn by_history(&self, number: &str) -> Option<Reason> {
        let tried = parties(&self.history);
        let answer = |it: &Party| answered(&it.uri_header("Reason")?);
        let cause = |it: &Party| it.uri_parameter("cause").and_then(Reason::of_cause);
        let theirs = tried.iter().rev().filter(|it| it.number().as_deref() == Some(number));
        let own = theirs.clone().find_map(answer);
        own.or_else(|| tried.iter().rev().find_map(cause))
            .or_else(|| tried.iter().rev().find_map(answer))
    }
}

fn parties(values: &[String]) -> Vec<Party<'_>> {
    values
        .iter()
        .take(Redirected::MOST)
        .flat_map(|it| Party::list(it))
        .take(Redirected::MOST)
        .collect()
}

/// A `Reason` header: `SIP;cause=486;text="Busy Here"`, perhaps several, with commas between.
fn answered(value: &str) -> Option<Reason> {
    // Each value reads like a party without brackets.
    Party::list(value)
        .take(Redirected::MOST)
        .find_map(|it| Reason::of_answer(it.uri, it.parameter("cause")?))
}
