//! The figures, and the targets beside them.

use std::fmt;

use super::case::{Case, Machine, Scene, machine};
use super::crowd::Seen;
use super::floor;
use super::recordings::Recordings;
use super::server::Server;
use super::usage::{Dropped, Usage};

/// What was measured with one number of calls.
pub struct Row {
    pub case: Case,
    /// Calls that were up, on average.
    pub held: f64,
    /// How long it took.
    pub seconds: f64,
    /// Seconds of processor time to a minute of a call.
    pub per_minute: f64,
    /// KiB a call beyond the first hundred.
    pub memory: Option<f64>,
    /// Processors the server kept busy, and those its workers did.
    pub busy: f64,
    pub helpers: f64,
    /// What the server held at the end.
    pub used: Usage,
    /// Seconds of its busiest threads, by name.
    pub threads: Vec<(String, f64)>,
    pub seen: Seen,
    pub dropped: Dropped,
    pub recordings: Option<Recordings>,
    /// What must not be, whatever the machine.
    pub wrongs: Vec<String>,
}

/// Everything that was measured in one run.
pub struct Table {
    pub machine: &'static Machine,
    pub rows: Vec<Row>,
    floor: Vec<floor::Ratio>,
    left_out: Vec<(Case, String)>,
    /// What was added last, as it stands in the table.
    latest: String,
}

/// Room for what was measured, in characters.
const WHAT: usize = 44;

/// What a figure is to be.
#[derive(Clone, Copy)]
enum Target {
    None,
    Most(f64),
    Least(f64),
}

/// A figure.
struct Line {
    what: String,
    calls: usize,
    figure: &'static str,
    unit: &'static str,
    value: f64,
    target: Target,
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
        if self.case.realtime && !server.runs_first() {
            self.wrongs.push("the media threads run at normal priority".to_owned());
        }
        let log = server.log();
        let lines: Vec<_> = log.lines().filter(|it| it.contains("ERROR")).collect();
        self.wrongs.extend(lines.iter().take(3).map(|it| format!("the server's log: {it}")));
    }

    fn lines(&self) -> Vec<Line> {
        let Self { case, seen, .. } = self;
        let what = self.case.to_string();
        let line = |figure, unit, value, target| Line {
            what: what.clone(),
            calls: case.calls,
            figure,
            unit,
            value,
            target,
        };
        let mut lines = Vec::new();
        let (cost, memory) = match case.scene {
            Scene::Record if case.is_long() => (Target::None, Target::Most(48.0)),
            Scene::Record => (Target::Most(0.0077), Target::None),
            Scene::Listen => (Target::Most(0.0070), Target::Most(24.0)),
            _ => (Target::None, Target::None),
        };
        if case.scene == Scene::Busy {
            // Else it is not what it is called.
            lines.push(line("processors the workers had", "", self.helpers, Target::Least(0.3)));
        } else {
            lines.push(line("processor time a call-minute", "s", self.per_minute, cost));
            lines.push(line("processors kept busy", "", self.busy, Target::None));
        }
        let memory = self.memory.map(|it| line("memory a call", "KiB", it, memory));
        lines.extend(memory.filter(|_| !matches!(case.scene, Scene::Setup | Scene::Busy)));
        if let Some(found) = &self.recordings {
            let wrong = found.wrongs as f64 + found.missing as f64;
            lines.push(line("recordings not as spoken", "", wrong, Target::Most(0.0)));
        }
        if seen.heard.packets > 0 {
            let target = |most| if case.realtime { Target::Most(most) } else { Target::None };
            let late = |percent| seen.heard.lateness_ms(percent);
            // Calls begin and end within a packet.
            let came = seen.heard.packets as f64 / (self.held * self.seconds * 0.5);
            let least = if case.realtime { Target::Least(99.9) } else { Target::None };
            lines.push(line("of the packets due came", "%", came, least));
            lines.push(line("lateness p50", "ms", late(50.0), Target::None));
            lines.push(line("lateness p99", "ms", late(99.0), target(5.0)));
            lines.push(line("lateness p99.9", "ms", late(99.9), Target::None));
            lines.push(line("gaps over 40 ms", "", seen.heard.gaps as f64, target(0.0)));
            let longest = seen.heard.longest_gap_ns as f64 / 1e6;
            lines.push(line("longest gap", "ms", longest, Target::None));
        }
        if case.scene == Scene::Setup {
            let rate = seen.set_up.len() as f64 / self.seconds;
            // The last of them are answered a moment later.
            let wanted = Target::Least(case.calls as f64 * 0.99);
            lines.push(line("calls answered a second", "", rate, wanted));
        }
        let ms = |times: &[u64], percent| share(times, percent) as f64 / 1e6;
        if matches!(case.scene, Scene::Setup | Scene::Record) {
            let setup = case.scene == Scene::Setup;
            let target = if setup { Target::Most(50.0) } else { Target::None };
            lines.push(line("INVITE to 200 p50", "ms", ms(&seen.set_up, 50.0), Target::None));
            lines.push(line("INVITE to 200 p99", "ms", ms(&seen.set_up, 99.0), target));
            lines.push(line("BYE to 200 p99", "ms", ms(&seen.ended, 99.0), Target::None));
        }
        lines
    }

    /// What else is to be known of it, and what was wrong.
    fn notes(&self) -> Vec<String> {
        let Self { seen, dropped, .. } = self;
        let threads = self.threads.iter().map(|(name, time)| format!("{name} {time:.2}"));
        let mut notes = vec![
            format!("{:.0} calls were up; {} KiB in all", self.held, self.used.memory),
            format!("seconds by thread: {}", threads.collect::<Vec<_>>().join(", ")),
            format!(
                "{} calls placed, {} requests repeated, {} packets sent ({} not taken), {} heard",
                seen.asked, seen.repeated, seen.sent, seen.unsent, seen.heard.packets
            ),
        ];
        if let Some(found) = &self.recordings {
            let hours = found.samples as f64 / 8_000.0 / 3_600.0;
            let (files, quiet) = (found.files, found.quiet / 8);
            notes.push(format!(
                "{files} recordings compared, {hours:.2} h of sound; {quiet} ms of silence at most around one"
            ));
        }
        if dropped.full > 0 {
            notes.push(format!(
                "THIS TOOL lost {} packets that waited for it: more of net.core.rmem_max would help",
                dropped.full
            ));
        }
        if dropped.between > 0 {
            notes.push(format!(
                "THE KERNEL dropped {} packets on their way (net.core.netdev_max_backlog)",
                dropped.between
            ));
        }
        if seen.behind > 0 {
            let latest = seen.latest_ns / 1_000_000;
            let times = seen.behind;
            notes.push(format!("THIS TOOL was {times} times late itself, by {latest} ms at most"));
        }
        notes.extend(self.wrongs.iter().map(|it| format!("WRONG {it}")));
        notes
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|it| writeln!(f, "{it}"))?;
        self.notes().iter().try_for_each(|it| writeln!(f, "  {it}"))
    }
}

impl Line {
    fn is_met(&self) -> bool {
        match self.target {
            Target::None => true,
            Target::Most(most) => self.value <= most,
            Target::Least(least) => self.value >= least,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, calls, figure, unit, value, target } = self;
        let target = match target {
            Target::None => String::new(),
            Target::Most(most) => format!("<= {most}"),
            Target::Least(least) => format!(">= {least}"),
        };
        let verdict = match self.target {
            Target::None => "",
            _ if self.is_met() => "met",
            _ => "MISSED",
        };
        let digits = match *value {
            it if it.fract() == 0.0 => 0,
            it if it < 10.0 => 4,
            _ => 1,
        };
        let line = format!(
            "{what:<WHAT$} {calls:>5}  {figure:<29} {value:>9.digits$} {unit:<4} {target:<9} {verdict}"
        );
        f.write_str(line.trim_end())
    }
}

impl Table {
    /// Nothing was measured yet, on this machine.
    pub fn new() -> Self {
        let (rows, floor, left_out) = (Vec::new(), Vec::new(), Vec::new());
        Self { machine: machine(), rows, floor, left_out, latest: String::new() }
    }

    pub fn add(&mut self, row: Row) {
        self.latest = row.to_string();
        self.rows.push(row);
    }

    /// The plane beside a bare loop.
    pub fn compare(&mut self, ratios: Vec<floor::Ratio>) {
        self.floor.extend(ratios);
        let lines = self.floor_lines();
        self.latest = lines.iter().map(|it| format!("{it}\n")).collect();
    }

    pub fn left_out(&mut self, case: Case, why: String) {
        self.latest = format!("  not measured: {why}\n");
        self.left_out.push((case, why));
    }

    /// What was added last.
    pub fn latest(&self) -> &str {
        &self.latest
    }

    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|it| it.wrongs.is_empty()) && self.lines().iter().all(Line::is_met)
    }

    fn lines(&self) -> Vec<Line> {
        let rows = self.rows.iter().flat_map(Row::lines);
        rows.chain(self.floor_lines()).collect()
    }

    fn floor_lines(&self) -> Vec<Line> {
        let lines = self.floor.iter().map(|it| Line {
            what: Scene::Floor.to_string(),
            calls: floor::LEGS,
            figure: it.scene(),
            unit: "",
            value: it.value(),
            target: Target::Least(floor::TARGET),
        });
        lines.collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        writeln!(
            f,
            "{:<WHAT$} {:>5}  {:<29} {:>9} {:<4} target",
            "what", "calls", "figure", "measured", ""
        )?;
        self.lines().iter().try_for_each(|it| writeln!(f, "{it}"))?;
        for (case, why) in &self.left_out {
            let (what, calls) = (case.to_string(), case.calls);
            writeln!(f, "{what:<WHAT$} {calls:>5}  not measured: {why}")?;
        }
        for row in &self.rows {
            for note in row.notes().iter().filter(|it| it.starts_with(char::is_uppercase)) {
                writeln!(f, "{}, {}: {note}", row.case, row.case.calls)?;
            }
        }
        Ok(())
    }
}

/// So many of a hundred took no longer.
fn share(times: &[u64], percent: f64) -> u64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}
