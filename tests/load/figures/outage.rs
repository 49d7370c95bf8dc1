//! The mail server away for an hour, with time compressed: what waits is delivered once after.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use afterbeep::audio::wav;
use afterbeep::blobs::{self, Blobs};
use afterbeep::clock::Clock;
use afterbeep::mailbox::{Caller, Envelope, MessageId};
use afterbeep::store::deliveries::{self, State};
use afterbeep::store::messages::{self, Filing};
use afterbeep::store::{Db, mailboxes};
use tokio::net::TcpSocket;

use super::{DEAF, Figure, Findings, speak};
use crate::house::House;
use crate::kills::words;
use crate::post::{Letter, Post};

/// The first wait of the program's own setting, and of this measurement: so much faster is time.
const USUAL: Duration = Duration::from_secs(30);
const HERE: Duration = Duration::from_millis(100);

/// So many messages while the mail server is away for so long (an hour, in compressed time).
pub async fn outage(count: u32, away: Duration) -> Findings {
    let pace = USUAL.as_secs_f64() / HERE.as_secs_f64();
    // Bound but not listening: the port is ours, and who connects is refused.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = closed.local_addr().unwrap().port();
    let house = House::start(&format!(
        "{DEAF}[mail]\nretry_first = \"{}ms\"\n\
         [mail.server]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n",
        HERE.as_millis()
    ));
    house.run(&["mailbox", "set", "1000", "--limit", "1000"]);
    let db = house.db().await;
    let mut findings = Findings::default();
    let mut ids = file(&house, &db, count - 1).await;
    // The last one is a call: it wakes the mailers as every call does.
    match speak(house.sip, 0, &words(0, 150)).await {
        Ok(call) => drop(call.hang_up().await.unwrap()),
        Err(error) => findings.wrongs.push(format!("the call failed: {error}")),
    }
    let all = house.messages(count as usize).await;
    ids.extend(all.iter().map(|it| it.id).filter(|it| !ids.contains(it)).collect::<Vec<_>>());
    tokio::time::sleep(away).await;
    let tried = tried(&db, &ids).await;
    if tried.contains(&0) {
        findings.wrongs.push("a mail was not tried while the server was away".into());
    }

    let post = Post::at(closed.listen(64).unwrap()).unwrap();
    let back = Instant::now();
    let took = arrivals(&post, &ids, back, away * 3).await;
    let at_most = took.iter().max().copied().unwrap_or_default().as_secs_f64() * pace / 60.0;
    let hours = away.as_secs_f64() * pace / 3_600.0;
    findings.notes.push(format!(
        "{count} messages, the mail server away for {hours:.1} h at {pace:.0} times the pace: \
         {} tries before, the last letter {at_most:.0} min after it was back",
        tried.iter().sum::<u32>(),
    ));
    findings.wrongs.extend(wrongs(&db, &post, &ids).await);
    let what = "mail server back to mail, compressed";
    findings.figures.push(Figure { what, took, promises: vec![] });
    findings
}

/// Messages as calls leave them, filed straight away.
async fn file(house: &House, db: &Db, count: u32) -> Vec<MessageId> {
    let blobs = Blobs::open(&house.data().join("blobs")).unwrap();
    let mailbox = mailboxes::reached(db, "localhost", "1000").await.unwrap().unwrap();
    let sound = wav::to_wav(&[0; 16_000], 8_000);
    let mut ids = Vec::new();
    for number in 0..count {
        let (id, now) = (Clock::Real.message_id(), Clock::Real.now());
        let blob = blobs::message(&id);
        blobs.put(&blob, sound.clone().into()).await.unwrap();
        let envelope = Envelope {
            caller: Caller::claimed(None, Some(&number.to_string())),
            received: now,
            length: Duration::from_secs(2),
            interrupted: false,
            reason: afterbeep::mailbox::Reason::Unknown,
        };
        let (mailbox, recipients) = (mailbox.id.clone(), mailbox.recipients());
        let filing = Filing {
            id,
            mailbox,
            envelope,
            blob,
            limit: 1_000,
            rotates: true,
            transcribe: false,
            notify_due: now,
            recipients,
            marks: Default::default(),
            copies: false,
            origin: None,
        };
        messages::file(db, &[filing], now).await.unwrap();
        ids.push(id);
    }
    ids
}

async fn tried(db: &Db, ids: &[MessageId]) -> Vec<u32> {
    let mut tried = Vec::new();
    for id in ids {
        let mails = deliveries::of(db, id).await.unwrap();
        tried.extend(mails.iter().map(|it| it.attempts));
    }
    tried
}

/// When each letter came, from when the server was back.
async fn arrivals(
    post: &Post,
    ids: &[MessageId],
    back: Instant,
    patience: Duration,
) -> Vec<Duration> {
    while post.letters().len() < ids.len() && back.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One that comes twice would come with the waits of the others.
    tokio::time::sleep(Duration::from_secs(1)).await;
    post.letters().iter().map(|it| it.at - back).collect()
}

async fn wrongs(db: &Db, post: &Post, ids: &[MessageId]) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut came: HashMap<String, Vec<Letter>> = HashMap::new();
    for letter in post.letters() {
        let id = letter.message_id.split('@').next().unwrap_or_default().to_owned();
        came.entry(id).or_default().push(letter);
    }
    for id in ids {
        let times = came.remove(&id.to_string()).map_or(0, |it| it.len());
        if times != 1 {
            wrongs.push(format!("{id} was delivered {times} times"));
        }
        for mail in deliveries::of(db, id).await.unwrap() {
            if mail.state != State::Accepted || !mail.with_audio {
                wrongs.push(format!("{id} is {}", mail.state.as_str()));
            }
        }
    }
    if !came.is_empty() {
        wrongs.push(format!("{} letters are about nothing we filed", came.len()));
    }
    wrongs
}
