//! The figures of docs/performance.md, each measured from the caller's side of real sockets.

mod answers;
mod digits;
mod gaps;
mod hangups;
mod mails;
mod outage;
mod owners;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use afterbeep::audio::{Codec, g711::Law, resample::resample, wav};
use afterbeep::mailbox::MailboxId;
use afterbeep::store::messages::{self, Message, Page};
use afterbeep::store::{Db, mailboxes};

pub use answers::answers;
pub use digits::digits;
pub use gaps::gaps;
pub use hangups::hangups;
pub use mails::mails;
pub use outage::outage;
pub use owners::{keys, opening};

use crate::house::House;
use crate::phone::{Call, Phone, SILENCE};

/// No speech model: what is measured is the call, not the transcript.
pub const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";
/// Between two looks at whatever a figure waits for; so much of it is the measuring's own.
const LOOK: Duration = Duration::from_millis(1);

/// How long something took, many times, and what was promised.
pub struct Figure {
    pub what: &'static str,
    pub took: Vec<Duration>,
    pub promises: Vec<(Share, Duration)>,
}

/// Which of the values a promise is about.
#[derive(Debug, Clone, Copy)]
pub enum Share {
    Half,
    Nearly,
    Most,
    All,
}

/// What a measurement found: figures, and what went wrong while it was made.
#[derive(Default)]
pub struct Findings {
    pub figures: Vec<Figure>,
    /// Counts worth knowing, in words.
    pub notes: Vec<String>,
    pub wrongs: Vec<String>,
}

impl Figure {
    fn at(&self, share: Share) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort();
        // Nearest rank: so many values are at or below it.
        let rank = match share {
            Share::Half => sorted.len().div_ceil(2),
            Share::Nearly => (sorted.len() * 95).div_ceil(100),
            Share::Most => (sorted.len() * 99).div_ceil(100),
            Share::All => sorted.len(),
        };
        sorted.get(rank.wrapping_sub(1)).copied().unwrap_or(Duration::MAX)
    }

    pub fn is_met(&self) -> bool {
        self.promises.iter().all(|(share, limit)| self.at(*share) <= *limit)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for figure in &self.figures {
            let ms = |share| format!("{:.1}", figure.at(share).as_secs_f64() * 1_000.0);
            let promises = figure.promises.iter().map(|(share, limit)| {
                let name = match share {
                    Share::Half => "p50",
                    Share::Nearly => "p95",
                    Share::Most => "p99",
                    Share::All => "max",
                };
                format!("{name} <= {} ms", limit.as_millis())
            });
            let promises: Vec<_> = promises.collect();
            let verdict = match (promises.is_empty(), figure.is_met()) {
                (true, _) => "",
                (_, true) => "met",
                (_, false) => "MISSED",
            };
            writeln!(
                f,
                "{:<34} n {:>4}  p50 {:>8} ms  p99 {:>8} ms  max {:>8} ms  {} {verdict}",
                figure.what,
                figure.took.len(),
                ms(Share::Half),
                ms(Share::Most),
                ms(Share::All),
                promises.join(", "),
            )?;
        }
        self.notes.iter().try_for_each(|it| writeln!(f, "{it}"))?;
        self.wrongs.iter().try_for_each(|it| writeln!(f, "WRONG {it}"))
    }
}

/// Calls 1000, skips to the beep and says this; the call is still up.
async fn speak(server: SocketAddr, number: u32, sound: &[u8]) -> io::Result<Call> {
    let mut phone = Phone::new().await?;
    phone.number = number.to_string();
    let mut call = match phone.call(server, "1000").await? {
        Ok(call) => call,
        Err(refused) => return Err(io::Error::other(format!("refused: {}", refused.status))),
    };
    call.skip_to_beep().await?;
    call.speak(&SILENCE.repeat(10)).await?;
    call.speak(sound).await?;
    Ok(call)
}

/// Waits until that caller's message is there; `None` if it does not come.
pub async fn committed(db: &Db, mailbox: &MailboxId, number: u32) -> Option<Message> {
    let number = number.to_string();
    let looks = async {
        loop {
            let newest = messages::list(db, mailbox, None, Page::first(20)).await.unwrap();
            let mut theirs = newest.into_iter();
            if let Some(it) = theirs.find(|it| it.envelope.caller.number.as_ref() == Some(&number))
            {
                return it;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looks).await.ok()
}

pub async fn mailbox(db: &Db) -> MailboxId {
    mailboxes::reached(db, "localhost", "1000").await.unwrap().unwrap().id
}

/// Somebody reading a novel, encoded; again and again if that is not enough.
fn reading(seconds: usize) -> Vec<u8> {
    let folder = Path::new("/usr/share/pocketsphinx/test/data/librivox");
    let parts = ["0870", "0890", "0920"].map(|part| {
        let name = format!("sense_and_sensibility_01_austen_64kb-{part}.wav");
        let file = std::fs::read(folder.join(name)).expect("install pocketsphinx-testdata");
        let sound = wav::from_wav(&file, 60).unwrap();
        resample(&sound.samples, sound.rate, Codec::RATE)
    });
    let samples = parts.concat().into_iter().cycle().take(seconds * 8_000);
    samples.map(|it| Law::Mu.encode(it)).collect()
}

fn house(settings: &str, post: &super::post::Post) -> House {
    House::start(&format!("{settings}{}", post.settings()))
}
