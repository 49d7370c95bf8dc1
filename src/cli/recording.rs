//! What verbs about recordings have in common: where one comes from, and where it goes.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, anyhow, bail};
use clap::Args;

use crate::{
    admin,
    app::{Script, Studio, as_heard},
    blobs::Blobs,
    decode::LARGEST,
    mailbox::Mailbox,
};

/// Where a recording comes from.
#[derive(Debug, Args)]
pub struct Source {
    /// The recording: MP3, AAC (M4A), Ogg Vorbis, Opus, FLAC, ALAC, AIFF, AU or WAV
    #[arg(long, value_name = "FILE", required_unless_present = "text")]
    file: Option<PathBuf>,
    /// What a voice is to say instead
    #[arg(long, conflicts_with = "file")]
    text: Option<String>,
    /// The text's language, like fr or pt-BR; otherwise the mailbox's
    #[arg(long, value_name = "CODE", conflicts_with = "file")]
    language: Option<String>,
    /// Who says it, like en-GB; otherwise the usual voice for the language
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    voice: Option<String>,
}

/// How it is heard.
#[derive(Debug, Args)]
pub struct Manner {
    /// As an ordinary telephone carries it: 8,000 samples a second, by way of G.711
    #[arg(long)]
    as_heard: bool,
}

/// Programs that play a WAV file, with what else they have to be told.
const PLAYERS: [(&str, &[&str]); 5] = [
    ("pw-play", &[]),
    ("paplay", &[]),
    ("aplay", &["-q"]),
    ("afplay", &[]),
    ("ffplay", &["-nodisp", "-autoexit", "-loglevel", "error"]),
];

impl Source {
    /// Its samples, at [`RATE`](crate::app::RATE).
    pub(super) async fn samples(
        &self,
        studio: &Studio,
        mailbox: &Mailbox,
    ) -> anyhow::Result<Vec<i16>> {
        let Some(file) = &self.file else {
            let language = admin::greeting::language(self.language.as_deref(), mailbox)?;
            let text = self.text.as_deref().unwrap_or_default();
            return studio.speak(Script { text, language, voice: self.voice.as_deref() }).await;
        };
        let name = file.display();
        let read = || format!("{name} cannot be read");
        let length = fs::metadata(file).with_context(read)?.len();
        if length > LARGEST as u64 {
            bail!("{name} is larger than {} MiB; take a shorter one, or an MP3", LARGEST >> 20);
        }
        let bytes = fs::read(file).with_context(read)?;
        studio.read(&bytes).await.map_err(|error| anyhow!("{name} {error:#}"))
    }
}

/// Writes a kept recording to a new file.
pub(super) async fn export(
    blobs: &Blobs,
    blob: &str,
    to: &Path,
    manner: &Manner,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    write(&sound(blobs, blob, manner).await?, to, out)
}

/// Writes a WAV to a new file.
pub(super) fn write(sound: &[u8], to: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let name = to.display();
    let made = OpenOptions::new().write(true).create_new(true).open(to);
    let mut file = made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow!("{name} is there already; name another file"),
        _ => anyhow!(error).context(format!("{name} cannot be written")),
    })?;
    file.write_all(sound).with_context(|| format!("{name} cannot be written"))?;
    Ok(writeln!(out, "Written to {name}.")?)
}

/// Plays a kept recording on this machine.
pub(super) async fn play(blobs: &Blobs, blob: &str, manner: &Manner) -> anyhow::Result<()> {
    perform(&sound(blobs, blob, manner).await?)
}

/// Plays a WAV on this machine.
pub(super) fn perform(sound: &[u8]) -> anyhow::Result<()> {
    let path = std::env::temp_dir().join(format!("afterbeep-{}.wav", rand::random::<u64>()));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = made.with_context(|| format!("{} cannot be written", path.display()))?;
    let played = file.write_all(sound).map_err(anyhow::Error::from).and_then(|()| played(&path));
    fs::remove_file(&path).ok();
    played
}

/// Has the first player that is installed play a file.
fn played(path: &Path) -> anyhow::Result<()> {
    for (player, words) in PLAYERS {
        let mut command = Command::new(player);
        match command.args(words).arg(path).stdin(Stdio::null()).status() {
            Ok(status) if status.success() => return Ok(()),
            Ok(_) => bail!("{player} cannot play here; write it to a file with `export` instead"),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(format!("{player} cannot be run")),
        }
    }
    let names = PLAYERS.map(|it| it.0).join(", ");
    bail!("there is no player on this machine (none of {names}); write it to a file with `export`")
}

async fn sound(blobs: &Blobs, blob: &str, manner: &Manner) -> anyhow::Result<Vec<u8>> {
    let kept = blobs.get(blob).await?;
    if manner.as_heard { as_heard(&kept) } else { Ok(kept.to_vec()) }
}
