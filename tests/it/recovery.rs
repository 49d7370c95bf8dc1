//! A server that is killed, and one that is told to stop, while callers speak.

#[allow(dead_code, reason = "the load tool uses the rest")]
#[path = "../load/kills/mod.rs"]
mod kills;
#[allow(dead_code, reason = "the load tool uses the rest")]
#[path = "../load/post.rs"]
mod post;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::Barrier;

use crate::house::{House, PATIENCE, models};
use crate::phone::{FRAME, Phone, SILENCE, header};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_callers_were_promised_outlives_five_kills() {
    let models = Some(models());
    let options = kills::Options { rounds: 5, phones: 10, seed: 7, models, progress: |_| {} };
    let report = kills::run(options).await;
    assert!(report.wrongs.is_empty(), "{report}");
    assert!(report.cut > 0 && report.messages > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_with_twenty_calls_up_it_keeps_them_all_and_takes_no_more() {
    const CALLS: usize = 20;
    let mut house = House::start("stop_within = \"6s\"\n[speech]\nmodels = \"/nonexistent\"\n");
    let speaking = Arc::new(Barrier::new(CALLS + 1));
    let calls: Vec<_> =
        (0..CALLS).map(|n| tokio::spawn(speak_on(house.sip, n, speaking.clone()))).collect();
    speaking.wait().await;
    house.terminate();
    let (status, retry_after) = refused(house.sip).await;
    assert_eq!(status, 503);
    assert!(retry_after.is_some(), "it does not say when to call again");
    let sent = join_all(calls).await;
    assert!(house.ended(PATIENCE), "it did not end, or not well");

    let messages = house.messages(CALLS).await;
    assert_eq!(messages.len(), CALLS);
    for (n, sent) in sent.into_iter().enumerate() {
        let (frames, hung_up) = sent.unwrap();
        let mut theirs = messages.iter().filter(|it| it.envelope.caller.number == number(n));
        let message = theirs.next().expect("a message is missing");
        assert!(theirs.next().is_none(), "a message is there twice");
        assert!(!message.envelope.interrupted);
        let kept = kills::kept(&house.sound(message.id), &kills::words(n as u64, frames));
        let kept = kept.expect("something else was recorded than was said");
        // What is on its way while the server hangs up may be lost, nothing else.
        let missing = frames - kept / FRAME;
        assert!(
            missing == 0 || hung_up && missing < 25,
            "{missing} frames of {frames} are missing"
        );
    }
}

/// Leaves a message; half of the callers hang up soon, the others go on until the server does.
async fn speak_on(server: std::net::SocketAddr, n: usize, speaking: Arc<Barrier>) -> (usize, bool) {
    let mut phone = Phone::new().await.unwrap();
    phone.number = number(n).unwrap();
    let mut call = phone.call(server, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&SILENCE.repeat(10)).await.unwrap();
    let frames = if n.is_multiple_of(2) { 125 } else { 1_000 };
    let sound = kills::words(n as u64, frames);
    // Nobody waits for the others in the middle of a word.
    speaking.wait().await;
    let (sent, hung_up) = call.speak_until_hung_up(&sound).await.unwrap();
    if !hung_up {
        call.hang_up().await.unwrap();
    }
    (sent, hung_up)
}

fn number(n: usize) -> Option<String> {
    Some(format!("60{n:02}"))
}

/// The answer to a new call, once the signal has arrived.
async fn refused(server: std::net::SocketAddr) -> (u16, Option<String>) {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match Phone::new().await.unwrap().call(server, "1000").await.unwrap() {
            Ok(call) => call.hang_up().await.unwrap(),
            Err(it) => return (it.status, header(&it.text, "Retry-After").map(str::to_owned)),
        };
        assert!(Instant::now() < until, "new calls are still taken");
    }
}
