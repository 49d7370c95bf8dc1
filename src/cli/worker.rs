//! `afterbeep worker`: the processes the server starts for native code.

use clap::Subcommand;

use crate::{decode, speech};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write down what is sent over standard input.
    Speech(speech::worker::Args),
    /// Translate what is sent over standard input.
    Translate(speech::worker::TranslateArgs),
    /// Speak what is sent over standard input.
    Speak(speech::synthesis::worker::Args),
    /// Decode the sound file that is sent over standard input.
    Decode,
    /// Make hold music of the sound file that is sent over standard input.
    Music,
    /// Decode the live sound that comes over standard input.
    Live,
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    match command {
        Command::Speech(args) => speech::worker::run(stdin, stdout, &args),
        Command::Translate(args) => speech::worker::run_translator(stdin, stdout, &args),
        Command::Speak(args) => speech::synthesis::worker::run(stdin, stdout, &args),
        Command::Decode => decode::worker::run(stdin, stdout),
        Command::Music => decode::worker::run_music(stdin, stdout),
        Command::Live => decode::live::run(stdin, stdout, std::io::stderr()),
    }
}
