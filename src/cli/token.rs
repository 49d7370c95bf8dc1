//! `afterbeep token`: who may use the API, and for what.

use std::{io::Write, time::Duration};

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp as Moment;
use serde_json::json;

use super::{table, tenant};
use crate::{
    admin,
    clock::Clock,
    mailbox::{TenantId, Timestamp},
    store::{
        Db,
        tenants::{self, Tenant},
        tokens::{self, Scope, Token},
    },
};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and show it, this once
    Add {
        /// What it is called in lists
        name: String,
        /// What it may do: messages:read, messages:write, greetings, music, mailboxes, tenants,
        /// jobs
        #[arg(long = "scope", value_name = "SCOPE,...", required = true, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// How long it is good for, like 90d (at first: for ever)
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
        /// It reaches every tenant, and may add and remove them
        #[arg(long, conflicts_with = "tenant")]
        platform: bool,
        /// Whose things it reaches.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Show what is known of all tokens; never the tokens themselves
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a token back: from now on it is good for nothing
    Rm {
        /// Its id, as `token list` shows it
        id: String,
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
        Command::Add { name, scopes, expires, platform, of } => {
            let tenant = match platform {
                true => None,
                false => Some(tenant::find(db, &of.tenant).await?.id),
            };
            let whose = tenant.as_ref().map_or("every tenant", |_| &of.tenant).to_owned();
            let scopes = scopes.into_iter().collect();
            let wanted = admin::token::Wanted { name, tenant, scopes, lasts: expires };
            let secret = admin::token::add(db, clock, wanted).await?;
            writeln!(out, "A token for {whose}. It is shown this once, so keep it now:\n")?;
            Ok(writeln!(out, "{secret}")?)
        }
        Command::List { json } => {
            let (all, tenants) = (tokens::list(db).await?, tenants::list(db).await?);
            list(&all, &tenants, clock.now(), json, out)
        }
        Command::Rm { id } => {
            if !tokens::revoke(db, &id, clock.now()).await? {
                bail!("there is no token {id:?} to take back; see `afterbeep token list`");
            }
            Ok(writeln!(out, "Token {id} is good for nothing from now on.")?)
        }
    }
}

fn list(
    all: &[Token],
    tenants: &[Tenant],
    now: Timestamp,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if json {
        return table::json(out, &all.iter().map(|it| described(it, now)).collect());
    }
    if all.is_empty() {
        let add = "afterbeep token add NAME --scope messages:read";
        return Ok(writeln!(out, "No tokens yet. Add one: `{add}`.")?);
    }
    let name = |id: &TenantId| {
        let found = tenants.iter().find(|it| it.id == *id);
        found.map(|it| it.name.clone()).unwrap_or_default()
    };
    let rows: Vec<_> = all
        .iter()
        .map(|it| {
            [
                it.id.clone(),
                it.name.clone(),
                it.tenant.as_ref().map_or_else(|| "every one".to_owned(), name),
                scopes(it),
                state(it, now).to_owned(),
                it.expires.map(moment).unwrap_or_default(),
                it.used.map(moment).unwrap_or_default(),
            ]
        })
        .collect();
    table::table(out, ["ID", "NAME", "TENANT", "SCOPES", "STATE", "EXPIRES", "LAST USED"], &rows)
}

fn described(it: &Token, now: Timestamp) -> serde_json::Value {
    json!({
        "id": it.id,
        "name": it.name,
        "tenant": it.tenant,
        "scopes": it.scopes,
        "state": state(it, now),
        "expires": it.expires.map(moment),
        "used": it.used.map(moment),
    })
}

fn scopes(token: &Token) -> String {
    token.scopes.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(",")
}

fn state(token: &Token, now: Timestamp) -> &'static str {
    match token {
        Token { revoked: Some(_), .. } => "taken back",
        Token { expires: Some(at), .. } if *at <= now => "expired",
        _ => "good",
    }
}

fn moment(at: Timestamp) -> String {
    Moment::from_millisecond(at.0).unwrap_or_default().to_string()
}
