//! Sending a caller on to somebody else: 302 before the answer, REFER after it (RFC 3515), and what
//! the other side tells of how that went.

use sipx_sip::{HeaderName, Method, TuEvent, Uri};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::leg::{Leg, Step};
use crate::sip::{
    desk::Arrival,
    path::at,
    reply::{ALLOW, SUPPORTED, add, reply},
};

/// Whoever took a REFER and has told nothing after so many T1 (30 s as a rule) did not do it: a caller
/// who went all the same hears no more of us, and one who did not is still there.
const PATIENCE: u32 = 60;
/// Who said they are at it is given the time of a proxy (RFC 3261 §16.6, timer C: 3 minutes).
const AT_IT: u32 = 360;

/// A REFER of ours on its way.
#[derive(Debug)]
pub(super) struct Referred {
    stage: Stage,
    done: oneshot::Sender<bool>,
    until: Instant,
}

#[derive(Debug)]
enum Stage {
    /// To be sent to this address once the call is up.
    Wanted(String),
    /// Sent; its answer comes here.
    Asked(mpsc::Receiver<TuEvent>),
    /// Taken; how it went is told by NOTIFY.
    Taken,
}

/// The next that is heard about a REFER of ours.
pub(super) async fn heard(referred: &mut Option<Referred>) -> Option<TuEvent> {
    match referred {
        Some(Referred { stage: Stage::Asked(responses), .. }) => responses.recv().await,
        _ => std::future::pending().await,
    }
}

impl Referred {
    pub(super) fn due(&self) -> Instant {
        self.until
    }
}

impl Leg {
    /// Sends the caller to a number or an address; `done` learns whether they go there.
    pub(super) async fn send_on(&mut self, to: &str, done: oneshot::Sender<bool>) -> Step {
        let address = format!("<{}>", address(to, &self.path.target));
        if self.early.is_some() {
            let _ = done.send(self.refuse(302, Some(address)).await);
            return Step::Over;
        }
        if self.referred.is_some() {
            let _ = done.send(false);
            return Step::Stay;
        }
        let until = Instant::now() + self.wire.timers.t1 * PATIENCE;
        self.referred = Some(Referred { stage: Stage::Wanted(address), done, until });
        // Before the ACK there is no call yet that could be sent anywhere.
        if self.unacked.is_none() {
            self.send_refer().await;
        }
        Step::Stay
    }

    /// Sends the REFER that is wanted, if one is.
    pub(super) async fn send_refer(&mut self) {
        let Some(Referred { stage: Stage::Wanted(address), .. }) = &self.referred else { return };
        match self.refer(address.clone()).await {
            Some(responses) => {
                if let Some(referred) = &mut self.referred {
                    referred.stage = Stage::Asked(responses);
                }
            }
            None => self.sent_on(false),
        }
    }

    async fn refer(&mut self, address: String) -> Option<mpsc::Receiver<TuEvent>> {
        let (mut request, way) = self.path.request(Method::Refer, &self.wire).await?;
        for (name, value) in [
            (HeaderName::Contact, self.contact.clone()),
            (HeaderName::ReferTo, address),
            (HeaderName::ReferredBy, self.contact.clone()),
            (HeaderName::Allow, ALLOW.to_owned()),
            (HeaderName::Supported, SUPPORTED.to_owned()),
        ] {
            add(&mut request.headers, name, value);
        }
        Some(self.wire.request(request, way).await)
    }

    /// The answer to a REFER, or its absence.
    pub(super) fn refer_answered(&mut self, event: Option<TuEvent>) -> Step {
        let is_taken = match event {
            Some(TuEvent::Response(it)) if it.status.is_provisional() => return Step::Stay,
            Some(TuEvent::Response(it)) => (200..300).contains(&it.status.code()),
            _ => false,
        };
        let until = Instant::now() + self.wire.timers.t1 * PATIENCE;
        match &mut self.referred {
            Some(referred) if is_taken => {
                referred.stage = Stage::Taken;
                referred.until = referred.until.max(until);
            }
            _ => self.sent_on(false),
        }
        Step::Stay
    }

    /// How far the other side is with a REFER of ours (RFC 3515 §2.4.5). The answer to it may come
    /// later than that.
    pub(super) async fn notified(&mut self, notify: Arrival) {
        let request = &notify.request;
        let event = request.headers.value(&HeaderName::Event);
        let is_ours = event.is_some_and(|it| is_refer(&it)) && self.referred.is_some();
        let code = if is_ours { 200 } else { 481 };
        self.respond(&notify, reply(request, code, "")).await;
        let until = Instant::now() + self.wire.timers.t1 * AT_IT;
        match outcome(request.body()) {
            Some(..=199) if is_ours => {
                self.referred.iter_mut().for_each(|it| it.until = it.until.max(until));
            }
            Some(200..=299) if is_ours => self.sent_on(true),
            Some(300..) if is_ours => self.sent_on(false),
            _ => {}
        }
    }

    pub(super) fn on_refer_time(&mut self) -> Step {
        tracing::info!("no outcome of a transfer was told in time; the caller is still here");
        self.sent_on(false);
        Step::Stay
    }

    fn sent_on(&mut self, is_there: bool) {
        if let Some(referred) = self.referred.take() {
            let _ = referred.done.send(is_there);
        }
    }
}

/// A number is one of the phone system that the call came from.
fn address(to: &str, of: &Uri) -> String {
    let host = of.host().map(ToString::to_string).unwrap_or_default();
    let port = of.port().map(|it| format!(":{it}")).unwrap_or_default();
    at(to, &format!("sip:{host}{port}"))
}

/// `refer`, perhaps with an id.
fn is_refer(event: &[u8]) -> bool {
    let name = event.split(|it| *it == b';').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"refer")
}

/// The status in a fragment of a SIP message (RFC 3420).
fn outcome(fragment: &[u8]) -> Option<u16> {
    let line = fragment.split(|it| *it == b'\r' || *it == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let code = line.strip_prefix("SIP/2.0 ")?.split(' ').next()?;
    code.parse().ok().filter(|it| (100..700).contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_phone_system_and_addresses_are_their_own() {
        let peer = Uri::parse("sip:1001@192.0.2.7:5070;transport=tcp".into()).unwrap();
        assert_eq!(address("0", &peer), "sip:0@192.0.2.7:5070");
        assert_eq!(address("sip:desk@office.example", &peer), "sip:desk@office.example");
        let peer = Uri::parse("sip:1001@[2001:db8::7]".into()).unwrap();
        assert_eq!(address("0", &peer), "sip:0@[2001:db8::7]");
    }

    #[test]
    fn only_whole_status_lines_tell_an_outcome() {
        for (fragment, told) in [
            (&b"SIP/2.0 200 OK\r\n"[..], Some(200)),
            (b"SIP/2.0 603 Declined", Some(603)),
            (b"SIP/2.0 100", Some(100)),
            (b"SIP/2.0 99 Odd", None),
            (b"SIP/2.0 two hundred", None),
            (b"HTTP/1.1 200 OK", None),
            (b"", None),
            (b"\xff\xfe", None),
        ] {
            assert_eq!(outcome(fragment), told);
        }
    }

    #[test]
    fn an_event_of_another_package_is_not_about_a_refer() {
        assert!(is_refer(b"refer") && is_refer(b" Refer ;id=2"));
        assert!(!is_refer(b"message-summary") && !is_refer(b"referral"));
    }
}
