//! Hold music and announcements: classes, their tracks, and what is said before and between.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;

use super::check;
use crate::{
    app::{Script, Studio},
    audio::{Codec, g711::Law, music::Music, wav},
    blobs::{self, Blobs},
    clock::Clock,
    decode::{DecodeError, RawKind},
    mailbox::{Preferences, TenantId},
    music::{Class, ClassId, LONGEST_NAME, LONGEST_PAUSE, MOST_QUEUES, Manner, TrackId},
    store::{
        Db, announcements,
        announcements::Announcement,
        mailboxes, music,
        tenants::Tenant,
        tracks::{self, Claimed, Made, New},
    },
};

/// Longest description and licence note, in characters.
pub const LONGEST_NOTE: usize = 2_000;
/// Longest address of a stream, in bytes.
const LONGEST_URL: usize = 500;
/// How long a track stays with whoever makes it, and does not say any more that they do: longer than it may
/// take.
const LEASE: Duration = Duration::from_secs(1_200);
/// When a track is tried again that could not be made for a reason of our own.
const AGAIN: Duration = Duration::from_secs(30);
/// After so many tries it is given up.
const ATTEMPTS: i64 = 5;
/// As often a class is read again that somebody else changed before it was written.
const TRIES: usize = 5;

/// A file that is to be a track.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// What its file is called: what people see where they name nothing else.
    pub file: String,
    /// What people call it.
    pub name: Option<String>,
    /// What else there is to say about it.
    pub description: String,
    /// The terms it is under.
    pub licence: String,
}

/// A class was changed by others each time before it could be.
#[derive(Debug, thiserror::Error)]
#[error("somebody else keeps changing the hold music; try again")]
pub struct Contended;

/// Adds a class.
pub async fn add_class(
    db: &Db,
    clock: &Clock,
    tenant: &TenantId,
    name: &str,
    manner: Manner,
) -> anyhow::Result<Class> {
    class_name(name)?;
    fits(db, tenant, &manner).await?;
    let id = ClassId(clock.message_id().to_string());
    let class = Class { id, tenant: tenant.clone(), name: name.to_owned(), manner };
    music::add(db, &class, clock.now()).await?;
    Ok(class)
}

/// Gives a class another name or manner. `change` is given the class as it is, and once more if somebody
/// else changed it meanwhile, so that both changes are kept. Answers with the class as it then is; `None`
/// if it is gone. Fails with [`Contended`] where others are always faster.
pub async fn change_class(
    db: &Db,
    tenant: &TenantId,
    id: &ClassId,
    change: impl Fn(&mut Class) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Class>> {
    for _ in 0..TRIES {
        let Some(old) = music::get(db, tenant, id).await? else { return Ok(None) };
        let mut new = old.clone();
        change(&mut new)?;
        if new.name != old.name {
            class_name(&new.name)?;
        }
        fits(db, tenant, &new.manner).await?;
        if music::replace(db, &old, &new).await? {
            return Ok(music::get(db, tenant, id).await?);
        }
    }
    Err(Contended.into())
}

/// Removes a class, its tracks and its own greeting; `false` if it is gone already.
pub async fn remove_class(db: &Db, blobs: &Blobs, class: &Class) -> anyhow::Result<bool> {
    let Some(gone) = music::remove(db, &class.tenant, &class.id).await? else { return Ok(false) };
    delete(blobs, gone).await?;
    Ok(true)
}

/// Who hears a class, in words: the tenant's usual callers, mailboxes by their numbers, queues.
pub async fn users(db: &Db, tenant: &Tenant, class: &Class) -> anyhow::Result<Vec<String>> {
    let usual = Preferences::of(Default::default(), tenant.settings.clone()).hold_music;
    let mut users = Vec::new();
    if usual == class.name {
        users.push("everybody else".to_owned());
    }
    let mailboxes = mailboxes::list(db, &tenant.id).await?;
    let own = mailboxes.iter().filter(|it| {
        let music = &it.settings.hold_music;
        *music == class.name && *music != usual
    });
    users.extend(own.map(|it| format!("mailbox {}", it.number)));
    users.extend(class.manner.queues.iter().map(|it| format!("queue {it}")));
    Ok(users)
}

/// Keeps a file as a track of a class, behind the others; [`make`] makes sound of it.
pub async fn add(
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    class: &ClassId,
    sent: Sent,
    file: Bytes,
) -> anyhow::Result<TrackId> {
    let new = track(clock, sent)?;
    keep((db, blobs, clock), class, &new, file).await?;
    Ok(new.id)
}

/// The track that a file is to be, if what is said of it can be.
pub fn track(clock: &Clock, sent: Sent) -> anyhow::Result<New> {
    let Sent { file, name, description, licence } = sent;
    let name = name.unwrap_or_else(|| title(&file));
    check::name(&name)?;
    [&description, &licence].into_iter().try_for_each(|it| note(it))?;
    let (id, kind) = (clock.message_id(), RawKind::of(&file).and(ending(&file)));
    let original = blobs::original(&id.0);
    Ok(New { id: TrackId(id.to_string()), name, description, licence, kind, original })
}

/// Keeps a file as the track that it is to be.
pub async fn keep(
    (db, blobs, clock): (&Db, &Blobs, &Clock),
    class: &ClassId,
    new: &New,
    file: Bytes,
) -> anyhow::Result<()> {
    blobs.put(&new.original, file).await?;
    match tracks::add(db, class, new, clock.now()).await {
        // A database that says nothing may have done it; what it has not, is swept one day.
        Err(error) if !error.is_temporary() => {
            blobs.delete(&new.original).await?;
            Err(error.into())
        }
        added => Ok(added?),
    }
}

/// Makes sound of the track that waits longest; `false` if none does. A file that is no sound is a track
/// with a problem; what fails for another reason is tried again later.
pub async fn make(db: &Db, blobs: &Blobs, clock: &Clock, studio: &Studio) -> anyhow::Result<bool> {
    let Some(claimed) = tracks::claim(db, clock.now(), LEASE).await? else { return Ok(false) };
    let made = encode(blobs, clock, studio, &claimed).await;
    match made {
        Ok(made) => {
            if !tracks::made(db, &claimed, &made).await? {
                blobs.delete(&made.blob).await?;
            }
            tracing::info!("the track {:?} can be heard", claimed.name);
        }
        Err(error) => {
            let refused = error.downcast_ref::<DecodeError>().is_some_and(|it| !it.is_temporary());
            if refused || claimed.attempts >= ATTEMPTS {
                tracing::warn!("the track {:?} {error:#}; given up", claimed.name);
                tracks::failed(db, &claimed, &format!("{error:#}")).await?;
            } else {
                tracing::warn!("the track {:?} {error:#}; tried again", claimed.name);
                tracks::put_off(db, &claimed, clock.now() + AGAIN).await?;
            }
        }
    }
    Ok(true)
}

async fn encode(
    blobs: &Blobs,
    clock: &Clock,
    studio: &Studio,
    claimed: &Claimed,
) -> anyhow::Result<Made> {
    let file = blobs.get(&claimed.original).await?;
    let kind = claimed.kind.as_deref().and_then(RawKind::of);
    let music = studio.music(&file, kind, &claimed.id.0).await?;
    let loudness = (music.loudness * 100.0).round() as i64;
    let (length, bytes) = (music.length, music.to_bytes());
    let blob = blobs::music(&clock.message_id().0);
    blobs.put(&blob, Bytes::from(bytes)).await?;
    Ok(Made { blob, length, loudness, peaks: music.peaks })
}

/// Takes a track away; `false` if the class has none of this id.
pub async fn remove(
    db: &Db,
    blobs: &Blobs,
    class: &ClassId,
    track: &TrackId,
) -> anyhow::Result<bool> {
    let Some(gone) = tracks::remove(db, class, track).await? else { return Ok(false) };
    delete(blobs, gone).await?;
    Ok(true)
}

/// What a caller at an ordinary telephone hears of a track or an announcement, as WAV: 8,000 samples a
/// second, by way of G.711 µ-law.
pub async fn heard(blobs: &Blobs, blob: &str) -> anyhow::Result<Vec<u8>> {
    let file = blobs.get(blob).await?;
    let heard = tokio::task::spawn_blocking(move || {
        let clip = Music::read(&file)?.clip("preview");
        let samples = clip.encoded(Codec::Pcmu).iter().map(|&it| Law::Mu.decode(it));
        anyhow::Ok(wav::to_wav(&samples.collect::<Vec<_>>(), Codec::RATE))
    });
    heard.await?
}

/// Where an announcement comes from.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    /// A sound file, and what it is called.
    File(&'a [u8], &'a str),
    /// A text, and who says it how.
    Text(Script<'a>),
}

/// Keeps an announcement by its name, in place of what it was before.
pub async fn announce(
    (db, blobs, clock): (&Db, &Blobs, &Clock),
    studio: &Studio,
    tenant: &TenantId,
    called: &str,
    source: Source<'_>,
) -> anyhow::Result<Announcement> {
    name("announcement", called)?;
    let id = clock.message_id();
    let (music, script) = match source {
        Source::File(file, name) => {
            (studio.music(file, RawKind::of(name), &id.to_string()).await?, None)
        }
        Source::Text(script) => {
            let samples = studio.speak(script).await?;
            let file = wav::to_wav(&samples, crate::app::RATE);
            let music = studio.music(&file, None, &id.to_string()).await?;
            (music, Some(script.text.to_owned()))
        }
    };
    let (blob, length) = (blobs::music(&id.0), music.length);
    blobs.put(&blob, Bytes::from(music.to_bytes())).await?;
    let announcement = Announcement { name: called.to_owned(), script, blob, length };
    match announcements::set(db, tenant, &id.to_string(), &announcement, clock.now()).await {
        Ok(old) => delete(blobs, old).await?,
        Err(error) => {
            // A database that says nothing may have done it; what it has not, is swept one day.
            if !error.is_temporary() {
                blobs.delete(&announcement.blob).await?;
            }
            return Err(error.into());
        }
    }
    Ok(announcement)
}

/// Has the class whose own greeting an announcement is begin with it, if there is one.
pub async fn introduce(db: &Db, tenant: &TenantId, name: &str) -> anyhow::Result<()> {
    let classes = music::list(db, tenant).await?;
    if let Some(class) = classes.iter().find(|it| it.own_intro() == name) {
        let begin = |it: &mut Class| {
            if it.own_intro() == name {
                it.manner.intro = Some(name.to_owned());
            }
            Ok(())
        };
        change_class(db, tenant, &class.id, begin).await?;
    }
    Ok(())
}

/// Takes an announcement away; `false` if there is none of that name. Refused while hold music has it.
pub async fn withdraw(
    db: &Db,
    blobs: &Blobs,
    tenant: &TenantId,
    name: &str,
) -> anyhow::Result<bool> {
    let classes = music::list(db, tenant).await?;
    if let Some(class) = classes.iter().find(|it| it.manner.says(name)) {
        bail!("the hold music {:?} says {name:?}; have it say something else first", class.name);
    }
    let Some(gone) = announcements::remove(db, tenant, name).await? else { return Ok(false) };
    blobs.delete(&gone).await?;
    Ok(true)
}

/// What a class or an announcement may be called: it is part of an address.
pub fn name(what: &str, text: &str) -> anyhow::Result<()> {
    check::handle(what, text)?;
    if text.bytes().any(|it| it.is_ascii_uppercase()) {
        bail!("{text:?} cannot be a {what}: phones are not careful about capitals, so use none");
    }
    Ok(())
}

/// What a class may be called: its own greeting is called after it.
pub fn class_name(text: &str) -> anyhow::Result<()> {
    name("class of hold music", text)?;
    if text.len() > LONGEST_NAME {
        bail!("{text:?} cannot be a class of hold music: use {LONGEST_NAME} characters at most");
    }
    Ok(())
}

/// What may be noted about a track.
pub fn note(text: &str) -> anyhow::Result<()> {
    if text.chars().count() > LONGEST_NOTE {
        bail!("use {LONGEST_NOTE} characters at most");
    }
    Ok(())
}

/// Whether a class can be played like this.
async fn fits(db: &Db, tenant: &TenantId, manner: &Manner) -> anyhow::Result<()> {
    if !(1..=LONGEST_PAUSE).contains(&manner.every) {
        bail!("announcements can be 1 to {LONGEST_PAUSE} seconds apart, not {}", manner.every);
    }
    if manner.queues.len() > MOST_QUEUES {
        bail!("a class can have {MOST_QUEUES} queues at most");
    }
    manner.queues.iter().try_for_each(|it| check::handle("queue", it))?;
    if let Some(url) = &manner.stream {
        let fine =
            url.len() <= LONGEST_URL && !url.contains(|it: char| it.is_control() || it == ' ');
        if !fine || !(url.starts_with("http://") || url.starts_with("https://")) {
            bail!("{url:?} is no stream; write its address, http://radio.example/live.mp3");
        }
    }
    for said in [&manner.intro, &manner.announcement].into_iter().flatten() {
        let found = announcements::named(db, tenant, said).await?;
        found.with_context(|| format!("there is no announcement {said:?}; make it first"))?;
    }
    Ok(())
}

async fn delete(blobs: &Blobs, keys: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    for key in keys {
        blobs.delete(&key).await?;
    }
    Ok(())
}

/// What people call a file: its name without folders and ending, as much of it as a track can be called.
fn title(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let title = match name.rsplit_once('.') {
        Some((title, _)) if !title.is_empty() => title,
        _ => name,
    };
    let short: String = title.chars().take(check::LONGEST_NAME).collect();
    short.trim_end().to_owned()
}

/// The end of a file's name, with its dot.
fn ending(file: &str) -> Option<String> {
    file.rfind('.').map(|at| file[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_what_it_is_called_without_folders_and_ending() {
        assert_eq!(title("C:\\Music\\Blue Train.mp3"), "Blue Train");
        assert_eq!(title("/music/a.b.wav"), "a.b");
        assert_eq!(title("plain"), "plain");
        assert_eq!(title(".wav"), ".wav");
        let words = format!("{} II. Adagio.mp3", "é".repeat(check::LONGEST_NAME - 1));
        assert_eq!(title(&words), "é".repeat(check::LONGEST_NAME - 1));
        assert_eq!(ending("a/b.SLN16").as_deref(), Some(".SLN16"));
        assert_eq!(ending("no ending"), None);
    }

    #[test]
    fn names_are_those_that_can_be_dialled_without_care() {
        assert!(name("class", "jazz-2").is_ok());
        for wrong in ["", "Jazz", "jazz music", "jazz/..", "é"] {
            assert!(name("class", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_class_can_have_a_greeting_of_its_own() {
        let longest = "a".repeat(LONGEST_NAME);
        class_name(&longest).unwrap();
        name("announcement", &crate::music::own_intro(&longest)).unwrap();
        assert!(class_name(&format!("{longest}a")).is_err());
    }
}
