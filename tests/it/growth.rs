//! A house that grows: PostgreSQL, S3, the way there, and backups.

mod backup;
mod bucket;
mod left_behind;
mod moving;
mod outages;

use std::time::{Duration, Instant};

use afterbeep::store::messages::Message;

use crate::call::words;
use crate::house::{House, PATIENCE};
use crate::phone::Phone;

/// No speech model and no wait for one: the mail goes out at once.
const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

/// Leaves a message of so many seconds of [`words`] in 1000.
async fn leave(house: &House, seconds: usize) {
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(seconds)).await.unwrap();
    call.hang_up().await.unwrap();
}

/// Waits for something that comes true by itself.
async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let gives_up = Instant::now() + PATIENCE;
    while !reached().await {
        assert!(Instant::now() < gives_up, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The messages that were caught as mails.
fn mailed(house: &House) -> usize {
    ["new", "cur"]
        .iter()
        .map(|it| std::fs::read_dir(house.data().join("mail").join(it)).map_or(0, Iterator::count))
        .sum()
}

/// The one that is this long, in seconds.
fn of_length(messages: &[Message], seconds: u64) -> &Message {
    let found = messages.iter().find(|it| it.envelope.length.as_secs() == seconds);
    found.unwrap_or_else(|| panic!("no message of {seconds} s: {messages:?}"))
}
