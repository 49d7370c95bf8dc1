//! `afterbeep lamp`: which phones are told what waits, and what they were told.

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{jobs::moment, mailbox, table, tenant};
use crate::{
    clock::Clock,
    mailbox::lamp::Counts,
    sip::lamp::is_target,
    store::{
        Db, StoreError,
        lamps::{self, Listed},
        mailboxes,
    },
};

/// What can be done with lamps.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the phones and others that are told, and what they were told
    List {
        /// Of this mailbox only
        #[arg(long, value_name = "NUMBER")]
        mailbox: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Have an address told that does not subscribe itself
    Add(Target),
    /// Have an address not told any more
    Rm(Target),
    /// Have all phones of a mailbox told anew, or those of all mailboxes
    Resync {
        /// Which one; without it all of the tenant
        #[arg(long, value_name = "NUMBER")]
        mailbox: Option<String>,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
}

/// An address and what it is told of.
#[derive(Debug, Args)]
pub struct Target {
    /// Of which mailbox
    #[arg(long, value_name = "NUMBER")]
    mailbox: String,
    /// Where, such as sip:1000@192.0.2.20
    address: String,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

/// Lamps of one mailbox that an operator may have told.
const MOST: usize = 50;

/// Does it, and says so.
pub async fn run(
    command: Command,
    db: &Db,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::List { mailbox, json, of } => {
            let tenant = tenant::find(db, &of.tenant).await?;
            let mut listed = lamps::list(db, &tenant.id).await?;
            if let Some(number) = mailbox {
                mailbox::find(db, &of, &number).await?;
                listed.retain(|it| it.number == number);
            }
            list(&listed, json, out)
        }
        Command::Add(target) => add(&target, db, clock, out).await,
        Command::Rm(Target { mailbox, address, of }) => {
            let found = mailbox::find(db, &of, &mailbox).await?;
            if !lamps::remove_target(db, &found.id, &address).await? {
                bail!("{address} is not told of mailbox {mailbox}; see `afterbeep lamp list`");
            }
            Ok(writeln!(out, "{address} is not told of mailbox {mailbox} any more.")?)
        }
        Command::Resync { mailbox, of } => {
            let mut lamps = 0;
            let found = match mailbox {
                Some(number) => vec![mailbox::find(db, &of, &number).await?],
                None => mailboxes::list(db, &tenant::find(db, &of.tenant).await?.id).await?,
            };
            for it in found {
                lamps += lamps::resync(db, &it.id).await?;
            }
            Ok(writeln!(out, "{lamps} lamp(s) will be told anew by the running server.")?)
        }
    }
}

async fn add(target: &Target, db: &Db, clock: &Clock, out: &mut impl Write) -> anyhow::Result<()> {
    let Target { mailbox, address, of } = target;
    if !is_target(address) {
        bail!("{address:?} is not an address such as sip:1000@192.0.2.20");
    }
    let found = mailbox::find(db, of, mailbox).await?;
    let there = lamps::list(db, &found.tenant).await?;
    if there.iter().filter(|it| it.number == *mailbox && it.expires.is_none()).count() >= MOST {
        bail!("mailbox {mailbox} has {MOST} lamps already; take one away with `afterbeep lamp rm`");
    }
    let id = clock.message_id().to_string();
    match lamps::add_target(db, &id, &found.id, address, clock.now()).await {
        Err(StoreError::Taken { .. }) => bail!("{address} is told of mailbox {mailbox} already"),
        other => other?,
    }
    Ok(writeln!(out, "{address} is told of mailbox {mailbox} by the running server.")?)
}

fn list(listed: &[Listed], json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        return table::json(out, &listed.iter().map(described).collect());
    }
    if listed.is_empty() {
        return Ok(writeln!(out, "Nobody is told of any mailbox.")?);
    }
    let rows: Vec<_> = listed
        .iter()
        .map(|it| {
            [
                it.number.clone(),
                it.kind.as_str().to_owned(),
                it.place.clone(),
                it.told.map_or_else(String::new, |(counts, _)| voice(counts)),
                it.told.map_or_else(String::new, |it| moment(it.1)),
                if it.is_behind { "behind" } else { "right" }.to_owned(),
                it.expires.map_or_else(String::new, moment),
                it.problem.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let headings =
        ["MAILBOX", "KIND", "ADDRESS", "NEW/SAVED", "TOLD", "STATE", "ENDS", "LAST ERROR"];
    table::table(out, headings, &rows)
}

fn described(it: &Listed) -> serde_json::Value {
    let counts = it.told.map(|(it, _)| {
        json!({
            "new": it.new, "saved": it.saved,
            "new_urgent": it.new_urgent, "saved_urgent": it.saved_urgent,
        })
    });
    json!({
        "mailbox": it.number,
        "kind": it.kind.as_str(),
        "address": it.place,
        "counts": counts,
        "told": it.told.map(|it| moment(it.1)),
        "behind": it.is_behind,
        "ends": it.expires.map(moment),
        "error": it.problem,
    })
}

/// As it is told.
fn voice(Counts { new, saved, new_urgent, saved_urgent }: Counts) -> String {
    format!("{new}/{saved} ({new_urgent}/{saved_urgent})")
}
