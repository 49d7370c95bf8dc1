//! The whole house on PostgreSQL and S3, with each of them taken away while people call.

use std::time::{Duration, Instant};

use crate::call::hold::{HIGH, LOW, MIDDLE, add, listen, told, tone};
use crate::call::{assert_heard, words};
use crate::house::{Bare, House};
use crate::phone::{Call, Phone, header};
use crate::postgres::Cluster;
use crate::s3::S3;

use super::{DEAF, leave, mailed, of_length, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_database_and_s3_taken_away_in_between_everything_is_there_at_the_end() {
    let (cluster, mut s3) = (Cluster::start(), S3::start().await);
    let url = cluster.database().await;
    let settings = format!("[store]\nurl = {url:?}\n{}{DEAF}", s3.section(true));
    let mut house = House::start(&settings);

    // A message becomes a mail, and its recording goes to the bucket and only there.
    leave(&house, 2).await;
    until("the first mail", async || mailed(&house) == 1).await;
    until("it is in S3", async || s3.keys().len() == 1).await;

    // Without S3 nobody misses anything.
    s3.stop();
    leave(&house, 4).await;
    until("the second mail", async || mailed(&house) == 2).await;
    assert_eq!(s3.keys().len(), 1);

    // Without the database a running call goes on, a new one is told to come again.
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    let said = words(6);
    let mut cluster = stopped(cluster, "QUIT", &mut call, &said).await;
    let refused = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().err().unwrap();
    assert_eq!(refused.status, 503);
    assert!(header(&refused.text, "Retry-After").is_some(), "{}", refused.text);
    call.hang_up().await.unwrap();
    house.page("/readyz", "The database cannot be written").await;
    house.page("/metrics", "afterbeep_spool_kept 1").await;

    // Even if it is killed then.
    house.kill();
    cluster.begin();
    house.restart();
    let messages = house.messages(3).await;
    until("the third mail", async || mailed(&house) == 3).await;
    s3.begin().await;
    until("all are in S3", async || s3.keys().len() == 3).await;
    leave(&house, 8).await;
    until("the fourth mail", async || mailed(&house) == 4).await;
    until("and the fourth", async || s3.keys().len() == 4).await;

    let messages = [messages, house.messages(4).await].concat();
    for seconds in [2, 4, 6, 8] {
        let message = of_length(&messages, seconds);
        assert!(!message.envelope.interrupted);
        assert_heard(&house.sound(message.id), &words(seconds.try_into().unwrap()));
    }
    house.page("/metrics", "afterbeep_jobs{kind=\"notify\",state=\"queued\"} 0").await;

    // What is deleted while S3 is away is deleted there when it is back.
    s3.stop();
    house.run(&["mailbox", "rm", "1000", "--with-messages"]);
    assert_eq!(s3.keys().len(), 4);
    s3.begin().await;
    until("nothing is left in S3", async || s3.keys().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_under_way_when_the_database_restarts_is_filed_when_it_is_back() {
    let cluster = Cluster::start();
    let url = cluster.database().await;
    let house = House::start(&format!("[store]\nurl = {url:?}\n{DEAF}"));
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    let mut cluster = stopped(cluster, "INT", &mut call, &words(2)).await;
    call.hang_up().await.unwrap();
    house.page("/metrics", "afterbeep_spool_kept 1").await;
    cluster.begin();
    let messages = house.messages(1).await;
    assert_heard(&house.sound(messages[0].id), &words(2));
    house.page("/metrics", "afterbeep_spool_kept 0").await;
    house.page("/readyz", "\"ready\":true").await;
}

/// Whoever is on hold has no use for a database: they hear track after track and what is said between them,
/// and so does whoever is put on hold meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_music_goes_on_without_the_database_and_begins_without_it_too() {
    let cluster = Cluster::start();
    let url = cluster.database().await;
    let house = House::start(&format!("[store]\nurl = {url:?}\n{DEAF}"));
    add(&house, "default", &[("low", LOW, 1_000), ("middle", MIDDLE, 1_000)]);
    let file = tone(&house, "patience", HIGH, 1_000);
    house.run(&["announcement", "set", "patience", "--file", file.to_str().unwrap()]);
    let said = ["--intro", "patience", "--announcement", "patience", "--every", "2"];
    house.run(&[&["moh", "set"][..], &said].concat());

    let mut held = on_hold(&house).await;
    assert_eq!(told(&listen(&mut held, 1_500).await), [HIGH, LOW]);
    let stopping = tokio::task::spawn_blocking(move || {
        let mut cluster = cluster;
        cluster.stop("QUIT");
        cluster
    });
    // Longer than what is there ahead of time.
    for _ in 0..2 {
        let began = Instant::now();
        let heard = told(&listen(&mut held, 9_000).await);
        let late = began.elapsed().saturating_sub(Duration::from_secs(9));
        assert!(late < Duration::from_secs(1), "nothing was heard for {late:?}");
        for (tone, least) in [(LOW, 2), (MIDDLE, 2), (HIGH, 2)] {
            let times = heard.iter().filter(|it| **it == tone).count();
            assert!(times >= least, "{tone} Hz was heard {times} times: {heard:?}");
        }
    }
    let mut cluster = stopping.await.unwrap();
    let began = Instant::now();
    let mut new = on_hold(&house).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?} until it began", began.elapsed());
    assert_eq!(told(&listen(&mut new, 4_000).await)[..3], [HIGH, LOW, MIDDLE]);
    held.hang_up().await.unwrap();
    new.hang_up().await.unwrap();
    house.page("/readyz", "The database cannot be written").await;

    // When it is back, what it says counts.
    cluster.begin();
    house.run(&["moh", "set", "--enabled", "no"]);
    until("hold music is off", async || {
        let called = Phone::new().await.unwrap().call(house.sip, "moh").await.unwrap();
        match called {
            Ok(call) => call.hang_up().await.map(|_| false).unwrap(),
            Err(refused) => refused.status == 480,
        }
    })
    .await;
}

async fn on_hold(house: &House) -> Call {
    Phone::new().await.unwrap().call(house.sip, "moh").await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_database_is_refused() {
    let url = crate::postgres::database().await;
    let settings = format!("[store]\nurl = {url:?}\n{DEAF}");
    let first = House::start(&settings);
    let second = Bare::new(&settings);
    assert!(second.run(&["mailbox", "list"]).contains("1000"), "verbs may be used elsewhere");
    let why = second.refused(&["serve"]);
    assert!(why.contains("is in use by another server"), "{why}");
    drop(first);
}

/// Stops the database while somebody speaks.
async fn stopped(mut cluster: Cluster, how: &'static str, call: &mut Call, said: &[u8]) -> Cluster {
    let stopping = tokio::task::spawn_blocking(move || {
        cluster.stop(how);
        cluster
    });
    call.speak(said).await.unwrap();
    stopping.await.unwrap()
}
