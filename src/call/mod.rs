//! Calls: find the mailbox, answer, run a flow over the media, keep what was said.

mod clips;
mod errand;
mod file;
mod keypad;
mod listening;
mod opening;
mod playing;
mod session;
pub mod spool;
mod stage;
mod visit;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

pub use clips::Clips;
pub use file::{FileError, Filer};
pub use session::Stopping;

use crate::admin;
use crate::app::App;
use crate::audio::{Clip, listener::Rules};
use crate::flow::{Deposit, Flow, Offers, Policy, Retrieval};
use crate::hold::Beds;
use crate::mailbox::{
    Mailbox, Preferences, Reason, Settings, Take,
    room::Door,
    settings::{LogIn, WhenOff},
};
use crate::music::RECORDED_AT;
use crate::rtp::{Leg, Plane, Stream};
use crate::sip::{Called, Dialog, Endpoint, Invitation, Media, Refusal};
use crate::store::{self, StoreError, dial_in, mailboxes, messages, tenants, tenants::Tenant};
use playing::Wish;
use spool::{Kept, Spool};
use stage::{Reached, Setting, Stage};
use visit::{Visit, Visitor};

/// Everything a call needs. A cheap handle.
#[derive(Clone)]
pub struct Desk {
    /// What every driver can reach.
    pub app: App,
    /// Where the sound goes in and out.
    pub plane: Plane,
    /// Where takes are kept while they are spoken.
    pub spool: Spool,
    /// What makes messages of them.
    pub filer: Filer,
    /// What owners recorded and callers hear just now.
    pub clips: Clips,
    /// What is played to those on hold.
    pub beds: Beds,
    /// Where calls are placed from.
    pub endpoint: Endpoint,
}

/// When a caller for whom there is no room may ask again, in seconds.
const RETRY_AFTER: u32 = 10;
/// How long a caller waits for the database, or for a greeting that is elsewhere.
const PATIENCE: Duration = Duration::from_secs(4);

/// Answers calls until no more can come, then waits for the running ones.
pub async fn run(
    desk: Desk,
    mut invitations: mpsc::Receiver<Invitation>,
    stopping: watch::Receiver<Stopping>,
) {
    let desk = Arc::new(desk);
    let mut calls = JoinSet::new();
    let (mut ended, mut draining) = (stopping.clone(), stopping.clone());
    loop {
        tokio::select! {
            invitation = invitations.recv() => match invitation {
                Some(invitation) => {
                    let span = tracing::info_span!("call", id = %invitation.call_id);
                    let call = take(desk.clone(), Box::new(invitation), stopping.clone());
                    calls.spawn(call.instrument(span));
                }
                None => break,
            },
            Some(ended) = calls.join_next() => if ended.is_err() {
                // What was said is in the spool, and is filed with what nobody is in charge of.
                tracing::error!("a call was dropped by a fault of this program");
            },
            _ = ended.wait_for(|it| *it == Stopping::Ending) => break,
            _ = draining.wait_for(|it| *it != Stopping::No), if calls.is_empty() => break,
        }
        metrics::gauge!("afterbeep_calls").set(calls.len() as f64);
    }
    while calls.join_next().await.is_some() {}
}

/// Sees to the takes an earlier run of the server left in the spool: those that were long enough
/// become messages, the others would not have been kept either.
pub async fn recover(filer: &Filer, spool: &Spool, policy: &Policy, left: Vec<Kept>) {
    for kept in left {
        if file::keep(spool, policy, &kept).await {
            tracing::info!(message = %kept.take.id, "a message from before the restart is filed");
            filer.recover(kept);
        }
    }
}

/// What signalling agreed on, as the media plane takes it.
pub fn stream(media: &Media, peer: IpAddr) -> Stream {
    Stream {
        remote: media.remote,
        remote_rtcp: media.remote_rtcp,
        signalling: peer,
        codec: media.codec,
        payload_type: media.payload_type,
        payload_type_in: media.payload_type_in,
        telephone_event: media.telephone_event,
        telephone_event_in: media.telephone_event_in,
        event_clock: media.event_clock,
        ptime_ms: media.ptime_ms,
        send: media.send,
        receive: media.receive,
        keys: media.keys,
    }
}

/// What a call is for.
enum Purpose {
    Deposit(Box<Entrance>),
    /// An owner, perhaps, at this tenant's number for them.
    Retrieval(Box<Visitor>),
    /// Nothing: the mailbox takes no calls for now.
    Refused,
}

/// A mailbox as its caller finds it.
struct Entrance {
    mailbox: Mailbox,
    door: Door,
    /// Who this is if `*` is pressed, where that may be.
    visitor: Option<Visitor>,
}

/// A call that was answered, or is heard already.
struct Begun {
    flow: Flow,
    stage: Box<Stage>,
    dialog: Dialog,
}

/// One call from INVITE to its end. What only its beginning needs room for is given back then.
async fn take(desk: Arc<Desk>, invitation: Box<Invitation>, stopping: watch::Receiver<Stopping>) {
    let desk = Desk::clone(&desk);
    // Whatever a phone system tells of the call that it puts on hold, it is not for a mailbox.
    if let Some(wish) = Wish::read(&invitation.called) {
        let begun = Box::pin(playing::begin(desk, invitation.attended(), wish)).await;
        let Some(mut begun) = begun else { return };
        let running = begun.dialog.attend();
        session::attend(running, Box::pin(playing::run(begun, stopping))).await;
    } else {
        let begun = Box::pin(begin(desk, invitation.attended())).await;
        let Some(Begun { flow, stage, mut dialog }) = begun else { return };
        let running = dialog.attend();
        let session = Box::pin(session::run(flow, stage, dialog, stopping));
        session::attend(running, session).await;
    }
    tracing::info!("call over");
}

/// Finds out what a call is for, and answers it; `None` if it was refused, or its caller is gone.
async fn begin(desk: Desk, invitation: Invitation) -> Option<Begun> {
    let purpose = match purpose(&desk.app, &invitation).await {
        Ok(Some(purpose)) => purpose,
        Ok(None) => {
            tracing::info!("no mailbox has the number called");
            invitation.reject(Refusal::NotFound).await;
            return None;
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot look up a mailbox");
            invitation.reject(Refusal::Unavailable { retry_after: RETRY_AFTER }).await;
            return None;
        }
    };
    let leg = match desk.plane.open(invitation.own) {
        Ok(leg) => leg,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no way for the sound");
            invitation.reject(Refusal::Unavailable { retry_after: RETRY_AFTER }).await;
            return None;
        }
    };
    match purpose {
        Purpose::Deposit(entrance) => deposit(desk, invitation, *entrance, leg).await,
        Purpose::Retrieval(visitor) => retrieve(desk, invitation, *visitor, leg).await,
        Purpose::Refused => {
            invitation.reject(Refusal::TemporarilyUnavailable).await;
            None
        }
    }
}

async fn purpose(app: &App, invitation: &Invitation) -> Result<Option<Purpose>, StoreError> {
    if let Some(name) = spoken_at(&invitation.called) {
        let reaching = tenants::reached(&app.db, &invitation.called.host);
        let tenant = store::within(PATIENCE, reaching).await?;
        let Some(tenant) = tenant else { return Ok(None) };
        // Whose phone it is says nothing of who speaks: what all callers hear takes a PIN.
        let visitor = Visitor { owner: None, ..visitor(app, invitation, tenant).await? };
        let visitor = Visitor { announcement: Some(name), ..visitor };
        return Ok(Some(Purpose::Retrieval(Box::new(visitor))));
    }
    if let Some(mailbox) = reached(app, invitation).await? {
        return Ok(Some(entrance(app, invitation, mailbox).await?));
    }
    let called = &invitation.called;
    let dialling = dial_in::reached(&app.db, &called.host, &called.user);
    let Some(id) = store::within(PATIENCE, dialling).await? else { return Ok(None) };
    let tenant = store::within(PATIENCE, tenants::get(&app.db, &id)).await?;
    let Some(tenant) = tenant else { return Ok(None) };
    Ok(Some(Purpose::Retrieval(Box::new(visitor(app, invitation, tenant).await?))))
}

/// The announcement that is spoken at a number.
fn spoken_at(called: &Called) -> Option<String> {
    let user = called.user.to_ascii_lowercase();
    let name = user.strip_prefix(RECORDED_AT)?;
    admin::music::name("announcement", name).ok().map(|()| name.to_owned())
}

async fn entrance(
    app: &App,
    invitation: &Invitation,
    mailbox: Mailbox,
) -> Result<Purpose, StoreError> {
    let door = match (mailbox.settings.takes_messages, mailbox.settings.when_off) {
        (false, WhenOff::Refuse) => return Ok(Purpose::Refused),
        (false, WhenOff::Announcement) => Door::Off,
        (true, _) => store::within(PATIENCE, messages::door(&app.db, &mailbox)).await?,
    };
    let visitor = by_star(app, invitation, &mailbox).await?;
    Ok(Purpose::Deposit(Box::new(Entrance { mailbox, door, visitor })))
}

/// Who may log in at the mailbox's own number, if this caller may. Their phone only lets them ask: the
/// PIN has to be right all the same.
async fn by_star(
    app: &App,
    invitation: &Invitation,
    mailbox: &Mailbox,
) -> Result<Option<Visitor>, StoreError> {
    let claims = invitation.account.is_some() || invitation.asserted.is_some();
    let asks = match mailbox.settings.log_in_by_star {
        LogIn::Never => false,
        LogIn::Inside => claims,
        LogIn::Anywhere => true,
    };
    if !asks {
        return Ok(None);
    }
    let tenant = store::within(PATIENCE, tenants::get(&app.db, &mailbox.tenant)).await?;
    let Some(tenant) = tenant else { return Ok(None) };
    let visitor = visitor(app, invitation, tenant).await?;
    let is_inside = visitor.owner.is_some();
    let may = is_inside || mailbox.settings.log_in_by_star == LogIn::Anywhere;
    let language = mailbox.settings.prompts.clone();
    Ok(may.then_some(Visitor { owner: None, language, ..visitor }))
}

/// Who calls an owners' number. Only a password, or a peer that is believed, proves whose phone it
/// is: what a caller claims does not.
async fn visitor(
    app: &App,
    invitation: &Invitation,
    tenant: Tenant,
) -> Result<Visitor, StoreError> {
    let Invitation { account, asserted, caller, .. } = invitation;
    let of_tenant = |user: &&String| {
        let accounts = &app.config.sip.accounts;
        accounts.iter().any(|it| it.user == **user && it.tenant == tenant.name)
    };
    let proven = match account {
        Some(_) => account.as_ref().filter(of_tenant),
        None => asserted.as_ref(),
    };
    let owner = match proven {
        Some(number) => store::within(PATIENCE, mailboxes::at(&app.db, &tenant.id, number)).await?,
        None => None,
    };
    let caller = account.as_ref().or(asserted.as_ref()).or(caller.number.as_ref()).cloned();
    let language = Preferences::of(Settings::default(), tenant.settings).prompts;
    Ok(Visitor { tenant: tenant.id, language, caller, owner, announcement: None })
}

/// The mailbox the call is for, by the first number that has one.
async fn reached(app: &App, invitation: &Invitation) -> Result<Option<Mailbox>, StoreError> {
    let called = &invitation.called;
    let access = &app.config.sip.access_numbers;
    for number in invitation.redirected.numbers(&called.user, access) {
        let looking = mailboxes::reached(&app.db, &called.host, &number);
        if let Some(mailbox) = store::within(PATIENCE, looking).await? {
            return Ok(Some(mailbox));
        }
    }
    Ok(None)
}

async fn deposit(
    desk: Desk,
    invitation: Invitation,
    Entrance { mailbox, door, visitor }: Entrance,
    leg: Leg,
) -> Option<Begun> {
    let policy = desk.app.config.deposit.clone();
    let reason = invitation.redirected.reason(&mailbox.number);
    let setting = Setting {
        reason,
        caller: invitation.caller.clone(),
        call_id: invitation.call_id.clone(),
        home: invitation.home.clone(),
        policy: policy.clone(),
        peer: invitation.source.ip(),
        greeting: Some(opening::begin(desk.clone(), mailbox.clone(), reason)),
        language: mailbox.settings.prompts.clone(),
        reached: Some(Reached::new(&mailbox, reason, desk.app.clock.now())),
        visit: None,
        visitor,
        sending_on: None,
    };
    let offers = Offers {
        operator: mailbox.settings.operator.address().is_some(),
        log_in: setting.visitor.is_some(),
    };
    // What is told is the address the peer reaches, which behind NAT is not the socket's.
    let media = SocketAddr::new(invitation.local.ip(), leg.local().port());
    let dialog = match desk.app.config.sip.early_media {
        true => invitation.progress(media).await,
        false => invitation.accept(media).await,
    };
    let dialog = match dialog {
        Ok(dialog) => dialog,
        Err(gone) => {
            tracing::info!("call not answered: {gone}");
            return None;
        }
    };
    let answering = dialog.answering();
    match answering {
        Some(_) => tracing::info!(mailbox = %mailbox.id, %reason,
            "call taken, to be answered later"),
        None => {
            tracing::info!(mailbox = %mailbox.id, %reason, "call answered");
            count_answered();
        }
    }
    if door == Door::Full {
        tracing::info!(mailbox = %mailbox.id, "the mailbox is full, its caller is told so");
        metrics::counter!("afterbeep_calls_full_total").increment(1);
    }

    let setting = Setting { sending_on: Some(dialog.sending_on()), ..setting };
    let stage = Box::new(Stage::new(desk, leg, &dialog.media, setting, answering));
    let flow = Flow::Deposit(Deposit::at(door, policy).offering(offers));
    Some(Begun { flow, stage, dialog })
}

async fn retrieve(desk: Desk, invitation: Invitation, visitor: Visitor, leg: Leg) -> Option<Begun> {
    let settings = desk.app.config.retrieval.clone();
    let policy = desk.app.config.deposit.clone();
    let flow = match visitor.owner {
        Some(_) => Retrieval::owner(settings, policy),
        None => Retrieval::stranger(settings, policy),
    };
    let flow = if visitor.announcement.is_some() { flow.announcing() } else { flow };
    let setting = Setting {
        reached: None,
        language: visitor.language.clone(),
        visit: Some(Visit::begin(desk.clone(), visitor)),
        visitor: None,
        sending_on: None,
        reason: Reason::Unknown,
        caller: invitation.caller.clone(),
        call_id: invitation.call_id.clone(),
        home: invitation.home.clone(),
        policy: desk.app.config.deposit.clone(),
        peer: invitation.source.ip(),
        greeting: None,
    };
    let media = SocketAddr::new(invitation.local.ip(), leg.local().port());
    let dialog = match invitation.accept(media).await {
        Ok(dialog) => dialog,
        Err(gone) => {
            tracing::info!("call not answered: {gone}");
            return None;
        }
    };
    let setting = Setting { sending_on: Some(dialog.sending_on()), ..setting };
    tracing::info!("call answered, for an owner");
    count_answered();
    let stage = Box::new(Stage::new(desk, leg, &dialog.media, setting, None));
    Some(Begun { flow: Flow::Retrieval(Box::new(flow)), stage, dialog })
}

fn count_answered() {
    metrics::counter!("afterbeep_calls_total").increment(1);
}

impl Desk {
    /// When a recording is over without anybody saying so.
    fn rules(policy: &Policy, media: &Media) -> Rules {
        Rules {
            end_of_message_silence: Some(policy.silence).filter(|it| !it.is_zero()),
            longest: policy.longest,
            tones: true,
            keys: media.telephone_event_in.is_none(),
        }
    }

    /// What the caller has just recorded, to be heard again.
    async fn playback(&self, take: Take) -> Option<Arc<Clip>> {
        let spool = self.spool.clone();
        let read = tokio::task::spawn_blocking(move || {
            spool.read(take.id).map(|sound| Clip::at("take", sound.samples, sound.rate))
        });
        match read.await.ok()? {
            Ok(clip) => Some(Arc::new(clip)),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot play a take");
                None
            }
        }
    }
}
