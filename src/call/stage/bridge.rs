//! Two calls joined: the caller's, and one of ours to somebody they want to speak to.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Stage;
use super::sounding::Sounding;
use crate::audio::Codec;
use crate::call::{Desk, stream};
use crate::flow::Event;
use crate::mailbox::Caller;
use crate::rtp::{Heard, Leg};
use crate::sip::{Dialog, Media, Outgoing, Signal};

/// The other one's call. Dropping it hangs up.
pub(super) struct Bridge {
    dialog: Dialog,
    leg: Leg,
    /// Where their signalling comes from.
    peer: IpAddr,
}

/// A call on its way to somebody; dropping it takes it back.
pub(super) type Connecting = Pin<Box<dyn Future<Output = Option<Box<Bridge>>> + Send>>;

/// What happens at the other end.
pub(super) enum Far {
    /// Their sound moved, or was put on hold.
    Media(Media),
    /// A key, sent as SIP INFO.
    Key(char),
    Parted,
}

/// A ring and the pause behind it.
const RING: Duration = Duration::from_secs(6);
/// A key that came by SIP INFO is pressed for so long, in milliseconds.
const PRESS_MS: u32 = 160;

/// Whom to call, and for whom.
struct Wanted {
    to: String,
    /// The phone system that numbers are of.
    home: String,
    from: Caller,
    codec: Codec,
    thread: usize,
    within: Duration,
}

/// What happens next at the other end, if there is one. Safe to cancel.
pub(super) async fn far(bridge: &mut Option<Box<Bridge>>) -> Far {
    let Some(bridge) = bridge else { return pending().await };
    loop {
        tokio::select! {
            signal = bridge.dialog.next() => return match signal {
                Signal::Media(media) => Far::Media(media),
                Signal::Digit(key) => Far::Key(key),
                Signal::Bye(_) | Signal::Over => Far::Parted,
            },
            heard = bridge.leg.next() => if matches!(heard, Heard::TimedOut | Heard::Stopped) {
                return Far::Parted;
            },
        }
    }
}

impl Stage {
    /// Calls somebody; the caller hears that it rings there.
    pub(super) fn connect_with(&mut self, to: String, metric: &'static str) -> Sounding {
        let within = self.setting.policy.operator_within;
        let ring = self.desk.app.prompts.ringing();
        let rings = within.as_secs() / RING.as_secs() + 1;
        self.marks += 1;
        self.played = (0..rings).map(|_| Arc::clone(&ring)).collect();
        self.prepare();
        self.leg.play(self.played.clone(), self.marks);
        let wanted = Wanted {
            to,
            home: self.setting.home.clone(),
            from: self.setting.caller.clone(),
            codec: self.codec,
            thread: self.leg.thread(),
            within,
        };
        let desk = self.desk.clone();
        Sounding::Connecting(Box::pin(async move {
            let connected = connect(desk, wanted).await;
            let outcome = if connected.is_ok() { "sent" } else { "refused" };
            metrics::counter!(metric, "outcome" => outcome).increment(1);
            match connected {
                Ok(bridge) => Some(Box::new(bridge)),
                Err(error) => {
                    tracing::info!("who was wanted does not answer: {error:#}");
                    None
                }
            }
        }))
    }

    /// What was waited for: the two hear each other from now on.
    pub(super) fn connected(&mut self, bridge: Option<Box<Bridge>>) -> Event {
        self.leg.hush();
        self.played.clear();
        self.sounding = Sounding::Nothing;
        // A caller may have gone over to another codec meanwhile, which nobody translates.
        let Some(bridge) = bridge.filter(|it| it.dialog.media.codec == self.codec) else {
            return Event::Connected(false);
        };
        let agreed = stream(&bridge.dialog.media, bridge.peer);
        if let Err(error) = bridge.leg.connect(agreed) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "who was wanted cannot be heard");
            return Event::Connected(false);
        }
        bridge.leg.bridge(&self.leg);
        if let Some(caller) = self.setting.sending_on.clone() {
            tokio::spawn(async move { caller.keep_codec().await });
        }
        tracing::info!("the caller is connected with who was wanted");
        self.bridge = Some(bridge);
        Event::Connected(true)
    }

    /// What the flow should know of what happened at the other end.
    pub(super) fn at_far_end(&mut self, far: Far) -> Option<Event> {
        let bridge = self.bridge.as_ref()?;
        match far {
            Far::Media(media) => {
                if let Err(error) = bridge.leg.connect(stream(&media, bridge.peer)) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the sound of who was wanted cannot be reached");
                }
                None
            }
            Far::Key(key) => {
                self.leg.send_digit(key, PRESS_MS);
                None
            }
            Far::Parted => {
                tracing::info!("who was wanted has hung up");
                self.bridge = None;
                Some(Event::Parted)
            }
        }
    }

    /// A key that the caller sent by SIP INFO is for the other one, if there is one.
    pub(super) fn is_passed_on(&self, key: char) -> bool {
        self.bridge.iter().for_each(|it| it.leg.send_digit(key, PRESS_MS));
        self.bridge.is_some()
    }
}

async fn connect(desk: Desk, wanted: Wanted) -> anyhow::Result<Bridge> {
    let Wanted { to, home, from, codec, thread, within } = wanted;
    let destination = desk.endpoint.destination(&to, &home).await?;
    let peer = destination.peer();
    let leg = desk.plane.open_on(thread, destination.own())?;
    // What is told is the address the peer reaches, which behind NAT is not the socket's.
    let media = SocketAddr::new(destination.local(), leg.local().port());
    let how = Outgoing { from: &from, media, codecs: &[codec], within };
    let dialog = desk.endpoint.ring(destination, how).answered().await?;
    dialog.keep_codec().await;
    Ok(Bridge { dialog, leg, peer })
}
