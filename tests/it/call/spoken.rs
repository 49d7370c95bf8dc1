//! What is spoken of texts, and names: heard over real calls, and written down by a recogniser.

use std::time::Duration;

use super::{DEAF, decoded, owner::written};
use crate::house::House;
use crate::phone::{Phone, richer::Manner};

const QUIET: Duration = Duration::from_millis(600);
const BELIEVING: &str =
    "[sip]\nidentity_from = [\"127.0.0.0/8\"]\n[speech]\nmodels = \"/nonexistent\"\n";

#[tokio::test]
async fn a_greeting_made_of_text_is_understood_by_the_caller() {
    let house = House::start(DEAF);
    let text = "You have reached the garden shop. We are closed until Monday.";
    house.run(&["greeting", "set", "--mailbox", "1000", "--text", text]);
    let heard = opening(&house).await;
    for word in ["reached", "garden", "shop", "closed", "monday"] {
        assert!(heard.contains(word), "{word:?} was not heard: {heard}");
    }
}

#[tokio::test]
async fn callers_hear_the_name_of_who_is_not_available() {
    let house = House::start(DEAF);
    house.run(&["name", "set", "--mailbox", "1000", "--text", "Jennifer Thompson"]);
    let heard = opening(&house).await;
    for word in ["jennifer", "not available"] {
        assert!(heard.contains(word), "{word:?} was not heard: {heard}");
    }
    assert!(!heard.contains("extension"), "{heard}");
    house.run(&["name", "rm", "--mailbox", "1000"]);
    let heard = opening(&house).await;
    assert!(heard.contains("extension"), "{heard}");
}

#[tokio::test]
async fn an_owner_hears_the_name_of_a_colleague_who_left_a_message() {
    let house = House::start(BELIEVING);
    house.run(&["mailbox", "add", "2000", "--name", "Jennifer"]);
    house.run(&["name", "set", "--mailbox", "2000", "--text", "Jennifer Thompson"]);
    let mut phone = Phone::new().await.unwrap();
    phone.number = "2000".to_owned();
    let mut call = phone.call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&super::words(3)).await.unwrap();
    call.hang_up().await.unwrap();
    house.messages(1).await;

    let extra = "P-Asserted-Identity: <sip:1000@pbx.example>\r\n";
    let manner = Manner { extra, ..Manner::default() };
    let phone = Phone::new().await.unwrap();
    let mut call = phone.call_as(house.sip, "*97", manner).await.unwrap().unwrap();
    call.listen(QUIET).await.unwrap();
    call.press('1').await.unwrap();
    // The message itself is no speech, and would be taken for some.
    let mut heard = decoded(&call.listen(QUIET).await.unwrap());
    call.hang_up().await.unwrap();
    heard.truncate(heard.len().saturating_sub(3 * 8_000));
    let heard = written(&heard).await;
    assert!(heard.contains("jennifer"), "the name was not heard: {heard}");
    assert!(!heard.contains("extension"), "{heard}");
}

#[tokio::test]
async fn a_sentence_without_clips_is_spoken_and_not_left_out() {
    let house = House::start(DEAF);
    let voice = house.dir.path().join("voice/de");
    std::fs::create_dir_all(&voice).unwrap();
    let sentences = "[phrases]\nnot-available = [\"a\", \"b\"]\ninstructions = [\"c\"]\n\
                     [clips]\na = \"Dear caller,\"\nb = \"we went fishing.\"\n\
                     c = \"Leave a message after the tone.\"\n";
    std::fs::write(voice.join("phrases.toml"), sentences).unwrap();
    // A language of the operator's that a voice is set for, so that English is understood of it.
    let mut house = house;
    house.configure(&format!(
        "prompts = \"{}\"\n{DEAF}[synthesis]\nvoices = {{ de = \"en-US\" }}\n",
        voice.parent().unwrap().display()
    ));
    house.kill();
    house.run(&["mailbox", "set", "1000", "--prompts", "de"]);
    house.restart();
    let heard = opening(&house).await;
    for word in ["caller", "fishing", "message"] {
        assert!(heard.contains(word), "{word:?} was not heard: {heard}");
    }
}

/// What a caller of 1000 hears before the tone, written down.
async fn opening(house: &House) -> String {
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    let mut heard = Vec::new();
    let beep = call.listen_to_beep().await.unwrap();
    heard.extend(beep.iter().flat_map(|it| decoded(it)));
    call.hang_up().await.unwrap();
    written(&heard).await
}
