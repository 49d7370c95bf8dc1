//! The lamp on the wire: SUBSCRIBE and NOTIFY of `message-summary` (RFC 3842, RFC 6665).
//!
//! Nothing is kept here: what stays of a SUBSCRIBE is a [`Subscription`], which whoever keeps it hands
//! back when there is something to tell. So subscriptions outlive this program.

mod body;
mod notify;
mod subscribe;

use std::{net::SocketAddr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sipx_sip::{HeaderName, Request, Response, headers::Expires};

pub use notify::{Notice, Whom, is_target};
pub use subscribe::{Denial, Subscribe};

use self::body::{EVENT, SUMMARY};
use super::reply::{new_tag, reply, with};
use crate::mailbox::lamp::Terms;

/// `[sip.lamp]`: who is told how many messages wait, and how fast.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The shortest subscription; phones that ask for less have to ask again.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub shortest: Duration,
    /// The longest subscription; phones that ask for more get this.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub longest: Duration,
    /// Subscriptions at once; further ones are refused with 503.
    pub most: u32,
    /// Subscriptions of one mailbox at once.
    pub most_each: u32,
    /// Phones told in a second, at most: after a restart all of them are told anew, and not at once.
    pub notifies: u32,
    /// How often what phones were told is compared with what lies in the mailboxes.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub check: Duration,
}

/// What is left of the SUBSCRIBE that began a subscription, and of those that renewed it: all that
/// a NOTIFY needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    call: String,
    /// Us with our tag, `From` of what we send.
    ours: String,
    /// Them with their tag, `To` of what we send.
    theirs: String,
    /// Proxies that want to see everything, nearest first.
    routes: Vec<String>,
    /// Their `Contact`.
    target: String,
    /// The mailbox as they call it.
    account: String,
    /// `Event`, with its `id` if it had one (RFC 6665 §8.2.1).
    event: String,
    /// `CSeq` of their last SUBSCRIBE.
    heard: u32,
    /// Whose password it was proved with.
    login: Option<String>,
    /// Our address it came to.
    node: SocketAddr,
    /// Where it came from, and how.
    source: SocketAddr,
    transport: String,
}

/// Longest `id` of an `Event` that is kept.
const LONGEST_ID: usize = 64;

impl Default for Settings {
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(60),
            longest: Duration::from_secs(3_600),
            most: 20_000,
            most_each: 20,
            notifies: 250,
            check: Duration::from_secs(3_600),
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.shortest.is_zero() || self.shortest > self.longest {
            return Err("lamp.shortest: must be more than 0s, and no more than lamp.longest".into());
        }
        if self.notifies == 0 {
            return Err("lamp.notifies: must be 1 or more".into());
        }
        if self.check.is_zero() {
            return Err("lamp.check: must be more than 0s".into());
        }
        Ok(())
    }

    /// How long subscriptions last.
    pub fn terms(&self) -> Terms {
        Terms { shortest: self.shortest, longest: self.longest }
    }
}

impl Subscription {
    /// Where it is told.
    pub fn place(&self) -> &str {
        &self.target
    }

    /// Our address it came to.
    pub fn node(&self) -> SocketAddr {
        self.node
    }
}

/// What makes a SUBSCRIBE unanswerable whomever it comes from.
pub(super) fn fault(request: &Request) -> Option<Response> {
    if event(request).is_none() {
        let response = reply(request, 489, &new_tag())?;
        return Some(with(response, HeaderName::AllowEvents, EVENT));
    }
    if !accepts(request) {
        let response = reply(request, 406, &new_tag())?;
        return Some(with(response, HeaderName::Accept, SUMMARY));
    }
    match request.headers.typed::<Expires>() {
        Some(Err(_)) => reply(request, 400, &new_tag()),
        _ => None,
    }
}

/// `Event` as it is to be said again, if it is ours.
fn event(request: &Request) -> Option<String> {
    let value = request.headers.value(&HeaderName::Event)?;
    let text = std::str::from_utf8(&value).ok()?;
    let mut parts = text.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(EVENT) {
        return None;
    }
    let id = parts.find_map(|it| it.strip_prefix("id=")).filter(|it| it.len() <= LONGEST_ID);
    Some(id.map_or_else(|| EVENT.to_owned(), |id| format!("{EVENT};id={id}")))
}

/// Whether they understand what a NOTIFY says; who names nothing does (RFC 3842 §3.5).
fn accepts(request: &Request) -> bool {
    let mut named = request.headers.get_all(&HeaderName::Accept).peekable();
    named.peek().is_none()
        || named.any(|header| {
            let value = header.value();
            value.split(|it| *it == b',').any(|kind| {
                let kind = kind.split(|it| *it == b';').next().unwrap_or_default().trim_ascii();
                [SUMMARY, "application/*", "*/*"]
                    .iter()
                    .any(|it| kind.eq_ignore_ascii_case(it.as_bytes()))
            })
        })
}
