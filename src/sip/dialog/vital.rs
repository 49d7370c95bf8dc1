//! Signs of life in a call (RFC 4028): given by us or by them, and the end of a call without.

use std::time::Duration;

use sipx_sip::{HeaderName, Method, Response, TuEvent};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Signal,
    leg::{Leg, Step},
    timer,
};
use crate::sip::{
    path::contact_of,
    reply::{ALLOW, SUPPORTED, add, describe},
    wire::Way,
};

/// When signs of life are due.
#[derive(Debug)]
pub(super) struct Vital {
    terms: timer::Terms,
    /// We give the next one then; `None` if it is theirs to give.
    next: Option<Instant>,
    /// The call is over then.
    end: Instant,
}

/// A request of ours on its way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    way: Way,
    responses: mpsc::Receiver<TuEvent>,
}

/// The next that is heard about a request of ours.
pub(super) async fn heard(asked: &mut Option<Asked>) -> Option<TuEvent> {
    asked.as_mut()?.responses.recv().await
}

impl Vital {
    pub(super) fn due(&self, is_asked: bool) -> Instant {
        self.next.filter(|_| !is_asked).map_or(self.end, |it| it.min(self.end))
    }
}

impl Leg {
    /// A sign of life: the time begins anew.
    pub(super) fn live(&mut self, terms: timer::Terms) {
        let (now, interval) = (Instant::now(), terms.interval);
        // A little early, while whatever is between us still lets the BYE through (RFC 4028 §10).
        let margin = self.wire.timers.timeout().min(interval / 3);
        let next = terms.ours.then(|| now + interval / 2);
        self.vital = Some(Vital { terms, next, end: now + interval - margin });
    }

    pub(super) async fn on_vital_time(&mut self, now: Instant) -> Step {
        let Some(vital) = &self.vital else { return Step::Stay };
        if vital.end <= now {
            return self.gone();
        }
        if self.asked.is_none() && vital.next.is_some_and(|it| it <= now) {
            self.ask(vital.terms).await;
        }
        Step::Stay
    }

    /// The answer to a sign of life of ours, or its absence.
    pub(super) async fn reassured(&mut self, event: Option<TuEvent>) -> Step {
        let response = match event {
            Some(TuEvent::Response(it)) if it.status.is_provisional() => return Step::Stay,
            Some(TuEvent::Response(it)) => it,
            _ => return self.gone(),
        };
        let Some(asked) = self.asked.take() else { return Step::Stay };
        let t1 = self.wire.timers.t1;
        match response.status.code() {
            200..=299 => self.alive(&response, asked).await,
            408 | 481 => return self.gone(),
            405 | 501 if asked.method == Method::Update => {
                self.updates = false;
                self.ask_again(Duration::ZERO);
            }
            422 => {
                let least = timer::least(&response.headers).unwrap_or_default();
                if let Some(vital) = &mut self.vital {
                    vital.terms.interval = vital.terms.interval.max(least);
                }
                self.ask_again(t1);
            }
            // Theirs crossed ours: the one who did not place the call waits less (RFC 3261 §14.1).
            491 => self.ask_again(t1.mul_f64(rand::random_range(0.0..4.0))),
            _ => self.ask_again(retry_after(&response).unwrap_or(t1 * 20)),
        }
        Step::Stay
    }

    /// Gives a sign of life: UPDATE where they take it, since it touches nothing, else a re-INVITE.
    async fn ask(&mut self, terms: timer::Terms) {
        let method = if self.updates { Method::Update } else { Method::Invite };
        let Some((mut request, way)) = self.path.request(method.clone(), &self.wire).await else {
            return self.ask_again(self.wire.timers.t1 * 20);
        };
        let least = self.desk.wish.least.as_secs().to_string();
        for (name, value) in [
            (HeaderName::Contact, self.contact.clone()),
            (HeaderName::Allow, ALLOW.to_owned()),
            (HeaderName::Supported, SUPPORTED.to_owned()),
            (HeaderName::SessionExpires, terms.requested()),
            (HeaderName::MinSe, least),
        ] {
            add(&mut request.headers, name, value);
        }
        if method == Method::Invite {
            let sdp = self.describe_again();
            describe(&mut request.headers, &sdp);
            request.set_body(sdp.into());
        }
        let responses = self.wire.request(request, way.clone()).await;
        self.asked = Some(Asked { method, way, responses });
    }

    fn ask_again(&mut self, after: Duration) {
        if let Some(vital) = &mut self.vital {
            vital.next = Some(Instant::now() + after);
        }
    }

    async fn alive(&mut self, response: &Response, asked: Asked) {
        if let Some(target) = contact_of(&response.headers) {
            self.path.target = target;
        }
        if asked.method == Method::Invite {
            if let Some((ack, way)) = self.path.request(Method::Ack, &self.wire).await {
                self.wire.acknowledge(ack.clone(), way.clone()).await;
                self.placed = Some(Box::new((asked.responses, ack, way)));
            }
            match self.session.agree(response.body(), asked.way.target.addr.ip()) {
                Ok(media) => self.change(media),
                Err(why) => tracing::info!(%why, "an offer of ours was not taken; nothing changes"),
            }
        }
        if let Some(vital) = &self.vital {
            let terms = timer::agreed(&response.headers, vital.terms, self.desk.wish);
            self.live(terms);
        }
    }

    /// Nobody is there any more: what was said is kept, and they are told in case they hear it.
    fn gone(&mut self) -> Step {
        tracing::info!("a call ended because its other side gave no sign of life");
        self.asked = None;
        let _ = self.signals.try_send(Box::new(Signal::Over));
        Step::Leave
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers.value(&HeaderName::RetryAfter)?;
    let text = std::str::from_utf8(&value).ok()?;
    let seconds = text.split([' ', ';', '(']).next()?.parse::<u16>().ok()?;
    Some(Duration::from_secs(seconds.into()))
}
