//! An hour of mixed calls: whether memory, descriptors and tasks stay as they are, and nothing is lost.
//!
//! A third are recorded, a quarter each hears the tone from its beginning or where all others are in it,
//! the rest are owners who hear a message. Recordings are compared, and taken away, while it runs:
//! what an hour of them is would fill the disk.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;

use super::case::machine;
use super::crowd::{Crowd, ONE, Role};
use super::ear::Hears;
use super::recordings::{Known, Recordings};
use super::server::{OWNED, OWNERS, Server};
use super::usage::Usage;
use super::{MAILBOXES, net, recorded, signal, usage};

#[derive(Debug, Clone, Args)]
pub struct Soak {
    #[arg(long, default_value_t = 60)]
    pub minutes: u64,
    /// Calls at once.
    #[arg(long, default_value_t = 300)]
    pub calls: usize,
    /// Another program than the one that was built with this.
    #[arg(long)]
    pub program: Option<PathBuf>,
}

/// What memory may grow by in an hour, in KiB.
const GROWTH: f64 = 1_024.0;
/// What comes before is not looked at: caches fill, and the first of everything is made.
const WARM: u64 = 10;
/// A verdict needs so many minutes behind those.
const ENOUGH: u64 = 10;
/// What a message lasts, and the shortest recording of one, in samples.
const MESSAGE: Duration = Duration::from_secs(20);
const LEAST: usize = 16 * 8_000;
/// Owners hear one of this length, and hang up before its end, so that it stays new.
const OWNED_MESSAGE: Duration = Duration::from_secs(45);
/// Longer than the tone, so that it is heard to begin again.
const HELD: Duration = Duration::from_secs(75);
/// An owner's key to hear it comes after so many packets.
const ASKS: u32 = 100;

/// Runs it, prints a line a minute and a verdict; whether all was flat and nothing was lost.
pub fn soak(it: &Soak) -> bool {
    println!("{}", machine());
    net::pin(0, 1).ok();
    net::run_first();
    let server = Server::start(it.program.as_deref(), true, None);
    let mut crowd = Crowd::new(server.sip).expect("sockets for callers");
    let known = one_message(&server, &mut crowd);
    let comparing = Comparing::begin(server.folder());
    let left = mixed(it.calls, &server, &mut crowd, known);
    crowd.forget();
    let dropped = crowd.dropped();
    println!("minute  RSS KiB  files  threads  tasks  calls  messages  recordings");
    let mut looks = Vec::new();
    for minute in 1..=it.minutes {
        let look = look(&server, &mut crowd);
        let Usage { files, threads, .. } = look.used;
        println!(
            "{minute:>6}  {:>7.0}  {files:>5}  {threads:>7}  {:>5}  {:>5}  {:>8}  {:>10}",
            look.memory,
            look.tasks,
            crowd.up,
            crowd.done[left],
            comparing.count()
        );
        looks.push(look);
    }
    let mut wrongs = Vec::new();
    if !crowd.leave(HELD + Duration::from_secs(30)) {
        wrongs.push(format!("{} calls did not end", crowd.up));
    }
    // What was left just now is being filed.
    crowd.run(Duration::from_secs(5));
    let found = comparing.end();
    println!("{} recordings compared, of {} messages", found.files, crowd.done[left]);
    let dropped = crowd.dropped().since(dropped);
    if dropped.full + dropped.between > 0 {
        println!("THIS TOOL and the kernel lost packets themselves: {dropped:?}");
    }
    let heard = &crowd.seen.heard;
    println!(
        "{} packets heard, {:.2} ms late at most but for one in a hundred; {} gaps over 40 ms, the longest {:.0} ms",
        heard.packets,
        heard.lateness_ms(99.0),
        heard.gaps,
        heard.longest_gap_ns as f64 / 1e6
    );
    if crowd.seen.behind > 0 {
        let latest = crowd.seen.latest_ns / 1_000_000;
        println!("THIS TOOL was {} times late itself, by {latest} ms at most", crowd.seen.behind);
    }
    wrongs.extend(lost(&crowd, left, &found));
    wrongs
        .extend(server.log().lines().filter(|it| it.contains("ERROR")).map(str::to_owned).take(5));
    let is_flat = grown(&looks, it.calls);
    wrongs.iter().for_each(|it| println!("WRONG {it}"));
    println!("{}", if wrongs.is_empty() { "Nothing was lost." } else { "Something was LOST." });
    wrongs.is_empty() && is_flat
}

/// Leaves the message that owners hear, and answers what is in it.
fn one_message(server: &Server, crowd: &mut Crowd) -> &'static Known {
    server.mailbox(OWNED, &["--play-envelope", "no", "--play-cid", "no", "--transcribe", "no"]);
    let one = recorded(vec![OWNED.to_owned()], Some(OWNED_MESSAGE));
    let role = crowd.role(Role { again: false, ..one });
    crowd.add(1, role);
    crowd.run_until(OWNED_MESSAGE * 2, |it| it.done[role] == 1);
    crowd.run(Duration::from_secs(2));
    let mut found = Recordings::default();
    let files = found.look(&server.folder(), LEAST).expect("recordings are read");
    let file = files.first().expect("a message for owners");
    Box::leak(Box::new(Known::read(file).expect("it is read")))
}

/// Lets everybody call. Answers which role leaves messages.
fn mixed(calls: usize, server: &Server, crowd: &mut Crowd, known: &'static Known) -> usize {
    crowd.rate = 20;
    let left = crowd.role(recorded(server.mailboxes(MAILBOXES), Some(MESSAGE)));
    crowd.add(calls / 3, left);
    for (shared, hears) in [(false, Hears::Tone), (true, Hears::Radio)] {
        let numbers = vec![server.music(shared)];
        let role = recorded(numbers, Some(HELD));
        let role = crowd.role(Role { says: None, keys: &[], hears, ..role });
        crowd.add(calls / 4, role);
    }
    let claims = Some(format!("P-Asserted-Identity: <sip:{OWNED}@pbx.example>\r\n"));
    let (says, keys) = (Some(&signal::NOTHING[..]), &[(ASKS, &ONE)]);
    let role = recorded(vec![OWNERS.to_owned()], Some(Duration::from_secs(30)));
    let role = crowd.role(Role { claims, says, keys, hears: Hears::Message(known), ..role });
    crowd.add(calls - calls / 3 - 2 * (calls / 4), role);
    left
}

/// What was seen of the server within a minute: its memory is the mean of a look a second.
struct Look {
    used: Usage,
    memory: f64,
    tasks: f64,
}

fn look(server: &Server, crowd: &mut Crowd) -> Look {
    let mut memory = 0.0;
    let mut used = Usage::default();
    for _ in 0..60 {
        crowd.run(Duration::from_secs(1));
        used = usage::of(server.pid());
        memory += used.memory as f64 / 60.0;
    }
    Look { used, memory, tasks: server.figure("afterbeep_tasks") }
}

/// What is not as it should be, whatever grew.
fn lost(crowd: &Crowd, left: usize, found: &Recordings) -> Vec<String> {
    let (seen, heard) = (&crowd.seen, &crowd.seen.heard);
    // The owners' message is one of the recordings.
    let missing = (crowd.done[left] + 1).saturating_sub(found.files as u64);
    let wrong = [
        (seen.dropped, "calls were dropped"),
        (seen.refused, "calls were refused"),
        (seen.unheard, "owners did not hear their message"),
        (heard.lost, "packets were lost"),
        (heard.disordered, "packets came out of order"),
        (heard.wrong_sound, "packets were neither the tone nor the next of the message"),
        (missing, "messages have no recording"),
        (found.wrongs as u64, "recordings are not what was said"),
    ];
    let wrong = wrong.into_iter().filter(|it| it.0 > 0).map(|it| format!("{} {}", it.0, it.1));
    wrong.chain(found.wrong.iter().cloned()).collect()
}

/// Says how much grew in an hour, and whether that is too much, once there is enough to tell it by.
fn grown(looks: &[Look], calls: usize) -> bool {
    let warm = looks.get(WARM as usize..).unwrap_or_default();
    if (warm.len() as u64) < ENOUGH {
        println!("A verdict on growth needs {} minutes.", WARM + ENOUGH);
        return true;
    }
    let memory = an_hour(warm, |it| it.memory);
    let files = an_hour(warm, |it| it.used.files as f64);
    let threads = an_hour(warm, |it| it.used.threads as f64);
    let tasks = an_hour(warm, |it| it.tasks);
    println!(
        "In an hour memory grows by {memory:.0} KiB, files by {files:.1}, threads by {threads:.1}, tasks by {tasks:.1}."
    );
    // At each look some calls more or less are between their beginning and their end.
    let few = calls as f64 / 10.0;
    let is_flat = memory <= GROWTH && files <= few && threads <= few && tasks <= few;
    println!("{}", if is_flat { "That is flat." } else { "That is NOT FLAT." });
    is_flat
}

/// What a line through a value of each minute rises by in an hour.
fn an_hour(looks: &[Look], value: impl Fn(&Look) -> f64) -> f64 {
    let middle = (looks.len() as f64 - 1.0) / 2.0;
    let minutes = || (0..looks.len()).map(|it| it as f64 - middle);
    let rise: f64 = minutes().zip(looks).map(|(minute, look)| minute * value(look)).sum();
    rise / minutes().map(|it| it * it).sum::<f64>() * 60.0
}

/// Compares recordings while the calls go on, and takes those away that are as they should be.
struct Comparing {
    shared: Arc<Shared>,
    thread: JoinHandle<Recordings>,
}

#[derive(Default)]
struct Shared {
    ends: AtomicBool,
    count: std::sync::atomic::AtomicUsize,
}

/// Between two looks at the folder.
const PAUSE: Duration = Duration::from_secs(2);

impl Comparing {
    fn begin(folder: PathBuf) -> Self {
        let shared = Arc::new(Shared::default());
        let other = shared.clone();
        let thread = std::thread::spawn(move || {
            let (mut found, mut kept) = (Recordings::default(), true);
            loop {
                let is_last = other.ends.load(Relaxed);
                let wrongs = found.wrongs;
                let files = found.look(&folder, LEAST).expect("recordings are read");
                // Owners still hear the first one.
                let files = files.iter().skip(usize::from(std::mem::take(&mut kept)));
                if found.wrongs == wrongs {
                    files.for_each(|it| fs::remove_file(it).expect("it is taken away"));
                }
                other.count.store(found.files, Relaxed);
                if is_last {
                    return found;
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { shared, thread }
    }

    fn count(&self) -> usize {
        self.shared.count.load(Relaxed)
    }

    fn end(self) -> Recordings {
        self.shared.ends.store(true, Relaxed);
        self.thread.join().expect("recordings were compared")
    }
}
