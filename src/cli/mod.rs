//! The verbs of the program.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 it
//! failed, 2 the command or the settings are wrong.

mod check;
mod config;
mod demo;
mod figures;
pub mod greeting;
mod mail;
pub mod mailbox;
pub mod message;
mod model;
mod pulse;
mod serve;
mod table;
pub mod tenant;
pub mod user;
mod worker;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::store::Db;

/// Voicemail for any SIP phone system: records, keeps, transcribes and mails messages.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    /// The settings file (TOML). Without one every setting has its default.
    #[arg(long, short, global = true, env = "AFTERBEEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, or a filter like `afterbeep::sip=debug`.
    #[arg(long, global = true, env = "AFTERBEEP_LOG", value_name = "LEVEL")]
    log: Option<String>,
    /// How logs are written to standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Take calls, until Ctrl-C or SIGTERM.
    Serve(serve::Serve),
    /// Show or check the settings.
    #[command(subcommand)]
    Config(config::Command),
    /// Who owns mailboxes.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// People, who own mailboxes and get mail.
    #[command(subcommand)]
    User(user::Command),
    /// Mailboxes and their settings.
    #[command(subcommand)]
    Mailbox(mailbox::Command),
    /// What callers hear.
    #[command(subcommand)]
    Greeting(greeting::Command),
    /// What callers left.
    #[command(subcommand)]
    Message(message::Command),
    /// Speech models.
    #[command(subcommand)]
    Model(model::Command),
    /// Try the way mail goes.
    #[command(subcommand)]
    Mail(mail::Command),
    /// See it work.
    #[command(subcommand)]
    Demo(demo::Command),
    /// What the server starts to keep native code at arm's length.
    #[command(subcommand, hide = true)]
    Worker(worker::Command),
}

/// Runs the program with the arguments it was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Verb::Worker(command) = cli.verb {
        return told(worker::run(command));
    }
    log(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(Err(error.into())),
    };
    told(runtime.block_on(run(cli)))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let path = cli.config.as_deref();
    let config = || match path {
        Some(path) => Config::read(path),
        None => Ok(Config::default()),
    };
    let mut out = io::stdout().lock();
    let out = &mut out;
    let clock = &Clock::default();
    match cli.verb {
        Verb::Serve(serve) => serve::run(serve, config()?, path.is_some()).await,
        Verb::Config(command) => config::run(command, config, out),
        Verb::Tenant(command) => tenant::run(command, &open(&config()?).await?.0, clock, out).await,
        Verb::User(command) => user::run(command, &open(&config()?).await?.0, clock, out).await,
        Verb::Mailbox(command) => {
            let (db, blobs) = open(&config()?).await?;
            mailbox::run(command, &db, &blobs, clock, out).await
        }
        Verb::Greeting(command) => {
            let (db, blobs) = open(&config()?).await?;
            greeting::run(command, &db, &blobs, clock, out).await
        }
        Verb::Message(command) => {
            let (db, blobs) = open(&config()?).await?;
            message::run(command, &db, &blobs, out).await
        }
        Verb::Model(command) => model::run(command, &config()?, out).await,
        Verb::Mail(command) => mail::run(command, &config()?, out).await,
        Verb::Demo(command) => demo::run(command, config()?, out).await,
        Verb::Worker(_) => Ok(()),
    }
}

/// What lasts, for the verbs that look after it.
async fn open(config: &Config) -> anyhow::Result<(Db, Blobs)> {
    serve::make_private(&config.data)?;
    let db = Db::open(&config.database()).await?;
    serve::settle(&db, &Clock::default()).await?;
    Ok((db, Blobs::open(&config.blobs())?))
}

fn log(cli: &Cli) {
    let filter = cli.log.clone().unwrap_or_else(|| match cli.verb {
        Verb::Serve(_) => "info".into(),
        _ => "warn".into(),
    });
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let start = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let start = start.with_ansi(io::stderr().is_terminal()).with_target(false);
    match cli.log_format {
        LogFormat::Text => start.init(),
        LogFormat::Json => start.json().init(),
    }
}

/// Says what went wrong in one line, with its causes.
fn told(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    writeln!(io::stderr(), "afterbeep: {error:#}").ok();
    if error.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}
