//! An hour of mixed calls: whether memory, descriptors and tasks stay as they are.

use std::time::Duration;

use clap::Args;

use super::crowd::{Crowd, Role};
use super::server::{MUSIC, Server};
use super::{MAILBOXES, net, usage};

#[derive(Debug, Clone, Args)]
pub struct Soak {
    #[arg(long, default_value_t = 60)]
    pub minutes: u64,
    /// Calls at once: half of them leave messages, half hear music.
    #[arg(long, default_value_t = 300)]
    pub calls: usize,
    /// Another program than the one that was built with this.
    #[arg(long)]
    pub program: Option<std::path::PathBuf>,
}

/// What memory may grow by in an hour, in KiB, after the first ten minutes.
const GROWTH: f64 = 1_024.0;
/// Before memory is compared.
const WARM_MINUTES: u64 = 10;

/// Runs it, prints a line a minute and a verdict; whether all was flat and nothing was lost.
pub fn soak(it: &Soak) -> bool {
    net::pin(0, 1).ok();
    let server = Server::start(it.program.as_deref(), false, 60);
    let mut crowd = Crowd::new(server.sip).expect("sockets for callers");
    crowd.rate = 20;
    let usual = Role {
        numbers: server.mailboxes(MAILBOXES),
        speaks: true,
        skips: true,
        listens: false,
        length: Some(Duration::from_secs(20)),
        again: true,
    };
    crowd.add(it.calls / 2, usual.clone());
    let numbers = vec![MUSIC.to_owned()];
    let length = Some(Duration::from_secs(45));
    let music = Role { numbers, speaks: false, skips: false, listens: true, length, ..usual };
    crowd.add(it.calls - it.calls / 2, music);
    println!("minute  RSS KiB  files  threads  tasks  calls  messages");
    let mut looks = Vec::new();
    for minute in 1..=it.minutes {
        crowd.run(Duration::from_secs(60));
        let used = usage::of(server.pid());
        let tasks = server.figure("afterbeep_tasks");
        let (memory, files, threads) = (used.memory, used.files, used.threads);
        println!(
            "{minute:>6}  {memory:>7}  {files:>5}  {threads:>7}  {tasks:>5}  {:>5}  {:>8}",
            crowd.up, crowd.done
        );
        looks.push((minute, used, tasks));
    }
    let left = crowd.leave(Duration::from_secs(60));
    let seen = &crowd.seen;
    let found = server.recordings(0, 8_000);
    println!("{} recordings compared", found.files);
    let heard = &seen.heard;
    let wrong = [
        (!left, format!("{} calls did not end", crowd.up)),
        (
            seen.dropped + seen.refused > 0,
            format!("{} dropped, {} refused", seen.dropped, seen.refused),
        ),
        (heard.lost > 0, format!("{} packets lost", heard.lost)),
        (heard.wrong_sound > 0, format!("{} packets were not the tone", heard.wrong_sound)),
        (found.wrongs > 0, format!("{} recordings are not what was said", found.wrongs)),
    ];
    let mut wrongs: Vec<_> = wrong.into_iter().filter(|it| it.0).map(|it| it.1).collect();
    wrongs.extend(growth(&looks, it.calls));
    wrongs.extend(found.wrong);
    wrongs.iter().for_each(|it| println!("WRONG {it}"));
    println!(
        "{}",
        if wrongs.is_empty() {
            "flat, and nothing was lost"
        } else {
            "NOT FLAT, or something was lost"
        }
    );
    wrongs.is_empty()
}

/// What was seen after so many minutes: what the server used, and its tasks.
type Look = (u64, usage::Usage, f64);

/// What is not flat.
fn growth(looks: &[Look], calls: usize) -> Vec<String> {
    let warm: Vec<_> = looks.iter().filter(|it| it.0 >= WARM_MINUTES).collect();
    let (Some(first), Some(last)) = (warm.first(), warm.last()) else { return Vec::new() };
    if first.0 == last.0 {
        return Vec::new();
    }
    let hours = (last.0 - first.0) as f64 / 60.0;
    let growth = (last.1.memory as f64 - first.1.memory as f64) / hours;
    println!("memory grows by {growth:.0} KiB an hour");
    // A call more or less is two files and a task or two.
    let few = calls / 5;
    let found = [
        (growth > GROWTH, format!("memory grows by {growth:.0} KiB an hour")),
        (last.1.files > first.1.files + few, "files grow".to_owned()),
        (last.2 > first.2 + few as f64, "tasks grow".to_owned()),
    ];
    found.into_iter().filter(|it| it.0).map(|it| it.1).collect()
}
