//! The media plane under load: callers that record, listeners, both at once; what a minute of a call costs the
//! server, how late its packets are, what it holds in memory, how fast it answers.
//!
//! Server and tool have a processor each. Nothing of the server's own code is used here.

mod crowd;
mod draw;
mod ear;
mod net;
mod server;
mod signal;
mod soak;
mod table;
mod text;
mod usage;

use std::time::Duration;

use clap::{Args, ValueEnum};

use crowd::{Crowd, Role};
use server::Server;
use table::{Row, Table};

/// What is measured.
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
}

#[derive(Debug, Clone, Args)]
pub struct Plane {
    /// What is measured; without it, all.
    #[arg(long, value_enum)]
    pub scene: Vec<Scene>,
    /// Calls at once; of `setup`, calls a second. Without it, those of docs/performance.md.
    #[arg(long)]
    pub calls: Vec<usize>,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// How long a message is.
    #[arg(long, default_value_t = 10)]
    pub message: u64,
    /// Media threads at normal priority.
    #[arg(long)]
    pub ordinary: bool,
    /// Another program than the one that was built with this.
    #[arg(long)]
    pub program: Option<std::path::PathBuf>,
    /// Writes the curves as pictures into this folder.
    #[arg(long)]
    pub pictures: Option<std::path::PathBuf>,
    /// Lets the server run under `perf record` while it is measured; the file it writes.
    #[arg(long)]
    pub profile: Option<std::path::PathBuf>,
}

/// Mailboxes that messages are left in.
const MAILBOXES: usize = 50;
/// From the answer to the beep's end, for which a caller of messages stays longer.
const OPENING: Duration = Duration::from_millis(900);
/// Before anything is measured, once all calls are up.
const SETTLES: Duration = Duration::from_secs(3);

/// Measures what was asked for; whether all was right and all targets were met.
pub fn run(plane: &Plane) -> bool {
    let mut table = Table::default();
    let scenes = match plane.scene.is_empty() {
        true => vec![Scene::Record, Scene::Listen, Scene::Duplex, Scene::Setup],
        false => plane.scene.clone(),
    };
    for scene in scenes {
        let usual: &[usize] = match scene {
            Scene::Record => &[200, 1_000, 3_000],
            Scene::Listen => &[500, 2_000, 5_000],
            Scene::Duplex => &[1_000],
            Scene::Setup => &[300],
        };
        let counts = if plane.calls.is_empty() { usual.to_vec() } else { plane.calls.clone() };
        for calls in counts {
            eprintln!("{scene:?} with {calls} ...");
            let row = measure(plane, scene, calls);
            eprintln!("{row}");
            table.rows.push(row);
        }
    }
    println!("{table}");
    if let Some(folder) = &plane.pictures {
        draw::all(folder, &table.rows);
    }
    table.is_good()
}

/// A little of each, to see that it works: that nothing is lost counts, and not how long it took.
pub fn smoke() -> bool {
    let plane = Plane {
        scene: Vec::new(),
        calls: Vec::new(),
        seconds: 6,
        // Well above what is too short to be kept, however late the beep comes.
        message: 4,
        ordinary: false,
        program: None,
        pictures: None,
        profile: None,
    };
    let scenes = [(Scene::Record, 40), (Scene::Listen, 40), (Scene::Setup, 20)];
    scenes.into_iter().all(|(scene, calls)| {
        let row = measure(&plane, scene, calls);
        println!("{row}");
        row.wrongs.is_empty()
    })
}

fn role(scene: Scene, plane: &Plane, server: &Server) -> Role {
    let messages = server.mailboxes(MAILBOXES);
    let music = vec![server::MUSIC.to_owned()];
    let usual = Role {
        numbers: music,
        speaks: false,
        skips: false,
        listens: true,
        length: None,
        again: false,
    };
    match scene {
        Scene::Record => Role {
            numbers: messages,
            speaks: true,
            skips: true,
            listens: false,
            length: Some(Duration::from_secs(plane.message) + OPENING),
            again: true,
        },
        Scene::Listen => usual,
        Scene::Duplex => Role { speaks: true, ..usual },
        Scene::Setup => {
            let length = Some(Duration::from_secs(2));
            Role { listens: false, length, again: true, ..usual }
        }
    }
}

/// New calls a second until all are up: recordings begin evenly over the length of one.
fn rate(scene: Scene, calls: usize, role: &Role) -> u32 {
    match (scene, role.length) {
        (Scene::Record, Some(length)) => {
            (calls as f64 / length.as_secs_f64()).ceil().max(1.0) as u32
        }
        (Scene::Setup, _) => calls as u32,
        _ => 250,
    }
}

fn measure(plane: &Plane, scene: Scene, calls: usize) -> Row {
    net::pin(0, 1).ok();
    net::run_first();
    let server = Server::start(plane.program.as_deref(), plane.ordinary, plane.seconds + 90);
    let mut crowd = Crowd::new(server.sip).expect("sockets for callers");
    let role = role(scene, plane, &server);
    // Of those who call again and again, enough that nobody is waited for.
    let callers = if scene == Scene::Setup { calls * 4 } else { calls };
    crowd.rate = rate(scene, calls, &role);
    let bound = Duration::from_secs(callers as u64 / u64::from(crowd.rate) + 30);
    let first = callers.min(100);
    crowd.add(first, role.clone());
    crowd.run_until(bound, |it| it.is_settled() || it.up >= first);
    crowd.run(Duration::from_secs(1));
    let few = usage::of(server.pid());
    crowd.add(callers - first, role);
    crowd.run_until(bound, |it| match scene {
        Scene::Record | Scene::Setup => it.done > 0 && it.up * 10 >= calls * 9,
        _ => it.is_settled(),
    });
    // A pause, or what was asked together stays together for ever.
    crowd.rate = if scene == Scene::Setup { crowd.rate } else { 2_000 };
    crowd.run(SETTLES);
    crowd.forget();
    let profiler = plane.profile.as_deref().map(|it| server.profile(it, plane.seconds));
    let (before, begun) = (usage::of(server.pid()), net::monotonic());
    let threads = usage::threads(server.pid());
    let mut held = 0;
    for _ in 0..plane.seconds {
        crowd.run(Duration::from_secs(1));
        held += crowd.up;
    }
    let (after, took) = (usage::of(server.pid()), net::monotonic() - begun);
    let threads = server::spent(&threads, &usage::threads(server.pid()));
    let seen = std::mem::take(&mut crowd.seen);
    drop(profiler);
    let left = crowd.leave(Duration::from_secs(40 + plane.message));
    let held = held as f64 / plane.seconds as f64;
    let minutes = held * took as f64 / 60e9;
    let mut row = Row {
        scene,
        calls,
        ordinary: plane.ordinary,
        held,
        per_minute: (after.processor - before.processor) / minutes,
        memory: (callers > first)
            .then(|| (after.memory as f64 - few.memory as f64) / (callers - first) as f64),
        busy: (after.processor - before.processor) / (took as f64 / 1e9),
        threads,
        seen,
        recordings: None,
        wrongs: Vec::new(),
    };
    if !left {
        row.wrongs.push(format!("{} calls did not end", crowd.up));
    }
    if scene == Scene::Record {
        // How long the beginning takes is the server's affair; a hole in what follows it would be seen.
        let least = plane.message as usize * 4_000;
        row.recordings = Some(server.recordings(crowd.done, least));
    }
    row.judge(&server);
    row
}

pub use soak::{Soak, soak};
