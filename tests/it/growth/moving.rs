//! From SQLite and a folder to PostgreSQL and S3.

use std::fs;

use crate::call::{assert_heard, words};
use crate::house::{Bare, House, PATIENCE};
use crate::postgres;
use crate::s3::S3;

use super::{DEAF, leave, of_length, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_moves_to_postgresql_with_everything_in_it() {
    let mut house = House::start(DEAF);
    leave(&house, 2).await;
    leave(&house, 3).await;
    house.messages(2).await;
    let url = postgres::database().await;
    let copy = ["store", "copy", "--to", &url];
    let why = house.refused(&copy);
    assert!(why.contains("stop the server first"), "{why}");
    house.terminate();
    assert!(house.ended(PATIENCE));

    let said = house.run(&copy);
    assert!(said.contains("counts and hashes agree"), "{said}");
    assert_eq!(house.run(&copy), said, "a second time changes nothing");
    let stranger = Bare::new(DEAF);
    stranger.run(&["mailbox", "add", "1000"]);
    let why = stranger.refused(&copy);
    assert!(why.contains("that is not from here"), "{why}");

    house.configure(&format!("[store]\nurl = {url:?}\n{DEAF}"));
    fs::remove_file(house.data().join("afterbeep.db")).unwrap();
    house.restart();
    leave(&house, 4).await;
    let messages = house.messages(3).await;
    for seconds in 2..=4 {
        let message = of_length(&messages, seconds);
        assert_heard(&house.sound(message.id), &words(seconds as usize));
    }
    let why = house.refused(&copy);
    assert!(why.contains("is there already"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_move_to_s3_while_the_server_runs() {
    let mut s3 = S3::start().await;
    let mut house = House::start(&format!("{}{DEAF}", s3.section(false)));
    leave(&house, 2).await;
    leave(&house, 3).await;
    let messages = house.messages(2).await;
    let copy = ["blobs", "copy", "--to", "s3://voicemail/house"];
    s3.stop();
    let why = house.refused(&copy);
    assert!(why.contains("the S3 server cannot"), "{why}");
    s3.begin().await;
    let said = house.run(&copy);
    assert!(said.contains("All 2 recordings"), "{said}");
    assert_eq!(s3.keys(), messages.iter().map(|it| it.blob.clone()).collect());

    // What somebody damaged there is seen, and put right.
    let place = s3.file(&messages[0].blob);
    let mut sound = fs::read(&place).unwrap();
    let last = sound.len() - 1;
    sound[last] ^= 1;
    fs::write(&place, &sound).unwrap();
    house.run(&copy);
    sound[last] ^= 1;
    assert!(fs::read(&place).unwrap() == sound, "it stayed damaged");

    house.terminate();
    assert!(house.ended(PATIENCE));
    house.configure(&format!("{}{DEAF}", s3.section(true)));
    house.restart();
    let here = house.data().join("blobs").join(&messages[0].blob);
    let kept = house.data().join("blobs/kept").join(&messages[0].blob);
    until("it is here no more", async || !here.exists() && !kept.exists()).await;
    for seconds in 2..=3 {
        let message = of_length(&messages, seconds);
        assert_heard(&house.sound(message.id), &words(seconds as usize));
    }
}
