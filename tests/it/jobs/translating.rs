//! What becomes of a translation, from the call to the mail.

use super::*;
use crate::mail::sink::Mode;
use afterbeep::store::translations::{self, Translated};

/// The settings of a house with ears and all models.
fn house(sink: &Sink) -> House {
    assert!(models().join("en-pt/model.bin").is_file(), "en-pt is missing: run `make models`");
    House::start(&(hearing() + &mailing_to(sink)))
}

/// How far a message's translation is, once that is settled.
async fn translated(db: &Db, id: MessageId) -> Translated {
    until("a translation is settled", async || {
        let found = translations::of(db, &id).await.unwrap();
        (found != Translated::Waiting && transcripts::of(db, &id).await.unwrap().is_some())
            .then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_message_is_translated_and_its_mail_waits_for_that() {
    let sink = Sink::start(Mode::Accept).await;
    let house = house(&sink);
    house.run(&["mailbox", "set", "1000", "--translate", "yes", "--translate-to", "pt"]);
    let id = leave(&house, &novel()).await;
    sink.wait_for(1, PATIENCE).await;
    let db = house.db().await;
    let Translated::Done(translation) = translations::of(&db, &id).await.unwrap() else {
        panic!("the mail went before the translation was there")
    };
    assert_eq!((translation.language.as_str(), translation.difference), ("pt", None));
    assert_eq!(translation.engine, "fxtranslate en-pt");
    assert!(translation.text.contains("Dashwood"), "{}", translation.text);
    assert!(heard(&db, id).await.contains("prudently"), "the original stands");
    assert!(job(&db, Kind::Translate, id).await.is_none());

    let shown = house.run(&["message", "show", &id.to_string()]);
    assert!(shown.contains("prudently"), "{shown}");
    let told = format!("In pt, by a machine (fxtranslate en-pt):\n{}", translation.text);
    assert!(shown.contains(&told), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&house.run(&["message", "show", &id.to_string(), "--json"])).unwrap();
    assert_eq!(json["translation"]["text"], translation.text);
}

#[tokio::test]
async fn without_the_model_the_mail_goes_at_once_and_the_reason_is_kept() {
    let sink = Sink::start(Mode::Accept).await;
    let house = house(&sink);
    house.run(&["mailbox", "set", "1000", "--translate", "yes"]);
    let id = leave(&house, &novel()).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let text = parsed(&letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.contains("prudently in his power"), "the original stands: {text}");
    assert!(text.contains("No translation. The server could not make one."), "{text}");
    let db = house.db().await;
    let why = "the translation model en-fr is missing; fetch it with `afterbeep model fetch en-fr`";
    assert_eq!(translated(&db, id).await, Translated::Failed(why.to_owned()));
    let shown = house.run(&["message", "show", &id.to_string()]);
    assert!(shown.contains(&format!("(no translation: {why})")), "{shown}");
}

#[tokio::test]
async fn what_was_said_in_the_wanted_language_is_not_translated() {
    let sink = Sink::start(Mode::Accept).await;
    let house = house(&sink);
    house.run(&["mailbox", "set", "1000", "--translate", "yes", "--translate-to", "en"]);
    let id = leave(&house, &novel()).await;
    sink.wait_for(1, PATIENCE).await;
    let db = house.db().await;
    assert_eq!(translated(&db, id).await, Translated::Off);
    assert!(job(&db, Kind::Translate, id).await.is_none());
}

#[tokio::test]
async fn a_service_that_is_away_keeps_no_mail_beyond_its_deadline() {
    let sink = Sink::start(Mode::Accept).await;
    let settings = format!(
        "mail_within = \"4s\"\n{}[translation]\nengine = \"libretranslate\"\n\
         url = \"http://127.0.0.1:1\"\n{}",
        hearing(),
        mailing_to(&sink)
    );
    let house = House::start(&settings);
    house.run(&["mailbox", "set", "1000", "--translate", "yes"]);
    let id = leave(&house, &novel()).await;
    let letters = sink.wait_for(1, PATIENCE).await;
    let text = parsed(&letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.contains("prudently in his power"), "{text}");
    let db = house.db().await;
    let waiting = job(&db, Kind::Translate, id).await.expect("it is tried again");
    assert!(waiting.error.unwrap().contains("cannot be reached"));
    assert_eq!(translations::of(&db, &id).await.unwrap(), Translated::Waiting);
}
