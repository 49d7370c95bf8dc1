//! How long callers wait for an answer while many call: each leaves a message.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval};

use super::{DEAF, Figure, Findings, Share, house, speak};
use crate::kills::words;
use crate::post::Post;

/// So many calls a second for so long.
pub async fn answers(rate: u32, length: Duration) -> Findings {
    let post = Post::open().await.unwrap();
    let house = house(DEAF, &post);
    let room = (rate * length.as_secs() as u32).to_string();
    house.run(&["mailbox", "set", "1000", "--limit", &room]);
    let server = house.sip;
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut calls = Vec::new();
    for number in 0..rate * length.as_secs() as u32 {
        ticks.tick().await;
        calls.push(tokio::spawn(async move {
            let call = speak(server, number, &words(number.into(), 100)).await?;
            let answered = call.answered_in;
            call.hang_up().await.map(|farewell| (answered, farewell))
        }));
    }
    let placed = calls.len();
    let outcomes = join_all(calls).await;
    let mut findings = Findings::default();
    let (mut answered, mut farewell) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome.unwrap() {
            Ok((answer, bye)) => {
                answered.push(answer);
                farewell.push(bye);
            }
            Err(error) => findings.wrongs.push(format!("a call failed: {error}")),
        }
    }
    let db = house.db().await;
    let mailbox = super::mailbox(&db).await;
    let folder = afterbeep::mailbox::Folder::New;
    let count = || afterbeep::store::messages::count(&db, &mailbox, folder);
    let filed = async {
        while count().await.unwrap() < answered.len() as u64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), filed).await.ok();
    let messages = count().await.unwrap();
    if messages != answered.len() as u64 {
        findings.wrongs.push(format!("{messages} messages of {} calls", answered.len()));
    }
    findings.notes.push(format!("{placed} calls at {rate}/s left {messages} messages"));
    let ms = Duration::from_millis;
    findings.figures.push(Figure {
        what: "INVITE to 200",
        took: answered,
        promises: vec![(Share::Half, ms(5)), (Share::Most, ms(50))],
    });
    let what = "BYE to 200, under that load";
    findings.figures.push(Figure { what, took: farewell, promises: vec![] });
    findings
}
