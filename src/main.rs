//! The program. Everything it does is in the library.

use clap::Parser;

#[derive(Parser)]
enum Verb {
    #[command(subcommand)]
    Worker(Work),
    Convert {
        weights: std::path::PathBuf,
        vocabulary: std::path::PathBuf,
        to: std::path::PathBuf,
    },
    Fetch {
        name: String,
        dir: std::path::PathBuf,
    },
}

#[derive(clap::Subcommand)]
enum Work {
    Speech(afterbeep::speech::worker::Args),
}

fn main() -> anyhow::Result<()> {
    match Verb::parse() {
        Verb::Worker(Work::Speech(args)) => {
            afterbeep::speech::worker::run(std::io::stdin(), std::io::stdout(), &args)
        }
        Verb::Convert { weights, vocabulary, to } => {
            let mut to = std::io::BufWriter::new(std::fs::File::create(to)?);
            Ok(afterbeep::speech::model::convert(&weights, &vocabulary, &mut to)?)
        }
        Verb::Fetch { name, dir } => tokio::runtime::Runtime::new()?.block_on(async {
            use afterbeep::speech::model;
            let said = |it| eprintln!("{it:?}");
            let path = model::fetch(&name, &dir, &model::Sources::default(), said).await?;
            eprintln!("{} {:?}", path.display(), model::list(&dir));
            Ok(())
        }),
    }
}
