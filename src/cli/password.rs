//! `afterbeep user password`: what people prove themselves with in the browser.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, bail};
use clap::Args;

use super::{serve, tenant, user};
use crate::{
    clock::Clock,
    mailbox::Password,
    store::{Db, logins},
    sys::terminal,
};

/// What becomes of the password.
#[derive(Debug, Args)]
pub struct Passing {
    /// Whose it is
    email: String,
    /// Read the password from standard input instead of making one up
    #[arg(long)]
    stdin: bool,
    /// Take the password away: they cannot log in then
    #[arg(long, conflicts_with = "stdin")]
    remove: bool,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

impl Passing {
    /// A password is never an argument: those stay in the history of a shell, and others see them.
    pub(super) async fn run(
        self,
        db: &Db,
        clock: &Clock,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let Self { email, stdin, remove, of } = self;
        let person = user::find(db, &of, &email).await?;
        if remove {
            if !logins::remove(db, &person.id).await? {
                bail!("{email} has no password");
            }
            return Ok(writeln!(out, "{email} has no password any more, and is logged out.")?);
        }
        let password = match stdin {
            true => typed()?,
            false => Password::made(&rand::random()),
        };
        password.check(&email)?;
        let hash = password.hash(&serve::pepper(db, clock).await?, &rand::random());
        if !logins::set(db, &person, &hash, clock.now()).await? {
            bail!("{email} has just been removed");
        }
        write!(out, "{email} has a new password")?;
        match stdin {
            true => writeln!(out, ".")?,
            false => writeln!(out, ": {}\nIt is shown this once.", password.reveal())?,
        }
        Ok(writeln!(out, "They log in at /login, as [http] listen says, for instance to /music.")?)
    }
}

fn typed() -> anyhow::Result<Password> {
    if io::stdin().is_terminal() {
        write!(io::stderr(), "Password: ")?;
    }
    let mut line = String::new();
    let read = terminal::unseen(|| io::stdin().lock().read_line(&mut line))?;
    if io::stdin().is_terminal() {
        writeln!(io::stderr())?;
    }
    read.context("no password can be read")?;
    Ok(Password::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}
