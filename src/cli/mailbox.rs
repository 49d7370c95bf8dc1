//! `afterbeep mailbox`: where calls can leave messages.

use std::io::Write;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{check, table, tenant, user};
use crate::{
    blobs::Blobs,
    clock::Clock,
    mailbox::{Folder, Mailbox, MailboxId},
    store::{Db, StoreError, mailboxes, mailboxes::Settings, messages},
};

/// What can be done with mailboxes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a mailbox
    Add {
        /// What is dialled: letters, digits, "_", "." and "-"
        number: String,
        /// Its settings.
        #[command(flatten)]
        wishes: Wishes,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Change a mailbox; what is not named stays as it is
    Set {
        /// Which one
        number: String,
        /// Its settings.
        #[command(flatten)]
        wishes: Wishes,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Show all mailboxes of a tenant with the settings that apply to them
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Remove a mailbox
    Rm {
        /// Which one
        number: String,
        /// Remove the messages in it too, for good
        #[arg(long)]
        with_messages: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// Settings of a mailbox; "inherit" is as the tenant has it.
#[derive(Debug, Args)]
pub struct Wishes {
    /// The owner's name, as mails address it (at first: the owner's, else the number)
    #[arg(long)]
    name: Option<String>,
    /// Whose it is: a user's address, or "none"
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
    /// Who gets mail, separated by commas; "owner" for the owner alone (at first: owner)
    #[arg(long, value_name = "EMAIL,...", value_delimiter = ',')]
    recipients: Option<Vec<String>>,
    /// Dates in mails are told in it, e.g. Europe/Vienna, or "inherit"
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Of prompts and mails, e.g. en, or "inherit"
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Spoken in messages, e.g. en; "auto" detects it; or "inherit"
    #[arg(long, value_name = "CODE")]
    spoken: Option<String>,
    /// Whether messages are transcribed
    #[arg(long, value_name = "yes|no|inherit", hide_possible_values = true)]
    transcribe: Option<Choice>,
}

/// Yes, no, or as the tenant has it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Choice {
    /// Do it.
    Yes,
    /// Do not.
    No,
    /// As the tenant has it.
    Inherit,
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
        Command::Add { number, wishes, of } => add(db, clock, &number, wishes, &of, out).await,
        Command::Set { number, wishes, of } => {
            let mailbox = find(db, &of, &number).await?;
            let settings = mailboxes::settings(db, &mailbox.tenant, &mailbox.id).await?;
            let mut settings = settings.context("the mailbox has just been removed")?;
            wishes.apply(db, &of, &mut settings).await?;
            mailboxes::set(db, &mailbox.tenant, &mailbox.id, &settings).await?;
            Ok(writeln!(out, "Mailbox {number} is changed.")?)
        }
        Command::List { json, of } => list(db, &of, json, out).await,
        Command::Rm { number, with_messages, of } => {
            let mailbox = find(db, &of, &number).await?;
            if with_messages {
                empty(db, blobs, clock, &mailbox).await?;
            }
            let greetings = match mailboxes::remove(db, &mailbox.tenant, &mailbox.id).await {
                Err(StoreError::InUse { count, .. }) => bail!(
                    "mailbox {number} still has {count} message(s); to remove them for good as \
                     well, say `afterbeep mailbox rm {number} --with-messages{}`",
                    of.suffix()
                ),
                other => other?,
            };
            for blob in greetings.unwrap_or_default() {
                blobs.delete(&blob).await?;
            }
            Ok(writeln!(out, "Mailbox {number} is gone.")?)
        }
    }
}

/// The tenant's mailbox with this number, or what to do about there being none.
pub(super) async fn find(db: &Db, of: &tenant::Of, number: &str) -> anyhow::Result<Mailbox> {
    let tenant = tenant::find(db, &of.tenant).await?;
    mailboxes::at(db, &tenant.id, number).await?.with_context(|| {
        let (name, suffix) = (&of.tenant, of.suffix());
        format!(
            "tenant {name} has no mailbox {number:?}; see `afterbeep mailbox list{suffix}`, or \
             add it with `afterbeep mailbox add {number}{suffix}`"
        )
    })
}

async fn add(
    db: &Db,
    clock: &Clock,
    number: &str,
    wishes: Wishes,
    of: &tenant::Of,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    check::handle("mailbox number", number)?;
    let tenant = tenant::find(db, &of.tenant).await?.id;
    let mut settings = Settings { name: number.to_owned(), ..Settings::default() };
    if let Some(email) = wishes.owner.as_deref().filter(|it| *it != check::NONE) {
        settings.name = user::find(db, of, email).await?.name;
    }
    wishes.apply(db, of, &mut settings).await?;
    let id = MailboxId(clock.message_id().to_string());
    match mailboxes::add(db, &tenant, &id, number, &settings, clock.now()).await {
        Err(StoreError::Taken { .. }) => bail!(
            "there is already a mailbox {number} at tenant {}; change it with \
             `afterbeep mailbox set {number}{}`",
            of.tenant,
            of.suffix()
        ),
        other => other?,
    }
    write!(out, "Mailbox {number} is there.")?;
    if mailboxes::recipients(db, &tenant, &id).await?.is_empty() {
        write!(
            out,
            " Nobody gets mail from it yet: `afterbeep mailbox set {number} \
             --recipients EMAIL{}`.",
            of.suffix()
        )?;
    }
    Ok(writeln!(out)?)
}

/// Purges everything in a mailbox.
async fn empty(db: &Db, blobs: &Blobs, clock: &Clock, mailbox: &Mailbox) -> anyhow::Result<()> {
    loop {
        let page = messages::Page::first(messages::Page::LONGEST);
        let some = messages::list(db, &mailbox.id, None, page).await?;
        if some.is_empty() {
            return Ok(());
        }
        for message in some {
            let purged = messages::purge(db, &mailbox.id, &message.id, clock.now()).await?;
            if let Some(blob) = purged.and_then(|it| it.orphan) {
                blobs.delete(&blob).await?;
            }
        }
    }
}

async fn list(db: &Db, of: &tenant::Of, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let tenant = tenant::find(db, &of.tenant).await?;
    let mailboxes = mailboxes::list(db, &tenant.id).await?;
    let mut counted = Vec::with_capacity(mailboxes.len());
    for mailbox in mailboxes {
        let new = messages::count(db, &mailbox.id, Folder::New).await?;
        counted.push((mailbox, new));
    }
    if json {
        let all: Vec<_> = counted.iter().map(|(mailbox, new)| described(mailbox, *new)).collect();
        return table::json(out, &all.into());
    }
    if counted.is_empty() {
        return Ok(writeln!(
            out,
            "No mailboxes yet. Add one: `afterbeep mailbox add NUMBER{}`.",
            of.suffix()
        )?);
    }
    let rows: Vec<_> = counted.into_iter().map(|(mailbox, new)| row(mailbox, new)).collect();
    table::table(
        out,
        ["NUMBER", "NAME", "NEW", "TIME ZONE", "LANGUAGE", "SPOKEN", "TRANSCRIBE", "MAIL TO"],
        &rows,
    )
}

fn row(mailbox: Mailbox, new: u64) -> [String; 8] {
    [
        mailbox.number,
        mailbox.name,
        new.to_string(),
        mailbox.time_zone,
        mailbox.language,
        mailbox.spoken.unwrap_or_else(|| Settings::DETECTED.to_owned()),
        tenant::Decision::from(mailbox.transcribe).as_str().to_owned(),
        if mailbox.recipients.is_empty() { "-".to_owned() } else { mailbox.recipients.join(", ") },
    ]
}

fn described(mailbox: &Mailbox, new: u64) -> serde_json::Value {
    json!({
        "id": mailbox.id,
        "number": mailbox.number,
        "name": mailbox.name,
        "new_messages": new,
        "time_zone": mailbox.time_zone,
        "language": mailbox.language,
        "spoken": mailbox.spoken,
        "transcribe": mailbox.transcribe,
        "recipients": mailbox.recipients,
    })
}

impl Wishes {
    async fn apply(self, db: &Db, of: &tenant::Of, settings: &mut Settings) -> anyhow::Result<()> {
        if let Some(name) = self.name {
            check::name(&name)?;
            settings.name = name;
        }
        match self.owner.as_deref() {
            None => {}
            Some(check::NONE) => settings.owner = None,
            Some(email) => settings.owner = Some(user::find(db, of, email).await?.id),
        }
        if let Some(recipients) = self.recipients {
            settings.recipients = addresses(recipients)?;
        }
        if let Some(zone) = self.time_zone {
            settings.time_zone = own(zone, check::time_zone)?;
        }
        if let Some(language) = self.language {
            settings.language = own(language, check::language)?;
        }
        if let Some(spoken) = self.spoken {
            let fine = |it: &str| match it {
                Settings::DETECTED => Ok(()),
                language => check::language(language),
            };
            settings.spoken = own(spoken, fine)?;
        }
        match self.transcribe {
            None => {}
            Some(Choice::Yes) => settings.transcribe = Some(true),
            Some(Choice::No) => settings.transcribe = Some(false),
            Some(Choice::Inherit) => settings.transcribe = None,
        }
        Ok(())
    }
}

/// A mailbox's own setting, or none where it says "inherit".
fn own(word: String, check: impl Fn(&str) -> anyhow::Result<()>) -> anyhow::Result<Option<String>> {
    if word == check::INHERIT {
        return Ok(None);
    }
    check(&word)?;
    Ok(Some(word))
}

/// Recipients, each once.
fn addresses(said: Vec<String>) -> anyhow::Result<Vec<String>> {
    let mut addresses: Vec<String> = Vec::new();
    for address in said.iter().map(|it| it.trim()).filter(|it| *it != "owner") {
        check::email(address)?;
        if !addresses.iter().any(|it| it == address) {
            addresses.push(address.to_owned());
        }
    }
    if said.len() > 1 && addresses.len() < said.len() && said.iter().any(|it| it.trim() == "owner")
    {
        bail!("\"owner\" stands alone; to add others, write the owner's address too");
    }
    Ok(addresses)
}
