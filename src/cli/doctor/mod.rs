//! `afterbeep doctor`: looks at everything a server needs, as a server would use it, and says what
//! is wrong and what helps.
//!
//! Nothing is changed but what is put somewhere on trial and taken away again. A check has a time
//! limit; one that does not come to an end, or falls, is something found, and the others go on.

mod data;
mod database;
mod finding;
mod letters;
mod network;
mod scene;
mod sounds;
mod voice;
mod words;

use std::{io::Write, path::Path, sync::Arc, time::Duration};

use anyhow::bail;
use clap::Args;
use indicatif::ProgressBar;
use tokio::{task::JoinHandle, time::timeout};

use self::finding::{Check, Finding, Line, Verdict, summary};
use self::scene::Scene;
use super::table;
use crate::config::{Config, ConfigError};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// How long most checks may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long may be taken by those that read a whole database, or compute.
const LONG_LIMIT: Duration = Duration::from_secs(120);

pub(super) async fn run(
    doctor: Doctor,
    config: Result<Config, ConfigError>,
    path: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut told = Told { json: doctor.json, lines: Vec::new(), spinner: spinner() };
    let config = match config {
        Ok(config) => Arc::new(config),
        Err(error) => {
            let remedy = "Put the settings right; `afterbeep config show` has them all.";
            told.tell(out, Check::Settings, vec![Finding::error(error, remedy)])?;
            return told.end(out);
        }
    };
    let found = Finding::ok(match path {
        Some(path) => format!("{} is right.", path.display()),
        None => "No file is named, so every setting has its default.".to_owned(),
    });
    told.tell(out, Check::Settings, vec![found])?;

    let scene = Arc::new(Scene::open(config).await);
    let rest = Check::ALL.iter().filter(|it| **it != Check::Settings);
    let started: Vec<_> = rest.map(|&it| (it, start(it, scene.clone()))).collect();
    for (check, looking) in started {
        told.spinner.set_message(check.name());
        let found =
            looking.await.unwrap_or_else(|_| vec![broken("It fell; this is a fault of ours.")]);
        told.tell(out, check, found)?;
    }
    told.end(out)
}

/// Looks at one thing, on its own, but not for ever.
fn start(check: Check, scene: Arc<Scene>) -> JoinHandle<Vec<Finding>> {
    let limit = match check {
        Check::Database | Check::Speech | Check::Translation | Check::Synthesis => LONG_LIMIT,
        _ => LIMIT,
    };
    tokio::spawn(async move {
        let late = |_| vec![broken(&format!("It did not come to an end within {limit:?}."))];
        timeout(limit, look(check, &scene)).await.unwrap_or_else(late)
    })
}

async fn look(check: Check, scene: &Scene) -> Vec<Finding> {
    match check {
        Check::Settings => Vec::new(),
        Check::Data => data::folder(scene).await,
        Check::Secrets => data::secrets(&scene.config),
        Check::Database => database::health(scene).await,
        Check::Clock => database::clock(scene).await,
        Check::Recordings => sounds::recordings(scene).await,
        Check::Sip => network::sip(scene),
        Check::Sound => network::sound(&scene.config),
        Check::Web => network::web(scene),
        Check::Mail => letters::mail(scene).await,
        Check::Letters => letters::letters(&scene.config),
        Check::Prompts => sounds::prompts(scene).await,
        Check::Speech => words::speech(scene).await,
        Check::Translation => words::translation(scene).await,
        Check::Synthesis => voice::synthesis(scene).await,
        Check::Mailboxes => database::mailboxes(scene),
        Check::Jobs => database::jobs(scene).await,
    }
}

fn broken(what: &str) -> Finding {
    Finding::fail(what, "Try it again with --log debug.")
}

/// What has been told so far.
struct Told {
    json: bool,
    lines: Vec<Line>,
    spinner: ProgressBar,
}

/// Says what is being looked at, where somebody watches.
fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

impl Told {
    fn tell(
        &mut self,
        out: &mut impl Write,
        check: Check,
        found: Vec<Finding>,
    ) -> anyhow::Result<()> {
        for finding in found {
            let line = Line { check, finding };
            if !self.json {
                self.spinner
                    .suspend(|| writeln!(out, "{}", line.text()).and_then(|()| out.flush()))?;
            }
            self.lines.push(line);
        }
        Ok(())
    }

    fn end(self, out: &mut impl Write) -> anyhow::Result<()> {
        self.spinner.finish_and_clear();
        if self.json {
            table::json(out, &serde_json::to_value(&self.lines)?)?;
        }
        let summary = summary(&self.lines);
        if self.lines.iter().any(|it| it.finding.verdict == Verdict::Fail) {
            bail!(summary);
        }
        if !self.json {
            writeln!(out, "\n{summary}")?;
        }
        Ok(())
    }
}
