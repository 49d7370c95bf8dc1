//! How soon an owner's key is answered while many calls run, and how long a large mailbox takes to open.

use std::time::{Duration, Instant};

use afterbeep::clock::Clock;
use afterbeep::store::messages;
use futures::future::join_all;

use super::{Figure, Findings, Share, speak};
use crate::house::House;
use crate::kills::words;
use crate::phone::{Call, FRAME, Phone, richer::Manner};
use crate::store::fill::filing;

/// A server that believes its peer.
const BELIEVING: &str = "[sip]\nidentity_from = [\"127.0.0.0/8\"]\nmost_calls = 1000\n\
    [deposit]\nlongest = \"10m\"\n[speech]\nmodels = \"/nonexistent\"\n";
const OWN: &str = "P-Asserted-Identity: <sip:1000@pbx.example>\r\n";
/// What the owner hears when the keys are pressed, in frames.
const MESSAGE: usize = 3_000;

/// So many keys in one call, while so many others are recorded.
pub async fn keys(keys: u32, calls: u32) -> Findings {
    let house = House::start(BELIEVING);
    house.run(&["mailbox", "add", "1001"]);
    // The message itself is soon heard again.
    house.run(&["mailbox", "set", "1000", "--play-envelope", "no", "--play-cid", "no"]);
    let mut findings = Findings::default();
    let said = words(0, MESSAGE);
    match speak(house.sip, 1, &said).await {
        Ok(call) => drop(call.hang_up().await.unwrap()),
        Err(error) => findings.wrongs.push(format!("the call failed: {error}")),
    }
    house.messages(1).await;

    let server = house.sip;
    let others = (0..calls).map(|number| async move {
        let phone = Phone::new().await.unwrap();
        tokio::time::sleep(Duration::from_millis(10) * number).await;
        let mut call = phone.call(server, "1001").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        call
    });
    let others = join_all(others).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let speaking = others.into_iter().zip(0_u64..).map(|(mut call, seed)| {
        let stopped = stopped.clone();
        tokio::spawn(async move {
            let sound = words(seed, 50);
            while !*stopped.borrow() {
                call.speak(&sound).await.unwrap();
            }
            call.hang_up().await.unwrap();
        })
    });
    let speaking: Vec<_> = speaking.collect();

    let mut call = owner(&house).await;
    call.listen(Duration::from_millis(600)).await.unwrap();
    call.press('1').await.unwrap();
    let mut took = Vec::new();
    for nth in 0..keys {
        call.hear(|frame| is_of(frame, &said)).await.unwrap();
        call.wait(Duration::from_millis(200 + u64::from(nth * 37 % 100))).await;
        match call.press_and_hear('5', |frame| !is_of(frame, &said)).await {
            Ok(reaction) => took.push(reaction),
            Err(error) => findings.wrongs.push(format!("a key was not answered: {error}")),
        }
    }
    call.hang_up().await.unwrap();
    stop.send(true).unwrap();
    for other in speaking {
        if other.await.is_err() {
            findings.wrongs.push("a call that was being recorded broke off".into());
        }
    }
    let promises = vec![(Share::Most, Duration::from_millis(60))];
    findings.figures.push(Figure { what: "key to the next clip", took, promises });
    findings.notes.push(format!("while {calls} calls were recorded"));
    findings
}

/// So many calls to a mailbox with so many messages.
pub async fn opening(calls: u32, lying: usize) -> Findings {
    let house = House::start(BELIEVING);
    let limit = lying.to_string();
    house.run(&["mailbox", "set", "1000", "--limit", &limit]);
    let db = house.db().await;
    let mailbox = super::mailbox(&db).await;
    let now = Clock::Real.now();
    for _ in 0..lying.div_ceil(64) {
        let group: Vec<_> = (0..64).map(|_| filing(&mailbox, now)).collect();
        messages::file(&db, &group, now).await.unwrap();
    }
    db.close().await;
    let mut findings = Findings::default();
    let mut took = Vec::new();
    for _ in 0..calls {
        let mut call = owner(&house).await;
        let answered = Instant::now();
        call.hear(|_| true).await.unwrap();
        took.push(answered.elapsed());
        call.hang_up().await.unwrap();
    }
    let promises = vec![(Share::Most, Duration::from_millis(100))];
    let what = "answer to the counts of a mailbox";
    findings.figures.push(Figure { what, took, promises });
    findings.notes.push(format!("{lying} messages lay in it"));
    findings
}

async fn owner(house: &House) -> Call {
    let manner = Manner { extra: OWN, ..Manner::default() };
    Phone::new().await.unwrap().call_as(house.sip, "*97", manner).await.unwrap().unwrap()
}

/// Whether a packet is a stretch of what was said.
fn is_of(frame: &[u8], said: &[u8]) -> bool {
    let first = frame.iter().take(FRAME / 2).copied().collect::<Vec<_>>();
    said.windows(first.len()).any(|it| it == first)
}
