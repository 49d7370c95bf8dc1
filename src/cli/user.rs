//! `afterbeep user`: who owns mailboxes, and where their mail goes.

use std::io::Write;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{check, password::Passing, table, tenant};
use crate::{
    clock::Clock,
    mailbox::UserId,
    store::{Db, StoreError, logins, people, people::Person},
};

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a user
    Add {
        /// Their email address, which also names them
        email: String,
        /// As mails address them (at first: what stands before the @)
        #[arg(long)]
        name: Option<String>,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Change a user; what is not named stays as it is
    Set {
        /// Who
        email: String,
        /// As mails address them
        #[arg(long)]
        name: Option<String>,
        /// Their new email address
        #[arg(long, value_name = "NEW")]
        email_to: Option<String>,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Show all users of a tenant
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
    },
    /// Give a user a password: with it they look after the tenant's hold music in the browser
    Password(Passing),
    /// Remove a user; their mailboxes stay and belong to nobody
    Rm {
        /// Who
        email: String,
        /// Whose it is.
        #[command(flatten)]
        of: tenant::Of,
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
        Command::Add { email, name, of } => {
            check::email(&email)?;
            let name = name.unwrap_or_else(|| check::name_of(&email).to_owned());
            check::name(&name)?;
            let tenant = tenant::find(db, &of.tenant).await?.id;
            let id = UserId(clock.message_id().to_string());
            let person = Person { id, tenant, name, email: email.clone() };
            people::add(db, &person, clock.now()).await.map_err(|error| explained(error, &of))?;
            Ok(writeln!(
                out,
                "User {email} is there. Give them a mailbox: \
                 `afterbeep mailbox add NUMBER --owner {email}{}`.",
                of.suffix()
            )?)
        }
        Command::Set { email, name, email_to, of } => {
            let mut person = find(db, &of, &email).await?;
            if let Some(name) = name {
                check::name(&name)?;
                person.name = name;
            }
            if let Some(email) = email_to {
                check::email(&email)?;
                person.email = email;
            }
            people::set(db, &person).await.map_err(|error| explained(error, &of))?;
            Ok(writeln!(out, "User {} is changed.", person.email)?)
        }
        Command::Password(passing) => passing.run(db, clock, out).await,
        Command::List { json, of } => list(db, &of, json, out).await,
        Command::Rm { email, of } => {
            let person = find(db, &of, &email).await?;
            people::remove(db, &person.tenant, &person.id).await?;
            Ok(writeln!(out, "User {email} is gone.")?)
        }
    }
}

/// The tenant's user with this address, or what to do about there being none.
pub(super) async fn find(db: &Db, of: &tenant::Of, email: &str) -> anyhow::Result<Person> {
    let tenant = tenant::find(db, &of.tenant).await?.id;
    people::at(db, &tenant, email).await?.with_context(|| {
        let (name, suffix) = (&of.tenant, of.suffix());
        format!(
            "tenant {name} has no user {email:?}; see `afterbeep user list{suffix}`, or add them \
             with `afterbeep user add {email}{suffix}`"
        )
    })
}

async fn list(db: &Db, of: &tenant::Of, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let tenant = tenant::find(db, &of.tenant).await?.id;
    let people = people::list(db, &tenant).await?;
    let logins = logins::of(db, &tenant).await?;
    if json {
        let told = people.iter().map(|it| {
            let Person { id, tenant, name, email } = it;
            let logs_in = logins.contains(id);
            json!({ "id": id, "tenant": tenant, "name": name, "email": email, "logs_in": logs_in })
        });
        return table::json(out, &told.collect());
    }
    if people.is_empty() {
        return Ok(writeln!(
            out,
            "No users yet. Add one: `afterbeep user add EMAIL{}`.",
            of.suffix()
        )?);
    }
    let rows = people.into_iter().map(|it| {
        let logs_in = table::yes(logins.contains(&it.id)).to_owned();
        [it.email, it.name, logs_in]
    });
    table::table(out, ["EMAIL", "NAME", "LOGS IN"], &rows.collect::<Vec<_>>())
}

fn explained(error: StoreError, of: &tenant::Of) -> anyhow::Error {
    match error {
        StoreError::Taken { name, .. } => anyhow::anyhow!(
            "tenant {} already has a user {name:?}; see `afterbeep user list{}`",
            of.tenant,
            of.suffix()
        ),
        error => error.into(),
    }
}
