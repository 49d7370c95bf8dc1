//! `afterbeep worker`: the processes the server starts for native code.

use clap::Subcommand;

use crate::speech;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write down what is sent over standard input.
    Speech(speech::worker::Args),
}

pub(super) fn run(Command::Speech(args): Command) -> anyhow::Result<()> {
    speech::worker::run(std::io::stdin(), std::io::stdout(), &args)
}
