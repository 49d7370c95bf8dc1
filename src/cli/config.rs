//! `afterbeep config`: the settings in effect, and whether a file of them is right.

use std::io::Write;

use clap::Subcommand;

use crate::config::{Config, ConfigError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print every setting with its value, as a settings file; secrets are not shown
    Show,
    /// Check the settings file
    Check,
}

pub(super) fn run(
    command: Command,
    config: impl Fn() -> Result<Config, ConfigError>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let config = config()?;
    match command {
        Command::Show => write!(out, "{}", toml::to_string_pretty(&config)?)?,
        Command::Check => writeln!(out, "The settings are right.")?,
    }
    Ok(())
}
