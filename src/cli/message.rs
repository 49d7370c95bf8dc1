//! `afterbeep message`: what callers left.

use std::{fs::OpenOptions, io::Write, path::PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use jiff::{Timestamp as Moment, tz::TimeZone};
use serde_json::json;
use uuid::Uuid;

use super::{mailbox, table, tenant};
use crate::{
    blobs::Blobs,
    clock::Clock,
    mailbox::{Folder, Mailbox, MessageId, Notice, Timestamp, Transcript, Translation},
    store::{
        Db, deliveries,
        deliveries::{Delivery, State},
        messages,
        messages::{Marks, Message, Page, Transcription},
        transcripts,
        translations::{self, Translated},
    },
};

/// What can be done with messages.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the messages of a mailbox, newest first
    List {
        /// Which mailbox
        #[arg(long, value_name = "NUMBER")]
        mailbox: String,
        /// Only this folder: new, saved, work, family, friends, fifth, sixth or deleted
        #[arg(long)]
        folder: Option<Folder>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        most: u32,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Show one message: who, when, what was said, and what became of its mail
    Show {
        /// Its id, as `message list` shows it
        id: Uuid,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Move a message to another folder; from the trash, that fetches it back
    Move {
        /// Its id, as `message list` shows it
        id: Uuid,
        /// Where to: new, saved or deleted (the trash)
        #[arg(long)]
        to: Folder,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Say what sets a message apart; a pinned or held one never gives way to a new one
    Mark {
        /// Its id, as `message list` shows it
        id: Uuid,
        /// Whether its owner wants to keep it
        #[arg(long, value_name = "yes|no", value_parser = table::decision)]
        pinned: Option<bool>,
        /// Whether it must be kept whatever its owner does
        #[arg(long, value_name = "yes|no", value_parser = table::decision)]
        held: Option<bool>,
        /// Whether its caller called it urgent
        #[arg(long, value_name = "yes|no", value_parser = table::decision)]
        urgent: Option<bool>,
        /// Whether it is for its owner alone: not passed on, and its recording not mailed
        #[arg(long, value_name = "yes|no", value_parser = table::decision)]
        private: Option<bool>,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Note that a mail came back after the mail server had accepted it; a message that had gone
    /// into the trash for it is a new one again
    Bounced {
        /// Its id, as the Message-ID of the mail begins
        id: Uuid,
        /// To whom the mail was
        #[arg(long, value_name = "EMAIL")]
        recipient: String,
        /// What the notice says
        #[arg(long, value_name = "TEXT", default_value = "returned by a server further on")]
        reply: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Write the sound of a message to a WAV file
    Export {
        /// Its id, as `message list` shows it
        id: Uuid,
        /// Where to; a file that exists is not replaced (at first: ID.wav)
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// Does it, and says so.
pub async fn run(
    command: Command,
    db: &Db,
    blobs: &Blobs,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Move { id, to, of } => {
            let (message, mailbox) = find(db, &of, id).await?;
            messages::move_to(db, &mailbox.id, &message.id, to, OPERATOR, clock.now()).await?;
            Ok(writeln!(out, "Message {id} is in the folder {}.", to.as_str())?)
        }
        Command::Mark { id, pinned, held, urgent, private, of } => {
            let (message, mailbox) = find(db, &of, id).await?;
            let marks = Marks {
                pinned: pinned.unwrap_or(message.marks.pinned),
                held: held.unwrap_or(message.marks.held),
                urgent: urgent.unwrap_or(message.marks.urgent),
                private: private.unwrap_or(message.marks.private),
            };
            messages::mark(db, &mailbox.id, &message.id, marks).await?;
            Ok(writeln!(out, "Message {id} is {}.", marked(marks))?)
        }
        Command::List { mailbox, folder, most, json, of } => {
            let mailbox = mailbox::find(db, &of, &mailbox).await?;
            let messages = messages::list(db, &mailbox.id, folder, Page::first(most)).await?;
            list(db, &mailbox, messages, json, out).await
        }
        Command::Show { id, json, of } => {
            let (message, mailbox) = find(db, &of, id).await?;
            let transcript = transcripts::of(db, &message.id).await?;
            let translated = translations::of(db, &message.id).await?;
            let deliveries = deliveries::of(db, &message.id).await?;
            if json {
                let mut all = described(&message, &mailbox, transcript.as_ref());
                all["translation"] = in_other_words(&translated);
                all["deliveries"] = deliveries.iter().map(delivered).collect();
                return table::json(out, &all);
            }
            show(&message, &mailbox, transcript, &deliveries, out)?;
            tell(&translated, out)
        }
        Command::Bounced { id, recipient, reply, of } => {
            let (message, _) = find(db, &of, id).await?;
            if !deliveries::bounced(db, &message.id, &recipient, &reply).await? {
                bail!("no mail of message {id} to {recipient} was accepted");
            }
            Ok(writeln!(out, "Noted: the mail to {} came back.", table::plain(&recipient))?)
        }
        Command::Export { id, to, of } => {
            let (message, _) = find(db, &of, id).await?;
            let sound = blobs.get(&message.blob).await?;
            let to = to.unwrap_or_else(|| PathBuf::from(format!("{id}.wav")));
            let file = OpenOptions::new().write(true).create_new(true).open(&to);
            let mut file = file.with_context(|| {
                format!("{} cannot be written; name another file with --to", to.display())
            })?;
            file.write_all(&sound).with_context(|| format!("writing {}", to.display()))?;
            Ok(writeln!(out, "{} is written, {} bytes.", to.display(), sound.len())?)
        }
    }
}

/// Who put a message into the trash by a verb.
const OPERATOR: &str = "operator";

/// What sets a message apart, in words.
fn marked(marks: Marks) -> String {
    let words = [
        (marks.urgent, "urgent"),
        (marks.private, "private"),
        (marks.pinned, "pinned"),
        (marks.held, "held"),
    ];
    let said: Vec<_> = words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    if said.is_empty() { "like any other".to_owned() } else { said.join(", ") }
}

async fn find(db: &Db, of: &tenant::Of, id: Uuid) -> anyhow::Result<(Message, Mailbox)> {
    let tenant = tenant::find(db, &of.tenant).await?;
    messages::get(db, &tenant.id, &MessageId(id)).await?.with_context(|| {
        format!(
            "tenant {} has no message {id}; see `afterbeep message list --mailbox NUMBER{}`",
            of.tenant,
            of.suffix()
        )
    })
}

async fn list(
    db: &Db,
    mailbox: &Mailbox,
    messages: Vec<Message>,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut with_text = Vec::with_capacity(messages.len());
    for message in messages {
        let transcript = transcripts::of(db, &message.id).await?;
        with_text.push((message, transcript));
    }
    if json {
        let all = with_text.iter().map(|(it, text)| described(it, mailbox, text.as_ref()));
        return table::json(out, &all.collect());
    }
    if with_text.is_empty() {
        return Ok(writeln!(out, "No messages in mailbox {}.", mailbox.number)?);
    }
    let rows: Vec<_> = with_text
        .iter()
        .map(|(message, transcript)| {
            [
                message.id.to_string(),
                message.folder.as_str().to_owned(),
                local(message.envelope.received, mailbox),
                length(message),
                message.envelope.caller.to_string(),
                opening(&said(message, transcript.as_ref())),
            ]
        })
        .collect();
    table::table(out, ["ID", "FOLDER", "RECEIVED", "LENGTH", "FROM", "SAID"], &rows)
}

fn show(
    message: &Message,
    mailbox: &Mailbox,
    transcript: Option<Transcript>,
    deliveries: &[Delivery],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let cut = if message.envelope.interrupted { ", interrupted" } else { "" };
    let fields = [
        ("Message", message.id.to_string()),
        ("Mailbox", format!("{} ({})", mailbox.number, mailbox.name)),
        ("Folder", message.folder.as_str().to_owned()),
        ("From", message.envelope.caller.to_string()),
        ("Reason", message.envelope.reason.to_string()),
        ("Received", local(message.envelope.received, mailbox)),
        ("Length", length(message) + cut),
    ];
    for (field, value) in fields {
        writeln!(out, "{:10}{}", format!("{field}:"), table::plain(&value))?;
    }
    if message.marks != Marks::default() {
        writeln!(out, "{:10}{}", "Marked:", marked(message.marks))?;
    }
    if let Some(by) = &message.deleted_by {
        writeln!(out, "{:10}{}", "Trashed:", table::plain(&format!("by {by}")))?;
    }
    if let Some(room) = &message.made_room {
        let line = format!(
            "{} of {} messages; {} gave way for it",
            room.used,
            room.limit,
            room.rotated.len()
        );
        writeln!(out, "{:10}{line}", "Room:")?;
    }
    for it in deliveries {
        writeln!(out, "{:10}{}", "Mail to:", table::plain(&mail(it, mailbox)))?;
    }
    writeln!(out, "\n{}", table::plain(&said(message, transcript.as_ref())))?;
    Ok(())
}

/// The translation, and what is doubtful about it.
fn tell(translated: &Translated, out: &mut impl Write) -> anyhow::Result<()> {
    let Translation { language, text, engine, difference } = match translated {
        Translated::Done(translation) => translation,
        Translated::Off => return Ok(()),
        Translated::Waiting => return Ok(writeln!(out, "\n(not translated yet)")?),
        Translated::Failed(why) => {
            return Ok(writeln!(out, "\n(no translation: {})", table::plain(why))?);
        }
    };
    let [language, engine, text] = [language, engine, text].map(|it| table::plain(it));
    writeln!(out, "\nIn {language}, by a machine ({engine}):\n{text}")?;
    if let Some(difference) = difference {
        writeln!(out, "Its numbers are not those of the original: {difference}.")?;
    }
    Ok(())
}

fn in_other_words(translated: &Translated) -> serde_json::Value {
    match translated {
        Translated::Off => json!({ "state": "off" }),
        Translated::Waiting => json!({ "state": "waiting" }),
        Translated::Failed(why) => json!({ "state": "failed", "error": why }),
        Translated::Done(it) => json!({
            "state": "done",
            "language": it.language,
            "text": it.text,
            "engine": it.engine,
            "difference": it.difference,
        }),
    }
}

/// What became of the mail to one recipient: who, how far it got, and what the server said.
fn mail(delivery: &Delivery, mailbox: &Mailbox) -> String {
    let Delivery { recipient, kind, state, with_audio, attempts, reply, next_try } = delivery;
    let short = if *kind == Notice::Short { " (short)" } else { "" };
    let audio = match (state, kind) {
        (State::Accepted, Notice::Full) if *with_audio => " with the recording",
        (State::Accepted, Notice::Full) => " without the recording",
        _ => "",
    };
    let next = match (state, next_try) {
        (State::Deferred, Some(at)) => format!(" until {}", local(*at, mailbox)),
        (State::Unsubscribed, _) => ", so nothing was sent".into(),
        _ => String::new(),
    };
    let tries = if *attempts > 1 { format!(", {attempts} tries") } else { String::new() };
    let reply = reply.as_deref().map(|it| format!(" ({it})")).unwrap_or_default();
    format!("{recipient}{short}, {}{audio}{next}{tries}{reply}", state.as_str())
}

/// What was said, or why nobody knows.
fn said(message: &Message, transcript: Option<&Transcript>) -> String {
    match (&message.transcription, transcript.map(Transcript::text)) {
        (_, Some(text)) if text.is_empty() => "(no speech)".to_owned(),
        (_, Some(text)) => text,
        (Transcription::Failed(why), None) => format!("(no transcript: {why})"),
        (Transcription::Off, None) => "(no transcript wanted)".to_owned(),
        (Transcription::Waiting | Transcription::Done, None) => "(not transcribed yet)".to_owned(),
    }
}

/// The first words of it.
fn opening(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 3).chain("...".chars()).collect()
}

/// A moment where the mailbox's owner lives.
fn local(at: Timestamp, mailbox: &Mailbox) -> String {
    let zone = TimeZone::get(&mailbox.settings.time_zone).unwrap_or(TimeZone::UTC);
    let moment = Moment::from_millisecond(at.0).unwrap_or_default();
    moment.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn length(message: &Message) -> String {
    let seconds = message.envelope.length.as_millis().div_ceil(1000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn described(
    message: &Message,
    mailbox: &Mailbox,
    transcript: Option<&Transcript>,
) -> serde_json::Value {
    let received = Moment::from_millisecond(message.envelope.received.0).unwrap_or_default();
    json!({
        "id": message.id,
        "mailbox": mailbox.number,
        "folder": message.folder,
        "caller": message.envelope.caller,
        "received": received.to_string(),
        "length_ms": u64::try_from(message.envelope.length.as_millis()).unwrap_or(u64::MAX),
        "interrupted": message.envelope.interrupted,
        "marks": message.marks,
        "deleted_by": message.deleted_by,
        "copied_from": message.copied_from,
        "forwarded_by": message.forwarded_by,
        "made_room": message.made_room,
        "reason": message.envelope.reason,
        "transcription": message.transcription,
        "transcript": transcript,
        "text": transcript.map(Transcript::text),
    })
}

fn delivered(delivery: &Delivery) -> serde_json::Value {
    json!({
        "recipient": delivery.recipient,
        "kind": delivery.kind,
        "state": delivery.state.as_str(),
        "with_audio": delivery.with_audio,
        "attempts": delivery.attempts,
        "reply": delivery.reply,
        "next_try": delivery.next_try.and_then(|it| Moment::from_millisecond(it.0).ok())
            .map(|it| it.to_string()),
    })
}
