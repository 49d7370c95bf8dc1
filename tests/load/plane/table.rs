//! The figures, and the targets beside them.

use std::fmt;

use super::Scene;
use super::crowd::Seen;
use super::server::Server;
use super::signal::Recordings;

/// What was measured with one number of calls.
pub struct Row {
    pub scene: Scene,
    pub calls: usize,
    pub ordinary: bool,
    /// Calls that were up, on average.
    pub held: f64,
    /// Seconds of processor time to a minute of a call.
    pub per_minute: f64,
    /// KiB a call beyond the first hundred.
    pub memory: Option<f64>,
    /// Processors the server kept busy.
    pub busy: f64,
    /// Seconds of its busiest threads, by name.
    pub threads: Vec<(String, f64)>,
    pub seen: Seen,
    pub recordings: Option<Recordings>,
    /// What must not be, whatever the machine.
    pub wrongs: Vec<String>,
}

#[derive(Default)]
pub struct Table {
    pub rows: Vec<Row>,
}

/// A figure, what it may be at most, and what it is.
struct Line {
    what: &'static str,
    unit: &'static str,
    value: f64,
    most: Option<f64>,
}

impl Row {
    /// Looks at what must be right: nothing lost, nobody dropped, every recording whole.
    pub fn judge(&mut self, server: &Server) {
        let seen = &self.seen;
        let mut wrong = |count: u64, what: &str| {
            if count > 0 {
                self.wrongs.push(format!("{count} {what}"));
            }
        };
        wrong(seen.dropped, "calls were dropped");
        wrong(seen.refused, "calls were refused");
        wrong(seen.heard.lost, "packets were lost on their way from the server");
        wrong(seen.heard.disordered, "packets came out of order");
        wrong(seen.heard.wrong_sound, "packets were not the tone");
        if let Some(found) = &self.recordings {
            wrong(found.missing, "messages have no recording");
            wrong(found.wrongs as u64, "recordings are not what was said");
            self.wrongs.extend(found.wrong.iter().cloned());
        }
        let log = server.log();
        let lines: Vec<_> = log.lines().filter(|it| it.contains("ERROR")).collect();
        self.wrongs.extend(lines.iter().take(3).map(|it| format!("the server's log: {it}")));
    }

    fn lines(&self) -> Vec<Line> {
        let target = |most: f64| Some(most);
        let (cost, memory) = match self.scene {
            Scene::Record => (target(0.0077), target(48.0)),
            Scene::Listen => (target(0.0070), target(24.0)),
            Scene::Duplex | Scene::Setup => (None, None),
        };
        let line = |what, unit, value, most| Line { what, unit, value, most };
        let mut lines = vec![line("processor time a call-minute", "s", self.per_minute, cost)];
        lines.push(line("processors kept busy", "", self.busy, None));
        if let Some(held) = self.memory.filter(|_| self.scene != Scene::Setup) {
            lines.push(line("memory a call", "KiB", held, memory));
        }
        let heard = &self.seen.heard;
        if heard.packets > 0 {
            let most = if self.ordinary { None } else { target(5.0) };
            lines.push(line("lateness p50", "ms", heard.lateness_ms(50.0), None));
            lines.push(line("lateness p99", "ms", heard.lateness_ms(99.0), most));
            lines.push(line("lateness p99.9", "ms", heard.lateness_ms(99.9), None));
            let none = if self.ordinary { None } else { target(0.0) };
            lines.push(line("gaps over 40 ms", "", heard.gaps as f64, none));
            lines.push(line("longest gap", "ms", heard.longest_gap_ns as f64 / 1e6, None));
        }
        let ms = |times: &[u64], percent| share(times, percent) as f64 / 1e6;
        if !self.seen.set_up.is_empty() {
            let most = if self.scene == Scene::Setup { target(50.0) } else { None };
            lines.push(line("INVITE to 200 p50", "ms", ms(&self.seen.set_up, 50.0), None));
            lines.push(line("INVITE to 200 p99", "ms", ms(&self.seen.set_up, 99.0), most));
            lines.push(line("BYE to 200 p99", "ms", ms(&self.seen.ended, 99.0), None));
        }
        lines
    }

    fn is_met(&self) -> bool {
        self.lines().iter().all(|it| it.most.is_none_or(|most| it.value <= most))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let priority = if self.ordinary { ", at normal priority" } else { "" };
        writeln!(f, "{:?}, {} calls (held {:.0}){priority}", self.scene, self.calls, self.held)?;
        for Line { what, unit, value, most } in self.lines() {
            let verdict = match most {
                None => String::new(),
                Some(most) if value <= most => format!("<= {most} {unit}: met"),
                Some(most) => format!("<= {most} {unit}: MISSED"),
            };
            writeln!(f, "  {what:<30} {value:>10.4} {unit:<4} {verdict}")?;
        }
        let threads = self.threads.iter().map(|(name, time)| format!("{name} {time:.2}"));
        writeln!(f, "  seconds by thread: {}", threads.collect::<Vec<_>>().join(", "))?;
        let seen = &self.seen;
        writeln!(
            f,
            "  {} calls placed, {} requests repeated, {} packets sent ({} not taken), {} heard",
            seen.asked, seen.repeated, seen.sent, seen.unsent, seen.heard.packets
        )?;
        if let Some(found) = &self.recordings {
            let hours = found.samples as f64 / 8_000.0 / 3_600.0;
            let quiet = found.quiet / 8;
            writeln!(
                f,
                "  {} recordings compared, {hours:.2} h of sound; {quiet} ms of silence at most around one",
                found.files
            )?;
        }
        if seen.behind > 0 {
            let latest = seen.latest_ns / 1_000_000;
            writeln!(
                f,
                "  THIS TOOL was {} times late itself, by {latest} ms at most",
                seen.behind
            )?;
        }
        self.wrongs.iter().try_for_each(|it| writeln!(f, "  WRONG {it}"))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.iter().try_for_each(|it| writeln!(f, "{it}"))
    }
}

impl Table {
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|it| it.wrongs.is_empty() && it.is_met())
    }
}

/// So many of a hundred took no longer.
fn share(times: &[u64], percent: f64) -> u64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}
