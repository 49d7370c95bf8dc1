//! Giving a mailbox greetings and a name, choosing among them, and taking them away.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use jiff::{
    Timestamp as Moment, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::check;
use crate::{
    app::RATE,
    audio::wav,
    blobs::{self, Blobs},
    clock::Clock,
    mailbox::{
        Mailbox, Reason, Timestamp,
        greeting::{Kind, Recorded},
        rules::Facts,
        schedule::Frame,
    },
    store::{
        Db, greetings,
        greetings::Greeting,
        names::{self, Name},
    },
};

/// Longest label of a greeting, in characters.
const LONGEST_LABEL: usize = 40;
/// Longest spoken name: longer ones are tales, and callers wait.
pub const LONGEST_NAME: Duration = Duration::from_secs(10);

/// When a greeting is played. `until` ends a temporary one: a moment (RFC 3339), or where the
/// mailbox is a day (`2026-12-24`, the whole of it) or a time (`2026-12-24T13:00`).
pub fn recorded(
    kind: Kind,
    until: Option<&str>,
    mailbox: &Mailbox,
    now: Timestamp,
) -> anyhow::Result<Recorded> {
    let Some(until) = until else { return Ok(Recorded { kind, until: None }) };
    if kind != Kind::Temporary {
        bail!("only a temporary greeting ends by itself; name no end");
    }
    let end = end(until, mailbox)
        .with_context(|| format!("{until:?} is not a date; write it like 2026-12-24"))?;
    if end <= now {
        bail!("{until} is over already; callers would never hear this greeting");
    }
    Ok(Recorded { kind, until: Some(end) })
}

/// What a greeting may be called, to tell it from others; nothing for the one without a label.
pub fn label(text: &str) -> anyhow::Result<&str> {
    let text = text.trim();
    if text.chars().count() > LONGEST_LABEL || text.chars().any(char::is_control) {
        bail!("{text:?} cannot be a label: use {LONGEST_LABEL} characters at most");
    }
    Ok(text)
}

/// Makes samples at [`RATE`] the greeting of their kind: the chosen one, without a label.
pub async fn set(
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    mailbox: &Mailbox,
    recorded: Recorded,
    samples: &[i16],
) -> anyhow::Result<Greeting> {
    keep(db, blobs, clock, mailbox, recorded, "", samples).await
}

/// Keeps samples at [`RATE`] as a greeting by a label, chosen from now on.
pub async fn keep(
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    mailbox: &Mailbox,
    recorded: Recorded,
    label: &str,
    samples: &[i16],
) -> anyhow::Result<Greeting> {
    let (blob, length) = write(blobs, clock, samples).await?;
    let greeting = Greeting { recorded, blob, length };
    match greetings::keep(db, &mailbox.id, &greeting, label, clock.now()).await {
        Ok(old) => gone(blobs, old).await?,
        Err(error) => {
            blobs.delete(&greeting.blob).await?;
            return Err(error.into());
        }
    }
    Ok(greeting)
}

/// Takes away what a mailbox keeps under this id; `false` if it does not.
pub async fn discard(db: &Db, blobs: &Blobs, mailbox: &Mailbox, id: &str) -> anyhow::Result<bool> {
    let Some(blob) = greetings::discard(db, &mailbox.id, id).await? else { return Ok(false) };
    blobs.delete(&blob).await?;
    Ok(true)
}

/// Makes samples at [`RATE`] the spoken name of a mailbox.
pub async fn set_name(
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    mailbox: &Mailbox,
    samples: &[i16],
) -> anyhow::Result<Name> {
    name_fits(samples)?;
    let (blob, length) = write(blobs, clock, samples).await?;
    let name = Name { blob, length };
    let old = names::set(db, &mailbox.id, &name, clock.now()).await?;
    gone(blobs, old).await?;
    Ok(name)
}

/// Whether samples at [`RATE`] are short enough for a name.
pub fn name_fits(samples: &[i16]) -> anyhow::Result<()> {
    let longest = LONGEST_NAME.as_secs();
    if samples.len() as u64 > longest * u64::from(RATE) {
        bail!("a spoken name may take {longest} s at most; say no more than the name");
    }
    Ok(())
}

/// Takes the spoken name of a mailbox away; `false` if there is none.
pub async fn remove_name(db: &Db, blobs: &Blobs, mailbox: &Mailbox) -> anyhow::Result<bool> {
    let Some(blob) = names::remove(db, &mailbox.id).await? else { return Ok(false) };
    blobs.delete(&blob).await?;
    Ok(true)
}

/// The language of a text for a mailbox, where nobody names one.
pub fn language<'a>(named: Option<&'a str>, mailbox: &'a Mailbox) -> anyhow::Result<&'a str> {
    named.map_or(Ok(()), check::language)?;
    Ok(named.unwrap_or(&mailbox.settings.prompts))
}

/// Writes a recording down; where it is, and how long.
async fn write(
    blobs: &Blobs,
    clock: &Clock,
    samples: &[i16],
) -> anyhow::Result<(String, Duration)> {
    let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(RATE));
    let blob = blobs::greeting(&clock.message_id().0);
    blobs.put(&blob, Bytes::from(wav::to_wav(samples, RATE))).await?;
    Ok((blob, length))
}

async fn gone(blobs: &Blobs, old: Option<String>) -> anyhow::Result<()> {
    match old {
        Some(old) => Ok(blobs.delete(&old).await?),
        None => Ok(()),
    }
}

/// Takes the chosen greeting of a kind away; `false` if there is none.
pub async fn remove(db: &Db, blobs: &Blobs, mailbox: &Mailbox, kind: Kind) -> anyhow::Result<bool> {
    let Some(blob) = greetings::remove(db, &mailbox.id, kind).await? else { return Ok(false) };
    blobs.delete(&blob).await?;
    Ok(true)
}

/// What the greeting of a call that comes at `at` goes by.
pub fn facts<'a>(
    mailbox: &Mailbox,
    reason: Reason,
    recorded: &'a [Recorded],
    at: Timestamp,
) -> Facts<'a> {
    let settings = &mailbox.settings;
    let moment = Moment::from_millisecond(at.0).unwrap_or_default();
    let local = moment.to_zoned(zone(mailbox)).datetime();
    Facts {
        reason,
        presence: settings.presence,
        frame: Frame::at(local, &settings.opening, &settings.holidays),
        recorded,
        now: at,
    }
}

/// Where a mailbox tells the time.
pub fn zone(mailbox: &Mailbox) -> TimeZone {
    TimeZone::get(&mailbox.settings.time_zone).unwrap_or(TimeZone::UTC)
}

fn end(text: &str, mailbox: &Mailbox) -> Result<Timestamp, jiff::Error> {
    if let Ok(moment) = text.parse::<Moment>() {
        return Ok(Timestamp(moment.as_millisecond()));
    }
    let end = match text.contains(['T', ' ']) {
        true => text.parse::<DateTime>()?,
        false => text.parse::<Date>()?.checked_add(1.day())?.into(),
    };
    Ok(Timestamp(end.to_zoned(zone(mailbox))?.timestamp().as_millisecond()))
}
