//! `afterbeep tenant`: who has mailboxes on this server.

use std::io::Write;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::{check, table, wishes};
use crate::{
    clock::Clock,
    mailbox::{Preferences, Settings, TenantId},
    store::{Db, StoreError, dial_in, mailboxes, tenants, tenants::Tenant},
};

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a tenant
    Add {
        /// What it is called: letters, digits, "_", "." and "-"
        name: String,
        /// Its settings.
        #[command(flatten)]
        wishes: Wishes,
    },
    /// Change a tenant; what is not named stays as it is
    Set {
        /// Which one
        name: String,
        /// Its settings.
        #[command(flatten)]
        wishes: Wishes,
    },
    /// Show all tenants
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a tenant that has no mailboxes (any more)
    Rm {
        /// Which one
        name: String,
    },
}

/// Settings of a tenant, and what its mailboxes start from.
#[derive(Debug, Args)]
pub struct Wishes {
    /// Calls to this host reach its mailboxes; "none" for no host of its own
    #[arg(long, value_name = "HOST")]
    sip_domain: Option<String>,
    /// What owners call to hear their messages, with commas between them, or "none" (at first of
    /// the tenant "default": *97)
    #[arg(long, value_name = "NUMBERS")]
    dial_in: Option<String>,
    /// What its mailboxes start from.
    #[command(flatten)]
    settings: wishes::Wishes,
}

/// Whose things a verb is about.
#[derive(Debug, Args)]
pub struct Of {
    /// The tenant
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub tenant: String,
}

/// Does it, and says so.
pub async fn run(
    command: Command,
    db: &Db,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Add { name, wishes } => add(db, clock, &name, wishes, out).await,
        Command::Set { name, wishes } => {
            let mut tenant = find(db, &name).await?;
            let dial_in = wishes.dial_in()?;
            wishes.apply(&mut tenant)?;
            tenants::set(db, &tenant).await.map_err(explained)?;
            called(db, &tenant, dial_in).await?;
            Ok(writeln!(out, "Tenant {name} is changed.")?)
        }
        Command::List { json } => list(db, json, out).await,
        Command::Rm { name } => {
            let tenant = find(db, &name).await?;
            match tenants::remove(db, &tenant.id).await {
                Err(StoreError::InUse { count, .. }) => bail!(
                    "tenant {name} still has {count} mailbox(es); remove them first, see \
                     `afterbeep mailbox list --tenant {name}`"
                ),
                other => other?,
            };
            Ok(writeln!(out, "Tenant {name} is gone.")?)
        }
    }
}

/// The tenant of this name, or what to do about there being none.
pub(super) async fn find(db: &Db, name: &str) -> anyhow::Result<Tenant> {
    tenants::named(db, name).await?.with_context(|| {
        format!(
            "there is no tenant called {name:?}; see `afterbeep tenant list`, or add it with \
             `afterbeep tenant add {name}`"
        )
    })
}

async fn add(
    db: &Db,
    clock: &Clock,
    name: &str,
    wishes: Wishes,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    check::handle("tenant name", name)?;
    let mut tenant = Tenant {
        id: TenantId(clock.message_id().to_string()),
        name: name.to_owned(),
        sip_domain: None,
        settings: Settings::default(),
    };
    let dial_in = wishes.dial_in()?;
    wishes.apply(&mut tenant)?;
    tenants::add(db, &tenant, clock.now()).await.map_err(explained)?;
    called(db, &tenant, dial_in).await?;
    Ok(writeln!(
        out,
        "Tenant {name} is there. Give it a mailbox: `afterbeep mailbox add NUMBER --tenant {name}`."
    )?)
}

async fn list(db: &Db, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let tenants = tenants::list(db).await?;
    if json {
        return table::json(out, &serde_json::to_value(&tenants)?);
    }
    if tenants.is_empty() {
        return Ok(writeln!(out, "No tenants yet. Add one: `afterbeep tenant add default`.")?);
    }
    let rows: Vec<_> = tenants.into_iter().map(row).collect();
    table::table(
        out,
        ["NAME", "SIP DOMAIN", "LIMIT", "TIME ZONE", "LANGUAGE", "SPOKEN", "TRANSCRIBE"],
        &rows,
    )
}

fn row(tenant: Tenant) -> [String; 7] {
    let settings = Preferences::of(Settings::default(), tenant.settings);
    [
        tenant.name,
        tenant.sip_domain.unwrap_or_else(|| "-".to_owned()),
        settings.limit.to_string(),
        settings.time_zone,
        settings.pages,
        settings.spoken,
        table::yes(settings.transcribe).to_owned(),
    ]
}

/// Makes these what the tenant's owners call, if anything was said of it.
async fn called(db: &Db, tenant: &Tenant, numbers: Option<Vec<String>>) -> anyhow::Result<()> {
    let Some(numbers) = numbers else { return Ok(()) };
    for number in &numbers {
        if mailboxes::at(db, &tenant.id, number).await?.is_some() {
            bail!("{number} is a mailbox of tenant {}, so owners cannot call it", tenant.name);
        }
    }
    Ok(dial_in::set(db, &tenant.id, &numbers).await?)
}

fn explained(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Taken { what, name } => {
            anyhow::anyhow!("there is already a {what} {name:?}; see `afterbeep tenant list`")
        }
        error => error.into(),
    }
}

impl Of {
    /// What has to be added to a suggested verb so that it is about the same tenant.
    pub(super) fn suffix(&self) -> String {
        if self.tenant == "default" {
            return String::new();
        }
        format!(" --tenant {}", self.tenant)
    }
}

impl Wishes {
    fn dial_in(&self) -> anyhow::Result<Option<Vec<String>>> {
        let Some(said) = &self.dial_in else { return Ok(None) };
        let numbers = said.split(',').map(|it| it.trim().to_owned());
        let numbers: Vec<_> = numbers.filter(|it| it != check::NONE).collect();
        numbers.iter().try_for_each(|it| check::dialled(it))?;
        Ok(Some(numbers))
    }

    fn apply(self, tenant: &mut Tenant) -> anyhow::Result<()> {
        if let Some(host) = self.sip_domain {
            check::host(&host)?;
            tenant.sip_domain = (host != check::NONE).then(|| host.to_ascii_lowercase());
        }
        self.settings.apply(&mut tenant.settings)?;
        check::shared(&tenant.settings)
    }
}
