//! What names, numbers, addresses and settings may be, and the sentence that says so when they may not.

use anyhow::{Context, bail};
use jiff::tz::TimeZone;

use crate::mailbox::{
    Settings,
    settings::{Addresses, Numbers},
};

/// The word for "nobody" and "nothing".
pub const NONE: &str = "none";

/// Longest name of a person, a mailbox or a track, in characters.
pub const LONGEST_NAME: usize = 100;

/// A tenant's name or a mailbox's number: `[A-Za-z0-9_.-]{1,64}`.
pub fn handle(what: &str, text: &str) -> anyhow::Result<()> {
    let fine = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fine) {
        bail!("{text:?} cannot be a {what}: use 1 to 64 letters, digits, \"_\", \".\" and \"-\"");
    }
    Ok(())
}

/// A mailbox's number.
pub fn number(text: &str) -> anyhow::Result<()> {
    if crate::music::is_reserved(text) {
        bail!("{text:?} cannot be a mailbox number: calls for it hear music or an announcement");
    }
    handle("mailbox number", text)
}

/// What owners call.
pub fn dialled(text: &str) -> anyhow::Result<()> {
    let fine = |it: u8| it.is_ascii_alphanumeric() || b"*+_.-".contains(&it);
    if text.is_empty() || text.len() > 32 || !text.bytes().all(fine) {
        bail!(
            "{text:?} cannot be dialled: use 1 to 32 digits, letters, \"*\", \"+\", \"_\", \".\" and \"-\""
        );
    }
    Ok(())
}

/// What people are called.
pub fn name(text: &str) -> anyhow::Result<()> {
    if text.trim().is_empty() || text.chars().count() > LONGEST_NAME {
        bail!("{text:?} cannot be a name: use 1 to {LONGEST_NAME} characters");
    }
    if text.chars().any(char::is_control) {
        bail!("{text:?} cannot be a name: it has control characters in it");
    }
    Ok(())
}

/// An address mail can be sent to.
pub fn email(text: &str) -> anyhow::Result<()> {
    text.parse::<lettre::Address>()
        .map(drop)
        .with_context(|| format!("{text:?} is not an email address; write it like ann@example.org"))
}

/// What somebody is called as long as nobody says: what stands before the `@`.
pub fn name_of(email: &str) -> &str {
    email.split('@').next().unwrap_or_default()
}

/// A time zone the machine knows.
pub fn time_zone(text: &str) -> anyhow::Result<()> {
    TimeZone::get(text).map(drop).with_context(|| {
        format!("there is no time zone {text:?}; write it like Europe/Vienna, or UTC")
    })
}

/// `en`, `de`, `pt-BR`.
pub fn language(text: &str) -> anyhow::Result<()> {
    let (language, region) = text.split_once('-').unwrap_or((text, "XX"));
    let fine = (2..=3).contains(&language.len())
        && language.bytes().all(|it| it.is_ascii_lowercase())
        && region.len() == 2
        && region.bytes().all(|it| it.is_ascii_uppercase());
    if !fine {
        bail!("{text:?} is not a language; write its code, like en, de or pt-BR");
    }
    Ok(())
}

/// Settings however they came: zones, languages and addresses exist, and no list is too long.
pub fn settings(settings: &Settings) -> anyhow::Result<()> {
    settings.time_zone.as_deref().map_or(Ok(()), time_zone)?;
    let spoken = settings.spoken.as_deref().filter(|it| *it != Settings::DETECTED);
    for code in [settings.pages.as_deref(), settings.prompts.as_deref(), spoken] {
        code.map_or(Ok(()), language)?;
    }
    settings.translate_to.as_deref().map_or(Ok(()), language)?;
    settings.hold_music.as_deref().map_or(Ok(()), |it| super::music::name("class", it))?;
    if settings.limit.is_some_and(|it| it > Settings::MOST) {
        bail!("a mailbox holds {} messages at most", Settings::MOST);
    }
    for list in [&settings.notify_to, &settings.notify_short_to].into_iter().flatten() {
        if list.len() > Addresses::MOST {
            bail!("one list has {} addresses at most", Addresses::MOST);
        }
        list.iter().try_for_each(email)?;
    }
    for list in [&settings.copy_to, &settings.distribute].into_iter().flatten() {
        if list.len() > Numbers::MOST {
            bail!("one list has {} numbers at most", Numbers::MOST);
        }
        list.iter().try_for_each(number)?;
    }
    Ok(())
}

/// Settings of a tenant, which all its mailboxes start from.
pub fn shared(tenant: &Settings) -> anyhow::Result<()> {
    if tenant.distribute.as_ref().is_some_and(|it| !it.is_empty()) {
        bail!("a distribution list is a mailbox of its own; set it there, not at the tenant");
    }
    Ok(())
}

/// The host part of SIP addresses.
pub fn host(text: &str) -> anyhow::Result<()> {
    let fine =
        |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b':' | b'[' | b']');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(fine) {
        bail!("{text:?} is not a host name; write it like voice.example.org, without \"sip:\"");
    }
    Ok(())
}

/// `; did you mean "limit"?`, or nothing where no name is near.
pub fn meant<'a>(said: &str, names: impl Iterator<Item = &'a str>) -> String {
    /// Names farther away than this were not meant.
    const NEAR: usize = 4;
    let near = names.map(|it| (strsim::damerau_levenshtein(said, it), it)).min();
    match near.filter(|it| it.0 <= NEAR) {
        Some((_, name)) => format!("; did you mean {name:?}?"),
        None => String::new(),
    }
}
