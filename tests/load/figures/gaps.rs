//! Whether recordings have gaps while transcripts are made.
//!
//! First some callers leave speech, which keeps the worker busy; then many leave sound that is known
//! to the sample, and what was stored of it is compared.

use std::path::Path;
use std::time::{Duration, Instant};

use afterbeep::audio::{g711, wav};
use afterbeep::blobs::Blobs;
use afterbeep::store::{Db, jobs};
use futures::future::join_all;

use super::{Findings, committed, house, reading, speak};
use crate::kills::words;
use crate::post::Post;

/// Numbers of callers who only keep the worker busy begin here.
const READERS: u32 = 10_000;

/// So many calls of so many seconds, after so many seconds of speech by other callers.
pub async fn gaps(calls: u32, seconds: u32, readers: u32, models: &Path) -> Findings {
    let post = Post::open().await.unwrap();
    let settings = format!("[speech]\nmodel = \"tiny.en\"\nmodels = \"{}\"\n", models.display());
    let house = house(&settings, &post);
    let server = house.sip;
    let db = house.db().await;
    let mut findings = Findings::default();

    let sound = reading(seconds as usize);
    let filling = (0..readers).map(|it| leave(server, READERS + it, sound.clone()));
    for error in join_all(filling).await.into_iter().filter_map(Result::err) {
        findings.wrongs.push(format!("a call failed: {error}"));
    }
    let (began, before) = (Instant::now(), worker_time(house.pid()));
    let leaving = (0..calls).map(|it| leave(server, it, words(it.into(), seconds as usize * 50)));
    let left = join_all(leaving).await;
    let share = (worker_time(house.pid()) - before) / began.elapsed().as_secs_f64();
    findings.notes.push(format!("the worker had {:.0} % of a processor", share * 100.0));
    if !is_busy(&db).await {
        findings.wrongs.push("the worker ran dry before the calls ended".into());
    }

    let blobs = Blobs::open(&house.data().join("blobs")).unwrap();
    let mailbox = super::mailbox(&db).await;
    let (mut gaps, mut compared) = (0, 0);
    for (number, outcome) in (0..calls).zip(left) {
        if let Err(error) = outcome {
            findings.wrongs.push(format!("a call failed: {error}"));
            continue;
        }
        let Some(message) = find(&db, &mailbox, number).await else {
            findings.wrongs.push(format!("the message of {number} is missing"));
            continue;
        };
        let file = blobs.get(&message.blob).await.unwrap();
        let stored = wav::from_wav(&file, 3_600).unwrap().samples;
        let said = words(number.into(), seconds as usize * 50);
        gaps += holes(&stored, &said);
        compared += said.len();
    }
    db.close().await;
    if gaps > 0 {
        findings.wrongs.push(format!("{gaps} gaps"));
    }
    let told = format!("{calls} calls at once, {compared} samples compared: {gaps} gaps");
    findings.notes.push(told);
    findings
}

async fn leave(server: std::net::SocketAddr, number: u32, sound: Vec<u8>) -> std::io::Result<()> {
    // Not all in the same millisecond: they are people.
    tokio::time::sleep(Duration::from_millis(u64::from(number % 50) * 20)).await;
    speak(server, number, &sound).await?.hang_up().await?;
    Ok(())
}

async fn find(
    db: &Db,
    mailbox: &afterbeep::mailbox::MailboxId,
    number: u32,
) -> Option<afterbeep::store::messages::Message> {
    use afterbeep::store::messages::{self, Page};
    let all = messages::list(db, mailbox, None, Page::first(Page::LONGEST)).await.unwrap();
    let wanted = number.to_string();
    let found = all.into_iter().find(|it| it.envelope.caller.number.as_ref() == Some(&wanted));
    match found {
        Some(message) => Some(message),
        None => committed(db, mailbox, number).await,
    }
}

/// Stretches of the recording that are not what was said; missing or added sound counts as one.
fn holes(stored: &[i16], said: &[u8]) -> usize {
    let said: Vec<i16> = said.iter().map(|&it| g711::ULAW[usize::from(it)]).collect();
    let Some(lead) = stored.len().checked_sub(said.len()) else { return 1 };
    let is_wrong = |n: usize| match n.checked_sub(lead) {
        Some(n) => stored[n + lead] != said[n],
        None => stored[n] != 0,
    };
    let begins = |n: usize| is_wrong(n) && (n == 0 || !is_wrong(n - 1));
    (0..stored.len()).filter(|&n| begins(n)).count()
}

async fn is_busy(db: &Db) -> bool {
    jobs::next_due(db, jobs::Kind::Transcribe).await.unwrap().is_some()
}

/// Processor time the server's children have used, in seconds (the kernel counts hundredths).
fn worker_time(server: u32) -> f64 {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = processes.filter_map(|it| std::fs::read_to_string(it.path().join("stat")).ok());
    let times = stats.filter_map(|stat| {
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let number = |field: usize| fields.get(field)?.parse::<f64>().ok();
        let is_child = number(1)? == f64::from(server);
        is_child.then_some((number(11)? + number(12)?) / 100.0)
    });
    times.sum()
}
