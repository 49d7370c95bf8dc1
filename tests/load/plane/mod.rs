//! The media plane under load: callers that record, listeners, both at once; what a minute of a call costs the
//! server, how late its packets are, what it holds in memory, how fast it answers.
//!
//! Server and tool have a processor each. Nothing of the server's own code is used here, but by the bare
//! loop that the plane is compared with.

mod case;
mod crowd;
mod draw;
mod ear;
#[path = "../../../benches/plane.rs"]
mod floor;
mod net;
mod recordings;
mod server;
mod signal;
mod soak;
mod table;
mod text;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use case::{Case, Scene};
use clap::Args;
use crowd::{Crowd, POUND, Role};
use ear::Hears;
use server::{Profiler, Server};
pub use soak::{Soak, soak};
use table::{Row, Table};
use usage::Usage;

#[derive(Debug, Clone, Default, Args)]
pub struct Plane {
    /// What is measured; without it, all.
    #[arg(long, value_enum)]
    pub scene: Vec<Scene>,
    /// Calls at once; of `setup`, calls a second. Without it, those of docs/performance.md.
    #[arg(long)]
    pub calls: Vec<usize>,
    /// Seconds that are measured; without it, 60, and 30 of what only stands beside it.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// How long a message is, in seconds; without it, 10, and 60 once more to see what a call holds in memory.
    #[arg(long)]
    pub message: Option<u64>,
    /// Media threads at normal priority.
    #[arg(long)]
    pub ordinary: bool,
    /// Listeners hear all the same moment; else each the tone from its beginning.
    #[arg(long)]
    pub shared: bool,
    /// Another program than the one that was built with this.
    #[arg(long)]
    pub program: Option<PathBuf>,
    /// Writes the curves as pictures into this folder.
    #[arg(long)]
    pub pictures: Option<PathBuf>,
    /// Lets the server run under `perf record` while it is measured; the file it writes.
    #[arg(long)]
    pub profile: Option<PathBuf>,
}

/// Mailboxes that messages are left in.
const MAILBOXES: usize = 50;
/// From the answer to the beep's end, for which a caller of messages stays longer.
const OPENING: Duration = Duration::from_millis(900);
/// Before anything is measured, once all calls are up.
const SETTLES: Duration = Duration::from_secs(3);
/// Packets in a minute of a call.
const A_MINUTE: f64 = 3_000.0;
/// Where messages are written down, and the figure that says how many still are to be.
const WRITTEN: &str = "7000";
const TO_WRITE: &str = r#"afterbeep_jobs{kind="transcribe",state="queued"}"#;

/// Measures what was asked for; whether all was right and all targets were met.
pub fn run(plane: &Plane) -> bool {
    let mut table = Table::new();
    eprintln!("{}", table.machine);
    for case in case::plan(plane) {
        eprintln!("\n{case}, {} ...", case.calls);
        match case.obstacle() {
            Some(why) => table.left_out(case, why),
            None if case.scene == Scene::Floor => table.compare(floor::figures()),
            None => table.add(measure(plane, case)),
        }
        eprint!("{}", table.latest());
    }
    println!("{table}");
    if let Some(folder) = &plane.pictures {
        draw::all(folder, &table.rows);
    }
    table.is_good()
}

/// A little of each, to see that it works: that nothing is lost counts, and not how long it took.
pub fn smoke() -> bool {
    // Well above what is too short to be kept, however late the beep comes.
    let case =
        |scene, calls| Case { scene, calls, seconds: 6, message: 4, realtime: true, shared: false };
    let cases = [
        case(Scene::Record, 40),
        case(Scene::Listen, 40),
        Case { shared: true, ..case(Scene::Listen, 40) },
        case(Scene::Setup, 20),
    ];
    cases.into_iter().all(|case| {
        let row = measure(&Plane::default(), case);
        println!("{row}");
        row.wrongs.is_empty()
    })
}

fn role(case: &Case, server: &Server) -> Role {
    let usual = Role {
        numbers: Vec::new(),
        claims: None,
        says: None,
        keys: &[],
        hears: Hears::Nothing,
        length: None,
        again: false,
    };
    match case.scene {
        Scene::Record => {
            let length = Some(Duration::from_secs(case.message) + OPENING);
            recorded(server.mailboxes(MAILBOXES), length)
        }
        Scene::Listen | Scene::Busy | Scene::Floor => {
            let hears = if case.shared { Hears::Radio } else { Hears::Tone };
            Role { numbers: vec![server.music(case.shared)], hears, ..usual }
        }
        Scene::Duplex => {
            let numbers = vec![server.greeting(case.seconds + 90)];
            Role { numbers, says: Some(signal::signal()), hears: Hears::Tone, ..usual }
        }
        Scene::Setup => {
            let (numbers, length) = (vec![server.greeting(5)], Some(Duration::from_secs(2)));
            Role { numbers, length, again: true, ..usual }
        }
    }
}

/// Somebody who leaves a message, again and again.
fn recorded(numbers: Vec<String>, length: Option<Duration>) -> Role {
    let (says, hears) = (Some(signal::signal()), Hears::Nothing);
    Role { numbers, claims: None, says, keys: &[(0, &POUND)], hears, length, again: true }
}

/// New calls a second until all are up: recordings begin evenly over the length of one.
fn rate(case: &Case, role: &Role) -> u32 {
    match (case.scene, role.length) {
        (Scene::Record, Some(length)) => {
            (case.calls as f64 / length.as_secs_f64()).ceil().max(1.0) as u32
        }
        (Scene::Setup, _) => case.calls as u32,
        _ => 250,
    }
}

fn measure(plane: &Plane, case: Case) -> Row {
    // Where that is not allowed, only lateness is not what it could be.
    let case = Case { realtime: case.realtime && case::machine().realtime, ..case };
    net::pin(0, 1).ok();
    net::run_first();
    let models = (case.scene == Scene::Busy).then(crate::house::models);
    let server = Server::start(plane.program.as_deref(), case.realtime, models.as_deref());
    let mut crowd = Crowd::new(server.sip).expect("sockets for callers");
    if case.scene == Scene::Busy {
        dictate(&server, &mut crowd, case.seconds);
    }
    let role = role(&case, &server);
    crowd.rate = rate(&case, &role);
    let role = crowd.role(role);
    let (few, more) = fill(&case, role, &server, &mut crowd);
    let mut profiler = plane.profile.as_deref().map(|it| server.profile(it, case.seconds));
    let mut row = watch(case, &server, &mut crowd);
    // Callers who waited for it would say all of that time at once, which nobody takes.
    while profiler.as_mut().is_some_and(Profiler::is_at_work) {
        crowd.run(Duration::from_millis(100));
    }
    let grown = row.used.memory as f64 - few.memory as f64;
    row.memory = (more > 0).then(|| grown / more as f64);
    if case.scene == Scene::Busy && server.figure(TO_WRITE).max(0.0) < 1.0 {
        row.wrongs.push("the workers ran dry before the end".to_owned());
    }
    if !crowd.leave(Duration::from_secs(40 + case.message)) {
        row.wrongs.push(format!("{} calls did not end", crowd.up));
    }
    if case.scene == Scene::Record {
        // How long the beginning takes is the server's affair; a hole in what follows it would be seen.
        row.recordings = Some(server.recordings(crowd.done[role], case.message as usize * 4_000));
    }
    row.judge(&server);
    row
}

/// Leaves messages that take longer to write down than what is measured lasts.
fn dictate(server: &Server, crowd: &mut Crowd, seconds: u64) {
    server.mailbox(WRITTEN, &["--limit", "1000", "--transcribe", "yes"]);
    let speech = signal::speech().expect("speech was looked for");
    let length = Duration::from_millis(speech.len() as u64 / 8) + OPENING;
    let role = recorded(vec![WRITTEN.to_owned()], Some(length));
    let role = crowd.role(Role { says: Some(speech), again: false, ..role });
    let messages = 10 + 2 * seconds;
    crowd.rate = 50;
    crowd.add(messages as usize, role);
    crowd.run_until(length * 3, |it| it.done[role] >= messages);
}

/// Lets all calls begin. Answers what the server used when there were only a few, and how many came
/// after those.
fn fill(case: &Case, role: usize, server: &Server, crowd: &mut Crowd) -> (Usage, usize) {
    // Of those who call again and again, enough that nobody is waited for.
    let callers = if case.scene == Scene::Setup { case.calls * 4 } else { case.calls };
    let bound = Duration::from_secs(callers as u64 / u64::from(crowd.rate) + 30);
    let first = callers.min(100);
    crowd.add(first, role);
    crowd.run_until(bound, |it| it.is_settled() || it.up >= first);
    crowd.run(Duration::from_secs(1));
    let few = usage::of(server.pid());
    crowd.add(callers - first, role);
    crowd.run_until(bound, |it| match case.scene {
        Scene::Record | Scene::Setup => it.done[role] > 0 && it.up * 10 >= case.calls * 9,
        _ => it.is_settled(),
    });
    // A pause, or what was asked together stays together for ever.
    crowd.rate = if case.scene == Scene::Setup { crowd.rate } else { 2_000 };
    crowd.run(SETTLES);
    (few, callers - first)
}

/// Measures for as long as the case says.
fn watch(case: Case, server: &Server, crowd: &mut Crowd) -> Row {
    crowd.forget();
    let dropped = crowd.dropped();
    let (before, begun) = (usage::of(server.pid()), net::monotonic());
    let threads = usage::threads(server.pid());
    let mut held = 0;
    for _ in 0..case.seconds {
        crowd.run(Duration::from_secs(1));
        held += crowd.up;
    }
    let used = usage::of(server.pid());
    let seconds = (net::monotonic() - begun) as f64 / 1e9;
    let spent = used.processor - before.processor;
    let held = held as f64 / case.seconds as f64;
    let seen = std::mem::take(&mut crowd.seen);
    // Neither is a server cheap that leaves packets out, nor one that was sent too few: where there is
    // sound, it is what counts.
    let minutes = match seen.heard.packets.max(seen.sent) {
        0 => held * seconds / 60.0,
        packets => packets as f64 / A_MINUTE,
    };
    Row {
        case,
        held,
        seconds,
        per_minute: spent / minutes,
        memory: None,
        busy: spent / seconds,
        helpers: (used.helpers - before.helpers) / seconds,
        used,
        threads: server::spent(&threads, &usage::threads(server.pid())),
        seen,
        dropped: crowd.dropped().since(dropped),
        recordings: None,
        wrongs: Vec::new(),
    }
}
