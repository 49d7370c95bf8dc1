//! What is measured, how often, and what it needs of the machine.

use std::fmt;
use std::sync::OnceLock;

use clap::ValueEnum;

use super::{Plane, net, signal, usage};

/// What calls do while they are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scene {
    /// Callers record messages back to back.
    Record,
    /// Callers hear music and send nothing.
    Listen,
    /// Callers hear and send at once.
    Duplex,
    /// So many new calls a second.
    Setup,
    /// Callers hear music while two workers write messages down.
    Busy,
    /// The plane alone, beside a bare loop that makes the same system calls.
    Floor,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub scene: Scene,
    /// At once; of [`Scene::Setup`], a second.
    pub calls: usize,
    pub seconds: u64,
    /// How long a message is, in seconds, where any are left.
    pub message: u64,
    /// Media threads run before all others.
    pub realtime: bool,
    /// Listeners hear all the same moment.
    pub shared: bool,
}

/// Seconds that are measured: of what has a target, and of what stands beside it.
const SECONDS: u64 = 60;
const BESIDE: u64 = 30;
/// Seconds of a message, and of those that show what a call holds in memory: what its beginning and its end
/// leave behind for half a minute is less of it then.
const MESSAGE: u64 = 10;
const LONG_MESSAGE: u64 = 60;

/// What was asked for, or else everything.
pub fn plan(plane: &Plane) -> Vec<Case> {
    let Plane { seconds, ordinary, shared, message, .. } = *plane;
    let case = |scene, calls| Case {
        scene,
        calls,
        seconds: seconds.unwrap_or(SECONDS),
        message: message.unwrap_or(MESSAGE),
        realtime: !ordinary,
        shared,
    };
    if !plane.scene.is_empty() {
        let cases = plane.scene.iter().flat_map(|scene| {
            let counts = if plane.calls.is_empty() { usual(*scene) } else { &plane.calls };
            counts.iter().map(move |calls| case(*scene, *calls))
        });
        return cases.collect();
    }
    let beside = |it: Case| Case { seconds: seconds.unwrap_or(BESIDE), ..it };
    let all = |scene| usual(scene).iter().map(move |calls| case(scene, *calls));
    let listening: Vec<_> = all(Scene::Listen).collect();
    let mut cases: Vec<_> = all(Scene::Floor).chain(all(Scene::Record)).collect();
    if message.is_none() {
        cases.push(Case { message: LONG_MESSAGE, ..case(Scene::Record, 1_000) });
    }
    cases.extend(&listening);
    if !ordinary {
        cases.extend(listening.iter().map(|it| beside(Case { realtime: false, ..*it })));
    }
    // The other kind of bed, where it is dearest.
    let other = listening.last().map(|it| beside(Case { shared: !shared, ..*it }));
    cases.extend(other);
    cases.extend(all(Scene::Duplex).map(beside));
    cases.extend(all(Scene::Setup).chain(all(Scene::Busy)));
    cases
}

fn usual(scene: Scene) -> &'static [usize] {
    match scene {
        Scene::Record => &[200, 1_000, 3_000],
        Scene::Listen => &[500, 2_000, 5_000],
        Scene::Duplex => &[1_000],
        Scene::Setup => &[300],
        Scene::Busy => &[500],
        Scene::Floor => &[2_000],
    }
}

impl Case {
    /// Whether it shows what a recorded call holds in memory.
    pub fn is_long(&self) -> bool {
        self.scene == Scene::Record && self.message >= LONG_MESSAGE
    }

    /// Why it cannot be measured on this machine, and what would help.
    pub fn obstacle(&self) -> Option<String> {
        let machine = machine();
        if machine.processors < 2 {
            return Some("server and tool need a processor each; there is one here".to_owned());
        }
        // Two sockets to a call, and what else the server has open.
        let calls = if self.scene == Scene::Setup { self.calls * 4 } else { self.calls };
        let (wanted, files) = (2 * calls as u64 + 600, machine.files);
        if files < wanted {
            return Some(format!("{wanted} open files are needed, {files} allowed (ulimit -n)"));
        }
        let late = matches!(self.scene, Scene::Listen | Scene::Busy);
        if late && self.realtime && !machine.realtime {
            return Some(
                "media threads may not run before all others here; be root, or have `ulimit -r 20`"
                    .to_owned(),
            );
        }
        if self.scene == Scene::Busy {
            return nothing_to_write_down();
        }
        None
    }
}

fn nothing_to_write_down() -> Option<String> {
    if signal::speech().is_none() {
        return Some("there is no recorded speech; install pocketsphinx-testdata".to_owned());
    }
    let model = crate::house::folder_of_models().join("ggml-tiny.en.bin");
    let missing = !model.exists();
    missing.then(|| format!("{} is missing; `make models` brings it", model.display()))
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "recording",
            Self::Listen => "listening",
            Self::Duplex => "both at once",
            Self::Setup => "set-up, a second",
            Self::Busy => "listening beside transcription",
            Self::Floor => "plane against bare loop",
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = if self.shared { ", one bed for all" } else { "" };
        let priority = if self.realtime { "" } else { ", normal priority" };
        let messages = if self.is_long() {
            format!(", messages of {} s", self.message)
        } else {
            String::new()
        };
        write!(f, "{}{messages}{shared}{priority}", self.scene)
    }
}

/// What this machine allows.
#[derive(Debug)]
pub struct Machine {
    processors: usize,
    files: u64,
    pub realtime: bool,
    /// What a socket of this tool may hold, in KiB, unless the administrator runs it.
    room: u64,
}

/// Enough for any number of calls that ports are enough for.
const FILES: u64 = 40_000;

/// Looked at once, before this thread keeps to one processor.
pub fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| Machine {
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        files: net::files(FILES),
        realtime: std::thread::spawn(net::run_first).join().is_ok_and(|it| it),
        room: usage::kernel("net.core.rmem_max") / 1_024,
    })
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processors, files, realtime, room } = self;
        let realtime = if *realtime { "allowed" } else { "NOT allowed" };
        write!(
            f,
            "{processors} processors, {files} open files, real-time priority {realtime}, \
             net.core.rmem_max {room} KiB"
        )
    }
}
