//! NOTIFY: telling somebody, within their subscription or because an operator named them.

use bytes::Bytes;
use sipx_sip::{HeaderName, Method, Request, RequestBuilder, Response, Uri, headers::Address};
use sipx_transport::{TransportKind, target::Target};

use super::{
    Subscription,
    body::{EVENT, SUMMARY, body},
};
use crate::{
    mailbox::lamp::{Answer, Counts, Ending, Standing},
    sip::{
        Endpoint,
        path::{Path, contact, via, way_to},
        register::{answer, seconds},
        reply::{add, label, new_tag},
        wire::{Way, Wire},
    },
};

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Somebody who subscribed.
    Subscription(Box<Subscription>),
    /// Somebody at this address, such as `sip:1000@192.0.2.20`, outside any dialog.
    Target(String),
}

/// What they are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How many messages lie in the mailbox.
    pub counts: Counts,
    /// For how long they are told.
    pub standing: Standing,
    /// The number of this NOTIFY within its dialog; each has to be higher than the one before.
    pub sequence: u32,
    /// The mailbox's number, for those who did not name it themselves.
    pub number: String,
    /// Its tenant's domain, if that has one.
    pub domain: Option<String>,
}

/// Whether somebody can be told at this address: `sip:` with a host.
pub fn is_target(text: &str) -> bool {
    let uri = Uri::parse(Bytes::from(text.to_owned()));
    let plain = |it: &u8| it.is_ascii_graphic() && !b"<>\"".contains(it);
    uri.is_ok_and(|it| it.scheme().is_sip() && it.host().is_some() && !it.has_headers())
        && text.bytes().all(|it| plain(&it))
}

impl Endpoint {
    /// Tells somebody, and waits for the answer: up to 32 s at the usual T1.
    pub async fn notify(&self, whom: &Whom, notice: &Notice) -> Answer {
        let made = match whom {
            Whom::Subscription(to) => self.within(to, notice).await,
            Whom::Target(to) => self.outside(to, notice).await,
        };
        let Some((wire, request, way)) = made else { return Answer::NoWay };
        match answer(&wire, request, way).await {
            Some(response) => told(&response),
            None => Answer::None,
        }
    }

    async fn within(&self, to: &Subscription, notice: &Notice) -> Option<(Wire, Request, Way)> {
        let is_safe = transport(&to.transport) == TransportKind::Tls;
        let near =
            |it: &&Wire| it.is_secure() == is_safe && it.bound().is_ipv4() == to.source.is_ipv4();
        let same = |it: &&Wire| it.bound() == to.node;
        let wire = self.wires.iter().find(same).or_else(|| self.wires.iter().find(near))?.clone();
        let routes = to.routes.iter().map(|it| Address::parse(bracketed(it).as_bytes(), "Route"));
        let mut path = Path {
            call: to.call.clone().into(),
            ours: to.ours.clone().into(),
            theirs: to.theirs.clone().into(),
            routes: routes.collect::<Result<_, _>>().ok()?,
            target: Uri::parse(to.target.clone().into()).ok()?,
            sequence: notice.sequence.saturating_sub(1),
            source: to.source,
            transport: transport(&to.transport),
            proven: to.login.is_some(),
        };
        let (request, way) = path.request(Method::Notify, &wire).await?;
        let account = Uri::parse(to.account.clone().into()).ok();
        let user = account.as_ref().and_then(|it| it.user());
        let local = wire.local_for(way.target.addr.ip());
        let contact = contact(user, local, way.target.transport);
        let request = filled(request, &to.event, &to.account, contact, notice);
        Some((wire, request, way))
    }

    async fn outside(&self, to: &str, notice: &Notice) -> Option<(Wire, Request, Way)> {
        let uri = Uri::parse(Bytes::from(to.to_owned())).ok()?;
        let (wire, way) = way_to(&self.wires, &uri).await.ok()?;
        let Target { addr: address, transport: kind, .. } = way.target;
        let local = wire.local_for(address.ip());
        let host = notice.domain.clone().unwrap_or_else(|| local.to_string());
        let account = format!("sip:{}@{host}", notice.number);
        let request = RequestBuilder::new(Method::Notify, uri)
            .header(HeaderName::Via, via(&way.target, local))
            .ok()?
            .max_forwards(70)
            .header(HeaderName::From, format!("<{account}>;tag={}", new_tag()))
            .ok()?
            .header(HeaderName::To, bracketed(to))
            .ok()?
            .header(HeaderName::CallId, new_tag())
            .ok()?
            .cseq(notice.sequence, &Method::Notify)
            .ok()?
            .build();
        let contact = contact(Some(notice.number.as_bytes()), local, kind);
        Some((wire, filled(request, EVENT, &account, contact, notice), way))
    }
}

/// Adds what every NOTIFY of ours says.
fn filled(
    mut request: Request,
    event: &str,
    account: &str,
    contact: String,
    notice: &Notice,
) -> Request {
    let body = body(notice.counts, account);
    for (name, value) in [
        (HeaderName::Contact, contact),
        (HeaderName::Event, event.to_owned()),
        (HeaderName::SubscriptionState, state(notice.standing)),
    ] {
        add(&mut request.headers, name, value);
    }
    label(&mut request.headers, SUMMARY, &body);
    request.set_body(body.into());
    request
}

/// `Subscription-State` (RFC 6665 §8.2.3).
fn state(standing: Standing) -> String {
    match standing {
        Standing::Lasting => "active".to_owned(),
        Standing::For(left) => format!("active;expires={}", left.as_secs_f64().ceil()),
        Standing::Over(Ending::Timeout) => "terminated;reason=timeout".to_owned(),
        Standing::Over(Ending::NoResource) => "terminated;reason=noresource".to_owned(),
    }
}

fn told(response: &Response) -> Answer {
    let retry_after = seconds(&response.headers, &HeaderName::RetryAfter);
    Answer::Status { code: response.status.code(), retry_after }
}

fn transport(word: &str) -> TransportKind {
    let all = [TransportKind::Udp, TransportKind::Tcp, TransportKind::Tls];
    all.into_iter().find(|it| it.as_str() == word).unwrap_or(TransportKind::Udp)
}

fn bracketed(uri: &str) -> String {
    format!("<{uri}>")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_state_of_a_subscription_is_told_with_its_time_or_its_reason() {
        for (standing, told) in [
            (Standing::Lasting, "active"),
            (Standing::For(Duration::from_millis(59_001)), "active;expires=60"),
            (Standing::For(Duration::from_secs(3_600)), "active;expires=3600"),
            (Standing::Over(Ending::Timeout), "terminated;reason=timeout"),
            (Standing::Over(Ending::NoResource), "terminated;reason=noresource"),
        ] {
            assert_eq!(state(standing), told);
        }
    }

    #[test]
    fn targets_are_addresses_and_nothing_else() {
        for good in ["sip:1000@192.0.2.20", "sip:pbx.example:5070;transport=tcp", "sip:a@[::1]"] {
            assert!(is_target(good), "{good}");
        }
        for bad in
            ["", "1000", "tel:1000", "sip:", "sip:a@b?Subject=x", "sip:a@b>", "sip:a@b\r\nX: y"]
        {
            assert!(!is_target(bad), "{bad:?}");
        }
    }
}
