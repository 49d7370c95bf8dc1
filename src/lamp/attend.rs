//! Who may be told of a mailbox: its own phone, which knows the password of the account of its
//! number, and phone systems that are believed.

use std::time::Duration;

use crate::app::App;
use crate::mailbox::lamp::Grant;
use crate::mailbox::{Mailbox, Timestamp};
use crate::sip::lamp::{Denial, Subscribe, Subscription};
use crate::store::lamps::{self, Limits, Renewed, Subscribed};
use crate::store::{self, StoreError, mailboxes, tenants};

/// How long a phone waits for the database.
const PATIENCE: Duration = Duration::from_secs(4);
/// When it may ask again: if there are too many, or if the database is away. In seconds.
const MANY: u32 = 300;
const AWAY: u32 = 10;

/// A subscription, new or renewed, and how long it lasts.
struct Accepted {
    lasts: Duration,
    /// It is new: the store may have it told once its SUBSCRIBE is answered.
    new: Option<String>,
}

/// Answers a SUBSCRIBE; `true` if somebody is to be told now.
pub(super) async fn attend(app: &App, subscribe: Subscribe, lease: Duration) -> bool {
    let decided = store::within(PATIENCE, decide(app, &subscribe, lease)).await;
    let (outcome, denial) = match decided {
        Ok(Ok(accepted)) => {
            subscribe.accept(accepted.lasts).await;
            if let Some(id) = &accepted.new
                && let Err(error) = lamps::ready(&app.db, id, app.clock.now()).await
            {
                // It is told all the same, when its lease ends.
                tracing::debug!(%error, "a subscription could not be made ready");
            }
            count("accepted");
            return true;
        }
        Ok(Err(denial)) => ("refused", denial),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "a subscription cannot be looked into");
            ("failed", Denial::Unavailable(AWAY))
        }
    };
    count(outcome);
    tracing::debug!(source = %subscribe.source, ?denial, "a SUBSCRIBE is refused");
    subscribe.deny(denial).await;
    false
}

fn count(outcome: &'static str) {
    metrics::counter!("afterbeep_lamp_subscribes_total", "outcome" => outcome).increment(1);
}

async fn decide(
    app: &App,
    subscribe: &Subscribe,
    lease: Duration,
) -> Result<Result<Accepted, Denial>, StoreError> {
    let settings = &app.config.sip.lamp;
    let lasts = match settings.terms().grant(subscribe.wanted) {
        Grant::For(lasts) => lasts,
        Grant::Once => Duration::ZERO,
        Grant::TooBrief => return Ok(Err(Denial::TooBrief(settings.shortest))),
    };
    match &subscribe.within {
        Some(name) => renew(app, subscribe, name, lasts).await,
        None => begin(app, subscribe, lasts, lease).await,
    }
}

async fn begin(
    app: &App,
    subscribe: &Subscribe,
    lasts: Duration,
    lease: Duration,
) -> Result<Result<Accepted, Denial>, StoreError> {
    let mailbox = match whose(app, subscribe).await? {
        Ok(mailbox) => mailbox,
        Err(denial) => return Ok(Err(denial)),
    };
    let Some((name, subscription)) = subscribe.begin() else { return Ok(Err(Denial::Forbidden)) };
    let now = app.clock.now();
    let id = app.clock.message_id().to_string();
    let change = change(name, &subscription, now + lasts);
    let new = Subscribed { id: id.clone(), mailbox: mailbox.id.clone(), change };
    let settings = &app.config.sip.lamp;
    let limits = Limits { most: settings.most, most_each: settings.most_each };
    if !lamps::subscribe(&app.db, &new, limits, now, lease).await? {
        tracing::warn!(mailbox = %mailbox.id, "too many phones want to be told of messages");
        return Ok(Err(Denial::Unavailable(MANY)));
    }
    Ok(Ok(Accepted { lasts, new: Some(id) }))
}

async fn renew(
    app: &App,
    subscribe: &Subscribe,
    name: &str,
    lasts: Duration,
) -> Result<Result<Accepted, Denial>, StoreError> {
    let now = app.clock.now();
    let kept = lamps::kept(&app.db, name, now).await?;
    let old = kept.and_then(|it| serde_json::from_str::<Subscription>(&it.dialog).ok());
    let Some(old) = old else { return Ok(Err(Denial::Unknown)) };
    let renewed = match subscribe.renew(&old) {
        Ok(renewed) => renewed,
        Err(denial) => return Ok(Err(denial)),
    };
    let change = change(name.to_owned(), &renewed, now + lasts);
    match lamps::renew(&app.db, &change, now).await? {
        true => Ok(Ok(Accepted { lasts, new: None })),
        false => Ok(Err(Denial::Unknown)),
    }
}

fn change(name: String, subscription: &Subscription, expires: Timestamp) -> Renewed {
    Renewed {
        name,
        dialog: serde_json::json!(subscription).to_string(),
        place: subscription.place().to_owned(),
        node: subscription.node().to_string(),
        expires,
    }
}

/// The mailbox, if it is theirs to be told of. To whom it is not, it makes no difference whether it
/// is there.
async fn whose(app: &App, of: &Subscribe) -> Result<Result<Mailbox, Denial>, StoreError> {
    let found = match (&of.account, &of.asserted) {
        (Some(user), _) => {
            let accounts = &app.config.sip.accounts;
            let account = accounts.iter().find(|it| it.user == *user && *user == of.called.user);
            let Some(account) = account else { return Ok(Err(Denial::Forbidden)) };
            match tenants::named(&app.db, &account.tenant).await? {
                Some(tenant) => mailboxes::at(&app.db, &tenant.id, user).await?,
                None => None,
            }
        }
        (None, _) if !of.believed => return Ok(Err(Denial::Forbidden)),
        // It speaks for one of its phones, and says for which.
        (None, Some(number)) if *number != of.called.user => return Ok(Err(Denial::Forbidden)),
        (None, _) => mailboxes::reached(&app.db, &of.called.host, &of.called.user).await?,
    };
    Ok(found.ok_or(Denial::NotFound))
}
