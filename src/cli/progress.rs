//! How far a long job is: a bar on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock;

/// Pause between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// How far something with so many parts is, told on standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    of: &'static str,
    lines: bool,
    last: Cell<std::time::Instant>,
}

impl Progress {
    pub(super) fn new(of: &'static str, all: u64) -> anyhow::Result<Self> {
        let lines = !io::stderr().is_terminal();
        let bar = if lines { ProgressBar::hidden() } else { ProgressBar::new(all) };
        bar.set_length(all);
        let style = format!("{{msg:12}} {{bar:40}} {{pos}}/{{len}} {of} {{eta}}");
        bar.set_style(ProgressStyle::with_template(&style)?);
        Ok(Self { bar, of, lines, last: Cell::new(clock::instant()) })
    }

    /// What is being done now.
    pub(super) fn stage(&self, name: &str) {
        self.bar.set_message(name.to_owned());
    }

    /// So many more are done.
    pub(super) fn add(&self, some: u64) {
        self.bar.inc(some);
        if self.lines && self.last.get().elapsed() >= EVERY {
            self.last.set(clock::instant());
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
            // A log that is closed takes nothing away from the work.
            writeln!(io::stderr(), "{done} of {all} {}", self.of).ok();
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
