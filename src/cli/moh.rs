//! `afterbeep moh`: what callers hear while they are on hold.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::sync::mpsc;

use super::{progress::Progress, recording, table, tenant};
use crate::{
    admin::{self, music::Sent},
    app::{RATE, Studio},
    audio::loudness::loudness,
    blobs::Blobs,
    clock::Clock,
    decode::LARGEST_MUSIC,
    hold,
    music::{Class, DEFAULT, Manner, State, Track, TrackId},
    store::{Db, music, tenants::Tenant, tracks},
};

/// What can be done with hold music.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add sound files to a class, which is made if there is none of that name
    Add(Add),
    /// Show the classes, or the tracks of one
    List {
        /// Which class; otherwise all of them
        #[arg(long, value_name = "NAME")]
        class: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Say how a class is played
    Set(Set),
    /// Change what is told of a track, or its place
    Track(Change),
    /// Hear a track as an ordinary telephone carries it
    Preview {
        /// Which track.
        #[command(flatten)]
        which: Which,
        /// Write it to this WAV file instead of playing it here
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Read a live stream for some seconds, and say what comes of it
    CheckStream {
        /// Its address
        url: String,
    },
    /// Take a track away, or a whole class
    Rm {
        /// The track, by its name or number in the list; otherwise the whole class
        track: Option<String>,
        /// Of which class
        #[arg(long, value_name = "NAME", default_value = DEFAULT)]
        class: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// Files that are to be music.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// MP3, AAC (M4A), Ogg Vorbis, Opus, FLAC, ALAC, AIFF, WAV, AU, or a raw .g722, .ulaw, .alaw, .gsm or
    /// .sln
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Which class
    #[arg(long, value_name = "NAME", default_value = DEFAULT)]
    class: String,
    /// What people call it; otherwise the file's own name
    #[arg(long)]
    name: Option<String>,
    /// What else there is to say about it
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Under which terms it may be played
    #[arg(long, value_name = "TEXT", default_value = "")]
    licence: String,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

/// How a class is played.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// Which class; it is made if there is none of that name
    #[arg(long, value_name = "NAME", default_value = DEFAULT)]
    class: String,
    /// Whether callers hear it: yes or no
    #[arg(long, value_parser = table::decision)]
    enabled: Option<bool>,
    /// Whether tracks follow each other by chance: yes or no
    #[arg(long, value_parser = table::decision)]
    shuffle: Option<bool>,
    /// Whether everybody hears the same moment, as on the radio: yes or no
    #[arg(long, value_parser = table::decision)]
    shared: Option<bool>,
    /// A live stream that is played in place of the tracks, or none
    #[arg(long, value_name = "URL")]
    stream: Option<String>,
    /// The announcement that is heard first, or none
    #[arg(long, value_name = "NAME")]
    intro: Option<String>,
    /// The announcement that is heard again and again, or none
    #[arg(long, value_name = "NAME")]
    announcement: Option<String>,
    /// How many seconds apart
    #[arg(long, value_name = "SECONDS")]
    every: Option<u32>,
    /// Queues that have this music, with commas between them, or none
    #[arg(long, value_name = "NAMES")]
    queues: Option<String>,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

/// What is changed of a track.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// Which track.
    #[command(flatten)]
    which: Which,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// What else there is to say about it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Under which terms it may be played
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Its place among the others, from 1
    #[arg(long, value_name = "NUMBER")]
    place: Option<usize>,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

/// One track of a class.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its name, or its number in the list
    track: String,
    /// Of which class
    #[arg(long, value_name = "NAME", default_value = DEFAULT)]
    class: String,
}

/// What has to be heard of a stream to judge it, in samples at [`RATE`].
const ENOUGH: usize = 3 * RATE as usize;
/// How long that may take.
const LISTENS: Duration = Duration::from_secs(10);
/// Between two looks at a track that another process makes.
const LOOK: Duration = Duration::from_millis(500);

/// Does it, and says so.
pub(super) async fn run(
    command: Command,
    house: (&Db, &Blobs, &Clock),
    studio: &Studio,
    allowed: &[String],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (db, blobs, clock) = house;
    match command {
        Command::Add(add) => self::add(add, house, studio, out).await,
        Command::List { class, json, of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            match class {
                Some(name) => tracks(db, &self::class(db, &tenant, &name).await?, json, out).await,
                None => classes(db, &tenant, json, out).await,
            }
        }
        Command::Set(set) => self::set(set, db, clock, out).await,
        Command::Track(change) => self::change(change, db, out).await,
        Command::Preview { which, to, of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            let (_, track) = track(db, &tenant, &which.class, &which.track).await?;
            let State::Ready { blob, .. } = &track.state else {
                bail!("{:?} cannot be heard; it is {}", track.name, track.state.as_str());
            };
            let sound = admin::music::heard(blobs, blob).await?;
            match to {
                Some(to) => recording::write(&sound, &to, out),
                None => recording::perform(&sound),
            }
        }
        Command::CheckStream { url } => check(&url, allowed, studio, out).await,
        Command::Rm { track: None, class, of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            let class = self::class(db, &tenant, &class).await?;
            admin::music::remove_class(db, blobs, &class).await?;
            Ok(writeln!(out, "The hold music {:?} is gone, with all its tracks.", class.name)?)
        }
        Command::Rm { track: Some(word), class, of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            let (class, track) = track(db, &tenant, &class, &word).await?;
            admin::music::remove(db, blobs, &class.id, &track.id).await?;
            Ok(writeln!(out, "{:?} is gone.", track.name)?)
        }
    }
}

async fn add(
    add: Add,
    (db, blobs, clock): (&Db, &Blobs, &Clock),
    studio: &Studio,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let tenant = tenant::find(db, &add.of.tenant).await?;
    let class = class_or_new(db, clock, &tenant, &add.class).await?;
    if add.name.is_some() && add.files.len() > 1 {
        bail!("one name is for one file");
    }
    let mut problems = 0;
    for file in &add.files {
        let sent = Sent {
            file: file.display().to_string(),
            name: add.name.clone(),
            description: add.description.clone(),
            licence: add.licence.clone(),
        };
        let id = admin::music::add(db, blobs, clock, &class.id, sent, read(file)?).await?;
        let name = file.display();
        match made((db, blobs, clock), studio, &class, &id).await?.state {
            State::Ready { length, loudness, .. } => writeln!(
                out,
                "{name}: {} long, {:.1} LUFS before it was levelled.",
                told(length),
                loudness as f64 / 100.0
            )?,
            State::Failed { problem } => {
                problems += 1;
                admin::music::remove(db, blobs, &class.id, &id).await?;
                writeln!(out, "{name} {problem}")?;
            }
            State::Waiting => {}
        }
    }
    match problems {
        0 => Ok(writeln!(out, "Callers hear it at sip:moh-{}@…", class.name)?),
        _ => bail!("{problems} of {} files became no music", add.files.len()),
    }
}

/// Waits until a track is made, by this process or by another.
async fn made(
    (db, blobs, clock): (&Db, &Blobs, &Clock),
    studio: &Studio,
    class: &Class,
    id: &TrackId,
) -> anyhow::Result<Track> {
    let progress = Progress::new("per cent", 100)?;
    let watching = async {
        let mut told = 0;
        loop {
            // Often enough for people to see that it goes on.
            tokio::time::sleep(LOOK).await;
            let done = u64::from(studio.progress(&id.0).unwrap_or(0));
            progress.add(done.saturating_sub(told));
            told = told.max(done);
        }
    };
    let making = async {
        loop {
            let all = tracks::of(db, &class.id).await?;
            let track = all.into_iter().find(|it| it.id == *id);
            let track = track.context("the track was taken away meanwhile")?;
            if track.state != State::Waiting {
                return anyhow::Ok(track);
            }
            if !admin::music::make(db, blobs, clock, studio).await? {
                // The server makes it, or has put it off.
                tokio::time::sleep(LOOK).await;
            }
        }
    };
    let track = tokio::select! {
        track = making => track,
        () = watching => bail!("nobody watches"),
    };
    progress.end();
    track
}

/// Reads a stream until enough of it was heard, and says how loud that is.
async fn check(
    url: &str,
    allowed: &[String],
    studio: &Studio,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let stream = hold::open(url, allowed).await?;
    let kind = stream.kind().unwrap_or("something it does not name");
    writeln!(out, "It answers, with {}.", table::plain(kind))?;
    let (to, mut pieces) = mpsc::channel(1);
    let reading = studio.relay(stream.sound(), &to);
    let mut heard = Vec::new();
    let listening = async {
        while heard.len() < ENOUGH
            && let Some(piece) = pieces.recv().await
        {
            heard.extend(piece);
        }
    };
    tokio::select! {
        ended = reading => ended.map_err(|error| anyhow!("the stream {error}"))?,
        listened = tokio::time::timeout(LISTENS, listening) => {
            listened.context("too little sound came of it")?;
        }
    }
    match loudness(RATE, &heard).filter(|it| it.is_finite()) {
        Some(lufs) => Ok(writeln!(out, "Sound comes of it, at {lufs:.1} LUFS.")?),
        None => bail!("it is silent"),
    }
}

async fn set(set: Set, db: &Db, clock: &Clock, out: &mut impl Write) -> anyhow::Result<()> {
    let tenant = tenant::find(db, &set.of.tenant).await?;
    let class = class_or_new(db, clock, &tenant, &set.class).await?;
    let change = |it: &mut Class| {
        apply(&set, &mut it.manner);
        Ok(())
    };
    let changed = admin::music::change_class(db, &tenant.id, &class.id, change).await?;
    let Some(changed) = changed else {
        bail!("the hold music {:?} was taken away meanwhile", class.name);
    };
    Ok(writeln!(out, "{}", manner(&changed.manner))?)
}

/// Changes what is said, and nothing else.
fn apply(set: &Set, manner: &mut Manner) {
    let Manner { enabled, shuffle, shared, stream, intro, announcement, every, queues } = manner;
    for (to, said) in [(enabled, set.enabled), (shuffle, set.shuffle), (shared, set.shared)] {
        *to = said.unwrap_or(*to);
    }
    let texts = [(stream, &set.stream), (intro, &set.intro), (announcement, &set.announcement)];
    for (to, said) in texts {
        if let Some(said) = said {
            *to = Some(said.clone()).filter(|it| it != admin::check::NONE);
        }
    }
    *every = set.every.unwrap_or(*every);
    if let Some(names) = &set.queues {
        let names = names.split(',').map(str::trim).filter(|it| *it != admin::check::NONE);
        *queues = names.map(str::to_owned).collect();
    }
}

async fn change(change: Change, db: &Db, out: &mut impl Write) -> anyhow::Result<()> {
    let tenant = tenant::find(db, &change.of.tenant).await?;
    let (class, track) = track(db, &tenant, &change.which.class, &change.which.track).await?;
    if let Some(name) = &change.name {
        admin::check::name(name)?;
    }
    let Change { name, description, licence, place, .. } = change;
    [&description, &licence].into_iter().flatten().try_for_each(|it| admin::music::note(it))?;
    let said = tracks::Change { name, description, licence };
    tracks::set(db, &class.id, &track.id, &said).await?;
    if let Some(place) = place {
        let all = tracks::of(db, &class.id).await?;
        let mut ids: Vec<_> =
            all.into_iter().map(|it| it.id).filter(|it| *it != track.id).collect();
        ids.insert(place.saturating_sub(1).min(ids.len()), track.id);
        tracks::order(db, &class.id, &ids).await?;
    }
    tracks(db, &class, false, out).await
}

async fn classes(db: &Db, tenant: &Tenant, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let all = music::list(db, &tenant.id).await?;
    let counts = tracks::counts(db, &tenant.id).await?;
    let count = |class: &Class| counts.iter().find(|it| it.0 == class.id).map_or(0, |it| it.1);
    if json {
        let all = all.iter().map(|it| json!({ "class": it, "tracks": count(it) }));
        return table::json(out, &all.collect());
    }
    if all.is_empty() {
        writeln!(out, "There is none; callers on hold hear the music that comes with Afterbeep.")?;
        return Ok(());
    }
    let mut rows = Vec::new();
    for class in &all {
        let users = admin::music::users(db, tenant, class).await?.join(", ");
        rows.push([class.name.clone(), count(class).to_string(), manner(&class.manner), users]);
    }
    table::table(out, ["CLASS", "TRACKS", "PLAYED", "USED BY"], &rows)
}

async fn tracks(db: &Db, class: &Class, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let all = tracks::of(db, &class.id).await?;
    if json {
        return table::json(out, &json!(all));
    }
    let rows = all.iter().enumerate().map(|(at, track)| {
        let (state, length) = match &track.state {
            State::Ready { length, .. } => (String::new(), told(*length)),
            State::Waiting => ("being made".to_owned(), String::new()),
            State::Failed { problem } => (problem.clone(), String::new()),
        };
        let Track { name, description, licence, .. } = track;
        [(at + 1).to_string(), name.clone(), length, description.clone(), licence.clone(), state]
    });
    let headings = ["", "NAME", "LENGTH", "DESCRIPTION", "LICENCE", "PROBLEM"];
    table::table(out, headings, &rows.collect::<Vec<_>>())
}

/// How a class is played, in words.
fn manner(manner: &Manner) -> String {
    let order = if manner.shuffle { "by chance" } else { "in order" };
    let moment = if manner.shared { "the same moment for all" } else { "from the beginning" };
    let mut told = vec![order.to_owned(), moment.to_owned()];
    told.extend(manner.stream.iter().map(|it| format!("live from {it}")));
    told.extend(manner.intro.iter().map(|it| format!("first {it:?}")));
    let again = manner.announcement.iter();
    told.extend(again.map(|it| format!("{it:?} every {} s", manner.every)));
    if !manner.enabled {
        told.insert(0, "off".to_owned());
    }
    told.join(", ")
}

fn told(length: Duration) -> String {
    let seconds = length.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn read(file: &Path) -> anyhow::Result<Bytes> {
    let name = file.display();
    let length = fs::metadata(file).with_context(|| format!("{name} cannot be read"))?.len();
    if length > LARGEST_MUSIC as u64 {
        bail!("{name} is larger than {} MiB; take a shorter one, or an MP3", LARGEST_MUSIC >> 20);
    }
    Ok(fs::read(file).with_context(|| format!("{name} cannot be read"))?.into())
}

async fn class(db: &Db, tenant: &Tenant, name: &str) -> anyhow::Result<Class> {
    let class = music::named(db, &tenant.id, name).await?;
    class.ok_or_else(|| anyhow!("there is no hold music {name:?}; see `afterbeep moh list`"))
}

async fn class_or_new(
    db: &Db,
    clock: &Clock,
    tenant: &Tenant,
    name: &str,
) -> anyhow::Result<Class> {
    match music::named(db, &tenant.id, name).await? {
        Some(class) => Ok(class),
        None => admin::music::add_class(db, clock, &tenant.id, name, Manner::default()).await,
    }
}

async fn track(
    db: &Db,
    tenant: &Tenant,
    class: &str,
    word: &str,
) -> anyhow::Result<(Class, Track)> {
    let class = self::class(db, tenant, class).await?;
    let all = tracks::of(db, &class.id).await?;
    let number = word.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
    let found = all.iter().find(|it| it.name == word).or_else(|| all.get(number?));
    let track = found.cloned().with_context(|| {
        let name = &class.name;
        format!("there is no track {word:?}; see `afterbeep moh list --class {name}`")
    })?;
    Ok((class, track))
}
