//! `afterbeep mailbox`: where calls can leave messages.

use std::io::Write;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{check, pin, table, tenant, user, wishes};
use crate::{
    admin,
    blobs::Blobs,
    clock::Clock,
    mailbox::{Folder, Mailbox, MailboxId, Notice, Preferences, Recipient, Settings},
    store::{Db, StoreError, mailboxes, mailboxes::Entry, messages, pins, tenants, unsubscribed},
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
    /// Show every setting of a mailbox, and whether it is its own, its tenant's or the default
    Show {
        /// Which one
        number: String,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Give a mailbox a new PIN, which its owner needs at other phones than their own
    Pin(pin::Pinning),
    /// End the lock that too many wrong PINs put on a mailbox
    Unlock {
        /// Which one
        number: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Send mail again to somebody who had asked for no more of it
    Resubscribe {
        /// Which one
        number: String,
        /// The address
        email: String,
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

/// What can be told of a mailbox.
#[derive(Debug, Args)]
pub struct Wishes {
    /// The owner's name, as mails address it (at first: the owner's, else the number)
    #[arg(long)]
    name: Option<String>,
    /// Whose it is: a user's address, or "none"
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
    /// What it sets itself.
    #[command(flatten)]
    settings: wishes::Wishes,
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
            let entry = mailboxes::entry(db, &mailbox.tenant, &mailbox.id).await?;
            let mut entry = entry.context("the mailbox has just been removed")?;
            wishes.apply(db, &of, &mut entry).await?;
            mailboxes::set(db, &mailbox.tenant, &mailbox.id, &entry).await?;
            write!(out, "Mailbox {number} is changed.")?;
            let mailbox = find(db, &of, &number).await?;
            Ok(writeln!(out, "{}{}", silent(&mailbox, &of), kept(&mailbox))?)
        }
        Command::Pin(pinning) => pin::run(pinning, db, clock, out).await,
        Command::Unlock { number, of } => {
            let mailbox = find(db, &of, &number).await?;
            let was = pins::locked_until(db, &mailbox.id, clock.now()).await?.is_some();
            pins::unlock(db, &mailbox.id).await?;
            match was {
                true => writeln!(out, "Mailbox {number} is unlocked.")?,
                false => writeln!(out, "Mailbox {number} was not locked.")?,
            }
            Ok(())
        }
        Command::Resubscribe { number, email, of } => {
            let mailbox = find(db, &of, &number).await?;
            let email = table::plain(&email);
            if !unsubscribed::remove(db, &mailbox.id, &email).await? {
                bail!("{email} has not unsubscribed from mailbox {number}");
            }
            Ok(writeln!(
                out,
                "Mailbox {number} sends mail to {email} again, if it is a recipient."
            )?)
        }
        Command::Show { number, json, of } => show((db, clock), &of, &number, json, out).await,
        Command::List { json, of } => list(db, &of, json, out).await,
        Command::Rm { number, with_messages, of } => {
            let mailbox = find(db, &of, &number).await?;
            if with_messages {
                admin::mailbox::empty(db, blobs, clock, &mailbox.id).await?;
            }
            let gone = admin::mailbox::remove(db, blobs, &mailbox.tenant, &mailbox.id).await;
            gone.map_err(|error| match error.downcast_ref() {
                Some(StoreError::InUse { count, .. }) => anyhow!(
                    "mailbox {number} still has {count} message(s); to remove them for good as \
                     well, say `afterbeep mailbox rm {number} --with-messages{}`",
                    of.suffix()
                ),
                _ => error,
            })?;
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
    check::number(number)?;
    let tenant = tenant::find(db, &of.tenant).await?.id;
    let mut entry = Entry { name: number.to_owned(), ..Entry::default() };
    if let Some(email) = wishes.owner.as_deref().filter(|it| *it != check::NONE) {
        entry.name = user::find(db, of, email).await?.name;
    }
    wishes.apply(db, of, &mut entry).await?;
    let id = MailboxId(clock.message_id().to_string());
    match mailboxes::add(db, &tenant, &id, number, &entry, clock.now()).await {
        Err(StoreError::Taken { .. }) => bail!(
            "there is already a mailbox {number} at tenant {}; change it with \
             `afterbeep mailbox set {number}{}`",
            of.tenant,
            of.suffix()
        ),
        other => other?,
    }
    write!(out, "Mailbox {number} is there.")?;
    let mailbox = find(db, of, number).await?;
    Ok(writeln!(out, "{}{}", silent(&mailbox, of), kept(&mailbox))?)
}

/// What to do about a mailbox whose messages reach nobody, if that is so.
fn silent(mailbox: &Mailbox, of: &tenant::Of) -> String {
    if !mailbox.settings.notify || !mailbox.recipients().is_empty() {
        return String::new();
    }
    let (number, suffix) = (&mailbox.number, of.suffix());
    format!(
        " Nobody gets mail from it yet: `afterbeep mailbox set {number} --notify-to EMAIL{suffix}`, \
         or give it an owner."
    )
}

/// What to know of a mailbox that is to delete messages and never will.
fn kept(mailbox: &Mailbox) -> &'static str {
    let full = mailbox.recipients().iter().any(|it| it.kind == Notice::Full);
    if mailbox.settings.delete_after_notify && !full {
        " Nobody gets the recording by mail, so no message is deleted after notification."
    } else {
        ""
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
    let recipients = mailbox.recipients();
    let to: Vec<_> = recipients.iter().map(named).collect();
    let Preferences { time_zone, pages, spoken, transcribe, .. } = mailbox.settings;
    [
        mailbox.number,
        mailbox.name,
        new.to_string(),
        time_zone,
        pages,
        spoken,
        table::yes(transcribe).to_owned(),
        if to.is_empty() { "-".to_owned() } else { to.join(", ") },
    ]
}

/// A recipient, with what is special about them.
fn named(recipient: &Recipient) -> String {
    match recipient.kind {
        Notice::Full => recipient.address.clone(),
        Notice::Short => format!("{} (short)", recipient.address),
    }
}

fn described(mailbox: &Mailbox, new: u64) -> serde_json::Value {
    json!({
        "id": mailbox.id,
        "number": mailbox.number,
        "name": mailbox.name,
        "new_messages": new,
        "settings": mailbox.settings,
        "recipients": mailbox.recipients(),
    })
}

async fn show(
    (db, clock): (&Db, &Clock),
    of: &tenant::Of,
    number: &str,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mailbox = find(db, of, number).await?;
    let gone = "the mailbox has just been removed";
    let entry = mailboxes::entry(db, &mailbox.tenant, &mailbox.id).await?.context(gone)?;
    let tenant = tenants::named(db, &of.tenant).await?.context(gone)?;
    let lines = Settings::lines(&entry.settings, &tenant.settings);
    if json {
        let new = messages::count(db, &mailbox.id, Folder::New).await?;
        let mut all = described(&mailbox, new);
        all["lines"] = json!(lines);
        let gone = unsubscribed::of(db, &mailbox.id).await?;
        let gone = mailbox.recipients().into_iter().filter(|it| gone.has(&it.address));
        all["unsubscribed"] = gone.map(|it| it.address).collect();
        return table::json(out, &all);
    }
    let owner = mailbox.owner_email.as_deref().unwrap_or("nobody");
    writeln!(out, "Mailbox {number} ({}), owned by {owner}\n", table::plain(&mailbox.name))?;
    let mut rows: Vec<_> = lines
        .into_iter()
        .map(|it| [it.label.to_owned(), it.value, it.from.as_str().to_owned()])
        .collect();
    let locked = pins::locked_until(db, &mailbox.id, clock.now()).await?;
    let (pin, from) = match pins::of(db, &mailbox.id).await? {
        Some(_) if locked.is_some() => ("set, locked by wrong ones", "mailbox"),
        Some(_) => ("set", "mailbox"),
        None => ("not set", "default"),
    };
    rows.push(["Voicemail PIN".into(), pin.into(), from.into()]);
    table::table(out, ["SETTING", "VALUE", "FROM"], &rows)?;
    let gone = unsubscribed::of(db, &mailbox.id).await?;
    let (left, stay): (Vec<_>, Vec<_>) =
        mailbox.recipients().into_iter().partition(|it| gone.has(&it.address));
    let all = |some: &[Recipient]| some.iter().map(named).collect::<Vec<_>>().join(", ");
    let to = if stay.is_empty() { "nobody".to_owned() } else { all(&stay) };
    writeln!(out, "\nMail goes to {}.{}", table::plain(&to), kept(&mailbox))?;
    if left.is_empty() {
        return Ok(());
    }
    write!(out, "Unsubscribed, so nothing is sent: {}.", table::plain(&all(&left)))?;
    if mailbox.settings.delete_after_notify && left.iter().any(|it| it.kind == Notice::Full) {
        write!(out, " Messages are not deleted after notification as long as they are named.")?;
    }
    let undo = format!("`afterbeep mailbox resubscribe {number} EMAIL{}`", of.suffix());
    Ok(writeln!(out, "\nTo undo that: {undo}.")?)
}

impl Wishes {
    async fn apply(self, db: &Db, of: &tenant::Of, entry: &mut Entry) -> anyhow::Result<()> {
        if let Some(name) = self.name {
            check::name(&name)?;
            entry.name = name;
        }
        match self.owner.as_deref() {
            None => {}
            Some(check::NONE) => entry.owner = None,
            Some(email) => entry.owner = Some(user::find(db, of, email).await?.id),
        }
        self.settings.apply(&mut entry.settings)
    }
}
