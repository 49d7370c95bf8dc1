//! The verbs of the program.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 it
//! failed, 2 the command or the settings are wrong.

mod announcement;
mod ask;
mod backup;
mod config;
mod demo;
mod doctor;
mod explain;
mod faults;
mod figures;
mod gaps;
pub mod greeting;
pub mod jobs;
pub mod lamp;
pub mod mail;
pub mod mailbox;
pub mod message;
mod model;
mod moh;
mod moving;
pub mod name;
pub mod password;
mod pin;
mod progress;
mod prompts;
mod pulse;
mod recording;
mod serve;
mod table;
pub mod tenant;
pub mod token;
pub mod user;
pub mod wishes;
mod worker;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::{EnvFilter, reload::Handle};

use crate::admin::check;
use crate::app::Studio;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::store::Db;
use crate::sys::process;

/// Voicemail for any SIP phone system: records, keeps, transcribes and mails messages.
#[derive(Debug, Parser)]
#[command(version, after_help = FIRST_STEPS)]
struct Cli {
    /// The settings file (TOML); without one every setting has its default
    #[arg(long, short, global = true, env = "AFTERBEEP_CONFIG", value_name = "FILE")]
    #[arg(help_heading = EVERYWHERE, hide_env = true)]
    config: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, or a filter like `afterbeep::sip=debug`
    #[arg(long, global = true, env = "AFTERBEEP_LOG", value_name = "LEVEL")]
    #[arg(help_heading = EVERYWHERE, hide_env = true)]
    log: Option<String>,
    /// How logs are written to standard error
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    #[arg(help_heading = EVERYWHERE)]
    log_format: LogFormat,
    #[command(subcommand)]
    verb: Verb,
}

/// The heading of the options that every verb has.
const EVERYWHERE: &str = "Options of every verb";

const FIRST_STEPS: &str = "\
First steps:
  afterbeep serve --demo          start on the defaults and see one call become a mail
  afterbeep config show           every setting with its value, as a settings file
  afterbeep mailbox add 1001 --name Ann --notify-to ann@example.org

AFTERBEEP_CONFIG and AFTERBEEP_LOG in the environment stand for --config and --log.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Take calls, until Ctrl-C or SIGTERM
    Serve(serve::Serve),
    /// Look at everything a server needs, and say what is wrong and what helps
    Doctor(doctor::Doctor),
    /// Succeed if the server of these settings runs and is ready, for those that watch over it
    Healthcheck,
    /// Show or check the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Tenants: each has users and mailboxes of its own
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// People, who own mailboxes and get mail
    #[command(subcommand)]
    User(user::Command),
    /// Mailboxes and their settings
    #[command(subcommand)]
    Mailbox(mailbox::Command),
    /// What callers hear before the beep
    #[command(subcommand)]
    Greeting(greeting::Command),
    /// What callers hear while they are on hold
    #[command(subcommand)]
    Moh(moh::Command),
    /// What is said to many: at an address of its own, before hold music and in it
    #[command(subcommand)]
    Announcement(announcement::Command),
    /// What owners are called, heard by callers and by those they left a message
    #[command(subcommand)]
    Name(name::Command),
    /// A voice of one's own: check its folder
    #[command(subcommand)]
    Prompts(prompts::Command),
    /// What callers left: list, show, export
    #[command(subcommand)]
    Message(message::Command),
    /// Which phones are told what waits: list, add, take away, tell anew
    #[command(subcommand)]
    Lamp(lamp::Command),
    /// Tokens for programs that use the API
    #[command(subcommand)]
    Token(token::Command),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Work after calls: what waits, what was given up, and trying it again
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Speech models: fetch them, and see which are there
    #[command(subcommand)]
    Model(model::Command),
    /// Try the mail server, or see what mails look like
    #[command(subcommand)]
    Mail(mail::Command),
    /// Place a call to the running server and see what becomes of it
    #[command(subcommand)]
    Demo(demo::Command),
    /// Write everything to a folder, while the server runs or not
    Backup(backup::Place),
    /// Put a backup into a house that has nothing in it
    Restore(backup::Place),
    /// Move the database to PostgreSQL
    #[command(subcommand)]
    Store(moving::Store),
    /// Move recordings and greetings to S3
    #[command(subcommand)]
    Blobs(moving::Sounds),
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
    let voice = log(&cli);
    process::share_freed_memory();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(Err(error.into())),
    };
    told(runtime.block_on(run(cli, voice)))
}

async fn run(cli: Cli, voice: Voice) -> anyhow::Result<()> {
    let path = cli.config.as_deref();
    let config = || match path {
        Some(path) => Config::read(path),
        None => Ok(Config::default()),
    };
    let mut out = io::stdout().lock();
    let out = &mut out;
    let clock = &Clock::default();
    match cli.verb {
        Verb::Serve(serve) => serve::run(serve, config()?, path.is_some(), voice).await,
        Verb::Doctor(doctor) => doctor::run(doctor, config(), path, out).await,
        Verb::Healthcheck => ask::run(&config()?).await,
        Verb::Config(command) => config::run(command, config, out),
        Verb::Tenant(command) => tenant::run(command, &open(&config()?).await?.0, clock, out).await,
        Verb::User(command) => user::run(command, &open(&config()?).await?.0, clock, out).await,
        Verb::Mailbox(command) => {
            let (db, blobs) = open(&config()?).await?;
            mailbox::run(command, &db, &blobs, clock, out).await
        }
        Verb::Greeting(command) => {
            let config = config()?;
            let (db, blobs) = open(&config).await?;
            let studio = Studio::open(&config)?;
            greeting::run(command, &db, &blobs, clock, &studio, out).await
        }
        Verb::Moh(command) => {
            let config = config()?;
            let (db, blobs) = open(&config).await?;
            let (studio, streams) = (Studio::open(&config)?, &config.music.streams);
            moh::run(command, (&db, &blobs, clock), &studio, streams, out).await
        }
        Verb::Announcement(command) => {
            let config = config()?;
            let (db, blobs) = open(&config).await?;
            announcement::run(command, (&db, &blobs, clock), &Studio::open(&config)?, out).await
        }
        Verb::Name(command) => {
            let config = config()?;
            let (db, blobs) = open(&config).await?;
            let studio = Studio::open(&config)?;
            name::run(command, &db, &blobs, clock, &studio, out).await
        }
        Verb::Message(command) => {
            let (db, blobs) = open(&config()?).await?;
            message::run(command, &db, &blobs, clock, out).await
        }
        Verb::Jobs(command) => jobs::run(command, &open(&config()?).await?.0, clock, out).await,
        Verb::Lamp(command) => lamp::run(command, &open(&config()?).await?.0, clock, out).await,
        Verb::Token(command) => token::run(command, &open(&config()?).await?.0, clock, out).await,
        Verb::Openapi => Ok(write!(out, "{}", crate::http::api::document())?),
        Verb::Prompts(command) => prompts::run(command, &config()?, out),
        Verb::Model(command) => model::run(command, &config()?, out).await,
        Verb::Mail(mail::Command::Test) => mail::test(&config()?, out).await,
        Verb::Mail(mail::Command::Preview(preview)) => {
            let config = config()?;
            mail::preview(preview, &open(&config).await?.0, &config.mail, out).await
        }
        Verb::Demo(command) => demo::run(command, config()?, out).await,
        Verb::Backup(place) => {
            let (db, blobs) = open(&config()?).await?;
            backup::backup(place, &db, &blobs, clock, out).await
        }
        Verb::Restore(place) => backup::restore(place, &config()?, out).await,
        Verb::Store(command) => moving::store(command, &config()?, out).await,
        Verb::Blobs(command) => moving::sounds(command, &config()?, out).await,
        Verb::Worker(_) => Ok(()),
    }
}

/// What lasts, for the verbs that look after it.
async fn open(config: &Config) -> anyhow::Result<(Db, Blobs)> {
    serve::make_private(&config.data)?;
    let db = Db::connect(&config.store, &config.database()).await?;
    serve::settle(&db, &Clock::default()).await?;
    Ok((db, Blobs::connect(&config.blobs, &config.blobs())?))
}

/// Lets a server that began quietly, for the demonstration, be heard from then on.
struct Voice(Box<dyn Fn()>);

impl Voice {
    fn of<S: 'static>(handle: Handle<EnvFilter, S>, chosen: bool) -> Self {
        Self(Box::new(move || {
            if !chosen {
                handle.reload("info").ok();
            }
        }))
    }

    fn raise(&self) {
        (self.0)();
    }
}

fn log(cli: &Cli) -> Voice {
    let usual = match &cli.verb {
        // Where we have no real-time priority the demonstration is not the moment to say so.
        Verb::Serve(serve) if serve.is_demonstration() => "warn,afterbeep::rtp=error",
        Verb::Serve(_) => "info",
        // It tells what it finds itself.
        Verb::Doctor(_) => "off",
        _ => "warn",
    };
    let filter = cli.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let start = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let start = start.with_ansi(io::stderr().is_terminal()).with_target(false);
    let chosen = cli.log.is_some();
    match cli.log_format {
        LogFormat::Text => {
            let start = start.with_filter_reloading();
            let voice = Voice::of(start.reload_handle(), chosen);
            start.init();
            voice
        }
        LogFormat::Json => {
            let start = start.json().with_filter_reloading();
            let voice = Voice::of(start.reload_handle(), chosen);
            start.init();
            voice
        }
    }
}

/// Says what went wrong in one line, with its causes.
fn told(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    writeln!(io::stderr(), "afterbeep: {error:#}").ok();
    if error.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}
