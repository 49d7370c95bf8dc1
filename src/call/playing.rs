//! Calls that are only played something: hold music, and announcements.

use std::error::Error;
use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::{Desk, RETRY_AFTER, Stopping, count_answered, stream};
use crate::audio::{Clip, bed::Segment};
use crate::hold::{Bed, Feed, HoldError, Listening};
use crate::rtp::{Heard, Leg};
use crate::sip::{Called, Dialog, Invitation, Media, Refusal, Signal};
use crate::store::tenants::Tenant;

/// What a call asks to be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// Hold music: of a class, of a queue or for a mailbox; else the usual.
    Music(Option<String>),
    /// An announcement, and how often (`None` without end), with how much silence between.
    Announcement { name: String, times: Option<u32>, delay: Duration },
    /// An announcement in words that are none of ours.
    Nothing,
}

/// Longest silence between two times.
const LONGEST_DELAY: Duration = Duration::from_secs(3_600);
/// Most times that something is said when a number is named.
const MOST_TIMES: u32 = 1_000;

impl Wish {
    /// What an address asks for: `moh`, `moh-CLASS`, `announce-NAME`, or `annc` with `play=NAME`
    /// (RFC 4240 §3). `None` if it is none of these.
    pub(super) fn read(called: &Called) -> Option<Self> {
        let user = called.user.to_ascii_lowercase();
        if let Some(rest) = user.strip_prefix("moh") {
            let class = called.wish("class").map(str::to_ascii_lowercase);
            return match rest.strip_prefix('-') {
                Some(name) if !name.is_empty() => Some(Self::Music(Some(name.to_owned()))),
                _ if rest.is_empty() => Some(Self::Music(class.filter(|it| !it.is_empty()))),
                _ => None,
            };
        }
        let name = match user.strip_prefix("announce-") {
            Some(name) => name.to_owned(),
            None if user == "annc" => called.wish("play").unwrap_or_default().to_ascii_lowercase(),
            None => return None,
        };
        Some(Self::announcement(name, called).unwrap_or(Self::Nothing))
    }

    fn announcement(name: String, called: &Called) -> Option<Self> {
        let times = match called.wish("repeat") {
            None => Some(1),
            Some("forever") => None,
            Some(number) => Some(number.parse().ok().filter(|it| (1..=MOST_TIMES).contains(it))?),
        };
        let delay = called.wish("delay").map_or(Some(0), |it| it.parse().ok())?;
        let delay = Duration::from_millis(delay);
        let fits = !name.is_empty() && delay <= LONGEST_DELAY;
        fits.then_some(Self::Announcement { name, times, delay })
    }
}

/// A call that is answered, or heard already, and what it is played. `feed` is to be kept going meanwhile.
pub(super) struct Begun {
    pub(super) dialog: Dialog,
    leg: Leg,
    peer: IpAddr,
    sound: Sound,
    feed: Option<Box<Feed>>,
}

/// Finds what is asked for, and answers the call; `None` if it was refused, or its caller is gone.
pub(super) async fn begin(desk: Desk, invitation: Invitation, wish: Wish) -> Option<Begun> {
    let refusal = match sound(&desk, &invitation, wish).await {
        Ok((sound, feed)) => {
            let (dialog, leg, peer) = answer(&desk, invitation).await?;
            return Some(Begun { dialog, leg, peer, sound, feed });
        }
        Err(refusal) => refusal,
    };
    invitation.reject(refusal).await;
    None
}

async fn sound(
    desk: &Desk,
    invitation: &Invitation,
    wish: Wish,
) -> Result<(Sound, Option<Box<Feed>>), Refusal> {
    let tenant = match desk.beds.tenant(&invitation.called.host).await {
        Ok(Some(tenant)) => tenant,
        Ok(None) => return Err(Refusal::NotFound),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "cannot look up a tenant");
            return Err(Refusal::Unavailable { retry_after: RETRY_AFTER });
        }
    };
    match wish {
        Wish::Music(name) => music(desk, &tenant, name.as_deref()).await,
        Wish::Announcement { name, times, delay } => {
            let clip = announcement(desk, &tenant, &name).await?;
            Ok((Sound::Announcement { clip, left: times, delay }, None))
        }
        Wish::Nothing => {
            tracing::info!("an announcement is asked for in words that are none of ours");
            Err(Refusal::NotFound)
        }
    }
}

async fn music(
    desk: &Desk,
    tenant: &Tenant,
    name: Option<&str>,
) -> Result<(Sound, Option<Box<Feed>>), Refusal> {
    let listening = async {
        let class = desk.beds.meant(tenant, name).await?;
        desk.beds.listen(&tenant.id, class).await
    };
    match listening.await {
        Ok(Listening { intro, bed, feed }) => {
            // A bed of one's own begins at the beginning, however long the greeting before it is.
            let first = feed.as_ref().map(|_| bed.place().0);
            Ok((Sound::Music { intro, bed, first }, feed))
        }
        Err(error @ HoldError::Off(_)) => {
            tracing::info!("{error}");
            Err(Refusal::TemporarilyUnavailable)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "a caller on hold hears nothing");
            Err(Refusal::Unavailable { retry_after: RETRY_AFTER })
        }
    }
}

async fn announcement(desk: &Desk, tenant: &Tenant, name: &str) -> Result<Arc<Clip>, Refusal> {
    match desk.beds.announcement(&tenant.id, name).await {
        Ok(Some(clip)) => Ok(clip),
        Ok(None) => {
            tracing::info!(name, "there is no announcement of that name");
            Err(Refusal::NotFound)
        }
        Err(error) => {
            tracing::error!(name, "an announcement cannot be played: {error:#}");
            Err(Refusal::Unavailable { retry_after: RETRY_AFTER })
        }
    }
}

/// What a call is played, and how far it is.
enum Sound {
    Music {
        intro: Option<Arc<Clip>>,
        bed: Arc<Bed>,
        /// Where the bed is entered, if not where it is then.
        first: Option<Arc<Segment>>,
    },
    Announcement {
        clip: Arc<Clip>,
        /// How often it is still to be said; `None` for ever.
        left: Option<u32>,
        delay: Duration,
    },
}

/// What follows something that was played to its end.
enum Next {
    Music,
    Pause(Duration),
    Over,
}

/// What is played before the music, or as an announcement, has this mark.
const MARK: u64 = 1;

/// Plays it to the end of the call.
pub(super) async fn run(begun: Begun, mut stopping: watch::Receiver<Stopping>) {
    let Begun { mut dialog, mut leg, peer, mut sound, feed } = begun;
    let mut feeding = pin!(async move {
        match feed {
            Some(feed) => feed.run().await,
            None => pending().await,
        }
    });
    let mut pause = None;
    let mut is_sent = dialog.media.send;
    connect(&leg, &dialog.media, peer);
    sound.begin(&leg, is_sent);
    loop {
        tokio::select! {
            signal = dialog.next() => match signal {
                Signal::Media(media) => {
                    connect(&leg, &media, peer);
                    let was_sent = std::mem::replace(&mut is_sent, media.send);
                    sound.go_on(&leg, was_sent, is_sent);
                }
                Signal::Digit(_) => {}
                Signal::Bye(farewell) => {
                    farewell.answer().await;
                    break;
                }
                Signal::Over => break,
            },
            heard = leg.next() => match heard {
                Heard::Played(MARK) => match sound.played(&leg) {
                    Next::Music => {}
                    Next::Pause(time) => pause = Some(Box::pin(sleep(time))),
                    Next::Over => dialog.bye().await,
                },
                Heard::Stopped => dialog.bye().await,
                // Whoever is on hold says nothing. Signalling finds out when they are gone.
                _ => {}
            },
            () = over(&mut pause) => {
                pause = None;
                sound.begin(&leg, is_sent);
            }
            () = &mut feeding => {}
            () = ended(&mut stopping) => {
                dialog.bye().await;
                break;
            }
        }
    }
}

async fn answer(desk: &Desk, invitation: Invitation) -> Option<(Dialog, Leg, IpAddr)> {
    let leg = match desk.plane.open_deaf(invitation.own) {
        Ok(leg) => leg,
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "no way for the sound");
            invitation.reject(Refusal::Unavailable { retry_after: RETRY_AFTER }).await;
            return None;
        }
    };
    let peer = invitation.source.ip();
    let early = invitation.called.wish("early-media").is_some_and(|it| it != "no");
    let media = SocketAddr::new(invitation.local.ip(), leg.local().port());
    match invitation.play(media, early).await {
        Ok(dialog) => {
            count_answered();
            Some((dialog, leg, peer))
        }
        Err(gone) => {
            tracing::info!("call not answered: {gone}");
            None
        }
    }
}

fn connect(leg: &Leg, media: &Media, peer: IpAddr) {
    if let Err(error) = leg.connect(stream(media, peer)) {
        tracing::warn!(error = &error as &dyn Error, "the caller's sound cannot be reached");
    }
}

/// Waits until running calls are to end.
async fn ended(stopping: &mut watch::Receiver<Stopping>) {
    stopping.wait_for(|it| *it == Stopping::Ending).await.ok();
}

/// Waits for the end of a pause, if there is one.
async fn over(pause: &mut Option<Pin<Box<Sleep>>>) {
    match pause {
        Some(pause) => pause.await,
        None => pending().await,
    }
}

impl Sound {
    /// What has an end waits at the leg until it may be sent; music begins then.
    fn begin(&mut self, leg: &Leg, is_sent: bool) {
        match self {
            Self::Music { intro: Some(intro), .. } => leg.play(vec![intro.clone()], MARK),
            Self::Music { .. } if is_sent => self.enter(leg),
            Self::Music { .. } => {}
            Self::Announcement { clip, .. } => leg.play(vec![clip.clone()], MARK),
        }
    }

    /// Who does not listen keeps nothing of the music, and hears it again where it then is. Whatever
    /// else changed, the address or the codec, those who listen hear on without a gap.
    fn go_on(&mut self, leg: &Leg, was_sent: bool, is_sent: bool) {
        match self {
            Self::Music { intro: None, .. } if is_sent && !was_sent => self.enter(leg),
            Self::Music { intro: None, .. } if was_sent && !is_sent => leg.hush(),
            _ => {}
        }
    }

    fn played(&mut self, leg: &Leg) -> Next {
        match self {
            Self::Music { intro, .. } => {
                *intro = None;
                self.enter(leg);
                Next::Music
            }
            Self::Announcement { left: Some(..2), .. } => Next::Over,
            Self::Announcement { left, delay, .. } => {
                left.iter_mut().for_each(|it| *it -= 1);
                Next::Pause(*delay)
            }
        }
    }

    fn enter(&mut self, leg: &Leg) {
        if let Self::Music { bed, first, .. } = self {
            let (segment, from) = match first.take() {
                Some(first) => (first.clone(), first.from()),
                None => bed.place(),
            };
            leg.follow(segment, from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user: &str, wishes: &[(&'static str, &str)]) -> Option<Wish> {
        let wishes = wishes.iter().map(|it| (it.0, it.1.to_owned())).collect();
        Wish::read(&Called { user: user.into(), wishes, ..Called::default() })
    }

    fn music(name: &str) -> Option<Wish> {
        Some(Wish::Music(Some(name.to_owned())))
    }

    fn said(name: &str, times: Option<u32>, delay: u64) -> Option<Wish> {
        let delay = Duration::from_millis(delay);
        Some(Wish::Announcement { name: name.into(), times, delay })
    }

    #[test]
    fn hold_music_is_asked_for_in_the_address() {
        assert_eq!(read("moh", &[]), Some(Wish::Music(None)));
        assert_eq!(read("MOH-Jazz", &[]), music("jazz"));
        assert_eq!(read("moh", &[("class", "Jazz")]), music("jazz"));
        assert_eq!(read("moh-1001", &[("class", "jazz")]), music("1001"));
        for other in ["mohammed", "moh-", "1000", "", "announcement"] {
            assert_eq!(read(other, &[]), None, "{other}");
        }
    }

    #[test]
    fn announcements_are_asked_for_in_the_address_or_as_rfc_4240_says() {
        assert_eq!(read("announce-closed", &[]), said("closed", Some(1), 0));
        let wishes = [("repeat", "3"), ("delay", "500")];
        assert_eq!(read("announce-closed", &wishes), said("closed", Some(3), 500));
        let forever = [("play", "closed"), ("repeat", "forever")];
        assert_eq!(read("annc", &forever), said("closed", None, 0));
        for wrong in [
            &[][..],
            &[("play", "closed"), ("repeat", "0")],
            &[("play", "closed"), ("repeat", "many")],
            &[("play", "closed"), ("delay", "99999999")],
        ] {
            assert_eq!(read("annc", wrong), Some(Wish::Nothing), "{wrong:?}");
        }
    }
}
