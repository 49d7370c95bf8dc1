//! `afterbeep model`: getting models for speech and translation, and seeing which are there.

use std::io::{self, IsTerminal, Write};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::speech::model::{self, Progress, Sources, Stage, State};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Get a model; a fetch that was interrupted goes on where it stopped
    Fetch {
        /// tiny.en (fast, English), tiny, base.en, base (all languages), small (better, slower);
        /// or two languages to translate from and to, such as en-fr
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
    let mut sources = Sources::default();
    if let Some(mirror) = &config.speech.source {
        sources.base = mirror.trim_end_matches('/').to_owned();
    }
    let mut shown = Shown::new(name)?;
    let (dir, tell) = (&config.speech.models, |it| shown.tell(it));
    let path = match model::is_pair(name) {
        true => model::fetch_pair(name, dir, &sources, tell).await?,
        false => model::fetch(name, dir, &sources, tell).await?,
    };
    shown.end();
    writeln!(out, "The model {name} is there: {}", path.display())?;
    Ok(())
}

/// Progress on standard error: a bar for those who watch, a line now and then for a log.
enum Shown {
    Bar(ProgressBar),
    Lines { name: String, last: Option<(Stage, u64)> },
}

/// A log gets a line each time so many more percent are done.
const STEP: u64 = 10;

impl Shown {
    fn new(name: &str) -> anyhow::Result<Self> {
        if !io::stderr().is_terminal() {
            return Ok(Self::Lines { name: name.to_owned(), last: None });
        }
        let bar = ProgressBar::new(0);
        let style = "{msg:12} {bar:40} {bytes}/{total_bytes} {eta}";
        bar.set_style(ProgressStyle::with_template(style)?);
        Ok(Self::Bar(bar))
    }

    fn tell(&mut self, it: Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_message(told(it.stage));
                bar.set_length(it.total);
                bar.set_position(it.done);
            }
            Self::Lines { name, last } => {
                let step = it.done * 100 / it.total.max(1) / STEP;
                if last.replace((it.stage, step)) == Some((it.stage, step)) {
                    return;
                }
                let stage = told(it.stage);
                let line = match it.total {
                    0 => format!("{name}: {stage}"),
                    total => {
                        let (percent, size) = (step * STEP, total / 1_000_000);
                        format!("{name}: {stage}, {percent} % of {size} MB")
                    }
                };
                // A log that is closed takes nothing away from the model.
                writeln!(io::stderr(), "{line}").ok();
            }
        }
    }

    fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn list(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let installed = model::list(&config.speech.models);
    for it in &installed {
        let state = told_state(it.state);
        writeln!(out, "{:10} {:>6} MB  {state}", it.name, it.size / 1_000_000)?;
    }
    let missing = model::CATALOGUE.iter().filter(|it| !installed.iter().any(|i| i.name == it.name));
    for it in missing {
        writeln!(out, "{:10} {:>6} MB  can be fetched", it.name, it.size / 1_000_000)?;
    }
    let pairs = model::list_pairs(&config.speech.models);
    for it in &pairs {
        let state = told_state(it.state);
        writeln!(out, "{:10} {:>6} MB  {state}; translates", it.name, it.size / 1_000_000)?;
    }
    if pairs.is_empty() {
        writeln!(out, "No translation models; get one with: afterbeep model fetch en-fr")?;
    }
    Ok(())
}

fn told_state(state: State) -> &'static str {
    match state {
        State::Published | State::Remade => "there",
        State::Different => "there, but not as published: fetch it again",
        State::Unknown => "there; not in the catalogue",
        State::Unreadable => "cannot be read",
    }
}

fn told(stage: Stage) -> &'static str {
    match stage {
        Stage::Downloading => "downloading",
        Stage::Packages => "the usual source cannot be reached; pip brings it in packages instead",
        Stage::Converting => "converting it",
    }
}
