//! How long after hanging up a message is committed.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::{DEAF, Figure, Findings, Share, committed, house, speak};
use crate::kills::words;
use crate::post::Post;

/// Phones that call one after the other, each this often.
const LANES: u32 = 4;

/// So many messages, a few at a time.
pub async fn hangups(calls: u32) -> Findings {
    let post = Post::open().await.unwrap();
    let house = house(DEAF, &post);
    let server = house.sip;
    let db = house.db().await;
    let mailbox = super::mailbox(&db).await;
    let lanes = (0..LANES).map(|lane| {
        let (db, mailbox) = (&db, &mailbox);
        async move {
            tokio::time::sleep(Duration::from_millis(937) * lane).await;
            let mut took = Vec::new();
            for number in (lane..calls).step_by(LANES as usize) {
                let call = match speak(server, number, &words(number.into(), 150)).await {
                    Ok(call) => call,
                    Err(error) => {
                        took.push(Err(format!("a call failed: {error}")));
                        continue;
                    }
                };
                let began = Instant::now();
                let row = async {
                    let found = committed(db, mailbox, number).await;
                    found.map(|_| began.elapsed()).ok_or("a message is missing".to_owned())
                };
                let bye = async { call.hang_up().await.map_err(|it| it.to_string()) };
                let (bye, row) = tokio::join!(bye, row);
                took.push(bye.and_then(|bye| Ok((bye, row?))));
            }
            took
        }
    });
    let outcomes = join_all(lanes).await.into_iter().flatten();
    let mut findings = Findings::default();
    let (mut farewells, mut rows) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok((bye, row)) => {
                farewells.push(bye);
                rows.push(row);
            }
            Err(error) => findings.wrongs.push(error),
        }
    }
    db.close().await;
    let promises = vec![(Share::Most, Duration::from_millis(50))];
    findings.figures.push(Figure { what: "hang-up to row committed", took: rows, promises });
    findings.figures.push(Figure { what: "BYE to 200", took: farewells, promises: vec![] });
    findings
}
