//! Load: the server killed again and again, and the figures of docs/performance.md.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]
#![allow(missing_docs, unreachable_pub, dead_code, reason = "modules are shared with tests/it")]

mod figures;
#[path = "../it/house.rs"]
mod house;
mod kills;
mod lamps;
mod long;
#[path = "../phone/mod.rs"]
mod phone;
mod plane;
mod post;
#[path = "../it/postgres.rs"]
mod postgres;
#[path = "../it/engines/proxy.rs"]
mod proxy;
mod store;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use figures::{Figure, Findings};
use long::{Long, long_calls};

#[derive(Debug, Parser)]
#[command(name = "load", about = "cargo bench --bench load -- VERB")]
struct Command {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Given by cargo.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Kill the server under load and account for every call.
    Kills(Kills),
    /// INVITE to 200 while 20 call each second.
    Answers,
    /// Hang-up to row committed.
    Hangups,
    /// Hang-up to mail with its transcript.
    Mails,
    /// Gaps in recordings while transcripts are made.
    Gaps,
    /// The mail server away for an hour, in 12 s.
    Outage,
    /// An owner's key to the next clip while 198 calls are recorded (a house has ports for 199), and a mailbox of 10,000 opened.
    Owners,
    /// Keys heard right, by telephone events with losses, SIP INFO and in the sound.
    Digits,
    /// Calls of four minutes with session timers, through Kamailio.
    LongCall,
    /// Filing, lists and the start with many messages, on SQLite and on PostgreSQL.
    Store(Store),
    /// Thousands of lamps: how soon they show a message, and a restart.
    Lamps(Lamps),
    /// The media plane: what a minute of a call costs, how late packets are, memory, set-up.
    Plane(plane::Plane),
    /// An hour of mixed calls: whether memory, descriptors and tasks stay as they are.
    Soak(plane::Soak),
    /// The figures: all of these but the kills, the long calls, the store, the lamps and the plane.
    Figures,
    /// A little of everything, to see that it works; the machine need not be quiet.
    Smoke,
}

#[derive(Debug, Args)]
struct Kills {
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    #[arg(long, default_value_t = 20)]
    phones: u32,
    /// Chooses the moments; printed, to choose the same again.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
struct Store {
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
}

#[derive(Debug, Args)]
struct Lamps {
    #[arg(long, default_value_t = 10_000)]
    count: usize,
}

fn main() -> ExitCode {
    let command = Command::parse();
    // These have a processor of their own, and no other thread.
    match &command.verb {
        Some(Verb::Plane(plane)) => return code(plane::run(plane)),
        Some(Verb::Soak(soak)) => return code(plane::soak(soak)),
        _ => {}
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let good = runtime.block_on(async {
        match command.verb {
            Some(Verb::Kills(kills)) => run_kills(kills).await,
            Some(Verb::Answers) => show(answers(false).await),
            Some(Verb::Hangups) => show(figures::hangups(100).await),
            Some(Verb::Mails) => show(mails(false).await),
            Some(Verb::Gaps) => show(figures::gaps(50, 20, 20, &house::models()).await),
            Some(Verb::Outage) => show(outage(false).await),
            Some(Verb::Owners) => owners().await,
            Some(Verb::Digits) => show(figures::digits().await),
            Some(Verb::LongCall) => show(long_calls(Long { seconds: 240, interval: 90 }).await),
            Some(Verb::Store(store)) => both(store.messages).await,
            Some(Verb::Lamps(it)) => show(lamps::figures(it.count).await),
            Some(Verb::Smoke) => smoke().await,
            Some(Verb::Plane(_) | Verb::Soak(_)) => true,
            Some(Verb::Figures) | None => all().await,
        }
    });
    code(good)
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn all() -> bool {
    let answers = show(answers(false).await);
    let hangups = show(figures::hangups(100).await);
    let mails = show(mails(false).await);
    let gaps = show(figures::gaps(50, 20, 20, &house::models()).await);
    let outage = show(outage(false).await);
    let digits = show(figures::digits().await);
    answers && hangups && mails && gaps && outage && digits && owners().await
}

async fn owners() -> bool {
    let keys = show(figures::keys(100, 198).await);
    show(figures::opening(20, 10_000).await) && keys
}

/// Small enough for a few minutes; only what is wrong counts, not how long it took.
async fn smoke() -> bool {
    let mut wrongs = 0;
    // Both of them mostly wait.
    let long = Long { seconds: 8, interval: 4 };
    let (outage, long) = tokio::join!(outage(true), long_calls(long));
    for findings in [
        answers(true).await,
        figures::hangups(4).await,
        figures::digits().await,
        mails(true).await,
        figures::keys(3, 10).await,
        figures::opening(2, 200).await,
        figures::gaps(10, 5, 8, &house::models()).await,
        outage,
        long,
        store::figures(2_000, None).await,
        lamps::figures(500).await,
    ] {
        wrongs += findings.wrongs.len();
        show(findings);
    }
    // On a thread of its own, for it keeps to one processor.
    let plane =
        tokio::task::spawn_blocking(|| std::thread::spawn(plane::smoke).join().is_ok_and(|it| it));
    let plane = plane.await.is_ok_and(|it| it);
    let kills = Kills { rounds: 1, phones: 10, seed: None };
    run_kills(kills).await && wrongs == 0 && plane
}

async fn both(messages: usize) -> bool {
    println!("SQLite, {messages} messages");
    let sqlite = show(store::figures(messages, None).await);
    println!("PostgreSQL, {messages} messages");
    let url = postgres::database().await;
    let postgres = show(store::figures(messages, Some(url)).await);
    sqlite && postgres
}

async fn answers(smoke: bool) -> Findings {
    figures::answers(20, Duration::from_secs(if smoke { 2 } else { 30 })).await
}

async fn mails(smoke: bool) -> Findings {
    figures::mails(if smoke { 1 } else { 10 }, &house::models()).await
}

async fn outage(smoke: bool) -> Findings {
    let (messages, away) = if smoke { (20, 2) } else { (200, 12) };
    figures::outage(messages, Duration::from_secs(away)).await
}

fn show(findings: Findings) -> bool {
    println!("{findings}");
    findings.wrongs.is_empty() && findings.figures.iter().all(Figure::is_met)
}

async fn run_kills(Kills { rounds, phones, seed }: Kills) -> bool {
    let seed = seed.unwrap_or_else(rand::random);
    println!("{rounds} rounds, {phones} phones, seed {seed}");
    let models = Some(house::models());
    let progress = |line: &str| println!("{line}");
    let options = kills::Options { rounds, phones, seed, models, progress };
    let report = kills::run(options).await;
    println!("{report}");
    report.wrongs.is_empty()
}
