//! What becomes of a transcript when something is missing, slow or dies; and of the mail then.

use super::*;
use crate::mail::sink::Mode;

#[tokio::test]
async fn a_mail_goes_without_its_transcript_when_that_takes_too_long_and_goes_once() {
    let sink = Sink::start(Mode::Accept).await;
    let settings = format!("mail_within = \"1s\"\n{}{}", hearing(), mailing_to(&sink));
    let house = House::start(&settings);
    let said = novel();
    let (id, worker) = tokio::join!(leave(&house, &said), frozen_worker(&house));

    let letters = sink.wait_for(1, PATIENCE).await;
    let text = parsed(&letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.starts_with("No transcript. The transcript was not ready in time."), "{text}");
    let db = house.db().await;
    assert_eq!(delivered(&db, id).await[0].state, State::Accepted);

    signal("-CONT", worker);
    let heard = heard(&db, id).await;
    assert!(heard.contains("prudently"), "{heard}");
    assert!(job(&db, Kind::Notify, id).await.is_none(), "the mail would go again");
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test]
async fn without_a_model_mails_go_at_once_and_transcripts_are_made_when_there_is_one() {
    let sink = Sink::start(Mode::Accept).await;
    let speech = "[speech]\nmodel = \"tiny.en\"\nmodels = \"models\"\n";
    let house = House::start(&(speech.to_owned() + &mailing_to(&sink)));
    let id = leave(&house, &novel()).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let text = parsed(&letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.starts_with("No transcript. No speech model is installed"), "{text}");
    let db = house.db().await;
    assert_eq!(delivered(&db, id).await[0].state, State::Accepted);
    let waiting = job(&db, Kind::Transcribe, id).await.expect("the job waits for a model");
    assert_eq!((waiting.job.attempts, waiting.buried), (0, false));

    let place = house.dir.path().join("models");
    std::fs::create_dir(&place).unwrap();
    let name = "ggml-tiny.en.bin";
    std::os::unix::fs::symlink(models().join(name), place.join(name)).unwrap();
    let heard = heard(&db, id).await;
    assert!(heard.contains("prudently"), "{heard}");
    assert!(job(&db, Kind::Notify, id).await.is_none(), "the mail would go again");
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test]
async fn a_model_that_is_still_being_copied_costs_no_transcript() {
    let sink = Sink::start(Mode::Accept).await;
    let speech = "[speech]\nmodel = \"tiny.en\"\nmodels = \"models\"\n";
    let house = House::start(&(speech.to_owned() + &mailing_to(&sink)));
    let place = house.dir.path().join("models");
    std::fs::create_dir(&place).unwrap();
    let (name, whole) = ("ggml-tiny.en.bin", place.join("whole"));
    std::fs::write(place.join(name), vec![0; 1_000]).unwrap();
    let id = leave(&house, &novel()).await;
    let db = house.db().await;
    let refused =
        until("the model is refused", async || job(&db, Kind::Transcribe, id).await.unwrap().error)
            .await;
    assert!(refused.contains("the speech worker refused to start"), "{refused}");
    assert_eq!(sink.received().len(), 0, "there is time left for the transcript");

    std::os::unix::fs::symlink(models().join(name), &whole).unwrap();
    std::fs::rename(whole, place.join(name)).unwrap();
    let letters = sink.wait_for(1, PATIENCE).await;
    let text = parsed(&letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.contains("prudently in his power"), "{text}");
}

#[tokio::test]
async fn where_nobody_speaks_the_mail_says_so_and_invents_nothing() {
    let sink = Sink::start(Mode::Accept).await;
    let house = House::start(&(hearing() + &mailing_to(&sink)));
    let id = leave(&house, &hiss(3)).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let text = parsed(&letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.starts_with("No speech, 3 s.\r\n\r\nFrom: "), "{text}");
    let db = house.db().await;
    assert_eq!(heard(&db, id).await, "");
    assert_eq!(children(house.pid()), [0; 0], "a worker was started for nothing");
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_costs_a_second_try_and_no_transcript() {
    let sink = Sink::start(Mode::Accept).await;
    let house = House::start(&(hearing() + &mailing_to(&sink)));
    let said = novel();
    let (id, worker) = tokio::join!(leave(&house, &said), frozen_worker(&house));
    let db = house.db().await;
    let held = job(&db, Kind::Transcribe, id).await.expect("it is being transcribed");
    assert_eq!(held.job.attempts, 1);
    signal("-KILL", worker);

    let letters = sink.wait_for(1, PATIENCE).await;
    let text = parsed(&letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.contains("prudently in his power"), "{text}");
    let log = std::fs::read_to_string(house.dir.path().join("log")).unwrap();
    assert!(log.contains("the speech worker was lost (signal: 9"), "{log}");
    assert_ne!(children(house.pid()), [worker]);
}

#[tokio::test]
async fn a_mailbox_that_wants_no_transcripts_gets_its_mails_at_once() {
    let sink = Sink::start(Mode::Accept).await;
    let house = House::start(&(hearing() + &mailing_to(&sink)));
    house.run(&["mailbox", "set", "1000", "--transcribe", "no"]);
    let id = leave(&house, &novel()).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let letter = parsed(&letters[0]);
    let text = letter.body_text(0).unwrap();
    assert!(text.starts_with("From: Marie Dupont"), "{text}");
    assert!(letter.subject().unwrap().starts_with("Voicemail from Marie Dupont"));
    let db = house.db().await;
    assert!(job(&db, Kind::Transcribe, id).await.is_none());
    assert_eq!(children(house.pid()), [0; 0], "a worker was started for nothing");
}

/// So many seconds of a bad line.
fn hiss(seconds: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let sample = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        g711::ulaw_from((state >> 16) as i16 / 10)
    };
    (0..seconds * 8_000).map(sample).collect()
}

/// Stops the first speech worker a server starts, as soon as it does.
async fn frozen_worker(house: &House) -> u32 {
    let worker = until("a worker is started", async || workers(house).first().copied()).await;
    signal("-STOP", worker);
    worker
}

/// Its speech workers. A child that has not become one yet does not count: stopping it would stop
/// the server's thread that waits for it.
fn workers(house: &House) -> Vec<u32> {
    let is_worker = |it: &u32| {
        let line = std::fs::read(format!("/proc/{it}/cmdline")).unwrap_or_default();
        line.split(|it| *it == 0).nth(1) == Some(b"worker")
    };
    children(house.pid()).into_iter().filter(is_worker).collect()
}
