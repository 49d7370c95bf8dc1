//! Giving a mailbox a greeting, and taking it away.

use std::time::Duration;

use anyhow::{Context, bail};
use jiff::{
    Timestamp as Moment, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use crate::{
    audio::{resample::resample, wav},
    blobs::{self, Blobs},
    clock::Clock,
    mailbox::{
        Mailbox, Reason, Timestamp,
        greeting::{Kind, Recorded},
        rules::Facts,
        schedule::Frame,
    },
    store::{Db, greetings, greetings::Greeting},
};

/// Longest greeting taken, in seconds.
const LONGEST: u64 = 300;

/// What greetings are kept at, in samples a second: twice as fine as telephones speak today.
pub const RATE: u32 = 16_000;

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

/// Reads any uncompressed WAV as a greeting; several channels are heard together. The error goes
/// on where the name of the file ends.
pub fn read(file: &[u8]) -> anyhow::Result<Vec<i16>> {
    let sound = wav::from_wav(file, LONGEST)
        .context("cannot be a greeting; convert it to a plain WAV file")?;
    if sound.samples.is_empty() {
        bail!("has no sound in it");
    }
    Ok(resample(&sound.samples, sound.rate, RATE))
}

/// Makes what [`read`] gave the greeting of its kind.
pub async fn set(
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    mailbox: &Mailbox,
    recorded: Recorded,
    samples: &[i16],
) -> anyhow::Result<Greeting> {
    let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(RATE));
    let blob = blobs::greeting(&clock.message_id().0);
    blobs.put(&blob, wav::to_wav(samples, RATE).into()).await?;
    let greeting = Greeting { recorded, blob, length };
    if let Some(old) = greetings::set(db, &mailbox.id, &greeting, clock.now()).await? {
        blobs.delete(&old).await?;
    }
    Ok(greeting)
}

/// Takes a greeting away; `false` if there is none of that kind.
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
