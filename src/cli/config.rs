//! `afterbeep config`: the settings in effect, whether a file of them is right, and what may be in
//! one.

use std::io::Write;

use clap::Subcommand;

use super::table;
use crate::config::{self, Config, ConfigError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print every setting with its value, as a settings file; secrets are not shown
    Show,
    /// Check the settings file
    Check,
    /// Print a JSON Schema of settings files, for editors that complete them
    Schema,
}

pub(super) fn run(
    command: Command,
    config: impl Fn() -> Result<Config, ConfigError>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Show => write!(out, "{}", toml::to_string_pretty(&config()?)?)?,
        Command::Check => {
            config()?;
            writeln!(out, "The settings are right.")?;
        }
        Command::Schema => table::json(out, &config::schema())?,
    }
    Ok(())
}
