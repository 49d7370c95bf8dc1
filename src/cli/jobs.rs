//! `afterbeep jobs`: the work that follows a call, and what became of it.

use std::io::Write;

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp as Moment;
use serde_json::json;

use super::table;
use crate::{
    clock::Clock,
    mailbox::Timestamp,
    store::{
        Db,
        jobs::{self, Listed},
    },
};

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the work that waits, is being done, or was given up
    List {
        /// Only what was given up
        #[arg(long)]
        given_up: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Have work done now: what was given up, or what waits for its next try
    Retry {
        /// Its id, as `jobs list` shows it
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// Everything that was given up
        #[arg(long)]
        all: bool,
    },
}

/// Does it, and says so.
pub async fn run(
    command: Command,
    db: &Db,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::List { given_up, json } => {
            let mut listed = jobs::list(db).await?;
            listed.retain(|it| it.buried || !given_up);
            list(&listed, clock.now(), json, out)
        }
        Command::Retry { id: Some(id), .. } => {
            let now = clock.now();
            if !jobs::try_now(db, &id, now).await? {
                bail!("no job {id:?} waits or was given up; see `afterbeep jobs list`");
            }
            Ok(writeln!(out, "It is due now; a running server takes it up within half a minute.")?)
        }
        Command::Retry { .. } => {
            let (mut revived, now) = (0, clock.now());
            for it in jobs::list(db).await?.into_iter().filter(|it| it.buried) {
                revived += usize::from(jobs::revive(db, &it.job.id, now).await?);
            }
            Ok(writeln!(out, "{revived} job(s) are due now.")?)
        }
    }
}

fn list(listed: &[Listed], now: Timestamp, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        return table::json(out, &listed.iter().map(|it| described(it, now)).collect());
    }
    if listed.is_empty() {
        return Ok(writeln!(out, "Nothing is left to do.")?);
    }
    let rows: Vec<_> = listed
        .iter()
        .map(|it| {
            [
                it.job.id.clone(),
                it.job.kind.as_str().to_owned(),
                it.job.subject.to_string(),
                state(it, now).to_owned(),
                moment(it.due),
                it.job.attempts.to_string(),
                it.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table::table(out, ["ID", "WORK", "MESSAGE", "STATE", "DUE", "TRIES", "LAST ERROR"], &rows)
}

fn described(it: &Listed, now: Timestamp) -> serde_json::Value {
    json!({
        "id": it.job.id,
        "kind": it.job.kind.as_str(),
        "message": it.job.subject,
        "state": state(it, now),
        "due": moment(it.due),
        "attempts": it.job.attempts,
        "error": it.error,
    })
}

fn state(it: &Listed, now: Timestamp) -> &'static str {
    match it {
        it if it.buried => "given up",
        it if it.leased_until > now => "at work",
        _ => "waiting",
    }
}

pub(super) fn moment(at: Timestamp) -> String {
    Moment::from_millisecond(at.0).unwrap_or_default().to_string()
}
