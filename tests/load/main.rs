//! Load: the server killed again and again, and the figures of docs/performance.md.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]
#![allow(missing_docs, unreachable_pub, dead_code, reason = "modules are shared with tests/it")]

#[path = "../it/house.rs"]
mod house;
mod kills;
#[path = "../phone/mod.rs"]
mod phone;
mod post;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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

fn main() -> ExitCode {
    let command = Command::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let good = match command.verb {
        None => true,
        Some(Verb::Kills(kills)) => runtime.block_on(run_kills(kills)),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
