//! `afterbeep announcement`: what is said to many.

use std::{fs, io::Write, path::PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};

use super::{recording, table, tenant};
use crate::{
    admin::{self, music::Source},
    app::{Script, Studio},
    blobs::Blobs,
    clock::Clock,
    mailbox::Preferences,
    store::{Db, announcements, announcements::Announcement, tenants::Tenant},
};

/// What can be done with announcements.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make one, from a sound file or a text, in place of the one of that name
    Set(Set),
    /// Show all of them
    List {
        /// Whose they are.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Hear one as an ordinary telephone carries it
    Preview {
        /// Which one
        name: String,
        /// Write it to this WAV file instead of playing it here
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Take one away
    Rm {
        /// Which one
        name: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// What an announcement is made of.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// What it is called in addresses: closed in sip:announce-closed@…
    name: String,
    /// A sound file of any kind
    #[arg(long, value_name = "FILE", required_unless_present = "text")]
    file: Option<PathBuf>,
    /// What a voice is to say instead
    #[arg(long, conflicts_with = "file")]
    text: Option<String>,
    /// The text's language, like fr or pt-BR; otherwise the tenant's
    #[arg(long, value_name = "CODE", conflicts_with = "file")]
    language: Option<String>,
    /// Who says it, like en-GB; otherwise the usual voice for the language
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    voice: Option<String>,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

/// Does it, and says so.
pub(super) async fn run(
    command: Command,
    house: (&Db, &Blobs, &Clock),
    studio: &Studio,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (db, blobs, _) = house;
    match command {
        Command::Set(set) => self::set(set, house, studio, out).await,
        Command::List { of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            let all = announcements::list(db, &tenant.id).await?;
            let rows = all.into_iter().map(|it| {
                let length = format!("{:.1} s", it.length.as_secs_f32());
                [it.name, length, it.script.unwrap_or_default()]
            });
            table::table(out, ["NAME", "LENGTH", "TEXT"], &rows.collect::<Vec<_>>())
        }
        Command::Preview { name, to, of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            let Announcement { blob, .. } = find(db, &tenant, &name).await?;
            let sound = admin::music::heard(blobs, &blob).await?;
            match to {
                Some(to) => recording::write(&sound, &to, out),
                None => recording::perform(&sound),
            }
        }
        Command::Rm { name, of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            find(db, &tenant, &name).await?;
            admin::music::withdraw(db, blobs, &tenant.id, &name).await?;
            Ok(writeln!(out, "The announcement {name:?} is gone.")?)
        }
    }
}

async fn set(
    set: Set,
    house: (&Db, &Blobs, &Clock),
    studio: &Studio,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let tenant = tenant::find(house.0, &set.of.tenant).await?;
    let language = match &set.language {
        Some(code) => code.clone(),
        None => Preferences::of(Default::default(), tenant.settings.clone()).prompts,
    };
    admin::check::language(&language)?;
    let file;
    let source = match (&set.file, &set.text) {
        (Some(path), _) => {
            let name = path.display().to_string();
            file = (fs::read(path).with_context(|| format!("{name} cannot be read"))?, name);
            Source::File(&file.0, &file.1)
        }
        (None, Some(text)) => {
            Source::Text(Script { text, language: &language, voice: set.voice.as_deref() })
        }
        (None, None) => bail!("name a file or a text"),
    };
    let made = admin::music::announce(house, studio, &tenant.id, &set.name, source).await;
    let Announcement { name, length, .. } = made.map_err(|error| match &set.file {
        Some(path) => anyhow!("{} {error:#}", path.display()),
        None => error,
    })?;
    let length = length.as_secs_f32();
    Ok(writeln!(out, "sip:announce-{name}@… now says this ({length:.1} s).")?)
}

async fn find(db: &Db, tenant: &Tenant, name: &str) -> anyhow::Result<Announcement> {
    let found = announcements::named(db, &tenant.id, name).await?;
    found.with_context(|| {
        format!("there is no announcement {name:?}; see `afterbeep announcement list`")
    })
}
