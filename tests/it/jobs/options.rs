//! Every option of "Voicemail to email" at a real mail server: who gets what, and when the message
//! may go.

use mail_parser::MimeHeaders;

use super::*;
use crate::call::words;
use crate::house::browser;
use crate::mail::sink::Mode;

const ANN: &str = "ann@localhost";
const BOB: &str = "bob@localhost";
const SMS: &str = "5551234@localhost";

/// A house whose mailbox is set like this, and its mail server.
async fn house(mode: Mode, wishes: &[&str]) -> (House, Sink) {
    let sink = Sink::start(mode).await;
    let house = House::start(&(DEAF.to_owned() + &mailing_to(&sink)));
    house.run(&[&["mailbox", "set", "1000"], wishes].concat());
    (house, sink)
}

/// What `message show` says of a message.
fn shown(house: &House, id: MessageId) -> String {
    house.run(&["message", "show", &id.to_string()])
}

/// Leaves a message and waits until nothing is left to do about its mail.
async fn settled(house: &House) -> (MessageId, Vec<Delivery>) {
    let id = leave(house, &words(2)).await;
    let db = house.db().await;
    let all = delivered(&db, id).await;
    db.close().await;
    (id, all)
}

fn to(letters: &[Received]) -> Vec<&str> {
    let mut to: Vec<_> = letters.iter().flat_map(|it| &it.to).map(String::as_str).collect();
    to.sort_unstable();
    to
}

#[track_caller]
fn assert_shows(shown: &str, parts: &[&str]) {
    for part in parts {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
}

#[tokio::test]
async fn those_named_get_the_recording_and_those_named_for_it_a_short_mail() {
    let to_both = format!("{ANN},{BOB}");
    let wishes = ["--notify-to", &to_both, "--notify-short-to", SMS];
    let (house, sink) = house(Mode::Accept, &wishes).await;
    let (id, _) = settled(&house).await;
    let letters = sink.received();
    assert_eq!(to(&letters), [SMS, ANN, BOB]);
    for received in &letters {
        let letter = parsed(received);
        let short = received.to == [SMS];
        assert_eq!(letter.attachment_count(), usize::from(!short));
        if short {
            let text = letter.body_text(0).unwrap();
            assert!(text.starts_with("Marie Dupont (5551234), "), "{text}");
            assert!(text.trim_end().chars().count() <= 160, "{text}");
        }
    }
    assert_shows(
        &shown(&house, id),
        &[
            "Folder:   new",
            &format!("{ANN}, accepted with the recording (250 2.0.0 kept)"),
            &format!("{SMS} (short), accepted (250 2.0.0 kept)"),
        ],
    );
}

#[tokio::test]
async fn with_the_login_address_the_list_is_kept_but_unused() {
    let (house, sink) = house(Mode::Accept, &[]).await;
    house.run(&["user", "add", BOB, "--name", "Bob"]);
    house.run(&["mailbox", "set", "1000", "--owner", BOB, "--use-login-email", "yes"]);
    settled(&house).await;
    assert_eq!(to(&sink.received()), [BOB]);
    house.run(&["mailbox", "set", "1000", "--use-login-email", "no"]);
    settled(&house).await;
    assert_eq!(to(&sink.received()), [ANN, BOB]);
}

#[tokio::test]
async fn without_notification_nobody_gets_anything_and_nothing_goes() {
    let wishes = ["--notify", "no", "--notify-short-to", SMS, "--delete-after-notify", "yes"];
    let (house, sink) = house(Mode::Accept, &wishes).await;
    let (id, mails) = settled(&house).await;
    assert_eq!((mails.len(), sink.connections()), (0, 0));
    assert_shows(&shown(&house, id), &["Folder:   new"]);
}

#[tokio::test]
async fn a_message_that_everybody_has_is_in_the_trash_and_can_be_fetched_back() {
    let wishes = ["--delete-after-notify", "yes", "--notify-short-to", SMS];
    let (house, sink) = house(Mode::RefuseOne(SMS, 550), &wishes).await;
    let id = leave(&house, &words(2)).await;
    until("it is in the trash", async || {
        shown(&house, id).contains("Trashed:  by notified").then_some(())
    })
    .await;
    assert_eq!(to(&sink.received()), [ANN]);
    assert_shows(&shown(&house, id), &["Folder:   deleted", "with the recording"]);
    house.run(&["message", "move", &id.to_string(), "--to", "new"]);
    assert_shows(&shown(&house, id), &["Folder:   new"]);
}

#[tokio::test]
async fn a_message_stays_when_one_of_them_was_refused() {
    let both = format!("{ANN},{BOB}");
    let wishes = ["--delete-after-notify", "yes", "--notify-to", &both];
    let (house, _sink) = house(Mode::RefuseOne(ANN, 550), &wishes).await;
    let (id, _) = settled(&house).await;
    assert_shows(
        &shown(&house, id),
        &[
            "Folder:   new",
            &format!("{ANN}, failed (the mail server refuses the letter: 550"),
            &format!("{BOB}, accepted with the recording"),
        ],
    );
}

#[tokio::test]
async fn a_message_stays_until_the_one_that_was_put_off_has_it_too() {
    let both = format!("{ANN},{BOB}");
    let wishes = ["--delete-after-notify", "yes", "--notify-to", &both];
    let (house, sink) = house(Mode::RefuseOne(ANN, 451), &wishes).await;
    let id = leave(&house, &words(2)).await;
    let before = until("one has it and the other is put off", async || {
        let shown = shown(&house, id);
        let both =
            shown.contains(&format!("{BOB}, accepted")) && shown.contains(", deferred until 2");
        both.then_some(shown)
    })
    .await;
    assert_shows(&before, &["Folder:   new", "(the mail server does not take the letter now: 451"]);
    sink.switch(Mode::Accept);
    until("it is in the trash", async || {
        shown(&house, id).contains("Folder:   deleted").then_some(())
    })
    .await;
    assert_shows(&shown(&house, id), &[&format!("{ANN}, accepted with the recording, ")]);
}

#[tokio::test]
async fn a_message_stays_when_the_answer_to_its_mail_never_came() {
    let (house, sink) = house(Mode::DropAfterData, &["--delete-after-notify", "yes"]).await;
    let id = leave(&house, &words(2)).await;
    let shown_then = until("it is put off", async || {
        let shown = shown(&house, id);
        shown.contains("deferred until").then_some(shown)
    })
    .await;
    assert_shows(&shown_then, &["Folder:   new", "the conversation with the mail server failed"]);
    sink.switch(Mode::Accept);
    until("it is in the trash", async || {
        shown(&house, id).contains("Folder:   deleted").then_some(())
    })
    .await;
}

#[tokio::test]
async fn short_mails_alone_let_nothing_go_and_that_is_said_when_it_is_set() {
    let (house, sink) = house(Mode::Accept, &["--notify-short-to", SMS]).await;
    let wishes = ["mailbox", "set", "1000", "--notify-to", "none", "--delete-after-notify", "yes"];
    let said = house.run(&wishes);
    assert!(said.contains("no message is deleted after notification"), "{said}");
    let (id, _) = settled(&house).await;
    assert_eq!(to(&sink.received()), [SMS]);
    assert_shows(&shown(&house, id), &["Folder:   new", &format!("{SMS} (short), accepted (")]);
}

#[tokio::test]
async fn a_mail_that_lacks_the_recording_says_so_and_lets_nothing_go() {
    let (house, sink) = house(Mode::RefuseLetter(451), &["--delete-after-notify", "yes"]).await;
    let id = leave(&house, &words(2)).await;
    until("it is put off", async || shown(&house, id).contains("deferred until").then_some(()))
        .await;
    let text = id.to_string();
    let shard = house.data().join("blobs/messages").join(&text[text.len() - 2..]);
    std::fs::remove_file(shard.join(format!("{text}.wav"))).unwrap();
    sink.switch(Mode::Accept);
    let db = house.db().await;
    let [mail] = &delivered(&db, id).await[..] else { panic!("one recipient") };
    assert_eq!((mail.state, mail.with_audio), (State::Accepted, false));
    let letters = sink.received();
    let letter = parsed(letters.last().unwrap());
    assert_eq!(letter.attachment_count(), 0);
    assert!(letter.body_text(0).unwrap().contains("The recording is not attached"));
    let wants = ["Folder:   new", &format!("{ANN}, accepted without the recording")];
    assert_shows(&shown(&house, id), &wants);
}

/// The words of a letter have some 4 kB, and two seconds of sound 11 more as MP3.
#[tokio::test]
async fn a_recording_no_server_takes_keeps_nobody_from_the_rest_and_the_message_stays() {
    let (house, sink) = house(Mode::RefuseLarger(10_000), &["--delete-after-notify", "yes"]).await;
    let (id, mails) = settled(&house).await;
    assert_eq!((mails[0].state, mails[0].attempts), (State::Accepted, 1));
    let letters = sink.received();
    let [received] = &letters[..] else { panic!("one letter was taken") };
    let letter = parsed(received);
    assert_eq!(letter.attachment_count(), 0);
    let text = letter.body_text(0).unwrap();
    assert!(text.contains("the mail server takes no mail that large"), "{text}");
    let tries = if cfg!(feature = "mp3") { 3 } else { 2 };
    assert_eq!(sink.read().len(), tries);
    let wants = ["Folder:   new", &format!("{ANN}, accepted without the recording (250 ")];
    assert_shows(&shown(&house, id), &wants);
}

/// Two seconds of sound have 43 kB in a letter as WAV, and 11 as MP3.
#[cfg(feature = "mp3")]
#[tokio::test]
async fn a_recording_that_is_too_large_as_wav_comes_as_mp3_and_counts_as_much() {
    let (house, sink) = house(Mode::RefuseLarger(30_000), &["--delete-after-notify", "yes"]).await;
    let (id, mails) = settled(&house).await;
    assert_eq!((mails[0].state, mails[0].with_audio), (State::Accepted, true));
    assert_eq!((sink.read().len(), sink.received().len()), (2, 1));
    let letters = sink.received();
    let letter = parsed(&letters[0]);
    let attached = letter.attachment(0).unwrap();
    let kind = attached.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("audio", Some("mpeg")));
    assert!(attached.attachment_name().unwrap().ends_with("-from-5551234.mp3"));
    assert_shows(&shown(&house, id), &["Trashed:  by notified"]);
}

#[tokio::test]
async fn whoever_followed_the_link_gets_nothing_more_until_that_is_undone() {
    let both = format!("{ANN},{BOB}");
    let wishes = ["--notify-to", &both, "--delete-after-notify", "yes"];
    let sink = Sink::start(Mode::Accept).await;
    let mut house = House::start(DEAF);
    let base = format!("[mail]\nbase_url = \"http://{}\"\n", house.http);
    let mail = mailing_to(&sink).replace("[mail]\n", &base);
    house.configure(&(DEAF.to_owned() + &mail));
    house.kill();
    house.restart();
    house.run(&[&["mailbox", "set", "1000"], &wishes[..]].concat());
    settled(&house).await;

    let letters = sink.received();
    let received = letters.iter().find(|it| it.to == [BOB]).unwrap();
    let letter = parsed(received);
    let link = letter.header_raw("List-Unsubscribe").unwrap().trim();
    let link = link.trim_start_matches('<').trim_end_matches('>').to_owned();
    assert_eq!(
        letter.header_raw("List-Unsubscribe-Post").unwrap().trim(),
        "List-Unsubscribe=One-Click"
    );
    let client = browser();
    let looked = client.get(&link).send().await.unwrap();
    assert_eq!(looked.status().as_u16(), 200);
    settled(&house).await;
    assert_eq!(to(&sink.received()), [ANN, ANN, BOB, BOB], "looking changes nothing");
    let done = client.post(&link).body("List-Unsubscribe=One-Click").send().await.unwrap();
    assert_eq!(done.status().as_u16(), 200);

    // Who wants nothing is no recipient: what everybody else has may go.
    let (id, _) = settled(&house).await;
    assert_eq!(to(&sink.received()), [ANN, ANN, ANN, BOB, BOB]);
    assert_shows(
        &shown(&house, id),
        &["Trashed:  by notified", &format!("{BOB}, unsubscribed, so nothing was sent")],
    );
    let mailbox = house.run(&["mailbox", "show", "1000"]);
    assert!(mailbox.contains(&format!("Mail goes to {ANN}.")), "{mailbox}");
    assert!(mailbox.contains(&format!("Unsubscribed, so nothing is sent: {BOB}.")), "{mailbox}");
    house.run(&["mailbox", "resubscribe", "1000", BOB]);
    settled(&house).await;
    assert_eq!(to(&sink.received()), [ANN, ANN, ANN, ANN, BOB, BOB, BOB]);
}

#[tokio::test]
async fn the_link_in_a_mail_plays_the_message_on_the_public_address_alone() {
    let sink = Sink::start(Mode::Accept).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let base = format!("[http]\npublic = \"{free}\"\n[mail]\nbase_url = \"http://{free}\"\n");
    let house = House::start(&(DEAF.to_owned() + &mailing_to(&sink).replace("[mail]\n", &base)));
    let id = leave(&house, &words(2)).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let letter = parsed(&letters[0]);
    let text = letter.body_text(0).unwrap();
    let link = text.lines().find_map(|it| it.strip_prefix("Listen: ")).unwrap().trim();
    assert!(link.starts_with(&format!("http://{free}/l/")), "{link}");
    let page = browser().get(link).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    assert!(page.text().await.unwrap().contains("Marie Dupont (5551234)"));
    let heard = browser().get(format!("{link}/audio")).send().await.unwrap().bytes().await.unwrap();
    house.sound(id);
    assert_eq!(heard, std::fs::read(house.dir.path().join(format!("{id}.wav"))).unwrap());
    for path in ["/readyz", "/metrics", "/mail"] {
        let page = browser().get(format!("http://{free}{path}")).send().await.unwrap();
        assert_eq!(page.status().as_u16(), 404, "{path}");
    }
    assert_shows(&shown(&house, id), &["Folder:   new"]);
}

#[cfg(feature = "mp3")]
#[tokio::test]
async fn the_recording_may_come_as_mp3_and_counts_as_much() {
    let (house, sink) =
        house(Mode::Accept, &["--attach", "mp3", "--delete-after-notify", "yes"]).await;
    let id = leave(&house, &words(2)).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let letter = parsed(&letters[0]);
    let attached = letter.attachment(0).unwrap();
    let kind = attached.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("audio", Some("mpeg")));
    assert!(attached.attachment_name().unwrap().ends_with("-from-5551234.mp3"));
    let stored = house.sound(id).len() as u64;
    // 32 kbit/s against 128.
    let bytes = attached.contents().len() as u64;
    assert!((stored * 2 / 5..stored * 4 / 5).contains(&bytes), "{bytes} bytes of {stored} samples");
    until("it is in the trash", async || {
        shown(&house, id).contains("Trashed:  by notified").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_operators_own_words_are_what_is_mailed() {
    let sink = Sink::start(Mode::Accept).await;
    let mut house = House::start(DEAF);
    let folder = house.dir.path().join("templates");
    std::fs::create_dir_all(folder.join("en")).unwrap();
    std::fs::write(folder.join("en/subject.txt"), "Beep from {{ caller }}").unwrap();
    let own = format!("[mail]\ntemplates = \"{}\"\n", folder.display());
    house.configure(&(DEAF.to_owned() + &mailing_to(&sink).replace("[mail]\n", &own)));
    house.kill();
    house.restart();
    leave(&house, &words(2)).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    assert_eq!(parsed(&letters[0]).subject(), Some("Beep from Marie Dupont (5551234)"));
    let preview = house.run(&["mail", "preview", "--mailbox", "1000"]);
    assert!(preview.starts_with("Subject: Beep from Marie Dupont (+33556123456)\n"), "{preview}");
    assert!(preview.contains("Call me back at 5 pm."), "{preview}");
    let preview = house.run(&["mail", "preview", "--mailbox", "1000", "--short"]);
    assert!(preview.contains("\nMarie Dupont (+33556123456), 23 Nov "), "{preview}");
}
