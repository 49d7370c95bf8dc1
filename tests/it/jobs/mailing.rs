//! The way of a mail: to a server that takes it, and to those that do not.

use afterbeep::clock::Clock;
use afterbeep::mailbox::{Caller, Envelope, Reason};
use afterbeep::store::mailboxes;
use afterbeep::store::messages::{self, Filed, Filing, Marks};
use mail_parser::MimeHeaders;
use tokio::net::TcpSocket;

use super::*;
use crate::call::{assert_heard, words};
use crate::mail::sink::Mode;

#[tokio::test]
async fn a_call_becomes_a_mail_with_the_transcript_first_and_the_recording_attached() {
    let sink = Sink::start(Mode::Accept).await;
    let house = House::start(&(hearing() + &mailing_to(&sink)));
    let said = novel();
    let id = leave(&house, &said).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    assert_eq!(letters[0].to, ["ann@localhost"]);

    let letter = parsed(&letters[0]);
    let text = letter.body_text(0).unwrap();
    assert!(text.starts_with('“'), "the transcript is not first: {text}");
    let (first, rest) = text.split_once('”').unwrap();
    assert!(first.contains("prudently in his power to do for them"), "{first}");
    assert!(rest.contains("From: Marie Dupont (5551234)"), "{rest}");
    let html = letter.body_html(0).unwrap();
    assert!(html.find("prudently") < html.find("<bdi>Marie Dupont"), "{html}");
    assert!(letter.subject().unwrap().starts_with("Marie Dupont (5551234): “"));
    assert!(letter.message_id().unwrap().contains(&id.to_string()), "{:?}", letter.message_id());
    assert_eq!(letter.header("Auto-Submitted").unwrap().as_text(), Some("auto-generated"));

    assert_heard(&house.sound(id), &said);
    let stored = std::fs::read(house.dir.path().join(format!("{id}.wav"))).unwrap();
    let attached = letter.attachment(0).unwrap();
    assert!(attached.contents() == stored, "the attachment is not the stored message");
    assert!(attached.attachment_name().unwrap().ends_with("-from-5551234.wav"));

    let db = house.db().await;
    let [delivery] = &delivered(&db, id).await[..] else { panic!("one recipient") };
    assert_eq!((delivery.state, delivery.attempts), (State::Accepted, 1));
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test]
async fn a_letter_refused_for_now_is_tried_again_as_the_same_letter() {
    let sink = Sink::start(Mode::RefuseLetter(451)).await;
    let house = House::start(&(DEAF.to_owned() + &mailing_to(&sink)));
    let id = leave(&house, &words(2)).await;
    let db = house.db().await;
    let deferred = until("the letter is deferred", async || {
        let all = deliveries::of(&db, &id).await.unwrap();
        all.into_iter().find(|it| it.state == State::Deferred)
    })
    .await;
    assert!(deferred.reply.as_ref().unwrap().contains("451 not this one"), "{deferred:?}");
    assert!(deferred.next_try.is_some());
    sink.switch(Mode::Accept);

    let letters = sink.wait_for(1, PATIENCE).await;
    let [delivery] = &delivered(&db, id).await[..] else { panic!("one recipient") };
    assert_eq!((delivery.state, letters.len()), (State::Accepted, 1));
    assert_eq!(delivery.attempts as usize, sink.read().len(), "a try was not noted");
    assert!(delivery.attempts >= 2);
    assert_same_letter(&sink.read());
}

#[tokio::test]
async fn a_letter_refused_for_good_is_not_tried_again_and_the_servers_word_is_shown() {
    let sink = Sink::start(Mode::RefuseLetter(550)).await;
    let house = House::start(&(DEAF.to_owned() + &mailing_to(&sink)));
    let id = leave(&house, &words(2)).await;
    let db = house.db().await;
    let [delivery] = &delivered(&db, id).await[..] else { panic!("one recipient") };
    assert_eq!((delivery.state, delivery.attempts), (State::Failed, 1));
    let shown = house.run(&["message", "show", &id.to_string()]);
    assert!(shown.contains("ann@localhost, failed"), "{shown}");
    assert!(shown.contains("550 not this one"), "{shown}");
    assert_eq!((sink.read().len(), sink.received().len()), (1, 0));
}

#[tokio::test]
async fn a_server_that_hangs_up_after_the_letter_gets_the_same_letter_again() {
    let sink = Sink::start(Mode::DropAfterData).await;
    let house = House::start(&(DEAF.to_owned() + &mailing_to(&sink)));
    let id = leave(&house, &words(2)).await;
    sink.wait_for(1, PATIENCE).await;
    sink.switch(Mode::Accept);
    let db = house.db().await;
    let [delivery] = &delivered(&db, id).await[..] else { panic!("one recipient") };
    let letters = sink.received();
    assert_eq!((delivery.state, delivery.attempts as usize), (State::Accepted, letters.len()));
    assert!(letters.len() >= 2);
    assert_same_letter(&letters);
}

#[tokio::test]
async fn a_server_that_is_away_gets_the_letter_when_it_is_back() {
    // Bound but not listening: the port is ours, and who connects is refused.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = closed.local_addr().unwrap().port();
    let house = House::start(&format!(
        "{DEAF}[mail]\nretry_first = \"200ms\"\n\
         [mail.server]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n"
    ));
    let id = leave(&house, &words(2)).await;
    let db = house.db().await;
    let reply = until("the letter is deferred", async || {
        let all = deliveries::of(&db, &id).await.unwrap();
        all.into_iter().find(|it| it.state == State::Deferred)?.reply
    })
    .await;
    assert!(reply.to_lowercase().contains("connection refused"), "{reply}");

    let sink = Sink::start_at(closed.listen(16).unwrap(), Mode::Accept);
    let letters = sink.wait_for(1, PATIENCE).await;
    let [delivery] = &delivered(&db, id).await[..] else { panic!("one recipient") };
    assert_eq!((delivery.state, letters.len()), (State::Accepted, 1));
}

#[tokio::test]
async fn what_was_left_long_ago_and_came_here_today_is_mailed_as_todays_news() {
    let sink = Sink::start(Mode::RefuseLetter(451)).await;
    let base = "[mail]\nbase_url = \"http://127.0.0.1\"\n";
    let mailing = mailing_to(&sink).replace("[mail]\n", base);
    let mut house = House::start(&(DEAF.to_owned() + &mailing));
    let db = house.db().await;
    let mailbox = mailboxes::reached(&db, "localhost", "1000").await.unwrap().unwrap();
    house.kill();
    let (id, now) = (Clock::Real.message_id(), Clock::Real.now());
    let copy = Filing {
        id,
        mailbox: mailbox.id.clone(),
        envelope: Envelope {
            caller: Caller::default(),
            received: now - Duration::from_secs(8 * 24 * 3_600),
            length: Duration::from_secs(2),
            interrupted: false,
            reason: Reason::Unknown,
        },
        blob: afterbeep::blobs::message(&id),
        limit: mailbox.limit(),
        rotates: true,
        transcribe: false,
        notify_due: now,
        recipients: mailbox.recipients(),
        marks: Marks::default(),
        copies: false,
        origin: None,
    };
    assert_eq!(messages::file(&db, &[copy], now).await.unwrap(), [Filed::New]);
    house.restart();
    until("its mail is put off", async || {
        let all = deliveries::of(&db, &id).await.unwrap();
        all.into_iter().find(|it| it.state == State::Deferred)
    })
    .await;
    sink.switch(Mode::Accept);

    let letters = sink.wait_for(1, PATIENCE).await;
    let letter = parsed(&letters[0]);
    assert_eq!(letter.date().unwrap().to_timestamp(), now.0 / 1_000);
    let text = letter.body_text(0).unwrap();
    let link = text.lines().find_map(|it| it.strip_prefix("Listen: ")).unwrap().trim();
    let (status, _) = house.get(link.strip_prefix("http://127.0.0.1").unwrap()).await;
    assert_eq!(status, 200, "{link} was dead on arrival");
}

#[tokio::test]
async fn one_recipients_trouble_gives_the_other_no_second_copy() {
    let [ann, bob] = ["ann@localhost", "bob@localhost"];
    let sink = Sink::start(Mode::RefuseOne(ann, 451)).await;
    let house = House::start(&(DEAF.to_owned() + &mailing_to(&sink)));
    house.run(&["mailbox", "set", "1000", "--notify-to", &[ann, bob].join(",")]);
    let id = leave(&house, &words(2)).await;
    let db = house.db().await;
    until("one was tried twice", async || {
        let all = deliveries::of(&db, &id).await.unwrap();
        all.into_iter().find(|it| it.recipient == ann && it.attempts >= 2)
    })
    .await;
    sink.switch(Mode::RefuseOne(ann, 550));

    let [to_ann, to_bob] = &delivered(&db, id).await[..] else { panic!("two recipients") };
    assert_eq!((to_ann.recipient.as_str(), to_ann.state), (ann, State::Failed));
    assert_eq!((to_bob.recipient.as_str(), to_bob.state), (bob, State::Accepted));
    assert_eq!(to_bob.attempts, 1);
    let letters = sink.received();
    assert_eq!(letters.iter().map(|it| &it.to[..]).collect::<Vec<_>>(), [[bob]]);
}

#[track_caller]
fn assert_same_letter(letters: &[Received]) {
    let ids: Vec<_> =
        letters.iter().map(|it| parsed(it).message_id().unwrap().to_owned()).collect();
    assert!(ids.windows(2).all(|two| two[0] == two[1]), "{ids:?}");
}
